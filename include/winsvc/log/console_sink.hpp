// The log on the screen: for the one who looks on, so the time of day is enough, and what is wrong has a colour.
//
//   09:05:09.250 WARN  the disk is nearly full
//
// Where standard error is no terminal it has the lines of the log file: it is a file then, or on its way to one.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/timed_mutex.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Without a line end. The text itself never brings a colour: escape_log_text sees to that.
[[nodiscard]] std::string format_console_line(const log_entry& entry, std::chrono::minutes offset, bool colors);

class console_sink final : public log_sink {
 public:
  void write(const log_entry& entry) noexcept override {
    try {
      write_lines(line(entry));
    } catch (...) {  // out of memory: the line is lost
    }
  }
  void write_batch(const std::vector<log_entry>& batch) noexcept override {
    try {
      std::string text;
      for (const auto& entry : batch) text += line(entry);
      write_lines(text);
    } catch (...) {
    }
  }
  /// Whole lines, above the one at the bottom. From any thread.
  void write_lines(const std::string& lines) {
    const timed_mutex::scoped_lock hold(mutex_, std::chrono::hours(24));
    os::write_stderr(status_line_.empty() ? lines : std::string(erase_line) + lines + status_line_);
  }
  /// What stands at the bottom from here on, where this is a terminal that can take it away again; "": nothing. One that
  /// takes nothing (Ctrl-S, or a window that hangs) is not waited for.
  void set_status_line(const std::string& text) {
    if (!colors_.on()) return;  // it knows the escapes that this takes
    const timed_mutex::scoped_lock hold(mutex_, std::chrono::milliseconds(100));
    if (!hold || text == status_line_ || !os::is_stderr_writable()) return;
    os::write_stderr(std::string(erase_line) + text);
    status_line_ = text;
  }

 private:
  [[nodiscard]] std::string line(const log_entry& entry) const {
    const std::chrono::minutes offset = os::utc_offset(entry.time);
    return (terminal_ ? format_console_line(entry, offset, colors_.on()) : entry.line(offset)) + '\n';
  }

  static constexpr const char* erase_line = "\r\x1b[K";  // to its beginning, and nothing behind
  timed_mutex mutex_;
  std::string status_line_;
  bool terminal_ = os::is_stderr_terminal();
  os::stderr_colors colors_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string format_console_line(const log_entry& entry, std::chrono::minutes offset, bool colors) {
  // The default colour for info, because nobody knows what is readable on this screen; bright ones are not used.
  constexpr std::string_view of_level[] = {"\x1b[2m", "", "\x1b[33m", "\x1b[31m"};
  const std::string time = local_time(entry.time, offset).substr(11, 12);
  const std::string rest = std::string(level_column(entry.level)) + ' ' + escape_log_text(entry.text);
  if (!colors) return time + ' ' + rest;
  const std::string_view color = of_level[static_cast<int>(entry.level)];
  std::string out = "\x1b[2m" + time + "\x1b[0m ";
  out += color;
  out += rest;
  return color.empty() ? out : out + "\x1b[0m";
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
