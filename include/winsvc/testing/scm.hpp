// simulated_scm: a Service Control Manager for tests, on any platform. It starts a service in this process, sends
// controls to it, records each status and reports violations of the SCM's rules.
//
//   winsvc::testing::simulated_scm scm;
//   scm.start(App);                                       // returns when the service is running or has stopped
//   CHECK(scm.pause() == 0);
//   CHECK(scm.wait_for(winsvc::testing::scm_state::paused));
//   CHECK(scm.stop() == 0);
//   CHECK(scm.wait() == 0);                               // the exit code
//   CHECK(scm.violations().empty());
//
// It is strict where Windows is silent: a violation is a status or a reaction that would make Windows wait without
// result, end the service or show a wrong state. Each wait has a limit; a service that hangs is a violation, too.
// After the first custom control (128 to 255) that returns 0, the simulated SCM also calls the control handler once
// with the number 127, which Windows does not have. A handler that returns 0 for it returns 0 for each number, and the
// sender of a custom control cannot see that it had no effect: a violation. The handler of winsvc returns 120
// (ERROR_CALL_NOT_IMPLEMENTED) and calls no hook. Source: LPHANDLER_FUNCTION_EX, "Return value".
// `fail_with` makes a call of the service fail; `delay` makes it slow. testing/status_rules.hpp and
// testing/control_rules.hpp have the rules.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/testing/whole.hpp"
#include "winsvc/testing/recording_dispatcher.hpp"

namespace winsvc {
namespace testing {

/// State of a service: `scm_state::running` ...
using scm_state = detail::scm::state;
/// A control: `scm_control::stop` ...
using scm_control = detail::scm::control;

/// Safe to use from any thread. Runs one service.
class simulated_scm {
 public:
  using milliseconds = std::chrono::milliseconds;

  simulated_scm() = default;
  /// Stops the service if it is starting or running, and waits for its end, at most `wait_limit` without a status.
  /// After that it abandons the service thread and writes the violation to stderr; end the test program then.
  ~simulated_scm() {
    if (!service_.joinable()) return;
    auto& record = *record_;
    {
      std::unique_lock lock(record.mutex);
      record.wait_until(lock, [&] { return record.handler || record.finished; }, "the registration of the handler");
    }
    static_cast<void>(deliver_always(detail::scm::control::stop));
    if (wait_for_end("the end of the service")) return;
    service_.detach();
    for (const auto& text : record.violations()) std::fprintf(stderr, "simulated_scm: %s\n", text.c_str());
  }
  simulated_scm(const simulated_scm&) = delete;
  simulated_scm& operator=(const simulated_scm&) = delete;

  // -- options; set before start --

  /// The data folder of the service. Empty: the service has none and writes no files.
  std::string data_folder;
  /// Variables of `install --env`, as `NAME=value`, which the service sets itself.
  std::vector<std::string> environment;
  /// `--host`, `--port` and the other options of the ImagePath. Default: a free port of 127.0.0.1.
  detail::scm::launch_options launch{{}, std::string("127.0.0.1"), std::uint16_t{0}, {}};
  /// The error code of a call: "run" (StartServiceCtrlDispatcher), "register_handler", "set_status" or "data_folder". A
  /// failed status is not recorded.
  std::map<std::string, std::uint32_t> fail_with;
  /// The duration of a call, by the same names.
  std::map<std::string, milliseconds> delay;
  /// Clock of the service and of the recorded times. It must outlive the service.
  const clock* time = &clock::system();
  /// Maximum time without a status for `start`, the waits and the destructor (default 30 s). In a pending state, its
  /// wait hint counts if it is longer. Also the limit for the control handler.
  milliseconds wait_limit{30'000};

  // -- start --

  /// Starts the service and returns when it is running and `url` is known, or when it has stopped, or at the limit,
  /// which is a violation. Call it only once.
  template <class App>
  void start(App& app, std::vector<std::string> arguments = {}) {
    start_async(app, std::move(arguments));
    auto& record = *record_;
    std::unique_lock lock(record.mutex);
    record.wait_until(lock, [&] { return record.running || record.finished; }, "start");
  }
  /// Starts the service and returns at once.
  template <class App>
  void start_async(App& app, std::vector<std::string> arguments = {}) {
    start_app(detail::api::app_of_callable(app), std::move(arguments));
  }
  /// Starts a program that uses the dispatcher directly. `port`: the port that must accept connections when the program
  /// reports RUNNING; 0: none.
  void start_program_async(std::function<void(detail::os::dispatcher&)> program, std::uint16_t port = 0) {
    if (port != 0) record_->address = detail::os::endpoint{"127.0.0.1", port};
    record_->checks_port = port != 0;
    launch_thread([program = std::move(program)](recording_dispatcher& dispatcher) { program(dispatcher); });
  }

  // -- controls: return 0, the error code of the SCM (1052, 1061, 1062) or the code that the handler returned; 1053 if
  // -- the handler does not return

  std::uint32_t control(const detail::scm::control_event& event) {
    namespace code = detail::base::win32_error;
    detail::os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(record_->mutex);
      if (record_->history.empty() || record_->finished) return code::service_not_active;
      const auto& now = record_->history.back().status;
      const auto number = static_cast<detail::scm::control>(event.control);
      if (now.current == detail::scm::state::stopped) return code::service_not_active;
      if (number != detail::scm::control::interrogate && detail::scm::is_pending(now.current))
        return code::service_cannot_accept_control;
      if (!detail::scm::is_accepted(now.accepted, number)) return code::invalid_service_control;
      handler = record_->handler;
    }
    return handler ? record_->send(handler, event, true) : code::service_cannot_accept_control;
  }
  std::uint32_t control(detail::scm::control c) { return control(make_event(c)); }
  std::uint32_t custom(std::uint32_t code) { return control(static_cast<detail::scm::control>(code)); }
  std::uint32_t stop() { return control(detail::scm::control::stop); }
  std::uint32_t pause() { return control(detail::scm::control::pause); }
  std::uint32_t resume() { return control(detail::scm::control::continue_control); }
  std::uint32_t reload() { return control(detail::scm::control::param_change); }
  std::uint32_t change_session(session_change::kind kind, std::uint32_t id) {
    return control({static_cast<std::uint32_t>(detail::scm::control::session_change), kind, id, {}, {}});
  }
  std::uint32_t power(power_event::kind kind) {
    return control({static_cast<std::uint32_t>(detail::scm::control::power_event), kind, 0, {}, {}});
  }
  /// Sends PRESHUTDOWN, or SHUTDOWN if the service does not accept PRESHUTDOWN, as Windows does at shutdown.
  std::uint32_t shut_down() {
    namespace code = detail::base::win32_error;
    const auto result = control(detail::scm::control::preshutdown);
    return result == code::invalid_service_control ? control(detail::scm::control::shutdown) : result;
  }
  /// Sends a control in any state, also if the service does not accept it.
  std::uint32_t deliver_always(const detail::scm::control_event& event) {
    namespace code = detail::base::win32_error;
    detail::os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(record_->mutex);
      handler = record_->handler;
    }
    return handler ? record_->send(handler, event, false) : code::service_cannot_accept_control;
  }
  std::uint32_t deliver_always(detail::scm::control c) { return deliver_always(make_event(c)); }

  // -- waiting: at most `wait_limit` without a status; reaching the limit is a violation --

  /// Waits until the service has stopped. Returns its exit code; 1053 if it did not stop.
  std::uint32_t wait() {
    if (!wait_for_end("wait")) return 1053;  // ERROR_SERVICE_REQUEST_TIMEOUT
    const std::lock_guard lock(record_->mutex);
    return record_->history.empty() ? 0 : record_->history.back().status.exit.code();
  }
  /// Waits until the service has reported this state, at `from` in the history or later. Returns false if it ended
  /// without reporting the state, or at the limit.
  bool wait_for(detail::scm::state s, std::size_t from = 0) {
    std::unique_lock lock(record_->mutex);
    const auto was_reported = [&] {
      const auto& history = record_->history;
      for (std::size_t i = from; i < history.size(); ++i) {
        if (history[i].status.current == s) return true;
      }
      return false;
    };
    record_->wait_until(lock, [&] { return was_reported() || record_->finished; },
                        "wait_for '" + std::string(detail::scm::name(s)) + '\'');
    return was_reported();
  }
  /// Call it while the test blocks the service, so that the service makes no progress. A checkpoint within `duration`
  /// is a violation: a timer reports it, and it hides a hang.
  void measure_idle(milliseconds duration) {
    std::unique_lock lock(record_->mutex);
    const auto& history = record_->history;
    const std::size_t before = history.size();
    const auto& real = clock::system();
    real.wait_until(record_->changed, lock, real.now() + duration, [&] { return history.size() != before; });
    if (history.size() != before && detail::scm::is_pending(history.back().status.current))
      record_->add("the checkpoint increased without progress: a timer that reports checkpoints hides a hang");
  }

  // -- the record --

  [[nodiscard]] detail::scm::state state() const {
    const std::lock_guard lock(record_->mutex);
    return record_->history.empty() ? detail::scm::state::none : record_->history.back().status.current;
  }
  [[nodiscard]] std::vector<timed_status> history() const {
    const std::lock_guard lock(record_->mutex);
    return record_->history;
  }
  /// The entries for the event log, each as `id text`.
  [[nodiscard]] std::vector<std::string> events() const {
    const std::lock_guard lock(record_->mutex);
    return record_->events;
  }
  /// The URL of the service; "" until it listens.
  [[nodiscard]] std::string url() const {
    const std::lock_guard lock(record_->mutex);
    return record_->address ? record_->address->url() : std::string();
  }
  /// The violations up to now, one message each. Call it after `wait`.
  [[nodiscard]] std::vector<std::string> violations() const { return record_->violations(); }

 private:
  static detail::scm::control_event make_event(detail::scm::control c) {
    return {static_cast<std::uint32_t>(c), 0, 0, {}, {}};
  }

  void start_app(detail::api::app_factory app, std::vector<std::string> arguments) {
    record_->arguments.insert(record_->arguments.end(), arguments.begin(), arguments.end());
    record_->needs_event = true;
    // The host keeps these functions; they end with the record, which the service thread shares.
    recording_dispatcher* const record = record_.get();
    detail::host::service_host_dependencies dependencies{*record};
    dependencies.data_folder = nullptr;
    if (!data_folder.empty() || fail_with.count("data_folder") != 0) {
      dependencies.data_folder = [record, folder = data_folder](
                                     const std::string&) -> detail::os::sys_result<std::string> {
        if (const auto code = record->result_of("data_folder")) return detail::os::sys_failure(code);
        return folder;
      };
    }
    dependencies.report_event = [record](const std::string&, detail::scm::event_level, std::uint32_t id,
                                         std::string_view text) {
      const std::lock_guard lock(record->mutex);
      record->events.push_back(std::to_string(id) + ' ' + std::string(text));
      if (id == static_cast<std::uint32_t>(detail::scm::service_event::started)) record->running = true;
      record->changed.notify_all();
    };
    dependencies.on_listening = [record](const detail::os::endpoint& address) {
      const std::lock_guard lock(record->mutex);
      record->address = address;
    };
    dependencies.service_environment = [this](const std::string&) { return environment; };
    dependencies.handle_crashes = false;
    dependencies.time = time;
    dependencies.end_process = [record](int) {
      record->add_violation("a hook, handler or worker did not return; the host would end the process");
    };
    app_ = std::make_shared<detail::host::service_host>(std::move(app), launch, std::move(dependencies));
    launch_thread([host = app_](recording_dispatcher&) { host->run(); });
  }

  void launch_thread(std::function<void(recording_dispatcher&)> run) {
    record_->fail_with = fail_with;
    record_->delay = delay;
    record_->wait_limit = wait_limit;
    record_->time = time;
    service_ = std::thread([record = record_, run = std::move(run)] { record->run_program([&] { run(*record); }); });
  }

  /// False at the limit; the service thread still runs then.
  bool wait_for_end(const char* awaited) {
    if (!service_.joinable()) return true;
    {
      std::unique_lock lock(record_->mutex);
      if (!record_->wait_until(lock, [this] { return record_->finished; }, awaited)) return false;
    }
    service_.join();
    return true;
  }

  std::shared_ptr<recording_dispatcher> record_ = std::make_shared<recording_dispatcher>();
  std::shared_ptr<detail::host::service_host> app_;  // not reset when the service ends: a control may be in progress
  std::thread service_;
};

}  // namespace testing
}  // namespace winsvc
