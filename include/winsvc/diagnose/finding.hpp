// What `doctor` finds: each with its weight, what was seen, and what to do. And what it reads out of security
// descriptors.
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
#include "winsvc/commandline/verbs.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// `problem`: it does not start or serve, or hands the machine to others. `warning`: it does, and will not for ever.
/// `note`: something to know.
enum class severity { ok, note, warning, problem };
[[nodiscard]] constexpr std::string_view name(severity w) noexcept {
  constexpr std::string_view names[] = {"ok", "note", "warning", "problem"};
  return names[static_cast<int>(w)];
}

struct finding {
  model::severity severity = model::severity::ok;
  std::string topic;   ///< a word or two: "port", "settings"
  std::string evidence;    ///< the evidence
  std::string remedy;  ///< empty where there is nothing to do
  bool fixable = false;  ///< `doctor --fix` does it
};

/// A line each, the remedy below; then how many of which.
[[nodiscard]] std::string findings_text(const std::vector<finding>& findings);
/// `{"problems":1,"warnings":0,"findings":[...]}`
[[nodiscard]] std::string findings_json(const std::vector<finding>& findings);
[[nodiscard]] std::size_t count(const std::vector<finding>& findings, severity w) noexcept;

/// Who, of those that anybody may be (everyone, authenticated, interactive and network users, those of the domain, the
/// Users group, guests, packaged apps), may change what is in a folder with this SDDL: "everyone", "users". Empty: none
/// of them. A right with a condition counts: it may hold.
/// Source: "ACE Strings" and "File Access Rights Constants" in the Win32 documentation.
[[nodiscard]] std::vector<std::string> untrusted_writers(std::string_view sddl);

/// What to do about them. A folder that others live in is not ours to close.
[[nodiscard]] std::string restrict_folder_hint(const std::string& folder);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::size_t count(const std::vector<finding>& findings, severity w) noexcept {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [w](const finding& f) { return f.severity == w; }));
}

WINSVC_INLINE std::string findings_text(const std::vector<finding>& findings) {
  std::string out;
  for (const auto& f : findings) {
    out += pad_right(name(f.severity), 9) + pad_right(f.topic, 14) + escape_log_text(f.evidence) + '\n';  // it may come from anywhere
    if (!f.remedy.empty()) out += std::string(23, ' ') + "-> " + f.remedy + '\n';
  }
  const auto problems = count(findings, severity::problem), warnings = count(findings, severity::warning);
  const auto so_many = [](std::size_t n, const char* one) { return std::to_string(n) + ' ' + one + (n == 1 ? "" : "s"); };
  return out + '\n' + so_many(problems, "problem") + ", " + so_many(warnings, "warning") + '\n';
}

WINSVC_INLINE std::string findings_json(const std::vector<finding>& findings) {
  const auto one = [](const finding& f) {
    strings::json_object_writer o;
    o.put_text("weight", name(f.severity)).put_text("about", f.topic).put_text("seen", f.evidence);
    return o.put_text("remedy", f.remedy).put("fixable", f.fixable ? "true" : "false").text();
  };
  strings::json_object_writer o;
  o.put("problems", std::to_string(count(findings, severity::problem)));
  o.put("warnings", std::to_string(count(findings, severity::warning)));
  return o.put("findings", strings::json_array(findings, one, ",\n ")).text() + '\n';
}

/// Do these rights, as an entry has them, let change what is there: add or replace files, delete them, or give oneself
/// the right to?
WINSVC_INLINE bool grants_write(std::string_view rights) noexcept {
  if (strings::starts_with(rights, "0x")) {
    constexpr std::uint32_t writing = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000;
    std::uint32_t bits = 0;
    for (const char c : rights.substr(2)) {
      const char low = strings::to_lower(c);
      const int digit = strings::is_digit(low) ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
      if (digit < 0) return true;  // it cannot be read, and is no reason to be calm
      bits = (bits << 4) | static_cast<std::uint32_t>(digit);
    }
    return (bits & writing) != 0;
  }
  for (std::size_t i = 0; i + 1 < rights.size(); i += 2) {
    const auto two = rights.substr(i, 2);
    for (const auto writes : {"FA", "FW", "GA", "GW", "WD", "WO", "SD", "DC", "LC", "DT"}) {
      if (two == writes) return true;
    }
  }
  return false;
}

/// Do these rights, refused, leave none that changes anything?
WINSVC_INLINE bool denies_all_writes(std::string_view rights) noexcept { return rights == "FA" || rights == "GA" || rights == "0x1f01ff"; }

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
  const auto is = [](const untrusted_group& s, std::string_view user) {
    if (user == s.letters || strings::equal_nocase(user, s.sid)) return true;
    return s.sid[0] == '-' && strings::starts_with_nocase(user, "S-1-5-21-") && user.size() > s.sid.size() &&
           user.substr(user.size() - s.sid.size()) == s.sid;  // a domain's own number stands between
  };
  std::vector<std::string> out;
  const auto dacl = sddl.find("D:");
  if (sddl.empty()) return out;
  if (dacl == sddl.npos) return {"everyone"};  // no list is no limit
  auto rest = sddl.substr(dacl);
  if (const auto sacl = rest.find("S:("); sacl != rest.npos) rest = rest.substr(0, sacl);
  if (rest.find("NO_ACCESS_CONTROL") != rest.npos) return {"everyone"};
  std::vector<std::string_view> refused;
  for (auto open = rest.find('('); open != rest.npos; open = rest.find('(', open + 1)) {
    const auto close = rest.find(')', open);
    if (close == rest.npos) break;
    const auto parts = strings::split(rest.substr(open + 1, close - open - 1), ';');
    if (parts.size() < 6) continue;
    if (parts[0] == "D" && denies_all_writes(parts[2])) refused.push_back(parts[5]);
    // What is inherited alone concerns folders below, where a file of ours may lie as well.
    const bool grants = parts[0] == "A" || parts[0] == "XA" || parts[0] == "OA" || parts[0] == "ZA";
    if (!grants || !grants_write(parts[2])) continue;
    if (std::find(refused.begin(), refused.end(), parts[5]) != refused.end()) continue;
    for (const auto& s : untrusted_groups) {
      if (is(s, parts[5]) && std::find(out.begin(), out.end(), s.name) == out.end()) out.emplace_back(s.name);
    }
  }
  return out;
}

WINSVC_INLINE std::string restrict_folder_hint(const std::string& folder) {
  const bool a_persons = strings::to_lower(folder).find("\\users\\") != std::string::npos;
  if (a_persons || !shared_folder_reason(folder).empty())
    return "move the program to a folder of its own below Program Files, and install it from there";
  // The groups by their SIDs: their names are in the language of the system.
  return "move the program to a folder below Program Files, or close this one: icacls \"" + folder +
         "\" /inheritance:r /grant:r \"*S-1-5-18:(OI)(CI)F\" \"*S-1-5-32-544:(OI)(CI)F\" \"*S-1-5-32-545:(OI)(CI)RX\"";
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
