// A request head that has passed the gate (wire/gate.hpp): what it says, and the one form in which it is handed on.
//
//   for_each_normalized_field(h, [](std::string_view name, std::string&& value) { ... });
//   const std::string text = write_normalized_head(h, escape_percent);      // the same, for a parser to read
//
// What passes is written anew, so that whoever reads it, whichever its version, has nothing left to interpret.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// A field line (RFC 9112 section 5): the name as sent, the value without the blanks around it.
struct field {
  std::string_view name;
  std::string_view value;
};

/// Where the body ends (RFC 9112 section 6.3): there is none, after so many bytes, or with the last chunk.
enum class framing { none, length, chunked };

/// A valid request head. Its views point into the buffer that was parsed.
struct head {
  std::string_view method;  ///< as sent
  std::string_view target;  ///< as sent (RFC 9112 section 3.2)
  std::string_view path;    ///< raw, of origin-form or absolute-form; "*" for a server-wide OPTIONS
  std::string_view query;   ///< raw, without its '?'
  std::string_view host;    ///< with the port if one was sent; empty in HTTP/1.0 only
  int minor_version = 1;    ///< HTTP/1.minor: 0 or 1
  std::vector<field> fields;
  wire::framing framing = wire::framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        ///< the connection may serve another request (RFC 9112 section 9.3)
  bool expect_continue = false;  ///< the body waits for our 100 (RFC 9110 section 10.1.1)
  bool has_repeated_names = false;          ///< some name is there twice
  bool upgrade = false;          ///< a switch of protocol is asked for, and may be granted (RFC 9110 section 7.8)
  route::method method_id = route::method::get;

  /// The value of the first field of this name in any case; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Calls `f(name, value)` for the fields as they are handed on: no hop-by-hop ones (RFC 9110 section 7.6.1), the
/// framing and the fate of the connection stated once, by us.
///
/// Lines of one name become one, in their order (RFC 9110 section 5.3): "a" and "b" are "a, b", and "a; b" for Cookie.
/// Before 0.53 cpp-httplib keeps them in no order that it promises, and whoever wrote the last line matters in some:
/// X-Forwarded-For. A Range that is there twice is left out, as section 14.2 allows.
template <class F>
void for_each_normalized_field(const head& h, const F& f);

/// The head in the only form that cpp-httplib shall read: an origin-form target, and the fields from above. To hand a
/// decoded chunked body over, set `framing` and `content_length` of a copy before.
///
/// `escape_percent`: for cpp-httplib before 0.44, which percent-decodes values (all but Location and Referer), so that
/// `%0d%0a` would become a line break. A '%' is written as "%25" and comes out as it went in.
[[nodiscard]] std::string write_normalized_head(const head& value, bool escape_percent);

// ---------------------------------------------------------------------------------------------------------------------

[[nodiscard]] bool is_forwarded_field(const head& h, const field& f) noexcept;
[[nodiscard]] std::string_view value_separator(std::string_view name) noexcept;
[[nodiscard]] bool implies_no_body(const head& h) noexcept;
[[nodiscard]] bool is_connection_field(const head& h) noexcept;
/// Calls `f(name, values)` for the fields that are passed on, in the order of each name's first line. At least one
/// value; of more, none is empty, as an empty member of a list is none (RFC 9110 section 5.6.1).
template <class F>
void for_each_name(const head& h, F&& f) {
  std::vector<std::string_view> values;
  for (auto at = h.fields.begin(); at != h.fields.end(); ++at) {
    const auto has_name = [at](const field& other) { return strings::equal_nocase(other.name, at->name); };
    if (!is_forwarded_field(h, *at) || std::any_of(h.fields.begin(), at, has_name)) continue;
    values.clear();
    for (auto line = at; line != h.fields.end(); ++line) {
      if (!line->value.empty() && has_name(*line)) values.push_back(line->value);
    }
    if (values.empty()) values.emplace_back();
    f(at->name, values);
  }
}

template <class F>
void for_each_normalized_field(const head& h, const F& f) {
  if (!h.host.empty() && !h.find("Host")) f("Host", std::string(h.host));  // an absolute-form target in 1.0
  if (!h.has_repeated_names) {
    for (const auto& one : h.fields) {
      if (is_forwarded_field(h, one)) f(one.name, std::string(one.value));
    }
  } else {
    for_each_name(h, [&f](std::string_view name, const std::vector<std::string_view>& values) {
      std::string joined(values[0]);
      for (std::size_t i = 1; i < values.size(); ++i) joined.append(value_separator(name)).append(values[i]);
      f(name, std::move(joined));
    });
  }
  if (h.framing == framing::chunked) f("Transfer-Encoding", std::string("chunked"));
  else if (h.framing == framing::length || implies_no_body(h)) f("Content-Length", std::to_string(h.content_length));
  if (is_connection_field(h))
    f("Connection", std::string(!h.keep_alive ? "close" : h.upgrade ? "Upgrade" : "Keep-Alive"));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE std::optional<std::string_view> head::find(std::string_view name) const noexcept {
  for (const auto& f : fields) {
    if (strings::equal_nocase(f.name, name)) return f.value;
  }
  return std::nullopt;
}

/// Fields that are about the connection or the framing: write_normalized_head states them itself.
WINSVC_INLINE bool is_rewritten_field(std::string_view name) noexcept {
  constexpr std::string_view names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                                        "Content-Length", "Expect", "TE", "Trailer", "Upgrade"};
  return std::any_of(std::begin(names), std::end(names), [&](auto n) { return strings::equal_nocase(n, name); });
}
/// Range means something to GET, in bytes and once alone, and is to be ignored otherwise (RFC 9110 section 14.2);
/// cpp-httplib would answer 416.
WINSVC_INLINE bool is_forwarded_field(const head& h, const field& f) noexcept {
  if (strings::equal_nocase(f.name, "Upgrade")) return h.upgrade;
  if (strings::equal_nocase(f.name, "Range")) {
    return (h.method_id == route::method::get || h.method_id == route::method::head) &&
           strings::equal_nocase(f.value.substr(0, 6), "bytes=") &&
           std::none_of(h.fields.begin(), h.fields.end(), [&f](const field& other) {
             return &other != &f && strings::equal_nocase(other.name, f.name);
           });
  }
  return !is_rewritten_field(f.name);
}
WINSVC_INLINE std::string_view value_separator(std::string_view name) noexcept {
  return strings::equal_nocase(name, "Cookie") ? "; " : ", ";  // RFC 6265 section 4.2.1
}
/// A body is expected, so its absence is to be stated: without a length, cpp-httplib waits 5 s for one.
WINSVC_INLINE bool implies_no_body(const head& h) noexcept {
  using route::method;
  return h.framing == framing::none &&
         (h.method_id == method::post || h.method_id == method::put || h.method_id == method::patch || h.method_id == method::del);
}
WINSVC_INLINE bool is_connection_field(const head& h) noexcept {
  return !h.keep_alive || h.upgrade || h.minor_version == 0;
}

WINSVC_INLINE std::string write_normalized_head(const head& h, bool escape_percent) {
  std::string out;
  out.reserve(512);
  out.append(h.method).append(" ").append(h.path);
  if (!h.query.empty()) out.append("?").append(h.query);
  out.append(h.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for_each_normalized_field(h, [&](std::string_view name, std::string_view value) {
    // cpp-httplib before 0.44 decodes the values of all fields but these two.
    const bool escaped =
        escape_percent && !strings::equal_nocase(name, "Location") && !strings::equal_nocase(name, "Referer");
    out.append(name).append(": ");
    for (auto mark = value.find('%'); escaped && mark != value.npos; mark = value.find('%')) {
      out.append(value.substr(0, mark)).append("%25");
      value.remove_prefix(mark + 1);
    }
    out.append(value).append("\r\n");
  });
  return out.append("\r\n");
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
