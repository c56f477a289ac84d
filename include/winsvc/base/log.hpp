// logger, log_sink: a log of entries with a time and a level, delivered to sinks: the log file, the console, the event
// log.
//
//   svc.log().info("store opened, 12 users");
//
// The text is written unchanged; format it with any library. A sink never throws and never ends the caller: a service
// that can serve must not fail because its log cannot be written. Up to 100 entries that are logged before the first
// sink is added (in App, for example) are stored and delivered to it.
//
// `info` returns after the sinks have returned. log/async_sink.hpp is a sink with a queue, so that callers do not wait
// for the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/lost_lines.hpp"
#include "winsvc/base/timed_mutex.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

enum class log_level { debug, info, warn, error };
[[nodiscard]] constexpr std::string_view name(log_level l) noexcept {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(l)];
}
/// Parses a name of a level; case is ignored.
[[nodiscard]] std::optional<log_level> parse_log_level(std::string_view name) noexcept;
/// The second column of a log line, five characters: `INFO `.
[[nodiscard]] constexpr std::string_view level_column(log_level l) noexcept {
  constexpr std::string_view columns[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  return columns[static_cast<int>(l)];
}

// g++ 12 warns that the enumerator json hides winsvc::json. The warning is wrong: the enumeration has its own scope.
#if defined(__GNUC__)
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wshadow"
#endif
/// Format of a log file: text lines, or one JSON object per line.
enum class log_format { text, json };
#if defined(__GNUC__)
  #pragma GCC diagnostic pop
#endif

/// Format and rotation of the log file.
struct log_file_options {
  std::uint64_t max_file_bytes = 10 * 1024 * 1024;  ///< a file that would exceed this size is rotated; 0: no limit
  int max_files = 5;                                ///< number of files, including the current file
  bool daily = false;                               ///< also rotates a file that was begun on another day, local time
  log_format format = log_format::text;
};

struct log_entry {
  clock::system_time time;
  log_level level = log_level::info;
  std::string text;
  std::string json_fields{};  ///< further members of the JSON form, as JSON text: `"status":200,"us":12`

  /// `2026-01-31T09:05:09.250+01:00 INFO  text`, without a line end. `offset`: local time minus UTC.
  [[nodiscard]] std::string line(std::chrono::minutes offset) const;
  /// `{"time":"2026-01-31T09:05:09.250+01:00","level":"info","text":"text",<json_fields>}`, without a line end.
  [[nodiscard]] std::string json_line(std::chrono::minutes offset) const;
};

/// Escapes a text for a log line. Lines after the first are indented by `indent` blanks, so that a line that begins
/// with a digit begins an entry. Control characters and bytes that are not UTF-8 are written as `\x1b`, because a log
/// contains data from clients and may be displayed in a terminal. A backslash is not escaped, so that Windows paths
/// stay readable.
[[nodiscard]] std::string escape_log_text(std::string_view text, std::size_t indent = 4);

/// A destination of log entries. Called by one thread at a time, on the thread that logs.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_entry& entry) noexcept = 0;
  /// Writes several entries. A sink overrides it if one write of many entries is cheaper than many writes.
  virtual void write_batch(const std::vector<log_entry>& batch) noexcept {
    for (const auto& entry : batch) write(entry);
  }
  virtual void flush() noexcept {}
  /// True if `flush` may be called while another thread is in `write`. Then a slow `flush` does not block other threads
  /// that log. Default: false.
  [[nodiscard]] virtual bool has_concurrent_flush() const noexcept { return false; }
};

class logger;
namespace detail::base {
/// Writes an entry that `fill(entry)` fills under the log's lock. The strings of the entry are empty and keep the
/// memory of earlier entries, so that a line for each request needs no allocation.
template <class Fill>
void write_filled(logger& log, log_level level, const Fill& fill);
}  // namespace detail::base

/// The front end that threads call. Safe to use from any thread.
class logger {
 public:
  /// `timeout`: the longest time that a call waits for the lock, because a thread that crashes or hangs in a sink never
  /// releases it. After the timeout the entry is lost, and a later entry reports the number of lost entries.
  explicit logger(const clock& time = clock::system(), std::chrono::milliseconds timeout = std::chrono::seconds(2))
      : time_(&time), lock_timeout_(timeout) {}

  void debug(std::string text) { write(log_level::debug, std::move(text)); }
  void info(std::string text) { write(log_level::info, std::move(text)); }
  void warn(std::string text) { write(log_level::warn, std::move(text)); }
  void error(std::string text) { write(log_level::error, std::move(text)); }
  /// `json_fields` as in log_entry.
  void write(log_level level, std::string text, std::string json_fields = {});

  /// Writes the entry at any threshold, for example an action of an operator.
  void write_always(log_level level, std::string text) { deliver(level, std::move(text), {}); }

  /// Entries below this level are dropped. Default: info.
  void threshold(log_level min_level) noexcept { threshold_.store(min_level, std::memory_order_relaxed); }
  [[nodiscard]] log_level threshold() const noexcept { return threshold_.load(std::memory_order_relaxed); }
  /// True if an entry of this level is written. Check it before you build an expensive text; it costs one atomic load.
  [[nodiscard]] bool is_enabled(log_level level) const noexcept { return level >= threshold(); }

  /// Adds a sink. The first sink also receives the entries that were logged before.
  void add_sink(std::shared_ptr<log_sink> sink);
  /// Flushes all sinks.
  void flush() noexcept;

 private:
  template <class Fill>
  friend void detail::base::write_filled(logger& log, log_level level, const Fill& fill);

  using sinks = std::vector<std::shared_ptr<log_sink>>;
  using fill_function = void (*)(const void* context, log_entry& entry);
  void deliver(log_level level, std::string text, std::string json_fields);
  void deliver_filled(log_level level, fill_function fill, const void* context);
  void write_entry(const log_entry& entry);
  void report_lost_lines(clock::system_time time);
  void write_to_sinks(const log_entry& entry) noexcept {
    for (const auto& sink : sinks_) sink->write(entry);
  }

  const clock* time_;
  std::chrono::milliseconds lock_timeout_;
  std::atomic<log_level> threshold_{log_level::info};  // relaxed: a change may take effect one entry late
  detail::base::lost_line_counter lost_;  // lost without the lock
  detail::base::timed_mutex mutex_;
  sinks sinks_;
  std::vector<log_entry> buffered_;
  detail::base::lost_lines lost_buffered_;
  log_entry filled_;  // of write_filled(); it keeps its memory
};

namespace detail::base {
template <class Fill>
void write_filled(logger& log, log_level level, const Fill& fill) {
  if (!log.is_enabled(level)) return;
  log.deliver_filled(
      level, [](const void* context, log_entry& entry) { (*static_cast<const Fill*>(context))(entry); }, &fill);
}
}  // namespace detail::base

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::optional<log_level> parse_log_level(std::string_view text) noexcept {
  for (const auto l : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    if (detail::base::equal_nocase(name(l), text)) return l;
  }
  return std::nullopt;
}

/// Unicode line and paragraph separators and bidirectional controls: they can make a line look like another line.
constexpr bool is_bidi_control(char32_t c) noexcept {
  return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

WINSVC_INLINE std::string escape_log_text(std::string_view text, std::size_t indent) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    const auto byte = static_cast<unsigned char>(text[position]);
    if (byte >= 0x20 && byte < 0x7F) {
      out += text[position++];
    } else if (byte == '\n') {
      out.append(1, '\n').append(indent, ' ');
      ++position;
    } else if (byte == '\t') {
      out += text[position++];
    } else if (text.substr(position, 2) == "\r\n") {
      ++position;
    } else if (const char32_t c = detail::base::next_code_point(text, position);
               c < 0xA0 || (c == 0xFFFD && position - begin == 1) || is_bidi_control(c)) {
      for (const char raw : text.substr(begin, position - begin)) {
        out += "\\x";
        out += hex[static_cast<unsigned char>(raw) >> 4];
        out += hex[static_cast<unsigned char>(raw) & 15];
      }
    } else {
      out += text.substr(begin, position - begin);
    }
  }
  return out;
}

WINSVC_INLINE std::string log_entry::line(std::chrono::minutes offset) const {
  std::string out = local_time(time, offset);
  out += ' ';
  out += level_column(level);
  out += ' ';
  return out += escape_log_text(text);
}

WINSVC_INLINE std::string log_entry::json_line(std::chrono::minutes offset) const {
  std::string out = "{\"time\":\"" + local_time(time, offset);
  out += "\",\"level\":\"";
  out += name(level);
  out += "\",\"text\":";
  // JSON allows DEL and the C1 controls unescaped, but a terminal that displays the file would execute them.
  const std::string quoted = detail::base::json_quoted(text);
  for (std::size_t position = 0; position < quoted.size();) {
    const std::size_t begin = position;
    const char32_t c = detail::base::next_code_point(quoted, position);
    if (c < 0x7F || c >= 0xA0) out.append(quoted, begin, position - begin);
    else out.append("\\u00").append(1, "789"[(c >> 4) - 7]).append(1, "0123456789abcdef"[c & 15]);
  }
  if (!json_fields.empty()) out += ',' + json_fields;
  return out += '}';
}

WINSVC_INLINE void logger::write(log_level level, std::string text, std::string json_fields) {
  if (is_enabled(level)) deliver(level, std::move(text), std::move(json_fields));
}

WINSVC_INLINE void logger::deliver(log_level level, std::string text, std::string json_fields) {
  const detail::base::timed_mutex::scoped_lock lock(mutex_, lock_timeout_);
  if (!lock) {
    lost_.add_unreported();
    return;
  }
  // The time is read under the lock, so that times in a file never decrease.
  write_entry({time_->system_now(), level, std::move(text), std::move(json_fields)});
}

WINSVC_INLINE void logger::deliver_filled(log_level level, fill_function fill, const void* context) {
  constexpr std::size_t max_kept_bytes = 4096;
  const detail::base::timed_mutex::scoped_lock lock(mutex_, lock_timeout_);
  if (!lock) {
    lost_.add_unreported();
    return;
  }
  filled_.time = time_->system_now();
  filled_.level = level;
  filled_.text.clear();
  filled_.json_fields.clear();
  fill(context, filled_);
  write_entry(filled_);
  if (filled_.text.capacity() + filled_.json_fields.capacity() > max_kept_bytes) {
    std::string().swap(filled_.text);  // an assignment would keep the memory
    std::string().swap(filled_.json_fields);
  }
}

/// Requires the lock.
WINSVC_INLINE void logger::write_entry(const log_entry& entry) {
  constexpr std::size_t max_buffered = 100;
  if (lost_.has_unreported()) report_lost_lines(entry.time);
  write_to_sinks(entry);
  if (!sinks_.empty()) return;
  if (buffered_.size() < max_buffered) buffered_.push_back(entry);
  else lost_buffered_.add(entry.time);
}

WINSVC_INLINE void logger::report_lost_lines(clock::system_time time) {
  detail::base::lost_lines lost;
  lost.add(lost_.take_unreported());
  const bool is_reported = detail::base::attempt([&] {
    const std::string reason =
        "another thread held the log for more than " + std::to_string(lock_timeout_.count()) + " ms";
    write_to_sinks({time, log_level::warn, lost.text(reason, &iso_time), lost.json_field()});
  });
  if (!is_reported) lost_.return_unreported(lost.count);  // out of memory: the next entry reports them
}

WINSVC_INLINE void logger::add_sink(std::shared_ptr<log_sink> sink) {
  const detail::base::timed_mutex::scoped_lock lock(mutex_);  // without a timeout: a buffered entry must not be lost
  log_entry lost{{}, log_level::warn, {}};
  if (!lost_buffered_.empty()) {
    lost.time = time_->system_now();
    lost.text = lost_buffered_.text("they were logged before the first sink was added", &iso_time);
    lost.json_fields = lost_buffered_.json_field();
  }
  sinks_.push_back(std::move(sink));  // from here on, nothing throws: the buffered entries have a sink
  for (const auto& entry : buffered_) sinks_.back()->write(entry);
  if (!lost_buffered_.empty()) sinks_.back()->write(lost);
  lost_buffered_ = {};
  buffered_.clear();
}

WINSVC_INLINE void logger::flush() noexcept {
  try {
    sinks concurrent;
    {
      const detail::base::timed_mutex::scoped_lock lock(mutex_, lock_timeout_);
      if (!lock) return;
      for (const auto& sink : sinks_) {
        if (sink->has_concurrent_flush()) concurrent.push_back(sink);
        else sink->flush();
      }
    }
    for (const auto& sink : concurrent) sink->flush();
  } catch (...) {  // out of memory: the destructors of the sinks flush them
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
