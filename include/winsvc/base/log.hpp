// The log that a service keeps: lines with a time and a level, handed to sinks (the file, the console, the event log).
//
//   svc.log().info("store opened, 12 users");
//
// The text is written as it is; format it with what you like. A sink never throws and never stops the caller: a log
// that cannot be written must not end a service that can serve. What is logged before the first sink is there (in App,
// say) is kept and handed to it, up to 100 lines.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

enum class log_level { debug, info, warn, error };
[[nodiscard]] constexpr std::string_view name(log_level l) noexcept {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(l)];
}

struct log_entry {
  clock::wall_point when;
  log_level level = log_level::info;
  std::string text;

  /// `2026-01-31T08:05:09.250Z INFO  text`, without a line end. Line breaks in the text are indented, so that every
  /// line that starts with a digit starts an entry.
  [[nodiscard]] std::string line() const;
};

/// Where entries go. Called by one thread at a time, from any thread.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_entry& entry) noexcept = 0;
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
  void write(log_level level, std::string text);

  /// Entries below it are dropped. Default: info.
  void threshold(log_level least) noexcept { least_.store(least, std::memory_order_relaxed); }
  [[nodiscard]] log_level threshold() const noexcept { return least_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool wants(log_level level) const noexcept { return level >= least_.load(std::memory_order_relaxed); }

  void add_sink(std::shared_ptr<log_sink> sink);
  void flush() noexcept;

 private:
  const clock* time_;
  std::atomic<log_level> least_{log_level::info};  // relaxed: a line more or less around a change of level is no harm
  std::mutex mutex_;
  std::vector<std::shared_ptr<log_sink>> sinks_;
  std::vector<log_entry> early_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string log_entry::line() const {
  constexpr std::string_view padded[] = {"DEBUG ", "INFO  ", "WARN  ", "ERROR "};
  std::string out = iso_time(when) + ' ' + std::string(padded[static_cast<int>(level)]);
  for (const char c : text) {
    if (c == '\r') continue;
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

inline void logger::write(log_level level, std::string text) {
  if (!wants(level)) return;
  constexpr std::size_t kept_early = 100;
  const std::lock_guard lock(mutex_);
  log_entry entry{time_->wall(), level, std::move(text)};  // stamped under the lock: times in a file never go back
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
  const std::lock_guard lock(mutex_);
  for (const auto& sink : sinks_) sink->flush();
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
