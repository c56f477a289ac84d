// The Service Control Manager as seen by the service itself: be dispatched, take controls, report a status. Windows
// answers through os/win/dispatcher.hpp, the simulated one of winsvc/testing.hpp on any platform.
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
namespace os {

class dispatcher {
 public:
  /// ServiceMain's own arguments: [0] is the service's name, the rest came with StartService. Runs on a thread of the
  /// dispatcher's. They are not the command line.
  using service_main = std::function<void(const std::vector<std::string>& arguments)>;
  /// A control and what came with it; returns the Win32 code for the SCM. Runs on the thread that called `run`, one at
  /// a time; it must return at once, because the SCM serves no other service meanwhile.
  using control_handler = std::function<std::uint32_t(const model::control_event& event)>;

  virtual ~dispatcher() = default;

  /// StartServiceCtrlDispatcherW: blocks the calling thread until the service has stopped. 0, or the code: 1063 when
  /// this process was not started by the SCM.
  virtual std::uint32_t run(service_main entry) = 0;
  /// RegisterServiceCtrlHandlerExW: the first call in service_main.
  virtual std::uint32_t register_handler(const std::string& service_name, control_handler handler) = 0;
  /// SetServiceStatus. After STOPPED the process may be ended before the call returns.
  virtual std::uint32_t set_status(const model::service_status& status) noexcept = 0;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
