// A folder with log files, a manual clock, and the lines that a rotating file sink writes, for the tests of log/.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "winsvc/log/rotating_file_sink.hpp"

namespace log_test {

using winsvc::log_format;
using winsvc::log_level;
using winsvc::log_file_options;
using winsvc::detail::log::log_file_name;
using winsvc::detail::log::rotating_file_sink;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct folder {
  fs::path path;
  folder() : path(fs::temp_directory_path() / ("winsvc-file-log-" + std::to_string(winsvc::detail::os::process_id()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string operator/(const char* name) const { return (path / name).string(); }
  void append(const char* name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary | std::ios::app) << text;
  }
  std::string read(const char* name) const { return winsvc::detail::os::read_file(*this / name).value_or("(none)"); }
  int files() const {
    int count = 0;
    for ([[maybe_unused]] const auto& file : fs::directory_iterator(path)) ++count;
    return count;
  }
};

class manual_clock final : public winsvc::clock {
 public:
  [[nodiscard]] time_point now() const noexcept override { return now_; }
  void sleep(duration d) override { now_ += d; }

 private:
  time_point now_{1h};
};

constexpr std::chrono::minutes utc(winsvc::clock::system_time) { return 0min; }

/// Options with rotation by day.
inline log_file_options daily(log_format format = log_format::text) {
  log_file_options options;
  options.daily = true;
  options.format = format;
  return options;
}

/// A log with a manual clock and UTC times.
struct test_log {
  manual_clock time;
  rotating_file_sink sink;
  explicit test_log(std::string path, const log_file_options& options = {})
      : sink(std::move(path), options, time, &utc) {}
  void write(const winsvc::log_entry& entry) { sink.write(entry); }
};

inline winsvc::clock::system_time time_at(std::chrono::seconds since_1970) {
  return winsvc::clock::system_time(std::chrono::duration_cast<winsvc::clock::system_time::duration>(since_1970));
}
inline winsvc::log_entry entry(std::string text, std::chrono::seconds time = 0s) {
  return {time_at(time), log_level::info, std::move(text)};
}
/// Formats a line of the file: 36 characters of time and level, the text, and a line end.
inline std::string line(const std::string& text) { return "1970-01-01T00:00:00.000+00:00 INFO  " + text + '\n'; }
/// Formats a notice of the sink itself.
inline std::string notice(const std::string& text, const std::string& level = "WARN ") {
  return "1970-01-01T00:00:00.000+00:00 " + level + ' ' + text + '\n';
}
inline const std::string at_0 = "at 1970-01-01T00:00:00.000+00:00";
/// Formats the notice of lost lines.
inline std::string lost_notice(const std::string& lines, std::uint32_t code) {
  return notice(lines + ": they could not be written: " + winsvc::detail::os::system_error_message(code));
}
inline const std::string reopened =
    notice("the log file was moved or deleted by another program; this is a new file", "INFO ");

}  // namespace log_test
