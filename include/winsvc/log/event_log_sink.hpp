// Event log sink: writes log lines to the Windows event log if the app requests it with
// `svc.log_to_event_log(log_level::warn)`. The events of the lifecycle (scm/events.hpp) have separate IDs and are
// always reported.
//
//   definition.log_sinks.push_back(std::make_shared<log::event_log_sink>(log_level::warn, report_event));
#pragma once

#include <exception>
#include <functional>
#include <string_view>
#include <utility>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/events.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

class event_log_sink final : public log_sink {
 public:
  /// Passes lines of `min_level` and above to `report`, on the thread that writes.
  event_log_sink(log_level min_level, std::function<void(scm::service_event, std::string_view)> report)
      : min_level_(min_level), report_event_(std::move(report)) {}

  void write(const log_entry& entry) noexcept override {
    if (entry.level < min_level_) return;
    try {
      report_event_(event_id_of(entry.level), entry.text);
    } catch (const std::exception&) {  // out of memory; the line is in the log file
    }
  }

 private:
  [[nodiscard]] static scm::service_event event_id_of(log_level level) noexcept {
    if (level == log_level::error) return scm::service_event::error_line;
    return level == log_level::warn ? scm::service_event::warning_line : scm::service_event::line;
  }
  const log_level min_level_;
  const std::function<void(scm::service_event, std::string_view)> report_event_;
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
