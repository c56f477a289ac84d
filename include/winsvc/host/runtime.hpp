// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter,
// controls, and a thread; what differs between hosts is only where a stop comes from.
//
//   START_PENDING -> start hooks -> bind -> RUNNING -> accept, workers -> controls, one after the other
//   STOP_PENDING -> /readyz 503 -> listener closed -> requests answered -> workers joined ->
//     stop hooks in reverse -> done
//
// The host reports the STOPPED that follows, as its last act. The thread that calls `run` never runs a hook itself: it
// waits beside the one that does (host/hook_runner.hpp), so that a hook that hangs is named and not waited for for
// ever.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/duties.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/hook_runner.hpp"
#include "winsvc/host/inquiries.hpp"
#include "winsvc/host/reporter.hpp"
#include "winsvc/host/settings_watch.hpp"
#include "winsvc/host/worker_pool.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/http/upload_folder.hpp"
#include "winsvc/model/events.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/stop_limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_settings {
  std::vector<std::string> arguments;  ///< of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< RUNNING was reported
  std::function<void(const http::access_entry&)> on_answered;
  std::function<void(model::event, const std::string&)> on_event;  ///< paused, continued, reloaded
  /// How long an address that this machine has not got is waited for: at boot it may be on its way (10049).
  std::chrono::milliseconds address_patience{0};
  std::chrono::milliseconds address_pause{500};  ///< between two attempts
  std::string channel;  ///< where the operator asks (os/channel.hpp); empty: nowhere
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> why;  ///< of a failure
  std::optional<error> cut;  ///< the stop was asked for and came, and this did not end in time
  /// A hook, handler or worker did not return. The process must end without waiting for it, and the runtime, the
  /// blueprint and the app's object must stay as they are until it does.
  bool stuck = false;
};

class runtime {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;

  runtime(blueprint& plan, reporter& report, run_settings settings)
      : plan_(plan), report_(report), settings_(std::move(settings)), limit_(plan.stop_limit),
        hooks_(plan, report, [this](const std::string& doing, const std::string& hook, milliseconds limit) {
          gave_up(doing, hook, limit);
        }) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// A control of the SCM's: publishes what follows from it, hands the work on and returns, at the latest after
  /// `control_patience`. From any thread.
  std::uint32_t control(const model::control_event& event);
  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled.
  /// `limit`: how long requests in flight and each hook may take, default the app's stop_limit; `in_all`: everything.
  void request_stop(std::string_view why, std::optional<milliseconds> limit = {},
                    std::optional<milliseconds> in_all = {});

  /// What it says of itself to the operator; empty before it listens and after it stopped. From any thread.
  [[nodiscard]] std::string status() const {
    const auto now = phase_.load();
    return now == phase::serving || now == phase::paused ? inquiries_->status() : std::string();
  }
  /// How it goes, in the second that is over.
  struct vital_signs {
    std::size_t answered = 0, in_flight = 0, connections = 0;
  };
  [[nodiscard]] std::optional<vital_signs> vitals() const;

  /// How long the sender of a control of the app's own waits for its result.
  static constexpr milliseconds control_patience{500};
  /// And what it gets when the result is later than that: ERROR_IO_PENDING.
  static constexpr std::uint32_t still_at_work = 997;

 private:
  void fail(error why);
  bool start();
  bool run_start_hooks();
  bool bind();
  void open_channel();
  void start_workers();
  void watch_settings();
  void serve();
  void gave_up(const std::string& doing, const std::string& hook, milliseconds limit);
  void drain();
  void run_stop_hooks();
  void was_cut(std::string what);

  void note_stop(std::string_view why, milliseconds limit, std::optional<milliseconds> in_all);  // under mutex_
  void signal_stop();
  [[nodiscard]] milliseconds start_hint() const { return plan_.start_limit + duties::margin; }
  [[nodiscard]] milliseconds stop_hint() const { return limit_.load() + duties::margin; }
  [[nodiscard]] static milliseconds left_of(time_point until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    return (std::max)(left, milliseconds(0));
  }

  blueprint& plan_;
  reporter& report_;
  run_settings settings_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<task> tasks_;               // under mutex_
  bool stop_asked_ = false;              // under mutex_
  std::optional<error> failure_;         // under mutex_; the first one
  std::string stop_reason_;              // under mutex_
  std::atomic<milliseconds> limit_;      // set again at most once, before stop_ is requested
  std::atomic<time_point> all_by_{(time_point::max)()};  // likewise
  std::atomic<phase> phase_{phase::starting};
  std::unique_ptr<http::engine> engine_;
  std::unique_ptr<inquiries> inquiries_;
  std::unique_ptr<worker_pool> workers_;
  std::unique_ptr<settings_watch> watch_;
  std::vector<named_hook> undos_;        // in the order they are to be run backwards
  std::vector<std::string> cut_;
  bool stuck_ = false;
  hook_runner hooks_;                    // last: its thread ends before what hooks use
};

// ---------------------------------------------------------------------------------------------------------------------

// -- from any thread --

// -- the run --

// -- hooks that hang --

// -- the stop --

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::uint32_t runtime::control(const model::control_event& event) {
  std::shared_ptr<awaited_result> result;
  {
    const std::lock_guard lock(mutex_);
    const auto limits = model::stop_limits_for(event.control, plan_.stop_limit, plan_.spec.preshutdown);
    const auto decided = report_.take(event.control, limits.each + duties::margin);
    if (decided.then == model::duty::nothing) return decided.answer;
    if (decided.then == model::duty::stop) {
      note_stop(event.control == static_cast<std::uint32_t>(model::control::stop)
                    ? "the service control manager asked for it"
                    : "the machine shuts down",
                limits.each, limits.in_all);
    } else {
      if (decided.then == model::duty::custom) result = std::make_shared<awaited_result>();
      tasks_.push_back({decided.then, event, result});
      wake_.notify_all();
    }
  }
  if (!result) {
    signal_stop();
    return 0;
  }
  return result->wait(control_patience, still_at_work);
}

WINSVC_INLINE void runtime::request_stop(std::string_view why, std::optional<milliseconds> limit,
                                  std::optional<milliseconds> in_all) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_asked_) return;
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    report_.apply(model::step::stop, limit.value_or(plan_.stop_limit) + duties::margin);
    note_stop(why, limit.value_or(plan_.stop_limit), in_all);
  }
  signal_stop();
}

WINSVC_INLINE void runtime::note_stop(std::string_view why, milliseconds limit, std::optional<milliseconds> in_all) {
  if (stop_asked_) return;
  stop_asked_ = true;
  if (in_all) all_by_ = std::chrono::steady_clock::now() + *in_all;
  stop_reason_ = why;
  limit_ = limit;
  wake_.notify_all();
}

/// Outside the lock: a hook may be waiting for it, or for the token.
WINSVC_INLINE void runtime::signal_stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_asked_) return;
  }
  hooks_.hurry(limit_, all_by_);
  stop_.request_stop();
}

WINSVC_INLINE void runtime::fail(error why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
  }
  plan_.log.error(why.sentence());
}

WINSVC_INLINE run_result runtime::run() {
  plan_.frozen = true;
  try {
    if (start()) serve();
  } catch (const std::exception& e) {  // no memory, no thread to be had
    fail({model::code::exception_in_service, "start", plan_.spec.name, e.what(), {}});
  } catch (...) {
    fail({model::code::exception_in_service, "start", plan_.spec.name, "something that is no std::exception was thrown",
          {}});
  }
  report_.apply(model::step::stop, stop_hint());  // after a failure nobody has asked for it
  if (engine_) drain();
  run_stop_hooks();
  if (inquiries_) inquiries_->close();

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.why = failure_;
  }
  if (result.why) result.exit = model::failure_status(result.why->code);
  else if (!cut_.empty()) result.cut = error{model::code::timeout, "stop", plan_.spec.name, text::join(cut_, "; "), {}};
  result.stuck = stuck_;
  plan_.log.info(result.why ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  if (plan_.is_log_behind()) {  // who waited for it would wait for ever, perhaps
    result.stuck = true;
    if (!result.why && !result.cut)
      result.cut = error{model::code::timeout, "stop", plan_.spec.name, "a sink of the log did not take its last lines", {}};
  }
  return result;
}

/// Uploads arrive in the data folder, where what they hold is as closed to others as all else of the service.
WINSVC_INLINE void prepare_uploads(blueprint& plan) {
  const std::string folder = plan.folder();
  if (folder.empty()) return;
  plan.router.upload_folder = os::path_join(folder, "uploads");
  http::drop_old_uploads(plan.router.upload_folder);
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
WINSVC_INLINE bool runtime::start() {
  add_health_routes(plan_, phase_);
  if (plan_.router.takes_uploads()) prepare_uploads(plan_);
  plan_.router.freeze();
  report_.accepts(plan_.accepts());
  report_.apply(model::step::progress, start_hint());  // the app is described: from here on its own limit counts
  if (!run_start_hooks() || stop_.token().stop_requested() || !bind()) return false;
  open_channel();
  if (settings_.on_answered) engine_->on_answered(settings_.on_answered);
  const os::endpoint address = engine_->address();
  if (settings_.on_listening) settings_.on_listening(address);  // before RUNNING: who waits for that may ask at once

  phase_.store(phase::serving);
  if (!report_.apply(model::step::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info(std::string("listening on ") + (address.tls ? "https://" : "http://") + address.text());
  if (settings_.on_running) settings_.on_running(address);
  engine_->accept();
  start_workers();
  watch_settings();
  return true;
}

WINSVC_INLINE bool runtime::run_start_hooks() {
  hooks_.announce_start([this] { return stop_.token().stop_requested() ? stop_hint() : start_hint(); }, stop_.token(),
                        settings_.arguments);
  bool first = true;
  for (auto& hook : plan_.hooks) {
    if (stop_.token().stop_requested()) return false;
    if (hook.stop.body) undos_.push_back(hook.stop);
    if (!hook.start) continue;
    if (!std::exchange(first, false)) report_.apply(model::step::progress, start_hint());  // the one before is done

    undo back;
    const ending how = hooks_.call(hook, back, plan_.start_limit);
    if (how.what == ending::silent) return false;
    if (how.what == ending::threw) {
      const std::string said = hook.stop.text() + " threw: " + how.words;
      // Of a start that is to stop, an exception is one way of leaving.
      if (stop_.token().stop_requested()) plan_.log.warn("the start was cancelled: " + said);
      else fail({model::code::exception_in_service, "start", plan_.spec.name, said, {}});
      return false;
    }
    if (back) undos_.push_back({hook.stop.name, hook.stop.where, std::move(back)});
  }
  return true;
}

/// Binds. An address that is not there yet is tried again for a while; each attempt is a checkpoint.
WINSVC_INLINE bool runtime::bind() {
  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  for (const auto& tell : plan_.on_engine) tell(*engine_);
  for (const auto& f : plan_.router.folders) {
    if (!os::real_folder(f.folder))
      plan_.log.warn("files '" + f.prefix + "' (" + f.where.text() + "): the folder '" + f.folder +
                     "' is not there; its paths are 404 until it is");
  }
  if (plan_.tls) {
    auto identity = http::tls_identity::load(*plan_.tls);
    if (!identity) {
      fail(identity.error());
      return false;
    }
    engine_->tls(*identity);
  }
  const auto until = std::chrono::steady_clock::now() + settings_.address_patience;
  for (bool first = true;; first = false) {
    const auto bound = engine_->bind(plan_.host, plan_.port);
    if (bound) return true;
    if (bound.error().code != model::code::address_not_available || std::chrono::steady_clock::now() >= until) {
      fail(bound.error());
      return false;
    }
    if (first) {
      plan_.log.warn(bound.error().sentence() + "; it may come with the network: trying again for up to " +
                     duration_text(settings_.address_patience));
    }
    report_.apply(model::step::progress, start_hint());
    if (stop_.token().wait_for(settings_.address_pause)) return false;
  }
}

WINSVC_INLINE std::optional<runtime::vital_signs> runtime::vitals() const {
  const auto at = phase_.load();
  if (at != phase::serving && at != phase::paused) return std::nullopt;
  const auto now = std::chrono::steady_clock::now();
  const auto last = engine_->pulse().seconds(now, http::pulse::second_of(now) - 2);
  return vital_signs{last.empty() ? 0 : last.back().count, engine_->in_flight(), engine_->connections()};
}

/// A service that nobody can ask serves all the same.
WINSVC_INLINE void runtime::open_channel() {
  inquiries_ = std::make_unique<inquiries>(plan_, *engine_, phase_);
  if (settings_.channel.empty()) return;
  if (const auto opened = inquiries_->open(settings_.channel); !opened) {
    plan_.log.info("the operator's channel " + settings_.channel + " cannot be opened: " +
                   os::system_words(opened.error()) + " (" + std::to_string(opened.error()) +
                   "); status and logs tell less of this run");
  }
}

WINSVC_INLINE void runtime::start_workers() {
  workers_ = std::make_unique<worker_pool>([this](const worker& w, const std::string& words) {
    fail({model::code::exception_in_service, "run worker", w.name, "it threw: " + words, {}});
    request_stop("worker '" + w.name + "' failed");
  });
  for (const auto& w : plan_.workers) workers_->start(w);
}

WINSVC_INLINE void runtime::watch_settings() {
  if (!plan_.reloads_on_change) return;
  const auto from = plan_.settings.sources();
  const std::string path = from.path;
  const auto lost = [this, path](const std::string& why) {
    plan_.log.warn("changes of " + path + " are not seen" + why + "; 'reload' still reads it");
  };
  settings_watch::listeners then;
  then.reload = [this, path] {
    plan_.log.info(path + " has changed");
    return control({static_cast<std::uint32_t>(model::control::param_change), 0, 0, {}, {}}) == 0;
  };
  then.lost = [lost] { lost(" any more"); };
  watch_ = std::make_unique<settings_watch>(path, from.content, std::move(then));
  if (const auto watching = watch_->begin(); !watching)
    lost(": " + os::system_words(watching.error()) + " (" + std::to_string(watching.error()) + ")");
}

/// Does what controls ask for, one after the other, until a stop is asked for.
WINSVC_INLINE void runtime::serve() {
  duties work(plan_, plan_.log, report_, hooks_, *engine_, phase_, settings_.on_event);
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_asked_ || !tasks_.empty(); });
    if (stop_asked_) return;
    task next = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    work.perform(next);
  }
}

/// A hook hangs: nothing can be run on its thread any more, so the service ends, and says over what.
WINSVC_INLINE void runtime::gave_up(const std::string& doing, const std::string& hook, milliseconds limit) {
  stuck_ = true;
  if (stop_.token().stop_requested()) {
    const bool out_of_time = std::chrono::steady_clock::now() >= all_by_.load();
    return was_cut(hook + (out_of_time ? " was still running when the machine waited no longer"
                                       : " made no progress for " + duration_text(limit_)));
  }
  fail({model::code::service_request_timeout, doing, plan_.spec.name,
        hook + " made no progress for " + duration_text(limit),
        "let it call progress() when something is done, or raise " +
            std::string(doing == "start" ? "start_limit" : "stop_limit")});
  request_stop(hook + " hangs");
}

WINSVC_INLINE void runtime::was_cut(std::string what) {
  plan_.log.error("stopping: " + what);
  cut_.push_back(std::move(what));
}

WINSVC_INLINE void runtime::drain() {
  phase_.store(phase::stopping);
  watch_.reset();
  std::deque<task> left;
  {
    const std::lock_guard lock(mutex_);
    const std::string why = inquiries_ && !failure_ ? inquiries_->why() : std::string();
    // What the operator said of it is kept whatever else the log keeps.
    if (!why.empty()) plan_.log.warn("stopping: " + stop_reason_ + ": " + why);
    else if (!stop_reason_.empty()) plan_.log.info("stopping: " + stop_reason_);
    left.swap(tasks_);
  }
  for (auto& one : left) {
    if (one.result) one.result->give(model::code::service_cannot_accept_control);
  }
  if (workers_) workers_->request_stop();
  const auto progress = [this] { report_.apply(model::step::progress, stop_hint()); };
  progress();  // whatever ran when the stop came is done
  const auto now = std::chrono::steady_clock::now();
  const milliseconds limit = (std::min)(limit_.load(), left_of(all_by_));
  const auto until = now + limit;
  const auto drained = engine_->drain(limit, progress);
  progress();
  if (drained.answered != 0 || drained.cut != 0) {
    std::string what = "drained " + std::to_string(drained.answered) + ", cut " + std::to_string(drained.cut);
    for (const auto& one : drained.cut_ones) what += (&one == &drained.cut_ones.front() ? ": " : ", ") + one;
    plan_.log.info(what);
  }
  if (drained.stuck != 0) {
    stuck_ = true;
    engine_->abandon();
    was_cut(std::to_string(drained.stuck) + " request handler(s) did not return within " + duration_text(limit));
  }

  if (!workers_) return;
  const auto one_second_more =
      (std::min)((std::max)(until, std::chrono::steady_clock::now() + std::chrono::seconds(1)), all_by_.load());
  for (const auto& name : workers_->join(one_second_more, progress)) {
    stuck_ = true;
    was_cut("worker '" + name + "' did not return within " + duration_text(limit));
  }
}

WINSVC_INLINE void runtime::run_stop_hooks() {
  if (stuck_) {  // they would tear down what a hook, handler or worker still stands on
    if (!undos_.empty()) plan_.log.error("the stop hooks are not run: a hook, handler or worker still does");
    return;
  }
  hooks_.announce("stopping", [this] { return stop_hint(); });
  for (; !undos_.empty() && !stuck_; undos_.pop_back()) {
    const named_hook& back = undos_.back();
    const ending how = hooks_.call("stop", back, (std::min)(limit_.load(), left_of(all_by_)));
    // It is logged and does not make a stop that was asked for a failure: the SCM would start the service again.
    if (how.what == ending::threw) plan_.log.error("stopping: " + back.text() + " threw: " + how.words);
    if (how.what == ending::silent) return;
    report_.apply(model::step::progress, stop_hint());
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
