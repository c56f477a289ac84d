// The log that a service keeps: lines with a time and a level, handed to sinks (the file, the console, the event log).
//
//   svc.log().info("store opened, 12 users");
//
// The text is written as it is; format it with what you like. A sink never throws and never stops the caller: a log
// that cannot be written must not end a service that can serve. What is logged before the first sink is there (in App,
// say) is kept and handed to it, up to 100 lines.
//
// Sinks are called before `info` returns; log/async_sink.hpp is the one that lets others wait for the disk instead.
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

#include "winsvc/base/clock.hpp"
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
/// Its way back, in any case of letters.
[[nodiscard]] std::optional<log_level> parse_log_level(std::string_view name) noexcept;
/// As the second column of a line: `INFO `, five characters.
[[nodiscard]] constexpr std::string_view level_column(log_level l) noexcept {
  constexpr std::string_view columns[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  return columns[static_cast<int>(l)];
}

// g++ 12 warns that an enumerator hides winsvc::json; it hides nothing, because the enumeration has its own scope.
#if defined(__GNUC__)
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wshadow"
#endif
/// What a log file consists of: lines for people, or one JSON object a line for machines.
enum class log_format { text, json };
#if defined(__GNUC__)
  #pragma GCC diagnostic pop
#endif

/// How the log file looks, and how much of it is kept.
struct log_file_options {
  std::uint64_t max_file_bytes = 10 * 1024 * 1024;  ///< a file that would grow over it is set aside; 0: none is
  int max_files = 5;                            ///< files in all, the current one included
  bool daily = false;                      ///< and so is one that was begun on another day, by the clock on the wall
  log_format format = log_format::text;
};

struct log_entry {
  clock::system_time time;
  log_level level = log_level::info;
  std::string text;
  std::string json_fields{};  ///< further members of its JSON form, as they stand there: `"status":200,"us":12`

  /// `2026-01-31T09:05:09.250+01:00 INFO  text`, without a line end: `time` on a clock that is `offset` ahead of UTC.
  [[nodiscard]] std::string line(std::chrono::minutes offset) const;
  /// `{"time":"2026-01-31T09:05:09.250+01:00","level":"info","text":"text",<members>}`, without a line end.
  [[nodiscard]] std::string json_line(std::chrono::minutes offset) const;
};

/// The text as it stands in a line. Its line breaks are indented, so that every line of a log that begins with a digit
/// begins an entry; characters that would control a terminal, and bytes that are no UTF-8, are written as `\x1b`: a log
/// holds what clients sent, and somebody reads it in a terminal. A backslash stays one, for the sake of Windows' paths.
[[nodiscard]] std::string escape_log_text(std::string_view text);

/// Where entries go. Called by one thread at a time, from any thread.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_entry& entry) noexcept = 0;
  /// Several at once, for whom one write costs as much as a hundred: a queue hands over what has come together.
  virtual void write_batch(const std::vector<log_entry>& batch) noexcept {
    for (const auto& entry : batch) write(entry);
  }
  virtual void flush() noexcept {}
  /// May its `flush` be called while another thread is in its `write`? Where it waits for something, nobody who logs
  /// has to wait with it then.
  [[nodiscard]] virtual bool has_concurrent_flush() const noexcept { return false; }
};

/// The front: safe to use from any thread.
class logger {
 public:
  /// `patience`: a thread that crashed in a sink, or waits in one for ever, holds this log for ever. Who comes after it
  /// gives up after so long, and the line is lost; should the log come free again, it says how many were.
  explicit logger(const clock& time = clock::system(), std::chrono::milliseconds timeout = std::chrono::seconds(2))
      : time_(&time), lock_timeout_(timeout) {}

  void debug(std::string text) { write(log_level::debug, std::move(text)); }
  void info(std::string text) { write(log_level::info, std::move(text)); }
  void warn(std::string text) { write(log_level::warn, std::move(text)); }
  void error(std::string text) { write(log_level::error, std::move(text)); }
  /// `json_fields` as in log_entry.
  void write(log_level level, std::string text, std::string members = {});

  /// The same, whatever the threshold is: what an operator did is told in any case.
  void write_always(log_level level, std::string text) { deliver(level, std::move(text), {}); }

  /// Entries below it are dropped. Default: info.
  void threshold(log_level min_level) noexcept { threshold_.store(min_level, std::memory_order_relaxed); }
  [[nodiscard]] log_level threshold() const noexcept { return threshold_.load(std::memory_order_relaxed); }
  /// Ask it before a text that is dear to make: it costs a load.
  [[nodiscard]] bool is_enabled(log_level level) const noexcept { return level >= threshold(); }

  void add_sink(std::shared_ptr<log_sink> sink);
  void flush() noexcept;

 private:
  using sinks = std::vector<std::shared_ptr<log_sink>>;
  void deliver(log_level level, std::string text, std::string members);
  void report_lost_lines(clock::system_time time);

  const clock* time_;
  std::chrono::milliseconds lock_timeout_;
  std::atomic<log_level> threshold_{log_level::info};  // relaxed: a line more or less around a change of level is no harm
  std::atomic<std::uint64_t> lost_count_{0};             // relaxed: it is a count, and nothing hangs on when it is seen
  timed_mutex mutex_;
  sinks sinks_;
  std::vector<log_entry> buffered_;
  std::uint64_t lost_buffered_ = 0;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::optional<log_level> parse_log_level(std::string_view expected) noexcept {
  for (const auto l : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    if (strings::equal_nocase(name(l), expected)) return l;
  }
  return std::nullopt;
}

/// Line and paragraph separators, and what turns the order of writing around: a line could look like another.
constexpr bool is_bidi_control(char32_t c) noexcept {
  return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

WINSVC_INLINE std::string escape_log_text(std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    const auto byte = static_cast<unsigned char>(text[position]);
    if (byte >= 0x20 && byte < 0x7F) {
      out += text[position++];
    } else if (byte == '\n') {
      out += "\n    ";
      ++position;
    } else if (byte == '\t') {
      out += text[position++];
    } else if (text.substr(position, 2) == "\r\n") {
      ++position;
    } else if (const char32_t c = strings::next_code_point(text, position); 
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
  // JSON lets DEL and the C1 controls stand; a terminal that shows the file would obey them.
  const std::string quoted = strings::json_quoted(text);
  for (std::size_t position = 0; position < quoted.size();) {
    const std::size_t begin = position;
    const char32_t c = strings::next_code_point(quoted, position);
    if (c < 0x7F || c >= 0xA0) out.append(quoted, begin, position - begin);
    else out.append("\\u00").append(1, "789"[(c >> 4) - 7]).append(1, "0123456789abcdef"[c & 15]);
  }
  if (!json_fields.empty()) out += ',' + json_fields;
  return out += '}';
}

WINSVC_INLINE void logger::write(log_level level, std::string text, std::string members) {
  if (is_enabled(level)) deliver(level, std::move(text), std::move(members));
}

WINSVC_INLINE void logger::deliver(log_level level, std::string text, std::string members) {
  constexpr std::size_t kept_early = 100;
  const timed_mutex::scoped_lock held(mutex_, lock_timeout_);
  if (!held) {
    lost_count_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const auto now = time_->system_now();  // stamped under the lock: times in a file never go back
  if (lost_count_.load(std::memory_order_relaxed) != 0) report_lost_lines(now);
  log_entry entry{now, level, std::move(text), std::move(members)};
  for (const auto& sink : sinks_) sink->write(entry);
  if (!sinks_.empty()) return;
  if (buffered_.size() < kept_early) buffered_.push_back(std::move(entry));
  else lost_buffered_ += 1;
}

WINSVC_INLINE void logger::report_lost_lines(clock::system_time time) {
  const auto lost = lost_count_.exchange(0, std::memory_order_relaxed);
  const log_entry entry{time, log_level::warn,
                        std::to_string(lost) + (lost == 1 ? " line was" : " lines were") +
                            " lost: another thread was in the log for more than " +
                            std::to_string(lock_timeout_.count()) + " ms",
                        "\"lost\":" + std::to_string(lost)};
  for (const auto& sink : sinks_) sink->write(entry);
}

WINSVC_INLINE void logger::add_sink(std::shared_ptr<log_sink> sink) {
  const timed_mutex::scoped_lock held(mutex_, std::chrono::hours(24));  // an early line must not get lost on its way
  for (const auto& entry : buffered_) sink->write(entry);
  if (const auto more = std::exchange(lost_buffered_, 0); more != 0)
    sink->write({time_->system_now(), log_level::warn, std::to_string(more) + " more lines were logged before there was a log"});
  buffered_.clear();
  sinks_.push_back(std::move(sink));
}

WINSVC_INLINE void logger::flush() noexcept {
  try {
    sinks later;
    {
      const timed_mutex::scoped_lock held(mutex_, lock_timeout_);
      if (!held) return;
      for (const auto& sink : sinks_) {
        if (sink->has_concurrent_flush()) later.push_back(sink);
        else sink->flush();
      }
    }
    for (const auto& sink : later) sink->flush();
  } catch (...) {  // out of memory: they will be flushed when they end
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
