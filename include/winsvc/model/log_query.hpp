// Which entries of a log are wanted, and what a line of one says of itself: what `logs` decides, without a file.
//
//   model::log_query warnings;
//   warnings.least = log_level::warn;
//   if (auto mark = model::read_log_line(line); mark && wanted(warnings, *mark)) show(line);
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
struct log_mark {
  clock::wall_point when;
  log_level level = log_level::info;
};

/// Nothing for a line that begins no entry: it belongs to the entry before it.
[[nodiscard]] std::optional<log_mark> read_log_line(std::string_view line) noexcept;

struct log_query {
  static constexpr std::size_t all = static_cast<std::size_t>(-1);

  log_level least = log_level::debug;
  std::optional<clock::wall_point> since;  ///< that moment included
  std::size_t last = all;                  ///< so many of those that are left, the newest
};

[[nodiscard]] bool wanted(const log_query& what, const log_mark& entry) noexcept;
/// Of lines that belong to no entry, because what came before them is not there: only who wants all wants them.
[[nodiscard]] bool wants_strays(const log_query& what) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE bool wanted(const log_query& what, const log_mark& entry) noexcept {
  return entry.level >= what.least && (!what.since || entry.when >= *what.since);
}
WINSVC_INLINE bool wants_strays(const log_query& what) noexcept {
  return what.least == log_level::debug && !what.since;
}

WINSVC_INLINE std::optional<log_mark> read_log_line(std::string_view line) noexcept {
  constexpr std::string_view json = "{\"time\":\"", json_level = "\",\"level\":\"";
  const bool as_json = text::starts_with(line, json);
  if (as_json) line.remove_prefix(json.size());
  const auto end = line.find(as_json ? '"' : ' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto when = parse_time(line.substr(0, end));
  if (!when) return std::nullopt;
  line.remove_prefix(end);
  if (as_json && !text::starts_with(line, json_level)) return std::nullopt;
  line.remove_prefix(as_json ? json_level.size() : 1);
  const auto level = parse_log_level(line.substr(0, line.find(as_json ? '"' : ' ')));
  if (!level) return std::nullopt;
  return log_mark{*when, *level};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
