// Simulated sockets, pipes, event counters and epoll, for the server under test and for the clients of a scenario.
//
//   simulation::network net(world);
//   const auto client = net.connect(port, events);   // null: no listener
//   net.deliver(*client, "GET / HTTP/1.1\r\n\r\n");
//
// The functions with a descriptor do what the system call does, with its result and errno. The others are the side of a
// client; they never wait. A descriptor of the simulation is at least `first_descriptor`.
// Source: epoll(7), epoll_wait(2), eventfd(2), recv(2), send(2), poll(2).
#pragma once

#include "simulated_descriptors.hpp"
#include "simulated_threads.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <utility>
#include <vector>

namespace simulation {

inline constexpr int first_descriptor = 1 << 24;

class network {
 public:
  explicit network(scheduler& world) : world_(world) {}

  /// Number of open descriptors, and of those that are connections.
  [[nodiscard]] std::size_t open_count() const noexcept { return open_count_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return connection_count_; }
  std::size_t max_descriptors = 0;  ///< 0: no limit
  std::size_t lost_clients = 0;     ///< connections that a closed listener has reset

  /// The longest time for which a socket has been ready while no thread waits in its poller.
  [[nodiscard]] nanoseconds longest_ready() const noexcept {
    nanoseconds longest{0};
    for (const descriptor* const poller : pollers_)
      if (!poller->ready.empty() && !world_.has_waiter(poller))
        longest = (std::max)(longest, world_.now() - poller->ready_since);
    return longest;
  }

  // --- a client ---

  std::shared_ptr<connection> connect(std::uint16_t port, std::function<void()> on_change) {
    for (const auto& each : table_) {
      if (!each || each->type != descriptor::kind::listener || each->port != port || each->ignores_clients) continue;
      auto made = std::make_shared<connection>();
      made->on_change = std::move(on_change);
      made->client_port = static_cast<std::uint16_t>(20'000 + next_port_++ % 40'000);
      each->waiting.push_back(made);
      raise(*each, EPOLLIN);
      return made;
    }
    return nullptr;
  }
  void deliver(connection& c, std::string_view bytes) {
    if (c.server_closed) return;
    c.to_server.append(bytes);
    if (c.server_side) raise(*c.server_side, EPOLLIN);
  }
  /// The client sends no more; with `leave`, it also does not read.
  void end(connection& c, bool leave) {
    c.client_ended = true;
    c.client_left = c.client_left || leave;
    if (c.server_side) raise(*c.server_side, EPOLLIN | EPOLLRDHUP | (leave ? EPOLLOUT : 0u));
  }
  /// Takes at most `count` bytes that the server has sent.
  std::string take(connection& c, std::size_t count) {
    std::string bytes = c.to_client.substr(0, count);
    c.to_client.erase(0, bytes.size());
    if (!bytes.empty() && std::exchange(c.was_full, false) && c.server_side) raise(*c.server_side, EPOLLOUT);
    return bytes;
  }

  // --- the server ---

  int open(descriptor::kind type) {
    if (max_descriptors != 0 && open_count_ >= max_descriptors) return errno = EMFILE, -1;
    std::size_t index = 0;
    while (index < table_.size() && table_[index]) ++index;
    if (index == table_.size()) table_.emplace_back();
    table_[index] = std::make_unique<descriptor>();
    table_[index]->type = type;
    if (type == descriptor::kind::poller) pollers_.push_back(table_[index].get());
    ++open_count_;
    return first_descriptor + static_cast<int>(index);
  }
  [[nodiscard]] descriptor* find(int fd) noexcept {
    const auto index = static_cast<std::size_t>(fd - first_descriptor);
    return fd >= first_descriptor && index < table_.size() ? table_[index].get() : nullptr;
  }
  int open_counter() {
    const int fd = open(descriptor::kind::counter);
    if (fd != -1) find(fd)->owner = std::make_shared<std::size_t>(0);
    if (fd != -1) find(fd)->pending = find(fd)->owner.get();
    return fd;
  }
  int open_pipe(int (&ends)[2]) {
    if ((ends[0] = open(descriptor::kind::pipe_side)) == -1) return -1;
    if ((ends[1] = open(descriptor::kind::pipe_side)) == -1) return close(ends[0]), errno = EMFILE, -1;
    auto bytes = std::make_shared<std::size_t>(0);
    for (const int fd : ends) find(fd)->owner = bytes, find(fd)->pending = bytes.get();
    find(ends[1])->is_write_end = true;
    return 0;
  }
  int close(int fd) {
    descriptor* const d = find(fd);
    if (!d) return errno = EBADF, -1;
    forget(*d);
    if (world_.now() < shortage_end_) {
      shortage_end_ = {};
      has_free_descriptor_ = true;
    }
    if (d->peer) {
      --connection_count_;
      d->peer->server_side = nullptr;
      d->peer->server_closed = true;
      notify_client(d->peer);
    }
    for (const auto& each : d->waiting) {
      ++lost_clients;
      each->server_closed = each->was_reset = true;
      notify_client(each);
    }
    if (d->type == descriptor::kind::poller) {
      pollers_.erase(std::find(pollers_.begin(), pollers_.end(), d));
      for (auto& each : table_)
        if (each && each->poller == d) each->poller = nullptr;
    }
    table_[static_cast<std::size_t>(fd - first_descriptor)].reset();
    --open_count_;
    return 0;
  }
  int accept(int fd) {
    descriptor* const listener = find(fd);
    if (!listener) return errno = EBADF, -1;
    if (listener->waiting.empty()) return errno = EAGAIN, -1;
    if (world_.faults.occurs(fault::client_aborted)) return errno = ECONNABORTED, -1;
    if (world_.now() >= shortage_end_ && world_.faults.occurs(fault::no_descriptor) && !has_free_descriptor_)
      shortage_end_ = world_.now() + std::chrono::milliseconds(world_.faults.random().between(1, 50));
    if (world_.now() < shortage_end_) {
      listener->waiting.front()->had_no_descriptor = true;
      return errno = world_.faults.random().one_in(2) ? EMFILE : ENFILE, -1;
    }
    has_free_descriptor_ = false;
    const int accepted = open(descriptor::kind::socket);
    if (accepted == -1) return -1;
    descriptor& d = *find(accepted);
    d.peer = std::move(listener->waiting.front());
    listener->waiting.pop_front();
    d.peer->server_side = &d;
    d.peer->accepted = true;
    d.peer->accept_time = world_.now();
    ++connection_count_;
    return accepted;
  }
  long receive(int fd, char* buffer, std::size_t capacity, bool peek) {
    descriptor* const d = find(fd);
    if (!d || !d->peer) return errno = EBADF, -1;
    connection& c = *d->peer;
    auto count = (std::min)(capacity, c.to_server.size());
    if (count == 0) {
      if (d->shut_down || c.client_ended) return 0;
      return errno = EAGAIN, -1;
    }
    if (!peek && world_.faults.occurs(fault::late_bytes)) {
      world_.at(world_.now() + std::chrono::milliseconds(world_.faults.random().between(1, 3)), [this, peer = d->peer] {
        if (peer->server_side) raise(*peer->server_side, EPOLLIN);
      });
      return errno = EAGAIN, -1;
    }
    if (world_.faults.occurs(fault::short_receive)) count = world_.faults.part_of(count);
    std::memcpy(buffer, c.to_server.data(), count);
    if (!peek) c.to_server.erase(0, count);
    return static_cast<long>(count);
  }
  long send(int fd, std::string_view bytes) {
    descriptor* const d = find(fd);
    if (!d || !d->peer) return errno = EBADF, -1;
    connection& c = *d->peer;
    if (d->shut_down || c.server_ended || c.client_left) return errno = EPIPE, -1;
    if (world_.faults.occurs(fault::no_send_memory)) {
      c.had_failure = true;
      return errno = world_.faults.random().one_in(2) ? ENOBUFS : ENOMEM, -1;
    }
    if (world_.faults.occurs(fault::send_not_ready)) {
      c.had_not_ready = true;
      return errno = EAGAIN, -1;
    }
    if (world_.faults.occurs(fault::short_send)) bytes = bytes.substr(0, world_.faults.part_of(bytes.size()));
    const auto count = (std::min)(bytes.size(), c.capacity - (std::min)(c.capacity, c.to_client.size()));
    if (count < bytes.size()) c.was_full = true;
    if (count == 0) return errno = EAGAIN, -1;
    c.to_client.append(bytes.substr(0, count));
    notify_client(d->peer);
    return static_cast<long>(count);
  }
  int shut_down(int fd, bool both) {
    descriptor* const d = find(fd);
    if (!d || !d->peer) return errno = EBADF, -1;
    d->peer->server_ended = true;
    d->shut_down = d->shut_down || both;
    notify_client(d->peer);
    if (both) raise(*d, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    return 0;
  }
  /// write() to a counter or a pipe.
  void signal(descriptor& d, std::size_t bytes) {
    *d.pending += bytes;
    if (d.type == descriptor::kind::counter) return raise(d, EPOLLIN);
    for (auto& each : table_)
      if (each && each->pending == d.pending && !each->is_write_end) raise(*each, EPOLLIN);
  }

  int control(int poller, int operation, int fd, const epoll_event* event) {
    descriptor* const d = find(fd);
    if (!d) return errno = EBADF, -1;
    if (operation == EPOLL_CTL_ADD && d->peer && world_.faults.occurs(fault::no_poll_memory)) {
      d->peer->had_failure = true;
      return errno = world_.faults.random().one_in(2) ? ENOMEM : ENOSPC, -1;
    }
    forget(*d);
    if (operation == EPOLL_CTL_DEL) return 0;
    d->poller = find(poller);
    d->watched = event->events;
    d->data = event->data;
    if (const auto now = state_of(*d) & (d->watched | EPOLLERR | EPOLLHUP); now != 0) raise(*d, now);
    return 0;
  }
  int wait(int fd, epoll_event* events, int capacity) {
    descriptor& poller = *find(fd);
    for (;;) {
      int count = 0;
      std::vector<descriptor*> again;
      while (count < capacity && !poller.ready.empty()) {
        descriptor& d = *poller.ready.front();
        poller.ready.pop_front();
        d.is_ready = false;
        const auto found = state_of(d) & (d.watched | EPOLLERR | EPOLLHUP);
        if (found == 0) continue;
        events[count].events = found;
        events[count++].data = d.data;
        if ((d.watched & EPOLLET) == 0) again.push_back(&d);
      }
      for (descriptor* const d : again) raise(*d, EPOLLIN);
      if (!poller.ready.empty()) world_.wake_one(&poller);
      if (count > 0) return count;
      world_.wait(&poller, never);
    }
  }
  int poll(pollfd* entries, std::size_t count, int timeout) {
    const auto deadline = timeout < 0 ? never : world_.now() + std::chrono::milliseconds(timeout);
    for (;;) {
      int ready = 0;
      for (std::size_t i = 0; i < count; ++i) {
        descriptor* const d = find(entries[i].fd);
        const auto found = d ? state_of(*d) : std::uint32_t{EPOLLHUP};  // the constants are those of poll()
        entries[i].revents = static_cast<short>(found & (static_cast<unsigned>(entries[i].events) | POLLERR | POLLHUP));
        ready += entries[i].revents != 0 ? 1 : 0;
      }
      if (ready > 0 || world_.now() >= deadline) return ready;
      for (std::size_t i = 0; i < count; ++i)
        if (descriptor* const d = find(entries[i].fd)) ++d->poll_count;
      world_.wait(this, deadline);
      for (std::size_t i = 0; i < count; ++i)
        if (descriptor* const d = find(entries[i].fd); d && d->poll_count > 0) --d->poll_count;
    }
  }

 private:
  /// The events of a descriptor now.
  [[nodiscard]] static std::uint32_t state_of(const descriptor& d) noexcept {
    switch (d.type) {
      case descriptor::kind::listener: return d.waiting.empty() ? 0u : std::uint32_t{EPOLLIN};
      case descriptor::kind::counter: return *d.pending == 0 ? 0u : std::uint32_t{EPOLLIN};
      case descriptor::kind::pipe_side: return *d.pending == 0 || d.is_write_end ? 0u : std::uint32_t{EPOLLIN};
      case descriptor::kind::poller: return 0;
      case descriptor::kind::socket: break;
    }
    const connection& c = *d.peer;
    std::uint32_t found = 0;
    if (!c.to_server.empty() || c.client_ended || d.shut_down) found |= EPOLLIN;
    if (c.client_ended || d.shut_down) found |= EPOLLRDHUP;
    if (c.to_client.size() < c.capacity || c.client_left || d.shut_down) found |= EPOLLOUT;
    if ((c.client_ended && c.server_ended) || d.shut_down) found |= EPOLLHUP;
    return found;
  }
  void raise(descriptor& d, std::uint32_t events) {
    if (d.poll_count > 0) world_.wake_all(this);
    if (!d.poller || (events & (d.watched | EPOLLERR | EPOLLHUP)) == 0) return;
    if (!std::exchange(d.is_ready, true)) {
      if (d.poller->ready.empty()) d.poller->ready_since = world_.now();
      d.poller->ready.push_back(&d);
    }
    world_.wake_one(d.poller);
  }
  static void forget(descriptor& d) {
    if (d.poller && std::exchange(d.is_ready, false)) {
      auto& ready = d.poller->ready;
      ready.erase(std::find(ready.begin(), ready.end(), &d));
    }
    d.poller = nullptr;
  }
  void notify_client(const std::shared_ptr<connection>& c) {
    if (!c->on_change || std::exchange(c->change_scheduled, true)) return;
    world_.at(world_.now(), [c] {
      c->change_scheduled = false;
      c->on_change();
    });
  }

  nanoseconds shortage_end_{};  // until then, accept finds no descriptor
  bool has_free_descriptor_ = false;  // one was closed in a shortage: the next accept succeeds
  scheduler& world_;
  std::vector<std::unique_ptr<descriptor>> table_;
  std::vector<const descriptor*> pollers_;
  std::size_t open_count_ = 0, connection_count_ = 0, next_port_ = 0;
};

/// The network of the running simulation.
inline network* current_network = nullptr;

}  // namespace simulation
