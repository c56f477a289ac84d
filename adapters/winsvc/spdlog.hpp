// Log sink that forwards the log of the service to spdlog. Opt-in: it needs spdlog, and nothing else includes it.
//
//   #include <winsvc.hpp>
//   #include <winsvc/spdlog.hpp>             // -Iadapters, or a copy next to winsvc.hpp
//
//   svc.log_to(std::make_shared<winsvc::adapters::spdlog_sink>(logger));
//
// A separate thread calls the sink, never a thread that serves requests, so a slow sink does not delay requests.
// examples/forwarded.cpp is a complete program.
#pragma once

#include <spdlog/spdlog.h>

#include <exception>
#include <memory>
#include <utility>

#include <winsvc.hpp>

namespace winsvc {
namespace adapters {

/// Writes each log entry to a spdlog logger, with its time and level. If the logger throws, the entry is only in the log
/// of the service.
class spdlog_sink final : public log_sink {
 public:
  explicit spdlog_sink(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {}

  void write(const log_entry& entry) noexcept override {
    try {
      logger_->log(entry.time, {}, to_spdlog(entry.level), spdlog::string_view_t(entry.text));
    } catch (const std::exception&) {  // a sink must not throw
    }
  }

 private:
  static spdlog::level::level_enum to_spdlog(log_level level) {
    switch (level) {
      case log_level::debug: return spdlog::level::debug;
      case log_level::info: return spdlog::level::info;
      case log_level::warn: return spdlog::level::warn;
      case log_level::error: break;
    }
    return spdlog::level::err;
  }
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace adapters
}  // namespace winsvc
