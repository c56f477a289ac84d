// What the running service leaves for `status` to find: `state.json` in its data folder, a flat JSON object of texts
// and numbers.
//
//   {"pid":1234,"url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":""}
//
// It is a hint, not a truth: the SCM says whether the service runs, and the pid must be the SCM's for the rest to
// count.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/flat_json.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct saved_state {
  std::uint32_t pid = 0;
  std::string url;      ///< with the real port; empty before it listens and after it stopped
  std::string since;    ///< when it began to listen, RFC 3339
  std::string failure;  ///< the sentence of the last failure; empty after a clean stop
  std::uint32_t start_ms = 0;  ///< from the start of the process to RUNNING; 0: it did not get there
  std::string written_at = {};       ///< of the failure, RFC 3339
  std::string previous_failure = {};    ///< the last failure of a run before, with its time; empty: none is known
};

[[nodiscard]] std::string format_saved_state(const saved_state& s);

/// Reads what `format_saved_state` wrote, in any order, unknown names ignored. Nothing for anything else: a torn file is no file.
[[nodiscard]] std::optional<saved_state> parse_saved_state(std::string_view s);

/// What a run should know of those before it, from what the last of them left: how that failed or, where it ended well,
/// what it knew itself. One that still has an address has been killed, or the machine was.
[[nodiscard]] std::string last_failure(const saved_state& saved);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string format_saved_state(const saved_state& s) {
  strings::json_object_writer o;
  o.put("pid", std::to_string(s.pid)).put_text("url", s.url).put_text("since", s.since).put_text("failure", s.failure);
  if (s.start_ms != 0) o.put("start_ms", std::to_string(s.start_ms));
  o.put_text_if_set("when", s.written_at).put_text_if_set("earlier", s.previous_failure);
  return o.text() + '\n';
}

WINSVC_INLINE std::string last_failure(const saved_state& saved) {
  if (!saved.failure.empty()) return saved.written_at + (saved.written_at.empty() ? "" : " ") + saved.failure;
  if (!saved.url.empty())
    return "the run that began at " + saved.since + " (pid " + std::to_string(saved.pid) + ") ended without a word";
  return saved.previous_failure;
}

WINSVC_INLINE std::optional<saved_state> parse_saved_state(std::string_view s) {
  const auto members = parse_flat_object(s);
  if (!members) return std::nullopt;
  saved_state out;
  for (const auto& [name, value] : *members) {
    if (name == "url") out.url = value.text;
    if (name == "since") out.since = value.text;
    if (name == "failure") out.failure = value.text;
    if (name == "when") out.written_at = value.text;
    if (name == "earlier") out.previous_failure = value.text;
    if (name != "pid" && name != "start_ms") continue;
    std::uint64_t number = 0;
    if (!strings::parse_number(value.text, 0xFFFFFFFFu, number)) return std::nullopt;
    (name == "pid" ? out.pid : out.start_ms) = static_cast<std::uint32_t>(number);
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
