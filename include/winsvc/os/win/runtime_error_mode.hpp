// Error mode of the process (SetErrorMode): disables the message boxes of Windows and of the C runtime for a fault. A
// service has no desktop that a user sees, so a box would block it forever.
//
// Source: SetErrorMode in the Win32 documentation; _set_error_mode, _set_abort_behavior, _CrtSetReportMode in the C
// runtime documentation. In a Debug build, the C runtime shows the box by default; abort()
// shows it before it raises SIGABRT.
#pragma once

#include <cstdlib>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Sets the mode; the destructor restores the previous mode. A child process inherits the mode, unless it is started
/// with CREATE_DEFAULT_ERROR_MODE.
class no_message_boxes {
 public:
  no_message_boxes() noexcept {
    ::SetErrorMode(system_ | SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
#if defined(_MSC_VER) || defined(_UCRT)
    abort_ = ::_set_abort_behavior(0, abort_flags);
#endif
#if defined(_MSC_VER) && defined(_DEBUG)
    for (int type = 0; type < report_types; ++type) modes_[type] = ::_CrtSetReportMode(type, _CRTDBG_MODE_DEBUG);
#endif
  }
  ~no_message_boxes() {
    ::SetErrorMode(system_);
    ::_set_error_mode(runtime_);
#if defined(_MSC_VER) || defined(_UCRT)
    ::_set_abort_behavior(abort_, abort_flags);
#endif
#if defined(_MSC_VER) && defined(_DEBUG)
    for (int type = 0; type < report_types; ++type) ::_CrtSetReportMode(type, modes_[type]);
#endif
  }
  no_message_boxes(const no_message_boxes&) = delete;
  no_message_boxes& operator=(const no_message_boxes&) = delete;

 private:
  UINT system_ = ::GetErrorMode();
  int runtime_ = ::_set_error_mode(_OUT_TO_STDERR);
#if defined(_MSC_VER) || defined(_UCRT)
  static constexpr unsigned abort_flags = 0x1 | 0x4;  // _WRITE_ABORT_MSG, _CALL_REPORTFAULT
  unsigned abort_ = 0;
#endif
#if defined(_MSC_VER) && defined(_DEBUG)
  static constexpr int report_types = 3;  // _CRT_WARN, _CRT_ERROR, _CRT_ASSERT
  int modes_[report_types] = {};
#endif
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
