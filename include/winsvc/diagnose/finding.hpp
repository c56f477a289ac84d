// Findings: the results of the checks of `doctor`, each with severity, topic, evidence and remedy, as text and as JSON.
//
//   findings_text({{severity::problem, "port", "it is taken", "choose another", false}});
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

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
  constexpr std::size_t indent = 23;
  std::string out;
  for (const auto& f : findings) {
    // The evidence may contain text from files and other programs.
    out += base::pad_right(name(f.severity), 9) + base::pad_right(f.topic, indent - 9) +
           escape_log_text(f.evidence, indent) + '\n';
    if (!f.remedy.empty()) out += std::string(indent, ' ') + "-> " + f.remedy + '\n';
  }
  const auto problems = count(findings, severity::problem), warnings = count(findings, severity::warning);
  return out + '\n' + base::counted(problems, "problem") + ", " + base::counted(warnings, "warning") + '\n';
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

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
