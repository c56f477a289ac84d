// Security descriptors in SDDL: adds and removes entries (ACEs) of a DACL as text, without calls to Windows, so that
// tests can check each entry.
//
//   add_ace("D:(A;;FA;;;SY)", "(A;OICI;0x1200a9;;;S-1-5-80-1)")   // "D:(A;;FA;;;SY)(A;OICI;0x1200a9;;;S-1-5-80-1)"
//   remove_aces_of(sddl, "S-1-5-80-1")                            // removes each entry of this SID
//
// Source: "Security Descriptor String Format" and "ACE Strings" in the Win32 documentation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/ace.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Returns the SID in the form that Windows writes to SDDL: two letters for a well-known SID.
[[nodiscard]] std::string trustee(std::string_view sid);

/// Returns the entry for the program folder: read and execute, for the folder and its content.
[[nodiscard]] std::string read_ace(std::string_view sid);
/// Returns the entry for the data folder: modify, for the folder and its content.
[[nodiscard]] std::string modify_ace(std::string_view sid);
/// Returns the entry for a service: the rights to query, start, stop, pause and continue it and to send custom
/// controls, but not to change it.
[[nodiscard]] std::string control_ace(std::string_view sid);
/// Returns the SIDs that have exactly this entry, except those that Windows gives it for each service (the system).
[[nodiscard]] std::vector<std::string> control_sids(std::string_view sddl);
/// Returns the security descriptor of the data folder. The system and administrators have full access, the service SID
/// may modify. Users may read the files directly in the folder (the state that `status` shows), but not in subfolders
/// (the log). The DACL is protected, because everyone may create files in ProgramData and that right would be
/// inherited. Administrators own the folder, because the owner of a folder can change its rights. An empty SID is
/// omitted.
[[nodiscard]] std::string data_folder_security(std::string_view service_sid);
/// Returns the same for an existing folder with `sddl`. If the folder is restricted, its entries are kept and the entry
/// of the service SID is added.
[[nodiscard]] std::string data_folder_security(std::string_view sddl, std::string_view service_sid);
/// True if administrators or the system own the folder and its DACL is protected from inheritance. Any local user may
/// have created a folder with this name before the install.
[[nodiscard]] bool is_restricted(std::string_view sddl) noexcept;
/// Returns the SID of the owner, or its alias if the SID depends on the machine; empty without `O:`.
[[nodiscard]] std::string_view owner_of(std::string_view sddl) noexcept;
/// Returns `sddl` from its DACL on, to restore the rights of a folder without a change of its owner.
[[nodiscard]] std::string without_owner(std::string_view sddl);

/// True if the DACL contains the entry, in any spelling: the entries are compared in binary.
[[nodiscard]] bool has_ace(std::string_view sddl, std::string_view entry,
                           secured_object object = secured_object::file);
/// Returns `sddl` with this entry in its DACL, before the inherited entries. A missing DACL is added. The result is
/// equal to `sddl` if the DACL has the entry, or if it grants all rights to everyone (NO_ACCESS_CONTROL).
[[nodiscard]] std::string add_ace(std::string_view sddl, std::string_view entry,
                                  secured_object object = secured_object::file);
/// Returns `sddl` without the entries of this SID in its DACL.
[[nodiscard]] std::string remove_aces_of(std::string_view sddl, std::string_view sid);

/// Returns the reason why install does not add an entry to this folder; empty if the folder belongs to the program
/// alone. All files in a folder inherit its entries, so a shared folder must not be changed.
[[nodiscard]] std::string_view shared_folder_reason(std::string_view path) noexcept;

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::string read_ace(std::string_view sid) { return "(A;OICI;0x1200a9;;;" + trustee(sid) + ")"; }
WINSVC_INLINE std::string modify_ace(std::string_view sid) {
  return "(A;OICI;0x1301bf;;;" + trustee(sid) + ")";
}
WINSVC_INLINE std::string control_ace(std::string_view sid) {
  return "(A;;CCLCSWRPWPDTLOCRRC;;;" + trustee(sid) + ")";
}
WINSVC_INLINE std::string data_folder_security(std::string_view service_sid) {
  return "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" +
         (service_sid.empty() ? std::string() : modify_ace(service_sid)) +
         "(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)";
}

WINSVC_INLINE std::string trustee(std::string_view sid) { return std::string(sid_alias(sid)); }

/// Begin and end of the DACL in `sddl`, without `D:`; {npos, npos} without a DACL.
struct dacl_extent {
  std::size_t begin = std::string_view::npos, end = std::string_view::npos;
};
WINSVC_INLINE dacl_extent find_dacl(std::string_view sddl) noexcept {
  // A part begins with its letter and a colon, outside of parentheses: O: G: D: S:
  int depth = 0;
  bool is_quoted = false;
  dacl_extent extent;
  for (std::size_t i = 0; i < sddl.size(); ++i) {
    is_quoted ^= sddl[i] == '"' && depth > 0;
    if (is_quoted) continue;
    if (sddl[i] == '(') ++depth;
    if (sddl[i] == ')') --depth;
    if (depth != 0 || i + 1 >= sddl.size() || sddl[i + 1] != ':') continue;
    if (extent.begin != sddl.npos) {
      extent.end = i;
      return extent;
    }
    if (sddl[i] == 'D') extent.begin = i + 2;
  }
  if (extent.begin != sddl.npos) extent.end = sddl.size();
  return extent;
}

WINSVC_INLINE std::string_view dacl_of(std::string_view sddl) noexcept {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string_view() : sddl.substr(dacl.begin, dacl.end - dacl.begin);
}
/// Returns the flags of the DACL, which are the letters between `D:` and the first entry.
WINSVC_INLINE std::string_view dacl_flags(std::string_view sddl) noexcept {
  const std::string_view dacl = dacl_of(sddl);
  return dacl.substr(0, dacl.find('('));
}

WINSVC_INLINE bool has_ace(std::string_view sddl, std::string_view entry, secured_object object) {
  const auto wanted = parse_ace(entry, object);
  if (!wanted) return dacl_of(sddl).find(entry) != sddl.npos;
  for (const auto present : split_entries(dacl_of(sddl))) {
    if (parse_ace(present, object) == wanted) return true;
  }
  return false;
}

WINSVC_INLINE std::string add_ace(std::string_view sddl, std::string_view entry, secured_object object) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl) + "D:" + std::string(entry);
  const bool grants_all = dacl_flags(sddl).find("NO_ACCESS_CONTROL") != sddl.npos;
  if (grants_all || has_ace(sddl, entry, object)) return std::string(sddl);
  // Windows requires that inherited entries (flag ID) follow all others.
  std::size_t position = dacl.end;
  for (const auto present : split_entries(dacl_of(sddl))) {
    const auto parsed = parse_ace(present, object);
    if (!parsed || (parsed->flags & ace_flags::inherited) == 0) continue;
    position = static_cast<std::size_t>(present.data() - sddl.data());
    break;
  }
  return std::string(sddl.substr(0, position)) + std::string(entry) + std::string(sddl.substr(position));
}

WINSVC_INLINE std::vector<std::string> control_sids(std::string_view sddl) {
  std::vector<std::string> sids;
  for (const auto entry : split_entries(dacl_of(sddl))) {
    const auto present = parse_ace(entry, secured_object::service);
    if (!present || present->sid == "S-1-5-18") continue;
    if (present == parse_ace(control_ace(present->sid), secured_object::service)) sids.push_back(present->sid);
  }
  return sids;
}

WINSVC_INLINE std::string remove_aces_of(std::string_view sddl, std::string_view sid) {
  std::string out;
  std::size_t copied = 0;
  for (const auto entry : split_entries(dacl_of(sddl))) {
    const auto parsed = parse_ace(entry);
    if (!parsed || !base::equal_nocase(parsed->sid, full_sid(sid))) continue;
    const auto position = static_cast<std::size_t>(entry.data() - sddl.data());
    out += sddl.substr(copied, position - copied);
    copied = position + entry.size();
  }
  return out + std::string(sddl.substr(copied));
}

WINSVC_INLINE std::string data_folder_security(std::string_view sddl, std::string_view service_sid) {
  return is_restricted(sddl) ? add_ace(sddl, modify_ace(service_sid)) : data_folder_security(service_sid);
}

WINSVC_INLINE bool is_restricted(std::string_view sddl) noexcept {
  const std::string_view owner = owner_of(sddl);
  return (owner == "S-1-5-32-544" || owner == "S-1-5-18") && base::starts_with(dacl_flags(sddl), "P");  // P, PAI, PARAI
}

WINSVC_INLINE std::string_view owner_of(std::string_view sddl) noexcept {
  if (!base::starts_with(sddl, "O:")) return {};
  sddl.remove_prefix(2);
  // The next part begins one character before its colon: O:BAG:SYD:(...)
  const auto colon = sddl.find(':');
  return full_sid(colon == sddl.npos ? sddl : sddl.substr(0, colon == 0 ? 0 : colon - 1));
}

WINSVC_INLINE std::string without_owner(std::string_view sddl) {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string() : std::string(sddl.substr(dacl.begin - 2));
}

WINSVC_INLINE std::string_view shared_folder_reason(std::string_view path) noexcept {
  const auto is_slash = [](char c) { return c == '\\' || c == '/'; };
  while (!path.empty() && is_slash(path.back())) path.remove_suffix(1);
  if (base::starts_with(path, "\\\\?\\") && path.size() > 5 && path[5] == ':') path.remove_prefix(4);  // \\?\C:\...
  if (path.size() >= 2 && is_slash(path[0]) && is_slash(path[1])) return "it is on another machine";
  if (path.size() >= 2 && path[1] == ':') path.remove_prefix(2);
  if (path.empty() || path == ".") return "it is the root of a drive";
  path.remove_prefix(is_slash(path[0]) ? 1 : 0);

  std::size_t end = 0;
  while (end < path.size() && !is_slash(path[end])) ++end;
  const std::string_view first = path.substr(0, end);
  if (base::equal_nocase(first, "Windows")) return "it is a folder of Windows";
  if (end < path.size()) return {};
  for (const std::string_view shared : {"Program Files", "Program Files (x86)", "ProgramData", "Users"}) {
    if (base::equal_nocase(first, shared)) return "other programs and users share it";
  }
  return {};
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
