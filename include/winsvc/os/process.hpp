// This process and its surroundings: where its executable is, what it was called with, where it may keep data, and what
// the system says a code means. All text is UTF-8.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The running executable, absolute. GetModuleFileNameW with a buffer that grows; /proc/self/exe.
[[nodiscard]] std::string executable_path();
/// Everything before the last separator, without it; "." when there is none. A root keeps its separator: `C:` alone
/// would be whatever folder is current on that drive.
[[nodiscard]] std::string folder_of(std::string_view path);
/// Does it lead there from anywhere? `\x` and `C:x` do not, but neither is meant relative to a folder of ours.
[[nodiscard]] bool is_absolute(std::string_view path);
/// The last component without `.exe`: what a person types.
[[nodiscard]] std::string program_name(std::string_view path);

/// The words after the program's name. On Windows from GetCommandLineW, because main's argv is in the ANSI code page
/// and loses what that cannot say; elsewhere from argv.
[[nodiscard]] std::vector<std::string> arguments(int argc, char** argv);

/// A variable of this process' environment, UTF-8; nothing where there is none.
[[nodiscard]] std::optional<std::string> environment_variable(const std::string& name);
/// The path from the current folder on, where it is relative. GetFullPathNameW.
[[nodiscard]] std::string absolute_path(const std::string& path);

[[nodiscard]] std::uint32_t process_id() noexcept;
/// How many processors this process may run on, at least 1: those it is pinned to, where the machine has more.
[[nodiscard]] std::size_t processor_count() noexcept;
/// The system's number for the calling thread; 0 where there is none.
[[nodiscard]] std::uint32_t thread_id() noexcept;
/// Does a thread of this process wait for something, a lock or the network, rather than run or be ready to? Nothing where
/// that cannot be told.
[[nodiscard]] std::optional<bool> is_thread_blocked(std::uint32_t thread) noexcept;

/// What this process has used, and since when.
struct process_usage {
  std::chrono::milliseconds started{0};  ///< since 1970, UTC
  std::chrono::microseconds cpu{0};      ///< of all its threads, in the program and in the system
  std::uint64_t resident = 0;            ///< bytes in memory
};
/// GetProcessTimes and K32GetProcessMemoryInfo; /proc and the process' own clock. What cannot be had stays 0.
[[nodiscard]] process_usage query_process_usage() noexcept;
/// A service starts in System32; relative paths are meant relative to the executable.
bool change_directory(const std::string& folder) noexcept;

/// Ends this process at once: nothing is destroyed, nothing waited for. TerminateProcess, because ExitProcess takes the
/// loader's lock, which a thread that hangs may hold; _Exit.
[[noreturn]] void end_process(int code) noexcept;

/// Does somebody hold this process at a breakpoint, or may he? IsDebuggerPresent; TracerPid of /proc/self/status.
[[nodiscard]] bool debugger_attached() noexcept;

/// `%ProgramData%\<name>` by the known-folder API; elsewhere `$XDG_STATE_HOME/<name>` or `~/.local/state/<name>`; the
/// name as model::folder_name makes it. Not created: who only asks for the status must not become the folder's owner.
[[nodiscard]] sys_result<std::string> data_folder(const std::string& service_name);

/// The system's own words for a code, one line, without a final dot. They differ between languages and versions: show
/// them, never compare them.
[[nodiscard]] std::string system_error_message(std::uint32_t code);

/// A system code as what main returns. POSIX keeps eight bits of it; a failure whose bits would be 0 there becomes 1.
[[nodiscard]] int exit_code(std::uint32_t code) noexcept;

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

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
  if (name.size() > 4 && strings::equal_nocase(std::string_view(name).substr(name.size() - 4), ".exe"))
    name.resize(name.size() - 4);
  return name;
}
WINSVC_INLINE int exit_code(std::uint32_t code) noexcept {
#if !WINSVC_OS_WINDOWS
  if (code != 0 && (code & 0xFFu) == 0) return 1;
#endif
  return static_cast<int>(code);
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
