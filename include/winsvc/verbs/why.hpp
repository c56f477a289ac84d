// `why`: what became of the service, in a few sentences, from all that knows of it: the SCM, what the service left for
// `status`, the end of its log, the minidumps beside that.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/verbs/logs.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What there is to be told, gathered.
struct evidence {
  service_report report;
  std::string last_lines;  ///< the newest of the log
  std::string trouble;     ///< the newest of its warnings and errors that are not among those
  std::string dump;        ///< the newest minidump's path
};
[[nodiscard]] std::string why_text(const evidence& of);
/// `folder`: the data folder.
[[nodiscard]] evidence gather(service_report report, const std::string& folder);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string indented(std::string_view lines) {
  std::string out;
  for (const auto line : text::split(lines, '\n')) {
    if (!line.empty()) out += "  " + std::string(line) + '\n';
  }
  return out;
}

inline std::string why_text(const evidence& of) {
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
  if (!r.left.failure.empty()) out += "It said: " + r.left.failure + '\n';
  if (!of.dump.empty()) out += "Its last crash left a minidump: " + of.dump + '\n';
  if (!of.trouble.empty()) out += "The last trouble in its log:\n" + indented(of.trouble);
  if (!of.last_lines.empty()) out += "The end of its log:\n" + indented(of.last_lines);
  return out;
}

inline evidence gather(service_report report, const std::string& folder) {
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
  if (of.last_lines.find(of.trouble) != std::string::npos) of.trouble.clear();
  const std::string logs = os::folder_of(path), mine = model::folder_name(report.name) + '-';
  if (const auto files = os::list_files(logs)) {  // in the order of their names, which begin with the time
    for (const auto& file : *files) {
      const bool dump = file.size() > 4 && file.compare(file.size() - 4, 4, ".dmp") == 0;
      if (dump && text::starts_with(file, mine)) of.dump = os::path_join(logs, file);
    }
  }
  of.report = std::move(report);
  return of;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
