// `run-service`: the service under the Service Control Manager. The dispatcher at once, the handler registered and
// START_PENDING reported before anything else, App and the runtime after that, STOPPED once and last.
//
// Source: "Writing a Service Program's main Function" and "Service State Transitions" in the Win32 documentation. The
// process has 30 s from its start to the dispatcher, and the SCM serves no one else while a control handler runs.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/api/app.hpp"
#include "winsvc/base/queued_log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/event_sink.hpp"
#include "winsvc/host/file_log.hpp"
#include "winsvc/host/own_settings.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a service host needs from outside, so that a simulated SCM can stand in for the real one.
struct service_surroundings {
  os::dispatcher& dispatcher;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<void(const std::string& source, model::event_level, std::uint32_t id, std::string_view)> report_event =
      os::report_event;
  std::function<void(const os::endpoint&)> listening = {};  ///< where, before RUNNING
  bool guards_crashes = true;                               ///< not in a test's process, which is not ours
  std::function<void(int code)> end_process = [](int code) { os::end_process(code); };
};

/// For what a thread may still use that nobody waits for any more. It stays reachable, so that a leak checker does not
/// take it for lost.
void keep_until_the_end(std::shared_ptr<void> what);

class service_host {
 public:
  service_host(app_factory app, model::launch_options launch, service_surroundings around)
      : app_(std::move(app)), launch_(std::move(launch)), around_(std::move(around)) {}

  /// Blocks until the service has stopped. The exit code of the process: the service's own, or the dispatcher's code
  /// when this process was not started by the SCM (1063).
  int run();

 private:
  /// Until the app has been described, and its own limit is known.
  static constexpr std::chrono::milliseconds start_hint{30'000};

  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  void open_log(blueprint& plan, log_format format);
  void tell_of_log(std::uint32_t fault);
  void crashed(logger& log, const os::crash_report& what);
  void leave_state(const std::string& url, const std::string& failure);
  std::uint32_t control(const model::control_event& what);
  void event(model::event what, std::string_view text) {
    around_.report_event(name_, model::row(what).level, static_cast<std::uint32_t>(what), text);
  }

  app_factory app_;
  model::launch_options launch_;
  service_surroundings around_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string name_;
  std::string earlier_;     // the last failure of a run before
  std::string state_file_;  // empty: nowhere to leave a state
  std::string data_folder_;
  std::string log_folder_;  // empty: nowhere to leave a dump
  std::shared_ptr<file_log> log_file_;
  reporter report_{[this](const model::service_status& s) { static_cast<void>(around_.dispatcher.set_status(s)); }};
  std::mutex mutex_;
  std::condition_variable left_control_;
  int in_control_ = 0;                     // under mutex_: controls that are on their way through the runtime
  runtime* runtime_ = nullptr;             // under mutex_
  std::function<void(runtime&)> pending_;  // under mutex_: a stop that came before there was a runtime
  run_result ended_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void keep_until_the_end(std::shared_ptr<void> what) {
  static auto& mutex = *new std::mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(what));
}

WINSVC_INLINE int service_host::run() {
  // The dispatcher returns as soon as STOPPED is known, while service_main may still be on its way out of reporting it:
  // what it stands on (this object) must not go before. A stop_source shares its state, so its last touch is safe too.
  const stop_source left;
  const std::uint32_t code = around_.dispatcher.run([this, left](const std::vector<std::string>& arguments) {
    service_main(arguments);
    const stop_source last = left;
    last.request_stop();
  });
  if (code != 0) return os::exit_code(code);
  left.token().wait();
  const int exit = os::exit_code(ended_.exit.code());
  if (ended_.stuck)
    around_.end_process(exit);  // a thread still runs user code; destructors would pull the floor from under it
  return exit;
}

WINSVC_INLINE void service_host::service_main(const std::vector<std::string>& arguments) {
  name_ = arguments.empty() ? std::string() : arguments[0];
  const auto refused =
      around_.dispatcher.register_handler(name_, [this](const model::control_event& e) { return control(e); });
  if (refused != 0) {  // without a handler no status can be reported: the event log is all there is, and then the end
    event(model::event::failed,
          model::explained(refused, "register the control handler of", name_, os::system_words(refused)).sentence());
    ended_.exit = model::failure_status(refused);
    around_.end_process(os::exit_code(ended_.exit.code()));
    return;
  }
  report_.apply(model::step::start, start_hint);
  try {
    ended_ = serve(arguments);
  } catch (const std::exception& e) {
    ended_.why = error{model::code::exception_in_service, "run", name_, e.what(), {}};
  } catch (...) {
    ended_.why =
        error{model::code::exception_in_service, "run", name_, "something that is no std::exception was thrown", {}};
  }
  if (ended_.why) {
    ended_.exit = model::failure_status(ended_.why->code);
    event(model::event::failed, ended_.why->sentence());
  } else if (ended_.cut) {
    event(model::event::cut, ended_.cut->sentence());
  } else {
    event(model::event::stopped, name_ + " stopped");
  }
  leave_state({}, ended_.why ? ended_.why->sentence() : ended_.cut ? ended_.cut->sentence() : std::string());
  // The process may end before this returns. From RUNNING, where only an exception leads here, STOPPED is two steps
  // away.
  if (!report_.apply(model::step::finished, {}, ended_.exit)) {
    report_.apply(model::step::stop, start_hint);
    report_.apply(model::step::finished, {}, ended_.exit);
  }
}

/// For `start` and `status`. That it could not be written is no reason to stop, and `start` says less then.
WINSVC_INLINE void service_host::leave_state(const std::string& url, const std::string& failure) {
  if (state_file_.empty()) return;
  model::service_state left{os::process_id(), url, {}, failure};
  left.earlier = earlier_;
  if (!failure.empty()) left.when = iso_time(clock::system().wall());
  if (!url.empty()) {
    const auto took = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_);
    left.since = iso_time(clock::system().wall());
    left.start_ms = static_cast<std::uint32_t>(took.count());
  }
  static_cast<void>(os::replace_file(state_file_, model::to_text(left)));
}

/// Opens the log in the service's data folder. The SCM knows our name; App need not have said it yet.
WINSVC_INLINE void service_host::open_log(blueprint& plan, log_format format) {
  std::uint32_t fault = 0;
  if (const auto folder = around_.data_folder(name_)) {
    data_folder_ = *folder;
    const std::string logs = os::path_join(*folder, "logs");
    if (const auto made = os::make_folders(logs); !made) fault = made.error();
    else log_folder_ = logs;
    state_file_ = os::path_join(*folder, "state.json");
    log_file_ = std::make_shared<file_log>(log_path(*folder, name_), provisional_log(format));
    log_file_->on_trouble([this](std::uint32_t code) { tell_of_log(code); });
    if (fault == 0) fault = log_file_->fault();
    queued_log::settings how;
    how.offset = &os::utc_offset;
    auto queue = std::make_shared<queued_log>(std::move(how));
    queue->add_sink(log_file_);
    plan.log.add_sink(queue);
    plan.log_queues.push_back(std::move(queue));
  } else {
    fault = folder.error();
  }
  if (fault != 0) tell_of_log(fault);
}

/// In the event log, which is what is left then.
WINSVC_INLINE void service_host::tell_of_log(std::uint32_t fault) {
  event(model::event::degraded, "the log file cannot be written: " + os::system_words(fault) + " (" +
                                    std::to_string(fault) + ")");
}

/// The last word of a process that crashes, on a thread that may hold anything: each line of it goes as far as it can.
WINSVC_INLINE void service_host::crashed(logger& log, const os::crash_report& what) {
  const std::string dump = !what.dump.empty()      ? "; the dump is " + what.dump
                           : what.dump_fault != 0 ? "; no dump: " + os::system_words(what.dump_fault)
                                                  : std::string();
  const std::string sentence = "crashed: " + what.what + dump;
  event(model::event::crashed, name_ + ' ' + sentence);
  leave_state({}, sentence);
  log.error(sentence);
  log.flush();
}

WINSVC_INLINE run_result service_host::serve(const std::vector<std::string>& arguments) {
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 until now

  auto plan = std::make_unique<blueprint>();
  plan->spec.name = name_;
  plan->instance = launch_.instance;
  find_settings(*plan, launch_, os::executable_path());
  open_log(*plan, early_log_format(*plan));  // before App, so that what App says or throws is kept
  plan->log.add_sink(plan->recent);
  plan->data_folder = data_folder_;
  std::shared_ptr<os::crash_guard> guard;
  if (around_.guards_crashes) {
    os::crash_guard::settings how;
    how.folder = log_folder_;
    how.name = model::folder_name(name_);
    how.tell = [this, &log = plan->log](const os::crash_report& what) { crashed(log, what); };
    guard = std::make_shared<os::crash_guard>(std::move(how));
  }
  if (const auto before = os::read_file(state_file_)) {
    if (const auto left = model::parse_service_state(*before)) earlier_ = model::last_failure(*left);
  }
  leave_state({}, {});  // what an earlier run left is no news of this one, and is kept as what it is

  std::shared_ptr<void> app;
  auto svc = std::make_unique<service>(*plan);  // handlers and hooks may have caught it by reference
  // A thread that still runs user code needs what it stands on, until the process ends.
  const auto keep_it_all = [&] {
    keep_until_the_end(std::move(svc));
    keep_until_the_end(std::move(plan));
    keep_until_the_end(std::move(app));
    keep_until_the_end(std::move(guard));
  };
  const auto fail = [&](error why) {
    run_result failed;
    plan->log.error(why.sentence());
    plan->log.flush();
    failed.why = std::move(why);
    failed.stuck = plan->is_log_behind();
    if (failed.stuck) keep_it_all();
    return failed;
  };
  const auto threw = [&](const std::string& what) {
    return fail({model::code::exception_in_service, "describe", name_, what, {}});
  };
  try {
    app = app_(*svc);
    take_own_settings(*plan);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is no std::exception was thrown");
  }
  if (log_file_) log_file_->options(plan->log_file);
  if (plan->event_log_from) {  // by value: a log that is kept to the end outlives this host
    const auto report = [tell = around_.report_event, name = name_](model::event what, std::string_view text) {
      tell(name, model::row(what).level, static_cast<std::uint32_t>(what), text);
    };
    plan->log_sinks.push_back(std::make_shared<event_sink>(*plan->event_log_from, report));
  }
  plan->attach_log_sinks();
  if (auto wrong = settings_error(plan->settings)) {
    if (wrong->code == 0) {  // of the command line that was installed
      wrong->code = model::code::invalid_data;
      wrong->hint += (wrong->hint.empty() ? "" : "; ") + std::string("'update --unset NAME' takes out what was installed");
    }
    return fail(*std::move(wrong));
  }
  plan->spec.name = name_;
  if (launch_.preshutdown) plan->spec.preshutdown = launch_.preshutdown;

  run_settings settings;
  if (arguments.size() > 1) settings.arguments.assign(arguments.begin() + 1, arguments.end());
  settings.address_patience = std::chrono::seconds(45);  // less than `start` waits: it hears the reason
  settings.on_listening = [this](const os::endpoint& address) {
    leave_state(address.url(), {});
    if (around_.listening) around_.listening(address);
  };
  settings.on_running = [this](const os::endpoint& address) {
    event(model::event::started, name_ + " listens on " + address.url());
  };
  settings.channel = os::channel_address(name_, data_folder_);
  settings.on_event = [this](model::event what, const std::string& text) { event(what, text); };

  auto service_runtime = std::make_unique<runtime>(*plan, report_, std::move(settings));
  const scope_exit forget([this] {  // and no control is in it any more, or about to be
    std::unique_lock lock(mutex_);
    runtime_ = nullptr;
    left_control_.wait(lock, [this] { return in_control_ == 0; });
  });
  {
    const std::lock_guard lock(mutex_);
    runtime_ = service_runtime.get();
    if (pending_) pending_(*runtime_);
  }
  const run_result result = service_runtime->run();
  if (result.stuck) {
    keep_until_the_end(std::move(service_runtime));
    keep_it_all();
  }
  return result;
}

WINSVC_INLINE std::uint32_t service_host::control(const model::control_event& what) {
  runtime* running = nullptr;
  {
    const std::lock_guard lock(mutex_);
    running = runtime_;
    if (!running) {  // App is being described, or all is over
      const auto decided = model::decide(model::state::start_pending, {}, what.control);
      if (decided.then == model::duty::stop) pending_ = [what](runtime& r) { static_cast<void>(r.control(what)); };
      return decided.answer;
    }
    ++in_control_;
  }
  const std::uint32_t answer = running->control(what);
  const std::lock_guard lock(mutex_);
  --in_control_;
  left_control_.notify_all();
  return answer;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
