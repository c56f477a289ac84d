// Converts security descriptors and SIDs to and from text (SDDL, S-1-...), and finds the SID of an account.
//
//   const auto descriptor = descriptor_of("D:P(A;;GA;;;BA)");   // descriptor->get() for SECURITY_ATTRIBUTES
//   sid_of_account("Administrators")                            // S-1-5-32-544
//
// Source: ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertSidToStringSidW, LookupAccountNameW,
// LookupAccountSidW and GetTokenInformation in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/scm/ace.hpp"
#include "winsvc/scm/service_sid.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Owns memory that the system allocated with LocalAlloc (a descriptor, a SID, a text) and frees it. Movable.
class local_memory {
 public:
  explicit local_memory(void* memory) noexcept : memory_(memory) {}
  local_memory(local_memory&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  local_memory& operator=(local_memory&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~local_memory() {
    if (memory_) ::LocalFree(memory_);
  }
  [[nodiscard]] void* get() const noexcept { return memory_; }

 private:
  void* memory_;
};

/// Converts SDDL to a self-relative security descriptor.
[[nodiscard]] sys_result<local_memory> descriptor_of(const std::string& sddl);

/// Converts the DACL of a descriptor to SDDL, with the parts in `additional` (OWNER_SECURITY_INFORMATION, ...). The
/// entries have full SIDs instead of aliases.
[[nodiscard]] sys_result<std::string> dacl_text(void* descriptor, DWORD additional = 0);
/// The SIDs of the entries of the DACL, in their order; an empty text for an entry of another layout.
[[nodiscard]] std::vector<std::string> sids_of_dacl(void* descriptor);

/// Converts a SID to text.
[[nodiscard]] sys_result<std::string> sid_text(void* sid);

/// The SID of an account as text. LookupAccountNameW; the SID of a service (`NT SERVICE\name`) is computed from its
/// name, because a lookup fails until the service exists. The text of a SID is returned in the spelling of Windows.
[[nodiscard]] sys_result<std::string> sid_of_account(const std::string& account);

/// The name of a SID as `DOMAIN\name`, or `name` if it has no domain. LookupAccountSidW.
[[nodiscard]] sys_result<std::string> name_of_sid(const std::string& sid);

/// The SID of the account of this process as text.
[[nodiscard]] sys_result<std::string> current_user_sid();

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<local_memory> descriptor_of(const std::string& sddl) {
  void* descriptor = nullptr;
  if (!::ConvertStringSecurityDescriptorToSecurityDescriptorW(to_wide(sddl).c_str(), SDDL_REVISION_1, &descriptor,
                                                              nullptr)) {
    return sys_failure(::GetLastError());
  }
  return local_memory(descriptor);
}
WINSVC_INLINE sys_result<std::string> dacl_text(void* descriptor, DWORD additional) {
  wchar_t* text = nullptr;
  const DWORD parts = DACL_SECURITY_INFORMATION | additional;
  if (!::ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, parts, &text, nullptr))
    return sys_failure(::GetLastError());
  const local_memory owner(text);
  return scm::with_sids(to_utf8(text), sids_of_dacl(descriptor));
}

WINSVC_INLINE std::vector<std::string> sids_of_dacl(void* descriptor) {
  std::vector<std::string> sids;
  BOOL has_dacl = FALSE, defaulted = FALSE;
  PACL dacl = nullptr;
  if (!::GetSecurityDescriptorDacl(descriptor, &has_dacl, &dacl, &defaulted) || !has_dacl || !dacl) return sids;
  for (DWORD i = 0; i < dacl->AceCount; ++i) {
    void* entry = nullptr;
    if (!::GetAce(dacl, i, &entry)) break;
    const BYTE type = static_cast<const ACE_HEADER*>(entry)->AceType;
    // The entries of these types begin like ACCESS_ALLOWED_ACE; the others have a SID at another place.
    const bool has_plain_sid = type == ACCESS_ALLOWED_ACE_TYPE || type == ACCESS_DENIED_ACE_TYPE ||
                               type == ACCESS_ALLOWED_CALLBACK_ACE_TYPE || type == ACCESS_DENIED_CALLBACK_ACE_TYPE;
    auto sid = has_plain_sid ? sid_text(&static_cast<ACCESS_ALLOWED_ACE*>(entry)->SidStart) : std::string();
    sids.push_back(sid ? *std::move(sid) : std::string());
  }
  return sids;
}

WINSVC_INLINE sys_result<std::string> sid_text(void* sid) {
  wchar_t* text = nullptr;
  if (!::ConvertSidToStringSidW(sid, &text)) return sys_failure(::GetLastError());
  const local_memory owner(text);
  return to_utf8(text);
}

WINSVC_INLINE sys_result<std::string> sid_of_account(const std::string& account) {
  if (scm::is_sid(account)) {
    PSID binary = nullptr;
    if (!::ConvertStringSidToSidW(to_wide(account).c_str(), &binary)) return sys_failure(::GetLastError());
    const local_memory owner(binary);
    return sid_text(binary);
  }
  constexpr std::string_view virtual_domain = "NT SERVICE\\";
  if (base::starts_with_nocase(account, virtual_domain) && !system_library::runs_under_wine()) {
    if (auto sid = scm::service_sid(std::string_view(account).substr(virtual_domain.size()))) return *std::move(sid);
  }
  std::vector<std::uint64_t> sid(16);  // a SID is 68 bytes at most; 64-bit words align it
  std::wstring domain(256, L'\0');
  for (;;) {
    auto sid_size = static_cast<DWORD>(sid.size() * 8);
    auto domain_size = static_cast<DWORD>(domain.size());
    SID_NAME_USE kind{};
    if (::LookupAccountNameW(nullptr, to_wide(account).c_str(), sid.data(), &sid_size, domain.data(), &domain_size,
                             &kind))
      return sid_text(sid.data());
    const DWORD code = ::GetLastError();
    const bool grows = sid_size > sid.size() * 8 || domain_size > domain.size();
    if (code != ERROR_INSUFFICIENT_BUFFER || !grows) return sys_failure(code);
    if (sid_size > sid.size() * 8) sid.resize(sid_size / 8 + 1);
    if (domain_size > domain.size()) domain.resize(domain_size);
  }
}
WINSVC_INLINE sys_result<std::string> name_of_sid(const std::string& sid) {
  PSID binary = nullptr;
  if (!::ConvertStringSidToSidW(to_wide(sid).c_str(), &binary)) return sys_failure(::GetLastError());
  const local_memory owner(binary);
  constexpr DWORD max_name = 257;  // UNLEN and a NUL
  wchar_t name[max_name] = {}, domain[max_name] = {};
  DWORD name_size = max_name, domain_size = max_name;
  SID_NAME_USE kind{};
  if (!::LookupAccountSidW(nullptr, binary, name, &name_size, domain, &domain_size, &kind))
    return sys_failure(::GetLastError());
  return domain[0] == L'\0' ? to_utf8(name) : to_utf8(domain) + '\\' + to_utf8(name);
}

WINSVC_INLINE sys_result<std::string> current_user_sid() {
  HANDLE opened = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened)) return sys_failure(::GetLastError());
  const unique_handle token(opened);
  std::uint64_t user[32] = {};  // a TOKEN_USER, followed by its SID
  DWORD size = 0;
  if (!::GetTokenInformation(token.get(), TokenUser, user, sizeof user, &size)) return sys_failure(::GetLastError());
  return sid_text(reinterpret_cast<TOKEN_USER*>(user)->User.Sid);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
