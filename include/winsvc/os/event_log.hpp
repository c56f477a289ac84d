// Windows event log: writes one event with one text. On POSIX the event is dropped.
//
//   report_event("hello", scm::event_level::error, 100, "cannot open the settings file");
//
// The install verb registers the event source (service_manager::add_event_source), because a service account may not do
// it. The message file is EventCreate.exe: its message for the event IDs 1 to 1000 is "%1", so that the Event Viewer
// shows the text without a separate message DLL.
//
// Source: RegisterEventSourceW and ReportEventW in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Writes an event. An event that cannot be written is dropped, because the log file contains it too.
void report_event(const std::string& source, scm::event_level level, std::uint32_t id,
                  std::string_view text) noexcept;

/// Prepares a text for ReportEvent: limits it to 31,839 characters, the maximum of that function, and escapes
/// insertions. `%` starts an insertion (`%1`, `%n`) if a letter, a digit, `%` or `!` follows; a space is inserted after
/// such a `%`.
[[nodiscard]] std::string truncate_event_text(std::string_view text);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string truncate_event_text(std::string_view text) {
  constexpr std::size_t limit = 31'839;
  const auto begins_insertion = [](char c) {
    const char lower = winsvc::detail::base::to_lower(c);
    return (lower >= 'a' && lower <= 'z') || winsvc::detail::base::is_digit(c) || c == '%' || c == '!';
  };
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() <= limit; ++i) {
    out += text[i];
    if (text[i] == '%' && i + 1 < text.size() && begins_insertion(text[i + 1])) out += ' ';
  }
  out.resize(winsvc::detail::base::truncate(out, limit).size());
  return out;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
