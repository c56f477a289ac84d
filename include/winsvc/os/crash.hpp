// What is left of a process that crashes: a minidump for a debugger, and a last word for the log.
//
// It catches a structured exception that nobody handles (an access violation, a stack overflow), std::terminate (an
// exception that left a thread or a noexcept function) and abort(). The process ends with a code after that, without
// STOPPED, which the SCM counts as a failure. On POSIX there is no dump of ours (the system's core is what there is):
// std::terminate and the fatal signals get their last word.
//
// Source: SetUnhandledExceptionFilter and MiniDumpWriteDump in the Win32 documentation.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The last word.
struct crash_report {
  std::string what;              ///< "an access violation at 0x…", "std::terminate: no such device"
  std::uint32_t code = 0;        ///< what the process ends with
  std::string dump;              ///< the minidump's path; empty: none was written
  std::uint32_t dump_fault = 0;  ///< and why not; 0: none was wanted
};

/// While it lives, a crash of any thread leaves a dump and calls `tell`. One at a time.
class crash_guard {
 public:
  struct settings {
    std::string folder;  ///< of the dumps; empty: none
    std::string name;    ///< they are called `<name>-20260131-080509-1234.dmp`, in UTC and with the process's id
    int kept = 3;        ///< older ones of that name are deleted
    /// On the crashing thread (after a stack overflow: on one of ours), once. The process ends when it returns, or 5 s
    /// later.
    std::function<void(const crash_report&)> tell;
  };
  explicit crash_guard(settings s);
  ~crash_guard();
  crash_guard(const crash_guard&) = delete;
  crash_guard& operator=(const crash_guard&) = delete;

 private:
  struct state;
  state* state_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
