// `why`: what became of the service, in a few sentences, from all that knows of it: the SCM and what it wrote into the event
// log, what the service left for `status`, the end of its log, the minidumps beside that.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/event_record.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/log/log_reader.hpp"
#include "winsvc/diagnose/system_probe.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What there is to be told, gathered.
struct post_mortem {
  service_report report;
  std::string last_log_lines;  ///< the newest of the log
  std::string last_problems;     ///< the newest of its warnings and errors that are not among those
  std::string log_error;      ///< why the log cannot be read, where it is there
  std::string dump;        ///< the newest minidump's path
  std::vector<std::string> scm_events;  ///< what the SCM wrote into the event log, `time sentence`, oldest first
};
[[nodiscard]] std::string format_post_mortem(const post_mortem& of);
/// `folder`: the data folder.
[[nodiscard]] post_mortem collect_post_mortem(service_report report, const std::string& folder, const system_probe& probe = {});

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string indented(std::string_view lines) {
  std::string out;
  for (const auto line : strings::split(lines, '\n')) {
    if (!line.empty()) out += "  " + std::string(line) + '\n';
  }
  return out;
}

WINSVC_INLINE std::string format_post_mortem(const post_mortem& of) {
  const auto& r = of.report;
  if (!r.installed) return '\'' + r.name + "' is not installed.\n";
  const auto& status = r.process.status;
  std::string out = '\'' + r.name + "' is " + std::string(model::name(status.current)) + '.';
  if (status.current == model::state::stopped) {
    const std::uint32_t code = status.exit.code();
    const auto* row = model::explain(code);
    if (status.exit.failed()) {
      out += " It ended with " + std::to_string(code) + ": " + (row ? std::string(row->message) : os::system_error_message(code)) + '.';
    } else if (r.saved_state.failure.empty()) {
      out += " It was stopped, or was not started since the machine was; it did not fail.";
    }
    // A row of the table says what to try, but where the service itself knows better.
    if (row && r.saved_state.failure.empty() && !row->hint.empty()) out += " Try this: " + std::string(row->hint) + '.';
  }
  out += '\n';
  const bool runs = r.process.pid != 0;
  const bool of_this_run = r.saved_state.pid == r.process.pid;
  if (!r.saved_state.failure.empty() && (!runs || of_this_run)) out += "It said: " + escape_log_text(r.saved_state.failure) + '\n';
  if (!r.saved_state.previous_failure.empty()) out += "Before that, a run failed: " + escape_log_text(r.saved_state.previous_failure) + '\n';
  if (!of.scm_events.empty()) out += "The service control manager wrote:\n";
  for (const auto& line : of.scm_events) out += "  " + escape_log_text(line) + '\n';
  if (!of.dump.empty()) out += std::string(runs ? "An earlier" : "Its last") + " crash left a minidump: " + of.dump + '\n';
  if (!of.last_problems.empty()) out += "The last trouble in its log:\n" + indented(of.last_problems);
  if (!of.log_error.empty()) out += "Its log cannot be read: " + of.log_error + '\n';
  if (!of.last_log_lines.empty()) out += "The end of its log:\n" + indented(of.last_log_lines);
  return out;
}

WINSVC_INLINE post_mortem collect_post_mortem(service_report report, const std::string& folder, const system_probe& probe) {
  post_mortem of;
  const std::string path = log_path(folder, report.name);
  const auto end_of = [&path](log_level min_level, std::size_t count) {
    model::log_query query;
    query.min_level = min_level;
    query.max_entries = count;
    std::string out;
    print_log(path, query, [&out](std::string_view lines) { out += lines; });
    return out;
  };
  of.last_log_lines = end_of(log_level::debug, 5);
  of.last_problems = end_of(log_level::warn, 3);
  std::string other;
  for (const auto line : strings::split(of.last_problems, '\n')) {
    if (!line.empty() && of.last_log_lines.find(line) == std::string::npos) (other += line) += '\n';
  }
  of.last_problems = std::move(other);
  const auto newest = os::input_file::open(log_file_name(path, 0));
  if (!newest && !os::is_missing(newest.error())) of.log_error = os::system_error_message(newest.error());
  const std::string logs = os::folder_of(path), own = model::folder_name(report.name) + '-';
  if (const auto files = os::list_files(logs)) {  // in the order of their names, which begin with the time
    for (const auto& file : *files) {
      const bool dump = file.size() > 4 && file.compare(file.size() - 4, 4, ".dmp") == 0;
      if (dump && strings::starts_with(file, own)) of.dump = os::path_join(logs, file);
    }
  }
  constexpr std::size_t enough = 3;
  if (const auto events = probe.system_events()) {
    for (const auto& one : *events) {
      const auto message = model::describe_scm_event(one, report.config.display_name);
      if (message) of.scm_events.insert(of.scm_events.begin(), local_time(one.time, os::utc_offset(one.time)) + ' ' + *message);
      if (of.scm_events.size() == enough) break;
    }
  }
  of.report = std::move(report);
  return of;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
