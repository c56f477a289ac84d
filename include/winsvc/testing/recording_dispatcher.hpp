// recording_dispatcher: the dispatcher of simulated_scm. It calls the service, records its statuses and controls, and
// detects the violations that the recorded statuses alone do not show.
//
//   winsvc::testing::simulated_scm scm;       // has one
//   scm.start(App);
//   scm.violations();
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/testing/whole.hpp"
#include "winsvc/testing/control_rules.hpp"
#include "winsvc/testing/status_rules.hpp"

namespace winsvc {
namespace testing {

/// One run of a service. Its members are shared by the test and the service thread, which may outlive the test
/// if the service hangs. Public members: under `mutex` once the service runs.
class recording_dispatcher final : public detail::os::dispatcher {
 public:
  using milliseconds = std::chrono::milliseconds;
  using state_type = detail::scm::state;

  // -- options; set before start --
  std::map<std::string, std::uint32_t> fail_with;
  std::map<std::string, milliseconds> delay;
  milliseconds wait_limit{0};
  std::vector<std::string> arguments{"simulated"};  // of ServiceMain: the name of the service first
  const clock* time = &clock::system();  // for the recorded times; the limits of waits are real time
  bool checks_port = true;
  bool needs_event = false;  // `running` is set with the event for RUNNING, not with the status

  // -- the record --
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::vector<timed_status> history;
  std::vector<timed_control> controls;
  std::vector<std::string> events;
  std::optional<detail::os::endpoint> address;
  control_handler handler;
  bool running = false;   // url is known, and the app has no more to do for the start
  bool finished = false;  // the program has returned

  // -- calls of the service --

  std::uint32_t run(service_main entry) override {
    {
      const std::lock_guard lock(mutex);
      was_run_ = true;
    }
    if (const auto code = result_of("run")) return code;
    try {
      entry(arguments);
    } catch (...) {
      add_violation("service_main threw: " + detail::base::exception_message() + "; Windows ends the process");
      throw;
    }
    const std::lock_guard lock(mutex);
    const auto stopped = std::find_if(history.begin(), history.end(), [](const auto& e) {
      return e.status.current == detail::scm::state::stopped;
    });
    if (stopped != history.end() && time->now() - stopped->time > max_time_after_stopped)
      add(work_after_stopped);
    return 0;
  }
  std::uint32_t register_handler(const std::string&, control_handler new_handler) override {
    if (const auto code = result_of("register_handler")) return code;
    const std::lock_guard lock(mutex);
    handler = std::move(new_handler);
    was_registered_ = true;
    changed.notify_all();
    return 0;
  }
  std::uint32_t set_status(const detail::scm::service_status& status) noexcept override {
    if (const auto code = result_of("set_status")) return code;
    record(status);
    return 0;
  }

  // -- calls of the test --

  /// Runs the program on its thread until it returns.
  void run_program(const std::function<void()>& program) {
    try {
      program();
    } catch (...) {
      add_violation("the program threw: " + detail::base::exception_message() + "; Windows ends the process");
    }
    const std::lock_guard lock(mutex);
    finished = true;
    finish_time_ = time->now();
    handler = nullptr;
    changed.notify_all();
  }

  /// Waits for the predicate until no status was reported for `wait_limit`, or, in a pending state, for the wait hint
  /// if it is longer. Adds a violation and returns false then. `awaited` is a part of its message.
  template <class Predicate>
  bool wait_until(std::unique_lock<std::mutex>& lock, const Predicate& predicate, const std::string& awaited) {
    const auto begin = real_.now();
    std::size_t known = history.size();
    auto last_report = begin;
    while (!predicate()) {
      if (std::exchange(known, history.size()) != history.size()) last_report = real_.now();
      milliseconds limit = wait_limit;
      if (!history.empty() && detail::scm::is_pending(history.back().status.current))
        limit = (std::max)(limit, (std::min)(history.back().status.wait_hint, milliseconds(max_wait_hint)));
      const auto deadline = last_report + limit;
      if (real_.now() >= deadline) {
        std::string text = awaited + ": no success, and no status for " + detail::base::duration_text(wait_limit);
        if (!history.empty()) text += " in state '" + std::string(name(history.back().status.current)) + '\'';
        add(text + advice());
        return false;
      }
      real_.wait_until(changed, lock, deadline);
    }
    return true;
  }

  /// Sends a control to the handler, one at a time, as the SCM does. Returns the result of the handler.
  std::uint32_t send(const control_handler& target, const detail::scm::control_event& event, bool was_accepted) {
    const std::lock_guard send_lock(send_mutex_);
    std::size_t index = 0;
    {
      const std::lock_guard lock(mutex);
      index = controls.size();
      controls.push_back({event.control, time->now(), history.size(), was_accepted, handler_did_not_return});
    }
    const std::uint32_t result = call_handler(target, event);
    bool probe = false;
    {
      const std::lock_guard lock(mutex);
      controls[index].result = result;
      probe = event.control >= 128 && event.control <= 255 && result == 0 && !std::exchange(was_probed_, true);
    }
    // A handler that returns 0 for each number looks like one that has this custom control. So it is also called with a
    // number that Windows does not have.
    constexpr std::uint32_t unknown_control = 127;
    if (probe && call_handler(target, {unknown_control, 0, 0, {}, {}}) == 0)
      add_violation("control " + std::to_string(event.control) + ": the control handler returned 0, also for the "
                    "unknown control 127; its sender believes that it had an effect");
    return result;
  }

  [[nodiscard]] std::vector<std::string> violations() const {
    const std::lock_guard lock(mutex);
    auto result = find_status_violations(history);
    for (auto& text : find_control_violations(history, controls, finished ? finish_time_ : time->now()))
      result.push_back(std::move(text));
    result.insert(result.end(), violations_.begin(), violations_.end());
    const bool stop_sent = std::any_of(controls.begin(), controls.end(), [](const timed_control& c) {
      return c.result == 0 && is_stop(c.number);
    });
    const auto was_reported = [this](state_type s) {
      return std::any_of(history.begin(), history.end(), [s](const auto& e) { return e.status.current == s; });
    };
    if (finished && !was_run_)
      result.emplace_back("the program did not call the dispatcher; Windows ends the start after 30 s with 1053");
    else if (finished && history.empty() && fail_with.empty())
      result.emplace_back("the service reported no status; Windows ends the start after 30 s with 1053");
    else if (finished && was_reported(state_type::stopped) && !history.back().status.exit.failed() && !stop_sent &&
             !was_reported(state_type::running) && was_reported(state_type::stop_pending))
      result.emplace_back("stopped: the service was never RUNNING and no stop was sent, but the exit code is 0, which "
                          "is success");
    return result;
  }
  void add_violation(std::string text) {
    const std::lock_guard lock(mutex);
    add(std::move(text));
  }
  /// Requires `mutex`. The same violation is reported once.
  void add(std::string text) {
    if (std::find(violations_.begin(), violations_.end(), text) == violations_.end())
      violations_.push_back(std::move(text));
  }
  [[nodiscard]] std::uint32_t result_of(const char* call) {
    if (const auto slow = delay.find(call); slow != delay.end()) std::this_thread::sleep_for(slow->second);
    const auto failure = fail_with.find(call);
    return failure == fail_with.end() ? 0 : failure->second;
  }

 private:
  static constexpr std::uint32_t handler_did_not_return = 1053;  // ERROR_SERVICE_REQUEST_TIMEOUT
  static constexpr milliseconds max_time_after_stopped{500};
  static constexpr const char* work_after_stopped =
      "stopped: service_main did not return within 500 ms after STOPPED, when the process may have ended";

  static bool is_stop(std::uint32_t number) {
    const auto c = static_cast<detail::scm::control>(number);
    return c == detail::scm::control::stop || c == detail::scm::control::shutdown ||
           c == detail::scm::control::preshutdown;
  }

  void record(const detail::scm::service_status& status) {
    const auto now = time->now();
    const std::lock_guard lock(mutex);
    if (!was_registered_)
      add("a status was reported without a control handler; Windows returns the status handle with its registration");
    if (status.current == detail::scm::state::running && !std::exchange(was_running_, true)) {
      if (checks_port && !(address && detail::os::tcp_socket::connect(*address, std::chrono::seconds(5))))
        add("running: reported before the port accepts connections");
      if (!needs_event) running = true;
    }
    history.push_back({status, now});
    changed.notify_all();
  }

  /// Calls the handler on a separate thread, because a handler may never return. Returns 1053 then, as the SCM does.
  std::uint32_t call_handler(const control_handler& target, const detail::scm::control_event& event) {
    struct call {
      std::mutex mutex;
      std::condition_variable returned;
      std::optional<std::uint32_t> result;
      std::optional<std::string> exception;
    };
    const auto shared = std::make_shared<call>();
    const std::string prefix = "control " + std::to_string(event.control) + ": ";
    const auto start_time = real_.now();
    std::thread thread([shared, target, event] {
      std::uint32_t result = detail::scm::win32_error::exception_in_service;
      std::optional<std::string> exception;
      try {
        result = target(event);
      } catch (...) {
        exception = detail::base::exception_message();
      }
      const std::lock_guard lock(shared->mutex);
      shared->result = result;
      shared->exception = std::move(exception);
      shared->returned.notify_all();
    });
    std::unique_lock lock(shared->mutex);
    const auto has_returned = [&] { return shared->result.has_value(); };
    const bool returned = real_.wait_until(shared->returned, lock, start_time + wait_limit, has_returned);
    if (!returned) {
      lock.unlock();
      thread.detach();
      add_violation(prefix + "the control handler did not return");
      return handler_did_not_return;
    }
    lock.unlock();
    thread.join();
    if (shared->exception)
      add_violation(prefix + "the control handler threw: " + *shared->exception + "; Windows ends the process");
    if (real_.now() - start_time > std::chrono::seconds(1))
      add_violation(prefix + "the control handler took more than 1 s, and blocks all callers of the SCM");
    return *shared->result;
  }

  /// Requires `mutex`. Explains a wait for the end without success.
  [[nodiscard]] std::string advice() const {
    if (finished || history.empty()) return {};
    const bool rejected = std::none_of(controls.begin(), controls.end(), [](const timed_control& c) {
      return c.result == 0 && is_stop(c.number);
    });
    return rejected ? "; the service has received no stop (in a pending state, a control is rejected with 1061)" : "";
  }

  const clock& real_ = clock::system();
  std::mutex send_mutex_;
  std::vector<std::string> violations_;
  std::chrono::steady_clock::time_point finish_time_;
  bool was_run_ = false, was_registered_ = false, was_running_ = false, was_probed_ = false;
};

}  // namespace testing
}  // namespace winsvc
