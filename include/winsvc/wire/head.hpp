// Request head: the result of the head parser (wire/head_parser.hpp), and its normalized fields.
//
//   for_each_normalized_field(head, [](std::string_view name, std::string_view value) { ... });
//   const auto accept = normalized_value(head, "Accept");      // the value of one field
//
// An app sees the normalized fields: each name once, without the fields of the connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// A field line (RFC 9112 section 5): the name as sent, the value without the blanks around it.
struct field {
  std::string_view name;
  std::string_view value;
};

/// How the end of the body is found (RFC 9112 section 6.3): no body, after Content-Length bytes, after the last chunk.
enum class framing { none, length, chunked };

/// A valid request head. Its views point into the buffer that was parsed.
struct head {
  std::string_view method;  ///< as sent
  std::string_view target;  ///< as sent (RFC 9112 section 3.2)
  std::string_view path;    ///< not decoded, of origin-form or absolute-form; "*" for a server-wide OPTIONS
  std::string_view query;   ///< not decoded, without its '?'
  std::string_view host;    ///< of the target if it is a URL, else of Host, with the port if it was sent; empty only
                            ///< in HTTP/1.0
  int minor_version = 1;    ///< HTTP/1.minor: 0 or 1; 1 also for a later minor version
  std::vector<field> fields;
  wire::framing framing = wire::framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        ///< the connection may serve another request (RFC 9112 section 9.3)
  bool expect_continue = false;  ///< the client waits for 100 before it sends the body (RFC 9110 section 10.1.1)
  bool has_repeated_names = false;  ///< at least two field lines have the same name
  bool upgrade = false;          ///< the client requests another protocol and may get it (RFC 9110 section 7.8)
  route::method method_id = route::method::get;

  /// Returns the value of the first field of this name, without regard to case; nullopt if there is no such field.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Calls `f(name, value)` for each field of the normalized head: no hop-by-hop fields (RFC 9110 section 7.6.1); framing
/// and Connection are written once, from the members of the head.
///
/// Field lines of one name become one line, in their order (RFC 9110 section 5.3): "a" and "b" become "a, b", or "a; b"
/// for Cookie. cpp-httplib before 0.53 does not keep the order of such lines, which matters for X-Forwarded-For: the
/// nearest proxy writes the last line. A repeated Range is omitted, as section 14.2 allows.
template <class F>
void for_each_normalized_field(const head& head, const F& f);

/// Returns the value that for_each_normalized_field passes for this name, without regard to case; nullopt if it passes
/// no such field.
[[nodiscard]] std::optional<std::string> normalized_value(const head& head, std::string_view name);

// ---------------------------------------------------------------------------------------------------------------------

/// True for the fields of the framing and of the connection in requests and responses.
[[nodiscard]] bool is_framing_field(std::string_view name) noexcept;
[[nodiscard]] bool is_forwarded_field(const head& h, const field& f) noexcept;
[[nodiscard]] std::string_view value_separator(std::string_view name) noexcept;
[[nodiscard]] bool implies_no_body(const head& h) noexcept;
[[nodiscard]] bool is_connection_field(const head& h) noexcept;
/// Calls `f(name, values)` for each name that is forwarded, in the order of its first line. `values` has at least one
/// element. If it has more, no element is empty: a list ignores empty elements (RFC 9110 section 5.6.1).
template <class F>
void for_each_name(const head& h, F&& f) {
  std::vector<std::string_view> values;
  for (auto first = h.fields.begin(); first != h.fields.end(); ++first) {
    const auto has_name = [first](const field& other) { return base::equal_nocase(other.name, first->name); };
    if (!is_forwarded_field(h, *first) || std::any_of(h.fields.begin(), first, has_name)) continue;
    values.clear();
    for (auto line = first; line != h.fields.end(); ++line) {
      if (!line->value.empty() && has_name(*line)) values.push_back(line->value);
    }
    if (values.empty()) values.emplace_back();
    f(first->name, values);
  }
}

template <class F>
void for_each_normalized_field(const head& h, const F& f) {
  if (!h.host.empty() && !h.find("Host")) f("Host", h.host);  // an absolute-form target in HTTP/1.0
  if (!h.has_repeated_names) {
    for (const auto& line : h.fields) {
      const bool is_host = base::equal_nocase(line.name, "Host");  // the host of a URL replaces it
      if (is_forwarded_field(h, line)) f(line.name, is_host ? h.host : line.value);
    }
  } else {
    for_each_name(h, [&f, &h](std::string_view name, const std::vector<std::string_view>& values) {
      std::string joined(base::equal_nocase(name, "Host") ? h.host : values[0]);
      for (std::size_t i = 1; i < values.size(); ++i) joined.append(value_separator(name)).append(values[i]);
      f(name, std::string_view(joined));
    });
  }
  if (h.framing == framing::chunked) f("Transfer-Encoding", "chunked");
  else if (h.framing == framing::length || implies_no_body(h)) f("Content-Length", std::to_string(h.content_length));
  if (is_connection_field(h))
    f("Connection", !h.keep_alive ? "close" : h.upgrade ? "Upgrade" : "Keep-Alive");
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::optional<std::string_view> head::find(std::string_view name) const noexcept {
  for (const auto& f : fields) {
    if (base::equal_nocase(f.name, name)) return f.value;
  }
  return std::nullopt;
}

WINSVC_INLINE bool is_framing_field(std::string_view name) noexcept {
  const auto is = [name](std::string_view known) { return base::equal_nocase(name, known); };
  switch (name.size()) {  // compares only names of the same length
    case 2: return is("TE");
    case 7: return is("Trailer");
    case 10: return is("Connection") || is("Keep-Alive");
    case 14: return is("Content-Length");
    case 16: return is("Proxy-Connection");
    case 17: return is("Transfer-Encoding");
    default: return false;
  }
}

/// True for fields of a request that for_each_normalized_field writes itself, or omits.
WINSVC_INLINE bool is_rewritten_field(std::string_view name) noexcept {
  if (name.size() == 6) return base::equal_nocase(name, "Expect");
  return is_framing_field(name) || (name.size() == 7 && base::equal_nocase(name, "Upgrade"));
}

/// Range is forwarded only if it occurs once, counts bytes and the method is GET or HEAD. Other Range fields must be
/// ignored (RFC 9110 section 14.2).
WINSVC_INLINE bool is_forwarded_field(const head& h, const field& f) noexcept {
  if (f.name.size() == 7 && base::equal_nocase(f.name, "Upgrade")) return h.upgrade;
  if (f.name.size() == 5 && base::equal_nocase(f.name, "Range")) {
    return (h.method_id == route::method::get || h.method_id == route::method::head) &&
           base::equal_nocase(f.value.substr(0, 6), "bytes=") &&
           std::none_of(h.fields.begin(), h.fields.end(), [&f](const field& other) {
             return &other != &f && base::equal_nocase(other.name, f.name);
           });
  }
  return !is_rewritten_field(f.name);
}
WINSVC_INLINE std::string_view value_separator(std::string_view name) noexcept {
  return base::equal_nocase(name, "Cookie") ? "; " : ", ";  // RFC 6265 section 4.2.1
}
/// True for a request without a body whose method usually has one: an app sees a Content-Length of 0.
WINSVC_INLINE bool implies_no_body(const head& h) noexcept {
  using route::method;
  return h.framing == framing::none && (h.method_id == route::method::post || h.method_id == route::method::put ||
                                        h.method_id == route::method::patch || h.method_id == route::method::del);
}
WINSVC_INLINE bool is_connection_field(const head& h) noexcept {
  return !h.keep_alive || h.upgrade || h.minor_version == 0;
}

WINSVC_INLINE std::optional<std::string> normalized_value(const head& h, std::string_view name) {
  std::optional<std::string> found;
  if (is_rewritten_field(name) || base::equal_nocase(name, "Host")) {
    for_each_normalized_field(h, [&](std::string_view other, std::string_view value) {
      if (base::equal_nocase(other, name)) found.emplace(value);
    });
    return found;
  }
  for (const field& line : h.fields) {
    if (!base::equal_nocase(line.name, name) || !is_forwarded_field(h, line)) continue;
    if (!found) found.emplace(line.value);
    else if (found->empty()) found->assign(line.value);
    else if (!line.value.empty()) found->append(value_separator(name)).append(line.value);
  }
  return found;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
