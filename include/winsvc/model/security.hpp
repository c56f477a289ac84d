// Who may do what, as text: security descriptors in SDDL, changed without Windows, so that install is tested entry by
// entry.
//
//   with_entry("D:(A;;FA;;;SY)", "(A;OICI;0x1200a9;;;S-1-5-80-1)")   // the entry is put at the end of the DACL, once
//   without_account(sddl, "S-1-5-80-1")                              // every entry of that SID is taken out
//
// Source: "Security Descriptor String Format" and "ACE Strings" in the Win32 documentation.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// Read and execute, for the folder and what is in it: what a service needs of its executable's folder.
[[nodiscard]] inline std::string read_entry(std::string_view sid) {
  return "(A;OICI;0x1200a9;;;" + std::string(sid) + ")";
}
/// Modify: what it needs of its data folder.
[[nodiscard]] inline std::string modify_entry(std::string_view sid) {
  return "(A;OICI;0x1301bf;;;" + std::string(sid) + ")";
}
/// The right to look at the service, start, stop, pause and continue it and send it its own controls; not to change it.
[[nodiscard]] inline std::string control_entry(std::string_view sid) {
  return "(A;;CCLCSWRPWPDTLOCRRC;;;" + std::string(sid) + ")";
}
/// The data folder: the system and administrators all, the service modify, users read what lies in it directly (the
/// state that `status` shows) and none of its folders (the log). Protected: nothing is inherited, because everyone may
/// create files in ProgramData.
[[nodiscard]] inline std::string data_folder_security(std::string_view service_sid) {
  return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" + modify_entry(service_sid) + "(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)";
}

/// `sddl` with this entry in its DACL; unchanged when it has it. A missing DACL is begun.
[[nodiscard]] std::string with_entry(std::string_view sddl, std::string_view entry);
/// `sddl` without any entry of this SID in its DACL.
[[nodiscard]] std::string without_account(std::string_view sddl, std::string_view sid);

// ---------------------------------------------------------------------------------------------------------------------

/// Where the entries of the DACL begin and end in `sddl`; {npos, npos} without a DACL.
struct dacl_extent {
  std::size_t begin = std::string_view::npos, end = std::string_view::npos;
};
inline dacl_extent find_dacl(std::string_view sddl) noexcept {
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

inline std::string with_entry(std::string_view sddl, std::string_view entry) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl) + "D:" + std::string(entry);
  const std::string_view entries = sddl.substr(dacl.begin, dacl.end - dacl.begin);
  if (entries.find(entry) != sddl.npos) return std::string(sddl);
  // Windows wants what was inherited (flag ID) behind what was not.
  std::size_t at = dacl.end;
  for (auto open = entries.find('('); open != entries.npos && at == dacl.end; open = entries.find('(', open + 1)) {
    const auto flags = entries.find(';', open);
    const auto after = flags == entries.npos ? flags : entries.find(';', flags + 1);
    if (after != entries.npos && entries.substr(flags + 1, after - flags - 1).find("ID") != entries.npos)
      at = dacl.begin + open;
  }
  return std::string(sddl.substr(0, at)) + std::string(entry) + std::string(sddl.substr(at));
}

inline std::string without_account(std::string_view sddl, std::string_view sid) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl);
  const std::string ending = ";" + std::string(sid) + ")";
  std::string out(sddl.substr(0, dacl.begin));
  std::string_view rest = sddl.substr(dacl.begin, dacl.end - dacl.begin);
  while (!rest.empty()) {
    const auto open = rest.find('(');
    out += rest.substr(0, open);  // the DACL's flags
    if (open == rest.npos) break;
    const auto close = rest.find(')', open);
    const std::string_view one = rest.substr(open, close == rest.npos ? close : close - open + 1);
    if (one.size() < ending.size() || !text::equal_nocase(one.substr(one.size() - ending.size()), ending)) out += one;
    rest.remove_prefix(open + one.size());
  }
  return out + std::string(sddl.substr(dacl.end));
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
