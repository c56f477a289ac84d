// The Windows event log: one report, one line. Elsewhere there is none, and a report is dropped.
//
// The source is registered at install (service_manager::add_event_source), because a service account may not do it. The
// message file is EventCreate.exe, whose message for IDs 1 to 1000 is "%1": one text reads well without a DLL of one's
// own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Never throws, never blocks for long; a report that cannot be made is dropped, because the log file has it too.
void report_event(const std::string& source, model::event_level level, std::uint32_t id,
                  std::string_view text) noexcept;

/// `%` begins an insertion in the event log (`%1`, `%n`) where a letter, a digit, `%` or `!` follows: there a blank is
/// put behind it. Cut to 31,839 characters, the most that ReportEvent takes.
[[nodiscard]] std::string truncate_event_text(std::string_view text);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string truncate_event_text(std::string_view text) {
  constexpr std::size_t limit = 31'839;
  const auto begins_insertion = [](char c) {
    const char low = winsvc::strings::to_lower(c);
    return (low >= 'a' && low <= 'z') || winsvc::strings::is_digit(c) || c == '%' || c == '!';
  };
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() <= limit; ++i) {
    out += text[i];
    if (text[i] == '%' && i + 1 < text.size() && begins_insertion(text[i + 1])) out += ' ';
  }
  out.resize(winsvc::strings::truncate(out, limit).size());
  return out;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
