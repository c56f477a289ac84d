// The log that a service keeps: lines with a time and a level, handed to sinks (the file, the console, the event log).
//
//   svc.log().info("store opened, 12 users");
//
// The text is written as it is; format it with what you like. A sink never throws and never stops the caller: a log
// that cannot be written must not end a service that can serve. What is logged before the first sink is there (in App,
// say) is kept and handed to it, up to 100 lines.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

enum class log_level { debug, info, warn, error };
[[nodiscard]] constexpr std::string_view name(log_level l) noexcept {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(l)];
}
/// `warning` is `warn`; whatever their case.
[[nodiscard]] std::optional<log_level> parse_log_level(std::string_view s) noexcept;

/// How a line looks: `2026-01-31T09:05:09.250+01:00 INFO  text`, or a JSON object a line.
enum class log_format { text, json };

struct log_entry {
  clock::wall_point when;
  log_level level = log_level::info;
  std::string text;
  std::string members = {};  ///< what its JSON has beside, as it stands there: `"status":200,"us":88`

  /// Without a line end, in the time of a place so far from UTC. Line breaks in the text are indented, so that every
  /// line that starts with a digit starts an entry; other control characters are written `\x1B`, because a text may
  /// hold what a client sent, and whoever reads it may sit at a terminal.
  [[nodiscard]] std::string line(std::chrono::minutes offset = std::chrono::minutes(0)) const;
  /// `{"time":"2026-01-31T09:05:09.250+01:00","level":"info","text":"…",…}`
  [[nodiscard]] std::string json_line(std::chrono::minutes offset = std::chrono::minutes(0)) const;
};

/// Where entries go. Called by one thread at a time, from any thread.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_entry& entry) noexcept = 0;
  /// Several at once, in their order, for a sink that can do that with less than each by itself.
  virtual void write_all(const std::vector<log_entry>& entries) noexcept {
    for (const auto& entry : entries) write(entry);
  }
  virtual void flush() noexcept {}
};

/// The front: safe to use from any thread.
class logger {
 public:
  explicit logger(const clock& time = clock::system()) : time_(&time) {}

  void debug(std::string text) { write(log_level::debug, std::move(text)); }
  void info(std::string text) { write(log_level::info, std::move(text)); }
  void warn(std::string text) { write(log_level::warn, std::move(text)); }
  void error(std::string text) { write(log_level::error, std::move(text)); }
  void write(log_level level, std::string text, std::string members = {});

  /// Entries below it are dropped. Default: info.
  void threshold(log_level least) noexcept { least_.store(least, std::memory_order_relaxed); }
  [[nodiscard]] log_level threshold() const noexcept { return least_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool wants(log_level level) const noexcept { return level >= threshold(); }

  void add_sink(std::shared_ptr<log_sink> sink);
  /// Waits until all that was logged before is where it belongs.
  void flush() noexcept;

 private:
  const clock* time_;
  std::atomic<log_level> least_{log_level::info};  // relaxed: a line more or less around a change of level is no harm
  std::mutex mutex_;
  std::vector<std::shared_ptr<log_sink>> sinks_;
  std::vector<log_entry> early_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<log_level> parse_log_level(std::string_view s) noexcept {
  for (const log_level one : {log_level::debug, log_level::info, log_level::warn, log_level::error}) {
    if (text::equal_nocase(s, name(one))) return one;
  }
  return text::equal_nocase(s, "warning") ? std::optional(log_level::warn) : std::nullopt;
}

inline std::string log_entry::line(std::chrono::minutes offset) const {
  constexpr std::string_view padded[] = {" DEBUG ", " INFO  ", " WARN  ", " ERROR "};
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out = local_time(when, offset);
  out.reserve(out.size() + text.size() + 8);
  out += padded[static_cast<int>(level)];
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') continue;
    if (c == '\n') {
      out += "\n    ";
    } else if ((byte < 0x20 && c != '\t') || byte == 0x7F) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

inline std::string log_entry::json_line(std::chrono::minutes offset) const {
  std::string out = "{\"time\":\"" + local_time(when, offset) + "\",\"level\":\"";
  out.append(name(level)).append("\",\"text\":").append(text::json_quoted(text));
  if (!members.empty()) out.append(",").append(members);
  return out + '}';
}

inline void logger::write(log_level level, std::string text, std::string members) {
  if (!wants(level)) return;
  constexpr std::size_t kept_early = 100;
  const std::lock_guard lock(mutex_);
  // Stamped under the lock: times in a file never go back.
  log_entry entry{time_->wall(), level, std::move(text), std::move(members)};
  for (const auto& sink : sinks_) sink->write(entry);
  if (sinks_.empty() && early_.size() < kept_early) early_.push_back(std::move(entry));
}

inline void logger::add_sink(std::shared_ptr<log_sink> sink) {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : early_) sink->write(entry);
  early_.clear();
  sinks_.push_back(std::move(sink));
}

inline void logger::flush() noexcept {
  std::vector<std::shared_ptr<log_sink>> sinks;
  try {
    const std::lock_guard lock(mutex_);
    sinks = sinks_;
  } catch (...) {  // no memory for a list of three: what is queued is written anyway, a little later
    return;
  }
  for (const auto& sink : sinks) sink->flush();  // without the lock: it takes its time, and others go on logging
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
