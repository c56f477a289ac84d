// Event source, environment and folder security on Windows: the members of service_manager (os/service_manager.hpp)
// that change the registry and folders for an install. They do not call the Service Control Manager.
//
// Source: RegSetValueExW, "Automatic Propagation of Inheritable ACEs", SetSecurityInfo and
// FILE_FLAG_OPEN_REPARSE_POINT of CreateFileW in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/registry.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

sys_result<void> add_event_source(const std::string& source);
sys_result<void> remove_event_source(const std::string& source);
[[nodiscard]] sys_result<bool> query_event_source(const std::string& source);
[[nodiscard]] sys_result<bool> query_delete_mark(const std::string& service_name);
[[nodiscard]] sys_result<std::vector<std::string>> query_environment(const std::string& service_name);
sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& items);
[[nodiscard]] sys_result<std::string> query_folder_security(const std::string& path);
sys_result<void> change_folder_security(const std::string& path, const std::string& sddl);
sys_result<void> create_folder(const std::string& path, const std::string& sddl);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<void> add_event_source(const std::string& source) {
  auto key = registry_key::create(services_key("EventLog\\Application\\" + source), KEY_SET_VALUE);
  if (!key) return sys_failure(key.error());
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  auto done = key->set(L"EventMessageFile", REG_EXPAND_SZ, L"%SystemRoot%\\System32\\EventCreate.exe");
  if (done) done = key->set(L"TypesSupported", REG_DWORD, &types, sizeof types);
  return done;
}

WINSVC_INLINE sys_result<void> remove_event_source(const std::string& source) {
  const LSTATUS status =
      ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, services_key("EventLog\\Application\\" + source).c_str());
  if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND)
    return sys_failure(static_cast<std::uint32_t>(status));
  return {};
}

WINSVC_INLINE sys_result<bool> query_event_source(const std::string& source) {
  const auto key = registry_key::open(services_key("EventLog\\Application\\" + source), KEY_QUERY_VALUE);
  if (key) return true;
  return key.error() == ERROR_FILE_NOT_FOUND ? sys_result<bool>(false) : sys_failure(key.error());
}

WINSVC_INLINE sys_result<bool> query_delete_mark(const std::string& service_name) {
  const auto key = registry_key::open(services_key(service_name), KEY_QUERY_VALUE);
  if (!key) return sys_failure(key.error());
  return key->number(L"DeleteFlag").value_or(0) != 0;
}

WINSVC_INLINE sys_result<std::vector<std::string>> query_environment(const std::string& service_name) {
  const auto key = registry_key::open(services_key(service_name), KEY_QUERY_VALUE);
  if (!key) return sys_failure(key.error());
  return key->list(L"Environment");
}

WINSVC_INLINE sys_result<void> change_environment(const std::string& service_name,
                                                  const std::vector<std::string>& items) {
  auto key = registry_key::open(services_key(service_name), KEY_SET_VALUE);
  if (!key) return sys_failure(key.error());
  if (items.empty()) return key->remove(L"Environment");
  const std::wstring list = to_wide_list(items);
  return key->set(L"Environment", REG_MULTI_SZ, list.data(), list.size() * sizeof(wchar_t));
}

/// Opens a folder or a file and does not follow a link. Any user may create a link in ProgramData; an installer that
/// follows a link to System32 would change the security of System32.
WINSVC_INLINE sys_result<unique_handle> open_without_links(const std::string& path, DWORD rights,
                                                         bool must_be_folder) {
  unique_handle folder(::CreateFileW(wide_path(path).c_str(), rights | FILE_READ_ATTRIBUTES,
                                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                                     FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!folder) return sys_failure(::GetLastError());
  BY_HANDLE_FILE_INFORMATION info{};
  if (!::GetFileInformationByHandle(folder.get(), &info)) return sys_failure(::GetLastError());
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
    return sys_failure(base::win32_error::reparse_point_encountered);
  const bool is_folder = (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  if (must_be_folder && !is_folder) return sys_failure(ERROR_DIRECTORY);
  return folder;
}

inline constexpr int file_object = 1;  // SE_FILE_OBJECT of accctrl.h

WINSVC_INLINE sys_result<std::string> query_folder_security(const std::string& path) {
  const auto folder = open_without_links(path, READ_CONTROL, false);
  if (!folder) return sys_failure(folder.error());
  using get_security = DWORD(WINAPI*)(HANDLE, int, SECURITY_INFORMATION, PSID*, PSID*, PACL*, PACL*,
                                      PSECURITY_DESCRIPTOR*);
  const auto get_security_info = system_library("advapi32.dll").find<get_security>("GetSecurityInfo");
  if (!get_security_info) return sys_failure(ERROR_PROC_NOT_FOUND);
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD parts = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  const DWORD code =
      get_security_info(folder->get(), file_object, parts, nullptr, nullptr, nullptr, nullptr, &descriptor);
  if (code != ERROR_SUCCESS) return sys_failure(code);
  const local_memory memory(descriptor);
  return dacl_text(descriptor, OWNER_SECURITY_INFORMATION);
}

WINSVC_INLINE sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) {
  const auto descriptor = descriptor_of(sddl);
  if (!descriptor) return sys_failure(descriptor.error());
  PACL dacl = nullptr;
  PSID owner = nullptr;
  SECURITY_DESCRIPTOR_CONTROL control = 0;
  BOOL has_dacl = FALSE, defaulted = FALSE;
  DWORD revision = 0;
  if (!::GetSecurityDescriptorDacl(descriptor->get(), &has_dacl, &dacl, &defaulted) ||
      !::GetSecurityDescriptorOwner(descriptor->get(), &owner, &defaulted) ||
      !::GetSecurityDescriptorControl(descriptor->get(), &control, &revision)) {
    return sys_failure(::GetLastError());
  }
  if (!has_dacl || !dacl) return sys_failure(ERROR_INVALID_ACL);  // no DACL would grant access to everyone

  const auto folder = open_without_links(path, READ_CONTROL | WRITE_DAC | (owner ? WRITE_OWNER : 0), true);
  if (!folder) return sys_failure(folder.error());
  const DWORD parts = DACL_SECURITY_INFORMATION | (owner ? OWNER_SECURITY_INFORMATION : 0) |
                      ((control & SE_DACL_PROTECTED) != 0 ? PROTECTED_DACL_SECURITY_INFORMATION
                                                          : UNPROTECTED_DACL_SECURITY_INFORMATION);
  // SetSecurityInfo propagates inheritable entries to the content of the folder; SetKernelObjectSecurity does not.
  using set_security = DWORD(WINAPI*)(HANDLE, int, SECURITY_INFORMATION, PSID, PSID, PACL, PACL);
  const auto set_security_info = system_library("advapi32.dll").find<set_security>("SetSecurityInfo");
  if (!set_security_info) return sys_failure(ERROR_PROC_NOT_FOUND);
  const DWORD code = set_security_info(folder->get(), file_object, parts, owner, nullptr, dacl, nullptr);
  if (code != ERROR_SUCCESS) return sys_failure(code);
  return {};
}

WINSVC_INLINE sys_result<void> create_folder(const std::string& path, const std::string& sddl) {
  const auto descriptor = descriptor_of(sddl);
  if (!descriptor) return sys_failure(descriptor.error());
  PACL dacl = nullptr;
  BOOL has_dacl = FALSE, defaulted = FALSE;
  if (!::GetSecurityDescriptorDacl(descriptor->get(), &has_dacl, &dacl, &defaulted))
    return sys_failure(::GetLastError());
  if (!has_dacl || !dacl) return sys_failure(ERROR_INVALID_ACL);  // no DACL would grant access to everyone
  if (auto parent = make_folders(folder_of(path)); !parent) return parent;
  SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
  if (!::CreateDirectoryW(wide_path(path).c_str(), &attributes)) return sys_failure(::GetLastError());
  return {};
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
