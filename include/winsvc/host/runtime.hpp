// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter, a
// way to ask for a stop, and a thread; what differs between hosts is only where a stop comes from.
//
//   START_PENDING → start hooks → bind → RUNNING → accept, workers
//   STOP_PENDING → /readyz 503 → listener closed → requests answered → workers joined → stop hooks in reverse → done
//
// The host reports the STOPPED that follows, as its last act.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/reporter.hpp"
#include "winsvc/host/service.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/state_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_settings {
  model::listen_options listen;        ///< from the command line: goes before what App said
  std::vector<std::string> arguments;  ///< of StartService
  std::string state_file;              ///< where to leave a model::service_state; empty: nowhere
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const http::access_entry&)> on_answered;
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> why;  ///< of a failure
  /// A handler, hook or worker did not return: the process must end without waiting for it.
  bool stuck = false;
};

class runtime {
 public:
  runtime(blueprint& plan, reporter& report, run_settings settings)
      : plan_(plan), report_(report), settings_(std::move(settings)) {}
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled.
  /// `limit`: how long requests in flight may take; default the app's stop_limit.
  void request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit = {});

  /// How long a start may be silent before the SCM should worry: Windows takes 30 s for hung.
  static constexpr std::chrono::milliseconds start_hint{30'000};

 private:
  void fail(error why);
  bool start();
  bool run_start_hooks();
  void start_workers();
  void drain();
  void run_stop_hooks();
  void leave_state() const;
  std::chrono::milliseconds stop_hint() const { return limit_.load() + std::chrono::seconds(5); }

  struct running_worker {
    const worker* what = nullptr;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  blueprint& plan_;
  reporter& report_;
  run_settings settings_;
  stop_source stop_;          // of the service
  stop_source worker_stop_;   // of the workers: they work until the drain has begun
  std::mutex mutex_;
  std::condition_variable worker_ended_;
  std::optional<error> failure_;                      // under mutex_; the first one
  bool stop_asked_ = false;                           // under mutex_
  std::atomic<std::chrono::milliseconds> limit_{std::chrono::milliseconds(0)};  // set once, before stop_ is requested
  std::atomic<bool> ready_{false};
  std::unique_ptr<http::engine> engine_;
  std::list<running_worker> workers_;
  std::vector<std::pair<undo, source>> undos_;        // in the order they are to be run backwards
  model::service_state state_;
  bool stuck_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline runtime::~runtime() {
  if (!stuck_) return;
  // Threads of ours still run user code. They hold on to the engine and to their own records, so both are left to them;
  // the host ends the process at once.
  static_cast<void>(engine_.release());
  for (auto& w : workers_) {
    if (w.thread.joinable()) w.thread.detach();
  }
}

inline void runtime::request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_asked_) return;
    stop_asked_ = true;
    limit_ = limit.value_or(plan_.stop_limit);
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    report_.apply(model::step::stop, stop_hint());
  }
  plan_.log.info("stopping: " + std::string(why));
  stop_.request_stop();
}

inline void runtime::fail(error why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
  }
  plan_.log.error(why.sentence());
}

inline run_result runtime::run() {
  plan_.frozen = true;
  limit_ = plan_.stop_limit;
  if (start()) {
    stop_.token().wait();
    drain();
  }
  run_stop_hooks();

  run_result result;
  const std::lock_guard lock(mutex_);
  result.why = failure_;
  if (failure_) result.exit = model::failure_status(failure_->code);
  result.stuck = stuck_;
  state_.url.clear();
  state_.failure = failure_ ? failure_->sentence() : std::string();
  leave_state();
  plan_.log.info(failure_ ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  return result;
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
inline bool runtime::start() {
  try {
    add_health_routes(plan_, ready_);
    plan_.router.freeze();
  } catch (const setup_error& e) {
    fail({model::code::exception_in_service, "start", plan_.spec.name, e.what(), {}});
    return false;
  }
  if (!run_start_hooks() || stop_.token().stop_requested()) return false;

  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  if (auto bound = engine_->bind(settings_.listen.host.value_or(plan_.host), settings_.listen.port.value_or(plan_.port)); !bound) {
    fail(bound.error());
    return false;
  }
  if (settings_.on_answered) engine_->on_answered(settings_.on_answered);
  const os::endpoint address = engine_->address();
  state_ = {os::process_id(), "http://" + address.text(), iso_time(clock::system().wall()), {}};
  leave_state();  // before RUNNING: whoever waited for that may ask for the address at once
  if (settings_.on_listening) settings_.on_listening(address);

  ready_.store(true);
  if (!report_.apply(model::step::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info("listening on " + state_.url);
  engine_->accept();
  start_workers();
  return true;
}

inline bool runtime::run_start_hooks() {
  start_context context(
      [this](std::string_view what, unsigned step, unsigned of) {
        std::string line = "starting: " + std::string(what);
        if (of != 0) line += " (" + std::to_string(step) + " of " + std::to_string(of) + ")";
        plan_.log.info(std::move(line));
        report_.apply(model::step::progress, start_hint);
      },
      stop_.token(), settings_.arguments);

  for (auto& hook : plan_.hooks) {
    if (hook.stop) undos_.emplace_back(hook.stop, hook.where);
    if (!hook.start) continue;
    const auto threw = [&](const std::string& what) {
      fail({model::code::exception_in_service, "start", plan_.spec.name, "on_start at " + hook.where.text() + " threw: " + what, {}});
      return false;
    };
    try {
      if (undo back = hook.start(context)) undos_.emplace_back(std::move(back), hook.where);
    } catch (const std::exception& e) {
      return threw(e.what());
    } catch (...) {
      return threw("something that is no std::exception");
    }
    if (stop_.token().stop_requested()) return false;
  }
  return true;
}

inline void runtime::start_workers() {
  for (const auto& w : plan_.workers) {
    auto& mine = workers_.emplace_back();
    mine.what = &w;
    mine.thread = std::thread([this, &mine] {
      const auto threw = [&](const std::string& what) {
        fail({model::code::exception_in_service, "run worker", mine.what->name, "it threw: " + what, {}});
        request_stop("worker '" + mine.what->name + "' failed");
      };
      try {
        mine.what->body(worker_stop_.token());
      } catch (const std::exception& e) {
        threw(e.what());
      } catch (...) {
        threw("something that is no std::exception");
      }
      const std::lock_guard lock(mutex_);
      mine.ended = true;
      worker_ended_.notify_all();
    });
  }
}

inline void runtime::drain() {
  ready_.store(false);
  worker_stop_.request_stop();
  const auto progress = [this] { report_.apply(model::step::progress, stop_hint()); };
  const std::chrono::milliseconds limit = limit_;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto drained = engine_->drain(limit, progress);
  if (drained.answered != 0 || drained.cut != 0) {
    plan_.log.info("drained: " + std::to_string(drained.answered) + " answered, " + std::to_string(drained.cut) + " cut");
  }
  if (drained.stuck != 0) {
    stuck_ = true;
    plan_.log.error(std::to_string(drained.stuck) + " request handler(s) did not return within " + duration_text(limit));
  }

  const auto one_second_more = (std::max)(until, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  for (auto& w : workers_) {
    std::unique_lock lock(mutex_);
    const bool ended = worker_ended_.wait_until(lock, one_second_more, [&w] { return w.ended; });
    lock.unlock();
    if (ended) {
      w.thread.join();
      progress();
    } else {
      stuck_ = true;
      plan_.log.error("worker '" + w.what->name + "' did not return within " + duration_text(limit));
    }
  }
}

inline void runtime::run_stop_hooks() {
  // After a failed start nobody has asked for a stop: say it, so that the hooks' time is not taken for a hang.
  report_.apply(model::step::stop, stop_hint());
  for (; !undos_.empty(); undos_.pop_back()) {
    const auto& [back, where] = undos_.back();
    const auto threw = [&, at = where](const std::string& what) {
      // It is logged and does not make a stop that was asked for a failure: the SCM would start the service again.
      plan_.log.error("stop hook of " + at.text() + " threw: " + what);
    };
    try {
      back();
    } catch (const std::exception& e) {
      threw(e.what());
    } catch (...) {
      threw("something that is no std::exception");
    }
    report_.apply(model::step::progress, stop_hint());
  }
}

inline void runtime::leave_state() const {
  if (settings_.state_file.empty()) return;
  if (auto left = os::replace_file(settings_.state_file, model::to_text(state_)); !left) {
    plan_.log.warn("the state file '" + settings_.state_file + "' could not be written: " + os::system_words(left.error()));
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
