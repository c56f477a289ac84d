// Service host: `run-service` runs the service under the Service Control Manager (SCM). It connects the dispatcher
// first, registers the control handler and reports START_PENDING, then runs the app and the runtime, and reports
// STOPPED last.
//
//   os::native_dispatcher dispatcher;
//   service_host host(app, launch_options, {dispatcher});
//   return host.run();                    // until STOPPED; the exit code of the process
//
// Source: "Writing a Service Program's main Function" and "Service State Transitions" in the Win32 documentation. The
// process must connect to the dispatcher within 30 s, and the SCM serves no other service while a control handler runs.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/api/app.hpp"
#include "winsvc/base/attempt.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/control_forwarder.hpp"
#include "winsvc/host/crash_reporter.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/host/service_log.hpp"
#include "winsvc/host/state_file.hpp"
#include "winsvc/log/event_log_sink.hpp"
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
struct kept_object {
  std::shared_ptr<void> object;
  kept_object* next = nullptr;
};
/// `node` was made before the run: there may be no memory after it.
void keep_alive_until_exit(std::unique_ptr<kept_object> node, std::shared_ptr<void> object) noexcept;

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

  /// The objects of a run, which a thread that does not return may use until the process ends. They are destroyed in
  /// the reverse order.
  struct run_objects {
    std::unique_ptr<service_definition> definition;
    std::unique_ptr<crash_reporter> crashes;  // null in tests
    std::shared_ptr<void> app;
    std::unique_ptr<service> svc;  // handlers and hooks may have captured it by reference
    std::unique_ptr<runtime> service_runtime;
  };

  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  run_result serve(run_objects& objects, const std::vector<std::string>& arguments);

  void apply_environment();
  void make_definition(run_objects& objects);
  void open_log(service_definition& definition);
  std::vector<error> run_app(run_objects& objects);
  void attach_log_sinks(service_definition& definition);
  std::vector<error> settings_errors(service_definition& definition) const;
  void apply_launch_options(service_definition& definition);
  run_options make_run_options(const service_definition& definition, const std::vector<std::string>& arguments);

  run_result report_start_failure(service_definition& definition, std::vector<error> errors);
  void report_end();
  void report_event(scm::service_event event, std::string_view text) {
    dependencies_.report_event(name_, scm::event_info(event).level, static_cast<std::uint32_t>(event), text);
  }

  api::app_factory app_;
  scm::launch_options launch_options_;
  service_host_dependencies dependencies_;
  std::string name_;
  std::string data_folder_;  // empty: the service has no data folder
  state_file state_{*dependencies_.time};
  service_log log_{[this](const std::string& sentence) { report_event(scm::service_event::degraded, sentence); },
                   *dependencies_.time};
  status_reporter status_reporter_{
      [this](const scm::service_status& s) { static_cast<void>(dependencies_.dispatcher.set_status(s)); }};
  control_forwarder controls_;
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

WINSVC_INLINE void keep_alive_until_exit(std::unique_ptr<kept_object> node, std::shared_ptr<void> object) noexcept {
  static std::atomic<kept_object*> newest{nullptr};  // a list that is never destroyed; any thread adds to it
  node->object = std::move(object);
  node->next = newest.load();
  while (!newest.compare_exchange_weak(node->next, node.get())) {}
  static_cast<void>(node.release());
}

WINSVC_INLINE int service_host::run() {
  const os::reserved_stack stack;  // of the main thread, on which the dispatcher calls the control handler
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
  const int exit = os::exit_code(result_.exit().code());
  if (result_.has_stuck_thread)
    // A thread still runs user code, which uses objects that destructors would destroy.
    dependencies_.end_process(exit);
  return exit;
}

WINSVC_INLINE void service_host::service_main(const std::vector<std::string>& arguments) {
  const os::reserved_stack stack;  // of the thread that the dispatcher created
  base::attempt([&] { name_ = arguments.empty() ? std::string() : arguments[0]; });
  const auto code = dependencies_.dispatcher.register_handler(
      name_, [this](const scm::control_event& event) { return controls_.control(event); });
  if (code != 0) {  // without a handler no state can be reported: only the event log remains
    result_.failure = error{code, {}, {}, {}, {}};
    base::attempt([&] {
      result_.failure = base::error_with_explanation(code, "register the control handler of", name_,
                                                     os::system_error_message(code));
      report_event(scm::service_event::failed, result_.failure_text());
    });
    dependencies_.end_process(os::exit_code(result_.exit().code()));
    return;
  }
  status_reporter_.apply(scm::lifecycle_event::start, start_hint);
  try {
    result_ = serve(arguments);
  } catch (...) {
    result_.failure = error{scm::win32_error::exception_in_service, "run", {}, base::exception_message(), {}};
    base::attempt([this] { result_.failure->subject = name_; });
  }
  base::attempt([this] { report_end(); });  // STOPPED must follow
  // The process may end before this returns. From RUNNING, which only an exception can leave this way, STOPPED takes
  // two transitions.
  if (!status_reporter_.apply(scm::lifecycle_event::finished, {}, result_.exit())) {
    status_reporter_.apply(scm::lifecycle_event::stop, start_hint);
    status_reporter_.apply(scm::lifecycle_event::finished, {}, result_.exit());
  }
}

/// Reports the end of the run in the event log and the state file. Afterwards, only STOPPED is reported.
WINSVC_INLINE void service_host::report_end() {
  const std::string failure = result_.failure_text();
  if (result_.failure) report_event(scm::service_event::failed, failure);
  else if (result_.incomplete_stop)
    report_event(scm::service_event::stop_incomplete, name_ + " stopped, but: " + failure);
  else report_event(scm::service_event::stopped, name_ + " stopped");
  state_.write_end(failure, result_.stop_reason);
}

WINSVC_INLINE run_result service_host::serve(const std::vector<std::string>& arguments) {
  const auto objects = std::make_shared<run_objects>();
  auto kept = std::make_unique<kept_object>();
  const scope_exit close_activities([] { os::close_activity_file(); });
  run_result result = serve(*objects, arguments);
  if (result.has_stuck_thread) keep_alive_until_exit(std::move(kept), objects);
  return result;
}

/// The start of a run, in its order. The runtime has the rest: serve, drain, stop.
WINSVC_INLINE run_result service_host::serve(run_objects& objects, const std::vector<std::string>& arguments) {
  apply_environment();
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 at first
  make_definition(objects);
  service_definition& definition = *objects.definition;
  open_log(definition);  // before the app, so that its log lines and exceptions are kept
  if (dependencies_.handle_crashes) {
    objects.crashes = std::make_unique<crash_reporter>(
        name_, definition.log, log_.folder(), state_,
        [this](const std::string& sentence) { report_event(scm::service_event::crashed, sentence); });
  }
  state_.open();

  std::vector<error> errors = run_app(objects);
  if (errors.empty()) {
    log_.set_options(definition.log_file);
    attach_log_sinks(definition);
    errors = settings_errors(definition);
  }
  if (!errors.empty()) return report_start_failure(definition, std::move(errors));
  apply_launch_options(definition);

  objects.service_runtime =
      std::make_unique<runtime>(definition, status_reporter_, make_run_options(definition, arguments));
  const scope_exit detach([this] { controls_.detach(); });
  controls_.attach(*objects.service_runtime);
  return objects.service_runtime->run();
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

WINSVC_INLINE void service_host::make_definition(run_objects& objects) {
  objects.definition = std::make_unique<service_definition>(*dependencies_.time);
  objects.definition->spec.name = name_;
  objects.definition->instance = launch_options_.instance;
  load_setting_sources(*objects.definition, launch_options_, os::executable_path());
  objects.svc = std::make_unique<service>(*objects.definition);
}

/// Opens the log in the data folder of the service. The name comes from the SCM, because the app has not run yet.
WINSVC_INLINE void service_host::open_log(service_definition& definition) {
  os::sys_result<std::string> folder = std::string();
  if (dependencies_.data_folder) folder = dependencies_.data_folder(name_);
  if (!folder) log_.report_error(folder.error());
  if (folder && !folder->empty()) {
    data_folder_ = *folder;
    state_.set_folder(data_folder_);
    log_.open(definition, data_folder_, name_, initial_log_format(definition));
  }
  definition.log.add_sink(definition.recent_entries);
  definition.data_folder = data_folder_;
}

WINSVC_INLINE std::vector<error> service_host::run_app(run_objects& objects) {
  try {
    const os::activity running("the app function");
    objects.app = objects.definition->call_app(app_, *objects.svc);
    declare_builtin_settings(*objects.definition);
    return {};
  } catch (...) {
    return {error{scm::win32_error::exception_in_service, "set up", name_, base::exception_message(), {}}};
  }
}

WINSVC_INLINE void service_host::attach_log_sinks(service_definition& definition) {
  if (definition.event_log_level) {  // by value: a log that an abandoned thread uses outlives this host
    const auto report = [notify = dependencies_.report_event, name = name_](scm::service_event event,
                                                                            std::string_view text) {
      notify(name, scm::event_info(event).level, static_cast<std::uint32_t>(event), text);
    };
    definition.log_sinks.push_back(std::make_shared<log::event_log_sink>(*definition.event_log_level, report));
  }
  definition.attach_log_sinks();
}

/// The errors of the settings. Those of the installed command line are errors of the system: it is data here.
WINSVC_INLINE std::vector<error> service_host::settings_errors(service_definition& definition) const {
  std::vector<error> errors = definition.settings.errors();
  for (auto& error : errors) {
    if (error.origin != winsvc::error::origin_kind::command_line) continue;
    error.origin = winsvc::error::origin_kind::system;
    error.code = base::win32_error::invalid_data;
    error.hint += (error.hint.empty() ? "" : "; ") +
                  std::string("use 'update --unset NAME' to remove it from the installed service");
  }
  return errors;
}

WINSVC_INLINE void service_host::apply_launch_options(service_definition& definition) {
  definition.spec.name = name_;  // the app has set its own; the SCM knows the service by this name
  if (launch_options_.priority && !os::set_process_priority(*launch_options_.priority))
    definition.log.warn("the priority " + std::string(name(*launch_options_.priority)) + " cannot be set");
  if (launch_options_.preshutdown) definition.spec.preshutdown = launch_options_.preshutdown;
}

WINSVC_INLINE run_options service_host::make_run_options(const service_definition& definition,
                                                         const std::vector<std::string>& arguments) {
  run_options options;
  if (arguments.size() > 1) options.arguments.assign(arguments.begin() + 1, arguments.end());
  options.bind_timeout = definition.bind_timeout;
  options.on_listening = [this](const os::endpoint& address) {
    state_.write_running(address.url());
    if (dependencies_.on_listening) dependencies_.on_listening(address);
  };
  options.on_running = [this](const os::endpoint& address) {
    std::string text;
    base::attempt([&] { text = name_ + " listens on " + address.url(); });
    report_event(scm::service_event::started, text);
  };
  options.control_channel = os::control_channel_address(name_, data_folder_);
  options.on_event = [this](scm::service_event event, const std::string& text) { report_event(event, text); };
  return options;
}

WINSVC_INLINE run_result service_host::report_start_failure(service_definition& definition, std::vector<error> errors) {
  run_result result;
  result.failure = std::move(errors.front());
  errors.erase(errors.begin());
  result.more_failures = std::move(errors);
  const std::string text = result.failure_text();
  for (const auto line : base::split(text, '\n')) definition.log.error(std::string(line));
  definition.log.flush();
  result.has_stuck_thread = definition.is_flush_overdue();
  return result;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
