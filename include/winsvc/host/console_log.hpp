// The log on a screen: the time of day, the level in colour where the screen has some, the text.
//
//   09:05:09.250 WARN  too many connections are open
//
// NO_COLOR in the environment, whatever it says, switches colours off.
#pragma once

#include <string>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Without the date and the zone: whoever looks at it knows both.
[[nodiscard]] inline std::string screen_line(const log_entry& entry, std::chrono::minutes offset, bool coloured) {
  constexpr std::size_t time_at = 11, time_ends = 23, level_at = 30;  // of 2026-01-31T09:05:09.250+01:00 INFO  text
  const std::string line = entry.line(offset);
  const std::string time = line.substr(time_at, time_ends - time_at), level = line.substr(level_at, 5);
  const std::string rest = line.substr(level_at + 5);
  if (!coloured) return time + ' ' + level + rest;
  constexpr const char* colours[] = {"\x1B[90m", "\x1B[32m", "\x1B[33m", "\x1B[31m"};  // grey, green, yellow, red
  constexpr const char* plain = "\x1B[0m";
  return "\x1B[90m" + time + plain + ' ' + colours[static_cast<int>(entry.level)] + level + plain + rest;
}

/// On standard error.
class console_log final : public log_sink {
 public:
  void write(const log_entry& entry) noexcept override {
    try {
      os::write_err(screen_line(entry, os::utc_offset(entry.when), coloured_) + '\n');
    } catch (...) {  // out of memory: the line is lost
    }
  }

 private:
  bool coloured_ = !os::environment_variable("NO_COLOR") && os::err_shows_colour();
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
