// service_manager: the interface to the Service Control Manager, and to the registry keys, folders and rights that an
// install changes too.
//
//   const auto manager = services.open_manager(access_rights::manager_connect);
//
// One member function stands for one Win32 call, with portable types. os/win/service_manager.hpp and os/win/install.hpp
// implement it with Win32; winsvc/testing.hpp simulates it on all platforms, so that tests check each call and each
// argument of install, start and remove (manage/install.hpp, manage/start_stop.hpp).
//
// Each function returns the Win32 code unchanged. The verbs write the error messages, because they know the operation.
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
namespace detail::os {

/// A value or a system code.
template <class T>
using sys_result = result<T, std::uint32_t>;
[[nodiscard]] failure<std::uint32_t> sys_failure(std::uint32_t code);

/// Access rights with their Win32 values. Request only those you need: if the account lacks one, the open fails with 5.
namespace access_rights {
inline constexpr std::uint32_t manager_connect = 0x1, manager_create = 0x2, manager_enumerate = 0x4;
inline constexpr std::uint32_t query_config = 0x1, change_config = 0x2, query_status = 0x4, enumerate_dependents = 0x8,
                               start = 0x10, stop = 0x20, pause_continue = 0x40, interrogate = 0x80,
                               user_control = 0x100, remove = 0x10000, read_security = 0x20000,
                               write_security = 0x40000;
}  // namespace access_rights

/// The members of QUERY_SERVICE_CONFIGW that winsvc uses.
struct service_config {
  winsvc::startup startup = startup::automatic;
  std::string binary;  ///< ImagePath: executable and arguments, quoted
  std::string display_name;
  std::string account;
  std::vector<std::string> dependencies;  ///< always empty under Wine
};

/// The arguments of CreateServiceW and ChangeServiceConfigW. Empty optionals become NULL or SERVICE_NO_CHANGE.
struct service_config_change {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<std::string> account;   ///< scm::account::name
  std::optional<std::string> password;  ///< only together with `account`: NULL and "" mean different accounts
  /// Always the complete list: NULL keeps the dependencies on Windows, but removes them on Wine. '+name' is a group.
  std::optional<std::vector<std::string>> dependencies;
};

/// SERVICE_STATUS_PROCESS.
struct service_process_status {
  scm::service_status status;
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
  /// ChangeServiceConfig2W and QueryServiceConfig2W.
  virtual sys_result<void> change_level(raw_handle service, const scm::config_level& value) = 0;
  virtual sys_result<scm::config_level> query_level(raw_handle service, std::uint32_t level) = 0;
  virtual sys_result<service_config> query_config(raw_handle service) = 0;
  virtual sys_result<service_process_status> query_status(raw_handle service) = 0;
  virtual sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) = 0;
  virtual sys_result<void> control_service(raw_handle service, std::uint32_t control) = 0;
  /// EnumDependentServicesW: the active dependents, in the order in which to stop them.
  virtual sys_result<std::vector<std::string>> active_dependents(raw_handle service) = 0;
  /// QueryServiceObjectSecurity and SetServiceObjectSecurity: the DACL as SDDL.
  virtual sys_result<std::string> query_security(raw_handle service) = 0;
  virtual sys_result<void> change_security(raw_handle service, const std::string& sddl) = 0;
  virtual sys_result<void> delete_service(raw_handle service) = 0;
  virtual void close(raw_handle handle) noexcept = 0;
  /// EnumServicesStatusExW: the names of all services that run a program.
  virtual sys_result<std::vector<std::string>> list_services(raw_handle manager) = 0;
  /// The exit code of a process that has ended; nullopt if it runs, or if this is unknown. The SCM may need a while to
  /// notice the end. OpenProcess and GetExitCodeProcess.
  [[nodiscard]] virtual std::optional<std::uint32_t> exit_code_of(std::uint32_t pid) {
    static_cast<void>(pid);
    return std::nullopt;
  }

  // -- objects other than services: os/win/install.hpp --

  /// The registry key that the Event Viewer needs to show the messages of a source. Adding a source again succeeds, and
  /// so does removing a source that does not exist.
  virtual sys_result<void> add_event_source(const std::string& source) = 0;
  virtual sys_result<void> remove_event_source(const std::string& source) = 0;
  virtual sys_result<bool> query_event_source(const std::string& source) = 0;
  /// True if the service is marked for deletion. It exists, and its name is taken (1072), until its last handle is
  /// closed.
  virtual sys_result<bool> query_delete_mark(const std::string& service_name) = 0;
  /// The value `Environment` of the registry key of the service: strings `NAME=value` that the SCM adds to the
  /// environment of the process. An empty list deletes the value. Fails with 2 if the service does not exist.
  virtual sys_result<std::vector<std::string>> query_environment(const std::string& service_name) = 0;
  virtual sys_result<void> change_environment(const std::string& service_name,
                                              const std::vector<std::string>& items) = 0;
  /// LookupAccountNameW: the SID of an account, a group or a service (`NT SERVICE\name`) as text. Fails with 1332 if
  /// the account does not exist. For the text of a SID, returns this SID, also if no account has it.
  virtual sys_result<std::string> account_sid(const std::string& account) = 0;
  /// LookupAccountSidW: the name of an account or a group, `DOMAIN\name`. Fails with 1332 if the SID has no name.
  virtual sys_result<std::string> account_name(const std::string& sid) = 0;
  /// LsaAddAccountRights: grants the right to log on as a service.
  virtual sys_result<void> add_logon_right(const std::string& sid) = 0;
  /// LsaEnumerateAccountRights: true if the account itself has this right. The rights of its groups do not count.
  virtual sys_result<bool> query_logon_right(const std::string& sid) = 0;
  /// The owner and the DACL of a folder or a file as SDDL. Fails with 2 or 3 if it does not exist.
  virtual sys_result<std::string> query_folder_security(const std::string& path) = 0;
  /// Sets the DACL, and the owner if `O:` is present, and propagates inheritable entries to the content of the folder.
  /// `D:P` blocks entries from the parent folder. Fails with 2 or 3 if the folder does not exist, with 4395 if the path
  /// is a link (it is not followed), and with 1336 if the SDDL has no DACL, which would grant access to everyone.
  virtual sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) = 0;
  /// Creates a folder that has this security from the beginning, so that no other user can open it in between. Missing
  /// parents are created with the default security. Fails with 183 if the path exists, with 1336 without a DACL.
  virtual sys_result<void> create_folder(const std::string& path, const std::string& sddl) = 0;
  /// os::remove_empty_folder and os::rename_file, for folders whose security this class knows.
  virtual sys_result<void> remove_empty_folder(const std::string& path) = 0;
  virtual sys_result<void> rename_folder(const std::string& from, const std::string& to) = 0;
};

/// Owns a handle to the manager or to a service and closes it. Close handles early: an open handle keeps a deleted
/// service in the database (1072).
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

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE failure<std::uint32_t> sys_failure(std::uint32_t code) { return {code}; }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
