// Findings of `doctor`: severity, topic, evidence and remedy, as text and as JSON; and the check of a folder's security
// descriptor for untrusted writers.
//
//   findings_text({{severity::problem, "port", "it is taken", "choose another", false}});
//   untrusted_writers("D:(A;OICI;FA;;;WD)");      // {"everyone"}
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/security.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// `problem`: the service cannot start or serve, or other users can take control of the machine. `warning`: the service
/// works now, but will fail later. `note`: information.
enum class severity { ok, note, warning, problem };
[[nodiscard]] constexpr std::string_view name(severity s) noexcept {
  constexpr std::string_view names[] = {"ok", "note", "warning", "problem"};
  return names[static_cast<int>(s)];
}

/// One result of `doctor`.
struct finding {
  diagnose::severity severity = diagnose::severity::ok;
  std::string topic;     ///< one or two words: "port", "settings"
  std::string evidence;  ///< the facts that were found
  std::string remedy;    ///< empty if no action is necessary
  bool fixable = false;  ///< `doctor --fix` applies the remedy
};

/// Returns one line for each finding, with the remedy below it, then the numbers of problems and warnings.
[[nodiscard]] std::string findings_text(const std::vector<finding>& findings);
/// Returns `{"problems":1,"warnings":0,"findings":[...]}`.
[[nodiscard]] std::string findings_json(const std::vector<finding>& findings);
/// Returns the number of findings with this severity.
[[nodiscard]] std::size_t count(const std::vector<finding>& findings, severity s) noexcept;

/// Returns the untrusted groups that may change the content of a folder with this SDDL, such as "everyone" or "users".
/// Untrusted are groups that any user can belong to: everyone, authenticated, interactive, network and domain users,
/// the Users group, guests, and packaged apps. A right with a condition counts, because the condition may hold.
/// Source: "ACE Strings" and "File Access Rights Constants" in the Win32 documentation.
[[nodiscard]] std::vector<std::string> untrusted_writers(std::string_view sddl);

/// Returns the remedy for a program folder with untrusted writers. It does not propose to restrict a folder that other
/// programs use.
[[nodiscard]] std::string restrict_folder_hint(const std::string& folder);

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::size_t count(const std::vector<finding>& findings, severity s) noexcept {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [s](const finding& f) { return f.severity == s; }));
}

WINSVC_INLINE std::string findings_text(const std::vector<finding>& findings) {
  std::string out;
  for (const auto& f : findings) {
    // The evidence may contain text from files and other programs.
    out += base::pad_right(name(f.severity), 9) + base::pad_right(f.topic, 14) +
           escape_log_text(f.evidence) + '\n';
    if (!f.remedy.empty()) out += std::string(23, ' ') + "-> " + f.remedy + '\n';
  }
  const auto problems = count(findings, severity::problem), warnings = count(findings, severity::warning);
  const auto counted = [](std::size_t number, const char* noun) {
    return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
  };
  return out + '\n' + counted(problems, "problem") + ", " + counted(warnings, "warning") + '\n';
}

WINSVC_INLINE std::string findings_json(const std::vector<finding>& findings) {
  const auto finding_json = [](const finding& f) {
    base::json_object_writer o;
    o.put_text("weight", name(f.severity)).put_text("about", f.topic).put_text("seen", f.evidence);
    return o.put_text("remedy", f.remedy).put("fixable", f.fixable ? "true" : "false").text();
  };
  base::json_object_writer o;
  o.put("problems", std::to_string(count(findings, severity::problem)));
  o.put("warnings", std::to_string(count(findings, severity::warning)));
  return o.put("findings", base::json_array(findings, finding_json, ",\n ")).text() + '\n';
}

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
  if (is_in_profile || !scm::shared_folder_reason(folder).empty())
    return "move the program to its own folder below Program Files and install it from there";
  // The groups are given by SID, because their names depend on the language of the system.
  return "move the program to a folder below Program Files, or restrict this folder: icacls \"" + folder +
         "\" /inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" \"*S-1-5-32-545:(OI)(CI)RX\"";
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
