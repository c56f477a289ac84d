// Control channel on POSIX (os/control_channel.hpp): a service receives the requests of an operator on a Unix socket.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/control_channel.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/posix/file.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/connection_threads.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Returns false if the path does not fit into a socket address (about 100 bytes).
bool unix_address(const std::string& path, sockaddr_un& address) noexcept;

/// Fails with EAGAIN if a server listens but its queue of waiting connections is full.
sys_result<tcp_socket> connect_unix(const std::string& path);

struct control_channel::implementation {
  std::string path;
  control_channel::request_handler handler;
  tcp_socket listener;
  waker stopping;
  std::mutex mutex;
  bool closing = false;                     // guarded by mutex; new connections are closed at once
  std::list<tcp_socket*> open_connections;  // guarded by mutex
  connection_threads threads{max_connections};
  std::thread accept_thread;

  void accept_loop() noexcept;
  void serve_connection(tcp_socket& s) noexcept;
};

/// Reads the request line without its '\n'. Returns false if it is too long or does not arrive within `io_timeout`.
bool read_request(tcp_socket& client, std::string& line);

std::string control_channel_address(const std::string&, const std::string& data_folder);

sys_result<void> send_channel_request(const std::string& address, const std::string& request, std::uint32_t,
                                      const std::function<bool(std::string_view)>& on_chunk);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE bool unix_address(const std::string& path, sockaddr_un& address) noexcept {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}
WINSVC_INLINE sys_result<tcp_socket> connect_unix(const std::string& path) {
  sockaddr_un server{};
  if (!unix_address(path, server)) return sys_failure(ENAMETOOLONG);
  tcp_socket s(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!s.is_open()) return errno_failure();
  const int native = static_cast<int>(s.native());
  socket_api::disable_inherit(native);
  socket_api::set_nonblocking(native);
  if (::connect(native, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) return errno_failure();
  return s;
}
WINSVC_INLINE bool read_request(tcp_socket& client, std::string& line) {
  const auto deadline = clock::system().now() + control_channel::io_timeout;
  char buffer[512];
  for (;;) {
    const auto end = line.find('\n');
    if (end != line.npos) {
      line.resize(end);
      return true;
    }
    const auto remaining =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::system().now());
    std::size_t received = 0;
    if (line.size() > control_channel::max_request_bytes || remaining.count() <= 0) return false;
    if (client.receive(buffer, sizeof buffer, received, remaining) != transfer::done) return false;
    line.append(buffer, received);
  }
}

WINSVC_INLINE void control_channel::implementation::serve_connection(tcp_socket& s) noexcept {
  try {
    std::string request;
    {
      const std::lock_guard lock(mutex);
      if (closing) return s.close();
      open_connections.push_back(&s);
    }
    if (read_request(s, request))
      handler(request, [&s](std::string_view chunk) {
        return (chunk.empty() ? !s.peer_closed() : s.send(chunk.data(), chunk.size(), io_timeout) == transfer::done);
      });
  } catch (const std::exception&) {  // out of memory: the response ends here
  }
  const std::lock_guard lock(mutex);
  open_connections.remove(&s);
  s.close();
}

WINSVC_INLINE void control_channel::implementation::accept_loop() noexcept {
  for (;;) {
    const auto outcome = stopping.wait_for(listener, waker::no_limit);
    if (outcome == waker::outcome::woken || outcome == waker::outcome::failed) return;
    auto result = accept_from(listener.native());
    if (!result) {
      // If the system has no descriptor, the client keeps waiting. Pause, because poll() would return at once.
      const bool has_left = socket_api::would_block(result.error()) || result.error() == ECONNABORTED;
      if (!has_left) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    try {
      threads.run([this, s = std::make_shared<tcp_socket>(*std::move(result))] { serve_connection(*s); });
    } catch (const std::exception&) {  // out of memory: the connection closes
    }
  }
}

WINSVC_INLINE control_channel::control_channel(std::unique_ptr<implementation> new_server)
    : implementation_(std::move(new_server)) {
  implementation_->accept_thread = start_thread([server = implementation_.get()] { server->accept_loop(); });
}

WINSVC_INLINE control_channel::~control_channel() {
  implementation_->stopping.wake();
  const auto disconnect_clients = [this] {
    const std::lock_guard lock(implementation_->mutex);
    implementation_->closing = true;
    for (auto* s : implementation_->open_connections) s->shutdown_both();
  };
  disconnect_clients();  // the accept thread may wait until a connection thread has finished
  implementation_->accept_thread.join();
  disconnect_clients();
  implementation_->threads.wait_for_all();
  ::unlink(implementation_->path.c_str());
}

WINSVC_INLINE sys_result<std::unique_ptr<control_channel>> control_channel::open(const std::string& address,
                                                                                 request_handler handler) {
  sockaddr_un local{};
  if (!unix_address(address, local)) return sys_failure(ENAMETOOLONG);
  const auto existing = connect_unix(address);
  if (existing || existing.error() == EAGAIN) return sys_failure(EADDRINUSE);
  struct stat info {};
  if (::lstat(address.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return sys_failure(EEXIST);  // it may be a file of the app
    ::unlink(address.c_str());                                // the socket file of a process that has ended
  }
  auto new_server = std::make_unique<implementation>();
  new_server->path = address;
  new_server->handler = std::move(handler);
  new_server->listener = tcp_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  const int native = static_cast<int>(new_server->listener.native());
  if (native == -1 || !new_server->stopping.is_open()) return errno_failure();
  socket_api::disable_inherit(native);
  socket_api::set_nonblocking(native);
  // chmod precedes listen, so that no other user can connect in between.
  if (::bind(native, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) return errno_failure();
  if (::chmod(address.c_str(), 0600) != 0 || ::listen(native, 8) != 0) {
    const auto error = errno_failure();
    ::unlink(address.c_str());
    return error;
  }
  try {
    return std::unique_ptr<control_channel>(new control_channel(std::move(new_server)));
  } catch (const std::exception&) {
    ::unlink(address.c_str());
    return sys_failure(EAGAIN);
  }
}

WINSVC_INLINE std::string control_channel_address(const std::string&, const std::string& data_folder) {
  return path_join(data_folder, "control.sock");
}

WINSVC_INLINE sys_result<void> send_channel_request(const std::string& address, const std::string& request,
                                                    std::uint32_t,
                                                    const std::function<bool(std::string_view)>& on_chunk) {
  const auto deadline = clock::system().now() + control_channel::io_timeout;
  auto s = connect_unix(address);
  while (!s && s.error() == EAGAIN && clock::system().now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    s = connect_unix(address);
  }
  if (!s) return sys_failure(s.error());
  const std::string line = request + '\n';
  if (s->send(line.data(), line.size(), control_channel::io_timeout) != transfer::done) return sys_failure(EPIPE);
  char buffer[4096];
  for (;;) {
    std::size_t received = 0;
    const auto result = s->receive(buffer, sizeof buffer, received, std::chrono::milliseconds(200));
    if (result == transfer::closed) return {};
    if (result == transfer::failed) return sys_failure(EPIPE);
    if (!on_chunk(std::string_view(buffer, result == transfer::done ? received : 0))) return {};
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
