// Console sink: writes log entries to standard error, with the time of day, in color if it is a terminal.
//
//   09:05:09.250 WARN  the disk is nearly full
//
// If standard error is a file or a pipe, the sink writes the same lines as the log file, with the date.
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
namespace detail::log {

/// Formats a line without its line end. The text cannot set a color, because escape_log_text escapes it. The status of
/// an access record is colored by its class: `json_fields` has it as a member "status".
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
  /// Writes complete lines above the status line. Safe to call from any thread.
  void write_lines(const std::string& lines) {
    const base::timed_mutex::scoped_lock lock(mutex_, std::chrono::hours(24));
    os::write_stderr(status_line_.empty() ? lines : std::string(erase_line) + lines + status_line_);
  }
  /// Sets the status line, the last line of the terminal; "" removes it. Does nothing if the terminal cannot erase a
  /// line, or if it does not accept output (Ctrl-S, or a window that hangs).
  void set_status_line(const std::string& text) {
    if (!colors_.on()) return;  // a terminal with colors can also erase a line
    const base::timed_mutex::scoped_lock lock(mutex_, std::chrono::milliseconds(100));
    if (!lock || text == status_line_ || !os::is_stderr_writable()) return;
    std::string shown = text;
    os::write_stderr(std::string(erase_line) + text);
    status_line_.swap(shown);
  }

 private:
  [[nodiscard]] std::string line(const log_entry& entry) const {
    const std::chrono::minutes offset = os::utc_offset(entry.time);
    return (terminal_ ? format_console_line(entry, offset, colors_.on()) : entry.line(offset)) + '\n';
  }

  static constexpr const char* erase_line = "\r\x1b[K";  // carriage return, then erase to the end of the line
  base::timed_mutex mutex_;
  std::string status_line_;
  bool terminal_ = os::is_stderr_terminal();
  os::stderr_colors colors_;
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

/// Colors the status in the text of an access record: 2xx green, 3xx cyan, 4xx yellow, 5xx red.
WINSVC_INLINE std::string color_status(std::string text, std::string_view json_fields) {
  constexpr std::string_view member = "\"status\":";
  const auto found = json_fields.find(member);
  if (found == json_fields.npos) return text;
  const std::string status(json_fields.substr(found + member.size(), 3));
  const auto position = text.find("  " + status + "  ");
  constexpr std::string_view class_colors[] = {"\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[31m"};
  if (position == text.npos || status[0] < '2' || status[0] > '5') return text;
  text.insert(position + 5, "\x1b[0m");
  return text.insert(position + 2, class_colors[status[0] - '2']);
}

WINSVC_INLINE std::string format_console_line(const log_entry& entry, std::chrono::minutes offset, bool colors) {
  // Info has the default color, because the background is unknown; bright colors are not used.
  constexpr std::string_view level_colors[] = {"\x1b[2m", "", "\x1b[33m", "\x1b[31m"};
  const std::string time = local_time(entry.time, offset).substr(11, 12);
  const std::string content = std::string(level_column(entry.level)) + ' ' + escape_log_text(entry.text);
  if (!colors) return time + ' ' + content;
  const std::string_view color = level_colors[static_cast<int>(entry.level)];
  std::string line_text = "\x1b[2m" + time + "\x1b[0m ";
  line_text += color;
  line_text += color.empty() ? color_status(content, entry.json_fields) : content;
  return color.empty() ? line_text : line_text + "\x1b[0m";
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
