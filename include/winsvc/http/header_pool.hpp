// Header pool: memory of headers that are not in use. Requests and responses take it from here and return it, so that
// the headers of most requests need no allocation.
//
// Until cpp-httplib 0.51, httplib::Headers is an unordered multimap: its nodes and its hash table are reused. Since
// 0.52, it is a list of fields in one block of memory, which is reused.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

template <typename Headers, typename = void>
inline constexpr bool has_nodes = false;
template <typename Headers>
inline constexpr bool has_nodes<Headers, std::void_t<typename Headers::node_type>> = true;

/// The memory of a container of nodes.
template <typename Headers, bool = has_nodes<Headers>>
class header_memory {
 public:
  header_memory() { nodes_.reserve(max_nodes); }
  /// Gives empty `headers` the memory of a hash table.
  void acquire(Headers& headers) noexcept {
    if (table_count_ > 0) headers.swap(tables_[--table_count_]);
  }
  /// Takes back the memory of `headers`, which are empty afterwards.
  void release(Headers& headers) noexcept;
  /// Adds a header. The first one acquires memory.
  void insert(Headers& headers, std::string_view name, std::string_view value);

 private:
  static constexpr std::size_t max_nodes = 64, max_value_bytes = 1024;
  [[nodiscard]] bool has_no_memory(const Headers& headers) const noexcept {
    return headers.empty() && headers.bucket_count() == initial_buckets_;
  }
  const std::size_t initial_buckets_ = Headers().bucket_count();
  std::vector<typename Headers::node_type> nodes_;
  std::array<Headers, 4> tables_;  // the first `table_count_` elements are in use
  std::size_t table_count_ = 0;
};

/// The memory of a list, with the same functions.
template <typename Headers>
class header_memory<Headers, false> {
 public:
  void acquire(Headers& headers) noexcept {
    if (count_ > 0) headers.swap(lists_[--count_]);
  }
  void release(Headers& headers) noexcept {
    const std::size_t size = headers.size();
    headers.clear();
    if (size > 0 && size <= max_fields && count_ < lists_.size()) headers.swap(lists_[count_++]);
  }
  void insert(Headers& headers, std::string_view name, std::string_view value) {
    if (headers.empty()) acquire(headers);
    headers.emplace(name, value);
  }

 private:
  static constexpr std::size_t max_fields = 64;  // the memory of a longer list is not kept
  std::array<Headers, 4> lists_;                 // empty; the first `count_` elements have memory
  std::size_t count_ = 0;
};

/// Each thread that serves requests has one.
class header_pool : public header_memory<httplib::Headers> {
 public:
  /// The pool of this thread while it handles a request; null otherwise.
  [[nodiscard]] static header_pool*& current() noexcept;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

template <typename Headers, bool IsOfNodes>
void header_memory<Headers, IsOfNodes>::release(Headers& headers) noexcept {
  if (has_no_memory(headers)) return;
  while (!headers.empty() && nodes_.size() < max_nodes) {
    auto node = headers.extract(headers.begin());
    if (node.mapped().capacity() <= max_value_bytes) nodes_.push_back(std::move(node));
  }
  headers.clear();
  if (table_count_ < tables_.size()) headers.swap(tables_[table_count_++]);
}

template <typename Headers, bool IsOfNodes>
void header_memory<Headers, IsOfNodes>::insert(Headers& headers, std::string_view name, std::string_view value) {
  if (has_no_memory(headers)) acquire(headers);
  if (nodes_.empty()) {
    headers.emplace(name, value);
    return;
  }
  auto node = std::move(nodes_.back());
  nodes_.pop_back();
  node.key().assign(name);
  node.mapped().assign(value);
  headers.insert(std::move(node));
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE header_pool*& header_pool::current() noexcept {
  static thread_local header_pool* pool = nullptr;
  return pool;
}

}  // namespace detail::http

WINSVC_INLINE void detail::api::insert_header(response& res, std::string_view name, std::string_view value) {
  if (auto* const pool = http::header_pool::current()) pool->insert(res.headers, name, value);
  else res.headers.emplace(name, value);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
