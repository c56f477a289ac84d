// Form fields: parser for query strings and URL-encoded forms (application/x-www-form-urlencoded), `a=1&b=x+y`.
//
//   find_field("a=1&b=x+y", "b")          // "x y"; nullopt if the name is not present
//   find_fields("a=1&b=2&a=1", "a")       // "1", "1": one value for each occurrence
//   field_count("a=1&b=x+y")              // 2
//
// The functions search the text and store no other fields, so that many fields use no memory. An invalid escape is kept
// as text, as in browsers: "100%" is "100%".
// Source: the URL standard, section "application/x-www-form-urlencoded parsing".
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Returns the decoded value of the first field of this name; nullopt if there is no such field.
[[nodiscard]] std::optional<std::string> find_field(std::string_view fields, std::string_view name);
/// Returns the decoded values of all fields of this name, in their order.
[[nodiscard]] std::vector<std::string> find_fields(std::string_view fields, std::string_view name);
/// Returns the number of fields. Empty fields, as between two adjacent '&', are counted too.
[[nodiscard]] std::size_t field_count(std::string_view fields) noexcept;

/// Returns the query of a request target: the text after the first '?' (RFC 3986 section 3.4).
[[nodiscard]] std::string_view query_component(std::string_view target) noexcept;

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::string decode_field(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t position = 0; position < raw.size(); ++position) {
    const int byte = raw[position] == '%' ? route::escaped_byte(raw, position) : -1;
    if (byte >= 0) position += 2;
    out += byte >= 0 ? static_cast<char>(static_cast<unsigned char>(byte)) : raw[position] == '+' ? ' ' : raw[position];
  }
  return out;
}

/// Calls `f(raw value)` for each field of this name, until it returns false.
template <class F>
void for_each_field(std::string_view fields, std::string_view name, F&& f) {
  while (!fields.empty()) {
    const auto pair = fields.substr(0, fields.find('&'));
    fields.remove_prefix((std::min)(pair.size() + 1, fields.size()));
    if (pair.empty()) continue;
    const auto key = pair.substr(0, pair.find('='));
    const bool is_encoded = key.find_first_of("%+") != std::string_view::npos;
    if (!(is_encoded ? decode_field(key) == name : key == name)) continue;
    if (!f(pair.substr((std::min)(key.size() + 1, pair.size())))) return;
  }
}

WINSVC_INLINE std::optional<std::string> find_field(std::string_view fields, std::string_view name) {
  std::optional<std::string> found;
  for_each_field(fields, name, [&found](std::string_view raw) {
    found = decode_field(raw);
    return false;
  });
  return found;
}
WINSVC_INLINE std::vector<std::string> find_fields(std::string_view fields, std::string_view name) {
  std::vector<std::string> found;
  for_each_field(fields, name, [&found](std::string_view raw) {
    found.push_back(decode_field(raw));
    return true;
  });
  return found;
}
WINSVC_INLINE std::size_t field_count(std::string_view fields) noexcept {
  return fields.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(fields.begin(), fields.end(), '&'));
}

WINSVC_INLINE std::string_view query_component(std::string_view target) noexcept {
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
