// Writable folders and files: which untrusted groups may change or read them, from their security descriptor.
//
//   untrusted_writers("D:AI(A;ID;0x1301bf;;;AU)(A;OICIID;FA;;;BA)")   // {"authenticated users"}
//
// A user that can replace the executable of a service runs code with the account of the service. Each folder directly
// below C:\ inherits Modify for Authenticated Users.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/ace.hpp"
#include "winsvc/scm/security.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Returns the untrusted groups that may change the content of a folder with this SDDL, such as "everyone" or "users".
/// Untrusted are groups that any user can belong to: everyone, authenticated, interactive, network and domain users,
/// the Users group, guests, and packaged apps. A right with a condition counts, because the condition may hold.
/// Source: "ACE Strings" and "File Access Rights Constants" in the Win32 documentation.
[[nodiscard]] std::vector<std::string> untrusted_writers(std::string_view sddl);
/// Returns the untrusted groups that may read a file with this SDDL.
[[nodiscard]] std::vector<std::string> untrusted_readers(std::string_view sddl);

/// Returns the remedy for a program folder with untrusted writers. It does not propose to restrict a folder that other
/// programs use.
[[nodiscard]] std::string restrict_folder_hint(const std::string& folder);
/// Returns the remedy for a settings file that other users can read or change.
[[nodiscard]] std::string restrict_file_hint(const std::string& path, const std::string& service_name);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Rights that allow changes: to add, replace or delete files, or to grant oneself that right.
inline constexpr std::uint32_t writing_rights = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000;

/// Parses an entry; of a malformed entry that grants, assumes all rights.
WINSVC_INLINE std::optional<ace> parse_or_assume_all_rights(std::string_view entry) {
  if (auto parsed = parse_ace(entry)) return parsed;
  const auto parts = base::split(entry, ';');
  if (parts.size() < 6 || parts[0] == "(D") return std::nullopt;
  const std::string_view sid = parts[5].substr(0, parts[5].find(')'));
  return parse_ace(std::string(parts[0]) + ";;FA;;;" + std::string(sid) + ')');
}

WINSVC_INLINE std::vector<std::string> untrusted_trustees(std::string_view sddl, std::uint32_t rights) {
  struct untrusted_group {
    std::string_view alias, sid, name;
  };
  constexpr untrusted_group untrusted_groups[] = {
      {"", "S-1-1-0", "everyone"},           {"", "S-1-5-7", "anonymous users"},
      {"", "S-1-5-11", "authenticated users"}, {"", "S-1-5-4", "interactive users"},
      {"", "S-1-5-2", "network users"},      {"", "S-1-5-32-545", "users"},
      {"", "S-1-5-32-546", "guests"},        {"DU", "-513", "domain users"},
      {"DG", "-514", "domain guests"},       {"", "S-1-15-2-1", "packaged apps"}};
  const auto is_group = [](const untrusted_group& group, std::string_view sid) {
    if (sid == group.alias || base::equal_nocase(sid, group.sid)) return true;
    // A group of a domain: the number of the domain precedes the number of the group.
    return group.sid[0] == '-' && base::starts_with_nocase(sid, "S-1-5-21-") && sid.size() > group.sid.size() &&
           sid.substr(sid.size() - group.sid.size()) == group.sid;
  };
  std::vector<std::string> out;
  if (sddl.empty()) return out;
  if (find_dacl(sddl).begin == sddl.npos || dacl_flags(sddl).find("NO_ACCESS_CONTROL") != std::string_view::npos)
    return {"everyone"};  // without a DACL, everyone has all rights
  struct denial {
    std::string sid;
    std::uint32_t mask;
  };
  std::vector<denial> denied;
  for (const auto text : split_entries(dacl_of(sddl))) {
    const auto entry = parse_or_assume_all_rights(text);
    if (!entry) continue;
    std::uint32_t mask = entry->mask & rights;
    if (entry->kind == "D" && (entry->flags & ace_flags::inherit_only) == 0) denied.push_back({entry->sid, mask});
    // Inherit-only entries count too: they apply to the subfolders, which may contain files of the program.
    const bool grants = entry->kind == "A" || entry->kind == "XA" || entry->kind == "OA" || entry->kind == "ZA";
    for (const auto& other : denied) {
      if (base::equal_nocase(other.sid, entry->sid)) mask &= ~other.mask;
    }
    if (!grants || mask == 0) continue;
    for (const auto& group : untrusted_groups) {
      if (is_group(group, entry->sid) && std::find(out.begin(), out.end(), group.name) == out.end())
        out.emplace_back(group.name);
    }
  }
  return out;
}

WINSVC_INLINE std::vector<std::string> untrusted_writers(std::string_view sddl) {
  return untrusted_trustees(sddl, writing_rights);
}
WINSVC_INLINE std::vector<std::string> untrusted_readers(std::string_view sddl) {
  constexpr std::uint32_t read_data = 0x1;
  return untrusted_trustees(sddl, read_data | writing_rights);
}

WINSVC_INLINE std::string restrict_folder_hint(const std::string& folder) {
  const bool is_in_profile = base::to_lower(folder).find("\\users\\") != std::string::npos;
  if (is_in_profile || !shared_folder_reason(folder).empty())
    return "move the program to its own folder below Program Files and install it from there";
  // The groups are given by SID, because their names depend on the language of the system.
  return "move the program to a folder below Program Files, or restrict this folder: icacls \"" + folder +
         "\" /inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" \"*S-1-5-32-545:(OI)(CI)RX\"";
}

WINSVC_INLINE std::string restrict_file_hint(const std::string& path, const std::string& service_name) {
  return "restrict it: icacls \"" + path +
         "\" /inheritance:r /grant:r \"*S-1-5-18:F\" \"*S-1-5-32-544:F\" \"NT SERVICE\\" + service_name + ":R\"";
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
