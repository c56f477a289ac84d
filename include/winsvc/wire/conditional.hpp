// Requests with conditions: is what the client has still what there is, and may it be changed? (RFC 9110, section 13)
//
//   evaluate({"", "\"a-1\"", "", ""}, {"\"a-1\"", modified}, true)      // not_modified: If-None-Match names it
//
// Pure: header fields in, the decision out. Dates are seconds since 1970, in UTC.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// The moment of a date field; nothing for what is none. All three forms that a recipient has to take: the present one
/// (`Sun, 06 Nov 1994 08:49:37 GMT`), RFC 850's, and asctime's (section 5.6.7).
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

/// Does this list of entity tags (`*` is any) name the tag? Strongly: two weak tags (`W/"..."`) never do (section
/// 8.8.3.2).
[[nodiscard]] bool matches_etag(std::string_view list, std::string_view tag, bool strongly);

/// What a request asks about; empty where it does not.
struct conditions {
  std::string_view if_match, if_none_match, if_modified_since, if_unmodified_since;
};
/// What there is.
struct validators {
  std::string_view etag;       ///< with its quotes
  std::int64_t modified = 0;
};
enum class condition_result { serve, not_modified, failed };

/// In the order of section 13.2.2: 304 only for GET and HEAD (`reads`), 412 where a condition does not hold.
[[nodiscard]] condition_result evaluate(const conditions& conditions, const validators& validators, bool reads);

/// Is a Range to be served, or the whole in its place? (`If-Range`, section 13.1.5) It holds a strong tag or a date.
[[nodiscard]] bool range_applies(std::string_view if_range, const validators& validators);

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Days from 1970-01-01 to a date of the Gregorian calendar, whose year is counted from March, so that the leap day is
/// the last of its year.
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

WINSVC_INLINE std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::string line(strings::trim(text));
  char month_name[4] = {}, zone[4] = {};
  unsigned day = 0, hour = 0, minute = 0, second = 0;
  int year = 0, end = -1;
  const auto whole = [&] { return end == static_cast<int>(line.size()); };
  const bool present = std::sscanf(line.c_str(), "%*3[A-Za-z], %2u %3[A-Za-z] %4d %2u:%2u:%2u %3[A-Z]%n", &day,
                                   month_name, &year, &hour, &minute, &second, zone, &end) == 7 && whole();
  bool known = present;
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*9[A-Za-z], %2u-%3[A-Za-z]-%2d %2u:%2u:%2u %3[A-Z]%n", &day, month_name, &year,
                        &hour, &minute, &second, zone, &end) == 7 && whole();
    if (known) year += year < 70 ? 2000 : 1900;  // two digits: the nearest century, as it has been read since 1994
  }
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2u %2u:%2u:%2u %4d%n", month_name, &day, &hour, &minute,
                        &second, &year, &end) == 6 && whole();
    std::snprintf(zone, sizeof zone, "GMT");
  }
  if (!known || std::string_view(zone) != "GMT") return std::nullopt;

  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto position = std::string_view(month_name).size() == 3 ? months.find(month_name) : months.npos;
  if (position == months.npos || position % 3 != 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1)
    return std::nullopt;
  return days_from_civil(year, static_cast<unsigned>(position / 3) + 1, day) * 86'400 + hour * 3600 + minute * 60 + second;
}

WINSVC_INLINE bool matches_etag(std::string_view list, std::string_view tag, bool strongly) {
  const auto weak = [](std::string_view t) { return t.substr(0, 2) == "W/"; };
  const auto opaque = [&](std::string_view t) { return weak(t) ? t.substr(2) : t; };
  list = strings::trim(list);
  if (list == "*") return true;
  while (!list.empty()) {
    const auto open = list.find('"');
    const auto close = open == list.npos ? list.npos : list.find('"', open + 1);
    if (close == list.npos) return false;
    const auto begin = open >= 2 && list.substr(open - 2, 2) == "W/" ? open - 2 : open;
    const auto one = list.substr(begin, close + 1 - begin);
    if (opaque(one) == opaque(tag) && !(strongly && (weak(one) || weak(tag)))) return true;
    list.remove_prefix(close + 1);
  }
  return false;
}

WINSVC_INLINE condition_result evaluate(const conditions& conditions, const validators& validators, bool reads) {
  if (!conditions.if_match.empty()) {
    if (!matches_etag(conditions.if_match, validators.etag, true)) return condition_result::failed;
  } else if (const auto since = parse_http_date(conditions.if_unmodified_since)) {
    if (validators.modified > *since) return condition_result::failed;
  }
  if (!conditions.if_none_match.empty()) {
    if (matches_etag(conditions.if_none_match, validators.etag, false)) return reads ? condition_result::not_modified : condition_result::failed;
  } else if (const auto since = parse_http_date(conditions.if_modified_since); since && reads) {
    if (validators.modified <= *since) return condition_result::not_modified;
  }
  return condition_result::serve;
}

WINSVC_INLINE bool range_applies(std::string_view if_range, const validators& validators) {
  if_range = strings::trim(if_range);
  if (if_range.empty()) return true;
  if (if_range.find('"') != if_range.npos) return if_range != "*" && matches_etag(if_range, validators.etag, true);
  const auto date = parse_http_date(if_range);
  return date && *date == validators.modified;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
