// Text and JSON of `status`: formats the state in the SCM, the saved state and the live status of a service. Has no
// side effects; manage/start_stop.hpp collects the data.
//
//   print(as_json ? status_json(report) : status_text(report));
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Data of `status`.
struct service_report {
  std::string name;
  bool installed = false;
  os::service_process_status process;
  os::service_config config;
  scm::saved_state saved_state;  ///< the state file; its url is set only if it belongs to the running process
  std::vector<std::string> drift;  ///< differences between the installed and the desired configuration, one per line
  /// Flat JSON object from the control channel; empty if the service did not return one.
  std::string live_status;
  std::vector<std::string> pending_restart;  ///< changes that the running process does not use yet
  bool held = false;                         ///< `stop --hold` disabled the service until `start`
};
/// Report for a program that runs in a terminal and is not known to the SCM, from its live status.
[[nodiscard]] service_report query_status_report(const std::string& name, const std::string& live);

/// Text and JSON of `status`.
[[nodiscard]] std::string status_text(const service_report& r);
[[nodiscard]] std::string status_json(const service_report& r);
/// The members of status_json, for an object that has more.
[[nodiscard]] base::json_object_writer status_members(const service_report& r);
/// Exit code of `status`: 0 running, 3 not running, 4 not installed.
[[nodiscard]] int status_exit(const service_report& r) noexcept;

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE int status_exit(const service_report& r) noexcept {
  if (!r.installed) return base::exit_codes::not_installed;
  return r.process.status.current == scm::state::running ? base::exit_codes::ok : base::exit_codes::not_running;
}

WINSVC_INLINE service_report query_status_report(const std::string& name, const std::string& live) {
  service_report report;
  report.name = name;
  report.live_status = live;
  const auto message = base::parse_flat_object(live).value_or(base::flat_object());
  report.process.pid = static_cast<std::uint32_t>(base::number_of(message, "pid"));
  report.saved_state.url = base::text_of(message, "url");
  report.saved_state.since = base::text_of(message, "since");
  for (const auto state :
       {scm::state::start_pending, scm::state::stop_pending, scm::state::running, scm::state::paused}) {
    if (base::text_of(message, "state") == scm::name(state)) report.process.status.current = state;
  }
  report.installed = true;
  return report;
}

/// Formats the live status, several lines.
WINSVC_INLINE std::string format_live_status(const std::string& live) {
  const auto reply = base::parse_flat_object(live);
  if (!reply) return {};
  const auto number = [&reply](const char* name) { return base::number_of(*reply, name); };
  const auto text = [&number](const char* name) { return std::to_string(number(name)); };
  const auto counted = [&number](const char* name, const char* noun) { return base::counted(number(name), noun); };
  const auto in_minute = number("answered_in_minute");
  const std::string dashboard = base::text_of(*reply, "dashboard");
  std::string out = dashboard.empty() ? "" : "  page     " + escape_log_text(dashboard) + '\n';
  out += "  served   " + counted("answered", "response") + ", " + std::to_string(in_minute) + " in the last minute";
  if (number("failed_in_minute") != 0) out += " (" + text("failed_in_minute") + " of them 5xx)";
  if (in_minute != 0) out += ", median " + text("p50_us") + " us, 99th percentile " + text("p99_us") + " us";
  out += "\n  open     " + counted("connections", "connection") + ", " +
         counted("in_flight", "request") + " in flight, " + counted("websockets", "WebSocket") + "\n  process  " +
         counted("threads", "pool thread") + ", " +
         std::to_string(number("resident_bytes") / (1024 * 1024)) + " MiB, " +
         base::duration_text(std::chrono::milliseconds(static_cast<std::int64_t>(number("cpu_ms")))) +
         " of processor time\n";
  out += "  log      " + base::text_of(*reply, "log_level") + " and above\n";
  const std::string failure = base::text_of(*reply, "log_failure");
  return failure.empty() ? out : out + "  log      " + escape_log_text(failure) + '\n';
}

WINSVC_INLINE std::string status_text(const service_report& r) {
  if (!r.installed) return r.name + ": not installed\n";
  const auto& s = r.process.status;
  std::string out = r.name + ": " + std::string(scm::name(s.current));
  if (r.process.pid != 0) out += ", pid " + std::to_string(r.process.pid);
  if (!r.saved_state.since.empty()) out += ", since " + escape_log_text(r.saved_state.since);
  out += '\n';
  if (!r.saved_state.url.empty()) out += "  url      " + escape_log_text(r.saved_state.url) + '\n';
  out += format_live_status(r.live_status);
  if (r.config.binary.empty()) return out;  // it runs in a terminal
  out += "  startup  " + std::string(name(r.config.startup)) + '\n';
  out += "  binary   " + scm::shown_binary(r.config.binary) + '\n';
  if (s.current == scm::state::stopped && s.exit.win32 != 0) {
    const auto* row = base::explain(s.exit.code());
    out += "  exit     " + std::to_string(s.exit.code()) + (row ? ", " + std::string(row->message) : "") + '\n';
  }
  if (r.held) out += "  held     'stop --hold' disabled the service; 'start' enables and starts it\n";
  if (!r.pending_restart.empty())
    out += "  pending  restart, for: " + base::join(r.pending_restart, ", ") + "; run 'restart'\n";
  if (!r.saved_state.failure.empty()) {
    constexpr std::size_t indent = 11;
    out += "  failure  " + escape_log_text(r.saved_state.failure, indent) + '\n';
  } else if (!r.saved_state.previous_failure.empty()) {
    out += "  failed   " + escape_log_text(scm::short_failure(r.saved_state.previous_failure)) + '\n';
  } else if (!r.saved_state.stop_reason.empty() && s.current == scm::state::stopped) {
    out += "  stopped  " + escape_log_text(r.saved_state.written_at + ": " + r.saved_state.stop_reason) + '\n';
  }
  for (const auto& line : r.drift) out += "  drift    " + line + '\n';
  if (!r.drift.empty()) out += "           run 'update' to fix it\n";
  return out;
}

WINSVC_INLINE base::json_object_writer status_members(const service_report& r) {
  const auto& s = r.process.status;
  std::string state = r.installed ? std::string(scm::name(s.current)) : "not installed";
  std::replace(state.begin(), state.end(), ' ', '_');

  base::json_object_writer out;
  const auto put = [&out, &r](std::string_view field, const std::string& value, bool known = true) {
    out.put(field, r.installed && known ? value : "null");
  };
  const auto put_text = [&put](std::string_view field, std::string_view value) {
    put(field, base::json_quoted(value), !value.empty());
  };
  out.put_text("name", r.name).put("installed", r.installed ? "true" : "false").put_text("state", state);
  put("pid", std::to_string(r.process.pid));
  put("exit_code", std::to_string(s.exit.code()));
  put_text("startup", name(r.config.startup));
  put_text("display_name", r.config.display_name);
  put_text("binary", scm::shown_binary(r.config.binary));
  put_text("url", r.saved_state.url);
  put_text("since", r.saved_state.since);
  put_text("failure", r.saved_state.failure);
  put_text("last_failure", r.saved_state.previous_failure);
  put_text("stop_reason", r.saved_state.stop_reason);
  put("pending_restart",
      base::json_array(r.pending_restart, [](const std::string& item) { return base::json_quoted(item); }));
  put("drift", base::json_array(r.drift, [](const std::string& line) { return base::json_quoted(line); }));
  out.put("live", r.live_status.empty() ? "null" : r.live_status);
  return out;
}

WINSVC_INLINE std::string status_json(const service_report& r) { return status_members(r).text() + '\n'; }

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
