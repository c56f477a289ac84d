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
#include "winsvc/log/async_sink.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/log/event_log_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a service host needs from outside, so that a simulated SCM can stand in for the real one.
struct service_host_dependencies {
  os::dispatcher& dispatcher;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<void(const std::string& source, model::event_level, std::uint32_t id, std::string_view)> report_event =
      os::report_event;
  std::function<void(const os::endpoint&)> on_listening = {};  ///< where, before RUNNING
  bool handle_crashes = true;                               ///< not in a test's process, which is not ours
  std::function<void(int code)> end_process = [](int code) { os::end_process(code); };
};

/// For what a thread may still use that nobody waits for any more. It stays reachable, so that a leak checker does not
/// take it for lost.
void keep_alive_until_exit(std::shared_ptr<void> what);

class service_host {
 public:
  service_host(app_factory app, model::launch_options launch, service_host_dependencies dependencies)
      : app_(std::move(app)), launch_options_(std::move(launch)), dependencies_(std::move(dependencies)) {}

  /// Blocks until the service has stopped. The exit code of the process: the service's own, or the dispatcher's code
  /// when this process was not started by the SCM (1063).
  int run();

 private:
  /// Until the app has been described, and its own limit is known.
  static constexpr std::chrono::milliseconds start_hint{30'000};

  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  void open_log(service_definition& plan, log_format format);
  void report_log_error(std::uint32_t fault);
  void on_crash(logger& log, const os::crash_report& what);
  void write_state_file(const std::string& url, const std::string& failure);
  std::uint32_t control(const model::control_event& what);
  void report_event(model::service_event what, std::string_view text) {
    dependencies_.report_event(name_, model::event_info(what).level, static_cast<std::uint32_t>(what), text);
  }

  app_factory app_;
  model::launch_options launch_options_;
  service_host_dependencies dependencies_;
  const std::chrono::steady_clock::time_point started_at_ = std::chrono::steady_clock::now();
  std::string name_;
  std::string previous_failure_;     // the last failure of a run before
  std::string state_file_;  // empty: nowhere to leave a state
  std::string data_folder_;
  std::string log_folder_;  // empty: nowhere to leave a dump
  std::shared_ptr<rotating_file_sink> log_file_;
  status_reporter report_{[this](const model::service_status& s) { static_cast<void>(dependencies_.dispatcher.set_status(s)); }};
  std::mutex mutex_;
  std::condition_variable control_finished_;
  int active_controls_ = 0;                     // under mutex_: controls that are on their way through the runtime
  runtime* runtime_ = nullptr;             // under mutex_
  std::function<void(runtime&)> pending_stop_;  // under mutex_: a stop that came before there was a runtime
  run_result result_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE void keep_alive_until_exit(std::shared_ptr<void> what) {
  static auto& mutex = *new std::mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(what));
}

WINSVC_INLINE int service_host::run() {
  // The dispatcher returns as soon as STOPPED is known, while service_main may still be on its way out of reporting it:
  // what it stands on (this object) must not go before. A stop_source shares its state, so its last touch is safe too.
  const stop_source left;
  const std::uint32_t code = dependencies_.dispatcher.run([this, left](const std::vector<std::string>& arguments) {
    service_main(arguments);
    const stop_source last = left;
    last.request_stop();
  });
  if (code != 0) return os::exit_code(code);
  left.token().wait();
  const int exit = os::exit_code(result_.exit.code());
  if (result_.has_stuck_thread)
    dependencies_.end_process(exit);  // a thread still runs user code; destructors would pull the floor from under it
  return exit;
}

WINSVC_INLINE void service_host::service_main(const std::vector<std::string>& arguments) {
  name_ = arguments.empty() ? std::string() : arguments[0];
  const auto refused =
      dependencies_.dispatcher.register_handler(name_, [this](const model::control_event& e) { return control(e); });
  if (refused != 0) {  // without a handler no status can be reported: the event log is all there is, and then the end
    report_event(model::service_event::failed,
          model::error_with_explanation(refused, "register the control handler of", name_, os::system_error_message(refused)).to_string());
    result_.exit = model::failure_status(refused);
    dependencies_.end_process(os::exit_code(result_.exit.code()));
    return;
  }
  report_.apply(model::lifecycle_event::start, start_hint);
  try {
    result_ = serve(arguments);
  } catch (const std::exception& e) {
    result_.failure = error{model::win32_error::exception_in_service, "run", name_, e.what(), {}};
  } catch (...) {
    result_.failure =
        error{model::win32_error::exception_in_service, "run", name_, "something that is no std::exception was thrown", {}};
  }
  if (result_.failure) {
    result_.exit = model::failure_status(result_.failure->code);
    report_event(model::service_event::failed, result_.failure->to_string());
  } else if (result_.incomplete_stop) {
    report_event(model::service_event::stop_incomplete, result_.incomplete_stop->to_string());
  } else {
    report_event(model::service_event::stopped, name_ + " stopped");
  }
  write_state_file({}, result_.failure ? result_.failure->to_string() : result_.incomplete_stop ? result_.incomplete_stop->to_string() : std::string());
  // The process may end before this returns. From RUNNING, where only an exception leads here, STOPPED is two steps
  // away.
  if (!report_.apply(model::lifecycle_event::finished, {}, result_.exit)) {
    report_.apply(model::lifecycle_event::stop, start_hint);
    report_.apply(model::lifecycle_event::finished, {}, result_.exit);
  }
}

/// For `start` and `status`. That it could not be written is no reason to stop, and `start` says less then.
WINSVC_INLINE void service_host::write_state_file(const std::string& url, const std::string& failure) {
  if (state_file_.empty()) return;
  model::saved_state saved{os::process_id(), url, {}, failure};
  saved.previous_failure = previous_failure_;
  if (!failure.empty()) saved.written_at = iso_time(clock::system().system_now());
  if (!url.empty()) {
    const auto elapsed = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_at_);
    saved.since = iso_time(clock::system().system_now());
    saved.start_ms = static_cast<std::uint32_t>(elapsed.count());
  }
  static_cast<void>(os::replace_file(state_file_, model::format_saved_state(saved)));
}

/// Opens the log in the service's data folder. The SCM knows our name; App need not have said it yet.
WINSVC_INLINE void service_host::open_log(service_definition& plan, log_format format) {
  std::uint32_t fault = 0;
  if (const auto folder = dependencies_.data_folder(name_)) {
    data_folder_ = *folder;
    const std::string logs = os::path_join(*folder, "logs");
    if (const auto made = os::make_folders(logs); !made) fault = made.error();
    else log_folder_ = logs;
    state_file_ = os::path_join(*folder, "state.json");
    log_file_ = std::make_shared<rotating_file_sink>(log_path(*folder, name_), startup_log_options(format));
    log_file_->on_write_error([this](std::uint32_t code) { report_log_error(code); });
    if (fault == 0) fault = log_file_->last_error();
    async_sink::async_sink_options options;
    options.utc_offset = &os::utc_offset;
    auto queue = std::make_shared<async_sink>(std::move(options));
    queue->add_sink(log_file_);
    plan.log.add_sink(queue);
    plan.async_sinks.push_back(std::move(queue));
  } else {
    fault = folder.error();
  }
  if (fault != 0) report_log_error(fault);
}

/// In the event log, which is what is left then.
WINSVC_INLINE void service_host::report_log_error(std::uint32_t fault) {
  report_event(model::service_event::degraded, "the log file cannot be written: " + os::system_error_message(fault) + " (" +
                                    std::to_string(fault) + ")");
}

/// The last word of a process that crashes, on a thread that may hold anything: each line of it goes as far as it can.
WINSVC_INLINE void service_host::on_crash(logger& log, const os::crash_report& what) {
  const std::string dump = !what.dump.empty()      ? "; the dump is " + what.dump
                           : what.dump_error != 0 ? "; no dump: " + os::system_error_message(what.dump_error)
                                                  : std::string();
  const std::string sentence = "crashed: " + what.description + dump;
  report_event(model::service_event::crashed, name_ + ' ' + sentence);
  write_state_file({}, sentence);
  log.error(sentence);
  log.flush();
}

WINSVC_INLINE run_result service_host::serve(const std::vector<std::string>& arguments) {
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 until now

  auto plan = std::make_unique<service_definition>();
  plan->spec.name = name_;
  plan->instance = launch_options_.instance;
  load_setting_sources(*plan, launch_options_, os::executable_path());
  open_log(*plan, initial_log_format(*plan));  // before App, so that what App says or throws is kept
  plan->log.add_sink(plan->recent_entries);
  plan->data_folder = data_folder_;
  std::shared_ptr<os::crash_handler> guard;
  if (dependencies_.handle_crashes) {
    os::crash_handler::crash_handler_options options;
    options.folder = log_folder_;
    options.name = model::folder_name(name_);
    options.on_crash = [this, &log = plan->log](const os::crash_report& what) { on_crash(log, what); };
    guard = std::make_shared<os::crash_handler>(std::move(options));
  }
  if (const auto before = os::read_file(state_file_)) {
    if (const auto saved = model::parse_saved_state(*before)) previous_failure_ = model::last_failure(*saved);
  }
  write_state_file({}, {});  // what an earlier run left is no news of this one, and is kept as what it is

  std::shared_ptr<void> app;
  auto svc = std::make_unique<service>(*plan);  // handlers and hooks may have caught it by reference
  // A thread that still runs user code needs what it stands on, until the process ends.
  const auto keep_it_all = [&] {
    keep_alive_until_exit(std::move(svc));
    keep_alive_until_exit(std::move(plan));
    keep_alive_until_exit(std::move(app));
    keep_alive_until_exit(std::move(guard));
  };
  const auto fail = [&](error error) {
    run_result failed;
    plan->log.error(error.to_string());
    plan->log.flush();
    failed.failure = std::move(error);
    failed.has_stuck_thread = plan->is_flush_overdue();
    if (failed.has_stuck_thread) keep_it_all();
    return failed;
  };
  const auto threw = [&](const std::string& what) {
    return fail({model::win32_error::exception_in_service, "describe", name_, what, {}});
  };
  try {
    app = app_(*svc);
    declare_builtin_settings(*plan);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is no std::exception was thrown");
  }
  if (log_file_) log_file_->options(plan->log_file);
  if (plan->event_log_level) {  // by value: a log that is kept to the end outlives this host
    const auto report = [notify = dependencies_.report_event, name = name_](model::service_event what, std::string_view text) {
      notify(name, model::event_info(what).level, static_cast<std::uint32_t>(what), text);
    };
    plan->log_sinks.push_back(std::make_shared<event_log_sink>(*plan->event_log_level, report));
  }
  plan->attach_log_sinks();
  if (auto wrong = settings_error(plan->settings)) {
    if (wrong->code == 0) {  // of the command line that was installed
      wrong->code = model::win32_error::invalid_data;
      wrong->hint += (wrong->hint.empty() ? "" : "; ") + std::string("'update --unset NAME' takes out what was installed");
    }
    return fail(*std::move(wrong));
  }
  plan->spec.name = name_;
  if (launch_options_.preshutdown) plan->spec.preshutdown = launch_options_.preshutdown;

  run_options settings;
  if (arguments.size() > 1) settings.arguments.assign(arguments.begin() + 1, arguments.end());
  settings.bind_timeout = std::chrono::seconds(45);  // less than `start` waits: it hears the reason
  settings.on_listening = [this](const os::endpoint& address) {
    write_state_file(address.url(), {});
    if (dependencies_.on_listening) dependencies_.on_listening(address);
  };
  settings.on_running = [this](const os::endpoint& address) {
    report_event(model::service_event::started, name_ + " listens on " + address.url());
  };
  settings.control_channel = os::control_channel_address(name_, data_folder_);
  settings.on_event = [this](model::service_event what, const std::string& text) { report_event(what, text); };

  auto service_runtime = std::make_unique<runtime>(*plan, report_, std::move(settings));
  const scope_exit forget([this] {  // and no control is in it any more, or about to be
    std::unique_lock lock(mutex_);
    runtime_ = nullptr;
    control_finished_.wait(lock, [this] { return active_controls_ == 0; });
  });
  {
    const std::lock_guard lock(mutex_);
    runtime_ = service_runtime.get();
    if (pending_stop_) pending_stop_(*runtime_);
  }
  const run_result result = service_runtime->run();
  if (result.has_stuck_thread) {
    keep_alive_until_exit(std::move(service_runtime));
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
      const auto decided = model::decide_control(model::state::start_pending, {}, what.control);
      if (decided.action == model::control_action::stop) pending_stop_ = [what](runtime& r) { static_cast<void>(r.control(what)); };
      return decided.return_code;
    }
    ++active_controls_;
  }
  const std::uint32_t answer = running->control(what);
  const std::lock_guard lock(mutex_);
  --active_controls_;
  control_finished_.notify_all();
  return answer;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
