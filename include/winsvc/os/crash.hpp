// Crash handler: writes a minidump and reports the crash before the process ends.
//
//   crash_handler::crash_handler_options options;
//   options.folder = log_folder;
//   options.name = "hello";
//   options.on_crash = [&](const crash_report& report) { log.error(report.description); };
//   const crash_handler handler(std::move(options));
//
// It reports unhandled structured exceptions (access violation, stack overflow, corrupted heap), std::terminate (an
// exception left a thread or a noexcept function), abort(), a pure virtual call, an invalid parameter of a C runtime
// function and a failed assertion of the Debug C runtime. The report is written first, then the dump. The process then
// ends with an exit code and without STOPPED, which the SCM counts as a failure; it ends also if the report or the dump
// hangs. There is no report after TerminateProcess, nor after __fastfail (a damaged stack cookie).
//
// On POSIX it writes no dump (the system may write a core file). It reports std::terminate and the fatal signals, then
// the previous action of the signal runs.
//
// A stack overflow is reported on threads with a reserved stack (os/thread.hpp), on Windows also on each thread that is
// started while the handler exists and has a stack of more than 256 KiB.
//
// Source: SetUnhandledExceptionFilter and MiniDumpWriteDump in the Win32 documentation; sigaltstack(2).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
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
  std::string dump;              ///< on_dump: path of the minidump; empty if it was not written
  std::uint32_t dump_error = 0;  ///< on_dump: system code of a failed dump; 0 if it was written
};

/// During its lifetime, a crash of any thread calls `on_crash`, writes a dump and calls `on_dump`. Only one object may
/// exist.
class crash_handler {
 public:
  struct crash_handler_options {
    std::string folder;  ///< folder for the dumps; empty: no dump
    std::string name;    ///< prefix of the file name `<name>-20260131-080509-1234.dmp`: UTC time, process ID
    int max_dumps = 3;   ///< maximum number of dumps, the new dump included; older dumps of this name are deleted
    /// Called once, on a thread of the crash handler: the crashing thread may have no stack left, or may hold a lock
    /// that the callback needs (that of the log). The dump starts when it returns, or after `report_timeout`.
    std::function<void(const crash_report&)> on_crash;
    /// Called once after the dump, on the same thread. Not called if no dump was requested. The process ends when it
    /// returns, or after `report_timeout`.
    std::function<void(const crash_report&)> on_dump;
    std::chrono::milliseconds report_timeout{5'000};
    /// Maximum time for the dump. Then the process that writes it ends the crashed process.
    std::chrono::milliseconds dump_timeout{60'000};
    /// Maximum time for the start of that process.
    std::chrono::milliseconds dump_start_timeout{5'000};

    /// Returns the longest time from the crash to the end of the process.
    [[nodiscard]] std::chrono::milliseconds max_duration() const noexcept {
      return report_timeout + dump_start_timeout + dump_timeout + report_timeout;
    }
  };
  explicit crash_handler(crash_handler_options options);
  ~crash_handler();
  crash_handler(const crash_handler&) = delete;
  crash_handler& operator=(const crash_handler&) = delete;

 private:
  struct state;
  state* state_;
};

/// Returns `what`, followed by the message of the exception if there is one: `std::terminate: no such device`.
[[nodiscard]] std::string with_exception_message(std::string_view what, const std::exception_ptr& exception);

/// Runs the process that writes a dump, if `arguments` request it: `write-crash-dump` and numbers. Returns its exit
/// code, or nullopt for other arguments. A program calls it before it does anything else.
[[nodiscard]] std::optional<int> run_dump_writer(const std::vector<std::string>& arguments);

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

WINSVC_INLINE std::string with_exception_message(std::string_view what, const std::exception_ptr& exception) {
  if (!exception) return std::string(what);
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    return std::string(what) + ": " + base::exception_message();
  }
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
