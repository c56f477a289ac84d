// Process functions on Windows (os/process.hpp): path, arguments, environment, resource usage, system messages. Also
// writes events (os/event_log.hpp).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/event_log.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

std::vector<std::string> arguments(int, char**);

void report_event(const std::string& source, scm::event_level level, std::uint32_t id,
                  std::string_view text) noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string executable_path() {
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (length < path.size()) {
      path.resize(length);
      return to_utf8(path);
    }
    path.resize(path.size() * 2);  // the call truncates the path and returns the size of the buffer
  }
}

WINSVC_INLINE std::vector<std::string> arguments(int, char**) {
  std::vector<std::string> arguments = base::split_command_line(to_utf8(::GetCommandLineW()));
  if (!arguments.empty()) arguments.erase(arguments.begin());
  return arguments;
}

WINSVC_INLINE std::uint32_t process_id() noexcept { return ::GetCurrentProcessId(); }
WINSVC_INLINE std::size_t processor_count() noexcept {
  DWORD_PTR process_mask = 0, system_mask = 0;
  std::size_t count = 0;
  if (::GetProcessAffinityMask(::GetCurrentProcess(), &process_mask, &system_mask)) {
    for (; process_mask != 0; process_mask &= process_mask - 1) ++count;
  }
  return (std::max)(count, std::size_t{1});
}
WINSVC_INLINE std::uint32_t thread_id() noexcept { return ::GetCurrentThreadId(); }

WINSVC_INLINE thread_clock::~thread_clock() {
  if (attached_.load()) ::CloseHandle(reinterpret_cast<HANDLE>(native_.load()));
}
WINSVC_INLINE void thread_clock::attach() noexcept {
  HANDLE handle = nullptr;
  if (!::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentThread(), ::GetCurrentProcess(), &handle,
                         THREAD_QUERY_LIMITED_INFORMATION, FALSE, 0))
    return;
  native_.store(reinterpret_cast<std::intptr_t>(handle));
  attached_.store(true, std::memory_order_release);
}
WINSVC_INLINE std::optional<std::chrono::nanoseconds> thread_clock::cpu_time() const noexcept {
  FILETIME created{}, ended{}, kernel{}, user{};
  if (!attached_.load(std::memory_order_acquire) ||
      !::GetThreadTimes(reinterpret_cast<HANDLE>(native_.load(std::memory_order_relaxed)), &created, &ended, &kernel,
                        &user))
    return std::nullopt;
  const auto nanoseconds_of = [](const FILETIME& time) {  // steps of 100 ns
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.dwHighDateTime) << 32 | time.dwLowDateTime) * 100;
  };
  return std::chrono::nanoseconds(nanoseconds_of(kernel) + nanoseconds_of(user));
}

WINSVC_INLINE std::size_t raise_descriptor_limit() noexcept { return 0; }
WINSVC_INLINE void release_free_memory() noexcept {}
WINSVC_INLINE void ignore_broken_pipes() noexcept {}  // Windows has no such signal
WINSVC_INLINE bool is_resource_shortage(std::uint32_t code) noexcept {
  switch (code) {
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_COMMITMENT_LIMIT:
    case WSAEMFILE:
    case WSAENOBUFS: return true;
    default: return false;
  }
}


WINSVC_INLINE process_usage query_process_usage() noexcept {
  using namespace std::chrono;
  const auto hundred_nanoseconds = [](const FILETIME& time) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.dwHighDateTime) << 32 | time.dwLowDateTime);
  };
  process_usage usage;
  FILETIME created{}, exited{}, kernel{}, user{};
  if (::GetProcessTimes(::GetCurrentProcess(), &created, &exited, &kernel, &user)) {
    constexpr std::int64_t from_1601_to_1970 = 11'644'473'600'000;  // ms
    usage.started = milliseconds(hundred_nanoseconds(created) / 10'000 - from_1601_to_1970);
    usage.cpu = microseconds((hundred_nanoseconds(kernel) + hundred_nanoseconds(user)) / 10);
  }
  struct memory_counters {  // PROCESS_MEMORY_COUNTERS of psapi.h
    DWORD size, page_faults;
    SIZE_T peak_resident, resident, quota[4], page_file, peak_page_file;
  };
  using get_memory = BOOL(WINAPI*)(HANDLE, memory_counters*, DWORD);
  memory_counters memory{};
  memory.size = sizeof memory;
  const auto get = system_library("kernel32.dll").find<get_memory>("K32GetProcessMemoryInfo");
  if (get && get(::GetCurrentProcess(), &memory, sizeof memory)) usage.resident = memory.resident;
  return usage;
}

WINSVC_INLINE void end_process(int code) noexcept {
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(code));
  std::_Exit(code);  // not reached; for the compiler, because TerminateProcess is not [[noreturn]]
}

WINSVC_INLINE bool debugger_attached() noexcept { return ::IsDebuggerPresent() != 0; }

WINSVC_INLINE std::optional<std::string> environment_variable(const std::string& name) {
  const std::wstring wide_name = to_wide(name);
  std::wstring value(256, L'\0');
  for (;;) {  // the value may become longer between two calls
    ::SetLastError(0);
    const DWORD length = ::GetEnvironmentVariableW(wide_name.c_str(), &value[0], static_cast<DWORD>(value.size()));
    if (length == 0 && ::GetLastError() != 0) return std::nullopt;
    const bool fits = length < value.size();
    value.resize(length);
    if (fits) return to_utf8(value);
  }
}

WINSVC_INLINE bool set_environment_variable(const std::string& name, const std::string& value) {
  // _wputenv_s changes the variables of the C runtime, which getenv reads, and those of the process.
  return ::_wputenv_s(to_wide(name).c_str(), to_wide(value).c_str()) == 0;
}

WINSVC_INLINE std::string host_name() {
  DWORD length = 0;
  ::GetComputerNameExW(ComputerNameDnsHostname, nullptr, &length);  // sets the length, with the terminating zero
  std::wstring text(length, L'\0');
  if (length == 0 || !::GetComputerNameExW(ComputerNameDnsHostname, text.data(), &length)) return {};
  text.resize(length);  // without the terminating zero
  return to_utf8(text);
}

WINSVC_INLINE bool set_process_priority(scm::process_priority priority) noexcept {
  constexpr DWORD classes[] = {IDLE_PRIORITY_CLASS, BELOW_NORMAL_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS,
                               ABOVE_NORMAL_PRIORITY_CLASS, HIGH_PRIORITY_CLASS};
  return ::SetPriorityClass(::GetCurrentProcess(), classes[static_cast<int>(priority)]) != 0;
}

WINSVC_INLINE bool is_wine() noexcept {
  const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
  return ntdll && ::GetProcAddress(ntdll, "wine_get_version") != nullptr;
}

WINSVC_INLINE std::string absolute_path(const std::string& path) {
  const std::wstring relative = to_wide(path);
  const DWORD capacity = ::GetFullPathNameW(relative.c_str(), 0, nullptr, nullptr);
  std::wstring full(capacity, L'\0');
  const DWORD length = capacity == 0 ? 0 : ::GetFullPathNameW(relative.c_str(), capacity, &full[0], nullptr);
  if (length == 0 || length >= capacity) return path;
  full.resize(length);
  return to_utf8(full);
}

WINSVC_INLINE bool change_directory(const std::string& folder) noexcept {
  bool changed = false;
  base::attempt([&] { changed = ::SetCurrentDirectoryW(to_wide(folder).c_str()) != 0; });
  return changed;
}

WINSVC_INLINE sys_result<std::string> data_folder(const std::string& service_name) {
  // Not from SHGetKnownFolderPath: it loads shell32.dll and with it user32.dll, and a process with user32.dll receives
  // no console event for a log-off or a shutdown (SetConsoleCtrlHandler). The registry first: any program may have
  // changed the environment of this one.
  std::wstring folder(MAX_PATH, L'\0');
  auto size = static_cast<DWORD>(folder.size() * sizeof(wchar_t));
  constexpr auto profiles = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
  // RRF_RT_REG_SZ also accepts REG_EXPAND_SZ and replaces its variables.
  const LSTATUS status =
      ::RegGetValueW(HKEY_LOCAL_MACHINE, profiles, L"ProgramData", RRF_RT_REG_SZ, nullptr, &folder[0], &size);
  if (status == ERROR_SUCCESS) return path_join(to_utf8(folder.c_str()), scm::folder_name(service_name));
  if (const auto variable = environment_variable("ProgramData"); variable && !variable->empty())
    return path_join(*variable, scm::folder_name(service_name));
  return sys_failure(static_cast<std::uint32_t>(status));
}

WINSVC_INLINE std::string system_error_message(std::uint32_t code) {
  wchar_t* text = nullptr;
  const DWORD flags = FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  const DWORD length = ::FormatMessageW(flags, nullptr, code, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
  if (length == 0) return "error";
  const scope_exit free_text([text]() noexcept { ::LocalFree(text); });
  std::string message = to_utf8(std::wstring_view(text, length));
  while (!message.empty() &&
         (message.back() == '\n' || message.back() == '\r' || message.back() == ' ' || message.back() == '.')) {
    message.pop_back();
  }
  return message;
}

WINSVC_INLINE void report_event(const std::string& source, scm::event_level level, std::uint32_t id,
                                std::string_view text) noexcept {
  try {
    const std::wstring message = to_wide(truncate_event_text(text));
    const HANDLE log = ::RegisterEventSourceW(nullptr, to_wide(source).c_str());
    if (!log) return;
    const wchar_t* insertions[] = {message.c_str()};
    ::ReportEventW(log, static_cast<WORD>(level), 0, id, nullptr, 1, 0, insertions, nullptr);
    ::DeregisterEventSource(log);
  } catch (...) {  // out of memory: the log file contains the line too
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
