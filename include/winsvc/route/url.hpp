// build_path: builds the path of a URL from a pattern and values, as url_for needs it. `table::match` is the opposite.
//
//   build_path(parse_pattern("/users/{id}"), {"7"})               // "/users/7"
//   build_path(parse_pattern("/files/{path...}"), {"a b/c"})      // "/files/a%20b/c": a tail keeps its slashes
//
// `table::match` returns the same values for the built path. Values that a path cannot contain are rejected: an empty
// segment, a NUL, and "." and "..", which clients resolve before they send the request, also if they are
// percent-encoded (RFC 3986 section 5.2.4).
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

namespace detail::route {

/// The path of a route, percent-encoded (RFC 3986). Throws setup_error if the number of values is wrong, or if a value
/// cannot be in a path or does not have the type of the parameter.
[[nodiscard]] std::string build_path(const route_entry& route, const std::vector<url_value>& values);

/// The same for the route with this name. Throws setup_error for an unknown name, with the most similar known name.
[[nodiscard]] std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values);

}  // namespace detail::route

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The reason why a decoded segment is invalid. Empty if it is valid.
WINSVC_INLINE std::string_view find_invalid_segment(std::string_view value) noexcept {
  if (value.find('\0') != std::string_view::npos) return "contains a NUL, which a path must not contain";
  if (value == "." || value == "..") return "is '.' or '..', which clients remove from a path before they send it";
  return {};
}

WINSVC_INLINE std::string build_path(const route_entry& route, const std::vector<url_value>& values) {
  const auto fail = [&](const std::string& reason) { throw setup_error("url_for " + route.text() + ": " + reason); };
  const auto& names = route.path.names;
  if (values.size() != names.size()) {
    fail("the pattern has " + std::to_string(names.size()) + " parameter" + (names.size() == 1 ? "" : "s") + ", " +
         std::to_string(values.size()) + (values.size() == 1 ? " value was" : " values were") + " given");
  }

  std::string path;
  std::size_t next = 0;
  for (const auto& segment : route.path.segments) {
    if (segment.kind == segment::segment_kind::literal) {
      path += '/' + percent_encode_segment(segment.text);
      continue;
    }
    const std::string& value = values[next].text();
    const bool tail = segment.kind == segment::segment_kind::tail;
    const std::string subject = "the parameter '" + segment.text + "'";
    if (!tail && value.empty()) fail(subject + " is empty; a path segment needs a value");
    const auto& kinds = route.metadata.parameters;
    if (next < kinds.size() && !accepts_text(kinds[next], value)) {
      fail(subject + " is not " + std::string(describe(kinds[next])) + ": '" +
           std::string(base::truncate(value, 80)) + "'");
    }
    for (const std::string_view part : tail ? base::split(value, '/') : std::vector<std::string_view>{value}) {
      if (const auto reason = find_invalid_segment(part); !reason.empty()) fail(subject + " " + std::string(reason));
      path += '/' + percent_encode_segment(part);
    }
    ++next;
  }
  // A client reads it as a host, not as a path (RFC 3986 section 4.2).
  if (path.size() > 1 && path[1] == '/') fail("the path would begin with '//', which names a host");
  return path;
}

WINSVC_INLINE std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values) {
  if (const route_entry* found = routes.find_by_name(name)) return build_path(*found, values);
  const auto names = routes.names();
  std::string hint;
  if (names.empty()) hint = "; no route has a name yet: call .name(\"...\") after a route";
  else if (const auto similar = base::closest_match(name, names); !similar.empty())
    hint = "; did you mean '" + std::string(similar) + "'?";
  throw setup_error("url_for '" + std::string(name) + "': no route has this name" + hint);
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
