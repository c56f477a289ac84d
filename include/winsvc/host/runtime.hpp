// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter,
// a way to ask for a stop, and a thread; what differs between hosts is only where a stop comes from.
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

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_settings {
  model::launch_options launch;        ///< from the command line: goes before what App said
  std::vector<std::string> arguments;  ///< of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< RUNNING was reported
  std::function<void(const http::access_entry&)> on_answered;
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> why;  ///< of a failure
  /// A handler or a worker did not return. The process must end without waiting for it, and the runtime, the blueprint
  /// and the app's object must stay as they are until it does.
  bool stuck = false;
};

class runtime {
 public:
  runtime(blueprint& plan, reporter& report, run_settings settings)
      : plan_(plan), report_(report), settings_(std::move(settings)), limit_(plan.stop_limit) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled,
  /// and nothing is written or waited for: it may be the control handler's thread.
  /// `limit`: how long requests in flight may take; default the app's stop_limit.
  void request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit = {});

  /// How long a start may be silent before the SCM should worry: Windows takes 30 s for hung.
  static constexpr std::chrono::milliseconds start_hint{30'000};

 private:
  void fail(error why);
  void start_guarded();
  bool start();
  bool run_start_hooks();
  void start_workers();
  void drain();
  void run_stop_hooks();
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
  std::string stop_reason_;                           // under mutex_
  std::atomic<std::chrono::milliseconds> limit_;      // set again at most once, before stop_ is requested
  std::atomic<bool> ready_{false};
  std::unique_ptr<http::engine> engine_;
  std::list<running_worker> workers_;
  std::vector<std::pair<undo, source>> undos_;        // in the order they are to be run backwards
  bool stuck_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void runtime::request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_asked_) return;
    stop_reason_ = why;
    stop_asked_ = true;
    if (limit) limit_ = *limit;
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    report_.apply(model::step::stop, stop_hint());
  }
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
  start_guarded();
  report_.apply(model::step::stop, stop_hint());  // after a failure nobody has asked for it
  if (engine_) drain();
  run_stop_hooks();

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.why = failure_;
  }
  if (result.why) result.exit = model::failure_status(result.why->code);
  result.stuck = stuck_;
  plan_.log.info(result.why ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  return result;
}

/// From the start to the request to stop, or to the first failure.
inline void runtime::start_guarded() {
  try {
    if (!start()) return;
    stop_.token().wait();
  } catch (const std::exception& e) {  // no memory, no thread to be had
    fail({model::code::exception_in_service, "start", plan_.spec.name, e.what(), {}});
  } catch (...) {
    fail({model::code::exception_in_service,
          "start",
          plan_.spec.name,
          "something that is no std::exception was thrown",
          {}});
  }
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
inline bool runtime::start() {
  add_health_routes(plan_, ready_);
  plan_.router.freeze();
  if (!run_start_hooks() || stop_.token().stop_requested()) return false;

  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  if (auto bound =
          engine_->bind(settings_.launch.host.value_or(plan_.host), settings_.launch.port.value_or(plan_.port));
      !bound) {
    fail(bound.error());
    return false;
  }
  if (settings_.on_answered) engine_->on_answered(settings_.on_answered);
  const os::endpoint address = engine_->address();
  if (settings_.on_listening)
    settings_.on_listening(address);  // before RUNNING: who waited for that may ask where at once

  ready_.store(true);
  if (!report_.apply(model::step::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info("listening on http://" + address.text());
  if (settings_.on_running) settings_.on_running(address);
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
    if (stop_.token().stop_requested()) return false;
    if (hook.stop) undos_.emplace_back(hook.stop, hook.where);
    if (!hook.start) continue;
    const auto threw = [&](const std::string& what) {
      fail({model::code::exception_in_service,
            "start",
            plan_.spec.name,
            "on_start at " + hook.where.text() + " threw: " + what,
            {}});
      return false;
    };
    try {
      if (undo back = hook.start(context)) undos_.emplace_back(std::move(back), hook.where);
    } catch (const std::exception& e) {
      return threw(e.what());
    } catch (...) {
      return threw("something that is no std::exception");
    }
  }
  return true;
}

inline void runtime::start_workers() {
  for (const auto& w : plan_.workers) {
    auto& mine = workers_.emplace_back();
    mine.what = &w;
    const auto body = [this, &mine] {
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
    };
    try {
      mine.thread = std::thread(body);
    } catch (...) {
      workers_.pop_back();  // the drain joins those that run, and no other
      throw;
    }
  }
}

inline void runtime::drain() {
  ready_.store(false);
  {
    const std::lock_guard lock(mutex_);
    if (!stop_reason_.empty()) plan_.log.info("stopping: " + stop_reason_);
  }
  worker_stop_.request_stop();
  const auto progress = [this] { report_.apply(model::step::progress, stop_hint()); };
  const std::chrono::milliseconds limit = limit_;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto drained = engine_->drain(limit, progress);
  if (drained.answered != 0 || drained.cut != 0) {
    plan_.log.info("drained: " + std::to_string(drained.answered) + " answered, " + std::to_string(drained.cut) +
                   " cut");
  }
  if (drained.stuck != 0) {
    stuck_ = true;
    plan_.log.error(std::to_string(drained.stuck) + " request handler(s) did not return within " +
                    duration_text(limit));
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
  if (stuck_ && !undos_.empty()) {  // they would tear down what a handler or worker still stands on
    plan_.log.error("the stop hooks are not run: a handler or worker still does");
    return;
  }
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

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
