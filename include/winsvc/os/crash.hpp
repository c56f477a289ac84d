// Crash handler: writes a minidump and reports the crash before the process ends.
//
//   crash_handler::crash_handler_options options;
//   options.folder = log_folder;
//   options.name = "hello";
//   options.on_crash = [&](const crash_report& report) { log.error(report.description); };
//   const crash_handler handler(std::move(options));
//
// It reports unhandled structured exceptions (access violation, stack overflow), std::terminate (an exception left a
// thread or a noexcept function) and abort(). After the report, the process ends with an exit code and without STOPPED,
// which the SCM counts as a failure. There is no report after TerminateProcess, nor after the fail-fast exception that
// Windows raises for a corrupted heap or stack cookie.
//
// On POSIX it writes no dump (the system may write a core file). It reports std::terminate and the fatal signals, then
// the previous action of the signal runs. A stack overflow is reported only on the thread that created the crash
// handler, because an alternate signal stack belongs to one thread.
//
// Source: SetUnhandledExceptionFilter and MiniDumpWriteDump in the Win32 documentation; sigaltstack(2).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The description of one crash.
struct crash_report {
  std::string description;       ///< "an access violation at 0x...", "std::terminate: no such device"
  std::uint32_t code = 0;        ///< exit code: that of the exception, or 1064; on POSIX 128 + the signal
  std::string dump;              ///< path of the minidump; empty if no dump was written
  std::uint32_t dump_error = 0;  ///< system code of a failed dump; 0 if no dump was requested
};

/// During its lifetime, a crash of any thread writes a dump and calls `on_crash`. One object at a time.
class crash_handler {
 public:
  struct crash_handler_options {
    std::string folder;  ///< folder for the dumps; empty: no dump
    std::string name;    ///< prefix of the file name `<name>-20260131-080509-1234.dmp`: UTC time, process ID
    int max_dumps = 3;   ///< maximum number of dumps, the new dump included; older dumps of this name are deleted
    /// Called once, on a thread of the crash handler: the crashing thread may have no stack left, or may hold a lock
    /// that the callback needs (that of the log). The process ends when it returns, or after `report_timeout`.
    std::function<void(const crash_report&)> on_crash;
    std::chrono::milliseconds report_timeout{5'000};
  };
  explicit crash_handler(crash_handler_options options);
  ~crash_handler();
  crash_handler(const crash_handler&) = delete;
  crash_handler& operator=(const crash_handler&) = delete;

 private:
  struct state;
  state* state_;
};

/// `std::terminate`, and the message of the current exception, if there is one.
[[nodiscard]] std::string terminate_message();

/// Returns the message of the exception that is being handled or that causes std::terminate; empty without an
/// exception.
[[nodiscard]] std::string current_exception_message();

/// Returns the dumps of this name that exceed the newest `max_dumps`. `files`: the names in a folder, sorted.
[[nodiscard]] std::vector<std::string> excess_dumps(const std::vector<std::string>& files, std::string_view name,
                                                    int max_dumps);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string current_exception_message() {
  const std::exception_ptr current = std::current_exception();
  if (!current) return {};
  try {
    std::rethrow_exception(current);
  } catch (...) {
    return base::exception_message();
  }
}
WINSVC_INLINE std::string terminate_message() {
  const std::string message = current_exception_message();
  return message.empty() ? "std::terminate" : "std::terminate: " + message;
}

/// True if `file` is a dump of exactly this name, not of a longer name that begins with it.
WINSVC_INLINE bool is_dump_file_of(std::string_view name, std::string_view file) {
  if (!base::starts_with(file, name)) return false;
  file.remove_prefix(name.size());
  constexpr std::string_view format = "-########-######-", extension = ".dmp";
  if (file.size() <= format.size() + extension.size()) return false;
  if (file.substr(file.size() - extension.size()) != extension) return false;
  file.remove_suffix(extension.size());
  for (std::size_t i = 0; i < file.size(); ++i) {
    const bool digit = i >= format.size() || format[i] == '#';
    if (digit ? !base::is_digit(file[i]) : file[i] != format[i]) return false;
  }
  return true;
}
WINSVC_INLINE std::vector<std::string> excess_dumps(const std::vector<std::string>& files, std::string_view name,
                                                    int max_dumps) {
  std::vector<std::string> dumps;
  for (const auto& file : files) {
    if (is_dump_file_of(name, file)) dumps.push_back(file);
  }
  const auto kept = static_cast<std::size_t>((std::max)(max_dumps, 1));  // the new dump always stays
  dumps.resize(dumps.size() - (std::min)(dumps.size(), kept));
  return dumps;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
