// Winsock functions for os/tcp.hpp: calls, error codes and options that differ from POSIX.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/socket.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {
namespace socket_api {

using socket_type = SOCKET;
using size_type = int;
using length_type = int;

/// Calls WSAStartup once per process. There is no WSACleanup, because other code in the process may use Winsock.
void initialize() noexcept;
[[nodiscard]] std::uint32_t last_error() noexcept;
[[nodiscard]] bool would_block(std::uint32_t code) noexcept;
/// True if a non-blocking connect has started and is in progress.
[[nodiscard]] bool is_connect_pending(std::uint32_t code) noexcept;
/// A call on Windows is not interrupted.
[[nodiscard]] bool is_interrupted(std::uint32_t) noexcept;
/// Windows has no function for it.
void ignore_new_clients(socket_type) noexcept;
/// Returns the code unchanged; on POSIX it converts errno.
[[nodiscard]] std::uint32_t to_win32_error(std::uint32_t code) noexcept;
[[nodiscard]] std::uint32_t resolve_error(int code) noexcept;
int close(socket_type s) noexcept;
int poll_any(WSAPOLLFD* fds, std::size_t count, int ms) noexcept;
/// Waits until a pending connect has succeeded or failed. Before Windows 10 2004, WSAPoll does not report a failure.
/// select reports it in its third set. Returns what select returns.
int poll_connect(socket_type s, int ms) noexcept;
using poll_entry = WSAPOLLFD;
/// WSAPoll may not return when another thread shuts the socket down (Wine 8), so it is called again at this interval.
inline constexpr std::chrono::milliseconds max_poll_timeout{100};
[[nodiscard]] bool shut_down_by_us(socket_type s) noexcept;
inline constexpr int shutdown_both_flag = SD_BOTH, shutdown_send_flag = SD_SEND;

/// As recv() and send().
[[nodiscard]] std::ptrdiff_t receive(socket_type s, char* buffer, size_type capacity) noexcept;
[[nodiscard]] std::ptrdiff_t send(socket_type s, const char* bytes, size_type count) noexcept;
/// Sends two parts with one call. Returns the number of bytes, or -1.
[[nodiscard]] std::ptrdiff_t send_parts(socket_type s, std::string_view first, std::string_view second) noexcept;

[[nodiscard]] socket_type open(int family) noexcept;
bool set_nonblocking(socket_type s) noexcept;
void disable_inherit(socket_type s) noexcept;

/// SO_EXCLUSIVEADDRUSE: no other program can bind the port. With SO_REUSEADDR, another program could bind it and
/// receive the clients. The two options exclude each other.
bool set_exclusive_bind(socket_type s) noexcept;

[[nodiscard]] socket_type accept(socket_type listener) noexcept;

/// Creates the socket that ends a WSAPoll: a UDP socket that sends to itself, because WSAPoll accepts only sockets.
/// Both elements of `ends` are this socket.
void open_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept;
void close_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept;
void signal_wakeup(tcp_socket::native_handle end) noexcept;
void clear_wakeup(tcp_socket::native_handle end) noexcept;

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

WINSVC_INLINE void initialize() noexcept {
  static const int started = [] {
    WSADATA data;
    return ::WSAStartup(MAKEWORD(2, 2), &data);
  }();
  static_cast<void>(started);
}
WINSVC_INLINE std::uint32_t last_error() noexcept { return static_cast<std::uint32_t>(::WSAGetLastError()); }
WINSVC_INLINE bool would_block(std::uint32_t code) noexcept { return code == WSAEWOULDBLOCK; }
WINSVC_INLINE bool is_interrupted(std::uint32_t) noexcept { return false; }
WINSVC_INLINE void ignore_new_clients(socket_type) noexcept {}
WINSVC_INLINE bool is_connect_pending(std::uint32_t code) noexcept { return code == WSAEWOULDBLOCK; }
WINSVC_INLINE std::uint32_t to_win32_error(std::uint32_t code) noexcept { return code; }
WINSVC_INLINE std::uint32_t resolve_error(int code) noexcept { return static_cast<std::uint32_t>(code); }
WINSVC_INLINE int close(socket_type s) noexcept { return ::closesocket(s); }
WINSVC_INLINE std::ptrdiff_t receive(socket_type s, char* buffer, size_type capacity) noexcept {
  return ::recv(s, buffer, capacity, 0);
}
WINSVC_INLINE std::ptrdiff_t send(socket_type s, const char* bytes, size_type count) noexcept {
  return ::send(s, bytes, count, 0);
}
WINSVC_INLINE std::ptrdiff_t send_parts(socket_type s, std::string_view first, std::string_view second) noexcept {
  const auto part = [](std::string_view bytes) {
    constexpr std::size_t max_bytes = std::size_t{1} << 30;
    return WSABUF{static_cast<ULONG>((std::min)(bytes.size(), max_bytes)), const_cast<char*>(bytes.data())};
  };
  WSABUF parts[2] = {part(first), part(second)};
  DWORD sent = 0;
  return ::WSASend(s, parts, 2, &sent, 0, nullptr, nullptr) == 0 ? static_cast<std::ptrdiff_t>(sent) : -1;
}
WINSVC_INLINE int poll_any(WSAPOLLFD* fds, std::size_t count, int ms) noexcept {
  return ::WSAPoll(fds, static_cast<ULONG>(count), ms);
}
WINSVC_INLINE int poll_connect(socket_type s, int ms) noexcept {
  fd_set connected{}, failed{};
  connected.fd_count = failed.fd_count = 1;
  connected.fd_array[0] = failed.fd_array[0] = s;
  timeval limit{ms / 1000, ms % 1000 * 1000};
  return ::select(0, nullptr, &connected, &failed, &limit);
}
WINSVC_INLINE bool shut_down_by_us(socket_type s) noexcept {
  char byte = 0;
  return ::recv(s, &byte, 1, MSG_PEEK) < 0 && ::WSAGetLastError() == WSAESHUTDOWN;
}

WINSVC_INLINE socket_type open(int family) noexcept {
  return ::WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}
WINSVC_INLINE bool set_nonblocking(socket_type s) noexcept {
  u_long on = 1;
  return ::ioctlsocket(s, static_cast<long>(FIONBIO), &on) == 0;
}
WINSVC_INLINE void disable_inherit(socket_type s) noexcept {
  ::SetHandleInformation(reinterpret_cast<HANDLE>(s), HANDLE_FLAG_INHERIT, 0);
}
WINSVC_INLINE bool set_exclusive_bind(socket_type s) noexcept {
  const BOOL on = TRUE;
  return ::setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&on), sizeof on) == 0;
}

WINSVC_INLINE socket_type accept(socket_type listener) noexcept {
  const SOCKET s = ::accept(listener, nullptr, nullptr);
  if (s != INVALID_SOCKET) disable_inherit(s), set_nonblocking(s);
  return s;
}
WINSVC_INLINE void open_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept {
  const SOCKET s =
      ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = sizeof self;
  const bool is_connected = s != INVALID_SOCKET && set_nonblocking(s) &&
                            ::bind(s, reinterpret_cast<sockaddr*>(&self), length) == 0 &&
                            ::getsockname(s, reinterpret_cast<sockaddr*>(&self), &length) == 0 &&
                            ::connect(s, reinterpret_cast<sockaddr*>(&self), length) == 0;
  if (is_connected) ends[0] = ends[1] = static_cast<tcp_socket::native_handle>(s);
  else if (s != INVALID_SOCKET) close(s);
}
WINSVC_INLINE void close_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept { close(static_cast<SOCKET>(ends[0])); }
WINSVC_INLINE void signal_wakeup(tcp_socket::native_handle end) noexcept {
  ::send(static_cast<SOCKET>(end), "w", 1, 0);
}
WINSVC_INLINE void clear_wakeup(tcp_socket::native_handle end) noexcept {
  char sink[64];
  while (::recv(static_cast<SOCKET>(end), sink, sizeof sink, 0) > 0) {}
}

}  // namespace socket_api

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
