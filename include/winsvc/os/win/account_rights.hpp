// The right to log on as a service (SeServiceLogonRight): grants it to an account and queries it (LSA).
//
// Source: LsaOpenPolicy, LsaAddAccountRights and LsaEnumerateAccountRights in the Win32 documentation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The rights of one account in the LSA policy database. <ntsecapi.h> conflicts with <winternl.h>, which a program may
/// include, so its two structs are declared here.
class account_rights {
 public:
  struct lsa_text {
    USHORT bytes, capacity;
    wchar_t* text;
  };

  /// `access`: the required access to the policy, POLICY_...
  static sys_result<account_rights> open(const std::string& sid, ACCESS_MASK access) {
    account_rights rights;
    if (!rights.open_ || !rights.add_ || !rights.list_ || !rights.free_ || !rights.close_ || !rights.win32_)
      return sys_failure(ERROR_PROC_NOT_FOUND);
    PSID parsed = nullptr;
    if (!::ConvertStringSidToSidW(to_wide(sid).c_str(), &parsed)) return sys_failure(::GetLastError());
    rights.sid_ = local_memory(parsed);
    lsa_attributes attributes{};
    if (const LONG status = rights.open_(nullptr, &attributes, access, &rights.policy_); status != 0)
      return sys_failure(rights.win32_(status));
    return rights;
  }
  account_rights(account_rights&& other) noexcept
      : sid_(std::move(other.sid_)), policy_(std::exchange(other.policy_, nullptr)) {}
  ~account_rights() {
    if (policy_) close_(policy_);
  }

  sys_result<void> add(std::wstring right) const {
    const auto bytes = static_cast<USHORT>(right.size() * sizeof(wchar_t));
    lsa_text text{bytes, static_cast<USHORT>(bytes + sizeof(wchar_t)), &right[0]};
    if (const LONG status = add_(policy_, sid_.get(), &text, 1); status != 0) return sys_failure(win32_(status));
    return {};
  }
  [[nodiscard]] sys_result<bool> has(std::wstring_view right) const {
    lsa_text* rights = nullptr;
    ULONG count = 0;
    const LONG status = list_(policy_, sid_.get(), &rights, &count);
    if (status != 0) {  // LSA returns "not found" for an account without rights
      const std::uint32_t code = win32_(status);
      return code == ERROR_FILE_NOT_FOUND ? sys_result<bool>(false) : sys_failure(code);
    }
    const bool found = std::any_of(rights, rights + count, [right](const lsa_text& entry) {
      return std::wstring_view(entry.text, entry.bytes / sizeof(wchar_t)) == right;
    });
    free_(rights);
    return found;
  }

 private:
  struct lsa_attributes {
    ULONG size;
    HANDLE root;
    lsa_text* name;
    ULONG attributes;
    void *security, *quality;
  };
  account_rights() = default;

  system_library advapi_{"advapi32.dll"};
  LONG(NTAPI* open_)(lsa_text*, lsa_attributes*, ACCESS_MASK, void**) = advapi_.find<decltype(open_)>("LsaOpenPolicy");
  LONG(NTAPI* add_)(void*, PSID, lsa_text*, ULONG) = advapi_.find<decltype(add_)>("LsaAddAccountRights");
  LONG(NTAPI* list_)(void*, PSID, lsa_text**, ULONG*) = advapi_.find<decltype(list_)>("LsaEnumerateAccountRights");
  LONG(NTAPI* free_)(void*) = advapi_.find<decltype(free_)>("LsaFreeMemory");
  LONG(NTAPI* close_)(void*) = advapi_.find<decltype(close_)>("LsaClose");
  ULONG(NTAPI* win32_)(LONG) = advapi_.find<decltype(win32_)>("LsaNtStatusToWinError");
  local_memory sid_{nullptr};
  void* policy_ = nullptr;
};
inline constexpr wchar_t logon_right[] = L"SeServiceLogonRight";

sys_result<void> add_logon_right(const std::string& sid);
sys_result<bool> query_logon_right(const std::string& sid);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<void> add_logon_right(const std::string& sid) {
  constexpr ACCESS_MASK lookup_names = 0x800, create_account = 0x10;
  const auto rights = account_rights::open(sid, lookup_names | create_account);
  if (!rights) return sys_failure(rights.error());
  return rights->add(logon_right);
}

WINSVC_INLINE sys_result<bool> query_logon_right(const std::string& sid) {
  constexpr ACCESS_MASK lookup_names = 0x800, view = 0x1;
  const auto rights = account_rights::open(sid, lookup_names | view);
  if (!rights) return sys_failure(rights.error());
  return rights->has(logon_right);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
