// os/socket.hpp on every platform: Berkeley sockets are one API with two spellings, and the spelling is in
// win/socket_calls.hpp and posix/socket_calls.hpp.
//
// Every socket is non-blocking underneath: a call is tried first and waits in poll() only when it must, so that a ready
// socket costs one system call and a limit is always a limit.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/socket_api.hpp"
#include "winsvc/os/socket.hpp"
#include "winsvc/os/win/socket_api.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {
namespace socket_api {

[[nodiscard]] socket_type raw(tcp_socket::native_handle h) noexcept;
[[nodiscard]] tcp_socket to_owned_socket(socket_type s) noexcept;
/// "No socket" is -1 in both spellings once it is signed.
[[nodiscard]] bool is_invalid(socket_type s) noexcept;

void set_option(socket_type s, int level, int name, int value) noexcept;

/// Waits for reading (POLLIN) or writing (POLLOUT). An error or a hang-up counts as ready: the call that follows tells.
[[nodiscard]] bool wait_ready(socket_type s, short events, std::chrono::milliseconds limit) noexcept;

[[nodiscard]] endpoint to_endpoint(const sockaddr_storage& address);

/// One address for a host: as a number when it is one, else the first the resolver gives.
[[nodiscard]] sys_result<std::pair<sockaddr_storage, std::size_t>> resolve(const std::string& host,
                                                                                  std::uint16_t port);

}  // namespace calls

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {
namespace socket_api {

WINSVC_INLINE socket_type raw(tcp_socket::native_handle h) noexcept { return static_cast<socket_type>(h); }
WINSVC_INLINE tcp_socket to_owned_socket(socket_type s) noexcept {
  return tcp_socket(static_cast<tcp_socket::native_handle>(s));
}
WINSVC_INLINE bool is_invalid(socket_type s) noexcept { return static_cast<tcp_socket::native_handle>(s) == -1; }

WINSVC_INLINE void set_option(socket_type s, int level, int name, int value) noexcept {
  ::setsockopt(s, level, name, reinterpret_cast<const char*>(&value), sizeof value);
}
WINSVC_INLINE bool wait_ready(socket_type s, short events, std::chrono::milliseconds limit) noexcept {
  poll_entry entry{};
  entry.fd = s;
  entry.events = events;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (auto remaining = limit;;) {
    const int ready = poll_any(&entry, 1, static_cast<int>((std::min)(remaining, max_poll_timeout).count()));
    if (ready > 0) return true;
    if (ready < 0 && !would_block(last_error())) return true;
    if (shut_down_by_us(s)) return true;
    remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (remaining.count() <= 0) return false;
  }
}

WINSVC_INLINE endpoint to_endpoint(const sockaddr_storage& address) {
  char text[64] = "";
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
      ::inet_ntop(AF_INET, reinterpret_cast<const unsigned char*>(&six.sin6_addr) + 12, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    }
    return {text, ntohs(six.sin6_port)};
  }
  if (address.ss_family != AF_INET) return {};
  sockaddr_in four{};
  std::memcpy(&four, &address, sizeof four);
  ::inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  return {text, ntohs(four.sin_port)};
}
WINSVC_INLINE sys_result<std::pair<sockaddr_storage, std::size_t>> resolve(const std::string& host,
                                                                                  std::uint16_t port) {
  initialize();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); code != 0) {
    return sys_failure(resolve_error(code));
  }
  sockaddr_storage address{};
  const std::size_t length = static_cast<std::size_t>(found->ai_addrlen);
  std::memcpy(&address, found->ai_addr, (std::min)(length, sizeof address));
  ::freeaddrinfo(found);
  return std::pair<sockaddr_storage, std::size_t>(address, length);
}

}  // namespace calls

WINSVC_INLINE sys_result<tcp_socket> tcp_socket::listen(const std::string& host, std::uint16_t port) {
  const auto where = socket_api::resolve(host, port);
  if (!where) return sys_failure(where.error());
  const auto& [address, length] = *where;

  tcp_socket listener = socket_api::to_owned_socket(socket_api::open(address.ss_family));
  if (!listener.is_open()) return sys_failure(socket_api::last_error());
  const auto s = socket_api::raw(listener.native());
  if (!socket_api::set_exclusive_bind(s)) return sys_failure(socket_api::last_error());
  if (address.ss_family == AF_INET6) socket_api::set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // :: listens for both

  if (::bind(s, reinterpret_cast<const sockaddr*>(&address), static_cast<socket_api::length_type>(length)) != 0 ||
      ::listen(s, SOMAXCONN) != 0 || !socket_api::set_nonblocking(s)) {
    return sys_failure(socket_api::is_retryable(socket_api::last_error()));
  }
  return listener;
}

WINSVC_INLINE sys_result<tcp_socket> tcp_socket::connect(const endpoint& to, std::chrono::milliseconds limit) {
  const auto where = socket_api::resolve(to.host, to.port);
  if (!where) return sys_failure(where.error());
  const auto& [address, length] = *where;

  tcp_socket client = socket_api::to_owned_socket(socket_api::open(address.ss_family));
  if (!client.is_open()) return sys_failure(socket_api::last_error());
  const auto s = socket_api::raw(client.native());
  socket_api::set_nonblocking(s);
  socket_api::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(s, reinterpret_cast<const sockaddr*>(&address), static_cast<socket_api::length_type>(length)) == 0)
    return client;
  // Anything but "under way" is final: a poll would find such a socket ready and without an error.
  if (const auto code = socket_api::last_error(); !socket_api::is_connect_pending(code)) return sys_failure(code);
  if (!socket_api::wait_ready(s, POLLOUT, limit)) return sys_failure(model::win32_error::timeout);

  int failed = 0;
  socket_api::length_type size = sizeof failed;
  ::getsockopt(s, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&failed), &size);
  if (failed != 0) return sys_failure(static_cast<std::uint32_t>(failed));
  return client;
}

WINSVC_INLINE endpoint tcp_socket::local() const {
  sockaddr_storage address{};
  socket_api::length_type length = sizeof address;
  ::getsockname(socket_api::raw(native_), reinterpret_cast<sockaddr*>(&address), &length);
  return socket_api::to_endpoint(address);
}

WINSVC_INLINE endpoint tcp_socket::peer() const {
  sockaddr_storage address{};
  socket_api::length_type length = sizeof address;
  ::getpeername(socket_api::raw(native_), reinterpret_cast<sockaddr*>(&address), &length);
  return socket_api::to_endpoint(address);
}

WINSVC_INLINE sys_result<tcp_socket> accept_from(tcp_socket::native_handle listener) noexcept {
  const auto s = socket_api::accept(socket_api::raw(listener));
  if (socket_api::is_invalid(s)) return sys_failure(socket_api::last_error());
  // An answer leaves in one send; waiting for more would only delay it.
  socket_api::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
  return socket_api::to_owned_socket(s);
}
WINSVC_INLINE sys_result<tcp_socket> tcp_socket::accept() const { return accept_from(native_); }

WINSVC_INLINE bool tcp_socket::wait_readable(std::chrono::milliseconds limit) const noexcept {
  return socket_api::wait_ready(socket_api::raw(native_), POLLIN, limit);
}
WINSVC_INLINE bool tcp_socket::wait_writable(std::chrono::milliseconds limit) const noexcept {
  return socket_api::wait_ready(socket_api::raw(native_), POLLOUT, limit);
}
WINSVC_INLINE bool tcp_socket::peek(char& first) const noexcept {
  return ::recv(socket_api::raw(native_), &first, 1, MSG_PEEK) == 1;  // sockets here never block
}

WINSVC_INLINE bool tcp_socket::peer_closed() const noexcept {
  const auto s = socket_api::raw(native_);
  char character = 0;
  const auto n = ::recv(s, &character, 1, MSG_PEEK);  // sockets here never block
  return n == 0 || (n < 0 && !socket_api::would_block(socket_api::last_error()));
}

WINSVC_INLINE transfer tcp_socket::receive(char* buffer, std::size_t capacity, std::size_t& received,
                                    std::chrono::milliseconds limit) noexcept {
  received = 0;
  const auto s = socket_api::raw(native_);
  for (;;) {
    const auto n = ::recv(s, buffer, static_cast<socket_api::size_type>((std::min)(capacity, std::size_t{1} << 30)), 0);
    if (n > 0) {
      received = static_cast<std::size_t>(n);
      return transfer::done;
    }
    if (n == 0) return transfer::closed;
    if (!socket_api::would_block(socket_api::last_error())) return transfer::failed;
    if (limit.count() <= 0 || !socket_api::wait_ready(s, POLLIN, limit)) return transfer::timed_out;
  }
}

WINSVC_INLINE transfer tcp_socket::send_some(const char* from, std::size_t count, std::size_t& sent) noexcept {
  const auto s = socket_api::raw(native_);
  for (sent = 0; sent < count;) {
    const auto limit = (std::min)(count - sent, std::size_t{1} << 30);
    const auto n = ::send(s, from + sent, static_cast<socket_api::size_type>(limit), socket_api::send_flags);
    if (n <= 0) return socket_api::would_block(socket_api::last_error()) ? transfer::timed_out : transfer::failed;
    sent += static_cast<std::size_t>(n);
  }
  return transfer::done;
}

WINSVC_INLINE transfer tcp_socket::send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept {
  for (std::size_t sent = 0;; from += sent, count -= sent) {
    const auto result = send_some(from, count, sent);
    if (result != transfer::timed_out) return result;
    if (limit.count() <= 0 || !socket_api::wait_ready(socket_api::raw(native_), POLLOUT, limit)) return transfer::timed_out;
  }
}

WINSVC_INLINE void tcp_socket::shutdown_send() noexcept { ::shutdown(socket_api::raw(native_), socket_api::shutdown_send_flag); }
WINSVC_INLINE void tcp_socket::shutdown_both() noexcept { ::shutdown(socket_api::raw(native_), socket_api::shutdown_both_flag); }
WINSVC_INLINE void tcp_socket::close() noexcept {
  if (native_ != -1) socket_api::close(socket_api::raw(std::exchange(native_, -1)));
}

WINSVC_INLINE wakeup_event::wakeup_event() {
  socket_api::initialize();
  socket_api::open_wakeup(handles_);
}
WINSVC_INLINE wakeup_event::~wakeup_event() {
  if (is_open()) socket_api::close_wakeup(handles_);
}
WINSVC_INLINE void wakeup_event::signal() noexcept {
  if (is_open()) socket_api::signal_wakeup(handles_[1]);
}
WINSVC_INLINE void wakeup_event::clear() noexcept {
  if (is_open()) socket_api::clear_wakeup(handles_[0]);
}

WINSVC_INLINE waker::outcome waker::wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept {
  socket_api::poll_entry entries[2] = {};
  entries[0].fd = socket_api::raw(wakeup_.native());
  entries[1].fd = socket_api::raw(socket.native());
  entries[0].events = entries[1].events = POLLIN;
  const auto maximum = std::chrono::milliseconds((std::numeric_limits<int>::max)());
  for (;;) {
    const int ready = socket_api::poll_any(entries, 2, static_cast<int>((std::min)(limit, maximum).count()));
    if (ready == 0) return outcome::timed_out;
    if (ready < 0 && !socket_api::would_block(socket_api::last_error())) return outcome::failed;
    if (ready > 0)
      return entries[0].revents != 0 ? outcome::woken : outcome::ready;  // its byte is never read: awake for good
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
