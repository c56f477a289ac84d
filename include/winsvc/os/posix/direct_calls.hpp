// Direct calls: the system calls of a request, without the functions of the C library where possible.
//
//   direct_receive(s, buffer, capacity);             // as recv()
//   direct_send(s, bytes, size, flags);              // as send()
//   direct_wait(poller, events, capacity);           // as epoll_wait() without a time limit; Linux
//
// In glibc, these functions are cancellation points of pthread_cancel(): if the process has several threads, each call
// has two compare-exchanges (glibc 2.36). The engine cancels no thread. syscall() sets errno in the same way and is not
// a cancellation point.
// A library that replaces recv(), send() or epoll_wait() with LD_PRELOAD does not see these calls, and a seccomp filter
// must allow epoll_pwait.
// Source: pthreads(7), section "Cancellation points"; syscall(2).
#pragma once

#include <cstddef>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

[[nodiscard]] std::ptrdiff_t direct_receive(int s, char* buffer, std::size_t capacity) noexcept;
[[nodiscard]] std::ptrdiff_t direct_send(int s, const char* bytes, std::size_t size, int flags) noexcept;
#if WINSVC_OS_LINUX
[[nodiscard]] int direct_wait(int poller, epoll_event* events, int capacity) noexcept;
#endif

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

// A 32-bit system may have other calls for sockets.
#if WINSVC_OS_LINUX && WINSVC_POSIX_64_BIT && !WINSVC_SANITIZER

WINSVC_INLINE std::ptrdiff_t direct_receive(int s, char* buffer, std::size_t capacity) noexcept {
  return ::syscall(SYS_recvfrom, s, buffer, capacity, 0L, nullptr, nullptr);
}
WINSVC_INLINE std::ptrdiff_t direct_send(int s, const char* bytes, std::size_t size, int flags) noexcept {
  return ::syscall(SYS_sendto, s, bytes, size, flags, nullptr, 0L);
}
WINSVC_INLINE int direct_wait(int poller, epoll_event* events, int capacity) noexcept {
  return static_cast<int>(::syscall(SYS_epoll_pwait, poller, events, capacity, -1L, nullptr, 0L));
}

#else

WINSVC_INLINE std::ptrdiff_t direct_receive(int s, char* buffer, std::size_t capacity) noexcept {
  return ::recv(s, buffer, capacity, 0);
}
WINSVC_INLINE std::ptrdiff_t direct_send(int s, const char* bytes, std::size_t size, int flags) noexcept {
  return ::send(s, bytes, size, flags);
}
  #if WINSVC_OS_LINUX
WINSVC_INLINE int direct_wait(int poller, epoll_event* events, int capacity) noexcept {
  return ::epoll_wait(poller, events, capacity, -1);
}
  #endif

#endif

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
