// What `logs` shows: entries of the log file and of those that were set aside before it, as they stand there.
//
//   model::log_query what;
//   what.last = 20;
//   print_log("/var/lib/hello/logs/hello", what, os::write_out);
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
#include "winsvc/host/file_log.hpp"
#include "winsvc/model/log_query.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

using log_output = std::function<void(std::string_view)>;

/// `path` without its `.log`. Whole lines go to `out`, many at a time. How many entries that were.
std::size_t print_log(const std::string& path, const model::log_query& what, const log_output& out);

/// The same, and then what is appended, looked for every 250 ms, until `go_on` says no.
void follow_log(const std::string& path, const model::log_query& what, const log_output& out,
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
  std::vector<os::source_file> files;
  bool found = false;  // `known`

  /// Opened from the newest on: whatever is set aside meanwhile is met again under its next name, and never missed.
  explicit log_files(const std::string& path, std::optional<os::file_id> known = std::nullopt) {
    const auto look = [&](const std::string& name) {
      auto file = os::source_file::open(name);
      if (!file) return false;
      found = known && file->id() == *known;
      const bool twice = !files.empty() && files.back().id() == file->id();
      if (!found && !twice) files.push_back(std::move(*file));
      return true;
    };
    look(log_name(path, 0));
    if (!found) look(log_aside(path));
    for (int age = 1, missing = 0; missing < 2 && !found; ++age)  // one name is free while files are renamed
      missing = look(log_name(path, age)) ? 0 : missing + 1;
    std::reverse(files.begin(), files.end());
  }
};

/// Where the wanted lines begin: a file, and a place in it.
struct log_place {
  std::size_t file = 0;
  std::uint64_t at = 0;
};

WINSVC_INLINE log_place first_wanted(const std::vector<os::source_file>& files, const model::log_query& what) {
  constexpr std::uint64_t piece = 64 * 1024;
  constexpr std::uint64_t mark_length = 80;  // of a line, whose time and level are in there
  if (what.last == model::log_query::all && !what.since) return {};
  log_place found{files.size(), 0};
  std::size_t count = 0;
  std::string buffer;
  for (std::size_t f = files.size(); f-- > 0 && count < what.last;) {
    for (std::uint64_t end = files[f].size(), begin = 0; end > 0; end = begin) {
      begin = end > piece ? end - piece : 0;
      const std::uint64_t from = begin > 0 ? begin - 1 : 0;  // the line end before a line is what makes it one
      buffer.resize(static_cast<std::size_t>(end - from + mark_length));
      const auto got = files[f].read(from, &buffer[0], buffer.size());
      if (!got) break;
      const std::string_view seen(buffer.data(), *got);
      for (auto at = (std::min)(static_cast<std::size_t>(end - from), seen.size()); at-- > begin - from;) {
        if (from + at != 0 && seen[at - 1] != '\n') continue;
        const std::string_view line = seen.substr(at, mark_length);
        const auto mark = model::read_log_line(line.substr(0, line.find('\n')));
        if (!mark) continue;
        if (what.since && mark->when < *what.since) return found;
        if (!wanted(what, *mark)) continue;
        found = {f, from + at};
        if (++count == what.last) return found;
      }
    }
  }
  return found;
}

/// Takes a log in pieces and lets the wanted entries through.
class log_sieve {
 public:
  log_sieve(const model::log_query& what, const log_output& out)
      : what_(what), out_(out), shows_(wants_strays(what)) {}

  void feed(std::string_view piece) {
    std::string ready;
    for (;;) {
      const auto end = piece.find('\n');
      if (end == std::string_view::npos) break;
      if (half_.empty()) {
        take(piece.substr(0, end), ready);
      } else {
        take(half_.append(piece, 0, end), ready);
        half_.clear();
      }
      piece.remove_prefix(end + 1);
    }
    half_ += piece;
    if (!ready.empty()) out_(ready);
  }
  /// There is no more in this file.
  void end() {
    if (!half_.empty()) feed("\n");
  }
  void forget_half() { half_.clear(); }
  [[nodiscard]] std::size_t entries() const noexcept { return entries_; }

 private:
  void take(std::string_view line, std::string& ready) {
    if (const auto mark = model::read_log_line(line)) {
      shows_ = wanted(what_, *mark);
      if (shows_) ++entries_;
    }
    if (shows_) (ready += line) += '\n';
  }

  const model::log_query what_;
  const log_output& out_;
  bool shows_;        // the entry we are in
  std::string half_;  // of a line
  std::size_t entries_ = 0;
};

/// From `at` on to its end, which is the place returned.
WINSVC_INLINE std::uint64_t sift(const os::source_file& file, std::uint64_t at, log_sieve& sieve) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const auto got = file.read(at, &buffer[0], buffer.size());
    if (!got || *got == 0) return at;
    sieve.feed(std::string_view(buffer.data(), *got));
    at += *got;
  }
}

/// All files but the end of the last, whose last line may not be whole yet. The place where that was.
WINSVC_INLINE std::uint64_t sift_all(const std::vector<os::source_file>& files, const model::log_query& what,
                              log_sieve& sieve) {
  const log_place begin = first_wanted(files, what);
  if (begin.file >= files.size()) return files.empty() ? 0 : files.back().size();
  std::uint64_t at = begin.at;
  for (std::size_t f = begin.file;; ++f, at = 0) {
    at = sift(files[f], at, sieve);
    if (f + 1 == files.size()) return at;
    sieve.end();
  }
}

WINSVC_INLINE std::size_t print_log(const std::string& path, const model::log_query& what, const log_output& out) {
  const log_files log(path);
  log_sieve sieve(what, out);
  sift_all(log.files, what, sieve);
  sieve.end();
  return sieve.entries();
}

WINSVC_INLINE void follow_log(const std::string& path, const model::log_query& what, const log_output& out,
                       const std::function<bool()>& go_on, clock& time) {
  log_sieve sieve(what, out);
  std::optional<os::source_file> current;
  std::uint64_t at = 0;
  {
    log_files log(path);
    at = sift_all(log.files, what, sieve);
    if (!log.files.empty()) current = std::move(log.files.back());
  }
  auto looked = time.wall();
  while (go_on()) {
    const auto before = std::exchange(looked, time.wall());
    time.sleep(std::chrono::milliseconds(250));
    const auto newest = os::id_of(log_name(path, 0));
    const bool other = newest && (!current || current->id() != *newest);
    if (current) {  // after the look at the name: what came before the change is read before what came after it
      if (current->size_now().value_or(at) < at) {  // cut to nothing, by a tool that copies logs and empties them
        sieve.forget_half();
        at = 0;
      }
      at = sift(*current, at, sieve);
    }
    if (!other) continue;
    sieve.end();
    log_files log(path, current ? std::optional(current->id()) : std::nullopt);
    // Ours is not among them: it was deleted, or there were too many since. What was written to meanwhile is news.
    std::size_t first = 0;
    while (!log.found && first + 1 < log.files.size() && log.files[first].modified() < before) ++first;
    for (std::size_t f = first; f < log.files.size(); ++f) {
      current = std::move(log.files[f]);
      at = sift(*current, 0, sieve);
      if (f + 1 < log.files.size()) sieve.end();
    }
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
