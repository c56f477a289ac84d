// Service host: `run-service` runs the service under the Service Control Manager (SCM). It connects the dispatcher
// first, registers the control handler and reports START_PENDING, then runs the app and the runtime, and reports
// STOPPED last.
//
// Source: "Writing a Service Program's main Function" and "Service State Transitions" in the Win32 documentation. The
// process must connect to the dispatcher within 30 s, and the SCM serves no other service while a control handler runs.
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

#include "winsvc/base/error.hpp"
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
namespace detail::host {

/// Dependencies of a service host, which a simulated SCM replaces in tests.
struct service_host_dependencies {
  os::dispatcher& dispatcher;
  /// Returns the path of the data folder. Empty: the service has no data folder, no log file and no state file.
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<void(const std::string& source, scm::event_level, std::uint32_t id, std::string_view)> report_event =
      os::report_event;
  std::function<void(const os::endpoint&)> on_listening = {};  ///< called with the address before RUNNING
  const clock* time = &clock::system();
  std::function<os::sys_result<std::vector<std::string>>(const std::string& service_name)> service_environment =
      [](const std::string& name) { return os::native_service_manager().query_environment(name); };
  /// False in tests, whose process must keep its own crash handler.
  bool handle_crashes = true;
  std::function<void(int code)> end_process = [](int code) { os::end_process(code); };
};

/// Keeps an object that an abandoned thread may still use. The object stays reachable, so that a leak checker does not
/// report it.
void keep_alive_until_exit(std::shared_ptr<void> object);

/// Runs one service under the SCM.
class service_host {
 public:
  service_host(api::app_factory app, scm::launch_options launch, service_host_dependencies dependencies)
      : app_(std::move(app)), launch_options_(std::move(launch)), dependencies_(std::move(dependencies)) {}

  /// Blocks until the service has stopped. Returns the exit code of the process: the code of the service, or of the
  /// dispatcher if the SCM did not start this process (1063).
  int run();

 private:
  /// Wait hint until the app has run and its start limit is known.
  static constexpr std::chrono::milliseconds start_hint{30'000};

  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  void open_log(service_definition& definition, log_format format);
  void report_log_error(std::uint32_t code);
  void on_crash(logger& log, const os::crash_report& report);
  void on_dump(logger& log, const os::crash_report& report);
  void write_state_file(scm::saved_state saved);
  void write_failure(const std::string& failure) {
    scm::saved_state saved;
    saved.failure = failure;
    write_state_file(std::move(saved));
  }
  void open_activities();
  void on_exit(logger& log, int code);
  void apply_environment();
  std::uint32_t control(const scm::control_event& event);
  void report_event(scm::service_event event, std::string_view text) {
    dependencies_.report_event(name_, scm::event_info(event).level, static_cast<std::uint32_t>(event), text);
  }

  api::app_factory app_;
  scm::launch_options launch_options_;
  service_host_dependencies dependencies_;
  const clock::time_point started_at_ = dependencies_.time->now();
  std::string name_;
  std::string previous_failure_;  // the last failure of an earlier run
  std::string state_file_;        // empty: no state is saved
  std::string data_folder_;
  std::string log_folder_;  // empty: no dump is written
  std::string crash_sentence_;  // used by the report thread only
  std::shared_ptr<log::rotating_file_sink> log_file_;
  std::atomic<clock::system_time> log_failed_at_{};  // begin of the current failure; a value that orders nothing else
  status_reporter report_{
      [this](const scm::service_status& s) { static_cast<void>(dependencies_.dispatcher.set_status(s)); }};
  std::mutex mutex_;
  std::condition_variable control_finished_;
  int active_controls_ = 0;                     // under mutex_: controls that the runtime is handling
  runtime* runtime_ = nullptr;                  // under mutex_
  std::function<void(runtime&)> pending_stop_;  // under mutex_: a stop that arrived before the runtime existed
  run_result result_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void keep_alive_until_exit(std::shared_ptr<void> object) {
  static auto& mutex = *new std::mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(object));
}

WINSVC_INLINE int service_host::run() {
  // The dispatcher returns when STOPPED is reported, but service_main may still run and use this object. A stop_source
  // shares its state, so that service_main may still use it after this function has returned.
  const stop_source finished;
  const std::uint32_t code = dependencies_.dispatcher.run([this, finished](const std::vector<std::string>& arguments) {
    service_main(arguments);
    const stop_source signal = finished;
    signal.request_stop();
  });
  if (code != 0) return os::exit_code(code);
  finished.token().wait();
  const int exit = os::exit_code(result_.exit.code());
  if (result_.has_stuck_thread)
    // A thread still runs user code, which uses objects that destructors would destroy.
    dependencies_.end_process(exit);
  return exit;
}

WINSVC_INLINE void service_host::service_main(const std::vector<std::string>& arguments) {
  const os::reserved_stack stack;  // of the thread that the dispatcher created
  name_ = arguments.empty() ? std::string() : arguments[0];
  const auto code =
      dependencies_.dispatcher.register_handler(name_, [this](const scm::control_event& e) { return control(e); });
  if (code != 0) {  // without a handler no state can be reported: only the event log remains
    report_event(scm::service_event::failed, base::error_with_explanation(code, "register the control handler of",
                                                                             name_, os::system_error_message(code))
                                                   .to_string());
    result_.exit = scm::failure_status(code);
    dependencies_.end_process(os::exit_code(result_.exit.code()));
    return;
  }
  report_.apply(scm::lifecycle_event::start, start_hint);
  try {
    result_ = serve(arguments);
  } catch (...) {
    result_.failure = error{scm::win32_error::exception_in_service, "run", name_, base::exception_message(), {}};
  }
  if (result_.failure) {
    result_.exit = scm::failure_status(result_.failure->code);
    report_event(scm::service_event::failed, result_.failure_text());
  } else if (result_.incomplete_stop) {
    report_event(scm::service_event::stop_incomplete, result_.failure_text());
  } else {
    report_event(scm::service_event::stopped, name_ + " stopped");
  }
  scm::saved_state last;
  last.failure = result_.failure_text();
  last.stop_reason = result_.stop_reason;
  if (last.failure.empty()) previous_failure_.clear();  // this run ended well
  write_state_file(std::move(last));
  // The process may end before this returns. From RUNNING, which only an exception can leave this way, STOPPED takes
  // two transitions.
  if (!report_.apply(scm::lifecycle_event::finished, {}, result_.exit)) {
    report_.apply(scm::lifecycle_event::stop, start_hint);
    report_.apply(scm::lifecycle_event::finished, {}, result_.exit);
  }
}

/// Saves the state for `start` and `status`. An error is ignored: `start` only prints less then.
WINSVC_INLINE void service_host::write_state_file(scm::saved_state saved) {
  if (state_file_.empty()) return;
  saved.pid = os::process_id();
  saved.previous_failure = previous_failure_;
  if (!saved.failure.empty() || !saved.stop_reason.empty())
    saved.written_at = iso_time(dependencies_.time->system_now());
  if (!saved.url.empty()) {
    const auto elapsed = std::chrono::ceil<std::chrono::milliseconds>(dependencies_.time->now() - started_at_);
    saved.since = iso_time(dependencies_.time->system_now());
    saved.start_ms = static_cast<std::uint32_t>(elapsed.count());
  }
  static_cast<void>(os::replace_file(state_file_, scm::format_saved_state(saved)));
}

/// Opens the log in the data folder of the service. The name comes from the SCM, because the app has not run yet.
WINSVC_INLINE void service_host::open_log(service_definition& definition, log_format format) {
  if (!dependencies_.data_folder) return;
  std::uint32_t code = 0;
  if (const auto folder = dependencies_.data_folder(name_)) {
    data_folder_ = *folder;
    const std::string logs = os::path_join(*folder, "logs");
    if (const auto created = os::make_folders(logs); !created) code = created.error();
    else log_folder_ = logs;
    state_file_ = os::path_join(*folder, "state.json");
    log_file_ =
        std::make_shared<log::rotating_file_sink>(log::log_path(*folder, name_), log::startup_log_options(format));
    if (log_file_->is_alternate())
      report_event(scm::service_event::degraded, "another process writes to " + log_file_->requested_name() +
                                                     "; this process writes to " + log_file_->current_name());
    log_file_->on_write_error([this](std::uint32_t error) {
      log_failed_at_ = dependencies_.time->system_now();
      report_log_error(error);
    });
    if (log_file_->last_error() != 0) log_failed_at_ = dependencies_.time->system_now();
    definition.log_failure = [file = log_file_, since = &log_failed_at_]() -> std::optional<log_file_failure> {
      const std::uint32_t error = file->last_error();
      if (error == 0) return std::nullopt;
      return log_file_failure{os::system_error_message(error) + " (" + std::to_string(error) + ")", file->lost_count(),
                         since->load()};
    };
    if (code == 0) code = log_file_->last_error();
    log::async_sink::async_sink_options options;
    options.utc_offset = &os::utc_offset;
    auto queue = std::make_shared<log::async_sink>(std::move(options));
    queue->add_sink(log_file_);
    definition.log.add_sink(queue);
    definition.async_sinks.push_back(std::move(queue));
  } else {
    code = folder.error();
  }
  if (code != 0) report_log_error(code);
}

/// Reports to the event log that the log file cannot be written.
WINSVC_INLINE void service_host::report_log_error(std::uint32_t code) {
  report_event(scm::service_event::degraded,
               "the log file cannot be written: " + os::system_error_message(code) + " (" + std::to_string(code) + ")");
}

/// Reports a crash in the event log, the state file and the log, in this order: the thread may hold any lock, so each
/// step may block.
WINSVC_INLINE void service_host::on_crash(logger& log, const os::crash_report& report) {
  const std::string running = os::running_activities();
  crash_sentence_ = "crashed: " + report.description + (running.empty() ? "" : " while running " + running);
  report_event(scm::service_event::crashed, name_ + ' ' + crash_sentence_);
  write_failure(crash_sentence_);
  log.error(crash_sentence_);
  log.flush();
}

/// Adds the path of the minidump, or the reason of a failed dump, to the state file and the log.
WINSVC_INLINE void service_host::on_dump(logger& log, const os::crash_report& report) {
  const bool is_written = !report.dump.empty();
  const std::string reason =
      os::system_error_message(report.dump_error) + " (" + std::to_string(report.dump_error) + ")";
  write_failure(crash_sentence_ + (is_written ? "; dump: " + report.dump : "; no dump: " + reason));
  if (is_written) log.info("wrote the minidump " + report.dump);
  else log.error("the minidump cannot be written to '" + log_folder_ + "': " + reason);
  log.flush();
}

/// Reads the failure of the previous run, which may have ended without a message, and starts recording activities.
WINSVC_INLINE void service_host::open_activities() {
  if (state_file_.empty()) return;
  const std::string path = os::path_join(data_folder_, "activity");
  const auto activities = os::read_activities(os::read_file(path).value_or(std::string()));
  if (const auto content = os::read_file(state_file_)) {
    if (const auto saved = scm::parse_saved_state(*content))
      previous_failure_ = scm::last_failure(*saved, base::join(activities, ", "));
  }
  static_cast<void>(os::open_activity_file(path));  // without it, a failure does not name what was running
}

/// Reports that code of the app ended the process, in the state file first.
WINSVC_INLINE void service_host::on_exit(logger& log, int code) {
  const std::string running = os::running_activities();
  const std::string sentence = "the process called exit(" + std::to_string(code) + ")" +
                               (running.empty() ? std::string() : " while running " + running) +
                               "; use svc.stop() or svc.fail() to end the service";
  write_failure(sentence);
  report_event(scm::service_event::crashed, name_ + ": " + sentence);
  log.error(sentence);
  log.flush();
}

/// Sets the variables of `install --env`. Windows sets them before the start; Wine does not.
WINSVC_INLINE void service_host::apply_environment() {
  const auto variables = dependencies_.service_environment(name_);
  if (!variables) return;
  for (const auto& line : *variables) {
    const auto equals = line.find('=', 1);
    if (equals == line.npos) continue;
    const std::string name = line.substr(0, equals), value = line.substr(equals + 1);
    if (os::environment_variable(name) != value) os::set_environment_variable(name, value);
  }
}

WINSVC_INLINE run_result service_host::serve(const std::vector<std::string>& arguments) {
  apply_environment();
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 at first

  auto definition = std::make_unique<service_definition>();
  definition->time = dependencies_.time;
  definition->spec.name = name_;
  definition->instance = launch_options_.instance;
  load_setting_sources(*definition, launch_options_, os::executable_path());
  // Before the app, so that its log lines and exceptions are kept.
  open_log(*definition, initial_log_format(*definition));
  definition->log.add_sink(definition->recent_entries);
  definition->data_folder = data_folder_;
  std::shared_ptr<os::crash_handler> crash_handler;
  if (dependencies_.handle_crashes) {
    os::crash_handler::crash_handler_options options;
    options.folder = log_folder_;
    options.name = scm::folder_name(name_);
    options.on_crash = [this, &log = definition->log](const os::crash_report& report) { on_crash(log, report); };
    options.on_dump = [this, &log = definition->log](const os::crash_report& report) { on_dump(log, report); };
    crash_handler = std::make_shared<os::crash_handler>(std::move(options));
  }
  open_activities();
  const scope_exit close_activities([] { os::close_activity_file(); });
  scm::saved_state first;
  first.running = true;
  write_state_file(first);  // the state of an earlier run is not valid any more, except its failure
  std::shared_ptr<os::exit_watch> exit_watch;
  if (dependencies_.handle_crashes)
    exit_watch = std::make_shared<os::exit_watch>([this, &log = definition->log](int code) { on_exit(log, code); });

  std::shared_ptr<void> app;
  auto svc = std::make_unique<service>(*definition);  // handlers and hooks may have captured it by reference
  // A thread that still runs user code needs these objects until the process ends.
  const auto keep_objects = [&] {
    keep_alive_until_exit(std::move(svc));
    keep_alive_until_exit(std::move(definition));
    keep_alive_until_exit(std::move(app));
    keep_alive_until_exit(std::move(crash_handler));
    keep_alive_until_exit(std::move(exit_watch));
  };
  const auto fail = [&](error error, std::vector<winsvc::error> others = {}) {
    run_result result;
    result.failure = std::move(error);
    result.more_failures = std::move(others);
    const std::string text = result.failure_text();
    for (const auto line : base::split(text, '\n')) definition->log.error(std::string(line));
    definition->log.flush();
    result.has_stuck_thread = definition->is_flush_overdue();
    if (result.has_stuck_thread) keep_objects();
    return result;
  };
  try {
    const os::activity running("the app function");
    app = app_(*svc);
    declare_builtin_settings(*definition);
  } catch (...) {
    return fail({scm::win32_error::exception_in_service, "set up", name_, base::exception_message(), {}});
  }
  if (log_file_) log_file_->options(definition->log_file);
  if (definition->event_log_level) {  // by value: a log that an abandoned thread uses outlives this host
    const auto report = [notify = dependencies_.report_event, name = name_](scm::service_event event,
                                                                            std::string_view text) {
      notify(name, scm::event_info(event).level, static_cast<std::uint32_t>(event), text);
    };
    definition->log_sinks.push_back(std::make_shared<log::event_log_sink>(*definition->event_log_level, report));
  }
  definition->attach_log_sinks();
  if (auto errors = definition->settings.errors(); !errors.empty()) {
    for (auto& error : errors) {
      if (error.origin != winsvc::error::source::command_line) continue;
      error.origin = winsvc::error::source::system;  // the installed command line, which is data here
      error.code = base::win32_error::invalid_data;
      error.hint += (error.hint.empty() ? "" : "; ") +
                    std::string("use 'update --unset NAME' to remove it from the installed service");
    }
    winsvc::error first_error = std::move(errors.front());
    errors.erase(errors.begin());
    return fail(std::move(first_error), std::move(errors));
  }
  definition->spec.name = name_;
  if (launch_options_.priority && !os::set_process_priority(*launch_options_.priority))
    definition->log.warn("the priority " + std::string(name(*launch_options_.priority)) + " cannot be set");
  if (launch_options_.preshutdown) definition->spec.preshutdown = launch_options_.preshutdown;

  run_options options;
  if (arguments.size() > 1) options.arguments.assign(arguments.begin() + 1, arguments.end());
  options.bind_timeout = definition->bind_timeout;
  options.on_listening = [this](const os::endpoint& address) {
    scm::saved_state listening;
    listening.url = address.url();
    listening.running = true;
    write_state_file(std::move(listening));
    if (dependencies_.on_listening) dependencies_.on_listening(address);
  };
  options.on_running = [this](const os::endpoint& address) {
    report_event(scm::service_event::started, name_ + " listens on " + address.url());
  };
  options.control_channel = os::control_channel_address(name_, data_folder_);
  options.on_event = [this](scm::service_event event, const std::string& text) { report_event(event, text); };

  auto service_runtime = std::make_unique<runtime>(*definition, report_, std::move(options));
  const scope_exit clear_runtime([this] {  // no control uses the runtime after this scope
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
    keep_objects();
  }
  return result;
}

WINSVC_INLINE std::uint32_t service_host::control(const scm::control_event& event) {
  runtime* running = nullptr;
  {
    const std::lock_guard lock(mutex_);
    running = runtime_;
    if (!running) {  // the app has not run yet, or the service has ended
      const auto decision = scm::decide_control(scm::state::start_pending, {}, event.control);
      if (decision.action == scm::control_action::stop)
        pending_stop_ = [event](runtime& target) { static_cast<void>(target.control(event)); };
      return decision.return_code;
    }
    ++active_controls_;
  }
  const std::uint32_t code = running->control(event);
  const std::lock_guard lock(mutex_);
  --active_controls_;
  control_finished_.notify_all();
  return code;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
