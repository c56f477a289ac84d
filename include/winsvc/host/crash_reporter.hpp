// Crash reporter: reports a crash of the process, and an exit() of the app, in the state file, the event log and the
// log, with the activities that were running.
//
//   const crash_reporter crashes(name, log, logs_folder, state, report_crash);   // while it exists
//
// os/crash.hpp handles the crash and writes the minidump; os/exit_watch.hpp detects the exit.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/state_file.hpp"
#include "winsvc/os/activity.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/exit_watch.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class crash_reporter {
 public:
  /// `folder` receives the minidumps; empty: no dump is written. `report` writes a sentence to the event log. It may be
  /// called on any thread, and in a process that has crashed.
  crash_reporter(std::string name, logger& log, std::string folder, state_file& state,
                 std::function<void(const std::string&)> report)
      : name_(std::move(name)),
        log_(log),
        folder_(std::move(folder)),
        state_(state),
        report_(std::move(report)),
        handler_(handler_options()),
        exit_watch_([this](int code) { on_exit(code); }) {}
  crash_reporter(const crash_reporter&) = delete;
  crash_reporter& operator=(const crash_reporter&) = delete;

 private:
  os::crash_handler::crash_handler_options handler_options();
  void on_crash(const os::crash_report& report);
  void on_dump(const os::crash_report& report);
  void on_exit(int code);

  const std::string name_;
  logger& log_;
  const std::string folder_;
  state_file& state_;
  const std::function<void(const std::string&)> report_;
  std::string sentence_;  // used by the report thread only
  const os::crash_handler handler_;
  const os::exit_watch exit_watch_;
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE os::crash_handler::crash_handler_options crash_reporter::handler_options() {
  os::crash_handler::crash_handler_options options;
  options.folder = folder_;
  options.name = scm::folder_name(name_);
  options.on_crash = [this](const os::crash_report& report) { on_crash(report); };
  options.on_dump = [this](const os::crash_report& report) { on_dump(report); };
  return options;
}

/// Reports in the event log, the state file and the log, in this order: the thread that crashed may hold any lock, so
/// each step may block.
WINSVC_INLINE void crash_reporter::on_crash(const os::crash_report& report) {
  // The memory may be exhausted: each step is tried.
  base::attempt([&] { sentence_ = std::string(scm::crash_prefix) + report.description; });
  base::attempt([this] {
    const std::string running = os::running_activities();
    if (!running.empty()) sentence_ += " while running " + running;
  });
  base::attempt([this] { report_(name_ + ' ' + sentence_); });
  base::attempt([this] { state_.write_failure(sentence_); });
  base::attempt([this] { log_.error(sentence_); });
  log_.flush();
}

/// Adds the path of the minidump, or the reason of a failed dump, to the state file and the log.
WINSVC_INLINE void crash_reporter::on_dump(const os::crash_report& report) {
  const bool is_written = !report.dump.empty();
  const std::string reason = os::system_error_text(report.dump_error);
  state_.write_failure(sentence_ + std::string(is_written ? scm::dump_result : scm::no_dump_result) +
                       (is_written ? report.dump : reason));
  if (is_written) log_.info("wrote the minidump " + report.dump);
  else log_.error("the minidump cannot be written to '" + folder_ + "': " + reason);
  log_.flush();
}

/// Code of the app ended the process. The state file is first, because the process may have little time.
WINSVC_INLINE void crash_reporter::on_exit(int code) {
  const std::string running = os::running_activities();
  const std::string sentence = "the process called exit(" + std::to_string(code) + ")" +
                               (running.empty() ? std::string() : " while running " + running) +
                               "; use svc.stop() or svc.fail() to end the service";
  state_.write_failure(sentence);
  report_(name_ + ": " + sentence);
  log_.error(sentence);
  log_.flush();
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
