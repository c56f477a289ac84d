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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/json_text.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Serves them while it lives. Made when the engine listens, gone before it goes.
class inquiries {
 public:
  inquiries(blueprint& plan, http::engine& engine, const std::atomic<phase>& now)
      : plan_(plan), engine_(engine), now_(now), since_(clock::system().wall()) {}

  /// False, with a code: there is no channel. The service does without.
  os::sys_result<void> open(const std::string& address) {
    auto made = os::channel::open(address, [this](const std::string& asked, const os::channel::voice& say) {
      answer(asked, say);
    });
    if (!made) return os::sys_failure(made.error());
    channel_ = *std::move(made);
    return {};
  }
  /// Answers no more.
  void close() { channel_.reset(); }

  /// What the operator said of the stop that comes, within the last minute; empty: nothing. An older word is of a stop that
  /// was refused.
  [[nodiscard]] std::string why() const {
    const std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::now() - why_when_ < std::chrono::minutes(1) ? why_ : std::string();
  }

  void answer(const std::string& asked, const os::channel::voice& say);
  [[nodiscard]] std::string status() const;

 private:
  void send_log(log_level least, const os::channel::voice& say);

  /// The others of those who can be answered at once are for questions.
  static constexpr int most_followers = static_cast<int>(os::channel::at_once) / 2;

  blueprint& plan_;
  http::engine& engine_;
  const std::atomic<phase>& now_;
  clock::wall_point since_;
  mutable std::mutex mutex_;
  std::string why_;                                // under mutex_
  std::chrono::steady_clock::time_point why_when_;  // under mutex_
  std::atomic<int> followers_{0};
  std::unique_ptr<os::channel> channel_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string inquiries::status() const {
  const auto minute = engine_.pulse().minute(std::chrono::steady_clock::now());
  text::json_object o;
  const auto put = [&o](std::string_view name, std::uint64_t value) { o.put(name, std::to_string(value)); };
  put("pid", os::process_id());
  o.put_text("name", plan_.spec.name).put_text("version", plan_.version).put_text("state", name(now_.load()));
  o.put_text("url", engine_.address().url()).put_text("since", iso_time(since_));
  put("answered", engine_.answered());
  put("answered_in_minute", minute.count);
  put("failed_in_minute", minute.failed);
  put("p50_us", minute.p50);
  put("p99_us", minute.p99);
  put("in_flight", engine_.in_flight());
  put("connections", engine_.connections());
  put("websockets", engine_.websockets());
  put("threads", engine_.threads());
  const auto usage = os::usage();
  put("resident_bytes", usage.resident);
  put("cpu_ms", static_cast<std::uint64_t>(usage.cpu.count() / 1000));
  o.put_text("log_level", name(plan_.log.threshold()));
  return o.text() + '\n';
}

WINSVC_INLINE void inquiries::send_log(log_level least, const os::channel::voice& say) {
  const scope_exit gone([this] { --followers_; });
  if (++followers_ > most_followers) {
    say("so many follow the log already: " + std::to_string(most_followers) + '\n');
    return;
  }
  const recent_log& lines = *plan_.recent;
  for (std::uint64_t seen = lines.last(); say({});) {
    lines.wait(seen, std::chrono::milliseconds(250));
    for (const auto& line : lines.after(seen)) {
      const std::uint64_t missed = line.number - seen - 1;  // they came faster than they were sent
      if (missed != 0 && !say("... " + std::to_string(missed) + " lines are not shown: the log file has them\n")) return;
      seen = line.number;
      if (line.entry.level >= least && !say(line.entry.line(os::utc_offset(line.entry.when)) + '\n')) return;
    }
  }
}

WINSVC_INLINE void inquiries::answer(const std::string& asked, const os::channel::voice& say) {
  const auto blank = asked.find(' ');
  const std::string word = asked.substr(0, blank), rest = blank == asked.npos ? std::string() : asked.substr(blank + 1);
  const auto level = parse_log_level(rest);
  if (word == "status") {
    say(status());
  } else if (word == "level" && level) {
    plan_.log.threshold(*level);
    plan_.log.tell(log_level::info, "the log keeps " + std::string(name(*level)) + " and above: the operator asked for it");
    say("ok\n");
  } else if (word == "log" && level) {
    send_log(*level, say);
  } else if (word == "why") {
    const std::lock_guard lock(mutex_);
    why_ = rest;
    why_when_ = std::chrono::steady_clock::now();
    say("ok\n");
  } else {
    say("not understood\n");  // of another version of the program, say
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
