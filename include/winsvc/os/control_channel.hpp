// Control channel: a running service receives the requests of an operator on a named pipe (Windows) or a Unix socket.
// The client sends one line and receives text until the server closes the connection.
//
//   const auto address = control_channel_address("hello", folder);
//   auto channel = control_channel::open(address, [](const std::string& request, const auto& write) {
//     write("request: " + request);
//   });
//   send_channel_request(address, "status", pid, [](std::string_view chunk) { print(chunk); return true; });
//
// Only the account of the service, administrators and the system (on POSIX: the owner and root) can connect. The pipe
// has its own security descriptor and rejects remote clients. The socket file has mode 0600.
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
namespace detail::os {

class control_channel {
 public:
  /// Sends a chunk of the response; an empty chunk only checks the connection. Returns false if the client has
  /// disconnected or the channel is closing; the handler then returns.
  using response_writer = std::function<bool(std::string_view)>;
  /// Responds to one request line. Runs on a thread of the channel, up to `max_connections` calls at the same time.
  using request_handler = std::function<void(const std::string& request, const response_writer& write)>;

  /// Starts to accept requests. Fails if another process has this address (EADDRINUSE, ERROR_PIPE_BUSY, access denied).
  [[nodiscard]] static sys_result<std::unique_ptr<control_channel>> open(const std::string& address,
                                                                         request_handler handler);
  /// Aborts the open connections and waits for their handlers.
  ~control_channel();
  control_channel(const control_channel&) = delete;
  control_channel& operator=(const control_channel&) = delete;

  static constexpr std::size_t max_request_bytes = 4096;         ///< maximum length of a request line
  static constexpr std::size_t max_connections = 8;              ///< further clients wait
  static constexpr std::chrono::milliseconds io_timeout{5'000};  ///< to receive the request, and to send each chunk

  struct implementation;

 private:
  explicit control_channel(std::unique_ptr<implementation> new_server);
  std::unique_ptr<implementation> implementation_;
};

/// The address for a service: `\\.\pipe\winsvc-hello` on Windows, `control.sock` in its data folder on POSIX.
[[nodiscard]] std::string control_channel_address(const std::string& service_name, const std::string& data_folder);

/// Sends a request and passes the response to `on_chunk`, on this thread, until the response ends or `on_chunk` returns
/// false. `on_chunk` is called at least five times per second, with an empty chunk if no data arrived. `pid`: process
/// ID of the service; Windows only: another process could have created a pipe of this name, so the server must have
/// this ID. Fails if no service accepts the connection.
sys_result<void> send_channel_request(const std::string& address, const std::string& request, std::uint32_t pid,
                                      const std::function<bool(std::string_view)>& on_chunk);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
