// A simulated Service Control Manager, on any platform: it starts a service in this process, plays controls to it,
// keeps every status, and judges them as the real one would.
//
//   winsvc::testing::simulated_scm scm;
//   scm.start(App);                                       // returns when it runs, or has stopped
//   CHECK(scm.state() == winsvc::model::state::running);
//   scm.control(winsvc::model::control::stop);
//   CHECK(scm.wait() == 0);                               // the exit code
//   CHECK(scm.verdicts().empty());
//
// It is strict where the real one is silent: what would make Windows wait in vain, kill the service or show a wrong
// state is a verdict.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc.hpp"

namespace winsvc {
namespace testing {

/// One status as it was reported, and when.
struct reported {
  model::service_status status;
  std::chrono::steady_clock::time_point when;
};

/// What is wrong with a history of statuses; empty when nothing is. Pure.
[[nodiscard]] inline std::vector<std::string> judge(const std::vector<reported>& history) {
  using model::state;
  std::vector<std::string> verdicts;
  const model::service_status* last = nullptr;
  std::chrono::steady_clock::time_point last_when;
  for (const auto& [status, when] : history) {
    const auto say = [&verdicts, &status = status](const std::string& what) {
      verdicts.push_back(std::string(model::name(status.current)) + ": " + what);
    };
    const bool pending = model::is_pending(status.current);
    if (last && model::is_pending(last->current) && last->wait_hint.count() != 0 &&
        when - last_when > last->wait_hint) {
      verdicts.push_back(std::string(model::name(last->current)) +
                         ": silent for longer than its wait hint: the SCM takes it for hung");
    }
    if (last && last->current == state::stopped) say("reported after STOPPED, when the process may be gone");
    if (!last && status.current != state::start_pending) say("the first status is not START_PENDING");
    if ((pending || status.current == state::stopped) && status.accepted != 0)
      say("controls are accepted in this state");
    if (pending && status.wait_hint.count() == 0) say("no wait hint: the SCM gives up after 2 s");
    if (pending && status.checkpoint == 0) say("no checkpoint in a pending state");
    if (!pending && status.checkpoint != 0) say("a checkpoint outside a pending state");
    if (last && last->current == status.current && pending && status.checkpoint <= last->checkpoint)
      say("the checkpoint did not rise");
    if (last && last->current == status.current && !pending) say("reported twice");
    if (status.exit.win32 == 1066 && status.exit.specific == 0)
      say("exit code 1066 with 0 reads 'completed successfully'");
    if (status.current != state::stopped && status.exit.win32 != 0) say("an exit code before STOPPED");
    last = &status;
    last_when = when;
  }
  if (last && last->current != state::stopped) verdicts.push_back("the service never reported STOPPED");
  return verdicts;
}

class simulated_scm {
 public:
  simulated_scm() = default;
  /// Asks a service that still runs, or starts, to stop, and waits for it.
  ~simulated_scm() {
    if (!service_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return handler_ || ended_; });
    }
    static_cast<void>(force(model::control::stop));
    service_.join();
  }
  simulated_scm(const simulated_scm&) = delete;
  simulated_scm& operator=(const simulated_scm&) = delete;

  /// Where the service's data goes; empty: nowhere, and the service is told so. Set before start.
  std::string data_folder;
  /// `--host` and `--port` of its ImagePath. Default: a free port of 127.0.0.1.
  model::launch_options launch{{}, std::string("127.0.0.1"), std::uint16_t{0}, {}};

  /// Starts the service, once for each simulated_scm, and returns when it runs and `url` is known, or when it has
  /// stopped.
  template <class App>
  void start(App& app, std::vector<std::string> arguments = {}) {
    start_app(host::app_of_callable(app), std::move(arguments));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !url_.empty() || ended_; });
  }
  /// Starts the service and returns at once.
  template <class App>
  void begin(App& app, std::vector<std::string> arguments = {}) {
    start_app(host::app_of_callable(app), std::move(arguments));
  }

  /// Sends a control as ControlService does: 0, or the code of the refusal (1052, 1061, 1062), or what the handler
  /// answered.
  std::uint32_t control(model::control c) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      if (history_.empty() || ended_) return 1062;
      const auto& now = history_.back().status;
      if (now.current == model::state::stopped) return 1062;
      const bool always = c == model::control::interrogate;
      if (!always && (now.current == model::state::start_pending || now.current == model::state::stop_pending))
        return 1061;
      if (!model::is_accepted(now.accepted, c)) return 1052;
      handler = handler_;
    }
    return send(handler, c);
  }
  /// Hands a control to the service whatever its state is: what a shutdown in START_PENDING does.
  std::uint32_t force(model::control c) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      handler = handler_;
    }
    return handler ? send(handler, c) : 1061;
  }

  /// Waits until the service has stopped; its exit code.
  std::uint32_t wait() {
    if (service_.joinable()) service_.join();
    const std::lock_guard lock(mutex_);
    return history_.empty() ? 0 : history_.back().status.exit.code();
  }
  /// Waits until it has reported this state, or has ended without: false.
  bool wait_for(model::state s) {
    std::unique_lock lock(mutex_);
    const auto seen = [&] {
      for (const auto& h : history_) {
        if (h.status.current == s) return true;
      }
      return false;
    };
    changed_.wait(lock, [&] { return seen() || ended_; });
    return seen();
  }

  [[nodiscard]] model::state state() const {
    const std::lock_guard lock(mutex_);
    return history_.empty() ? model::state::none : history_.back().status.current;
  }
  [[nodiscard]] std::vector<reported> history() const {
    const std::lock_guard lock(mutex_);
    return history_;
  }
  /// What went to the event log: `id text`.
  [[nodiscard]] std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// Where the service listens, from its event; "" before that.
  [[nodiscard]] std::string url() const {
    const std::lock_guard lock(mutex_);
    return url_;
  }
  /// The judgement so far, slow control handlers included. Ask after the end.
  [[nodiscard]] std::vector<std::string> verdicts() const {
    const std::lock_guard lock(mutex_);
    auto all = judge(history_);
    all.insert(all.end(), handler_verdicts_.begin(), handler_verdicts_.end());
    return all;
  }

 private:
  struct line final : os::dispatcher {
    explicit line(simulated_scm& s) : scm(s) {}
    std::uint32_t run(service_main entry) override {
      entry(scm.arguments_);
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler handler) override {
      const std::lock_guard lock(scm.mutex_);
      scm.handler_ = std::move(handler);
      scm.changed_.notify_all();
      return 0;
    }
    std::uint32_t set_status(const model::service_status& status) noexcept override {
      const std::lock_guard lock(scm.mutex_);
      scm.history_.push_back({status, std::chrono::steady_clock::now()});
      scm.changed_.notify_all();
      return 0;
    }
    simulated_scm& scm;
  };

  void start_app(host::app_factory app, std::vector<std::string> arguments) {
    arguments_ = {"simulated"};
    arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
    host::service_surroundings around{
        line_,
        [this](const std::string&) -> os::sys_result<std::string> {
          if (data_folder.empty()) return os::sys_failure(model::code::access_denied);
          return data_folder;
        },
        [this](const std::string&, os::event_level, std::uint32_t id, std::string_view what) {
          const std::lock_guard lock(mutex_);
          events_.push_back(std::to_string(id) + ' ' + std::string(what));
          if (const auto at = what.find("http://"); id == os::event_id::started && at != what.npos)
            url_ = what.substr(at);
          changed_.notify_all();
        },
        [this](int) {
          const std::lock_guard lock(mutex_);
          handler_verdicts_.push_back("a handler or worker did not return, and the process would be ended over it");
        }};
    host_ = std::make_unique<host::service_host>(std::move(app), launch, std::move(around));
    service_ = std::thread([this] {
      host_->run();
      const std::lock_guard lock(mutex_);
      ended_ = true;
      handler_ = nullptr;
      changed_.notify_all();
    });
  }

  std::uint32_t send(const os::dispatcher::control_handler& handler, model::control c) {
    const auto began = std::chrono::steady_clock::now();
    const std::uint32_t answered = handler({static_cast<std::uint32_t>(c), 0, 0, {}, {}});
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(1)) {
      const std::lock_guard lock(mutex_);
      handler_verdicts_.push_back("control " + std::to_string(static_cast<unsigned>(c)) +
                                  ": the handler took over 1 s, and every caller of the SCM waits for it");
    }
    return answered;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<reported> history_;
  std::vector<std::string> events_, handler_verdicts_, arguments_;
  std::string url_;
  os::dispatcher::control_handler handler_;
  bool ended_ = false;
  line line_{*this};
  std::unique_ptr<host::service_host> host_;  // until the end of all: a control may be on its way into it as it ends
  std::thread service_;
};

}  // namespace testing
}  // namespace winsvc
