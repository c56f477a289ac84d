// Log reader: prints entries of the log file and of its rotated files, unchanged. The `logs` verb uses it.
//
//   log::log_query query;
//   query.max_entries = 20;
//   print_log("/var/lib/hello/logs/hello", query, os::write_stdout);
//
// Files are read from the end, so that the last lines of a large log are as fast as those of a small one. `follow_log`
// continues with new entries when files are rotated, deleted, created again or truncated.
//
// Times in a log decrease only if the clock was set back: with `since`, the search from the end stops at the first
// older entry.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/log/log_files.hpp"
#include "winsvc/log/log_query.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

using log_output = std::function<void(std::string_view)>;

/// Prints the matching entries. `path` is without `.log`. `output` receives complete lines, many per call. Returns the
/// number of entries.
std::size_t print_log(const std::string& path, const log::log_query& query, const log_output& output);

/// Prints the matching entries and then new entries, checked every 250 ms, until `go_on` returns false.
void follow_log(const std::string& path, const log::log_query& query, const log_output& output,
                const std::function<bool()>& go_on, clock& time = clock::system());

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

/// The files of a log, oldest first; only the files that are newer than `known` if it is one of them.
struct log_files {
  std::vector<os::input_file> files;
  bool found = false;  // `known` is one of the files

  /// Opens the files from the newest on: a file that is rotated meanwhile is found again under its next name.
  explicit log_files(const std::string& path, std::optional<os::file_id> known = std::nullopt) {
    const auto open = [&](const std::string& name) {
      auto file = os::input_file::open(name);
      if (!file) return false;
      found = known && file->id() == *known;
      const bool is_duplicate = !files.empty() && files.back().id() == file->id();
      if (!found && !is_duplicate) files.push_back(std::move(*file));
      return true;
    };
    open(log_file_name(path, 0));
    if (!found) open(pending_rotation_name(path));
    for (int age = 1, missing = 0; missing < 2 && !found; ++age)  // one name is missing while files are renamed
      missing = open(log_file_name(path, age)) ? 0 : missing + 1;
    std::reverse(files.begin(), files.end());
  }
};

/// Position of the first matching entry: index of the file and offset in it.
struct log_position {
  std::size_t file = 0;
  std::uint64_t offset = 0;
};

WINSVC_INLINE log_position find_first_match(const std::vector<os::input_file>& files, const log::log_query& query) {
  constexpr std::uint64_t chunk_size = 64 * 1024;
  constexpr std::uint64_t mark_length = 80;  // the time and the level are in the first 80 bytes of a line
  if (query.max_entries == log::log_query::unlimited && !query.since) return {};
  log_position found{files.size(), 0};
  std::size_t count = 0;
  std::string buffer;
  for (std::size_t file =  files.size(); file-- > 0 && count < query.max_entries;) {
    for (std::uint64_t end = files[file].size(), begin = 0; end > 0; end = begin) {
      begin = end > chunk_size ? end - chunk_size : 0;
      const std::uint64_t from = begin > 0 ? begin - 1 : 0;  // includes the line end before the first line
      buffer.resize(static_cast<std::size_t>(end - from + mark_length));
      const auto received = files[file].read(from, &buffer[0], buffer.size());
      if (!received) break;
      const std::string_view text(buffer.data(), *received);
      for (auto position = (std::min)(static_cast<std::size_t>(end - from), text.size()); position-- > begin - from;) {
        if (from + position != 0 && text[position - 1] != '\n') continue;
        const std::string_view line = text.substr(position, mark_length);
        const auto mark = log::parse_log_line(line.substr(0, line.find('\n')));
        if (!mark) continue;
        if (query.since && mark->time < *query.since) return found;
        if (!matches(query, *mark)) continue;
        found = {file, from + position};
        if (++count == query.max_entries) return found;
      }
    }
  }
  return found;
}

/// Splits a log into lines and outputs the entries that match a query.
class log_filter {
 public:
  log_filter(const log::log_query& query, const log_output& output)
      : query_(query), output_(output), entry_matches_(includes_continuation_lines(query)) {}

  void feed(std::string_view chunk) {
    std::string ready;
    for (;;) {
      const auto end = chunk.find('\n');
      if (end == std::string_view::npos) break;
      if (partial_line_.empty()) {
        filter_line(chunk.substr(0, end), ready);
      } else {
        filter_line(partial_line_.append(chunk, 0, end), ready);
        partial_line_.clear();
      }
      chunk.remove_prefix(end + 1);
    }
    partial_line_ += chunk;
    if (!ready.empty()) output_(ready);
  }
  /// Ends the current file; a last line without a line end is complete then.
  void end() {
    if (!partial_line_.empty()) feed("\n");
  }
  void discard_partial_line() { partial_line_.clear(); }
  [[nodiscard]] std::size_t entry_count() const noexcept { return entries_; }

 private:
  void filter_line(std::string_view line, std::string& ready) {
    if (const auto mark = log::parse_log_line(line)) {
      entry_matches_ = matches(query_, *mark);
      if (entry_matches_) ++entries_;
    }
    if (entry_matches_) (ready += line) += '\n';
  }

  const log::log_query query_;
  const log_output& output_;
  bool entry_matches_;        // true if the current entry matches
  std::string partial_line_;  // start of a line whose end was not read yet
  std::size_t entries_ = 0;
};

/// Filters a file from `position` to its end; returns the end.
WINSVC_INLINE std::uint64_t filter_file(const os::input_file& file, std::uint64_t position, log_filter& filter) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const auto received = file.read(position, &buffer[0], buffer.size());
    if (!received || *received == 0) return position;
    filter.feed(std::string_view(buffer.data(), *received));
    position += *received;
  }
}

/// Filters all files. The last line of the last file may be incomplete; returns the offset of its end.
WINSVC_INLINE std::uint64_t filter_files(const std::vector<os::input_file>& files, const log::log_query& query,
                                         log_filter& filter) {
  const log_position begin = find_first_match(files, query);
  if (begin.file >= files.size()) return files.empty() ? 0 : files.back().size();
  std::uint64_t position = begin.offset;
  for (std::size_t file = begin.file;; ++file, position = 0) {
    position = filter_file(files[file], position, filter);
    if (file + 1 == files.size()) return position;
    filter.end();
  }
}

WINSVC_INLINE std::size_t print_log(const std::string& path, const log::log_query& query, const log_output& output) {
  const log_files log(path);
  log_filter filter(query, output);
  filter_files(log.files, query, filter);
  filter.end();
  return filter.entry_count();
}

WINSVC_INLINE void follow_log(const std::string& path, const log::log_query& query, const log_output& output,
                              const std::function<bool()>& go_on, clock& time) {
  log_filter filter(query, output);
  std::optional<os::input_file> current;
  std::uint64_t position = 0;
  {
    log_files log(path);
    position = filter_files(log.files, query, filter);
    if (!log.files.empty()) current = std::move(log.files.back());
  }
  auto checked_at = time.system_now();
  while (go_on()) {
    const auto before = std::exchange(checked_at, time.system_now());
    time.sleep(std::chrono::milliseconds(250));
    const auto newest = os::file_id_of(log_file_name(path, 0));
    const bool is_new_file = newest && (!current || current->id() != *newest);
    if (current) {  // after the query of the name, so that old entries are read before those of the new file
      if (current->current_size().value_or(position) < position) {  // truncated by a tool that copies logs
        filter.discard_partial_line();
        position = 0;
      }
      position = filter_file(*current, position, filter);
    }
    if (!is_new_file) continue;
    filter.end();
    log_files log(path, current ? std::optional(current->id()) : std::nullopt);
    // The current file is not found if it was deleted or there were too many rotations. Files changed since the last
    // check are new. The system takes the time of a change from a clock with steps of at most 16 ms.
    constexpr std::chrono::milliseconds clock_step{16};
    std::size_t first = 0;
    while (!log.found && first + 1 < log.files.size() && log.files[first].modified() < before - clock_step) ++first;
    for (std::size_t file = first; file < log.files.size(); ++file) {
      current = std::move(log.files[file]);
      position = filter_file(*current, 0, filter);
      if (file + 1 < log.files.size()) filter.end();
    }
  }
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
