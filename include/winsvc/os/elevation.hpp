// The same program once more, elevated: Windows asks the person, the window stays hidden, what it prints and its exit
// code come back here.
//
//   if (auto code = run_elevated({"install"}, {}, [](std::string_view out) { write_out(out); })) return *code;
//
// Parent and child talk through a named pipe that only this user can open; the child opens it so that the pipe's owner
// cannot act in its name. Elsewhere: 50 (not supported).
//
// Source: ShellExecuteExW with the verb "runas", CreateNamedPipeW and SECURITY_ANONYMOUS in the Win32 documentation.
#pragma once

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

/// Runs this executable with `words`, elevated, and waits for it. `input` is what `join_parent` returns there (a
/// password, which must not be on a command line). `on_output` gets what it writes, piece by piece, on this thread. The
/// exit code; or 1223 when the person said no.
[[nodiscard]] sys_result<std::uint32_t> run_elevated(std::vector<std::string> words, const std::string& input,
                                                     const std::function<void(std::string_view)>& on_output);

/// The option that `run_elevated` puts behind the words: `--elevated PIPE`.
inline constexpr std::string_view elevated_option = "--elevated";

/// In the child, before anything is printed: from here on, what is written to standard output and standard error goes
/// to the parent. Returns the parent's input.
[[nodiscard]] sys_result<std::string> join_parent(const std::string& pipe);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
