// Who may do what, as text: security descriptors in SDDL, changed without Windows, so that install is tested entry by
// entry.
//
//   add_ace("D:(A;;FA;;;SY)", "(A;OICI;0x1200a9;;;S-1-5-80-1)")   // the entry is put into the DACL, once
//   remove_aces_of(sddl, "S-1-5-80-1")                              // every entry of that SID is taken out
//
// Source: "Security Descriptor String Format" and "ACE Strings" in the Win32 documentation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// A SID as Windows writes it into SDDL: the well-known ones have two letters. (An entry that is spelled otherwise than
/// Windows reads it back would be added at every install anew.)
[[nodiscard]] std::string trustee(std::string_view sid);

/// Read and execute, for the folder and what is in it: what a service needs of its executable's folder.
[[nodiscard]] std::string read_ace(std::string_view sid);
/// Modify: what it needs of its data folder.
[[nodiscard]] std::string modify_ace(std::string_view sid);
/// The right to look at the service, start, stop, pause and continue it and send it its own controls; not to change it.
[[nodiscard]] std::string control_ace(std::string_view sid);
/// The data folder: the system and administrators all, the service modify, users read what lies in it directly (the
/// state that `status` shows) and none of its folders (the log). Protected: nothing is inherited, because everyone may
/// create files in ProgramData. Owned by administrators: whoever owns a folder may open it again.
[[nodiscard]] std::string data_folder_security(std::string_view service_sid);
/// The same for a folder that is there already with `sddl`: what an administrator made of one that is closed stays.
[[nodiscard]] std::string data_folder_security(std::string_view sddl, std::string_view service_sid);
/// Is it owned by administrators or the system, and inherits nothing? Anybody may have made a folder of our name before
/// we came.
[[nodiscard]] bool is_restricted(std::string_view sddl) noexcept;
/// `sddl` from its DACL on: to give a folder back its rights and leave its owner alone.
[[nodiscard]] std::string without_owner(std::string_view sddl);

[[nodiscard]] bool has_ace(std::string_view sddl, std::string_view entry) noexcept;
/// `sddl` with this entry in its DACL, before what is inherited; unchanged when it has it, and where no DACL means that
/// everyone may do everything (NO_ACCESS_CONTROL). A missing DACL is begun.
[[nodiscard]] std::string add_ace(std::string_view sddl, std::string_view entry);
/// `sddl` without any entry of this SID in its DACL.
[[nodiscard]] std::string remove_aces_of(std::string_view sddl, std::string_view sid);

/// Why a service's right to its executable's folder is not written there; empty where it is. Entries are handed down to
/// all that is in a folder, so they belong to one that is the program's own.
[[nodiscard]] std::string_view shared_folder_reason(std::string_view path) noexcept;

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string read_ace(std::string_view sid) { return "(A;OICI;0x1200a9;;;" + trustee(sid) + ")"; }
WINSVC_INLINE std::string modify_ace(std::string_view sid) {
  return "(A;OICI;0x1301bf;;;" + trustee(sid) + ")";
}
WINSVC_INLINE std::string control_ace(std::string_view sid) {
  return "(A;;CCLCSWRPWPDTLOCRRC;;;" + trustee(sid) + ")";
}
WINSVC_INLINE std::string data_folder_security(std::string_view service_sid) {
  return "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" + modify_ace(service_sid) +
         "(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)";
}

WINSVC_INLINE std::string trustee(std::string_view sid) {
  struct known_sid {
    std::string_view sid, letters;
  };
  constexpr known_sid table[] = {
      {"S-1-1-0", "WD"},       {"S-1-5-4", "IU"},       {"S-1-5-6", "SU"},       {"S-1-5-11", "AU"},
      {"S-1-5-18", "SY"},      {"S-1-5-19", "LS"},      {"S-1-5-20", "NS"},      {"S-1-5-32-544", "BA"},
      {"S-1-5-32-545", "BU"},  {"S-1-5-32-546", "BG"},  {"S-1-5-32-547", "PU"},
  };
  for (const auto& k : table) {
    if (strings::equal_nocase(k.sid, sid)) return std::string(k.letters);
  }
  return std::string(sid);
}

/// Where the entries of the DACL begin and end in `sddl`; {npos, npos} without a DACL.
struct dacl_extent {
  std::size_t begin = std::string_view::npos, end = std::string_view::npos;
};
WINSVC_INLINE dacl_extent find_dacl(std::string_view sddl) noexcept {
  // A part begins with its letter and a colon outside of parentheses: O: G: D: S:
  int depth = 0;
  dacl_extent found;
  for (std::size_t i = 0; i < sddl.size(); ++i) {
    if (sddl[i] == '(') ++depth;
    if (sddl[i] == ')') --depth;
    if (depth != 0 || i + 1 >= sddl.size() || sddl[i + 1] != ':') continue;
    if (found.begin != sddl.npos) {
      found.end = i;
      return found;
    }
    if (sddl[i] == 'D') found.begin = i + 2;
  }
  if (found.begin != sddl.npos) found.end = sddl.size();
  return found;
}

WINSVC_INLINE std::string_view dacl_of(std::string_view sddl) noexcept {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string_view() : sddl.substr(dacl.begin, dacl.end - dacl.begin);
}
/// The letters between `D:` and its first entry.
WINSVC_INLINE std::string_view dacl_flags(std::string_view sddl) noexcept {
  const std::string_view dacl = dacl_of(sddl);
  return dacl.substr(0, dacl.find('('));
}

WINSVC_INLINE bool has_ace(std::string_view sddl, std::string_view entry) noexcept {
  return dacl_of(sddl).find(entry) != sddl.npos;
}

WINSVC_INLINE std::string add_ace(std::string_view sddl, std::string_view entry) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl) + "D:" + std::string(entry);
  const bool open_to_all = dacl_flags(sddl).find("NO_ACCESS_CONTROL") != sddl.npos;
  if (open_to_all || has_ace(sddl, entry)) return std::string(sddl);
  const std::string_view entries = dacl_of(sddl);
  // Windows wants what was inherited (flag ID) behind what was not.
  std::size_t position = dacl.end;
  for (auto open = entries.find('('); open != entries.npos && position == dacl.end; open = entries.find('(', open + 1)) {
    const auto flags = entries.find(';', open);
    const auto after = flags == entries.npos ? flags : entries.find(';', flags + 1);
    if (after != entries.npos && entries.substr(flags + 1, after - flags - 1).find("ID") != entries.npos)
      position = dacl.begin + open;
  }
  return std::string(sddl.substr(0, position)) + std::string(entry) + std::string(sddl.substr(position));
}

WINSVC_INLINE std::string remove_aces_of(std::string_view sddl, std::string_view sid) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl);
  const auto is_of = [](std::string_view one, const std::string& recipient) {
    const std::string ending = ";" + recipient + ")";
    return one.size() >= ending.size() && strings::equal_nocase(one.substr(one.size() - ending.size()), ending);
  };
  const std::string whole(sid), letters = trustee(sid);
  std::string out(sddl.substr(0, dacl.begin));
  std::string_view rest = dacl_of(sddl);
  while (!rest.empty()) {
    const auto open = rest.find('(');
    out += rest.substr(0, open);  // the DACL's flags
    if (open == rest.npos) break;
    const auto close = rest.find(')', open);
    const std::string_view one = rest.substr(open, close == rest.npos ? close : close - open + 1);
    if (!is_of(one, whole) && !is_of(one, letters)) out += one;
    rest.remove_prefix(open + one.size());
  }
  return out + std::string(sddl.substr(dacl.end));
}

WINSVC_INLINE std::string data_folder_security(std::string_view sddl, std::string_view service_sid) {
  return is_restricted(sddl) ? add_ace(sddl, modify_ace(service_sid)) : data_folder_security(service_sid);
}

WINSVC_INLINE bool is_restricted(std::string_view sddl) noexcept {
  bool owned = false;
  for (const std::string_view owner : {"O:BA", "O:SY", "O:S-1-5-32-544", "O:S-1-5-18"}) {
    const auto after = sddl.substr((std::min)(owner.size(), sddl.size()), 2);
    owned = owned || (strings::starts_with(sddl, owner) && (after == "D:" || after == "G:"));
  }
  return owned && strings::starts_with(dacl_flags(sddl), "P");  // P, PAI, PARAI
}

WINSVC_INLINE std::string without_owner(std::string_view sddl) {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string() : std::string(sddl.substr(dacl.begin - 2));
}

WINSVC_INLINE std::string_view shared_folder_reason(std::string_view path) noexcept {
  const auto slash = [](char c) { return c == '\\' || c == '/'; };
  while (!path.empty() && slash(path.back())) path.remove_suffix(1);
  if (strings::starts_with(path, "\\\\?\\") && path.size() > 5 && path[5] == ':') path.remove_prefix(4);  // \\?\C:\...
  if (path.size() >= 2 && slash(path[0]) && slash(path[1])) return "it lies on another machine";
  if (path.size() >= 2 && path[1] == ':') path.remove_prefix(2);
  if (path.empty() || path == ".") return "it is the root of a drive";
  path.remove_prefix(slash(path[0]) ? 1 : 0);

  std::size_t end = 0;
  while (end < path.size() && !slash(path[end])) ++end;
  const std::string_view first = path.substr(0, end);
  if (strings::equal_nocase(first, "Windows")) return "it is a folder of Windows itself";
  if (end < path.size()) return {};
  for (const std::string_view shared : {"Program Files", "Program Files (x86)", "ProgramData", "Users"}) {
    if (strings::equal_nocase(first, shared)) return "it is a folder of everybody's";
  }
  return {};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
