// os/channel.hpp on POSIX: a Unix socket.
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

#include "winsvc/config/abi.hpp"
#include "winsvc/os/control_channel.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/posix/file.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/connection_threads.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A socket's address holds some hundred bytes. False: the path is longer.
bool unix_address(const std::string& path, sockaddr_un& output) noexcept;

/// EAGAIN: somebody listens there, and has not taken those who came before.
sys_result<tcp_socket> connect_unix(const std::string& path);

struct control_channel::implementation {
  std::string path;
  control_channel::request_handler handler;
  tcp_socket listener;
  waker stopping;
  std::mutex mutex;
  bool closing = false;            // under mutex: who comes now is sent away
  std::list<tcp_socket*> open_connections;  // under mutex
  connection_threads threads{max_connections};
  std::thread accept_thread;

  void accept_loop() noexcept;
  void serve_connection(tcp_socket& s) noexcept;
};

/// A line, without its end; nothing when it does not come in time.
bool read_request(tcp_socket& from, std::string& line);

std::string control_channel_address(const std::string&, const std::string& data_folder);

sys_result<void> send_channel_request(const std::string& address, const std::string& question, std::uint32_t,
                                    const std::function<bool(std::string_view)>& on_piece);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE bool unix_address(const std::string& path, sockaddr_un& output) noexcept {
  output = {};
  output.sun_family = AF_UNIX;
  if (path.size() >= sizeof output.sun_path) return false;
  std::memcpy(output.sun_path, path.data(), path.size());
  return true;
}
WINSVC_INLINE sys_result<tcp_socket> connect_unix(const std::string& path) {
  sockaddr_un to{};
  if (!unix_address(path, to)) return sys_failure(ENAMETOOLONG);
  tcp_socket s(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!s.is_open()) return errno_failure();
  const int native = static_cast<int>(s.native());
  socket_api::disable_inherit(native);
  socket_api::set_nonblocking(native);
  if (::connect(native, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return errno_failure();
  return s;
}
WINSVC_INLINE bool read_request(tcp_socket& from, std::string& line) {
  const auto deadline = std::chrono::steady_clock::now() + control_channel::io_timeout;
  char buffer[512];
  for (;;) {
    const auto end = line.find('\n');
    if (end != line.npos) return line.resize(end), true;
    const auto remaining =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::size_t received = 0;
    if (line.size() > control_channel::max_request_bytes || remaining.count() <= 0) return false;
    if (from.receive(buffer, sizeof buffer, received, remaining) != transfer::done) return false;
    line.append(buffer, received);
  }
}

WINSVC_INLINE void control_channel::implementation::serve_connection(tcp_socket& s) noexcept {
  try {
    std::string requested;
    {
      const std::lock_guard lock(mutex);
      if (closing) return s.close();
      open_connections.push_back(&s);
    }
    if (read_request(s, requested))
      handler(requested, [&s](std::string_view chunk) {
        return (chunk.empty() ? !s.peer_closed() : s.send(chunk.data(), chunk.size(), io_timeout) == transfer::done);
      });
  } catch (const std::exception&) {  // no memory: the answer ends here
  }
  const std::lock_guard lock(mutex);
  open_connections.remove(&s);
  s.close();
}

WINSVC_INLINE void control_channel::implementation::accept_loop() noexcept {
  for (;;) {
    const auto what = stopping.wait_for(listener, waker::no_limit);
    if (what == waker::outcome::woken || what == waker::outcome::failed) return;
    auto result = accept_from(listener.native());
    if (!result) {  // who comes is still there to be taken: without a pause we would only ask for him again
      const bool news = socket_api::would_block(result.error()) || result.error() == ECONNABORTED;
      if (!news) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    try {
      threads.run([this, s = std::make_shared<tcp_socket>(*std::move(result))] { serve_connection(*s); });
    } catch (const std::exception&) {  // no memory: whoever asked sees the end of it
    }
  }
}

WINSVC_INLINE control_channel::control_channel(std::unique_ptr<implementation> made) : implementation_(std::move(made)) {
  implementation_->accept_thread = std::thread([b = implementation_.get()] { b->accept_loop(); });
}

WINSVC_INLINE control_channel::~control_channel() {
  implementation_->stopping.wake();
  const auto send_away = [this] {
    const std::lock_guard lock(implementation_->mutex);
    implementation_->closing = true;
    for (auto* s : implementation_->open_connections) s->shutdown_both();
  };
  send_away();  // the door may wait for one of them to end
  implementation_->accept_thread.join();
  send_away();
  implementation_->threads.wait_for_all();
  ::unlink(implementation_->path.c_str());
}

WINSVC_INLINE sys_result<std::unique_ptr<control_channel>> control_channel::open(const std::string& address, request_handler answer) {
  sockaddr_un at{};
  if (!unix_address(address, at)) return sys_failure(ENAMETOOLONG);
  const auto existing = connect_unix(address);
  if (existing || existing.error() == EAGAIN) return sys_failure(EADDRINUSE);
  struct stat what {};
  if (::lstat(address.c_str(), &what) == 0) {
    if (!S_ISSOCK(what.st_mode)) return sys_failure(EEXIST);  // a file of the app's, perhaps
    ::unlink(address.c_str());                                // what a process left that is no more
  }
  auto made = std::make_unique<implementation>();
  made->path = address;
  made->handler = std::move(answer);
  made->listener = tcp_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  const int native = static_cast<int>(made->listener.native());
  if (native == -1 || !made->stopping.is_open()) return errno_failure();
  socket_api::disable_inherit(native);
  socket_api::set_nonblocking(native);
  // Nobody can connect before it listens, and by then it is for its owner alone.
  if (::bind(native, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return errno_failure();
  if (::chmod(address.c_str(), 0600) != 0 || ::listen(native, 8) != 0) {
    const auto error = errno_failure();
    ::unlink(address.c_str());
    return error;
  }
  try {
    return std::unique_ptr<control_channel>(new control_channel(std::move(made)));
  } catch (const std::exception&) {
    ::unlink(address.c_str());
    return sys_failure(EAGAIN);
  }
}

WINSVC_INLINE std::string control_channel_address(const std::string&, const std::string& data_folder) {
  return path_join(data_folder, "control.sock");
}

WINSVC_INLINE sys_result<void> send_channel_request(const std::string& address, const std::string& question, std::uint32_t,
                                    const std::function<bool(std::string_view)>& on_piece) {
  const auto deadline = std::chrono::steady_clock::now() + control_channel::io_timeout;
  auto s = connect_unix(address);
  while (!s && s.error() == EAGAIN && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    s = connect_unix(address);
  }
  if (!s) return sys_failure(s.error());
  const std::string line = question + '\n';
  if (s->send(line.data(), line.size(), control_channel::io_timeout) != transfer::done) return sys_failure(EPIPE);
  char buffer[4096];
  for (;;) {
    std::size_t received = 0;
    const auto result = s->receive(buffer, sizeof buffer, received, std::chrono::milliseconds(200));
    if (result == transfer::closed) return {};
    if (result == transfer::failed) return sys_failure(EPIPE);
    if (!on_piece(std::string_view(buffer, result == transfer::done ? received : 0))) return {};
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
