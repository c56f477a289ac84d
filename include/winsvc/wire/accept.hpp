// Content negotiation (RFC 9110 section 12): the weighted lists of Accept and Accept-Encoding.
//
//   accept_list("text/html, */*;q=0.5")              // {"text/html", 1000}, {"*/*", 500}
//   media_type_weight(list, "text/html")             // 1000
//   coding_weight("gzip, br;q=0", "gzip")            // 1000
//
// A list never makes a request fail: empty elements and elements that do not match the grammar are ignored. Weights are
// in thousandths, 0 to 1000; 0 means that the client does not accept the value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/grammar.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// One element of a list: the value without its parameters, and its weight.
struct weighted_value {
  std::string_view value;
  int weight = 1000;
};

/// The media ranges of an Accept field, in their order. Views into `field`.
[[nodiscard]] std::vector<weighted_value> accept_list(std::string_view field);
/// The weight of a media type: that of the most specific range that matches (RFC 9110 section 12.5.1). 0 if no range
/// matches.
[[nodiscard]] int media_type_weight(const std::vector<weighted_value>& ranges, std::string_view type) noexcept;

/// The weight of a content coding in an Accept-Encoding field (RFC 9110 section 12.5.3), which lists it or `*`. 0 if it
/// is not listed.
[[nodiscard]] int coding_weight(std::string_view accept_encoding, std::string_view coding);

/// Removes the text before the next `separator` from `text`, and the separator. A separator in a quoted string does not
/// count.
std::string_view take_element(std::string_view& text, char separator) noexcept;

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::string_view take_element(std::string_view& text, char separator) noexcept {
  std::size_t end = (std::min)(text.find(separator), text.size());
  if (text.substr(0, end).find('"') != std::string_view::npos) {
    bool quoted = false;
    for (end = 0; end < text.size() && (quoted || text[end] != separator); ++end) {
      if (quoted && text[end] == '\\') ++end;
      else if (text[end] == '"') quoted = !quoted;
    }
  }
  const auto element = text.substr(0, (std::min)(end, text.size()));
  text.remove_prefix((std::min)(end + 1, text.size()));
  return base::trim(element);
}

/// Parses a weight (RFC 9110 section 12.4.2) in thousandths; -1 if it is invalid.
WINSVC_INLINE int parse_weight(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
  if (text.size() > 1 && text[1] != '.') return -1;
  int weight = (text[0] - '0') * 1000;
  int digit_value = 100;
  for (const char c : text.substr((std::min)(std::size_t{2}, text.size()))) {
    if (!base::is_digit(c)) return -1;
    weight += (c - '0') * digit_value;
    digit_value /= 10;
  }
  return weight <= 1000 ? weight : -1;
}

/// Parses a list of values with parameters. Skips elements for whose value `is_valid` returns false.
template <class F>
std::vector<weighted_value> weighted_list(std::string_view field, const F& is_valid) {
  std::vector<weighted_value> list;
  list.reserve(8);  // as many as a browser sends
  while (!field.empty()) {
    std::string_view element = take_element(field, ',');
    weighted_value entry{take_element(element, ';')};
    while (!element.empty()) {
      const auto parameter = take_element(element, ';');
      if (base::equal_nocase(parameter.substr(0, 2), "q=")) entry.weight = parse_weight(parameter.substr(2));
    }
    if (entry.weight >= 0 && is_valid(entry.value)) list.push_back(entry);
  }
  return list;
}

WINSVC_INLINE std::vector<weighted_value> accept_list(std::string_view field) {
  return weighted_list(field, [](std::string_view value) {
    const auto slash = value.find('/');
    return slash != value.npos && is_token(value.substr(0, slash)) && is_token(value.substr(slash + 1));
  });
}

WINSVC_INLINE int media_type_weight(const std::vector<weighted_value>& ranges, std::string_view type) noexcept {
  const auto main_type = type.substr(0, type.find('/'));
  int specificity = 0, weight = 0;
  for (const auto& range : ranges) {
    const auto slash = range.value.find('/');
    int level = 0;
    if (base::equal_nocase(range.value, type)) level = 3;
    else if (range.value == "*/*") level = 1;
    else if (range.value.substr(slash) == "/*" && base::equal_nocase(range.value.substr(0, slash), main_type))
      level = 2;
    if (level == 0 || level < specificity) continue;
    weight = level > specificity ? range.weight : (std::max)(weight, range.weight);
    specificity = level;
  }
  return weight;
}

WINSVC_INLINE int coding_weight(std::string_view accept_encoding, std::string_view coding) {
  int wildcard = 0;
  for (const auto& entry : weighted_list(accept_encoding, [](std::string_view value) { return is_token(value); })) {
    if (base::equal_nocase(entry.value, coding)) return entry.weight;
    if (entry.value == "*") wildcard = entry.weight;
  }
  return wildcard;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
