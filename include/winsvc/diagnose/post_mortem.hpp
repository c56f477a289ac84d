// Post-mortem of the verb `why`: explains in a few sentences why the service stopped or failed. The data comes from the
// SCM, its events, the state file, the last log lines and the minidumps.
//
//   print(format_post_mortem(collect_post_mortem(report, data_folder)));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/event_record.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/log/log_files.hpp"
#include "winsvc/log/log_reader.hpp"
#include "winsvc/diagnose/system_probe.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Data of `why`.
struct post_mortem {
  host::service_report report;
  std::string last_log_lines;           ///< the newest lines of the log
  std::string last_problems;            ///< the newest warnings and errors that are not among those lines
  std::string log_error;                ///< why the log cannot be read; empty if it can be read or does not exist
  std::string dump;                     ///< path of the newest minidump
  std::vector<std::string> scm_events;  ///< events of the SCM, `time message`, oldest first
};
[[nodiscard]] std::string format_post_mortem(const post_mortem& data);
/// The data as a JSON object: the members of `status --json`, then text, dump, scm_events, problems, log.
[[nodiscard]] std::string post_mortem_json(const post_mortem& data);
/// Collects the data of `why`; `folder` is the data folder.
[[nodiscard]] post_mortem collect_post_mortem(host::service_report report, const std::string& folder,
                                              const system_probe& probe = {});

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::string indented(std::string_view lines) {
  std::string out;
  for (const auto line : base::split(lines, '\n')) {
    if (!line.empty()) out += "  " + std::string(line) + '\n';
  }
  return out;
}

/// True if the failure of the saved state names the dump; a state without a failure does not belong to a dump.
WINSVC_INLINE bool is_dump_of_failure(const post_mortem& data) {
  return data.report.saved_state.failure.find(data.dump) != std::string::npos;
}

WINSVC_INLINE std::string format_post_mortem(const post_mortem& data) {
  const auto& report = data.report;
  if (!report.installed) return '\'' + report.name + "' is not installed.\n";
  const auto& status = report.process.status;
  std::string out = '\'' + report.name + "' is " + std::string(scm::name(status.current)) + '.';
  if (status.current == scm::state::stopped) {
    const std::uint32_t code = status.exit.code();
    const auto* explanation = base::explain(code);
    if (status.exit.failed()) {
      out += " It ended with " + std::to_string(code) + ": " + os::explained_message(code) + '.';
    } else if (!report.saved_state.stop_reason.empty()) {
      out += " It was stopped at " + report.saved_state.written_at + ": " +
             escape_log_text(report.saved_state.stop_reason) + '.';
    } else if (report.saved_state.failure.empty()) {
      out += " It was stopped on request, or it has not been started since boot. It did not fail.";
    }
    // The hint of the exit code is printed unless the service saved a more exact message.
    if (explanation && report.saved_state.failure.empty() && !explanation->hint.empty())
      out += " Try this: " + std::string(explanation->hint) + '.';
  }
  out += '\n';
  const bool runs = report.process.pid != 0;
  const bool is_current_run = report.saved_state.pid == report.process.pid;
  if (!report.saved_state.failure.empty() && (!runs || is_current_run))
    out += "It reported: " + escape_log_text(report.saved_state.failure) + '\n';
  if (!report.saved_state.previous_failure.empty())
    out += "An earlier run failed: " + escape_log_text(scm::short_failure(report.saved_state.previous_failure)) + '\n';
  if (!data.scm_events.empty()) out += "Events of the service control manager:\n";
  for (const auto& line : data.scm_events) out += "  " + escape_log_text(line) + '\n';
  if (!data.dump.empty())
    out +=
        std::string(is_dump_of_failure(data) ? "This" : "An earlier") + " crash wrote a minidump: " + data.dump + '\n';
  if (!data.last_problems.empty()) out += "Last warnings and errors in its log:\n" + indented(data.last_problems);
  if (const auto live = base::parse_flat_object(report.live_status)) {
    const std::string failure = base::text_of(*live, "log_failure");
    if (!failure.empty()) out += "Its log: " + escape_log_text(failure) + '\n';
  }
  if (!data.log_error.empty()) out += "Its log cannot be read: " + data.log_error + '\n';
  if (!data.last_log_lines.empty()) out += "Last lines of its log:\n" + indented(data.last_log_lines);
  return out;
}

WINSVC_INLINE std::string post_mortem_json(const post_mortem& data) {
  const auto lines_json = [](const std::string& lines) {
    std::vector<std::string> out;
    for (const auto line : base::split(lines, '\n')) {
      if (!line.empty()) out.emplace_back(line);
    }
    return base::json_array(out, [](const std::string& line) { return base::json_quoted(line); });
  };
  base::json_object_writer out = host::status_members(data.report);
  out.put_text("text", format_post_mortem(data)).put_text("dump", data.dump);
  out.put("scm_events", base::json_array(data.scm_events, [](const std::string& e) { return base::json_quoted(e); }));
  out.put("problems", lines_json(data.last_problems)).put("log", lines_json(data.last_log_lines));
  return out.text() + '\n';
}

WINSVC_INLINE post_mortem collect_post_mortem(host::service_report report, const std::string& folder,
                                              const system_probe& probe) {
  post_mortem data;
  const std::string path = log::log_path(folder, report.name);
  const auto last_entries = [&path](log_level min_level, std::size_t count) {
    log::log_query query;
    query.min_level = min_level;
    query.max_entries = count;
    std::string out;
    log::print_log(path, query, [&out](std::string_view lines) { out += lines; });
    return out;
  };
  data.last_log_lines = last_entries(log_level::debug, 5);
  data.last_problems = last_entries(log_level::warn, 3);
  std::string other_problems;
  for (const auto line : base::split(data.last_problems, '\n')) {
    if (!line.empty() && data.last_log_lines.find(line) == std::string::npos) (other_problems += line) += '\n';
  }
  data.last_problems = std::move(other_problems);
  const auto newest = os::input_file::open(log::log_file_name(path, 0));
  if (!newest && !os::is_missing(newest.error())) data.log_error = os::system_error_message(newest.error());
  else if (!newest && !folder.empty()) data.log_error = log::log_folder_error(folder);
  const std::string logs = os::folder_of(path), prefix =  scm::folder_name(report.name) + '-';
  if (const auto files = os::list_files(logs)) {  // sorted by name, which begins with the time
    for (const auto& file : *files) {
      const bool is_dump =  file.size() > 4 && file.compare(file.size() - 4, 4, ".dmp") == 0;
      if (is_dump && base::starts_with(file, prefix)) data.dump = os::path_join(logs, file);
    }
  }
  constexpr std::size_t max_events = 3;
  if (const auto events = probe.system_events()) {
    for (const auto& event : *events) {
      const auto message = scm::describe_scm_event(event, report.config.display_name);
      if (message)
        data.scm_events.insert(data.scm_events.begin(),
                               local_time(event.time, os::utc_offset(event.time)) + ' ' + *message);
      if (data.scm_events.size() == max_events) break;
    }
  }
  data.report = std::move(report);
  return data;
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
