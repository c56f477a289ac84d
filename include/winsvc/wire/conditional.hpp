// Conditional requests (RFC 9110 section 13): evaluates If-Match, If-None-Match, If-Modified-Since,
// If-Unmodified-Since and If-Range.
//
//   evaluate({"", "\"a-1\"", "", ""}, {"\"a-1\"", modified}, true)      // not_modified: If-None-Match lists the tag
//
// Pure functions from header fields to a decision. Dates are seconds since 1970 in UTC.
#pragma once

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Parses an HTTP date; nullopt if it is invalid. Accepts the three forms of RFC 9110 section 5.6.7: IMF-fixdate
/// (`Sun, 06 Nov 1994 08:49:37 GMT`), RFC 850 and asctime.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

/// True if the list of entity tags contains `etag`, or is `*`. `strong` selects the strong comparison, in which a weak
/// tag (`W/"..."`) never matches (section 8.8.3.2).
[[nodiscard]] bool matches_etag(std::string_view list, std::string_view etag, bool strong);

/// The conditional fields of a request. A field that the request does not have is empty.
struct conditions {
  std::string_view if_match, if_none_match, if_modified_since, if_unmodified_since;
};
constexpr std::int64_t unknown_time = (std::numeric_limits<std::int64_t>::min)();

/// The validators of the current representation (section 8.8).
struct validators {
  std::string_view etag;      ///< with its quotes
  std::int64_t modified = unknown_time;  ///< Last-Modified, in seconds since 1970
};
enum class condition_result { serve, not_modified, failed };

/// Evaluates the conditions in the order of section 13.2.2. `not_modified` (304) is returned only for GET and HEAD
/// (`is_read`); `failed` (412) if a condition is false.
[[nodiscard]] condition_result evaluate(const conditions& conditions, const validators& validators, bool is_read);

/// True if the Range is served; false if the whole representation replaces it. `If-Range` is a strong tag or a date
/// (section 13.1.5).
[[nodiscard]] bool range_applies(std::string_view if_range, const validators& validators);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar. A year starts in March here, so that the leap
/// day is its last day.
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

WINSVC_INLINE std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::string line(base::trim(text));
  char month_name[4] = {}, zone[4] = {};
  unsigned day = 0, hour = 0, minute = 0, second = 0;
  int year = 0, end = -1;
  const auto at_end = [&] { return end == static_cast<int>(line.size()); };
  bool known = std::sscanf(line.c_str(), "%*3[A-Za-z], %2u %3[A-Za-z] %4d %2u:%2u:%2u %3[A-Z]%n", &day, month_name,
                           &year, &hour, &minute, &second, zone, &end) == 7 && at_end();
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*9[A-Za-z], %2u-%3[A-Za-z]-%2d %2u:%2u:%2u %3[A-Z]%n", &day, month_name, &year,
                        &hour, &minute, &second, zone, &end) == 7 && at_end();
    if (known) year += year < 70 ? 2000 : 1900;  // RFC 850: a year of two digits
  }
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2u %2u:%2u:%2u %4d%n", month_name, &day, &hour, &minute,
                        &second, &year, &end) == 6 && at_end();
    std::snprintf(zone, sizeof zone, "GMT");
  }
  if (!known || std::string_view(zone) != "GMT") return std::nullopt;

  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto position = std::string_view(month_name).size() == 3 ? months.find(month_name) : months.npos;
  if (position == months.npos || position % 3 != 0 || day < 1 || day > 31 || year < 1) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = days_from_civil(year, static_cast<unsigned>(position / 3) + 1, day);
  return days * 86'400 + hour * 3600 + minute * 60 + second;
}

WINSVC_INLINE bool matches_etag(std::string_view list, std::string_view etag, bool strong) {
  const auto is_weak = [](std::string_view tag) { return tag.substr(0, 2) == "W/"; };
  const auto opaque = [&](std::string_view tag) { return is_weak(tag) ? tag.substr(2) : tag; };
  list = base::trim(list);
  if (list == "*") return true;
  while (!list.empty()) {
    const auto open = list.find('"');
    const auto close = open == list.npos ? list.npos : list.find('"', open + 1);
    if (close == list.npos) return false;
    const auto begin = open >= 2 && list.substr(open - 2, 2) == "W/" ? open - 2 : open;
    const auto listed = list.substr(begin, close + 1 - begin);
    if (opaque(listed) == opaque(etag) && !(strong && (is_weak(listed) || is_weak(etag)))) return true;
    list.remove_prefix(close + 1);
  }
  return false;
}

WINSVC_INLINE condition_result evaluate(const conditions& conditions, const validators& validators, bool is_read) {
  if (!conditions.if_match.empty()) {
    if (!matches_etag(conditions.if_match, validators.etag, true)) return condition_result::failed;
  } else if (const auto since = parse_http_date(conditions.if_unmodified_since); since) {
    if (validators.modified > *since) return condition_result::failed;
  }
  if (!conditions.if_none_match.empty()) {
    if (matches_etag(conditions.if_none_match, validators.etag, false))
      return is_read ? condition_result::not_modified : condition_result::failed;
  } else if (const auto since = parse_http_date(conditions.if_modified_since); since && is_read) {
    if (validators.modified != unknown_time && validators.modified <= *since) return condition_result::not_modified;
  }
  return condition_result::serve;
}

WINSVC_INLINE bool range_applies(std::string_view if_range, const validators& validators) {
  if_range = base::trim(if_range);
  if (if_range.empty()) return true;
  // One strong tag, not a list: tags that are equal as text have the same form, and a weak one begins with W.
  if (if_range.find('"') != if_range.npos) return if_range[0] == '"' && if_range == validators.etag;
  const auto date = parse_http_date(if_range);
  return date && *date == validators.modified;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
