// Keyboard of `debug`: a key sends a control, as the SCM would. A status line at the bottom of the terminal shows the
// load.
//
//   p pause   c continue   r reload   d preshutdown   l log level   s status   q stop
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/log/console_sink.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

inline constexpr const char* keys_help = "p pause  c continue  r reload  d preshutdown  l log level  s status  q stop";

/// Reads keys and updates the status line while it exists. Does nothing if there is no terminal.
class console_keys {
 public:
  console_keys(service_definition& definition, runtime& service, std::shared_ptr<log::console_sink> screen)
      : definition_(definition),
        service_(service),
        console_(std::move(screen)),
        keys_([this](char key) { on_key(key); }) {
    // Without a thread there is no status line.
    if (keys_.is_active())
      base::attempt([this] { status_thread_ = os::start_thread([this] { update_status_line(); }); });
  }
  ~console_keys() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      stop_signal_.notify_all();
    }
    if (status_thread_.joinable()) status_thread_.join();
    console_->set_status_line({});
  }
  console_keys(const console_keys&) = delete;
  console_keys& operator=(const console_keys&) = delete;
  [[nodiscard]] bool is_active() const noexcept { return keys_.is_active(); }

 private:
  void on_key(char key);
  void send_control(scm::control control, const char* hook);
  void update_status_line();

  service_definition& definition_;
  runtime& service_;
  std::shared_ptr<log::console_sink> console_;
  std::mutex mutex_;
  std::condition_variable stop_signal_;
  bool stopping_ = false;
  std::thread status_thread_;
  os::key_reader keys_;  // last: its thread ends before the members that it uses
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void console_keys::send_control(scm::control control, const char* hook) {
  const std::uint32_t code = service_.control({static_cast<std::uint32_t>(control), 0, 0, {}, {}});
  if (code == 0) return;
  definition_.log.warn(std::string(hook) + ": " + os::explained_message(code) + " (" + std::to_string(code) +
                       "); register a hook for it in the app");
}

WINSVC_INLINE void console_keys::on_key(char key) {
  switch (base::to_lower(key)) {
    case 'p': return send_control(scm::control::pause, "pause");
    case 'c': return send_control(scm::control::continue_control, "continue");
    case 'r': return send_control(scm::control::param_change, "reload");
    case 'd': return send_control(scm::control::preshutdown, "preshutdown");
    case 'q': static_cast<void>(service_.request_stop("q")); return;
    case 's': return console_->write_lines(format_live_status(service_.status()));
    case 'l': {
      const auto current = definition_.log.threshold();
      const auto next =
          current == log_level::error ? log_level::debug : static_cast<log_level>(static_cast<int>(current) + 1);
      definition_.log.threshold(next);
      return console_->write_lines("  log      " + std::string(name(next)) + " and above\n");
    }
    case '?':
    case 'h': return console_->write_lines(std::string("  ") + keys_help + '\n');
    default: return;
  }
}

/// Updates the status line once per second.
WINSVC_INLINE void console_keys::update_status_line() {
  std::unique_lock lock(mutex_);
  while (!stop_signal_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) {
    lock.unlock();
    base::attempt([this] {  // out of memory: the line of the second before stays
      if (const auto counters = service_.counters())
        console_->set_status_line(std::to_string(counters->responses) + " responses/s, " +
                                  std::to_string(counters->in_flight) + " in flight, " +
                                  std::to_string(counters->connections) + " connections");
    });
    lock.lock();
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
