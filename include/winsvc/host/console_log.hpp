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
#include "winsvc/base/patient_mutex.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Without a line end. The text itself never brings a colour: log_text sees to that.
[[nodiscard]] std::string console_line(const log_entry& entry, std::chrono::minutes offset, bool colours);

class console_log final : public log_sink {
 public:
  void write(const log_entry& entry) noexcept override {
    try {
      say(line(entry));
    } catch (...) {  // out of memory: the line is lost
    }
  }
  void write_batch(const std::vector<log_entry>& batch) noexcept override {
    try {
      std::string all;
      for (const auto& entry : batch) all += line(entry);
      say(all);
    } catch (...) {
    }
  }
  /// Whole lines, above the one at the bottom. From any thread.
  void say(const std::string& lines) {
    const patient_mutex::hold hold(mutex_, std::chrono::hours(24));
    os::write_err(bottom_.empty() ? lines : std::string(gone) + lines + bottom_);
  }
  /// What stands at the bottom from here on, where this is a terminal that can take it away again; "": nothing. One that
  /// takes nothing (Ctrl-S, or a window that hangs) is not waited for.
  void bottom(const std::string& text) {
    if (!colours_.on()) return;  // it knows the escapes that this takes
    const patient_mutex::hold hold(mutex_, std::chrono::milliseconds(100));
    if (!hold || text == bottom_ || !os::err_takes_output()) return;
    os::write_err(std::string(gone) + text);
    bottom_ = text;
  }

 private:
  [[nodiscard]] std::string line(const log_entry& entry) const {
    const std::chrono::minutes offset = os::utc_offset(entry.when);
    return (terminal_ ? console_line(entry, offset, colours_.on()) : entry.line(offset)) + '\n';
  }

  static constexpr const char* gone = "\r\x1b[K";  // to its beginning, and nothing behind
  patient_mutex mutex_;
  std::string bottom_;
  bool terminal_ = os::err_is_terminal();
  os::err_colours colours_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string console_line(const log_entry& entry, std::chrono::minutes offset, bool colours) {
  // The default colour for info, because nobody knows what is readable on this screen; bright ones are not used.
  constexpr std::string_view of_level[] = {"\x1b[2m", "", "\x1b[33m", "\x1b[31m"};
  const std::string time = local_time(entry.when, offset).substr(11, 12);
  const std::string rest = std::string(column(entry.level)) + ' ' + log_text(entry.text);
  if (!colours) return time + ' ' + rest;
  const std::string_view colour = of_level[static_cast<int>(entry.level)];
  std::string out = "\x1b[2m" + time + "\x1b[0m ";
  out += colour;
  out += rest;
  return colour.empty() ? out : out + "\x1b[0m";
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
