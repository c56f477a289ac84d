// TCP as the engine needs it: listen exclusively, accept, wait with a limit, receive, send, close. Blocking, with every
// wait bounded by the caller.
//
// Codes of the faults that a person meets are Windows' on every platform (10048 taken, 10013 forbidden, 10049 not
// ours), so that one table explains them; other codes are the system's own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A numeric address and a port.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;  ///< what is spoken there, where that is known

  /// `127.0.0.1:8080`, `[::1]:8080`.
  [[nodiscard]] std::string text() const {
    const bool six = host.find(':') != std::string::npos;
    return (six ? '[' + host + ']' : host) + ':' + std::to_string(port);
  }
  /// As a client on this machine can open it: an "any" address is no address to connect to.
  [[nodiscard]] std::string url() const {
    const std::string to = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return (tls ? "https://" : "http://") + endpoint{to, port}.text();
  }
};

/// What became of a receive or a send.
enum class transfer { done, closed, timed_out, failed };

/// What a socket waits for in a poller. An error, and the peer's end, count as each.
enum class poll_for : std::uint8_t { nothing, readable, writable };

class tcp_socket {
 public:
  using native_handle = std::intptr_t;  // a SOCKET, or a file descriptor

  tcp_socket() = default;
  explicit tcp_socket(native_handle native) noexcept : native_(native) {}
  tcp_socket(tcp_socket&& other) noexcept : native_(std::exchange(other.native_, -1)) {}
  tcp_socket& operator=(tcp_socket&& other) noexcept {
    if (this != &other) {
      close();
      native_ = std::exchange(other.native_, -1);
    }
    return *this;
  }
  ~tcp_socket() { close(); }

  /// Binds and listens, alone: no other process can share or steal the port. SO_EXCLUSIVEADDRUSE on Windows, where
  /// SO_REUSEADDR would let a second program in; SO_REUSEADDR on POSIX, where it only forgives TIME_WAIT.
  [[nodiscard]] static sys_result<tcp_socket> listen(const std::string& host, std::uint16_t port);
  [[nodiscard]] static sys_result<tcp_socket> connect(const endpoint& to, std::chrono::milliseconds limit);

  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  [[nodiscard]] native_handle native() const noexcept { return native_; }
  [[nodiscard]] endpoint local() const;
  [[nodiscard]] endpoint peer() const;

  [[nodiscard]] sys_result<tcp_socket> accept() const;
  /// Up to `writable` bytes; `got` says how many. `closed`: the peer sends no more.
  transfer receive(char* buffer, std::size_t capacity, std::size_t& received, std::chrono::milliseconds limit) noexcept;
  /// All of it; the limit is for each stretch without progress.
  transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept;
  /// What there is room for now: `sent` bytes. `timed_out`: not all of it.
  transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept;
  /// Waits until there is something to receive, or room to send; an error counts as both. False: not in that time.
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds limit) const noexcept;
  [[nodiscard]] bool wait_writable(std::chrono::milliseconds limit) const noexcept;
  /// The first byte that is here already; it stays. False: there is none.
  [[nodiscard]] bool peek(char& first) const noexcept;
  /// Has the peer closed its end, or is the connection gone? Looks, and takes nothing.
  [[nodiscard]] bool peer_closed() const noexcept;
  /// The peer reads the end of the stream; we can still receive.
  void shutdown_send() noexcept;
  /// Both ways, from any thread: whoever waits on this socket wakes and sees it closed.
  void shutdown_both() noexcept;
  void close() noexcept;

 private:
  native_handle native_ = -1;
};

/// Something to wait for beside sockets, which any thread can make ready.
class wakeup_event {
 public:
  wakeup_event();
  ~wakeup_event();
  wakeup_event(const wakeup_event&) = delete;
  wakeup_event& operator=(const wakeup_event&) = delete;

  /// Could it be made? Without it nobody would ever wake.
  [[nodiscard]] bool is_open() const noexcept { return handles_[0] != -1; }
  /// What can be read once it was rung, until it is silenced.
  [[nodiscard]] tcp_socket::native_handle native() const noexcept { return handles_[0]; }
  void signal() noexcept;
  void clear() noexcept;

 private:
  tcp_socket::native_handle handles_[2] = {-1, -1};
};

/// Wakes whoever waits in `wait_for`, now and ever after.
class waker {
 public:
  void wake() noexcept { wakeup_.signal(); }
  [[nodiscard]] bool is_open() const noexcept { return wakeup_.is_open(); }

  enum class outcome { ready, woken, timed_out, failed };
  /// Waits until the socket can be read or accepted from (ready), `wake` was called, also before (woken), or the time
  /// is over. Any number of threads may wait on one waker.
  [[nodiscard]] outcome wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept;

  /// For `wait_for`: no limit.
  static constexpr std::chrono::milliseconds no_limit{-1};

 private:
  wakeup_event wakeup_;
};

/// A connection that waits to be taken by a listener, non-blocking; else the system's code.
[[nodiscard]] sys_result<tcp_socket> accept_from(tcp_socket::native_handle listener) noexcept;

/// "pid 1234 (other.exe)" for the program that listens there, or nothing where that cannot be told.
[[nodiscard]] std::string port_owner(const endpoint& address);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
