// Process functions: executable path, command-line arguments, environment, data folder, resource usage, error messages.
//
//   const auto path = os::executable_path();
//   print(os::system_error_message(5));   // Access is denied
//
// All text is UTF-8.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The absolute path of the running executable. GetModuleFileNameW; /proc/self/exe.
[[nodiscard]] std::string executable_path();
/// The path before the last separator; "." if there is no separator. A root keeps its separator, because `C:` alone
/// means the current folder of that drive.
[[nodiscard]] std::string folder_of(std::string_view path);
/// True if the path does not depend on the folder of the service. `\x` and `C:x` count as absolute: they depend on the
/// current drive or on its current folder.
[[nodiscard]] bool is_absolute(std::string_view path);
/// The last component of a path without `.exe`, as a user types it.
[[nodiscard]] std::string program_name(std::string_view path);

/// The command-line arguments without the program name. On Windows from GetCommandLineW, because argv of main is in the
/// ANSI code page, which cannot represent all characters; on POSIX from argv.
[[nodiscard]] std::vector<std::string> arguments(int argc, char** argv);

/// An environment variable; nullopt if it is not set.
[[nodiscard]] std::optional<std::string> environment_variable(const std::string& name);
/// Sets an environment variable of this process. False on an error. Not thread-safe: call it before threads start.
bool set_environment_variable(const std::string& name, const std::string& value);
/// The user of this process, as in `CORP\anna`; empty if it is unknown. The variables USERDOMAIN and USERNAME; USER.
[[nodiscard]] std::string user_name();
/// The name of this computer; empty if it is unknown. GetComputerNameExW(ComputerNameDnsHostname); gethostname(2).
[[nodiscard]] std::string host_name();
/// Sets the priority class of this process. False on an error. SetPriorityClass; setpriority(2).
bool set_process_priority(scm::process_priority priority) noexcept;
/// True under Wine, which lacks parts of the service manager.
[[nodiscard]] bool is_wine() noexcept;
/// Resolves a relative path against the current folder. GetFullPathNameW; getcwd(3).
[[nodiscard]] std::string absolute_path(const std::string& path);

[[nodiscard]] std::uint32_t process_id() noexcept;
/// Number of processors in the affinity mask of this process; at least 1.
[[nodiscard]] std::size_t processor_count() noexcept;
/// The system's ID of the calling thread; 0 if the system has no such ID.
[[nodiscard]] std::uint32_t thread_id() noexcept;
/// CPU time of one thread, readable from all threads: pthread_getcpuclockid(3), GetThreadTimes.
class thread_clock {
 public:
  thread_clock() = default;
  ~thread_clock();
  thread_clock(const thread_clock&) = delete;
  thread_clock& operator=(const thread_clock&) = delete;
  /// Selects the calling thread. Call it once, before another thread calls cpu_time().
  void attach() noexcept;
  /// CPU time since the start of the thread, user and kernel. nullopt before attach(), after the end of the thread, and
  /// if the system does not report it.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> cpu_time() const noexcept;
  /// Step of the CPU time.
  static constexpr std::chrono::milliseconds resolution{WINSVC_OS_WINDOWS ? 16 : 1};

 private:
  // native_ is a HANDLE or a clockid_t, valid if attached_ is true. attach() stores attached_ with release, and the
  // reader loads it with acquire, so that it sees native_.
  std::atomic<std::intptr_t> native_{0};
  std::atomic<bool> attached_{false};
};

/// Raises the limit of open descriptors to the maximum that the system allows this process: setrlimit(2). A server has
/// one descriptor per connection, and the usual soft limit is 1,024. Returns the limit; 0: the system has none.
std::size_t raise_descriptor_limit() noexcept;

/// Returns freed memory to the system where the C library keeps it: glibc, malloc_trim(3). It has several arenas, and
/// keeps all free memory below the highest block in use. Takes milliseconds for 100 MB.
void release_free_memory() noexcept;
/// Makes a write to a closed connection or pipe an error on POSIX, where the signal SIGPIPE ends the process by
/// default: OpenSSL writes to a socket without MSG_NOSIGNAL. A handler of the app stays.
void ignore_broken_pipes() noexcept;
/// True if the code of a failed call means that memory, descriptors or another resource is exhausted for now.
[[nodiscard]] bool is_resource_shortage(std::uint32_t code) noexcept;

/// The resource usage and the start time of this process.
struct process_usage {
  std::chrono::milliseconds started{0};  ///< start time, since 1970, UTC
  std::chrono::microseconds cpu{0};      ///< CPU time of all threads, user and kernel
  std::uint64_t resident = 0;            ///< resident memory in bytes
};
/// GetProcessTimes and K32GetProcessMemoryInfo; /proc and CLOCK_PROCESS_CPUTIME_ID. Unavailable values stay 0.
[[nodiscard]] process_usage query_process_usage() noexcept;
/// Changes the current folder. A service starts in System32, but its relative paths are relative to the executable.
bool change_directory(const std::string& folder) noexcept;

/// Ends this process at once, without destructors and without waiting for threads. TerminateProcess, because
/// ExitProcess takes the loader lock, which a blocked thread may hold; _Exit.
[[noreturn]] void end_process(int code) noexcept;

/// True if a debugger is attached. IsDebuggerPresent; TracerPid of /proc/self/status.
[[nodiscard]] bool debugger_attached() noexcept;

/// The data folder of a service: `%ProgramData%\<name>`, from the registry; on POSIX `$XDG_STATE_HOME/<name>` or
/// `~/.local/state/<name>`. scm::folder_name converts the name. The folder is not created, because a user who only
/// queries the status must not become its owner.
[[nodiscard]] sys_result<std::string> data_folder(const std::string& service_name);

/// The system's message for a code, one line, without a final period. It depends on language and version: print it, but
/// do not compare it.
[[nodiscard]] std::string system_error_message(std::uint32_t code);
/// The message with its code: `Access is denied. (5)`.
[[nodiscard]] std::string system_error_text(std::uint32_t code);

/// The explanation of the code (base/error_codes.hpp), or the system's message for a code without one.
[[nodiscard]] std::string explained_message(std::uint32_t code);

/// Converts a system code to an exit code of main. POSIX keeps only the low eight bits; if they are 0 and the code is
/// not, the exit code is 1.
[[nodiscard]] int exit_code(std::uint32_t code) noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string folder_of(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  if (slash == std::string_view::npos) return ".";
  const bool root = slash == 0 || (slash == 2 && path[1] == ':');
  return std::string(path.substr(0, root ? slash + 1 : slash));
}
WINSVC_INLINE bool is_absolute(std::string_view path) {
  const bool drive = path.size() > 1 && path[1] == ':' && path_separator == '\\';
  return !path.empty() && (path[0] == '/' || (path[0] == '\\' && path_separator == '\\') || drive);
}
WINSVC_INLINE std::string program_name(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
  if (name.size() > 4 && base::equal_nocase(std::string_view(name).substr(name.size() - 4), ".exe"))
    name.resize(name.size() - 4);
  return name;
}
WINSVC_INLINE std::string user_name() {
#if WINSVC_OS_WINDOWS
  const std::string domain = environment_variable("USERDOMAIN").value_or(std::string());
  return (domain.empty() ? domain : domain + '\\') + environment_variable("USERNAME").value_or(std::string());
#else
  return environment_variable("USER").value_or(std::string());
#endif
}
WINSVC_INLINE std::string system_error_text(std::uint32_t code) {
  return system_error_message(code) + " (" + std::to_string(code) + ")";
}
WINSVC_INLINE std::string explained_message(std::uint32_t code) {
  const auto* const explanation = base::explain(code);
  return explanation ? std::string(explanation->message) : system_error_message(code);
}
WINSVC_INLINE int exit_code(std::uint32_t code) noexcept {
#if !WINSVC_OS_WINDOWS
  if (code != 0 && (code & 0xFFu) == 0) return 1;
#endif
  return static_cast<int>(code);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
