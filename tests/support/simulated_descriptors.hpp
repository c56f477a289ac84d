// Descriptors and connections of the simulated network; see simulated_sockets.hpp.
#pragma once

#include "simulated_threads.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <utility>

namespace simulation {

struct descriptor;

/// A connection, shared by the client and the descriptor of the server.
struct connection {
  std::string to_server, to_client;  // bytes that the other side has not read
  std::size_t capacity = 128 * 1024;  // of to_client
  bool client_ended = false;          // the client sends no more
  bool client_left = false;           // the client has closed its socket
  bool server_ended = false, server_closed = false, was_full = false;
  bool accepted = false, was_reset = false;
  bool had_failure = false;    // a call for it has failed for want of memory: the server may close it
  bool had_no_descriptor = false;  // an accept of it has failed with EMFILE: a stop may reject it
  bool had_not_ready = false;  // a send for it has failed with EAGAIN
  nanoseconds accept_time = never;
  /// True if the client receives no more bytes than those in `to_client`.
  [[nodiscard]] bool has_ended() const noexcept { return server_closed || server_ended; }
  std::function<void()> on_change;  // called as an event: bytes for the client, or the end
  bool change_scheduled = false;
  descriptor* server_side = nullptr;
  std::uint16_t client_port = 0;
};

struct descriptor {
  enum class kind { socket, listener, counter, pipe_side, poller } type = kind::socket;
  std::shared_ptr<connection> peer;                    // socket
  std::uint16_t port = 0;                              // listener
  std::deque<std::shared_ptr<connection>> waiting;     // listener
  bool ignores_clients = false;                        // listener
  std::size_t* pending = nullptr;                      // counter and pipe: bytes to read
  std::shared_ptr<std::size_t> owner;                  // of pending
  bool is_write_end = false;
  bool shut_down = false;
  // Registration in a poller.
  descriptor* poller = nullptr;
  std::uint32_t watched = 0;
  epoll_data_t data{};
  bool is_ready = false;
  std::size_t poll_count = 0;     // calls of poll() that wait for it
  std::deque<descriptor*> ready;  // poller
  nanoseconds ready_since = never;
};

}  // namespace simulation
