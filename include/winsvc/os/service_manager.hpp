// The Service Control Manager as seen by who manages services: one member function for one Win32 call, in neutral
// types. Windows answers through os/win/service_manager.hpp, the simulated one of winsvc/testing.hpp on any platform,
// so that the logic of install, start and remove (host/manage.hpp) is tested call by call, argument by argument.
//
// Every function returns the Win32 code as it was; the sentences are made above, where it is known what was being done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A value or a bare system code.
template <class T>
using sys_result = result<T, std::uint32_t>;
[[nodiscard]] inline failure<std::uint32_t> sys_failure(std::uint32_t code) { return {code}; }

/// Access rights, with Win32's values. Ask for the least: with more than an account has, the open fails with 5.
namespace access {
inline constexpr std::uint32_t manager_connect = 0x1, manager_create = 0x2;
inline constexpr std::uint32_t query_config = 0x1, change_config = 0x2, query_status = 0x4, enumerate_dependents = 0x8,
                               start = 0x10, stop = 0x20, remove = 0x10000;
}  // namespace access

/// QUERY_SERVICE_CONFIGW, as far as it is used.
struct service_config {
  winsvc::startup startup = startup::automatic;
  std::string binary;        ///< ImagePath: executable and arguments, quoted
  std::string display_name;
  std::string account;
};

/// The arguments of CreateServiceW and ChangeServiceConfigW. Empty optionals are NULL or SERVICE_NO_CHANGE.
struct service_settings {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
};

/// SERVICE_STATUS_PROCESS.
struct service_process {
  model::service_status status;
  std::uint32_t pid = 0;
};

class service_manager {
 public:
  using raw_handle = void*;

  virtual ~service_manager() = default;
  virtual sys_result<raw_handle> open_manager(std::uint32_t rights) = 0;
  virtual sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                                const service_settings& settings) = 0;
  virtual sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) = 0;
  virtual sys_result<void> change_config(raw_handle service, const service_settings& settings) = 0;
  virtual sys_result<void> change_description(raw_handle service, const std::string& description) = 0;
  virtual sys_result<void> change_delayed_start(raw_handle service, bool delayed) = 0;
  virtual sys_result<service_config> query_config(raw_handle service) = 0;
  virtual sys_result<service_process> query_status(raw_handle service) = 0;
  virtual sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) = 0;
  virtual sys_result<void> control_service(raw_handle service, std::uint32_t control) = 0;
  virtual sys_result<void> delete_service(raw_handle service) = 0;
  virtual void close(raw_handle handle) noexcept = 0;

  /// The registry key that lets the Event Viewer show a source's messages. Adding twice, removing what is not there:
  /// success.
  virtual sys_result<void> add_event_source(const std::string& source) = 0;
  virtual sys_result<void> remove_event_source(const std::string& source) = 0;
};

/// Owns a handle to the manager or to a service; closes it. An open handle keeps a deleted service alive (1072), so
/// these live short.
class service_handle {
 public:
  service_handle(service_manager& owner, service_manager::raw_handle handle) noexcept
      : owner_(&owner), handle_(handle) {}
  service_handle(service_handle&& other) noexcept
      : owner_(other.owner_), handle_(std::exchange(other.handle_, nullptr)) {}
  service_handle& operator=(service_handle&& other) noexcept {
    if (this != &other) {
      reset();
      owner_ = other.owner_;
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~service_handle() { reset(); }

  [[nodiscard]] service_manager::raw_handle get() const noexcept { return handle_; }
  void reset() noexcept {
    if (handle_) owner_->close(std::exchange(handle_, nullptr));
  }

 private:
  service_manager* owner_;
  service_manager::raw_handle handle_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
