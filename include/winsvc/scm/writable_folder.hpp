// Writable folders: which untrusted groups may change the files of a folder, from its security descriptor.
//
//   untrusted_writers("D:AI(A;ID;0x1301bf;;;AU)(A;OICIID;FA;;;BA)")   // {"authenticated users"}
//
// A user that can replace the executable of a service runs code with the account of the service. Each folder directly
// below C:\ inherits Modify for Authenticated Users.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/security.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Returns the untrusted groups that may change the content of a folder with this SDDL, such as "everyone" or "users".
/// Untrusted are groups that any user can belong to: everyone, authenticated, interactive, network and domain users,
/// the Users group, guests, and packaged apps. A right with a condition counts, because the condition may hold.
/// Source: "ACE Strings" and "File Access Rights Constants" in the Win32 documentation.
[[nodiscard]] std::vector<std::string> untrusted_writers(std::string_view sddl);

/// Returns the remedy for a program folder with untrusted writers. It does not propose to restrict a folder that other
/// programs use.
[[nodiscard]] std::string restrict_folder_hint(const std::string& folder);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// True if the rights of an ACE allow changes: to add, replace or delete files, or to grant oneself that right.
WINSVC_INLINE bool grants_write(std::string_view rights) noexcept {
  if (base::starts_with(rights, "0x")) {
    constexpr std::uint32_t writing = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000;
    std::uint32_t bits = 0;
    for (const char c : rights.substr(2)) {
      const char low = base::to_lower(c);
      const int digit = base::is_digit(low) ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
      if (digit < 0) return true;  // malformed: assume the worst
      bits = (bits << 4) | static_cast<std::uint32_t>(digit);
    }
    return (bits & writing) != 0;
  }
  for (std::size_t i = 0; i + 1 < rights.size(); i += 2) {
    const auto right = rights.substr(i, 2);
    for (const auto writing : {"FA", "FW", "GA", "GW", "WD", "WO", "SD", "DC", "LC", "DT"}) {
      if (right == writing) return true;
    }
  }
  return false;
}

/// True if an ACE that denies these rights leaves no right that allows changes.
WINSVC_INLINE bool denies_all_writes(std::string_view rights) noexcept {
  return rights == "FA" || rights == "GA" || rights == "0x1f01ff";
}

WINSVC_INLINE std::vector<std::string> untrusted_writers(std::string_view sddl) {
  struct untrusted_group {
    std::string_view letters, sid, name;
  };
  constexpr untrusted_group untrusted_groups[] = {
      {"WD", "S-1-1-0", "everyone"},          {"AN", "S-1-5-7", "anonymous users"},
      {"AU", "S-1-5-11", "authenticated users"}, {"IU", "S-1-5-4", "interactive users"},
      {"NU", "S-1-5-2", "network users"},     {"BU", "S-1-5-32-545", "users"},
      {"BG", "S-1-5-32-546", "guests"},       {"DU", "-513", "domain users"},
      {"DG", "-514", "domain guests"},        {"AC", "S-1-15-2-1", "packaged apps"}};
  const auto is_group = [](const untrusted_group& group, std::string_view sid) {
    if (sid == group.letters || base::equal_nocase(sid, group.sid)) return true;
    // A group of a domain: the number of the domain precedes the number of the group.
    return group.sid[0] == '-' && base::starts_with_nocase(sid, "S-1-5-21-") && sid.size() > group.sid.size() &&
           sid.substr(sid.size() - group.sid.size()) == group.sid;
  };
  std::vector<std::string> out;
  const auto dacl = sddl.find("D:");
  if (sddl.empty()) return out;
  if (dacl == sddl.npos) return {"everyone"};  // without a DACL, everyone has all rights
  auto entries = sddl.substr(dacl);
  if (const auto sacl = entries.find("S:("); sacl != entries.npos) entries = entries.substr(0, sacl);
  if (entries.find("NO_ACCESS_CONTROL") != entries.npos) return {"everyone"};
  std::vector<std::string_view> denied;
  for (auto open = entries.find('('); open != entries.npos; open = entries.find('(', open + 1)) {
    const auto close = entries.find(')', open);
    if (close == entries.npos) break;
    const auto parts = base::split(entries.substr(open + 1, close - open - 1), ';');
    if (parts.size() < 6) continue;
    if (parts[0] == "D" && denies_all_writes(parts[2])) denied.push_back(parts[5]);
    // Inherit-only entries count too: they apply to the subfolders, which may contain files of the program.
    const bool grants = parts[0] == "A" || parts[0] == "XA" || parts[0] == "OA" || parts[0] == "ZA";
    if (!grants || !grants_write(parts[2])) continue;
    if (std::find(denied.begin(), denied.end(), parts[5]) != denied.end()) continue;
    for (const auto& group : untrusted_groups) {
      if (is_group(group, parts[5]) && std::find(out.begin(), out.end(), group.name) == out.end())
        out.emplace_back(group.name);
    }
  }
  return out;
}

WINSVC_INLINE std::string restrict_folder_hint(const std::string& folder) {
  const bool is_in_profile = base::to_lower(folder).find("\\users\\") != std::string::npos;
  if (is_in_profile || !shared_folder_reason(folder).empty())
    return "move the program to its own folder below Program Files and install it from there";
  // The groups are given by SID, because their names depend on the language of the system.
  return "move the program to a folder below Program Files, or restrict this folder: icacls \"" + folder +
         "\" /inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" \"*S-1-5-32-545:(OI)(CI)RX\"";
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
