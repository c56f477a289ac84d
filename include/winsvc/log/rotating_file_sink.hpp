// Rotating file sink: appends to the log file, rotates it by size and by day, and keeps a fixed number of files.
// `hello.log` is the newest, then `hello.1.log`, `hello.2.log`.
//
// A write error never reaches the service: the sink counts the lost lines and tries the file again once per second. The
// first line after a success reports how many lines were lost, since when and why:
//
//   2026-01-31T09:05:09.250+01:00 WARN  37 lines were lost between 2026-01-31T09:04:51.002+01:00 and ...: they ...
//
// `flush` does the same without a line to write, so that the failure is reported even if the service logs nothing.
//
// If the disk is full, the sink first deletes its oldest files, except the newest rotated one. It locks its file: a
// second process with the same path writes to `hello-2.log` (up to `hello-9.log`), and its first line reports this.
//
// Lines are passed to the system without a flush to the disk: written lines survive a crash of the process, but may not
// survive a power failure.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/lost_lines.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/log/file_notices.hpp"
#include "winsvc/log/local_days.hpp"
#include "winsvc/log/log_files.hpp"
#include "winsvc/log/log_query.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::log {

/// Options until the app has run: nothing is rotated or deleted.
[[nodiscard]] log_file_options startup_log_options(log_format format);

class rotating_file_sink final : public log_sink {
 public:
  /// `path` is without `.log`.
  rotating_file_sink(std::string path, const log_file_options& options, const clock& time = clock::system(),
                     local_days::offset_function offset = &os::utc_offset);
  explicit rotating_file_sink(std::string path) : rotating_file_sink(std::move(path), log_file_options{}) {}

  /// Sets the options for later lines. Safe to call from any thread.
  void options(const log_file_options& new_options) {
    const std::lock_guard lock(options_mutex_);
    pending_options_ = new_options;
    has_pending_options_.store(true, std::memory_order_release);
  }
  /// Sets a callback for write errors: it receives the system's error code once when a failure begins, on the thread
  /// that writes. Set it before the first line. Its exceptions are ignored.
  void on_write_error(std::function<void(std::uint32_t)> notify) { on_write_error_ = std::move(notify); }

  void write(const log_entry& entry) noexcept override { write_entries(&entry, 1); }
  /// Writes the entries in one call, unless they go to different files.
  void write_batch(const std::vector<log_entry>& batch) noexcept override { write_entries(batch.data(), batch.size()); }
  /// Checks the file: opens a new one if another program moved or deleted it, and tries again after a write error.
  void flush() noexcept override;

  /// The system's error code of the current failure; 0 if writing works. Safe to call from any thread, as the next two.
  [[nodiscard]] std::uint32_t last_error() const noexcept { return last_error_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_open() const noexcept { return last_error() == 0; }
  /// True if another process has the log, so that this sink writes to a file with another name.
  [[nodiscard]] bool is_alternate() const noexcept { return is_alternate_.load(std::memory_order_relaxed); }
  /// The notice for an alternate file, with both names. Call it before the first line.
  [[nodiscard]] std::string alternate_notice() const {
    return "another process writes to " + log_file_name(requested_path_, 0) + "; this process writes to " + name(0);
  }
  /// Number of lines that could not be written since the sink was created.
  [[nodiscard]] std::uint64_t lost_count() const noexcept { return lost_.total(); }

 private:
  [[nodiscard]] std::string name(int age) const { return log_file_name(path_, age); }
  [[nodiscard]] std::uint64_t max_bytes() const noexcept {
    return options_.max_file_bytes != 0 ? options_.max_file_bytes : (std::numeric_limits<std::uint64_t>::max)();
  }

  void write_entries(const log_entry* first, std::size_t count) noexcept;
  void apply_pending_options();
  void detect_external_rename();
  bool open();
  os::sys_result<os::append_file> open_free_file();
  [[nodiscard]] std::optional<clock::system_time> time_of_last_line(const os::input_file& file) const;
  bool free_disk_space();
  bool number_pending() { return number_pending_rotation(path_, options_.max_files); }
  void rotate();
  void write_pending();
  std::size_t write_from(std::size_t first);
  void count_lost(std::uint64_t lines) noexcept;
  void handle_write_error(std::uint32_t code) noexcept;
  [[nodiscard]] std::string notice_line(log_level level, std::string text, std::string json_fields);
  [[nodiscard]] std::string format_entry(const log_entry& entry);

  const std::string requested_path_;
  std::string path_;  // requested_path_, or that of a free alternate log
  std::atomic<bool> is_alternate_{false};  // relaxed: it orders no other data
  log_file_options options_;
  std::mutex options_mutex_;  // guards pending_options_, which the writing thread applies before its next write
  log_file_options pending_options_;
  std::atomic<bool> has_pending_options_{false};  // a hint, so that a write without new options takes no lock
  std::function<void(std::uint32_t)> on_write_error_;
  const clock* time_;

  os::append_file file_;
  std::uint64_t rotate_at_bytes_ = max_bytes();
  local_days days_;
  bool day_has_begun_ = false;  // the lines of the file are of an earlier day: it must be rotated
  bool partial_line_ = false;   // the file ends in the middle of a line
  file_notices notices_;        // not reported yet
  clock::time_point next_check_;

  std::atomic<std::uint32_t> last_error_{0};  // relaxed: for `status`; only the writing thread changes it
  base::lost_line_counter lost_;
  clock::time_point retry_at_;

  std::string pending_text_;               // formatted entries that are not written yet
  std::vector<std::size_t> entry_ends_;    // end offset of each entry in pending_text_
  clock::system_time first_pending_time_, last_pending_time_;  // times of the pending entries
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

WINSVC_INLINE log_file_options startup_log_options(log_format format) {
  log_file_options options;
  options.max_file_bytes = (std::numeric_limits<std::uint64_t>::max)();
  options.max_files = (std::numeric_limits<int>::max)();
  options.format = format;
  return options;
}

WINSVC_INLINE rotating_file_sink::rotating_file_sink(std::string path, const log_file_options& options,
                                                     const clock& time, local_days::offset_function offset)
    : requested_path_(std::move(path)),
      path_(requested_path_),
      options_(options),
      time_(&time),
      days_(std::move(offset)) {
  open();
  number_pending();  // the previous run may have ended between two renames
  next_check_ = time_->now() + std::chrono::seconds(1);
}

WINSVC_INLINE void rotating_file_sink::write_entries(const log_entry* first, std::size_t count) noexcept {
  constexpr std::size_t max_write_bytes = 256 * 1024;  // a larger write is not faster and uses more memory
  std::size_t taken = 0;
  try {
    apply_pending_options();
    detect_external_rename();
    while (taken < count) {
      const log_entry& entry = first[taken];
      const std::string written = format_entry(entry);
      const std::uint64_t size = file_.size() + pending_text_.size();
      if (options_.daily && days_.begins_with(entry.time)) day_has_begun_ = true;
      if (file_.is_open() && size == 0) day_has_begun_ = false;
      if (file_.is_open() && size > 0 && (day_has_begun_ || size + written.size() > rotate_at_bytes_)) {
        write_pending();
        if (last_error() == 0) {
          rotate();
          day_has_begun_ = false;
        }
      }
      if (entry_ends_.empty()) first_pending_time_ = entry.time;
      last_pending_time_ = entry.time;
      pending_text_ += written;
      entry_ends_.push_back(pending_text_.size());
      ++taken;
      if (pending_text_.size() > max_write_bytes) write_pending();
    }
    write_pending();
  } catch (...) {  // out of memory: the lines are lost, the service continues
    if (entry_ends_.empty() && taken < count) first_pending_time_ = first[taken].time;
    if (count != 0) last_pending_time_ = first[count - 1].time;
    count_lost(entry_ends_.size() + (count - taken));
    pending_text_.clear();
    entry_ends_.clear();
  }
}

WINSVC_INLINE void rotating_file_sink::flush() noexcept {
  try {
    next_check_ = time_->now();
    detect_external_rename();
    if (last_error() == 0 || time_->now() < retry_at_ || !open()) return;
    first_pending_time_ = time_->system_now();
    if (!notices_.lost.empty()) write_from(0);  // only the notice: the disk may still be full
    if (notices_.lost.empty()) last_error_.store(0, std::memory_order_relaxed);
  } catch (...) {  // out of memory: the next line or flush tries again
  }
}

WINSVC_INLINE void rotating_file_sink::apply_pending_options() {
  if (!has_pending_options_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(options_mutex_);
  has_pending_options_.store(false, std::memory_order_relaxed);
  const bool was_daily = std::exchange(options_, pending_options_).daily;
  rotate_at_bytes_ = max_bytes();
  if (options_.daily && !was_daily && file_.is_open()) open();  // the day of the file was not needed before
}

/// Opens a new file if another program deleted or moved the current one (a cleaner, logrotate), and after an exception.
WINSVC_INLINE void rotating_file_sink::detect_external_rename() {
  if (last_error() != 0) return;
  if (!file_.is_open()) {  // there was no memory for open() or rotate()
    open();
    return;
  }
  const auto now = time_->now();
  if (now < next_check_) return;
  next_check_ = now + std::chrono::seconds(1);
  if (file_.is_file_at(name(0))) return;
  notices_.reopened = true;
  open();
}

/// Opens the file, or opens it again. Closes the handle first: on Windows the name of a deleted file stays in use until
/// then.
WINSVC_INLINE bool rotating_file_sink::open() {
  file_.close();
  partial_line_ = false;
  const std::string folder = os::folder_of(path_);
  auto opened = open_free_file();
  if (!opened && os::is_missing(opened.error()) && os::real_folder(os::folder_of(folder)) && os::make_folders(folder))
    opened = open_free_file();  // the folder of the log was deleted, but not its parent
  if (!opened) {
    handle_write_error(opened.error());
    return false;
  }
  file_ = std::move(*opened);
  rotate_at_bytes_ = max_bytes();
  if (file_.size() == 0) return true;

  // A file of a previous run may end in the middle of a line, and may be of another day.
  partial_line_ = true;  // if there is no memory to open it: an empty line is better than two lines in one
  const auto previous = os::input_file::open(name(0));
  partial_line_ = false;
  if (!previous) return true;
  char end = '\n', begin[80];
  if (previous->read(file_.size() - 1, &end, 1) == std::size_t{1}) partial_line_ = end != '\n';
  if (!options_.daily) return true;
  const std::size_t received = previous->read(0, begin, sizeof begin).value_or(0);
  const auto mark = log::parse_log_line(std::string_view(begin, received));
  static_cast<void>(days_.begins_with(mark ? mark->time : previous->modified()));
  if (const auto last = time_of_last_line(*previous)) static_cast<void>(days_.begins_with(*last));
  return true;
}

/// The time of the last complete line; nullopt if the last 4 KiB contain no line with a time.
WINSVC_INLINE std::optional<clock::system_time> rotating_file_sink::time_of_last_line(
    const os::input_file& file) const {
  char tail[4096];
  const std::uint64_t begin = file_.size() - (std::min)(file_.size(), std::uint64_t{sizeof tail});
  std::string_view text(tail, file.read(begin, tail, sizeof tail).value_or(0));
  while (!text.empty()) {
    text.remove_suffix(1);
    const auto line_end = text.rfind('\n');
    const auto mark = log::parse_log_line(text.substr(line_end == text.npos ? 0 : line_end + 1));
    if (mark) return mark->time;
    text = text.substr(0, line_end == text.npos ? 0 : line_end + 1);
  }
  return std::nullopt;
}

/// Opens the file and locks it. If another process has it, opens the first free one of `hello-2.log` to `hello-9.log`.
WINSVC_INLINE os::sys_result<os::append_file> rotating_file_sink::open_free_file() {
  constexpr int max_logs = 9;
  for (int number = 1; number <= max_logs; ++number) {
    path_ = requested_path_ + (number == 1 ? std::string() : '-' + std::to_string(number));
    auto opened = os::append_file::open(name(0));
    if (opened && !opened->try_lock()) continue;
    const bool is_alternate = number != 1;
    if (is_alternate_.exchange(is_alternate, std::memory_order_relaxed) != is_alternate)
      notices_.alternate_reported = false;
    return opened;
  }
  path_ = requested_path_;
  return os::sys_failure(os::file_in_use_error);
}

/// After a failure because the disk is full: deletes the oldest file of this log. The newest rotated file is kept,
/// because another program may fill the disk. False if no file can be deleted.
WINSVC_INLINE bool rotating_file_sink::free_disk_space() {
  if (!os::is_no_space_error(last_error()) || options_.max_files == startup_log_options({}).max_files) return false;
  if (!delete_oldest_log_file(path_)) return false;
  ++notices_.deleted_files;
  return true;
}

WINSVC_INLINE void rotating_file_sink::rotate() {
  file_.close();
  // Rename the current file first: if another program has it open, the older files keep their names and the current
  // file grows. It also grows if the previous rotated file has no number yet.
  const bool moved = number_pending() && os::rename_file(name(0), pending_rotation_name(path_));
  if (moved) number_pending();
  if (moved) {
    notices_.blocked_rotations = 0;
    notices_.blocked_rotation_reported = false;
  }
  if (!open() || moved) return;
  if (file_.size() == 0) {  // the file did not exist
    notices_.reopened = true;
    return;
  }
  ++notices_.blocked_rotations;
  rotate_at_bytes_ = options_.max_file_bytes != 0 ? file_.size() + options_.max_file_bytes / 10 : max_bytes();
}

/// Writes the pending entries, or counts them as lost.
WINSVC_INLINE void rotating_file_sink::write_pending() {
  if (entry_ends_.empty()) return;
  const bool was_working = last_error() == 0;
  std::size_t done = 0;
  if (was_working || time_->now() >= retry_at_) {
    if (was_working) done = write_from(0);
    // Try again with a new handle: a handle to a network share may have become invalid.
    if (done < entry_ends_.size() && open()) done += write_from(done);
    while (done < entry_ends_.size() && free_disk_space()) done += write_from(done);
  }
  if (done == entry_ends_.size()) last_error_.store(0, std::memory_order_relaxed);
  else count_lost(entry_ends_.size() - done);
  pending_text_.clear();
  entry_ends_.clear();
}

/// Writes the pending entries from index `first` on, after the notices. Returns the number of entries written
/// completely.
WINSVC_INLINE std::size_t rotating_file_sink::write_from(std::size_t first) {
  std::string head = partial_line_ ? "\n" : "";
  const auto format_time = [this](clock::system_time time) { return local_time(time, days_.utc_offset(time)); };
  notices_.for_each(is_alternate() ? alternate_notice() : std::string(), format_time,
                    [&](log_level level, std::string text, std::string json_fields) {
                      head += notice_line(level, std::move(text), std::move(json_fields));
                    });
  const std::size_t begin = first == 0 ? 0 : entry_ends_[first - 1];
  const std::string joined = head.empty() ? std::string() : head + pending_text_.substr(begin);
  const std::string_view out = head.empty() ? std::string_view(pending_text_).substr(begin) : joined;

  const std::uint64_t before = file_.size();
  const auto result = file_.write(out);
  const auto written = static_cast<std::size_t>(file_.size() - before);
  if (!result) handle_write_error(result.error());
  if (written != 0) partial_line_ = out[written - 1] != '\n';
  if (written >= head.size()) notices_.mark_reported(is_alternate());
  std::size_t complete = 0;
  while (first + complete < entry_ends_.size() && entry_ends_[first + complete] - begin + head.size() <= written)
    ++complete;
  return complete;
}

WINSVC_INLINE void rotating_file_sink::count_lost(std::uint64_t lines) noexcept {
  if (notices_.lost.empty()) notices_.lost_error = last_error();
  notices_.lost.add(lines, first_pending_time_, last_pending_time_);
  lost_.add(lines);
}

WINSVC_INLINE void rotating_file_sink::handle_write_error(std::uint32_t code) noexcept {
  const bool begins = last_error_.exchange(code, std::memory_order_relaxed) == 0;
  if (begins && on_write_error_) base::attempt([&] { on_write_error_(code); });
  retry_at_ = time_->now() + std::chrono::seconds(1);
}

/// Formats a line of the sink itself with the time of the first pending entry.
WINSVC_INLINE std::string rotating_file_sink::notice_line(log_level level, std::string text,
                                                           std::string json_fields) {
  return format_entry({first_pending_time_, level, std::move(text), std::move(json_fields)});
}

WINSVC_INLINE std::string rotating_file_sink::format_entry(const log_entry& entry) {
  const std::chrono::minutes offset = days_.utc_offset(entry.time);
  return (options_.format == log_format::json ? entry.json_line(offset) : entry.line(offset)) + '\n';
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
