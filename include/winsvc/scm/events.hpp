// What the service writes into the Windows event log, as a table: the ID to filter by, the level, when it is written.
// `docs/services.md` shows it, and a test compares the two. An ID keeps its meaning for ever.
//
// Source: "Event Identifiers" in the Win32 documentation. IDs 1 to 1000 are what the message file (EventCreate.exe)
// has.
#pragma once

#include <cstdint>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class event_level : std::uint16_t { error = 1, warning = 2, information = 4 };  // EVENTLOG_*_TYPE

enum class service_event : std::uint32_t {
  started = 1, stopped = 2, failed = 3, degraded = 4, paused = 5, continued = 6, reloaded = 7, crashed = 8, stop_incomplete = 9,
  error_line = 10, warning_line = 11, line = 12,
};

struct event_row {
  service_event id;
  event_level level;
  std::string_view name;
  std::string_view description;
};

inline constexpr event_row event_table[] = {
    {service_event::started, event_level::information, "started", "the service runs; the text has its address"},
    {service_event::stopped, event_level::information, "stopped", "it has stopped as it was asked to"},
    {service_event::failed, event_level::error, "failed", "it could not start, or stopped because something failed"},
    {service_event::degraded, event_level::warning, "degraded", "it runs, and something of it does not: the log, say"},
    {service_event::paused, event_level::information, "paused", "it is paused: requests get 503"},
    {service_event::continued, event_level::information, "continued", "it serves again"},
    {service_event::reloaded, event_level::information, "reloaded", "the reload hooks have run"},
    {service_event::crashed, event_level::error, "crashed", "the process crashed; the text has the minidump's path"},
    {service_event::stop_incomplete, event_level::warning, "cut", "it has stopped, and cut what did not end in time"},
    {service_event::error_line, event_level::error, "error line", "a line of the log, where `log_to_event_log` asks for it"},
    {service_event::warning_line, event_level::warning, "warning line", "the same, of a warning"},
    {service_event::line, event_level::information, "line", "the same, of level info or debug"},
};

[[nodiscard]] constexpr const event_row& event_info(service_event e) noexcept {
  for (const auto& r : event_table) {
    if (r.id == e) return r;
  }
  return event_table[0];
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
