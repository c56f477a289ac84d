// What controls ask for, beside a stop: pause, continue, reload, events, and controls of the app's own. The control
// handler queues it, the service's thread does it, one after the other.
//
// A hook that throws here is logged and ends nothing. One that hangs ends the service (host/hook_runner.hpp tells it).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/app/blueprint.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/own_settings.hpp"
#include "winsvc/host/reporter.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The result of a control of the app's own, on its way from the hook to the sender.
class awaited_result {
 public:
  void give(std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    code_ = code;
    given_.notify_all();
  }
  /// The code; `otherwise` when it does not come in time.
  std::uint32_t wait(std::chrono::milliseconds limit, std::uint32_t otherwise) {
    std::unique_lock lock(mutex_);
    given_.wait_for(lock, limit, [this] { return code_.has_value(); });
    return code_.value_or(otherwise);
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_;
  std::optional<std::uint32_t> code_;
};

/// One control on its way.
struct task {
  model::duty what = model::duty::nothing;
  model::control_event event;
  std::shared_ptr<awaited_result> result;  ///< of a control of the app's own
};

class duties {
 public:
  using event_function = std::function<void(model::event, const std::string&)>;

  /// `now` and the engine follow a pause.
  duties(blueprint& plan, logger& log, reporter& report, hook_runner& hooks, http::engine& engine,
         std::atomic<phase>& now, event_function on_event)
      : plan_(plan),
        log_(log),
        report_(report),
        hooks_(hooks),
        engine_(engine),
        now_(now),
        on_event_(std::move(on_event)) {}

  void perform(task& next);

  /// How long a pending state may be silent before the SCM should worry, beyond what the app allows.
  static constexpr std::chrono::milliseconds margin{5'000};

 private:
  void pause();
  void resume();
  void answer(task& next);
  bool run(const char* doing, const std::vector<named_hook>& hooks);
  bool read_certificates();
  template <class Event>
  void run(const char* doing, const std::vector<event_hook<Event>>& hooks, Event event);
  void tell(model::event what, const char* words);
  [[nodiscard]] std::chrono::milliseconds hint() const { return plan_.stop_limit + margin; }

  blueprint& plan_;
  logger& log_;
  reporter& report_;
  hook_runner& hooks_;
  http::engine& engine_;
  std::atomic<phase>& now_;
  event_function on_event_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class Event>
void duties::run(const char* doing, const std::vector<event_hook<Event>>& hooks, Event event) {
  const auto shared = std::make_shared<const Event>(std::move(event));
  for (const auto& hook : hooks) {
    const std::string name = "hook at " + hook.where.text();
    const ending how = hooks_.call(doing, name, [&hook, shared] { hook.body(*shared); }, plan_.stop_limit);
    if (how.what == ending::threw) log_.error(std::string(doing) + ": " + name + " threw: " + how.words);
    if (how.what == ending::silent) return;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void duties::perform(task& next) {
  switch (next.what) {
    case model::duty::pause: return pause();
    case model::duty::resume: return resume();
    case model::duty::reload:
      if (reload_settings(plan_) && run("reload", plan_.reload_hooks) && read_certificates())
        tell(model::event::reloaded, "reloaded");
      return;
    case model::duty::time: run("time change", plan_.time_hooks); return;
    case model::duty::session:
      return run("session change", plan_.session_hooks,
                 session_change{static_cast<session_change::kind>(next.event.type), next.event.session});
    case model::duty::power:
      return run("power event", plan_.power_hooks,
                 power_event{static_cast<power_event::kind>(next.event.type), next.event.setting, next.event.data});
    case model::duty::custom: return answer(next);
    case model::duty::stop:
    case model::duty::nothing: return;
  }
}

WINSVC_INLINE void duties::pause() {
  report_.apply(model::step::progress, hint());  // what stood before it in the queue is done
  engine_.pause(true);
  now_.store(phase::paused);
  const bool good = run("pause", plan_.pause_hooks);
  if (!good) {
    now_.store(phase::serving);
    engine_.pause(false);
  }
  // Not legal any more when a stop came meanwhile: it has the word then.
  if (report_.apply(good ? model::step::paused : model::step::refused) && good) tell(model::event::paused, "paused");
}

WINSVC_INLINE void duties::resume() {
  report_.apply(model::step::progress, hint());
  if (!run("continue", plan_.continue_hooks)) {
    report_.apply(model::step::refused);
    return;
  }
  now_.store(phase::serving);
  engine_.pause(false);
  if (report_.apply(model::step::resumed)) tell(model::event::continued, "continued");
}

WINSVC_INLINE void duties::answer(task& next) {
  std::uint32_t code = model::code::exception_in_service;
  for (const auto& hook : plan_.control_hooks) {
    if (hook.code != next.event.control) continue;
    const auto got = std::make_shared<std::uint32_t>(0);  // shared: a hook that was given up may still write it
    const std::string name = "on_control " + std::to_string(hook.code) + " at " + hook.where.text();
    const ending how = hooks_.call("control", name, [&hook, got] { *got = hook.body(hook.code); }, plan_.stop_limit);
    if (how.what == ending::done) code = *got;
    if (how.what == ending::threw) log_.error(name + " threw: " + how.words);
  }
  next.result->give(code);
}

/// In the order of registration. False: one threw, or hung; those behind it are not run.
WINSVC_INLINE bool duties::run(const char* doing, const std::vector<named_hook>& hooks) {
  hooks_.announce(doing, [h = hint()] { return h; });  // by value: a hook that was given up may outlive us
  bool first = true;
  for (const auto& hook : hooks) {
    if (!std::exchange(first, false)) report_.apply(model::step::progress, hint());  // the one before is done
    const ending how = hooks_.call(doing, hook, plan_.stop_limit);
    if (how.what == ending::threw) log_.error(std::string(doing) + ": " + hook.text() + " threw: " + how.words);
    if (how.what != ending::done) return false;
  }
  return true;
}

/// Anew, for connections from now on. False: they cannot be used, and those that could be stay.
WINSVC_INLINE bool duties::read_certificates() {
  if (!plan_.tls) return true;
  auto identity = http::tls_identity::load(*plan_.tls);
  if (identity) engine_.tls(*identity);
  else log_.error("reload: " + identity.error().sentence() + "; the certificate from before is used on");
  return static_cast<bool>(identity);
}

WINSVC_INLINE void duties::tell(model::event what, const char* words) {
  log_.info(words);
  if (on_event_) on_event_(what, plan_.spec.name + ' ' + words);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
