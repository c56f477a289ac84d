// Elevation: runs this program again with administrator rights and returns its output and its exit code.
//
//   if (auto code = run_elevated({"install"}, {}, [](std::string_view text) { write_stdout(text); })) return *code;
//
// Windows prompts the user for consent (UAC); the window of the child process is hidden. Parent and child communicate
// through a named pipe that only this user and administrators can open. The child opens it with SECURITY_ANONYMOUS, so
// that the owner of the pipe cannot impersonate it. On POSIX: 50 (not supported).
//
// Source: ShellExecuteExW with the verb "runas", CreateNamedPipeW and SECURITY_ANONYMOUS in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Runs this executable with `arguments`, elevated, in the current folder, and waits for it. Returns its exit code;
/// fails with 1223 if the user refuses. `input`: the text that `connect_to_parent` returns in the child (a password,
/// which must not be on a command line). `on_output` receives the output of the child on this thread, in chunks of
/// complete UTF-8 characters.
///
/// A child that ends without `connect_to_parent` is not an error: its exit code is returned. Ctrl-C ends only this
/// process; the child completes its work.
[[nodiscard]] sys_result<std::uint32_t> run_elevated(std::vector<std::string> arguments, const std::string& input,
                                                     const std::function<void(std::string_view)>& on_output);

inline constexpr std::size_t elevated_input_limit = 65'536;  ///< bytes; longer input fails with 87

/// The option that `run_elevated` appends to the arguments: `--elevated PIPE`.
inline constexpr std::string_view elevated_option = "--elevated";

/// Connects the child to its parent and returns the input of the parent. Call it before the child prints: from then on,
/// write_stdout and write_stderr of os/console.hpp send to the parent (the C and C++ streams keep their handles). Fails
/// with 123 if `pipe` is not the name of such a pipe.
[[nodiscard]] sys_result<std::string> connect_to_parent(const std::string& pipe);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Returns the length of the prefix that ends with a complete UTF-8 character: a read from a pipe can end inside a
/// character. Invalid UTF-8 counts as complete, because later bytes cannot complete it.
WINSVC_INLINE std::size_t complete_utf8_prefix(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0u) == 0x80u) continue;  // a continuation byte
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
