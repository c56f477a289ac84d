// Which entries of a log are wanted, and what a line of one says of itself: what `logs` decides, without a file.
//
//   model::log_query warnings;
//   warnings.least = log_level::warn;
//   if (auto mark = model::parse_log_line(line); mark && wanted(warnings, *mark)) show(line);
//
// A line is read in either format that log_entry writes, to its time and level; its text is nobody's business here.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What an entry's first line begins with.
struct log_line_header {
  clock::system_time time;
  log_level level = log_level::info;
};

/// Nothing for a line that begins no entry: it belongs to the entry before it.
[[nodiscard]] std::optional<log_line_header> parse_log_line(std::string_view line) noexcept;

struct log_query {
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

  log_level min_level = log_level::debug;
  std::optional<clock::system_time> since;  ///< that moment included
  std::size_t max_entries = unlimited;                  ///< so many of those that are left, the newest
};

[[nodiscard]] bool matches(const log_query& query, const log_line_header& entry) noexcept;
/// Of lines that belong to no entry, because what came before them is not there: only who wants all wants them.
[[nodiscard]] bool includes_continuation_lines(const log_query& query) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE bool matches(const log_query& query, const log_line_header& entry) noexcept {
  return entry.level >= query.min_level && (!query.since || entry.time >= *query.since);
}
WINSVC_INLINE bool includes_continuation_lines(const log_query& query) noexcept {
  return query.min_level == log_level::debug && !query.since;
}

WINSVC_INLINE std::optional<log_line_header> parse_log_line(std::string_view line) noexcept {
  constexpr std::string_view json = "{\"time\":\"", json_level = "\",\"level\":\"";
  const bool as_json = strings::starts_with(line, json);
  if (as_json) line.remove_prefix(json.size());
  const auto end = line.find(as_json ? '"' : ' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto time = parse_time(line.substr(0, end));
  if (!time) return std::nullopt;
  line.remove_prefix(end);
  if (as_json && !strings::starts_with(line, json_level)) return std::nullopt;
  line.remove_prefix(as_json ? json_level.size() : 1);
  const auto level = parse_log_level(line.substr(0, line.find(as_json ? '"' : ' ')));
  if (!level) return std::nullopt;
  return log_line_header{*time, *level};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
