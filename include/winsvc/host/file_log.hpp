// The log file: appended to, rotated by size and, where that is wanted, by day, so many kept. `hello.log` is the newest,
// then `hello.1.log`, `hello.2.log`.
//
// Trouble with the file never reaches the service. Lines that cannot be written (the disk is full, somebody has locked
// the file) are counted, the file is tried again once a second, and the first line that can be written says how many are
// missing and why. A file that was deleted or moved is made anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// How the log file looks, and how much of it is kept.
struct log_file_options {
  log_format format = log_format::text;
  std::uint64_t bytes = 10 * 1024 * 1024;  ///< a file that would grow over it is set aside
  int kept = 5;                            ///< files in all, the current one included
  bool daily = false;                      ///< and so is one of another day, by the local time
};

namespace host {

class file_log final : public log_sink {
 public:
  /// `path` without its `.log`. `offset`: of the local time.
  file_log(std::string path, const log_file_options& options,
           std::function<std::chrono::minutes(clock::wall_point)> offset = os::utc_offset)
      : path_(std::move(path)), options_(options), offset_(std::move(offset)) {
    reopen();
  }
  explicit file_log(std::string path) : file_log(std::move(path), log_file_options{}) {}

  /// For lines from here on. From any thread.
  void options(const log_file_options& now) {
    const std::lock_guard lock(mutex_);
    options_ = now;
    full_at_ = now.bytes;
  }
  /// Called once whenever trouble begins, with the system's code, on the thread that writes. Set it before it is used.
  void on_trouble(std::function<void(std::uint32_t)> tell) { on_trouble_ = std::move(tell); }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Why the last line could not be written; 0: it could. From any thread.
  [[nodiscard]] std::uint32_t fault() const {
    const std::lock_guard lock(mutex_);
    return fault_;
  }

  void write(const log_entry& entry) noexcept override { write_all({entry}); }
  void write_all(const std::vector<log_entry>& entries) noexcept override {
    const std::lock_guard lock(mutex_);
    try {
      std::string lines;
      std::size_t count = 0;
      for (const auto& entry : entries) {
        const std::string line = formatted(entry) + '\n';
        if (is_over(entry, lines.size() + line.size())) {
          put(lines, count, entry.when);
          lines.clear();
          count = 0;
          if (file_.is_open() && file_.size() > 0) rotate();
          day_ = day_of(entry.when);
        }
        lines += line;
        ++count;
      }
      if (count != 0) put(lines, count, entries.back().when);
    } catch (...) {  // out of memory: the lines are lost, the service is not
      lost_ += entries.size();
    }
  }

 private:
  using steady = std::chrono::steady_clock;
  static constexpr std::chrono::seconds breath{1};  ///< between two looks at the path, and two attempts

  [[nodiscard]] std::string name(int age) const { return path_ + (age == 0 ? "" : "." + std::to_string(age)) + ".log"; }
  [[nodiscard]] std::string formatted(const log_entry& entry) {
    // The offset changes at quarters of an hour at most, and asking for it costs more than all the rest of the line.
    const auto quarter = std::chrono::floor<std::chrono::minutes>(entry.when).time_since_epoch().count() / 15;
    if (quarter != std::exchange(quarter_, quarter)) local_ = offset_(entry.when);
    return options_.format == log_format::json ? entry.json_line(local_) : entry.line(local_);
  }
  [[nodiscard]] std::int64_t day_of(clock::wall_point when) const {
    return std::chrono::floor<std::chrono::hours>(when + offset_(when)).time_since_epoch().count() / 24;
  }
  [[nodiscard]] bool is_over(const log_entry& entry, std::size_t with_it) const {
    const std::uint64_t size = file_.is_open() ? file_.size() : 0;
    return size + with_it > full_at_ || (options_.daily && day_of(entry.when) != day_);
  }

  void put(const std::string& lines, std::size_t count, clock::wall_point when);
  [[nodiscard]] log_entry losses(clock::wall_point when) const;
  void trouble(std::uint32_t code);
  void reopen();
  void rotate();

  const std::string path_;
  mutable std::mutex mutex_;
  log_file_options options_;
  std::function<std::chrono::minutes(clock::wall_point)> offset_;
  std::function<void(std::uint32_t)> on_trouble_;
  std::chrono::minutes local_{0};
  std::int64_t quarter_ = -1, day_ = 0;
  os::append_file file_;
  std::uint64_t full_at_ = options_.bytes;
  steady::time_point looked_at_{};
  std::uint32_t fault_ = 0;
  bool torn_ = false;  // the last line may be there in part
  std::uint64_t lost_ = 0;
  clock::wall_point lost_since_{};
};

// ---------------------------------------------------------------------------------------------------------------------

inline void file_log::put(const std::string& lines, std::size_t count, clock::wall_point when) {
  if (count == 0) return;
  const auto now = steady::now();
  if (now - looked_at_ >= breath) {
    looked_at_ = now;
    if (fault_ != 0 || !file_.is_at(name(0))) reopen();
  }
  if (file_.is_open()) {
    std::string before = torn_ ? "\n" : "";
    if (lost_ != 0) before += formatted(losses(when)) + '\n';
    if (file_.write(before.empty() ? lines : before + lines)) {
      torn_ = false;
      lost_ = 0;
      fault_ = 0;
      return;
    }
    const std::uint32_t code = os::calls::last_error();
    file_.close();
    torn_ = true;
    trouble(code);
  }
  if (lost_ == 0) lost_since_ = when;
  lost_ += count;
}

/// What is said of lines that could not be written, before the first that can.
inline log_entry file_log::losses(clock::wall_point when) const {
  return {when, log_level::warn,
          std::to_string(lost_) + " lines of the log could not be written since " +
              local_time(lost_since_, offset_(lost_since_)) + ": " + os::system_words(fault_)};
}

inline void file_log::trouble(std::uint32_t code) {
  const bool begins = fault_ == 0;
  fault_ = code == 0 ? 1 : code;
  if (begins && on_trouble_) on_trouble_(fault_);
}

inline void file_log::reopen() {
  file_.close();
  auto opened = os::append_file::open(name(0));
  if (!opened) return trouble(opened.error());
  file_ = std::move(*opened);
  if (file_.size() > 0) day_ = day_of(file_.written_last());
}

inline void file_log::rotate() {
  file_.close();
  // The current file first: if somebody holds it, the older ones stay where they are, and it grows a while longer.
  const std::string aside = path_ + ".aside.log";
  if (os::rename_file(name(0), aside)) {
    os::remove_file(name(options_.kept - 1));
    for (int age = options_.kept - 2; age >= 1; --age) os::rename_file(name(age), name(age + 1));
    if (options_.kept > 1) os::rename_file(aside, name(1));
    else os::remove_file(aside);
    reopen();
    full_at_ = options_.bytes;
  } else {
    reopen();
    full_at_ = file_.size() + options_.bytes / 10;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
