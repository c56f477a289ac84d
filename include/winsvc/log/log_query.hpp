// Log query of the verb `logs`: parses time and level of a log line and decides whether the entry is shown.
//
//   log::log_query warnings;
//   warnings.min_level = log_level::warn;
//   if (auto header = log::parse_log_line(line); header && matches(warnings, *header)) show(line);
//
// It parses both formats that log_entry writes, text and JSON. It does not read files and does not parse the message.
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
namespace detail::log {

/// Beginning of the first line of an entry.
struct log_line_header {
  clock::system_time time;
  log_level level = log_level::info;
};

/// Parses the beginning of a line. Returns nullopt for a continuation line, which belongs to the previous entry.
[[nodiscard]] std::optional<log_line_header> parse_log_line(std::string_view line) noexcept;

/// Criteria of a query. The default matches all entries.
struct log_query {
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

  log_level min_level = log_level::debug;
  std::optional<clock::system_time> since;  ///< earliest time, inclusive
  std::size_t max_entries = unlimited;      ///< maximum number of matching entries; the newest are shown
};

/// True if the entry matches `min_level` and `since`.
[[nodiscard]] bool matches(const log_query& query, const log_line_header& entry) noexcept;
/// True if the query includes continuation lines whose entry is not in the files any more: only a query for all levels
/// and times does.
[[nodiscard]] bool includes_continuation_lines(const log_query& query) noexcept;

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

WINSVC_INLINE bool matches(const log_query& query, const log_line_header& entry) noexcept {
  return entry.level >= query.min_level && (!query.since || entry.time >= *query.since);
}
WINSVC_INLINE bool includes_continuation_lines(const log_query& query) noexcept {
  return query.min_level == log_level::debug && !query.since;
}

WINSVC_INLINE std::optional<log_line_header> parse_log_line(std::string_view line) noexcept {
  constexpr std::string_view json = "{\"time\":\"", json_level = "\",\"level\":\"";
  const bool as_json = base::starts_with(line, json);
  if (as_json) line.remove_prefix(json.size());
  const auto end = line.find(as_json ? '"' : ' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto time = parse_time(line.substr(0, end));
  if (!time) return std::nullopt;
  line.remove_prefix(end);
  if (as_json && !base::starts_with(line, json_level)) return std::nullopt;
  line.remove_prefix(as_json ? json_level.size() : 1);
  const auto level = parse_log_level(line.substr(0, line.find(as_json ? '"' : ' ')));
  if (!level) return std::nullopt;
  return log_line_header{*time, *level};
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
