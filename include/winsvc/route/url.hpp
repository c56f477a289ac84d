// A pattern and its values back into a path: the other way round than a table goes.
//
//   build_path(parse_pattern("/users/{id}"), {"7"})               // "/users/7"
//   build_path(parse_pattern("/files/{path...}"), {"a b/c"})      // "/files/a%20b/c": a tail keeps its slashes
//
// What it builds, `table::match` takes apart into the same values. Values that no path can carry are refused: an empty
// segment, a NUL, and "." and "..", which clients resolve before they ask (RFC 3986 section 5.2.4, escaped ones too).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/route/url_value.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace route {

/// The path of a route, percent-encoded (RFC 3986). Throws setup_error: the wrong number of values, or one that no
/// path could carry or that this route would not take.
[[nodiscard]] std::string build_path(const route_entry& of, const std::vector<url_value>& values);

/// The same by the route's name. Throws setup_error for a name that is none, too, with the nearest that is one.
[[nodiscard]] std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values);

}  // namespace route

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// One decoded segment of a path: what is wrong with it, or nothing.
WINSVC_INLINE std::string_view find_invalid_segment(std::string_view value) noexcept {
  if (value.find('\0') != std::string_view::npos) return "holds a NUL, which no path may";
  if (value == "." || value == "..") return "would be resolved by the client, and not reach this route";
  return {};
}

WINSVC_INLINE std::string build_path(const route_entry& of, const std::vector<url_value>& values) {
  const auto refuse = [&of](const std::string& reason) { throw setup_error("url_for " + of.text() + ": " + reason); };
  const auto& names = of.path.names;
  if (values.size() != names.size()) {
    refuse("the pattern has " + std::to_string(names.size()) + " parameter" + (names.size() == 1 ? "" : "s") + ", " +
           std::to_string(values.size()) + (values.size() == 1 ? " value was" : " values were") + " given");
  }

  std::string path;
  std::size_t next = 0;
  for (const auto& segment : of.path.segments) {
    if (segment.kind == segment::segment_kind::literal) {
      path += '/' + percent_encode_segment(segment.text);
      continue;
    }
    const std::string& value = values[next].text();
    const bool tail = segment.kind == segment::segment_kind::tail;
    const std::string shown = "the parameter '" + segment.text + "'";
    if (!tail && value.empty()) refuse(shown + " is empty, which a segment of a path is not");
    if (next < of.metadata.parameters.size() && !accepts_text(of.metadata.parameters[next], value)) {
      refuse(shown + " is not " + std::string(describe(of.metadata.parameters[next])) + ": '" +
             std::string(strings::truncate(value, 80)) + "'");
    }
    for (const std::string_view part : tail ? strings::split(value, '/') : std::vector<std::string_view>{value}) {
      if (const auto reason = find_invalid_segment(part); !reason.empty()) refuse(shown + " " + std::string(reason));
      path += '/' + percent_encode_segment(part);
    }
    ++next;
  }
  // To a browser that is a host, not a path (RFC 3986 section 4.2).
  if (path.size() > 1 && path[1] == '/') refuse("it would begin with '//', which names a host");
  return path;
}

WINSVC_INLINE std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values) {
  if (const route_entry* found = routes.find_by_name(name)) return build_path(*found, values);
  const auto names = routes.names();
  const auto near_one = strings::closest_match(name, names);
  throw setup_error("url_for '" + std::string(name) + "': no route has this name" +
                    (near_one.empty() ? names.empty() ? ": none has one yet; say .name(\"...\") behind a route" : ""
                                      : "; did you mean '" + std::string(near_one) + "'?"));
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
