// POSIX socket functions for os/tcp.hpp: calls, error codes and options that differ from Windows.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/posix/direct_calls.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/socket.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {
namespace socket_api {

using socket_type = int;
using size_type = std::size_t;
using length_type = socklen_t;

void initialize() noexcept;
[[nodiscard]] std::uint32_t last_error() noexcept;
[[nodiscard]] bool would_block(std::uint32_t code) noexcept;
/// True if a signal has interrupted the call: repeat it. An edge of the poller does not come again.
[[nodiscard]] bool is_interrupted(std::uint32_t code) noexcept;
/// True if a non-blocking connect has started and is in progress.
[[nodiscard]] bool is_connect_pending(std::uint32_t code) noexcept;
/// Converts the errors of a listen address to the Windows codes that the table of hints contains.
[[nodiscard]] std::uint32_t to_win32_error(std::uint32_t code) noexcept;
[[nodiscard]] std::uint32_t resolve_error(int) noexcept;
int close(socket_type s) noexcept;
int poll_any(pollfd* fds, std::size_t count, int ms) noexcept;
/// Waits until a pending connect has succeeded or failed. Returns what poll() returns.
int poll_connect(socket_type s, int ms) noexcept;
using poll_entry = pollfd;
/// poll() returns when another thread shuts the socket down, so it may wait for the full limit.
inline constexpr std::chrono::milliseconds max_poll_timeout{3'600'000};
[[nodiscard]] bool shut_down_by_us(socket_type) noexcept;
#ifdef MSG_NOSIGNAL
inline constexpr int send_flags = MSG_NOSIGNAL;  // send returns EPIPE instead of raising SIGPIPE
#else
inline constexpr int send_flags = 0;
#endif
inline constexpr int shutdown_both_flag = SHUT_RDWR, shutdown_send_flag = SHUT_WR;

/// As recv() and send().
[[nodiscard]] std::ptrdiff_t receive(socket_type s, char* buffer, size_type capacity) noexcept;
[[nodiscard]] std::ptrdiff_t send(socket_type s, const char* bytes, size_type count) noexcept;
/// Sends two parts with one call. Returns what send() returns.
[[nodiscard]] std::ptrdiff_t send_parts(socket_type s, std::string_view first, std::string_view second) noexcept;

void disable_inherit(socket_type s) noexcept;
[[nodiscard]] socket_type open(int family) noexcept;
bool set_nonblocking(socket_type s) noexcept;

/// SO_REUSEADDR only: it permits a port in TIME_WAIT. SO_REUSEPORT would allow a second program to listen.
bool set_exclusive_bind(socket_type s) noexcept;

[[nodiscard]] socket_type accept(socket_type listener) noexcept;
/// Makes a listener ignore new clients, so that they see a refused connection when it is closed; clients that have
/// connected can still be accepted.
void ignore_new_clients(socket_type listener) noexcept;

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

WINSVC_INLINE std::ptrdiff_t receive(socket_type s, char* buffer, size_type capacity) noexcept {
  return direct_receive(s, buffer, capacity);
}
WINSVC_INLINE std::ptrdiff_t send(socket_type s, const char* bytes, size_type count) noexcept {
  return direct_send(s, bytes, count, send_flags);
}
WINSVC_INLINE std::ptrdiff_t send_parts(socket_type s, std::string_view first, std::string_view second) noexcept {
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return ::sendmsg(s, &message, send_flags);
}
WINSVC_INLINE void initialize() noexcept {}
WINSVC_INLINE std::uint32_t last_error() noexcept { return static_cast<std::uint32_t>(errno); }
WINSVC_INLINE bool would_block(std::uint32_t code) noexcept {
  return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}
WINSVC_INLINE bool is_interrupted(std::uint32_t code) noexcept { return code == EINTR; }
WINSVC_INLINE bool is_connect_pending(std::uint32_t code) noexcept { return code == EINPROGRESS || code == EINTR; }
WINSVC_INLINE std::uint32_t to_win32_error(std::uint32_t code) noexcept {
  switch (code) {
    case EADDRINUSE: return base::win32_error::address_in_use;
    case EACCES: return base::win32_error::access_to_address;
    case EADDRNOTAVAIL: return base::win32_error::address_not_available;
    case EAFNOSUPPORT: return base::win32_error::family_not_supported;
    default: return code;
  }
}
WINSVC_INLINE std::uint32_t resolve_error(int) noexcept { return base::win32_error::host_not_found; }
WINSVC_INLINE int close(socket_type s) noexcept { return ::close(s); }
WINSVC_INLINE int poll_any(pollfd* fds, std::size_t count, int ms) noexcept {
  return ::poll(fds, static_cast<nfds_t>(count), ms);
}
WINSVC_INLINE int poll_connect(socket_type s, int ms) noexcept {
  pollfd entry{s, POLLOUT, 0};
  return ::poll(&entry, 1, ms);
}
WINSVC_INLINE bool shut_down_by_us(socket_type) noexcept { return false; }

WINSVC_INLINE void disable_inherit(socket_type s) noexcept { ::fcntl(s, F_SETFD, FD_CLOEXEC); }
WINSVC_INLINE socket_type open(int family) noexcept {
  const int s = ::socket(family, SOCK_STREAM, IPPROTO_TCP);
  if (s != -1) disable_inherit(s);
  return s;
}
WINSVC_INLINE bool set_nonblocking(socket_type s) noexcept {
  return ::fcntl(s, F_SETFL, ::fcntl(s, F_GETFL, 0) | O_NONBLOCK) == 0;
}
WINSVC_INLINE bool set_exclusive_bind(socket_type s) noexcept {
  const int on = 1;
  return ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
}

WINSVC_INLINE socket_type accept(socket_type listener) noexcept {
  socket_type s = -1;
  do {
  #if WINSVC_OS_LINUX
    s = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  #else
    s = ::accept(listener, nullptr, nullptr);
    if (s != -1) disable_inherit(s), set_nonblocking(s);
  #endif
  } while (s == -1 && (is_interrupted(last_error()) || last_error() == ECONNABORTED));  // that client has left
  return s;
}

/// On Linux, a packet filter drops each SYN: the client tries again and finds the port closed. Without the filter, a
/// client that connects between the last accept and the close would be reset. Source: socket(7), SO_ATTACH_FILTER.
WINSVC_INLINE void ignore_new_clients([[maybe_unused]] socket_type listener) noexcept {
  #if WINSVC_OS_LINUX
  constexpr std::uint32_t flags_offset = 13, syn_and_ack = 0x12, syn = 0x02, accept_all = 0xFFFFFFFF;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_offset),  // flags of the TCP header, at which the packet begins
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, syn_and_ack),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, syn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, accept_all),
  };
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  ::setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
  #endif
}

WINSVC_INLINE void open_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept {
  int pair[2] = {-1, -1};
  if (::pipe(pair) != 0) return;
  for (int i = 0; i < 2; ++i) {
    disable_inherit(pair[i]);
    set_nonblocking(pair[i]);
    ends[i] = pair[i];
  }
}
WINSVC_INLINE void close_wakeup(tcp_socket::native_handle (&ends)[2]) noexcept {
  for (const auto end : ends) close(static_cast<int>(end));
}
WINSVC_INLINE void signal_wakeup(tcp_socket::native_handle end) noexcept {
  static_cast<void>(!::write(static_cast<int>(end), "w", 1));  // if the pipe is full, it is readable already
}
WINSVC_INLINE void clear_wakeup(tcp_socket::native_handle end) noexcept {
  char sink[256];
  while (::read(static_cast<int>(end), sink, sizeof sink) > 0) {}
}

}  // namespace socket_api

WINSVC_INLINE sys_result<std::optional<port_listener>> find_listener(const endpoint&) {
  return sys_failure(base::win32_error::not_supported);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
