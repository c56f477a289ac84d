// Events that a service writes to the Windows event log, as a table: ID, level, name and occasion.
//
//   event_info(service_event::failed).level      // event_level::error
//
// docs/services.md shows the same table, and a test compares the two. An ID never changes its meaning.
// Source: "Event Identifiers" in the Win32 documentation. The message file (EventCreate.exe) has the IDs 1 to 1000.
#pragma once

#include <cstdint>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Type of an event: EVENTLOG_*_TYPE.
enum class event_level : std::uint16_t { error = 1, warning = 2, information = 4 };

/// ID of an event.
enum class service_event : std::uint32_t {
  started = 1, stopped = 2, failed = 3, degraded = 4, paused = 5, continued = 6, reloaded = 7, crashed = 8,
  stop_incomplete = 9, error_line = 10, warning_line = 11, line = 12,
};

struct event_row {
  service_event id;
  event_level level;
  std::string_view name;
  std::string_view description;  ///< occasion on which the event is written
};

inline constexpr event_row event_table[] = {
    {service_event::started, event_level::information, "started", "it is running; the text has its address"},
    {service_event::stopped, event_level::information, "stopped", "it stopped on request"},
    {service_event::failed, event_level::error, "failed", "it could not start, or it stopped because of a failure"},
    {service_event::degraded, event_level::warning, "degraded",
     "it is running, but a part does not work, such as the log"},
    {service_event::paused, event_level::information, "paused", "it is paused and sends 503 to requests"},
    {service_event::continued, event_level::information, "continued", "it serves requests again"},
    {service_event::reloaded, event_level::information, "reloaded", "the reload hooks have run"},
    {service_event::crashed, event_level::error, "crashed",
     "the process crashed; the log has the path of the minidump"},
    {service_event::stop_incomplete, event_level::warning, "stop incomplete",
     "it stopped, but something did not finish within its time limit"},
    {service_event::error_line, event_level::error, "error line",
     "a log entry of level error, with `log_to_event_log`"},
    {service_event::warning_line, event_level::warning, "warning line",
     "a log entry of level warn, with `log_to_event_log`"},
    {service_event::line, event_level::information, "line",
     "a log entry of level info or debug, with `log_to_event_log`"},
};

/// Returns the row of an event.
[[nodiscard]] constexpr const event_row& event_info(service_event e) noexcept {
  for (const auto& row : event_table) {
    if (row.id == e) return row;
  }
  return event_table[0];
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
