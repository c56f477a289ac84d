// Cause of a crash on Windows: what the crashing thread stores without an allocation, and its description, which the
// report thread makes.
//
// With mingw, a pure virtual call is a call of __cxa_pure_virtual, which calls std::terminate. Its uses are weak:
// without another reference to its object file, the program has an invalid address instead. So the code here refers to
// __cxa_deleted_virtual, which is in the same file of libstdc++.
//
// Source: EXCEPTION_RECORD in the Win32 documentation. The slot of the current exception belongs to the runtime of
// Visual C++, whose own unhandled-exception filter fills it before it calls std::terminate. pure.cc of libstdc++.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS && !defined(_MSC_VER)
  #include <cxxabi.h>
#endif

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

#if defined(_MSC_VER)
/// Slots of the calling thread: the exception that std::current_exception returns.
extern "C" void** __cdecl __current_exception();
extern "C" void** __cdecl __current_exception_context();
#endif

/// The C++ exception of the crashing thread. With the runtime of Visual C++, std::current_exception copies the
/// exception, and it returns nothing in an unhandled-exception filter. So the crashing thread stores the record, and
/// the report thread makes the copy.
class uncaught_exception {
 public:
  /// Stores the exception that the calling thread handles.
  void capture() noexcept {
#if defined(_MSC_VER)
    record_ = *__current_exception();
    context_ = *__current_exception_context();
#else
    exception_ = std::current_exception();  // only counts a reference
#endif
  }
  /// Stores the exception that an unhandled-exception filter receives.
  void capture(const EXCEPTION_POINTERS& pointers) noexcept {
#if defined(_MSC_VER)
    record_ = pointers.ExceptionRecord;
    context_ = pointers.ContextRecord;
#else
    static_cast<void>(pointers);
    capture();
#endif
  }
  /// Returns the exception; null without an exception. Called on the report thread, while the crashing thread waits.
  [[nodiscard]] std::exception_ptr get() const {
#if defined(_MSC_VER)
    if (!record_) return nullptr;
    *__current_exception() = record_;
    *__current_exception_context() = context_;
    std::exception_ptr copy = std::current_exception();
    *__current_exception() = nullptr;
    *__current_exception_context() = nullptr;
    return copy;
#else
    return exception_;
#endif
  }

 private:
#if defined(_MSC_VER)
  void *record_ = nullptr, *context_ = nullptr;
#else
  std::exception_ptr exception_;
#endif
};

struct crash_cause {
  enum class kind { exception, terminate, abort, pure_call, invalid_parameter, assertion };
  static constexpr DWORD microsoft_throw = 0xE06D7363;  ///< code of a C++ exception of Visual C++
  static constexpr std::uint32_t exception_in_service = 1064;

  kind kind_of_cause = kind::exception;
  DWORD code = 0, thread = 0;
  EXCEPTION_POINTERS* pointers = nullptr;
  uncaught_exception uncaught;
  const wchar_t* function = nullptr;    ///< of an invalid parameter; null in a Release build
  const wchar_t* expression = nullptr;  ///< of an invalid parameter; null in a Release build
  char text[512] = "";                  ///< of a failed assertion
};

#if !defined(_MSC_VER)
/// True in the handler of std::terminate if a call of a pure virtual function has led to it. The DLL of libstdc++ and
/// 32-bit code do not show this.
[[nodiscard]] bool calls_pure_virtual() noexcept;
#endif

/// Describes a cause. Called on the report thread.
[[nodiscard]] std::string describe(const crash_cause& cause);

/// Describes an exception: `an access violation at 0x7ff6a1c01234 (hello.exe+0x1234), reading 0x10`.
[[nodiscard]] std::string exception_description(const EXCEPTION_RECORD& record);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

#if !defined(_MSC_VER)
WINSVC_INLINE bool calls_pure_virtual() noexcept {
  using function = void (*)();
  const volatile function in_the_same_file = &abi::__cxa_deleted_virtual, pure = &abi::__cxa_pure_virtual;
  static_cast<void>(function{in_the_same_file});
  void* callers[8] = {};
  const unsigned count = ::RtlCaptureStackBackTrace(0, 8, callers, nullptr);
  constexpr std::uintptr_t size = 64;  // of the function, which writes a line and calls std::terminate
  for (unsigned i = 0; i < count; ++i) {
    if (reinterpret_cast<std::uintptr_t>(callers[i]) - reinterpret_cast<std::uintptr_t>(pure) < size) return true;
  }
  return false;
}
#endif

WINSVC_INLINE std::string describe(const crash_cause& cause) {
  using kind = crash_cause::kind;
  switch (cause.kind_of_cause) {
    case kind::terminate: return with_exception_message("std::terminate", cause.uncaught.get());
    case kind::abort: return with_exception_message("abort()", cause.uncaught.get());
    case kind::pure_call: return "a call of a pure virtual function";
    case kind::invalid_parameter: {
      std::string out = "an invalid parameter of ";
      out += cause.function ? to_utf8(cause.function) : std::string("a C runtime function");
      return cause.expression ? out + ": " + to_utf8(cause.expression) : out;
    }
    case kind::assertion: {
      std::string text = cause.text;
      while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
      return "a failed assertion: " + text;
    }
    case kind::exception: break;
  }
  const EXCEPTION_RECORD& record = *cause.pointers->ExceptionRecord;
  if (record.ExceptionCode == crash_cause::microsoft_throw)
    return with_exception_message("std::terminate", cause.uncaught.get());
  return exception_description(record);
}

WINSVC_INLINE std::string exception_description(const EXCEPTION_RECORD& record) {
  struct known_exception {
    DWORD code;
    const char* description;
  };
  constexpr known_exception table[] = {
      {0xC0000005, "an access violation"},         {0xC00000FD, "a stack overflow"},
      {0xC0000094, "an integer division by zero"}, {0xC0000095, "an integer overflow"},
      {0xC000001D, "an illegal instruction"},      {0xC0000096, "a privileged instruction"},
      {0xC0000006, "a page that cannot be read"},  {0xC000008C, "an array index out of bounds"},
      {0x80000002, "a misaligned access"},         {0x80000003, "a breakpoint"},
      {0xC0000374, "a corrupted heap"},            {0xC0000409, "a damaged stack"},
      {0xC000008E, "a division by zero"},          {0xC0000090, "an invalid floating-point operation"},
  };
  char text[64];
  std::snprintf(text, sizeof text, "exception 0x%08lX", static_cast<unsigned long>(record.ExceptionCode));
  std::string out = text;
  for (const auto& known : table) {
    if (known.code == record.ExceptionCode) out = known.description;
  }

  std::snprintf(text, sizeof text, " at %p", record.ExceptionAddress);
  out += text;
  HMODULE module = nullptr;
  wchar_t file[MAX_PATH];
  if (::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           static_cast<const wchar_t*>(record.ExceptionAddress), &module) &&
      ::GetModuleFileNameW(module, file, MAX_PATH) != 0) {
    const std::string path = to_utf8(file);
    const auto offset = static_cast<const char*>(record.ExceptionAddress) - reinterpret_cast<const char*>(module);
    std::snprintf(text, sizeof text, "+0x%llx)", static_cast<unsigned long long>(offset));
    out += " (" + path.substr(path.find_last_of("/\\") + 1) + text;
  }

  if (record.ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record.NumberParameters >= 2) {
    const ULONG_PTR access = record.ExceptionInformation[0];
    std::snprintf(text, sizeof text, ", %s 0x%llx", access == 0 ? "reading" : access == 1 ? "writing" : "executing",
                  static_cast<unsigned long long>(record.ExceptionInformation[1]));
    out += text;
  }
  return out;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
