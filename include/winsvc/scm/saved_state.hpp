// Saved state of a service: the file `state.json` in the data folder, a flat JSON object. A running service writes it,
// and `status`, `why` and `doctor` read it.
//
//   {"pid":1234,"url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":""}
//
// The file may be out of date: only the SCM knows whether the service is running, and the other members are valid only
// if the pid is the one that the SCM reports.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/flat_json.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Content of the file.
struct saved_state {
  std::uint32_t pid = 0;
  std::string url;                    ///< with the actual port; empty before the service listens and after it stopped
  std::string since;                  ///< time when it began to listen, RFC 3339
  std::string failure;                ///< message of the last failure; empty after a clean stop
  std::uint32_t start_ms = 0;         ///< ms from the start of the process to RUNNING; 0: RUNNING was not reached
  std::string written_at = {};        ///< time of the failure or of the requested stop, RFC 3339
  std::string previous_failure = {};  ///< last failure of an earlier run, with its time; empty: no failure is known
  std::string stop_reason = {};       ///< reason of the operator or of the app for the last stop; empty: none
  bool running = false;               ///< the process has started and has not stopped in order
};

/// Returns the content as JSON on one line, with a line end.
[[nodiscard]] std::string format_saved_state(const saved_state& state);

/// Parses the text of `format_saved_state`, with the members in any order; ignores unknown members. Returns nullopt for
/// any other text, such as a truncated file.
[[nodiscard]] std::optional<saved_state> parse_saved_state(std::string_view text);

/// Returns the last failure of the earlier runs, for a run that finds `saved` at its start: the failure of the previous
/// run, or the one that the previous run had found. If the previous run did not stop in order, it was terminated, or
/// the machine lost power; `activities` is what it was doing then (os/activity.hpp).
[[nodiscard]] std::string last_failure(const saved_state& saved, const std::string& activities = {});
/// Returns the failure of a run that ended without a message: it is not empty only if the run did not stop in order.
[[nodiscard]] std::string unreported_failure(const saved_state& saved, const std::string& activities,
                                             std::optional<std::uint32_t> exit_code = {});
/// Returns the time of the last failure, of this run or of an earlier one. If it is unknown, returns a later time, at
/// which the current run began to listen; nullopt if that is unknown too, or if no failure is known.
[[nodiscard]] std::optional<clock::system_time> last_failure_time(const saved_state& saved) noexcept;
/// Returns the time at which the process of the current run started; nullopt before it listens.
[[nodiscard]] std::optional<clock::system_time> start_time(const saved_state& saved) noexcept;

/// The parts of the message of a crash. The crash handler reports the result of the minidump after the minidump.
inline constexpr std::string_view crash_prefix = "crashed: ", dump_result = "; dump: ", no_dump_result = "; no dump: ";
/// True if the last failure is a crash without the result of the minidump. Its process was still running at that time.
/// It may have ended up to `crash_handler_options::max_duration()` later.
[[nodiscard]] bool lacks_dump_result(const saved_state& saved) noexcept;
/// Returns the first line of a failure, at most 160 characters.
[[nodiscard]] std::string short_failure(const std::string& failure);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::string format_saved_state(const saved_state& state) {
  base::json_object_writer o;
  o.put("pid", std::to_string(state.pid)).put_text("url", state.url).put_text("since", state.since);
  o.put_text("failure", state.failure);
  if (state.start_ms != 0) o.put("start_ms", std::to_string(state.start_ms));
  o.put_text_if_set("when", state.written_at).put_text_if_set("earlier", state.previous_failure);
  o.put_text_if_set("stop_reason", state.stop_reason);
  if (state.running) o.put_text("running", "yes");
  return o.text() + '\n';
}

WINSVC_INLINE std::string unreported_failure(const saved_state& saved, const std::string& activities,
                                             std::optional<std::uint32_t> exit_code) {
  if (!saved.failure.empty() || (!saved.running && saved.url.empty())) return {};
  std::string out = saved.since.empty() ? "the process" : "the run that began at " + saved.since;
  out += " (pid " + std::to_string(saved.pid) + ") ended ";
  out += exit_code ? "with exit code " + std::to_string(*exit_code) : std::string("without an exit code");
  return activities.empty() ? out : out + " while running " + activities;
}

WINSVC_INLINE std::string last_failure(const saved_state& saved, const std::string& activities) {
  if (!saved.failure.empty()) return saved.written_at + (saved.written_at.empty() ? "" : " ") + saved.failure;
  const std::string unreported = unreported_failure(saved, activities);
  return unreported.empty() ? saved.previous_failure : unreported;
}

WINSVC_INLINE std::optional<clock::system_time> last_failure_time(const saved_state& saved) noexcept {
  if (!saved.failure.empty()) return parse_time(saved.written_at);
  if (saved.previous_failure.empty()) return std::nullopt;
  const std::string_view failure = saved.previous_failure;
  const auto time = parse_time(failure.substr(0, failure.find(' ')));
  return time ? time : parse_time(saved.since);
}

WINSVC_INLINE std::optional<clock::system_time> start_time(const saved_state& saved) noexcept {
  const auto since = parse_time(saved.since);
  if (!since || saved.start_ms == 0) return std::nullopt;
  return *since - std::chrono::milliseconds(saved.start_ms);
}

WINSVC_INLINE bool lacks_dump_result(const saved_state& saved) noexcept {
  std::string_view failure = saved.failure;
  if (failure.empty()) {  // after its time
    failure = saved.previous_failure;
    failure.remove_prefix((std::min)(failure.find(' '), failure.size() - 1) + 1);
  }
  return base::starts_with(failure, crash_prefix) && failure.rfind(dump_result) == failure.npos &&
         failure.rfind(no_dump_result) == failure.npos;
}

WINSVC_INLINE std::string short_failure(const std::string& failure) {
  const std::string line = failure.substr(0, failure.find('\n'));
  std::string out(base::truncate(line, 160));
  return out.size() < failure.size() ? out + " ..." : out;
}

WINSVC_INLINE std::optional<saved_state> parse_saved_state(std::string_view text) {
  const auto members = base::parse_flat_object(text);
  if (!members) return std::nullopt;
  saved_state out;
  for (const auto& [name, value] : *members) {
    if (name == "url") out.url = value.text;
    if (name == "since") out.since = value.text;
    if (name == "failure") out.failure = value.text;
    if (name == "when") out.written_at = value.text;
    if (name == "earlier") out.previous_failure = value.text;
    if (name == "stop_reason") out.stop_reason = value.text;
    if (name == "running") out.running = value.text == "yes";
    if (name != "pid" && name != "start_ms") continue;
    std::uint64_t number = 0;
    if (!base::parse_number(value.text, 0xFFFFFFFFu, number)) return std::nullopt;
    (name == "pid" ? out.pid : out.start_ms) = static_cast<std::uint32_t>(number);
  }
  return out;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
