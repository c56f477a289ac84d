// What is left of a process that crashes: a minidump for a debugger, and a last word for the log.
//
//   crash_handler::settings s;
//   s.folder = log_folder;
//   s.name = "hello";
//   s.tell = [&](const crash_report& r) { log.error(r.what); };
//   const crash_handler guard(std::move(s));
//
// It catches a structured exception that nobody handles (an access violation, a stack overflow), std::terminate (an
// exception that left a thread or a noexcept function) and abort(). The process ends with a code after that, without
// STOPPED, which the SCM counts as a failure. What ends a process at once leaves nothing: TerminateProcess, and the
// fail-fast by which Windows answers a damaged heap or stack cookie.
//
// On POSIX there is no dump of ours (the system's core is what there is): std::terminate and the fatal signals get
// their last word, and what they would have done without us happens then. A stack overflow is caught there on the
// thread that made the guard alone, because a signal's own stack belongs to one thread.
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

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The last word.
struct crash_report {
  std::string description;              ///< "an access violation at 0x...", "std::terminate: no such device"
  std::uint32_t code = 0;        ///< what the process ends with: the exception's, 1064; on POSIX 128 + the signal
  std::string dump;              ///< the minidump's path; empty: none was written
  std::uint32_t dump_error = 0;  ///< and why not; 0: none was wanted
};

/// While it lives, a crash of any thread leaves a dump and calls `on_crash`. One at a time.
class crash_handler {
 public:
  struct crash_handler_options {
    std::string folder;  ///< of the dumps; empty: none
    std::string name;    ///< they are called `<name>-20260131-080509-1234.dmp`, in UTC and with the process's id
    int max_dumps = 3;        ///< with the new one; older ones of that name are deleted
    /// Once, on a thread of the guard's own: the crashing one may have no stack left, or be in the middle of what it
    /// would need, the log for one. The process ends when it returns, or after `report_timeout`.
    std::function<void(const crash_report&)> on_crash;
    std::chrono::milliseconds report_timeout{5'000};
  };
  explicit crash_handler(crash_handler_options s);
  ~crash_handler();
  crash_handler(const crash_handler&) = delete;
  crash_handler& operator=(const crash_handler&) = delete;

 private:
  struct state;
  state* state_;
};

[[nodiscard]] std::string terminate_message();

/// What the exception says that is being handled or about to end the process; empty when there is none.
[[nodiscard]] std::string current_exception_message();

/// Which of a folder's files (in order) are dumps of this name beyond the newest `max_dumps`.
[[nodiscard]] std::vector<std::string> excess_dumps(const std::vector<std::string>& files,
                                                             std::string_view name, int kept);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string current_exception_message() {
  const std::exception_ptr current = std::current_exception();
  if (!current) return {};
  try {
    std::rethrow_exception(current);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}
WINSVC_INLINE std::string terminate_message() {
  const std::string message = current_exception_message();
  return message.empty() ? "std::terminate" : "std::terminate: " + message;
}

/// Is it a dump of this name, and not of one that begins with it?
WINSVC_INLINE bool is_dump_file_of(std::string_view name, std::string_view file) {
  if (!strings::starts_with(file, name)) return false;
  file.remove_prefix(name.size());
  constexpr std::string_view shape = "-########-######-", ending = ".dmp";
  if (file.size() <= shape.size() + ending.size() || file.substr(file.size() - ending.size()) != ending) return false;
  file.remove_suffix(ending.size());
  for (std::size_t i = 0; i < file.size(); ++i) {
    const bool digit = i >= shape.size() || shape[i] == '#';
    if (digit ? !strings::is_digit(file[i]) : file[i] != shape[i]) return false;
  }
  return true;
}
WINSVC_INLINE std::vector<std::string> excess_dumps(const std::vector<std::string>& files,
                                                             std::string_view name, int kept) {
  std::vector<std::string> dumps;
  for (const auto& file : files) {
    if (is_dump_file_of(name, file)) dumps.push_back(file);
  }
  const auto stay = static_cast<std::size_t>((std::max)(kept, 1));  // the one that was just written, at least
  dumps.resize(dumps.size() - (std::min)(dumps.size(), stay));
  return dumps;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
