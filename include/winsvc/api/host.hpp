// host: runs a service inside a program that has its own main loop: a GUI, a test, an existing service.
//
//   winsvc::host host(App);
//   host.start();                       // returns at once
//   run_my_loop();
//   host.stop("the window was closed");
//   const auto done = host.wait();      // false: done.error() is the failure
//
// The command line is not read. Settings come from the environment and the settings file, log lines go to the sinks of
// svc.log_to(). A program that is to be a Windows service uses winsvc::run (api/run.hpp).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/api/app.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {
class embedded_run;
}

/// Runs a service on separate threads. Only `wait` and the destructor block. Safe to use from any thread.
class host {
 public:
  /// `app` is a function or any callable object that takes `service&`; it is copied, and called by `start`. `time` is
  /// the clock of the service, which a test replaces; it must outlive the host.
  template <class App, class = std::enable_if_t<!std::is_same_v<std::decay_t<App>, host>>>
  explicit host(App&& app, const clock& time = clock::system())
      : host(factory(std::make_shared<std::decay_t<App>>(std::forward<App>(app))), time) {}
  template <class App>
  host(App&& app, const clock&& time) = delete;  ///< the clock would end before the host
  /// Stops the service and waits for its end.
  ~host();
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  /// Starts the service and returns at once. A second call has no effect.
  void start();
  /// Requests a stop in order and returns at once.
  void stop(std::string_view reason = "requested by the program");
  /// Waits until the service serves, fails or has ended, at most `limit`. True if it serves.
  [[nodiscard]] bool wait_until_serving(std::chrono::milliseconds limit) const;
  /// The address with the actual port, such as http://127.0.0.1:5001; empty unless the service serves.
  [[nodiscard]] std::string url() const;
  /// Waits until the service has ended. Returns the failure of the app, the settings, a hook or the listener.
  result<void> wait();

 private:
  host(detail::api::app_factory app, const clock& time);
  template <class App>
  static detail::api::app_factory factory(std::shared_ptr<App> app) {
    static_assert(std::is_invocable_v<App&, service&>,
                  "winsvc: App must be a function void(winsvc::service&) or an object that can be called with "
                  "winsvc::service&");
    return [app](service& svc) -> std::shared_ptr<void> {
      (*app)(svc);
      return app;
    };
  }

  std::shared_ptr<detail::host::embedded_run> run_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
