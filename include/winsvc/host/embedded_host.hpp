// Embedded host: implements winsvc::host (api/host.hpp), which runs a service inside another program. One thread runs
// the app and the runtime. The object has the state that the threads of the program read.
//
//   winsvc::host host(App);
//   host.start();
//   ... the main loop of the program ...
//   host.stop();
//
// States: new -> started -> serving -> ended, or from started to ended. `stop` before `serving` is stored and requested
// as soon as the runtime exists.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/api/host.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/host/service_host.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// One run of a service in a program. Thread-safe.
class embedded_run {
 public:
  embedded_run(api::app_factory app, const clock& time) : app_(std::move(app)), time_(time) {}

  void start();
  void stop(std::string_view reason);
  [[nodiscard]] bool wait_until_serving(std::chrono::milliseconds limit);
  [[nodiscard]] std::string url();
  result<void> wait();

 private:
  /// The objects of the run, which a thread that does not return may use until the process ends.
  struct run_objects {
    explicit run_objects(const clock& time) : definition(time) {}

    service_definition definition;
    std::unique_ptr<winsvc::service> svc;
    std::shared_ptr<void> app;
    std::unique_ptr<status_reporter> reporter;
    std::unique_ptr<runtime> service_runtime;
  };

  std::optional<error> run(const std::shared_ptr<run_objects>& objects);

  api::app_factory app_;
  const clock& time_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_:
  bool started_ = false, serving_ = false, ended_ = false;
  std::string url_;
  std::optional<error> failure_;
  std::optional<std::string> stop_reason_;
  runtime* runtime_ = nullptr;
  std::thread thread_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void embedded_run::start() {
  const std::lock_guard lock(mutex_);
  if (started_) return;
  thread_ = os::start_thread([this] {
    std::shared_ptr<run_objects> objects;
    std::optional<error> failure;
    try {
      objects = std::make_shared<run_objects>(time_);
      failure = run(objects);
    } catch (...) {
      failure = error{scm::win32_error::exception_in_service, "set up", {}, base::exception_message(), {}};
      base::attempt([&] {
        if (objects) failure->subject = objects->definition.spec.name;
      });
    }
    const std::lock_guard end_lock(mutex_);
    failure_ = std::move(failure);
    serving_ = false;
    ended_ = true;
    url_.clear();
    changed_.notify_all();
  });
  started_ = true;  // not before: wait() waits for the end of the thread
}

WINSVC_INLINE std::optional<error> embedded_run::run(const std::shared_ptr<run_objects>& objects) {
  auto& definition = objects->definition;
  const std::string executable = os::executable_path();
  definition.spec.name = os::program_name(executable);
  load_setting_sources(definition, {}, executable);
  objects->svc = std::make_unique<winsvc::service>(definition);
  objects->app = definition.call_app(app_, *objects->svc);
  declare_builtin_settings(definition);
  if (const auto errors = definition.settings.errors(); !errors.empty()) return errors.front();
  definition.log.add_sink(definition.recent_entries);
  definition.attach_log_sinks();

  run_options options;
  options.on_running = [this](const os::endpoint& address) {
    const std::lock_guard lock(mutex_);
    url_ = address.url();
    serving_ = true;
    changed_.notify_all();
  };
  objects->reporter = std::make_unique<status_reporter>(std::function<void(const scm::service_status&)>());
  objects->reporter->apply(scm::lifecycle_event::start,
                           definition.start_limit + control_task_runner::wait_hint_margin);
  objects->service_runtime = std::make_unique<runtime>(definition, *objects->reporter, std::move(options));
  {
    const std::lock_guard lock(mutex_);
    runtime_ = objects->service_runtime.get();
    if (stop_reason_) runtime_->request_stop(*stop_reason_);
  }
  auto kept = std::make_unique<kept_object>();
  const run_result done = objects->service_runtime->run();
  objects->reporter->apply(scm::lifecycle_event::finished, {}, done.exit());
  {
    const std::lock_guard lock(mutex_);
    runtime_ = nullptr;
  }
  if (done.has_stuck_thread) keep_alive_until_exit(std::move(kept), objects);
  return done.failure ? done.failure : done.incomplete_stop;
}

WINSVC_INLINE void embedded_run::stop(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (!started_ || ended_ || stop_reason_) return;
  stop_reason_.emplace();
  base::attempt([&] { stop_reason_ = reason; });
  if (runtime_) runtime_->request_stop(reason);
}

WINSVC_INLINE bool embedded_run::wait_until_serving(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return serving_ || ended_; });
  return serving_;
}

WINSVC_INLINE std::string embedded_run::url() {
  const std::lock_guard lock(mutex_);
  return url_;
}

WINSVC_INLINE result<void> embedded_run::wait() {
  std::thread ended;
  {
    std::unique_lock lock(mutex_);
    if (!started_) return {};
    changed_.wait(lock, [this] { return ended_; });
    ended = std::move(thread_);
  }
  if (ended.joinable()) ended.join();
  const std::lock_guard lock(mutex_);
  if (failure_) return winsvc::failure<error>{*failure_};
  return {};
}

}  // namespace detail::host

WINSVC_INLINE host::host(detail::api::app_factory app, const clock& time)
    : run_(std::make_shared<detail::host::embedded_run>(std::move(app), time)) {}
WINSVC_INLINE host::~host() {
  run_->stop("the host was destroyed");
  detail::base::attempt([this] { static_cast<void>(run_->wait()); });
}
WINSVC_INLINE void host::start() { run_->start(); }
WINSVC_INLINE void host::stop(std::string_view reason) { run_->stop(reason); }
WINSVC_INLINE bool host::wait_until_serving(std::chrono::milliseconds limit) const {
  return run_->wait_until_serving(limit);
}
WINSVC_INLINE std::string host::url() const { return run_->url(); }
WINSVC_INLINE result<void> host::wait() { return run_->wait(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
