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
#include "winsvc/model/codes.hpp"
#include "winsvc/model/event_record.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/verbs/logs.hpp"
#include "winsvc/verbs/machine.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What there is to be told, gathered.
struct evidence {
  service_report report;
  std::string last_lines;  ///< the newest of the log
  std::string trouble;     ///< the newest of its warnings and errors that are not among those
  std::string unread;      ///< why the log cannot be read, where it is there
  std::string dump;        ///< the newest minidump's path
  std::vector<std::string> scm;  ///< what the SCM wrote into the event log, `time sentence`, oldest first
};
[[nodiscard]] std::string why_text(const evidence& of);
/// `folder`: the data folder.
[[nodiscard]] evidence gather(service_report report, const std::string& folder, const machine& around = {});

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
  for (const auto line : text::split(lines, '\n')) {
    if (!line.empty()) out += "  " + std::string(line) + '\n';
  }
  return out;
}

WINSVC_INLINE std::string why_text(const evidence& of) {
  const auto& r = of.report;
  if (!r.installed) return '\'' + r.name + "' is not installed.\n";
  const auto& status = r.process.status;
  std::string out = '\'' + r.name + "' is " + std::string(model::name(status.current)) + '.';
  if (status.current == model::state::stopped) {
    const std::uint32_t code = status.exit.code();
    const auto* row = model::explain(code);
    if (status.exit.failed()) {
      out += " It ended with " + std::to_string(code) + ": " + (row ? std::string(row->said) : os::system_words(code)) + '.';
    } else if (r.left.failure.empty()) {
      out += " It was stopped, or was not started since the machine was; it did not fail.";
    }
    // A row of the table says what to try, but where the service itself knows better.
    if (row && r.left.failure.empty() && !row->hint.empty()) out += " Try this: " + std::string(row->hint) + '.';
  }
  out += '\n';
  const bool runs = r.process.pid != 0;
  const bool of_this_run = r.left.pid == r.process.pid;
  if (!r.left.failure.empty() && (!runs || of_this_run)) out += "It said: " + log_text(r.left.failure) + '\n';
  if (!r.left.earlier.empty()) out += "Before that, a run failed: " + log_text(r.left.earlier) + '\n';
  if (!of.scm.empty()) out += "The service control manager wrote:\n";
  for (const auto& line : of.scm) out += "  " + log_text(line) + '\n';
  if (!of.dump.empty()) out += std::string(runs ? "An earlier" : "Its last") + " crash left a minidump: " + of.dump + '\n';
  if (!of.trouble.empty()) out += "The last trouble in its log:\n" + indented(of.trouble);
  if (!of.unread.empty()) out += "Its log cannot be read: " + of.unread + '\n';
  if (!of.last_lines.empty()) out += "The end of its log:\n" + indented(of.last_lines);
  return out;
}

WINSVC_INLINE evidence gather(service_report report, const std::string& folder, const machine& around) {
  evidence of;
  const std::string path = log_path(folder, report.name);
  const auto end_of = [&path](log_level least, std::size_t count) {
    model::log_query what;
    what.least = least;
    what.last = count;
    std::string out;
    print_log(path, what, [&out](std::string_view lines) { out += lines; });
    return out;
  };
  of.last_lines = end_of(log_level::debug, 5);
  of.trouble = end_of(log_level::warn, 3);
  std::string other;
  for (const auto line : text::split(of.trouble, '\n')) {
    if (!line.empty() && of.last_lines.find(line) == std::string::npos) (other += line) += '\n';
  }
  of.trouble = std::move(other);
  const auto newest = os::source_file::open(log_name(path, 0));
  if (!newest && !os::is_missing(newest.error())) of.unread = os::system_words(newest.error());
  const std::string logs = os::folder_of(path), mine = model::folder_name(report.name) + '-';
  if (const auto files = os::list_files(logs)) {  // in the order of their names, which begin with the time
    for (const auto& file : *files) {
      const bool dump = file.size() > 4 && file.compare(file.size() - 4, 4, ".dmp") == 0;
      if (dump && text::starts_with(file, mine)) of.dump = os::path_join(logs, file);
    }
  }
  constexpr std::size_t enough = 3;
  if (const auto events = around.system_events()) {
    for (const auto& one : *events) {
      const auto said = model::scm_sentence(one, report.config.display_name);
      if (said) of.scm.insert(of.scm.begin(), local_time(one.when, os::utc_offset(one.when)) + ' ' + *said);
      if (of.scm.size() == enough) break;
    }
  }
  of.report = std::move(report);
  return of;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
