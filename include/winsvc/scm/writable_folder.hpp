// untrusted_writers: reads in a security descriptor which untrusted users and groups may change a folder or a file.
//
//   group_names(untrusted_writers("O:BAD:AI(A;ID;0x1301bf;;;AU)(A;OICIID;FA;;;BA)"))   // {"authenticated users"}
//
// A user that can replace the executable of a service runs code with the account of the service. Each folder directly
// below C:\ inherits Modify for Authenticated Users.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
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

/// A user or a group that is not trusted with an object and may access it.
struct untrusted_trustee {
  std::string sid;         ///< S-1-...; two letters for a SID that depends on the machine or its domain
  std::string_view group;  ///< name of a group that any user can belong to, such as "users"; empty for all others
  bool is_owner = false;   ///< the owner of an object may always change its rights, and so grant itself any right
};
using sid_list = std::vector<std::string>;

/// Returns the users and groups that may change the content of a folder with this SDDL. Trusted are the system,
/// administrators, TrustedInstaller, and the SIDs in `trusted` (the service). A right with a condition counts, because
/// the condition may hold. Source: "ACE Strings", "File Access Rights Constants" and "Owner of a New Object" in the
/// Win32 documentation.
[[nodiscard]] std::vector<untrusted_trustee> untrusted_writers(std::string_view sddl, const sid_list& trusted = {});
/// Returns the users and groups that may read a file with this SDDL.
[[nodiscard]] std::vector<untrusted_trustee> untrusted_readers(std::string_view sddl, const sid_list& trusted = {});
/// Returns the names of the groups that any user can belong to: everyone, the Users group, guests, packaged apps, and
/// authenticated, interactive, network and domain users.
[[nodiscard]] std::vector<std::string> group_names(const std::vector<untrusted_trustee>& trustees);

/// Returns the remedy for a program folder with untrusted writers. It does not propose to restrict a folder that other
/// programs use.
[[nodiscard]] std::string restrict_folder_hint(const std::string& folder);
/// Returns the remedy for an executable with untrusted writers. A file that was moved keeps the rights of its old
/// folder.
[[nodiscard]] std::string inherit_rights_hint(const std::string& path);
/// Returns the note on a path that is a link. A check does not follow it, because users may change a link later.
[[nodiscard]] std::string unchecked_link_text(const std::string& path);
/// Returns the remedy for a program that a link leads to.
[[nodiscard]] std::string program_link_hint();
/// Returns the remedy for an object to which single accounts, or groups that have members, have access.
[[nodiscard]] std::string remove_access_hint(const std::string& path, const std::vector<untrusted_trustee>& trustees);
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

/// The name of a group that any user can belong to; empty for all other SIDs.
WINSVC_INLINE std::string_view untrusted_group_name(std::string_view sid) noexcept {
  struct untrusted_group {
    std::string_view alias, sid, name;
  };
  constexpr untrusted_group untrusted_groups[] = {
      {"", "S-1-1-0", "everyone"},           {"", "S-1-5-7", "anonymous users"},
      {"", "S-1-5-11", "authenticated users"}, {"", "S-1-5-4", "interactive users"},
      {"", "S-1-5-2", "network users"},      {"", "S-1-5-32-545", "users"},
      {"", "S-1-5-32-546", "guests"},        {"DU", "-513", "domain users"},
      {"DG", "-514", "domain guests"},       {"", "S-1-15-2-1", "packaged apps"}};
  for (const auto& group : untrusted_groups) {
    if (sid == group.alias || base::equal_nocase(sid, group.sid)) return group.name;
    // A group of a domain: the number of the domain precedes the number of the group.
    if (group.sid[0] == '-' && base::starts_with_nocase(sid, "S-1-5-21-") && sid.size() > group.sid.size() &&
        sid.substr(sid.size() - group.sid.size()) == group.sid)
      return group.name;
  }
  return {};
}

WINSVC_INLINE bool is_trusted(std::string_view sid, const sid_list& trusted) noexcept {
  // The last two stand for the creator of a later file in the folder. Another entry must grant the right to create it.
  constexpr std::string_view always_trusted[] = {
      "S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",  // TrustedInstaller
      "S-1-3-0", "S-1-3-1"};
  const auto is_same = [sid](std::string_view other) { return base::equal_nocase(other, sid); };
  return std::any_of(std::begin(always_trusted), std::end(always_trusted), is_same) ||
         std::any_of(trusted.begin(), trusted.end(), is_same);
}

WINSVC_INLINE std::vector<untrusted_trustee> untrusted_trustees(std::string_view sddl, std::uint32_t rights,
                                                                const sid_list& trusted) {
  std::vector<untrusted_trustee> out;
  const auto add = [&](std::string_view sid, bool is_owner) {
    if (sid.empty() || is_trusted(sid, trusted)) return;
    const auto group = untrusted_group_name(sid);
    for (auto& present : out) {
      if (!base::equal_nocase(present.sid, sid) && (group.empty() || present.group != group)) continue;
      present.is_owner |= is_owner;
      return;
    }
    out.push_back({std::string(sid), group, is_owner});
  };
  if (sddl.empty()) return out;
  const std::string_view owner = owner_of(sddl);
  if (find_dacl(sddl).begin == sddl.npos || dacl_flags(sddl).find("NO_ACCESS_CONTROL") != std::string_view::npos) {
    add("S-1-1-0", false);  // without a DACL, everyone has all rights
    return out;
  }
  struct denial {
    std::string sid;
    std::uint32_t mask;
  };
  std::vector<denial> denied;
  // An entry for OWNER RIGHTS replaces the rights that the owner has without an entry: to read and change the DACL.
  constexpr std::string_view owner_rights = "S-1-3-4";
  constexpr std::uint32_t change_dacl = 0x40000;
  bool has_owner_entry = false;
  for (const auto text : split_entries(dacl_of(sddl))) {
    const auto entry = parse_or_assume_all_rights(text);
    if (!entry) continue;
    const bool is_for_owner = base::equal_nocase(entry->sid, owner_rights);
    has_owner_entry |= is_for_owner && (entry->flags & ace_flags::inherit_only) == 0;
    const std::string sid = is_for_owner ? std::string(owner) : entry->sid;
    std::uint32_t mask = entry->mask & rights;
    if (entry->kind == "D" && (entry->flags & ace_flags::inherit_only) == 0) denied.push_back({sid, mask});
    // Inherit-only entries count too: they apply to the subfolders, which may contain files of the program.
    const bool grants = entry->kind == "A" || entry->kind == "XA" || entry->kind == "OA" || entry->kind == "ZA";
    for (const auto& other : denied) {
      if (base::equal_nocase(other.sid, sid)) mask &= ~other.mask;
    }
    if (grants && mask != 0) add(sid, is_for_owner);
  }
  if (!has_owner_entry && (rights & change_dacl) != 0) add(owner, true);
  return out;
}

WINSVC_INLINE std::vector<untrusted_trustee> untrusted_writers(std::string_view sddl, const sid_list& trusted) {
  return untrusted_trustees(sddl, writing_rights, trusted);
}
WINSVC_INLINE std::vector<untrusted_trustee> untrusted_readers(std::string_view sddl, const sid_list& trusted) {
  constexpr std::uint32_t read_data = 0x1;
  return untrusted_trustees(sddl, read_data | writing_rights, trusted);
}

WINSVC_INLINE std::vector<std::string> group_names(const std::vector<untrusted_trustee>& trustees) {
  std::vector<std::string> names;
  for (const auto& trustee : trustees) {
    if (!trustee.group.empty()) names.emplace_back(trustee.group);
  }
  return names;
}

WINSVC_INLINE std::string remove_access_hint(const std::string& path, const std::vector<untrusted_trustee>& trustees) {
  const std::string command = "icacls \"" + path + '"';
  std::string removal, owner;
  for (const auto& trustee : trustees) {
    if (!trustee.group.empty()) continue;
    removal += " /remove:g \"*" + trustee.sid + '"';
    if (trustee.is_owner) owner = command + " /setowner \"*S-1-5-32-544\", then ";
  }
  return "to remove their access: " + owner + command + " /inheritance:d" + removal;
}

WINSVC_INLINE std::string restrict_folder_hint(const std::string& folder) {
  const bool is_in_profile = base::to_lower(folder).find("\\users\\") != std::string::npos;
  if (is_in_profile || !shared_folder_reason(folder).empty())
    return "move the program to its own folder below Program Files and install it from there";
  // The groups are given by SID, because their names depend on the language of the system.
  return "move the program to a folder below Program Files, or restrict this folder: icacls \"" + folder +
         "\" /inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" \"*S-1-5-32-545:(OI)(CI)RX\"";
}

WINSVC_INLINE std::string inherit_rights_hint(const std::string& path) {
  return "give it the rights of its folder: icacls \"" + path + "\" /reset";
}

WINSVC_INLINE std::string unchecked_link_text(const std::string& path) {
  return '\'' + path + "' is a link, so it is unknown whether other users can change its target";
}

WINSVC_INLINE std::string program_link_hint() { return "install the program from its real folder"; }

WINSVC_INLINE std::string restrict_file_hint(const std::string& path, const std::string& service_name) {
  return "restrict it: icacls \"" + path +
         "\" /inheritance:r /grant:r \"*S-1-5-18:F\" \"*S-1-5-32-544:F\" \"NT SERVICE\\" + service_name + ":R\"";
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
