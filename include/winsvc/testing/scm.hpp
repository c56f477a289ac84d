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
// It is strict where Windows is silent: a violation is a status that would make Windows wait without result, end the
// service or show a wrong state. `fail_with` makes a call of the service fail; `delay` makes it slow.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/testing/whole.hpp"
#include "winsvc/testing/status_rules.hpp"

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
  /// Stops the service if it is starting or running, and waits for its end.
  ~simulated_scm() {
    if (!service_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return handler_ || finished_; });
    }
    static_cast<void>(deliver_always(detail::scm::control::stop));
    service_.join();
  }
  simulated_scm(const simulated_scm&) = delete;
  simulated_scm& operator=(const simulated_scm&) = delete;

  // -- options; set before start --

  /// The data folder of the service. Empty: the service receives error 5 (access denied) when it requests the folder.
  std::string data_folder;
  /// `--host`, `--port` and the other options of the ImagePath. Default: a free port of 127.0.0.1.
  detail::scm::launch_options launch{{}, std::string("127.0.0.1"), std::uint16_t{0}, {}};
  /// The error code of a call: "run" (StartServiceCtrlDispatcher), "register_handler" or "set_status". A failed status
  /// is not recorded.
  std::map<std::string, std::uint32_t> fail_with;
  /// The duration of a call, by the same names.
  std::map<std::string, milliseconds> delay;

  // -- start --

  /// Starts the service and returns when it is running and `url` is known, or when it has stopped. Call it only once.
  template <class App>
  void start(App& app, std::vector<std::string> arguments = {}) {
    start_async(app, std::move(arguments));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ || finished_; });
  }
  /// Starts the service and returns at once.
  template <class App>
  void start_async(App& app, std::vector<std::string> arguments = {}) {
    start_app(detail::api::app_of_callable(app), std::move(arguments));
  }
  /// Starts a program that uses the dispatcher directly. `port`: the port that must accept connections when the program
  /// reports RUNNING; 0: none.
  void start_program_async(std::function<void(detail::os::dispatcher&)> program, std::uint16_t port = 0) {
    if (port != 0) address_ = detail::os::endpoint{"127.0.0.1", port};
    checks_port_ = port != 0;
    launch_thread([this, program = std::move(program)] { program(dispatcher_); });
  }

  // -- controls: return 0, the error code of the SCM (1052, 1061, 1062) or the code that the handler returned --

  std::uint32_t control(const detail::scm::control_event& event) {
    detail::os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      if (history_.empty() || finished_) return 1062;
      const auto& now = history_.back().status;
      const auto code = static_cast<detail::scm::control>(event.control);
      if (now.current == detail::scm::state::stopped) return 1062;
      if (code != detail::scm::control::interrogate && detail::scm::is_pending(now.current)) return 1061;
      if (!detail::scm::is_accepted(now.accepted, code)) return 1052;
      handler = handler_;
    }
    return send(handler, event);
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
    const auto result = control(detail::scm::control::preshutdown);
    return result == 1052 ? control(detail::scm::control::shutdown) : result;
  }
  /// Sends a control in any state, also if the service does not accept it.
  std::uint32_t deliver_always(const detail::scm::control_event& event) {
    detail::os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      handler = handler_;
    }
    return handler ? send(handler, event) : 1061;
  }
  std::uint32_t deliver_always(detail::scm::control c) { return deliver_always(make_event(c)); }

  // -- waiting --

  /// Waits until the service has stopped. Returns its exit code.
  std::uint32_t wait() {
    if (service_.joinable()) service_.join();
    const std::lock_guard lock(mutex_);
    return history_.empty() ? 0 : history_.back().status.exit.code();
  }
  /// Waits until the service has reported this state, at `from` in the history or later. Returns false if it ended
  /// without reporting the state.
  bool wait_for(detail::scm::state s, std::size_t from = 0) {
    std::unique_lock lock(mutex_);
    const auto was_reported = [&] {
      for (std::size_t i = from; i < history_.size(); ++i) {
        if (history_[i].status.current == s) return true;
      }
      return false;
    };
    changed_.wait(lock, [&] { return was_reported() || finished_; });
    return was_reported();
  }
  /// Call it while the test blocks the service, so that the service makes no progress. A checkpoint within `duration`
  /// is a violation: a timer reports it, and it hides a hang.
  void measure_idle(milliseconds duration) {
    std::unique_lock lock(mutex_);
    const std::size_t before = history_.size();
    changed_.wait_for(lock, duration, [&] { return history_.size() != before; });
    if (history_.size() != before && detail::scm::is_pending(history_.back().status.current))
      violations_.push_back("the checkpoint increased without progress: a timer that reports checkpoints hides a hang");
  }

  // -- the record --

  [[nodiscard]] detail::scm::state state() const {
    const std::lock_guard lock(mutex_);
    return history_.empty() ? detail::scm::state::none : history_.back().status.current;
  }
  [[nodiscard]] std::vector<timed_status> history() const {
    const std::lock_guard lock(mutex_);
    return history_;
  }
  /// The entries for the event log, each as `id text`.
  [[nodiscard]] std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// The URL of the service; "" until it listens.
  [[nodiscard]] std::string url() const {
    const std::lock_guard lock(mutex_);
    return address_ ? address_->url() : std::string();
  }
  /// The violations up to now, one message each. Call it after `wait`.
  [[nodiscard]] std::vector<std::string> violations() const {
    const std::lock_guard lock(mutex_);
    auto result = find_status_violations(history_);
    result.insert(result.end(), violations_.begin(), violations_.end());
    return result;
  }

 private:
  struct test_dispatcher final : detail::os::dispatcher {
    explicit test_dispatcher(simulated_scm& s) : scm(s) {}
    std::uint32_t run(service_main entry) override {
      if (const auto code = scm.result_of("run")) return code;
      entry(scm.arguments_);
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler handler) override {
      if (const auto code = scm.result_of("register_handler")) return code;
      const std::lock_guard lock(scm.mutex_);
      scm.handler_ = std::move(handler);
      scm.changed_.notify_all();
      return 0;
    }
    std::uint32_t set_status(const detail::scm::service_status& status) noexcept override {
      if (const auto code = scm.result_of("set_status")) return code;
      scm.record(status);
      return 0;
    }
    simulated_scm& scm;
  };

  static detail::scm::control_event make_event(detail::scm::control c) {
    return {static_cast<std::uint32_t>(c), 0, 0, {}, {}};
  }

  std::uint32_t result_of(const char* call) {
    if (const auto slow = delay.find(call); slow != delay.end()) std::this_thread::sleep_for(slow->second);
    const auto failure = fail_with.find(call);
    return failure == fail_with.end() ? 0 : failure->second;
  }

  void record(const detail::scm::service_status& status) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    const bool first_running = status.current == detail::scm::state::running && !was_running_;
    if (first_running) {
      was_running_ = true;
      if (checks_port_ && !(address_ && detail::os::tcp_socket::connect(*address_, std::chrono::seconds(5))))
        violations_.push_back("running: reported before the port accepts connections");
      if (!app_) running_ = true;
    }
    history_.push_back({status, now});
    changed_.notify_all();
  }

  void start_app(detail::api::app_factory app, std::vector<std::string> arguments) {
    arguments_ = {"simulated"};
    arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
    detail::host::service_host_dependencies dependencies{dispatcher_};
    dependencies.data_folder = [this](const std::string&) -> detail::os::sys_result<std::string> {
      if (data_folder.empty()) return detail::os::sys_failure(detail::base::win32_error::access_denied);
      return data_folder;
    };
    dependencies.report_event = [this](const std::string&, detail::scm::event_level, std::uint32_t id,
                                    std::string_view text) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::to_string(id) + ' ' + std::string(text));
      if (id == static_cast<std::uint32_t>(detail::scm::service_event::started)) running_ = true;
      changed_.notify_all();
    };
    dependencies.on_listening = [this](const detail::os::endpoint& address) {
      const std::lock_guard lock(mutex_);
      address_ = address;
    };
    dependencies.handle_crashes = false;
    dependencies.end_process = [this](int) {
      const std::lock_guard lock(mutex_);
      violations_.push_back("a hook, handler or worker did not return; the host would end the process");
    };
    app_ = std::make_unique<detail::host::service_host>(std::move(app), launch, std::move(dependencies));
    launch_thread([this] { app_->run(); });
  }

  void launch_thread(std::function<void()> run) {
    service_ = std::thread([this, run = std::move(run)] {
      run();
      const std::lock_guard lock(mutex_);
      finished_ = true;
      handler_ = nullptr;
      changed_.notify_all();
    });
  }

  /// Sends one control at a time, as the SCM does.
  std::uint32_t send(const detail::os::dispatcher::control_handler& handler, const detail::scm::control_event& event) {
    const std::lock_guard send_lock(send_mutex_);
    const auto start_time = std::chrono::steady_clock::now();
    const std::uint32_t result = handler(event);
    if (std::chrono::steady_clock::now() - start_time > std::chrono::seconds(1)) {
      const std::lock_guard lock(mutex_);
      violations_.push_back("control " + std::to_string(event.control) +
                            ": the control handler took more than 1 s, and blocks all callers of the SCM");
    }
    return result;
  }

  std::mutex send_mutex_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<timed_status> history_;
  std::vector<std::string> events_, violations_, arguments_;
  std::optional<detail::os::endpoint> address_;
  detail::os::dispatcher::control_handler handler_;
  bool checks_port_ = true, was_running_ = false, running_ = false, finished_ = false;
  test_dispatcher dispatcher_{*this};
  std::unique_ptr<detail::host::service_host> app_;  // not reset when the service ends: a control may be in progress
  std::thread service_;
};

}  // namespace testing
}  // namespace winsvc
