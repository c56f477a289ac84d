// TCP sockets on all platforms: the implementation of os/socket.hpp over Berkeley sockets. Differences between the
// platforms are in win/socket_api.hpp and posix/socket_api.hpp.
//
// All sockets are non-blocking. An operation is tried first and waits in poll() only if it would block, so that a ready
// socket costs one system call.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/socket_api.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/socket.hpp"
#include "winsvc/os/win/port_listener.hpp"
#include "winsvc/os/win/socket_api.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {
namespace socket_api {

[[nodiscard]] socket_type raw(tcp_socket::native_handle h) noexcept;
[[nodiscard]] tcp_socket to_owned_socket(socket_type s) noexcept;
/// True for INVALID_SOCKET on Windows and -1 on POSIX; both are -1 as a signed number.
[[nodiscard]] bool is_invalid(socket_type s) noexcept;

void set_option(socket_type s, int level, int name, int value) noexcept;

/// Waits until the socket is readable (POLLIN) or writable (POLLOUT). An error counts as ready; the next call returns
/// it.
[[nodiscard]] bool wait_ready(socket_type s, short events, std::chrono::milliseconds limit) noexcept;

/// Waits until a pending connect has succeeded or failed.
[[nodiscard]] bool wait_connected(socket_type s, std::chrono::milliseconds limit) noexcept;

/// Time until a deadline of the system's clock, which is the clock of poll(); at least 0.
[[nodiscard]] std::chrono::milliseconds time_left(clock::time_point deadline) noexcept;

[[nodiscard]] endpoint to_endpoint(const sockaddr_storage& address);

/// Returns the address of a host and its length: a numeric address as it is, else the first result of the resolver.
[[nodiscard]] sys_result<std::pair<sockaddr_storage, std::size_t>> resolve(const std::string& host, std::uint16_t port);

}  // namespace socket_api

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {
namespace socket_api {

WINSVC_INLINE socket_type raw(tcp_socket::native_handle h) noexcept { return static_cast<socket_type>(h); }
WINSVC_INLINE tcp_socket to_owned_socket(socket_type s) noexcept {
  return tcp_socket(static_cast<tcp_socket::native_handle>(s));
}
WINSVC_INLINE bool is_invalid(socket_type s) noexcept { return static_cast<tcp_socket::native_handle>(s) == -1; }

WINSVC_INLINE void set_option(socket_type s, int level, int name, int value) noexcept {
  ::setsockopt(s, level, name, reinterpret_cast<const char*>(&value), sizeof value);
}
WINSVC_INLINE std::chrono::milliseconds time_left(clock::time_point deadline) noexcept {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::system().now());
  return (std::max)(left, std::chrono::milliseconds(0));
}
WINSVC_INLINE bool wait_ready(socket_type s, short events, std::chrono::milliseconds limit) noexcept {
  poll_entry entry{};
  entry.fd = s;
  entry.events = events;
  const auto deadline = clock::system().now() + limit;
  for (auto remaining = limit;;) {
    const int ready = poll_any(&entry, 1, static_cast<int>((std::min)(remaining, max_poll_timeout).count()));
    if (ready > 0) return true;
    if (ready < 0 && !would_block(last_error())) return true;
    if (shut_down_by_us(s)) return true;
    remaining = time_left(deadline);
    if (remaining.count() <= 0) return false;
  }
}

WINSVC_INLINE bool wait_connected(socket_type s, std::chrono::milliseconds limit) noexcept {
  constexpr std::chrono::milliseconds max_wait{3'600'000};
  const auto deadline = clock::system().now() + limit;
  for (auto remaining = (std::max)(limit, std::chrono::milliseconds(0));;) {
    const int ready = poll_connect(s, static_cast<int>((std::min)(remaining, max_wait).count()));
    if (ready > 0 || (ready < 0 && !would_block(last_error()))) return true;
    remaining = time_left(deadline);
    if (remaining.count() <= 0) return false;
  }
}

WINSVC_INLINE endpoint to_endpoint(const sockaddr_storage& address) {
  char text[64] = "";
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, &address, sizeof ipv6);
    if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
      ::inet_ntop(AF_INET, reinterpret_cast<const unsigned char*>(&ipv6.sin6_addr) + 12, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof text);
    }
    return {text, ntohs(ipv6.sin6_port)};
  }
  if (address.ss_family != AF_INET) return {};
  sockaddr_in ipv4{};
  std::memcpy(&ipv4, &address, sizeof ipv4);
  ::inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof text);
  return {text, ntohs(ipv4.sin_port)};
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

}  // namespace socket_api

WINSVC_INLINE sys_result<tcp_socket> tcp_socket::listen(const std::string& host, std::uint16_t port) {
  const auto resolved = socket_api::resolve(host, port);
  if (!resolved) return sys_failure(resolved.error());
  const auto& [address, length] = *resolved;

  tcp_socket listener = socket_api::to_owned_socket(socket_api::open(address.ss_family));
  if (!listener.is_open()) return sys_failure(socket_api::to_win32_error(socket_api::last_error()));
  const auto s = socket_api::raw(listener.native());
  if (!socket_api::set_exclusive_bind(s)) return sys_failure(socket_api::last_error());
  if (address.ss_family == AF_INET6) socket_api::set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // :: accepts IPv4 too

  if (::bind(s, reinterpret_cast<const sockaddr*>(&address), static_cast<socket_api::length_type>(length)) != 0 ||
      ::listen(s, SOMAXCONN) != 0 || !socket_api::set_nonblocking(s)) {
    return sys_failure(socket_api::to_win32_error(socket_api::last_error()));
  }
  return listener;
}

WINSVC_INLINE std::string port_owner(const endpoint& address) {
  const auto found = find_listener(address);
  if (!found || !*found || (*found)->pid == 0) return {};
  return owner_text(**found);
}

WINSVC_INLINE std::string owner_text(const port_listener& listener) {
  std::string owner = "pid " + std::to_string(listener.pid);
  if (listener.image.empty()) return owner;
  owner += " (" + program_name(listener.image) + ".exe)";
  const bool is_same_program = base::equal_nocase(listener.image, executable_path());
  if (is_same_program && listener.pid != process_id()) owner += ", another process of this program; stop it first";
  return owner;
}

WINSVC_INLINE sys_result<tcp_socket> tcp_socket::connect(const endpoint& server, std::chrono::milliseconds limit) {
  const auto resolved = socket_api::resolve(server.host, server.port);
  if (!resolved) return sys_failure(resolved.error());
  const auto& [address, length] = *resolved;

  tcp_socket client = socket_api::to_owned_socket(socket_api::open(address.ss_family));
  if (!client.is_open()) return sys_failure(socket_api::last_error());
  const auto s = socket_api::raw(client.native());
  socket_api::set_nonblocking(s);
  socket_api::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(s, reinterpret_cast<const sockaddr*>(&address), static_cast<socket_api::length_type>(length)) == 0)
    return client;
  // Return all other codes here: poll() would report the socket as ready and SO_ERROR would be 0.
  if (const auto code = socket_api::last_error(); !socket_api::is_connect_pending(code)) return sys_failure(code);
  if (!socket_api::wait_connected(s, limit)) return sys_failure(base::win32_error::timeout);

  int error = 0;
  socket_api::length_type size = sizeof error;
  ::getsockopt(s, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &size);
  if (error != 0) return sys_failure(static_cast<std::uint32_t>(error));
  return client;
}

WINSVC_INLINE tcp_socket tcp_socket::unbound() noexcept {
  socket_api::initialize();
  return socket_api::to_owned_socket(socket_api::open(AF_INET));
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
  // A response is sent with one call; Nagle's algorithm would only delay it.
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
  for (;;) {
    const auto count = ::recv(socket_api::raw(native_), &first, 1, MSG_PEEK);  // the socket is non-blocking
    if (count >= 0 || !socket_api::is_interrupted(socket_api::last_error())) return count == 1;
  }
}

WINSVC_INLINE bool tcp_socket::peer_closed() const noexcept {
  const auto s = socket_api::raw(native_);
  char byte = 0;
  for (;;) {
    const auto count = ::recv(s, &byte, 1, MSG_PEEK);  // the socket is non-blocking
    if (count < 0 && socket_api::is_interrupted(socket_api::last_error())) continue;
    return count == 0 || (count < 0 && !socket_api::would_block(socket_api::last_error()));
  }
}

WINSVC_INLINE transfer tcp_socket::receive(char* buffer, std::size_t capacity, std::size_t& received,
                                           std::chrono::milliseconds limit) noexcept {
  received = 0;
  const auto s = socket_api::raw(native_);
  const auto size = static_cast<socket_api::size_type>((std::min)(capacity, std::size_t{1} << 30));
  for (;;) {
    const auto count = socket_api::receive(s, buffer, size);
    if (count > 0) {
      received = static_cast<std::size_t>(count);
      return transfer::done;
    }
    if (count == 0) return transfer::closed;
    if (socket_api::is_interrupted(socket_api::last_error())) continue;
    if (!socket_api::would_block(socket_api::last_error())) return transfer::failed;
    if (limit.count() <= 0 || !socket_api::wait_ready(s, POLLIN, limit)) return transfer::timed_out;
  }
}

WINSVC_INLINE transfer tcp_socket::send_some(const char* data, std::size_t count, std::size_t& sent) noexcept {
  const auto s = socket_api::raw(native_);
  for (sent = 0; sent < count;) {
    const auto size = static_cast<socket_api::size_type>((std::min)(count - sent, std::size_t{1} << 30));
    const auto written = socket_api::send(s, data + sent, size);
    if (written < 0 && socket_api::is_interrupted(socket_api::last_error())) continue;
    if (written <= 0) return socket_api::would_block(socket_api::last_error()) ? transfer::timed_out : transfer::failed;
    sent += static_cast<std::size_t>(written);
  }
  return transfer::done;
}

WINSVC_INLINE transfer tcp_socket::send_parts(std::string_view first, std::string_view second,
                                              std::size_t& sent) noexcept {
  const auto s = socket_api::raw(native_);
  for (sent = 0; sent < first.size();) {
    const auto written = socket_api::send_parts(s, first.substr(sent), second);
    if (written < 0 && socket_api::is_interrupted(socket_api::last_error())) continue;
    if (written <= 0) return socket_api::would_block(socket_api::last_error()) ? transfer::timed_out : transfer::failed;
    sent += static_cast<std::size_t>(written);
  }
  const std::string_view unsent = second.substr(sent - first.size());
  std::size_t more = 0;
  const auto result = send_some(unsent.data(), unsent.size(), more);
  sent += more;
  return result;
}

WINSVC_INLINE transfer tcp_socket::send(const char* data, std::size_t count, std::chrono::milliseconds limit) noexcept {
  for (std::size_t sent = 0;; data += sent, count -= sent) {
    const auto result = send_some(data, count, sent);
    if (result != transfer::timed_out) return result;
    if (limit.count() <= 0 || !wait_writable(limit)) return transfer::timed_out;
  }
}

WINSVC_INLINE void tcp_socket::ignore_new_clients() noexcept {
  socket_api::ignore_new_clients(socket_api::raw(native_));
}
WINSVC_INLINE void tcp_socket::shutdown_send() noexcept {
  ::shutdown(socket_api::raw(native_), socket_api::shutdown_send_flag);
}
WINSVC_INLINE void tcp_socket::shutdown_both() noexcept {
  ::shutdown(socket_api::raw(native_), socket_api::shutdown_both_flag);
}
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
  const auto deadline = clock::system().now() + limit;
  for (auto remaining = limit;; remaining = socket_api::time_left(deadline)) {
    if (limit == no_limit) remaining = no_limit;
    const int ready = socket_api::poll_any(entries, 2, static_cast<int>((std::min)(remaining, maximum).count()));
    if (ready == 0) return outcome::timed_out;
    if (ready < 0 && !socket_api::would_block(socket_api::last_error())) return outcome::failed;
    if (ready > 0)
      return entries[0].revents != 0 ? outcome::woken : outcome::ready;  // never cleared: it stays woken
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
