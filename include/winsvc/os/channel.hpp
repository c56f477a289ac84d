// Where the operator talks to a running service: a named pipe on Windows, a Unix socket elsewhere. Whoever asks sends a
// line, and gets text back until it ends.
//
//   auto door = channel::open(channel_address("hello", folder), [](const std::string& asked, const channel::voice& say) {
//     say("you asked for " + asked);
//   });
//   ask_channel(address, "status", pid, [](std::string_view piece) { print(piece); return true; });
//
// It is nobody's but the service's account's, the administrators' and the system's (root's): the pipe has a descriptor of
// its own and takes no one from another machine, the socket lies where only its owner may open it.
//
// Source: CreateNamedPipeW and "Named Pipe Security and Access Rights" in the Win32 documentation; unix(7).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class channel {
 public:
  /// Says a piece to whoever asked. False: they have left, or the channel is closed, and the answer may end.
  using voice = std::function<bool(std::string_view)>;
  /// Answers a line, on a thread of the channel's own; a few at once, each on its own.
  using answerer = std::function<void(const std::string& asked, const voice& say)>;

  /// A code where it cannot be had: also when another process has it (EADDRINUSE, ERROR_PIPE_BUSY, access denied).
  [[nodiscard]] static sys_result<std::unique_ptr<channel>> open(const std::string& address, answerer answer);
  /// Ends the answers that are still on their way, and waits for them.
  ~channel();
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  static constexpr std::size_t longest_line = 4096;  ///< of a question
  static constexpr std::size_t at_once = 8;          ///< who comes beyond waits
  static constexpr std::chrono::milliseconds patience{5'000};  ///< for a question, and for each piece to be taken

  struct body;

 private:
  explicit channel(std::unique_ptr<body> made);
  std::unique_ptr<body> body_;
};

/// Of a service: `\\.\pipe\winsvc-hello`; `control.sock` in its data folder.
[[nodiscard]] std::string channel_address(const std::string& service_name, const std::string& data_folder);

/// Asks, and hands on what comes until it ends or `on_piece` says false; it is called five times a second at the least,
/// with nothing where nothing came. `pid`: of the service, whom it must be on Windows, where anybody may have made a pipe
/// of that name. A code where nobody answers.
sys_result<void> ask_channel(const std::string& address, const std::string& question, std::uint32_t pid,
                             const std::function<bool(std::string_view)>& on_piece);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
