// The Service Control Manager as seen by who manages services, and what an install touches beside it: one member
// function for one Win32 call, in neutral types. Windows answers through os/win/service_manager.hpp and
// os/win/install.hpp, the simulated one of winsvc/testing.hpp on any platform, so that the logic of install, start and
// remove (manage/install.hpp, verbs/manager.hpp) is tested call by call, argument by argument.
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
#include "winsvc/scm/config_levels.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A value or a bare system code.
template <class T>
using sys_result = result<T, std::uint32_t>;
[[nodiscard]] failure<std::uint32_t> sys_failure(std::uint32_t code);

/// Access rights, with Win32's values. Ask for the least: with more than an account has, the open fails with 5.
namespace access_rights {
inline constexpr std::uint32_t manager_connect = 0x1, manager_create = 0x2;
inline constexpr std::uint32_t query_config = 0x1, change_config = 0x2, query_status = 0x4, enumerate_dependents = 0x8,
                               start = 0x10, stop = 0x20, pause_continue = 0x40, interrogate = 0x80,
                               user_control = 0x100, remove = 0x10000, read_security = 0x20000,
                               write_security = 0x40000;
}  // namespace access

/// QUERY_SERVICE_CONFIGW, as far as it is used.
struct service_config {
  winsvc::startup startup = startup::automatic;
  std::string binary;        ///< ImagePath: executable and arguments, quoted
  std::string display_name;
  std::string account;
  std::vector<std::string> dependencies;  ///< Wine tells none
};

/// The arguments of CreateServiceW and ChangeServiceConfigW. Empty optionals are NULL or SERVICE_NO_CHANGE.
struct service_config_change {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<std::string> account;   ///< model::account::name
  std::optional<std::string> password;  ///< beside `account` only: NULL and "" mean different accounts
  /// Always the whole list: Windows reads NULL as "leave them", Wine as "none". A name with '+' before it is a group.
  std::optional<std::vector<std::string>> dependencies;
};

/// SERVICE_STATUS_PROCESS.
struct service_process_status {
  model::service_status status;
  std::uint32_t pid = 0;
};

class service_manager {
 public:
  using raw_handle = void*;

  virtual ~service_manager() = default;
  virtual sys_result<raw_handle> open_manager(std::uint32_t rights) = 0;
  virtual sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                                const service_config_change& settings) = 0;
  virtual sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) = 0;
  virtual sys_result<void> change_config(raw_handle service, const service_config_change& settings) = 0;
  /// ChangeServiceConfig2W, QueryServiceConfig2W.
  virtual sys_result<void> change_level(raw_handle service, const model::config_level& value) = 0;
  virtual sys_result<model::config_level> query_level(raw_handle service, std::uint32_t level) = 0;
  virtual sys_result<service_config> query_config(raw_handle service) = 0;
  virtual sys_result<service_process_status> query_status(raw_handle service) = 0;
  virtual sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) = 0;
  virtual sys_result<void> control_service(raw_handle service, std::uint32_t control) = 0;
  /// EnumDependentServicesW, the active ones: in the order in which they are to be stopped.
  virtual sys_result<std::vector<std::string>> active_dependents(raw_handle service) = 0;
  /// QueryServiceObjectSecurity and SetServiceObjectSecurity: the DACL in SDDL.
  virtual sys_result<std::string> query_security(raw_handle service) = 0;
  virtual sys_result<void> change_security(raw_handle service, const std::string& sddl) = 0;
  virtual sys_result<void> delete_service(raw_handle service) = 0;
  virtual void close(raw_handle handle) noexcept = 0;

  // -- beside the SCM --

  /// The registry key that lets the Event Viewer show a source's messages. Adding twice, removing what is not there:
  /// success.
  virtual sys_result<void> add_event_source(const std::string& source) = 0;
  virtual sys_result<void> remove_event_source(const std::string& source) = 0;
  virtual sys_result<bool> query_event_source(const std::string& source) = 0;
  /// Was it deleted while somebody had it open? It goes with the last handle, and until then its name is taken (1072).
  virtual sys_result<bool> query_delete_mark(const std::string& service_name) = 0;
  /// `Environment` in the service's registry key, which the SCM adds to the environment of its process: `NAME=value`
  /// each. An empty list takes the value out. A service that is not there: 2.
  virtual sys_result<std::vector<std::string>> query_environment(const std::string& service_name) = 0;
  virtual sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& items) = 0;
  /// LookupAccountNameW: the SID of an account, a group or a service (`NT SERVICE\name`) as text; 1332 for nobody.
  virtual sys_result<std::string> account_sid(const std::string& account) = 0;
  /// LsaAddAccountRights: the right to log on as a service.
  virtual sys_result<void> add_logon_right(const std::string& sid) = 0;
  /// LsaEnumerateAccountRights: has it this right itself, and not by a group it is in?
  virtual sys_result<bool> query_logon_right(const std::string& sid) = 0;
  /// The owner and DACL of a folder in SDDL; 2 or 3 when there is none. Changing it creates the folder when it is not
  /// there, with this security from its first moment (folders above it as any other), and hands what can be inherited
  /// down to what is in it; `D:P` keeps out what the folder above hands down, `O:` gives it an owner. A link in the
  /// folder's place is not followed: 4395. No DACL would be a folder open to everyone: 1336.
  virtual sys_result<std::string> query_folder_security(const std::string& path) = 0;
  virtual sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) = 0;
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

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE failure<std::uint32_t> sys_failure(std::uint32_t code) { return {code}; }

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
