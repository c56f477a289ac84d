// Tests of the memory of headers that are not in use, for both types of headers that cpp-httplib has had.
#include "winsvc/http/header_pool.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using winsvc::detail::http::has_nodes;
using winsvc::detail::http::header_memory;

using nodes = std::unordered_multimap<std::string, std::string>;

/// A list of fields, as httplib::Headers since cpp-httplib 0.52.
struct list {
  std::vector<std::pair<std::string, std::string>> fields;
  bool empty() const { return fields.empty(); }
  std::size_t size() const { return fields.size(); }
  void clear() { fields.clear(); }
  void swap(list& other) { fields.swap(other.fields); }
  template <typename Name, typename Value>
  void emplace(const Name& name, const Value& value) {
    fields.emplace_back(name, value);
  }
};

const std::string long_value(100, 'x');  // its text is in allocated memory

template <typename Headers>
Headers with_fields(header_memory<Headers>& memory, std::size_t count) {
  Headers headers;
  for (std::size_t i = 0; i < count; ++i) memory.insert(headers, "name" + std::to_string(i), long_value);
  return headers;
}

}  // namespace

TEST_CASE("the type of the headers selects the memory that is reused") {
  CHECK(has_nodes<nodes>);
  CHECK_FALSE(has_nodes<list>);
}

TEST_CASE("the nodes of released headers are reused, with the memory of their values") {
  header_memory<nodes> memory;
  nodes first = with_fields(memory, 1);
  const auto* const text = first.begin()->second.data();
  memory.release(first);
  CHECK(first.empty());
  nodes second;
  memory.insert(second, "other", "short");
  CHECK(second.begin()->first == "other");
  CHECK(second.begin()->second == "short");
  CHECK(second.begin()->second.data() == text);
}

TEST_CASE("a released list is reused, with its memory") {
  header_memory<list> memory;
  list first = with_fields(memory, 8);
  const auto* const fields = first.fields.data();
  memory.release(first);
  CHECK(first.empty());
  list second = with_fields(memory, 3);
  CHECK(second.size() == 3);
  CHECK(second.fields[2] == std::pair<std::string, std::string>("name2", long_value));
  CHECK(second.fields.data() == fields);
}

TEST_CASE("a list without fields gives no memory, and the memory of a long list is not kept") {
  header_memory<list> memory;
  list none;
  memory.release(none);
  list longest = with_fields(memory, 64), too_long = with_fields(memory, 65);
  memory.release(longest);
  memory.release(too_long);
  list first, second;
  memory.acquire(first);
  memory.acquire(second);
  CHECK(first.fields.capacity() >= 64);
  CHECK(second.fields.capacity() == 0);
}

TEST_CASE("four lists are kept") {
  header_memory<list> memory;
  std::vector<list> used;
  for (int i = 0; i < 5; ++i) used.push_back(with_fields(memory, 1));
  for (auto& headers : used) memory.release(headers);
  std::size_t with_memory = 0;
  for (int i = 0; i < 5; ++i) {
    list headers;
    memory.acquire(headers);
    with_memory += headers.fields.capacity() > 0 ? 1 : 0;
  }
  CHECK(with_memory == 4);
}
