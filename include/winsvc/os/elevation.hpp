// The same program once more, elevated: Windows asks the person, the window stays hidden, what it prints and its exit
// code come back here.
//
//   if (auto code = run_elevated({"install"}, {}, [](std::string_view out) { write_stdout(out); })) return *code;
//
// Parent and child talk through a named pipe that only this user can open; the child opens it so that the pipe's owner
// cannot act in its name. Elsewhere: 50 (not supported).
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
namespace os {

/// Runs this executable with `words`, elevated, in the current folder, and waits for it. `input` is what `connect_to_parent`
/// returns there (a password, which must not be on a command line). `on_output` gets what it writes, in pieces of whole
/// characters, on this thread. The exit code; or 1223 when the person said no.
///
/// A child that ends without `connect_to_parent` is no error: its exit code is all there is. Ctrl-C ends this process alone;
/// the child brings to its end what it began.
[[nodiscard]] sys_result<std::uint32_t> run_elevated(std::vector<std::string> arguments, const std::string& input,
                                                     const std::function<void(std::string_view)>& on_output);

inline constexpr std::size_t elevated_input_limit = 65'536;  ///< longer input is refused with 87

/// The option that `run_elevated` puts behind the words: `--elevated PIPE`.
inline constexpr std::string_view elevated_option = "--elevated";

/// In the child, before anything is printed: from here on, what write_stdout and write_stderr of os/console.hpp are given
/// goes to the parent (the C and C++ streams keep the handles that they began with). Returns the parent's input; 123
/// for what is not the name of such a pipe.
[[nodiscard]] sys_result<std::string> connect_to_parent(const std::string& pipe);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// How many bytes at the beginning are whole characters, where a pipe may have cut the last one. What is no UTF-8
/// counts as whole: nothing will mend it.
WINSVC_INLINE std::size_t complete_utf8_prefix(std::string_view s) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= s.size(); ++back) {
    const auto byte = static_cast<unsigned char>(s[s.size() - back]);
    if ((byte & 0xC0u) == 0x80u) continue;  // inside of a character
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? s.size() - back : s.size();
  }
  return s.size();
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
