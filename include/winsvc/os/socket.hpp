// TCP sockets with timeouts: listen, accept, connect, receive, send, wait, close.
//
//   auto listener = tcp_socket::listen("127.0.0.1", 8080);
//   if (listener->wait_readable(1s)) auto client = listener->accept();
//
// The calls block at most for the limit that the caller passes. There is no TLS here.
//
// The errors of a listen address have Windows' codes on all platforms (10048 in use, 10013 access denied, 10047 family
// not installed, 10049 not an address of this computer), so that one table explains them. Other codes are those of the
// system.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// A numeric address and a port.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;  ///< true if the server is known to use TLS

  /// `127.0.0.1:8080`, `[::1]:8080`.
  [[nodiscard]] std::string text() const {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return (is_ipv6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
  }
  /// The URL for a client on this computer. The "any" addresses become loopback addresses, because a client cannot
  /// connect to them.
  [[nodiscard]] std::string url() const {
    const std::string reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return (tls ? "https://" : "http://") + endpoint{reachable, port}.text();
  }
};

/// The result of a receive or a send.
enum class transfer { done, closed, timed_out, failed };

/// The event that a socket waits for in a poller. An error and the end of the stream count as readable and as writable.
enum class poll_for : std::uint8_t { nothing, readable, writable };

/// Owns a socket and closes it. Movable.
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

  /// Binds and listens so that no other process can bind the same port. Windows: SO_EXCLUSIVEADDRUSE, because
  /// SO_REUSEADDR would allow a second program there. POSIX: SO_REUSEADDR, which only permits a port in TIME_WAIT.
  [[nodiscard]] static sys_result<tcp_socket> listen(const std::string& host, std::uint16_t port);
  [[nodiscard]] static sys_result<tcp_socket> connect(const endpoint& server, std::chrono::milliseconds limit);
  /// A socket that only occupies a descriptor. It is not open if the system has none.
  [[nodiscard]] static tcp_socket unbound() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  [[nodiscard]] native_handle native() const noexcept { return native_; }
  [[nodiscard]] endpoint local() const;
  [[nodiscard]] endpoint peer() const;

  /// Accepts a waiting connection; fails at once if no client waits.
  [[nodiscard]] sys_result<tcp_socket> accept() const;
  /// Receives up to `capacity` bytes; `received` is their number. `closed`: the peer sends no more bytes.
  transfer receive(char* buffer, std::size_t capacity, std::size_t& received, std::chrono::milliseconds limit) noexcept;
  /// Sends all bytes. `limit` is the maximum time without progress.
  transfer send(const char* data, std::size_t count, std::chrono::milliseconds limit) noexcept;
  /// Sends as many bytes as possible without waiting; `sent` is their number. `timed_out`: not all bytes were sent.
  transfer send_some(const char* data, std::size_t count, std::size_t& sent) noexcept;
  /// The same for `first` and then `second`, in one call of the system.
  transfer send_parts(std::string_view first, std::string_view second, std::size_t& sent) noexcept;
  /// Wait until a receive or a send would not block; an error counts as ready. Return false after `limit`.
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds limit) const noexcept;
  [[nodiscard]] bool wait_writable(std::chrono::milliseconds limit) const noexcept;
  /// Copies the first received byte without removing it. Returns false if no byte has arrived. Does not block.
  [[nodiscard]] bool peek(char& first) const noexcept;
  /// True if the peer has closed its end, or if the connection has failed. Does not block and does not remove bytes.
  [[nodiscard]] bool peer_closed() const noexcept;
  /// For a listener that is about to close: ignores clients that connect from here on, if the system can; the clients
  /// that have connected can still be accepted.
  void ignore_new_clients() noexcept;
  /// Sends the end of the stream to the peer. This side can still receive.
  void shutdown_send() noexcept;
  /// Shuts down both directions. Can be called from any thread: threads that wait on this socket wake and see it
  /// closed.
  void shutdown_both() noexcept;
  void close() noexcept;

 private:
  native_handle native_ = -1;
};

/// A handle that any thread can signal, so that a thread that waits for sockets wakes.
class wakeup_event {
 public:
  wakeup_event();
  ~wakeup_event();
  wakeup_event(const wakeup_event&) = delete;
  wakeup_event& operator=(const wakeup_event&) = delete;

  /// False if the system could not create it; then `signal` has no effect.
  [[nodiscard]] bool is_open() const noexcept { return handles_[0] != -1; }
  /// The handle to poll: readable from `signal` until `clear`.
  [[nodiscard]] tcp_socket::native_handle native() const noexcept { return handles_[0]; }
  void signal() noexcept;
  void clear() noexcept;

 private:
  tcp_socket::native_handle handles_[2] = {-1, -1};
};

/// Ends all calls of `wait_for`, permanently after the first `wake`.
class waker {
 public:
  void wake() noexcept { wakeup_.signal(); }
  [[nodiscard]] bool is_open() const noexcept { return wakeup_.is_open(); }

  enum class outcome { ready, woken, timed_out, failed };
  /// Waits until the socket is readable or has a connection to accept (`ready`), until `wake` is called or if it was
  /// called before (`woken`), or until `limit` has passed (`timed_out`). Any number of threads may wait at the same
  /// time.
  [[nodiscard]] outcome wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept;

  /// For `wait_for`: no limit.
  static constexpr std::chrono::milliseconds no_limit{-1};

 private:
  wakeup_event wakeup_;
};

/// Accepts a connection as a non-blocking socket; fails at once if no client waits.
[[nodiscard]] sys_result<tcp_socket> accept_from(tcp_socket::native_handle listener) noexcept;

/// A program that listens on a port.
struct port_listener {
  std::uint32_t pid = 0;  ///< 0 if the system does not report it
  std::string image;      ///< path of its executable; empty if it cannot be read
};
/// The program whose listener overlaps with this address, in the tables of IPv4 and IPv6; nullopt if no program
/// listens. Fails if the tables cannot be read, and on POSIX. A host name overlaps with all addresses.
[[nodiscard]] sys_result<std::optional<port_listener>> find_listener(const endpoint& address);
/// Describes that program: "pid 1234 (other.exe)"; empty if it cannot be determined. Names another process of this
/// program as such.
[[nodiscard]] std::string port_owner(const endpoint& address);
/// Describes a listener for an error message: process ID, program, and whether it runs this executable.
[[nodiscard]] std::string owner_text(const port_listener& listener);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
