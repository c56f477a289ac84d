// What the operator asks a running service, by its channel (os/channel.hpp), and what it answers. A question is a line:
//
//   status            what it is doing, as a flat JSON object
//   level debug       how much the log keeps, until the service ends; "ok", or what is wrong
//   log warn          the lines of the log that come, of that level and above, until whoever asks has gone
//   why new disk      why the stop that follows is asked for
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Serves them while it lives. Made when the engine listens, gone before it goes.
class control_channel_server {
 public:
  control_channel_server(service_definition& plan, http::engine& engine, const std::atomic<run_phase>& now)
      : plan_(plan), engine_(engine), phase_(now), started_at_(clock::system().system_now()) {}

  /// False, with a code: there is no channel. The service does without.
  os::sys_result<void> open(const std::string& address) {
    auto made = os::control_channel::open(address, [this](const std::string& requested, const os::control_channel::response_writer& write) {
      handle_request(requested, write);
    });
    if (!made) return os::sys_failure(made.error());
    channel_ = *std::move(made);
    return {};
  }
  /// Answers no more.
  void close() { channel_.reset(); }

  /// What the operator said of the stop that comes, within the last minute; empty: nothing. An older word is of a stop that
  /// was refused.
  [[nodiscard]] std::string recent_stop_reason() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::now() - stop_reason_time_ < std::chrono::minutes(1) ? stop_reason_ : std::string();
  }

  void handle_request(const std::string& requested, const os::control_channel::response_writer& write);
  [[nodiscard]] std::string status() const;

 private:
  void send_log(log_level min_level, const os::control_channel::response_writer& write);

  /// The others of those who can be answered at once are for questions.
  static constexpr int max_followers = static_cast<int>(os::control_channel::max_connections) / 2;

  service_definition& plan_;
  http::engine& engine_;
  const std::atomic<run_phase>& phase_;
  clock::system_time started_at_;
  mutable std::mutex mutex_;
  std::string stop_reason_;                                // under mutex_
  std::chrono::steady_clock::time_point stop_reason_time_;  // under mutex_
  std::atomic<int> followers_{0};
  std::unique_ptr<os::control_channel> channel_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string control_channel_server::status() const {
  const auto minute = engine_.statistics().last_minute(std::chrono::steady_clock::now());
  strings::json_object_writer o;
  const auto put = [&o](std::string_view name, std::uint64_t value) { o.put(name, std::to_string(value)); };
  put("pid", os::process_id());
  o.put_text("name", plan_.spec.name).put_text("version", plan_.version).put_text("state", name(phase_.load()));
  o.put_text("url", engine_.address().url()).put_text("since", iso_time(started_at_));
  put("answered", engine_.response_count());
  put("answered_in_minute", minute.count);
  put("failed_in_minute", minute.failed);
  put("p50_us", minute.p50);
  put("p99_us", minute.p99);
  put("in_flight", engine_.in_flight());
  put("connections", engine_.connections());
  put("websockets", engine_.websockets());
  put("threads", engine_.threads());
  const auto usage = os::query_process_usage();
  put("resident_bytes", usage.resident);
  put("cpu_ms", static_cast<std::uint64_t>(usage.cpu.count() / 1000));
  o.put_text("log_level", name(plan_.log.threshold()));
  return o.text() + '\n';
}

WINSVC_INLINE void control_channel_server::send_log(log_level min_level, const os::control_channel::response_writer& write) {
  const scope_exit gone([this] { --followers_; });
  if (++followers_ > max_followers) {
    write("so many follow the log already: " + std::to_string(max_followers) + '\n');
    return;
  }
  const ring_sink& lines = *plan_.recent_entries;
  for (std::uint64_t seen = lines.last_number(); write({});) {
    lines.wait_after(seen, std::chrono::milliseconds(250));
    for (const auto& line : lines.after(seen)) {
      const std::uint64_t missed = line.number - seen - 1;  // they came faster than they were sent
      if (missed != 0 && !write("... " + std::to_string(missed) + " lines are not shown: the log file has them\n")) return;
      seen = line.number;
      if (line.entry.level >= min_level && !write(line.entry.line(os::utc_offset(line.entry.time)) + '\n')) return;
    }
  }
}

WINSVC_INLINE void control_channel_server::handle_request(const std::string& requested, const os::control_channel::response_writer& write) {
  const auto blank = requested.find(' ');
  const std::string word = requested.substr(0, blank), rest = blank == requested.npos ? std::string() : requested.substr(blank + 1);
  const auto level = parse_log_level(rest);
  if (word == "status") {
    write(status());
  } else if (word == "level" && level) {
    plan_.log.threshold(*level);
    plan_.log.write_always(log_level::info, "the log keeps " + std::string(name(*level)) + " and above: the operator asked for it");
    write("ok\n");
  } else if (word == "log" && level) {
    send_log(*level, write);
  } else if (word == "why") {
    const std::lock_guard lock(mutex_);
    stop_reason_ = rest;
    stop_reason_time_ = std::chrono::steady_clock::now();
    write("ok\n");
  } else {
    write("not understood\n");  // of another version of the program, say
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
