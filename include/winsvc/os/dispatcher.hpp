// Dispatcher interface (StartServiceCtrlDispatcherW): runs ServiceMain, delivers controls, reports the service status.
// os/win/dispatcher.hpp implements it with Win32; winsvc/testing.hpp simulates it on all platforms.
//
//   dispatcher.run([&](const std::vector<std::string>& arguments) {     // ServiceMain
//     dispatcher.register_handler(arguments[0], [](const scm::control_event& event) { ... });
//     dispatcher.set_status(status);
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/control_event.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

class dispatcher {
 public:
  /// ServiceMain: runs on a thread of the dispatcher. arguments[0] is the name of the service, the others come from
  /// StartService; they are not the command line.
  using service_main = std::function<void(const std::vector<std::string>& arguments)>;
  /// HandlerEx: receives a control and returns the Win32 code for the SCM. Runs on the thread that called `run`, one
  /// call at a time. It must return at once, because the SCM serves no other service during the call.
  using control_handler = std::function<std::uint32_t(const scm::control_event& event)>;

  virtual ~dispatcher() = default;

  /// StartServiceCtrlDispatcherW: blocks the calling thread until the service has stopped. Returns 0 or a Win32 code:
  /// 1063 if the SCM did not start this process.
  virtual std::uint32_t run(service_main entry) = 0;
  /// RegisterServiceCtrlHandlerExW: must be the first call in service_main. Returns 0 or a Win32 code.
  virtual std::uint32_t register_handler(const std::string& service_name, control_handler handler) = 0;
  /// SetServiceStatus. Returns 0 or a Win32 code. After STOPPED, the process may end before the call returns.
  virtual std::uint32_t set_status(const scm::service_status& status) noexcept = 0;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
