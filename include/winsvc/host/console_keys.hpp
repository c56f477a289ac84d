// The keys of `debug`: what a control of the SCM's would do, at a keypress, and a line at the bottom of the terminal that
// says how it goes.
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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/console_log.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

inline constexpr const char* keys_help = "p pause  c continue  r reload  d preshutdown  l log level  s status  q stop";

/// While it lives, keys work and the line is there; where nobody sits at a terminal, nothing happens.
class console_keys {
 public:
  console_keys(blueprint& plan, runtime& service, std::shared_ptr<console_log> screen)
      : plan_(plan), service_(service), screen_(std::move(screen)), keys_([this](char key) { press(key); }) {
    if (keys_.are_read()) ticker_ = std::thread([this] { tick(); });
  }
  ~console_keys() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      ends_.notify_all();
    }
    if (ticker_.joinable()) ticker_.join();
    screen_->bottom({});
  }
  console_keys(const console_keys&) = delete;
  console_keys& operator=(const console_keys&) = delete;
  [[nodiscard]] bool are_read() const noexcept { return keys_.are_read(); }

 private:
  void press(char key);
  void send(model::control what, const char* hook);
  void tick();

  blueprint& plan_;
  runtime& service_;
  std::shared_ptr<console_log> screen_;
  std::mutex mutex_;
  std::condition_variable ends_;
  bool over_ = false;
  std::thread ticker_;
  os::keys keys_;  // the last: its thread ends before what it uses
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void console_keys::send(model::control what, const char* hook) {
  const std::uint32_t code = service_.control({static_cast<std::uint32_t>(what), 0, 0, {}, {}});
  if (code == 0) return;
  const auto* row = model::explain(code);
  plan_.log.warn(std::string(hook) + ": " + (row ? std::string(row->said) : os::system_words(code)) + " (" +
                 std::to_string(code) + "); it needs a hook of the app");
}

WINSVC_INLINE void console_keys::press(char key) {
  switch (text::to_lower(key)) {
    case 'p': return send(model::control::pause, "pause");
    case 'c': return send(model::control::resume, "continue");
    case 'r': return send(model::control::param_change, "reload");
    case 'd': return send(model::control::preshutdown, "preshutdown");
    case 'q': return service_.request_stop("q");
    case 's': return screen_->say(live_text(service_.status()));
    case 'l': {
      const auto now = plan_.log.threshold();
      const auto next = now == log_level::error ? log_level::debug : static_cast<log_level>(static_cast<int>(now) + 1);
      plan_.log.threshold(next);
      return screen_->say("  log      " + std::string(name(next)) + " and above\n");
    }
    case '?':
    case 'h': return screen_->say(std::string("  ") + keys_help + '\n');
    default: return;
  }
}

/// Once a second, where somebody looks.
WINSVC_INLINE void console_keys::tick() {
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, std::chrono::seconds(1), [this] { return over_; })) {
    lock.unlock();
    if (const auto now = service_.vitals())
      screen_->bottom(std::to_string(now->answered) + " a second, " + std::to_string(now->in_flight) + " in flight, " +
                      std::to_string(now->connections) + " connections");
    lock.lock();
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
