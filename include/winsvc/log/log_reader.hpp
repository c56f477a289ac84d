// What `logs` shows: entries of the log file and of those that were set aside before it, as they stand there.
//
//   model::log_query what;
//   what.last = 20;
//   print_log("/var/lib/hello/logs/hello", what, os::write_stdout);
//
// It reads from the end, so that the last lines of a big log cost no more than those of a small one. `follow_log`
// stays, and shows what is appended, whatever becomes of the files: set aside, deleted, made anew, cut to nothing.
//
// Times in a log do not go back but for a clock that was set: with `since`, the first older entry from the end ends it.
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
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/log/log_query.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

using log_output = std::function<void(std::string_view)>;

/// `path` without its `.log`. Whole lines go to `out`, many at a time. How many entries that were.
std::size_t print_log(const std::string& path, const model::log_query& query, const log_output& out);

/// The same, and then what is appended, looked for every 250 ms, until `go_on` says no.
void follow_log(const std::string& path, const model::log_query& query, const log_output& out,
                const std::function<bool()>& go_on, clock& time = clock::system());

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// A log's files, the oldest first; those that are newer than `known` where it is among them.
struct log_files {
  std::vector<os::input_file> files;
  bool found = false;  // `known`

  /// Opened from the newest on: whatever is set aside meanwhile is met again under its next name, and never missed.
  explicit log_files(const std::string& path, std::optional<os::file_id> known = std::nullopt) {
    const auto look = [&](const std::string& name) {
      auto file = os::input_file::open(name);
      if (!file) return false;
      found = known && file->id() == *known;
      const bool twice = !files.empty() && files.back().id() == file->id();
      if (!found && !twice) files.push_back(std::move(*file));
      return true;
    };
    look(log_file_name(path, 0));
    if (!found) look(pending_rotation_name(path));
    for (int age = 1, missing = 0; missing < 2 && !found; ++age)  // one name is free while files are renamed
      missing = look(log_file_name(path, age)) ? 0 : missing + 1;
    std::reverse(files.begin(), files.end());
  }
};

/// Where the wanted lines begin: a file, and a place in it.
struct log_position {
  std::size_t file = 0;
  std::uint64_t offset = 0;
};

WINSVC_INLINE log_position find_first_match(const std::vector<os::input_file>& files, const model::log_query& query) {
  constexpr std::uint64_t piece = 64 * 1024;
  constexpr std::uint64_t mark_length = 80;  // of a line, whose time and level are in there
  if (query.max_entries == model::log_query::unlimited && !query.since) return {};
  log_position found{files.size(), 0};
  std::size_t count = 0;
  std::string buffer;
  for (std::size_t f = files.size(); f-- > 0 && count < query.max_entries;) {
    for (std::uint64_t end = files[f].size(), begin = 0; end > 0; end = begin) {
      begin = end > piece ? end - piece : 0;
      const std::uint64_t from = begin > 0 ? begin - 1 : 0;  // the line end before a line is what makes it one
      buffer.resize(static_cast<std::size_t>(end - from + mark_length));
      const auto received = files[f].read(from, &buffer[0], buffer.size());
      if (!received) break;
      const std::string_view seen(buffer.data(), *received);
      for (auto position = (std::min)(static_cast<std::size_t>(end - from), seen.size()); position-- > begin - from;) {
        if (from + position != 0 && seen[position - 1] != '\n') continue;
        const std::string_view line = seen.substr(position, mark_length);
        const auto mark = model::parse_log_line(line.substr(0, line.find('\n')));
        if (!mark) continue;
        if (query.since && mark->time < *query.since) return found;
        if (!matches(query, *mark)) continue;
        found = {f, from + position};
        if (++count == query.max_entries) return found;
      }
    }
  }
  return found;
}

/// Takes a log in pieces and lets the wanted entries through.
class log_filter {
 public:
  log_filter(const model::log_query& query, const log_output& out)
      : query_(query), output_(out), entry_matches_(includes_continuation_lines(query)) {}

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
  /// There is no more in this file.
  void end() {
    if (!partial_line_.empty()) feed("\n");
  }
  void discard_partial_line() { partial_line_.clear(); }
  [[nodiscard]] std::size_t entry_count() const noexcept { return entries_; }

 private:
  void filter_line(std::string_view line, std::string& ready) {
    if (const auto mark = model::parse_log_line(line)) {
      entry_matches_ = matches(query_, *mark);
      if (entry_matches_) ++entries_;
    }
    if (entry_matches_) (ready += line) += '\n';
  }

  const model::log_query query_;
  const log_output& output_;
  bool entry_matches_;        // the entry we are in
  std::string partial_line_;  // of a line
  std::size_t entries_ = 0;
};

/// From `at` on to its end, which is the place returned.
WINSVC_INLINE std::uint64_t filter_file(const os::input_file& file, std::uint64_t position, log_filter& filter) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const auto received = file.read(position, &buffer[0], buffer.size());
    if (!received || *received == 0) return position;
    filter.feed(std::string_view(buffer.data(), *received));
    position += *received;
  }
}

/// All files but the end of the last, whose last line may not be whole yet. The place where that was.
WINSVC_INLINE std::uint64_t filter_files(const std::vector<os::input_file>& files, const model::log_query& query,
                              log_filter& filter) {
  const log_position begin = find_first_match(files, query);
  if (begin.file >= files.size()) return files.empty() ? 0 : files.back().size();
  std::uint64_t position = begin.offset;
  for (std::size_t f = begin.file;; ++f, position = 0) {
    position = filter_file(files[f], position, filter);
    if (f + 1 == files.size()) return position;
    filter.end();
  }
}

WINSVC_INLINE std::size_t print_log(const std::string& path, const model::log_query& query, const log_output& out) {
  const log_files log(path);
  log_filter filter(query, out);
  filter_files(log.files, query, filter);
  filter.end();
  return filter.entry_count();
}

WINSVC_INLINE void follow_log(const std::string& path, const model::log_query& query, const log_output& out,
                       const std::function<bool()>& go_on, clock& time) {
  log_filter filter(query, out);
  std::optional<os::input_file> current;
  std::uint64_t position = 0;
  {
    log_files log(path);
    position = filter_files(log.files, query, filter);
    if (!log.files.empty()) current = std::move(log.files.back());
  }
  auto looked = time.system_now();
  while (go_on()) {
    const auto before = std::exchange(looked, time.system_now());
    time.sleep(std::chrono::milliseconds(250));
    const auto newest = os::file_id_of(log_file_name(path, 0));
    const bool other = newest && (!current || current->id() != *newest);
    if (current) {  // after the look at the name: what came before the change is read before what came after it
      if (current->current_size().value_or(position) < position) {  // cut to nothing, by a tool that copies logs and empties them
        filter.discard_partial_line();
        position = 0;
      }
      position = filter_file(*current, position, filter);
    }
    if (!other) continue;
    filter.end();
    log_files log(path, current ? std::optional(current->id()) : std::nullopt);
    // Ours is not among them: it was deleted, or there were too many since. What was written to meanwhile is news.
    std::size_t first = 0;
    while (!log.found && first + 1 < log.files.size() && log.files[first].modified() < before) ++first;
    for (std::size_t f = first; f < log.files.size(); ++f) {
      current = std::move(log.files[f]);
      position = filter_file(*current, 0, filter);
      if (f + 1 < log.files.size()) filter.end();
    }
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
