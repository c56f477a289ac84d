// Proofs: the results of the verb `prove`, as text, as JSON and as one HTML page.
//
//   proof_text({{"start", "RUNNING means serving", verdict::yes, "GET / returned 200", {}, 12}});
//   // yes     start         RUNNING means serving: GET / returned 200 (12 ms)
//
// A proof has a claim of README or docs/ and the observation on this machine. A claim that a system cannot show has the
// verdict `not_observable` with the reason, so that a missing observation never looks like a success.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

enum class verdict { yes, no, not_observable };
[[nodiscard]] constexpr std::string_view name(verdict v) noexcept {
  constexpr std::string_view names[] = {"yes", "no", "cannot be seen here"};
  return names[static_cast<int>(v)];
}

/// A claim, and what this machine showed.
struct proof {
  std::string topic;  ///< one word: "start", "drain"
  std::string claim;  ///< a sentence without a period
  diagnose::verdict verdict = diagnose::verdict::no;
  std::string observed;  ///< what was seen
  std::string reason;    ///< why it cannot be seen here; empty for the other verdicts
  std::int64_t milliseconds = 0;
};

/// All proofs of one run.
struct proof_report {
  std::string system;  ///< name and version of the system
  std::string program;
  std::string time;  ///< UTC, ISO 8601
  std::vector<proof> proofs;
};

/// Returns the number of proofs with this verdict.
[[nodiscard]] std::size_t count(const std::vector<proof>& proofs, verdict v) noexcept;
/// Returns one line for each proof, then the numbers of each verdict.
[[nodiscard]] std::string proof_text(const proof_report& report);
/// Returns `{"winsvc":"0.1.0","system":...,"yes":1,"no":0,"not_observable":0,"proofs":[...]}`.
[[nodiscard]] std::string proof_json(const proof_report& report);
/// Returns one HTML page that needs no other file.
[[nodiscard]] std::string proof_html(const proof_report& report);

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::size_t count(const std::vector<proof>& proofs, verdict v) noexcept {
  return static_cast<std::size_t>(
      std::count_if(proofs.begin(), proofs.end(), [v](const proof& p) { return p.verdict == v; }));
}

/// The observation and, if no observation was possible, the reason.
WINSVC_INLINE std::string observation(const proof& p) {
  std::string text = p.observed;
  if (!p.reason.empty()) text += (text.empty() ? "" : "; ") + p.reason;
  return text;
}

WINSVC_INLINE std::string proof_totals(const proof_report& report) {
  return std::to_string(count(report.proofs, verdict::yes)) + " yes, " +
         std::to_string(count(report.proofs, verdict::no)) + " no, " +
         std::to_string(count(report.proofs, verdict::not_observable)) + " cannot be seen here";
}

WINSVC_INLINE std::string proof_text(const proof_report& report) {
  std::string out;
  for (const auto& p : report.proofs) {
    out += base::pad_right(name(p.verdict), 20) + base::pad_right(p.topic, 12) + p.claim + ": " + observation(p) +
           " (" + std::to_string(p.milliseconds) + " ms)\n";
  }
  return out + report.system + ": " + proof_totals(report) + '\n';
}

WINSVC_INLINE std::string proof_json(const proof_report& report) {
  const auto format = [](const proof& p) {
    base::json_object_writer json;
    json.put_text("topic", p.topic).put_text("claim", p.claim).put_text("verdict", name(p.verdict));
    json.put_text("observed", p.observed).put_text_if_set("reason", p.reason);
    return json.put("ms", std::to_string(p.milliseconds)).text();
  };
  base::json_object_writer json;
  json.put_text("winsvc", WINSVC_VERSION_STRING).put_text("program", report.program);
  json.put_text("system", report.system).put_text("time", report.time);
  json.put("yes", std::to_string(count(report.proofs, verdict::yes)));
  json.put("no", std::to_string(count(report.proofs, verdict::no)));
  json.put("not_observable", std::to_string(count(report.proofs, verdict::not_observable)));
  return json.put("proofs", base::json_array(report.proofs, format, ",\n ")).text() + '\n';
}

WINSVC_INLINE std::string proof_html(const proof_report& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>winsvc " WINSVC_VERSION_STRING
      ": prove</title>\n<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
      "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3em .6em;"
      "border-bottom:1px solid #ccc}.yes{color:#176b2c}.no{color:#b3261e;font-weight:bold}"
      ".hidden{color:#666}</style>\n";
  out += "<h1>winsvc " WINSVC_VERSION_STRING ": prove</h1>\n<p>" + base::escape_html(report.system) + "<br>";
  out += base::escape_html(report.program) + ", " + base::escape_html(report.time) + "<br>";
  out += proof_totals(report) + "</p>\n";
  out += "<table><tr><th>verdict<th>topic<th>claim<th>observed<th>ms</tr>\n";
  for (const auto& p : report.proofs) {
    const std::string_view style = p.verdict == verdict::yes ? "yes" : p.verdict == verdict::no ? "no" : "hidden";
    out += "<tr><td class=\"" + std::string(style) + "\">" + std::string(name(p.verdict));
    for (const std::string& text : {p.topic, p.claim, observation(p)}) out += "<td>" + base::escape_html(text);
    out += "<td>" + std::to_string(p.milliseconds) + "</tr>\n";
  }
  return out + "</table></html>\n";
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
