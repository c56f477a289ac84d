// State file: writes state.json in the data folder, which `start`, `status` and `why` read. It also has the failure of
// the previous run, which may have ended without a message.
//
//   state_file file(clock::system());
//   file.set_folder(data_folder);
//   file.open();                               // reads the previous run, starts to record activities
//   file.write_running("http://127.0.0.1:8080");
//   file.write_end(result.failure_text(), result.stop_reason);
//
// An error is ignored: the verbs only print less then. scm/saved_state.hpp has the content, os/activity.hpp the file
// with the activities.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/activity.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/scm/saved_state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// One thread at a time may use it.
class state_file {
 public:
  explicit state_file(const clock& time) : time_(time), started_at_(time.now()) {}

  /// Sets the folder. An empty folder means that nothing is written.
  void set_folder(std::string data_folder) { folder_ = std::move(data_folder); }
  /// Reads the failure of the previous run, starts to record activities, and replaces the state of the previous run.
  void open();

  /// The service has reported or will report RUNNING on this address.
  void write_running(std::string url);
  /// The end of the run. `failure` is empty after a complete stop, which also deletes the previous failure.
  void write_end(const std::string& failure, const std::string& stop_reason);
  /// The process is about to end: a crash, or an exit. Called on the thread that reports it.
  void write_failure(const std::string& failure);

 private:
  void write(scm::saved_state saved);

  const clock& time_;
  const clock::time_point started_at_;
  std::string folder_;
  std::string previous_failure_;  // the last failure of an earlier run
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void state_file::open() {
  if (folder_.empty()) return;
  const std::string path = os::path_join(folder_, "activity");
  const auto activities = os::read_activities(os::read_file(path).value_or(std::string()));
  if (const auto content = os::read_file(os::path_join(folder_, "state.json"))) {
    if (const auto saved = scm::parse_saved_state(*content))
      previous_failure_ = scm::last_failure(*saved, base::join(activities, ", "));
  }
  static_cast<void>(os::open_activity_file(path));  // without it, a failure does not name what was running
  scm::saved_state first;
  first.running = true;
  write(std::move(first));  // the state of an earlier run is not valid any more, except its failure
}

WINSVC_INLINE void state_file::write_running(std::string url) {
  scm::saved_state saved;
  saved.url = std::move(url);
  saved.running = true;
  const auto elapsed = std::chrono::ceil<std::chrono::milliseconds>(time_.now() - started_at_);
  saved.since = iso_time(time_.system_now());
  saved.start_ms = static_cast<std::uint32_t>(elapsed.count());
  write(std::move(saved));
}

WINSVC_INLINE void state_file::write_end(const std::string& failure, const std::string& stop_reason) {
  scm::saved_state saved;
  saved.failure = failure;
  saved.stop_reason = stop_reason;
  if (failure.empty()) previous_failure_.clear();
  write(std::move(saved));
}

WINSVC_INLINE void state_file::write_failure(const std::string& failure) {
  scm::saved_state saved;
  saved.failure = failure;
  write(std::move(saved));
}

WINSVC_INLINE void state_file::write(scm::saved_state saved) {
  if (folder_.empty()) return;
  saved.pid = os::process_id();
  saved.previous_failure = previous_failure_;
  if (!saved.failure.empty() || !saved.stop_reason.empty()) saved.written_at = iso_time(time_.system_now());
  static_cast<void>(os::replace_file(os::path_join(folder_, "state.json"), scm::format_saved_state(saved)));
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
