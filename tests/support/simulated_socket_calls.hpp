// Replacements of system calls in a simulation: sockets, pipes, event counters and epoll. See simulated_calls.hpp.
//
//   #include "simulated_socket_calls.hpp"          // in exactly one source file of a program
//
// A descriptor of the simulated network, and a new descriptor of a simulated thread, is served by
// simulated_sockets.hpp; any other by the system.
#pragma once

#include "simulated_calls.hpp"
#include "simulated_sockets.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace simulation {

[[nodiscard]] inline bool is_simulated(int fd) noexcept { return fd >= first_descriptor && current_network; }

inline constexpr std::uint16_t server_port = 8080;

/// A call that may be interrupted by a signal: may run other threads first. Returns true if it must return EINTR.
inline bool begin_interruptible_call() {
  current_scheduler->step();
  if (!current_scheduler->faults.occurs(fault::interrupted)) return false;
  errno = EINTR;
  return true;
}

}  // namespace simulation

extern "C" {

int socket(int family, int type, int protocol) noexcept {
  if (simulation::is_simulated()) return simulation::current_network->open(simulation::descriptor::kind::socket);
  CALL_SYSTEM(socket, family, type, protocol);
}
int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  if (simulation::is_simulated(fd)) {
    simulation::current_network->find(fd)->port = simulation::server_port;
    return 0;
  }
  CALL_SYSTEM(bind, fd, address, size);
}
int listen(int fd, int backlog) noexcept {
  if (simulation::is_simulated(fd)) {
    simulation::current_network->find(fd)->type = simulation::descriptor::kind::listener;
    return 0;
  }
  CALL_SYSTEM(listen, fd, backlog);
}
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (simulation::is_simulated(fd)) {
    if (simulation::begin_interruptible_call()) return -1;
    return simulation::current_network->accept(fd);
  }
  CALL_SYSTEM(accept4, fd, address, size, flags);
}
static int simulated_address(int fd, sockaddr* address, socklen_t* size, bool of_peer) noexcept {
  const auto* const d = simulation::current_network->find(fd);
  if (!d) return errno = EBADF, -1;
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  result.sin_port = htons(of_peer && d->peer ? d->peer->client_port : simulation::server_port);
  std::memcpy(address, &result, sizeof result);
  *size = sizeof result;
  return 0;
}
int getsockname(int fd, sockaddr* address, socklen_t* size) noexcept {
  if (simulation::is_simulated(fd)) return simulated_address(fd, address, size, false);
  CALL_SYSTEM(getsockname, fd, address, size);
}
int getpeername(int fd, sockaddr* address, socklen_t* size) noexcept {
  if (simulation::is_simulated(fd)) return simulated_address(fd, address, size, true);
  CALL_SYSTEM(getpeername, fd, address, size);
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  if (simulation::is_simulated(fd)) {
    if (name == SO_ATTACH_FILTER && level == SOL_SOCKET) simulation::current_network->find(fd)->ignores_clients = true;
    return 0;
  }
  CALL_SYSTEM(setsockopt, fd, level, name, value, size);
}
int shutdown(int fd, int direction) noexcept {
  if (simulation::is_simulated(fd)) {
    simulation::current_scheduler->step();
    return simulation::current_network->shut_down(fd, direction == SHUT_RDWR);
  }
  CALL_SYSTEM(shutdown, fd, direction);
}
ssize_t recv(int fd, void* buffer, std::size_t size, int flags) {
  if (simulation::is_simulated(fd)) {
    if (simulation::begin_interruptible_call()) return -1;
    return simulation::current_network->receive(fd, static_cast<char*>(buffer), size, (flags & MSG_PEEK) != 0);
  }
  CALL_SYSTEM(recv, fd, buffer, size, flags);
}
ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
  if (simulation::is_simulated(fd)) {
    if (simulation::begin_interruptible_call()) return -1;
    return simulation::current_network->send(fd, {static_cast<const char*>(bytes), size});
  }
  CALL_SYSTEM(send, fd, bytes, size, flags);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (simulation::is_simulated(fd)) {
    if (simulation::begin_interruptible_call()) return -1;
    ssize_t total = 0;
    for (std::size_t i = 0; i < message->msg_iovlen; ++i) {
      const iovec& part = message->msg_iov[i];
      const auto sent = simulation::current_network->send(fd, {static_cast<const char*>(part.iov_base), part.iov_len});
      if (sent < 0) return total > 0 ? total : sent;
      total += sent;
      if (static_cast<std::size_t>(sent) < part.iov_len) break;
    }
    return total;
  }
  CALL_SYSTEM(sendmsg, fd, message, flags);
}
int poll(pollfd* entries, nfds_t count, int timeout) {
  if (simulation::is_simulated()) {
    if (simulation::begin_interruptible_call()) return -1;
    return simulation::current_network->poll(entries, count, timeout);
  }
  CALL_SYSTEM(poll, entries, count, timeout);
}
int epoll_create1(int flags) noexcept {
  if (simulation::is_simulated()) return simulation::current_network->open(simulation::descriptor::kind::poller);
  CALL_SYSTEM(epoll_create1, flags);
}
int epoll_ctl(int poller, int operation, int fd, epoll_event* event) noexcept {
  if (simulation::is_simulated(poller)) {
    simulation::current_scheduler->step();
    return simulation::current_network->control(poller, operation, fd, event);
  }
  CALL_SYSTEM(epoll_ctl, poller, operation, fd, event);
}
int epoll_wait(int poller, epoll_event* events, int capacity, int timeout) {
  if (simulation::is_simulated(poller)) {
    if (simulation::begin_interruptible_call()) return -1;
    return simulation::current_network->wait(poller, events, capacity);
  }
  CALL_SYSTEM(epoll_wait, poller, events, capacity, timeout);
}
/// os/posix/direct_calls.hpp calls it for sockets and epoll; libstdc++ makes other calls.
long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  long a[6];
  for (long& each : a) each = va_arg(list, long);
  va_end(list);
  const auto fd = static_cast<int>(a[0]);
  if (simulation::is_simulated(fd)) {
    if (number == SYS_recvfrom) return recv(fd, reinterpret_cast<void*>(a[1]), static_cast<std::size_t>(a[2]), 0);
    if (number == SYS_sendto) return send(fd, reinterpret_cast<void*>(a[1]), static_cast<std::size_t>(a[2]), 0);
    if (number == SYS_epoll_pwait)
      return epoll_wait(fd, reinterpret_cast<epoll_event*>(a[1]), static_cast<int>(a[2]), -1);
  }
  CALL_SYSTEM(syscall, number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
int eventfd(unsigned count, int flags) noexcept {
  if (simulation::is_simulated()) return simulation::current_network->open_counter();
  CALL_SYSTEM(eventfd, count, flags);
}
int pipe(int ends[2]) noexcept {
  if (simulation::is_simulated()) {
    int both[2] = {-1, -1};
    const int result = simulation::current_network->open_pipe(both);
    ends[0] = both[0], ends[1] = both[1];
    return result;
  }
  CALL_SYSTEM(pipe, ends);
}
ssize_t read(int fd, void* buffer, std::size_t size) {
  if (simulation::is_simulated(fd)) {
    auto* const d = simulation::current_network->find(fd);
    const auto count = std::exchange(*d->pending, std::size_t{0});
    if (count == 0) return errno = EAGAIN, -1;
    return static_cast<ssize_t>(count < size ? count : size);
  }
  CALL_SYSTEM(read, fd, buffer, size);
}
ssize_t write(int fd, const void* bytes, std::size_t size) {
  if (simulation::is_simulated(fd)) {
    auto* const d = simulation::current_network->find(fd);
    simulation::current_network->signal(*d, 1);
    simulation::current_scheduler->step();
    return static_cast<ssize_t>(size);
  }
  CALL_SYSTEM(write, fd, bytes, size);
}
int close(int fd) {
  if (simulation::is_simulated(fd)) return simulation::current_network->close(fd);
  CALL_SYSTEM(close, fd);
}
int fcntl(int fd, int command, ...) {
  if (simulation::is_simulated(fd)) return 0;
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  CALL_SYSTEM(fcntl, fd, command, argument);
}

}  // extern "C"
