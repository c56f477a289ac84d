// The log file: appended to, set aside by size and by day, so many kept. `hello.log` is the newest, then `hello.1.log`,
// `hello.2.log`.
//
// Trouble with the file never reaches the service: it goes on, the lines are counted, and once a second the file is
// tried again. When it takes lines again, the first says how many are missing, since when and why:
//
//   2026-01-31T09:05:09.250+01:00 WARN  37 lines could not be written since 2026-01-31T09:04:51.002+01:00: No space ...
//
// Lines are handed to the system, not to the platter: a crash loses none that was written, a power cut may.
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

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/log/log_query.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace host {

/// Where a service's log is, without `.log`.
[[nodiscard]] std::string log_path(const std::string& data_folder, const std::string& service_name);

/// Its files, the newest first: `hello.log`, `hello.1.log`, ...
[[nodiscard]] std::string log_file_name(const std::string& path, int age);

/// What was set aside and has no number yet, because somebody holds one of those that have.
[[nodiscard]] std::string pending_rotation_name(const std::string& path);

/// Until the app has said how much is kept: nothing is set aside, and nothing taken away.
[[nodiscard]] log_file_options startup_log_options(log_format format);

class rotating_file_sink final : public log_sink {
 public:
  using offset_of = std::function<std::chrono::minutes(clock::system_time)>;

  /// `path` without its `.log`.
  rotating_file_sink(std::string path, const log_file_options& options, const clock& time = clock::system(),
           offset_of offset = &os::utc_offset);
  explicit rotating_file_sink(std::string path) : rotating_file_sink(std::move(path), log_file_options{}) {}

  /// For lines from here on. From any thread.
  void options(const log_file_options& now) {
    const std::lock_guard lock(options_mutex_);
    pending_options_ = now;
    has_pending_options_.store(true, std::memory_order_release);
  }
  /// Called when trouble begins, once however long it lasts, with the system's code, by the thread that writes. Set it
  /// before the first line.
  void on_write_error(std::function<void(std::uint32_t)> notify) { on_write_error_ = std::move(notify); }

  void write(const log_entry& entry) noexcept override { write_entries(&entry, 1); }
  /// As one write, where they go to one file.
  void write_batch(const std::vector<log_entry>& batch) noexcept override { write_entries(batch.data(), batch.size()); }

  /// Why nothing can be written, as the system's code; 0 where all is well. From any thread, like the next.
  [[nodiscard]] std::uint32_t last_error() const noexcept { return last_error_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_open() const noexcept { return last_error() == 0; }
  /// Lines that could not be written, since the beginning.
  [[nodiscard]] std::uint64_t lost_count() const noexcept { return lost_total_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::string name(int age) const { return log_file_name(path_, age); }
  [[nodiscard]] std::string pending_rotation_path() const { return pending_rotation_name(path_); }
  [[nodiscard]] std::uint64_t max_bytes() const noexcept {
    return options_.max_file_bytes != 0 ? options_.max_file_bytes : (std::numeric_limits<std::uint64_t>::max)();
  }

  void write_entries(const log_entry* first, std::size_t count) noexcept;
  void apply_pending_options();
  void detect_external_rename();
  bool open();
  bool rotate_files();
  void rotate(std::int64_t today);
  void write_pending();
  std::size_t write_from(std::size_t first);
  void count_lost(std::uint64_t lines) noexcept;
  void handle_write_error(std::uint32_t code) noexcept;
  [[nodiscard]] std::string notice_line(log_level level, std::string text) const;
  [[nodiscard]] std::string format_entry(const log_entry& entry) const;
  [[nodiscard]] std::chrono::minutes utc_offset_at(clock::system_time time) const;
  [[nodiscard]] std::int64_t day_of(clock::system_time time) const;

  std::string path_;
  log_file_options options_;
  std::mutex options_mutex_;  // of what the thread that writes takes when it comes to it
  log_file_options pending_options_;
  std::atomic<bool> has_pending_options_{false};
  std::function<void(std::uint32_t)> on_write_error_;
  const clock* time_;
  offset_of offset_;
  mutable std::int64_t offset_quarter_ = INT64_MIN;  // of an hour, since 1970: the last that was asked for
  mutable std::chrono::minutes cached_offset_{0};

  os::append_file file_;
  std::uint64_t rotate_at_bytes_ = max_bytes();
  std::optional<std::int64_t> first_entry_day_;  // on which its first entry was written; none: it is empty
  std::int64_t last_entry_day_ = 0;           // that of the last entry on its way
  bool partial_line_ = false;                // it ends in the middle of a line
  bool reopened_ = false;             // somebody took the one before it away, which is yet to be said
  int blocked_rotations_ = 0;                     // how often it could not be set aside since it was full, and
  bool blocked_rotation_reported_ = false;           // that was said
  clock::time_point next_check_;

  // Relaxed: numbers for `status`. Only the thread that writes changes them.
  std::atomic<std::uint32_t> last_error_{0};
  std::atomic<std::uint64_t> lost_total_{0};
  std::uint64_t unreported_lost_ = 0;  // of these, what is yet to be said
  std::uint32_t lost_error_ = 0;  // 0: there was no memory for them
  clock::system_time first_lost_time_;
  clock::time_point retry_at_;

  std::string pending_text_;               // lines on their way
  std::vector<std::size_t> entry_ends_;  // of entries in it
  clock::system_time first_pending_time_;        // when the first of them was logged
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string log_path(const std::string& data_folder, const std::string& service_name) {
  return os::path_join(os::path_join(data_folder, "logs"), model::folder_name(service_name));
}
WINSVC_INLINE std::string log_file_name(const std::string& path, int age) {
  return path + (age == 0 ? "" : "." + std::to_string(age)) + ".log";
}
WINSVC_INLINE std::string pending_rotation_name(const std::string& path) { return path + ".aside.log"; }
WINSVC_INLINE log_file_options startup_log_options(log_format format) {
  log_file_options all;
  all.max_file_bytes = (std::numeric_limits<std::uint64_t>::max)();
  all.max_files = (std::numeric_limits<int>::max)();
  all.format = format;
  return all;
}

WINSVC_INLINE rotating_file_sink::rotating_file_sink(std::string path, const log_file_options& options, const clock& time, offset_of offset) : path_(std::move(path)), options_(options), time_(&time), offset_(std::move(offset)) {
  rotate_files();  // a run may have ended between the two renames
  open();
  next_check_ = time_->now() + std::chrono::seconds(1);
}

WINSVC_INLINE void rotating_file_sink::write_entries(const log_entry* first, std::size_t count) noexcept {
  constexpr std::size_t enough = 256 * 1024;  // for one write: more saves nothing, and is memory
  std::size_t taken = 0;
  try {
    apply_pending_options();
    detect_external_rename();
    while (taken < count) {
      const log_entry& entry = first[taken];
      const std::string written = format_entry(entry);
      const std::uint64_t size = file_.size() + pending_text_.size();
      const std::int64_t today = options_.daily ? day_of(entry.time) : 0;
      const bool other_day = size > 0 && today != (entry_ends_.empty() ? first_entry_day_.value_or(today) : last_entry_day_);
      if (file_.is_open() && size > 0 && (other_day || size + written.size() > rotate_at_bytes_)) {
        write_pending();
        if (last_error() == 0) rotate(today);
      }
      last_entry_day_ = today;
      if (entry_ends_.empty()) first_pending_time_ = entry.time;
      pending_text_ += written;
      entry_ends_.push_back(pending_text_.size());
      ++taken;
      if (pending_text_.size() > enough) write_pending();
    }
    write_pending();
  } catch (...) {  // out of memory: the lines are lost, the service is not
    if (entry_ends_.empty() && taken < count) first_pending_time_ = first[taken].time;
    count_lost(entry_ends_.size() + (count - taken));
    pending_text_.clear();
    entry_ends_.clear();
  }
}

WINSVC_INLINE void rotating_file_sink::apply_pending_options() {
  if (!has_pending_options_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(options_mutex_);
  has_pending_options_.store(false, std::memory_order_relaxed);
  const bool was_daily = std::exchange(options_, pending_options_).daily;
  rotate_at_bytes_ = max_bytes();
  if (options_.daily && !was_daily && file_.is_open()) open();  // of which day the file is was of no interest before
}

/// Somebody may delete it or move it away (a cleaner, logrotate): what we wrote then would be read by nobody.
WINSVC_INLINE void rotating_file_sink::detect_external_rename() {
  if (!file_.is_open() || last_error() != 0) return;
  const auto now = time_->now();
  if (now < next_check_) return;
  next_check_ = now + std::chrono::seconds(1);
  if (file_.is_file_at(name(0))) return;
  reopened_ = true;
  open();
}

/// Opens it, maybe anew. The handle goes first: on Windows the name of a deleted file is not free while it is open.
WINSVC_INLINE bool rotating_file_sink::open() {
  file_.close();
  first_entry_day_.reset();
  partial_line_ = false;
  auto opened = os::append_file::open(name(0));
  const std::string folder = os::folder_of(path_);
  if (!opened && os::is_missing(opened.error()) && os::real_folder(os::folder_of(folder)) && os::make_folders(folder))
    opened = os::append_file::open(name(0));  // somebody has taken the log's folder away, and not the one that it is in
  if (!opened) {
    handle_write_error(opened.error());
    return false;
  }
  file_ = std::move(*opened);
  rotate_at_bytes_ = max_bytes();
  if (file_.size() == 0) return true;

  // What an earlier run left: its last line may be half a line, and its day another.
  const auto left = os::input_file::open(name(0));
  if (!left) return true;
  char end = '\n', begin[80];
  if (left->read(file_.size() - 1, &end, 1) == std::size_t{1}) partial_line_ = end != '\n';
  const std::size_t received = left->read(0, begin, sizeof begin).value_or(0);
  const auto mark = model::parse_log_line(std::string_view(begin, received));
  first_entry_day_ = options_.daily ? day_of(mark ? mark->time : left->modified()) : 0;
  return true;
}

/// Gives the file that was set aside its name, and the older ones each the next: from the first name that is free, so
/// that a second attempt after half a one takes nothing away. False while somebody holds one of them (on Windows).
WINSVC_INLINE bool rotating_file_sink::rotate_files() {
  if (!os::file_id_of(pending_rotation_path())) return true;
  int free = 1;
  while (free < options_.max_files && os::file_id_of(name(free))) ++free;
  if (free >= options_.max_files) --free;
  for (int age = (std::max)(options_.max_files, 1); os::remove_file(name(age)); ++age) {}  // of a time when more were kept
  if (free < 1) return os::remove_file(pending_rotation_path());  // one file is kept, and that is another
  if (free == options_.max_files - 1 && os::file_id_of(name(free)) && !os::remove_file(name(free))) return false;
  for (int age = free; age > 1; --age) {
    if (!os::rename_file(name(age - 1), name(age))) return false;
  }
  return os::rename_file(pending_rotation_path(), name(1));
}

WINSVC_INLINE void rotating_file_sink::rotate(std::int64_t today) {
  file_.close();
  // The current file first: if somebody holds it, the older ones stay where they are, and it grows a while longer. It
  // does as well while what was set aside before has no name yet, because somebody holds one of those.
  const bool moved = rotate_files() && os::rename_file(name(0), pending_rotation_path());
  if (moved) rotate_files();
  if (moved) blocked_rotations_ = 0, blocked_rotation_reported_ = false;
  if (!open() || moved) return;
  if (file_.size() == 0) {  // there was nothing to move
    reopened_ = true;
    return;
  }
  ++blocked_rotations_;
  rotate_at_bytes_ = file_.size() + options_.max_file_bytes / 10;
  first_entry_day_ = today;  // or every line would try it again
}

/// Writes the lines that are on their way, or counts them.
WINSVC_INLINE void rotating_file_sink::write_pending() {
  if (entry_ends_.empty()) return;
  const bool well = last_error() == 0;
  std::size_t done = 0;
  if (well || time_->now() >= retry_at_) {
    if (well) done = write_from(0);
    // Once more on a file opened anew: a handle may have gone stale, on a share that was away for a while.
    if (done < entry_ends_.size() && open()) done += write_from(done);
  }
  if (!first_entry_day_ && done != 0) first_entry_day_ = last_entry_day_;
  if (done == entry_ends_.size()) last_error_.store(0, std::memory_order_relaxed);
  else count_lost(entry_ends_.size() - done);
  pending_text_.clear();
  entry_ends_.clear();
}

/// Writes the entries on their way from one on, and what there is to say before them. How many are in the file whole.
WINSVC_INLINE std::size_t rotating_file_sink::write_from(std::size_t first) {
  std::string head = partial_line_ ? "\n" : "";
  if (reopened_) head += notice_line(log_level::info, "the log file was moved or deleted by somebody else: this one is new");
  const bool says_held = blocked_rotations_ > 1 && !blocked_rotation_reported_;  // once may be somebody who reads it
  if (says_held) {
    head += notice_line(log_level::warn, "the log file cannot be set aside: somebody holds it, or an older one, or its folder "
                                   "cannot be changed; it grows until it can");
  }
  if (unreported_lost_ != 0) {
    head += notice_line(log_level::warn, std::to_string(unreported_lost_) + (unreported_lost_ == 1 ? " line" : " lines") +
                                       " could not be written since " +
                                       local_time(first_lost_time_, utc_offset_at(first_lost_time_)) +
                                       (lost_error_ != 0 ? ": " + os::system_error_message(lost_error_) : std::string()));
  }
  const std::size_t begin = first == 0 ? 0 : entry_ends_[first - 1];
  const std::string joined = head.empty() ? std::string() : head + pending_text_.substr(begin);
  const std::string_view out = head.empty() ? std::string_view(pending_text_).substr(begin) : joined;

  const std::uint64_t before = file_.size();
  const auto result = file_.write(out);
  const auto written = static_cast<std::size_t>(file_.size() - before);
  if (!result) handle_write_error(result.error());
  if (written != 0) partial_line_ = out[written - 1] != '\n';
  if (written >= head.size()) {
    unreported_lost_ = 0;
    reopened_ = false;
    blocked_rotation_reported_ = blocked_rotation_reported_ || says_held;
  }
  std::size_t whole = 0;
  while (first + whole < entry_ends_.size() && entry_ends_[first + whole] - begin + head.size() <= written) ++whole;
  return whole;
}

WINSVC_INLINE void rotating_file_sink::count_lost(std::uint64_t lines) noexcept {
  if (unreported_lost_ == 0) {
    lost_error_ = last_error();
    first_lost_time_ = first_pending_time_;
  }
  unreported_lost_ += lines;
  lost_total_.fetch_add(lines, std::memory_order_relaxed);
}

WINSVC_INLINE void rotating_file_sink::handle_write_error(std::uint32_t code) noexcept {
  const bool begins = last_error_.exchange(code, std::memory_order_relaxed) == 0;
  if (begins && on_write_error_) on_write_error_(code);
  retry_at_ = time_->now() + std::chrono::seconds(1);
}

/// A line of our own among those on their way, at the time of the first.
WINSVC_INLINE std::string rotating_file_sink::notice_line(log_level level, std::string text) const {
  return format_entry({first_pending_time_, level, std::move(text)});
}

WINSVC_INLINE std::string rotating_file_sink::format_entry(const log_entry& entry) const {
  const std::chrono::minutes offset = utc_offset_at(entry.time);
  return (options_.format == log_format::json ? entry.json_line(offset) : entry.line(offset)) + '\n';
}

/// Asked of the system once a quarter of an hour, between which it does not change: it takes as long as all the rest of
/// a line.
WINSVC_INLINE std::chrono::minutes rotating_file_sink::utc_offset_at(clock::system_time time) const {
  using quarters = std::chrono::duration<std::int64_t, std::ratio<900>>;
  const std::int64_t quarter = std::chrono::floor<quarters>(time.time_since_epoch()).count();
  if (quarter != offset_quarter_) {
    cached_offset_ = offset_(time);
    offset_quarter_ = quarter;
  }
  return cached_offset_;
}

WINSVC_INLINE std::int64_t rotating_file_sink::day_of(clock::system_time time) const {
  using days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
  return std::chrono::floor<days>(time.time_since_epoch() + utc_offset_at(time)).count();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
