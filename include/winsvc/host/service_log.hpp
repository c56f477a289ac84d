// Service log: the log file of a service under the SCM. It is open before the app runs, so that the log has the app's
// first lines and exceptions. If the file cannot be written, an event is written to the event log. The function
// `definition.log_failure` checks the file, at most once per second, so that a replaced folder is reported even if the
// service has no line to write.
//
//   service_log log(report_degraded, time);
//   log.open(definition, data_folder, name, initial_log_format(definition));
//   log.folder();                        // where minidumps go
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/rotating_file_sink.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class service_log {
 public:
  /// `report` receives a sentence for the event log when the log begins to have a problem, on any thread.
  service_log(std::function<void(const std::string&)> report, const clock& time)
      : report_(std::move(report)), time_(time) {}

  /// Opens the log in `data_folder` and adds it to the definition. `service_name` comes from the SCM: the app has not
  /// run yet. Nothing is rotated or deleted before set_options().
  void open(service_definition& definition, const std::string& data_folder, const std::string& service_name,
            log_format format);
  /// Reports that there is no file, for example because the data folder is unknown. `code` is the system's code.
  void report_error(std::uint32_t code) const {
    report_("the log file cannot be written: " + (path_.empty() ? "" : path_ + ": ") + os::system_error_text(code));
  }
  /// Sets the app's options.
  void set_options(const log_file_options& options) {
    if (file_) file_->options(options);
  }
  /// The folder of the log; empty before open(), and if it cannot be created.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

 private:
  /// Why the file cannot be written; nullopt if it can be written.
  [[nodiscard]] std::optional<log_file_failure> failure() const;
  /// Lets the thread of the queue check the file. Safe to call from any thread.
  void check_file(log::async_sink& queue);

  const std::function<void(const std::string&)> report_;
  const clock& time_;
  std::string folder_, path_;
  std::shared_ptr<log::rotating_file_sink> file_;
  // Begin of the current failure. The log's thread writes it and `status` reads it; relaxed would do, because the value
  // orders no other data.
  std::atomic<clock::system_time> failed_at_{};
  std::atomic<clock::time_point> checked_at_{(clock::time_point::min)()};  // relaxed: it orders no other data
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void service_log::open(service_definition& definition, const std::string& data_folder,
                                     const std::string& service_name, log_format format) {
  std::uint32_t code = 0;
  const std::string logs = os::path_join(data_folder, "logs");
  if (const auto created = os::make_folders(logs); !created) code = created.error();
  else folder_ = logs;
  path_ = log::log_path(data_folder, service_name) + ".log";
  file_ = std::make_shared<log::rotating_file_sink>(log::log_path(data_folder, service_name),
                                                    log::startup_log_options(format));
  if (file_->is_alternate())
    report_(file_->alternate_notice());
  file_->on_write_error([this](std::uint32_t error) {
    failed_at_ = time_.system_now();
    report_error(error);
  });
  if (file_->last_error() != 0) failed_at_ = time_.system_now();
  if (code == 0) code = file_->last_error();
  log::async_sink::async_sink_options options;
  options.utc_offset = &os::utc_offset;
  auto queue = std::make_shared<log::async_sink>(std::move(options));
  queue->add_sink(file_);
  definition.log.add_sink(queue);
  definition.log_failure = [this, queue] {
    check_file(*queue);
    return failure();
  };
  definition.async_sinks.push_back(std::move(queue));
  if (code != 0) report_error(code);
}

WINSVC_INLINE std::optional<log_file_failure> service_log::failure() const {
  const std::uint32_t error = file_->last_error();
  if (error == 0) return std::nullopt;
  return log_file_failure{path_, os::system_error_text(error), file_->lost_count(), failed_at_.load()};
}

WINSVC_INLINE void service_log::check_file(log::async_sink& queue) {
  constexpr std::chrono::milliseconds interval{1'000};
  constexpr std::chrono::milliseconds timeout{500};  // if the disk hangs, the caller waits for this time
  const auto now = time_.now();
  auto last = checked_at_.load(std::memory_order_relaxed);
  if (last != (clock::time_point::min)() && now - last < interval) return;
  if (checked_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) queue.flush(timeout);
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
