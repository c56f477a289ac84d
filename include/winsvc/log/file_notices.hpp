// File notices: what a log file reports about itself before the next line: lost lines, deleted files, a rotation that
// fails, a second process with the same log.
//
//   notices.for_each(alternate, &iso_time, [&](log_level level, std::string text, std::string json_fields) { ... });
//   notices.mark_reported(is_alternate);      // after the notices were written
//
// It writes nothing: log/rotating_file_sink.hpp fills it and writes the lines.
#pragma once

#include <cstdint>
#include <string>

#include "winsvc/base/log.hpp"
#include "winsvc/base/lost_lines.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

/// The notices of a file that were not written yet. Used by the thread that writes.
struct file_notices {
  int deleted_files = 0;        ///< deleted because the disk was full
  bool reopened = false;        ///< another program moved or deleted the file
  int blocked_rotations = 0;    ///< failed rotations since the file was full
  base::lost_lines lost;        ///< lines that could not be written
  std::uint32_t lost_error = 0;  ///< of the first one; 0: out of memory
  bool alternate_reported = false, blocked_rotation_reported = false;

  /// Calls `add(level, text, json_fields)` for each notice. `alternate`: the notice for an alternate file; empty if
  /// the file is not an alternate file. `format` formats a time.
  template <class Format, class Add>
  void for_each(const std::string& alternate, const Format& format, const Add& add) const {
    if (!alternate.empty() && !alternate_reported)
      add(log_level::warn, alternate + "; stop one of them, or give each service another name", std::string());
    if (deleted_files != 0) {
      add(log_level::warn,
          "the disk is full; " + std::to_string(deleted_files) +
              (deleted_files == 1 ? " old log file was" : " old log files were") + " deleted to write this line",
          std::string());
    }
    if (reopened) {
      add(log_level::info, "the log file was moved or deleted by another program; this is a new file", std::string());
    }
    if (is_blocked() && !blocked_rotation_reported) {
      add(log_level::warn,
          "the log file cannot be rotated: another program has it or an older log file open, or its folder is not "
          "writable; it grows until it can be rotated",
          std::string());
    }
    if (!lost.empty()) {
      const std::string reason =
          "they could not be written: " + (lost_error != 0 ? os::system_error_message(lost_error) : "out of memory");
      add(log_level::warn, lost.text(reason, format), lost.json_field());
    }
  }
  /// Forgets the notices of for_each(). Two of them are repeated only after a change.
  void mark_reported(bool is_alternate) noexcept {
    lost = {};
    deleted_files = 0;
    reopened = false;
    alternate_reported = alternate_reported || is_alternate;
    blocked_rotation_reported = blocked_rotation_reported || is_blocked();
  }

 private:
  /// A reader may cause one failure.
  [[nodiscard]] bool is_blocked() const noexcept { return blocked_rotations > 1; }
};

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
