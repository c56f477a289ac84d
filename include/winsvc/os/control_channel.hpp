// Where the operator talks to a running service: a named pipe on Windows, a Unix socket elsewhere. Whoever asks sends a
// line, and gets text back until it ends.
//
//   auto door = channel::open(control_channel_address("hello", folder), [](const std::string& asked, const channel::voice& say) {
//     say("you asked for " + asked);
//   });
//   send_channel_request(address, "status", pid, [](std::string_view piece) { print(piece); return true; });
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

class control_channel {
 public:
  /// Says a piece to whoever asked. False: they have left, or the channel is closed, and the answer may end.
  using response_writer = std::function<bool(std::string_view)>;
  /// Answers a line, on a thread of the channel's own; a few at once, each on its own.
  using request_handler = std::function<void(const std::string& requested, const response_writer& write)>;

  /// A code where it cannot be had: also when another process has it (EADDRINUSE, ERROR_PIPE_BUSY, access denied).
  [[nodiscard]] static sys_result<std::unique_ptr<control_channel>> open(const std::string& address, request_handler answer);
  /// Ends the answers that are still on their way, and waits for them.
  ~control_channel();
  control_channel(const control_channel&) = delete;
  control_channel& operator=(const control_channel&) = delete;

  static constexpr std::size_t max_request_bytes = 4096;  ///< of a question
  static constexpr std::size_t max_connections = 8;          ///< who comes beyond waits
  static constexpr std::chrono::milliseconds io_timeout{5'000};  ///< for a question, and for each piece to be taken

  struct implementation;

 private:
  explicit control_channel(std::unique_ptr<implementation> made);
  std::unique_ptr<implementation> implementation_;
};

/// Of a service: `\\.\pipe\winsvc-hello`; `control.sock` in its data folder.
[[nodiscard]] std::string control_channel_address(const std::string& service_name, const std::string& data_folder);

/// Asks, and hands on what comes until it ends or `on_piece` says false; it is called five times a second at the least,
/// with nothing where nothing came. `pid`: of the service, whom it must be on Windows, where anybody may have made a pipe
/// of that name. A code where nobody answers.
sys_result<void> send_channel_request(const std::string& address, const std::string& question, std::uint32_t pid,
                             const std::function<bool(std::string_view)>& on_piece);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
