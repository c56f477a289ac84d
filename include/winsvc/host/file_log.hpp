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
#include "winsvc/model/log_query.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace host {

/// Where a service's log is, without `.log`.
[[nodiscard]] inline std::string log_path(const std::string& data_folder, const std::string& service_name) {
  return os::path_join(os::path_join(data_folder, "logs"), model::folder_name(service_name));
}

/// Its files, the newest first: `hello.log`, `hello.1.log`, ...
[[nodiscard]] inline std::string log_name(const std::string& path, int age) {
  return path + (age == 0 ? "" : "." + std::to_string(age)) + ".log";
}

/// What was set aside and has no number yet, because somebody holds one of those that have.
[[nodiscard]] inline std::string log_aside(const std::string& path) { return path + ".aside.log"; }

/// Until the app has said how much is kept: nothing is set aside, and nothing taken away.
[[nodiscard]] inline log_file_options provisional_log(log_format format) {
  log_file_options all;
  all.bytes = (std::numeric_limits<std::uint64_t>::max)();
  all.kept = (std::numeric_limits<int>::max)();
  all.format = format;
  return all;
}

class file_log final : public log_sink {
 public:
  using offset_of = std::function<std::chrono::minutes(clock::wall_point)>;

  /// `path` without its `.log`.
  file_log(std::string path, const log_file_options& options, const clock& time = clock::system(),
           offset_of offset = &os::utc_offset);
  explicit file_log(std::string path) : file_log(std::move(path), log_file_options{}) {}

  /// For lines from here on. From any thread.
  void options(const log_file_options& now) {
    const std::lock_guard lock(next_mutex_);
    next_ = now;
    has_next_.store(true, std::memory_order_release);
  }
  /// Called when trouble begins, once however long it lasts, with the system's code, by the thread that writes. Set it
  /// before the first line.
  void on_trouble(std::function<void(std::uint32_t)> tell) { on_trouble_ = std::move(tell); }

  void write(const log_entry& entry) noexcept override { write_run(&entry, 1); }
  /// As one write, where they go to one file.
  void write_batch(const std::vector<log_entry>& batch) noexcept override { write_run(batch.data(), batch.size()); }

  /// Why nothing can be written, as the system's code; 0 where all is well. From any thread, like the next.
  [[nodiscard]] std::uint32_t fault() const noexcept { return fault_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_open() const noexcept { return fault() == 0; }
  /// Lines that could not be written, since the beginning.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_in_all_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::string name(int age) const { return log_name(path_, age); }
  [[nodiscard]] std::string aside() const { return log_aside(path_); }
  [[nodiscard]] std::uint64_t limit() const noexcept {
    return options_.bytes != 0 ? options_.bytes : (std::numeric_limits<std::uint64_t>::max)();
  }

  void write_run(const log_entry* first, std::size_t count) noexcept;
  void take_options();
  void watch_file();
  bool open();
  bool make_room();
  void set_aside(std::int64_t today);
  void put();
  std::size_t write_from(std::size_t first);
  void lose(std::uint64_t lines) noexcept;
  void failed(std::uint32_t code) noexcept;
  [[nodiscard]] std::string words(log_level level, std::string text) const;
  [[nodiscard]] std::string line(const log_entry& entry) const;
  [[nodiscard]] std::chrono::minutes offset_at(clock::wall_point when) const;
  [[nodiscard]] std::int64_t day_of(clock::wall_point when) const;

  std::string path_;
  log_file_options options_;
  std::mutex next_mutex_;  // of what the thread that writes takes when it comes to it
  log_file_options next_;
  std::atomic<bool> has_next_{false};
  std::function<void(std::uint32_t)> on_trouble_;
  const clock* time_;
  offset_of offset_;
  mutable std::int64_t quarter_ = INT64_MIN;  // of an hour, since 1970: the last that was asked for
  mutable std::chrono::minutes offset_then_{0};

  os::append_file file_;
  std::uint64_t full_at_ = limit();
  std::optional<std::int64_t> day_;  // on which its first entry was written; none: it is empty
  std::int64_t today_ = 0;           // that of the last entry on its way
  bool torn_ = false;                // it ends in the middle of a line
  bool renewed_ = false;             // somebody took the one before it away, which is yet to be said
  int held_ = 0;                     // how often it could not be set aside since it was full, and
  bool held_said_ = false;           // that was said
  clock::time_point look_at_;

  // Relaxed: numbers for `status`. Only the thread that writes changes them.
  std::atomic<std::uint32_t> fault_{0};
  std::atomic<std::uint64_t> lost_in_all_{0};
  std::uint64_t lost_ = 0;  // of these, what is yet to be said
  std::uint32_t lost_why_ = 0;  // 0: there was no memory for them
  clock::wall_point lost_since_;
  clock::time_point retry_at_;

  std::string text_;               // lines on their way
  std::vector<std::size_t> ends_;  // of entries in it
  clock::wall_point first_;        // when the first of them was logged
};

// ---------------------------------------------------------------------------------------------------------------------

inline file_log::file_log(std::string path, const log_file_options& options, const clock& time, offset_of offset)
    : path_(std::move(path)), options_(options), time_(&time), offset_(std::move(offset)) {
  make_room();  // a run may have ended between the two renames
  open();
  look_at_ = time_->now() + std::chrono::seconds(1);
}

inline void file_log::write_run(const log_entry* first, std::size_t count) noexcept {
  constexpr std::size_t enough = 256 * 1024;  // for one write: more saves nothing, and is memory
  std::size_t taken = 0;
  try {
    take_options();
    watch_file();
    while (taken < count) {
      const log_entry& entry = first[taken];
      const std::string written = line(entry);
      const std::uint64_t size = file_.size() + text_.size();
      const std::int64_t today = options_.daily ? day_of(entry.when) : 0;
      const bool other_day = size > 0 && today != (ends_.empty() ? day_.value_or(today) : today_);
      if (file_.is_open() && size > 0 && (other_day || size + written.size() > full_at_)) {
        put();
        if (fault() == 0) set_aside(today);
      }
      today_ = today;
      if (ends_.empty()) first_ = entry.when;
      text_ += written;
      ends_.push_back(text_.size());
      ++taken;
      if (text_.size() > enough) put();
    }
    put();
  } catch (...) {  // out of memory: the lines are lost, the service is not
    if (ends_.empty() && taken < count) first_ = first[taken].when;
    lose(ends_.size() + (count - taken));
    text_.clear();
    ends_.clear();
  }
}

inline void file_log::take_options() {
  if (!has_next_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(next_mutex_);
  has_next_.store(false, std::memory_order_relaxed);
  const bool was_daily = std::exchange(options_, next_).daily;
  full_at_ = limit();
  if (options_.daily && !was_daily && file_.is_open()) open();  // of which day the file is was of no interest before
}

/// Somebody may delete it or move it away (a cleaner, logrotate): what we wrote then would be read by nobody.
inline void file_log::watch_file() {
  if (!file_.is_open() || fault() != 0) return;
  const auto now = time_->now();
  if (now < look_at_) return;
  look_at_ = now + std::chrono::seconds(1);
  if (file_.is_at(name(0))) return;
  renewed_ = true;
  open();
}

/// Opens it, maybe anew. The handle goes first: on Windows the name of a deleted file is not free while it is open.
inline bool file_log::open() {
  file_.close();
  day_.reset();
  torn_ = false;
  auto opened = os::append_file::open(name(0));
  const std::string folder = os::folder_of(path_);
  if (!opened && os::is_missing(opened.error()) && os::real_folder(os::folder_of(folder)) && os::make_folders(folder))
    opened = os::append_file::open(name(0));  // somebody has taken the log's folder away, and not the one that it is in
  if (!opened) {
    failed(opened.error());
    return false;
  }
  file_ = std::move(*opened);
  full_at_ = limit();
  if (file_.size() == 0) return true;

  // What an earlier run left: its last line may be half a line, and its day another.
  const auto left = os::source_file::open(name(0));
  if (!left) return true;
  char end = '\n', begin[80];
  if (left->read(file_.size() - 1, &end, 1) == std::size_t{1}) torn_ = end != '\n';
  const std::size_t got = left->read(0, begin, sizeof begin).value_or(0);
  const auto mark = model::read_log_line(std::string_view(begin, got));
  day_ = options_.daily ? day_of(mark ? mark->when : left->modified()) : 0;
  return true;
}

/// Gives the file that was set aside its name, and the older ones each the next: from the first name that is free, so
/// that a second attempt after half a one takes nothing away. False while somebody holds one of them (on Windows).
inline bool file_log::make_room() {
  if (!os::id_of(aside())) return true;
  int free = 1;
  while (free < options_.kept && os::id_of(name(free))) ++free;
  if (free >= options_.kept) --free;
  for (int age = (std::max)(options_.kept, 1); os::remove_file(name(age)); ++age) {}  // of a time when more were kept
  if (free < 1) return os::remove_file(aside());  // one file is kept, and that is another
  if (free == options_.kept - 1 && os::id_of(name(free)) && !os::remove_file(name(free))) return false;
  for (int age = free; age > 1; --age) {
    if (!os::rename_file(name(age - 1), name(age))) return false;
  }
  return os::rename_file(aside(), name(1));
}

inline void file_log::set_aside(std::int64_t today) {
  file_.close();
  // The current file first: if somebody holds it, the older ones stay where they are, and it grows a while longer. It
  // does as well while what was set aside before has no name yet, because somebody holds one of those.
  const bool moved = make_room() && os::rename_file(name(0), aside());
  if (moved) make_room();
  if (moved) held_ = 0, held_said_ = false;
  if (!open() || moved) return;
  if (file_.size() == 0) {  // there was nothing to move
    renewed_ = true;
    return;
  }
  ++held_;
  full_at_ = file_.size() + options_.bytes / 10;
  day_ = today;  // or every line would try it again
}

/// Writes the lines that are on their way, or counts them.
inline void file_log::put() {
  if (ends_.empty()) return;
  const bool well = fault() == 0;
  std::size_t done = 0;
  if (well || time_->now() >= retry_at_) {
    if (well) done = write_from(0);
    // Once more on a file opened anew: a handle may have gone stale, on a share that was away for a while.
    if (done < ends_.size() && open()) done += write_from(done);
  }
  if (!day_ && done != 0) day_ = today_;
  if (done == ends_.size()) fault_.store(0, std::memory_order_relaxed);
  else lose(ends_.size() - done);
  text_.clear();
  ends_.clear();
}

/// Writes the entries on their way from one on, and what there is to say before them. How many are in the file whole.
inline std::size_t file_log::write_from(std::size_t first) {
  std::string head = torn_ ? "\n" : "";
  if (renewed_) head += words(log_level::info, "the log file was moved or deleted by somebody else: this one is new");
  const bool says_held = held_ > 1 && !held_said_;  // once may be somebody who reads it
  if (says_held) {
    head += words(log_level::warn, "the log file cannot be set aside: somebody holds it, or an older one, or its folder "
                                   "cannot be changed; it grows until it can");
  }
  if (lost_ != 0) {
    head += words(log_level::warn, std::to_string(lost_) + (lost_ == 1 ? " line" : " lines") +
                                       " could not be written since " +
                                       local_time(lost_since_, offset_at(lost_since_)) +
                                       (lost_why_ != 0 ? ": " + os::system_words(lost_why_) : std::string()));
  }
  const std::size_t begin = first == 0 ? 0 : ends_[first - 1];
  const std::string joined = head.empty() ? std::string() : head + text_.substr(begin);
  const std::string_view out = head.empty() ? std::string_view(text_).substr(begin) : joined;

  const std::uint64_t before = file_.size();
  const auto result = file_.write(out);
  const auto written = static_cast<std::size_t>(file_.size() - before);
  if (!result) failed(result.error());
  if (written != 0) torn_ = out[written - 1] != '\n';
  if (written >= head.size()) {
    lost_ = 0;
    renewed_ = false;
    held_said_ = held_said_ || says_held;
  }
  std::size_t whole = 0;
  while (first + whole < ends_.size() && ends_[first + whole] - begin + head.size() <= written) ++whole;
  return whole;
}

inline void file_log::lose(std::uint64_t lines) noexcept {
  if (lost_ == 0) {
    lost_why_ = fault();
    lost_since_ = first_;
  }
  lost_ += lines;
  lost_in_all_.fetch_add(lines, std::memory_order_relaxed);
}

inline void file_log::failed(std::uint32_t code) noexcept {
  const bool begins = fault_.exchange(code, std::memory_order_relaxed) == 0;
  if (begins && on_trouble_) on_trouble_(code);
  retry_at_ = time_->now() + std::chrono::seconds(1);
}

/// A line of our own among those on their way, at the time of the first.
inline std::string file_log::words(log_level level, std::string text) const {
  return line({first_, level, std::move(text)});
}

inline std::string file_log::line(const log_entry& entry) const {
  const std::chrono::minutes offset = offset_at(entry.when);
  return (options_.format == log_format::json ? entry.json_line(offset) : entry.line(offset)) + '\n';
}

/// Asked of the system once a quarter of an hour, between which it does not change: it takes as long as all the rest of
/// a line.
inline std::chrono::minutes file_log::offset_at(clock::wall_point when) const {
  using quarters = std::chrono::duration<std::int64_t, std::ratio<900>>;
  const std::int64_t quarter = std::chrono::floor<quarters>(when.time_since_epoch()).count();
  if (quarter != quarter_) {
    offset_then_ = offset_(when);
    quarter_ = quarter;
  }
  return offset_then_;
}

inline std::int64_t file_log::day_of(clock::wall_point when) const {
  using days = std::chrono::duration<std::int64_t, std::ratio<86'400>>;
  return std::chrono::floor<days>(when.time_since_epoch() + offset_at(when)).count();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
