// Control channel server: executes the requests that an operator sends to a running service on its control channel
// (os/control_channel.hpp). A request is one line:
//
//   status            returns the live status, a flat JSON object
//   level debug       sets the log level until the service ends; returns "ok"
//   log warn          returns new log lines of this level and above until the client closes the connection
//   why new disk      sets the reason of the stop that follows; returns "ok"
//   control 200       returns "none" if no hook has this control, otherwise the number of its calls and the last result
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
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/attempt.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Serves requests while it exists. Create it after the engine listens and destroy it before the engine.
class control_channel_server {
 public:
  control_channel_server(service_definition& definition, server::engine& engine, phase_function phase)
      : definition_(definition),
        engine_(engine),
        phase_(std::move(phase)),
        started_at_(definition.time->system_now()) {}

  /// Opens the channel. On an error the service runs without a channel.
  os::sys_result<void> open(const std::string& address) {
    auto opened = os::control_channel::open(
        address, [this](const std::string& request, const os::control_channel::response_writer& write) {
          handle_request(request, write);
        });
    if (!opened) return os::sys_failure(opened.error());
    channel_ = *std::move(opened);
    return {};
  }
  /// Stops accepting requests.
  void close() { channel_.reset(); }

  /// Reason that the operator gave within the last minute; empty if none. An older reason belongs to a stop that was
  /// rejected.
  [[nodiscard]] std::string recent_stop_reason() const {
    const std::lock_guard lock(mutex_);
    const bool is_recent = stop_reason_time_ && definition_.time->now() - *stop_reason_time_ < std::chrono::minutes(1);
    return is_recent ? stop_reason_ : std::string();
  }

  void handle_request(const std::string& request, const os::control_channel::response_writer& write);
  [[nodiscard]] std::string status() const;

 private:
  /// The changes that need a restart, separated by commas: a new program file, and settings of the settings file.
  [[nodiscard]] std::string pending_restart() const;
  [[nodiscard]] std::string control_result_text(const std::string& number) const;
  void send_log(log_level min_level, const os::control_channel::response_writer& write);

  /// The other connections remain free for other requests.
  static constexpr int max_followers = static_cast<int>(os::control_channel::max_connections) / 2;

  service_definition& definition_;
  server::engine& engine_;
  phase_function phase_;
  clock::system_time started_at_;
  const std::string program_ = os::executable_path();  // a file that replaces it later has another identity
  const std::optional<os::file_id> program_id_ = os::file_id_of(program_);
  mutable std::mutex mutex_;
  std::string stop_reason_;                            // under mutex_
  std::optional<clock::time_point> stop_reason_time_;  // under mutex_
  // Number of open log followers; each connection has its own thread. It orders no other data: relaxed would do.
  std::atomic<int> followers_{0};
  std::unique_ptr<os::control_channel> channel_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE std::string control_channel_server::status() const {
  const auto minute = engine_.statistics().last_minute(definition_.time->now());
  base::json_object_writer json;
  const auto put = [&json](std::string_view name, std::uint64_t value) { json.put(name, std::to_string(value)); };
  put("pid", os::process_id());
  json.put_text("name", definition_.spec.name)
      .put_text("version", definition_.version)
      .put_text("state", name(phase_()));
  json.put_text("url", engine_.address().url()).put_text("since", iso_time(started_at_));
  json.put_text_if_set("dashboard", definition_.dashboard_url(engine_.address().url()));
  put("answered", engine_.response_count());
  put("answered_in_minute", minute.count);
  put("failed_in_minute", minute.server_errors);
  put("p50_us", minute.p50);
  put("p99_us", minute.p99);
  put("in_flight", engine_.in_flight());
  put("connections", engine_.connections());
  put("websockets", engine_.websockets());
  put("threads", engine_.threads());
  const auto usage = os::query_process_usage();
  put("resident_bytes", usage.resident);
  put("cpu_ms", static_cast<std::uint64_t>(usage.cpu.count() / 1000));
  json.put_text("log_level", name(definition_.log.threshold()));
  json.put_text_if_set("pending_restart", pending_restart());
  if (const auto failure = definition_.log_failure ? definition_.log_failure() : std::nullopt)
    json.put_text("log_failure", failure->text_with_path());
  return json.text() + '\n';
}

WINSVC_INLINE std::string control_channel_server::pending_restart() const {
  std::vector<std::string> out;
  const auto current = os::file_id_of(program_);
  if (program_id_ && current && *current != *program_id_) out.emplace_back("program file");
  for (const auto& name : definition_.settings.pending_names()) out.push_back("setting " + name);
  return base::join(out, ", ");
}

WINSVC_INLINE void control_channel_server::send_log(log_level min_level,
                                                    const os::control_channel::response_writer& write) {
  const scope_exit remove_follower([this] { --followers_; });
  if (++followers_ > max_followers) {
    write("too many log followers (limit " + std::to_string(max_followers) + "); close one and try again\n");
    return;
  }
  const log::ring_sink& buffer = *definition_.recent_entries;
  for (std::uint64_t last = buffer.last_number(); write({});) {
    buffer.wait_after(last, std::chrono::milliseconds(250));
    for (const auto& line : buffer.after(last)) {
      const std::uint64_t missed = line.number - last - 1;  // lines were added faster than they were sent
      if (missed != 0 && !write("... " + std::to_string(missed) + " lines are not shown; see the log file\n")) return;
      last = line.number;
      if (line.entry.level >= min_level && !write(line.entry.line(os::utc_offset(line.entry.time)) + '\n')) return;
    }
  }
}

WINSVC_INLINE std::string control_channel_server::control_result_text(const std::string& number) const {
  for (const auto& hook : definition_.control_hooks) {
    if (std::to_string(hook.code) != number) continue;
    const auto last = definition_.last_control_results.last(hook.code);
    return std::to_string(last.count) + ' ' + std::to_string(last.code);
  }
  return "none";
}

WINSVC_INLINE void control_channel_server::handle_request(const std::string& request,
                                                          const os::control_channel::response_writer& write) {
  const auto blank = request.find(' ');
  const std::string word = request.substr(0, blank);
  const std::string argument = blank == request.npos ? std::string() : request.substr(blank + 1);
  const auto level = parse_log_level(argument);
  if (word == "status") {
    write(status());
  } else if (word == "level" && level) {
    definition_.log.threshold(*level);
    base::attempt([&] {
      definition_.log.write_always(log_level::info,
                                   "log level set to " + std::string(name(*level)) + " by the operator");
    });
    write("ok\n");
  } else if (word == "log" && level) {
    send_log(*level, write);
  } else if (word == "control") {
    write(control_result_text(argument) + '\n');
  } else if (word == "why") {
    const std::lock_guard lock(mutex_);
    stop_reason_ = argument;
    stop_reason_time_ = definition_.time->now();
    write("ok\n");
  } else {
    write("unknown request\n");  // a client of another version may send it
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
