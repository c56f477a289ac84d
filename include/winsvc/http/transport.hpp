// What a connection reads from and writes to: a socket in production, memory in the test client. The bytes take the
// same way through everything above.
//
// Most of the time nobody waits here: a connection takes what has come, sends what there is room for, and lets go of the
// thread. What lasts is done on a thread of its own, which waits: an answer that is streamed, a large body, a WebSocket.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How a connection comes to its end.
enum class close_reason {
  idle,      ///< nothing was sent that the client could still miss
  after_response,  ///< with an answer that said so
  unread_input,    ///< with an answer, over something the client was still sending
};

/// What ended a wait beside an answer that is being streamed.
enum class stream_event { timed_out, peer_closed, draining };

class transport {
 public:
  virtual ~transport() = default;
  /// Waits for bytes up to `limit`, which may be 0; see os::tcp_socket::receive.
  virtual os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// Would `receive` certainly find nothing now? False where that is not known.
  [[nodiscard]] virtual bool has_no_input() const noexcept { return false; }
  /// Waits for the first byte of a request, the only wait that a drain ends early: `timed_out` then too, unless bytes
  /// are there already.
  virtual os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// What there is room for; see os::tcp_socket::send_some.
  virtual os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept = 0;
  /// What the last receive or send that timed out was short of: room, and not bytes?
  [[nodiscard]] virtual bool needs_write(bool after_send) const noexcept { return after_send; }
  /// Is there nothing to be asked yet: does a handshake come first?
  [[nodiscard]] virtual bool needs_handshake() const noexcept { return false; }
  /// This thread is going to wait here, for the rest of what it does with the connection.
  virtual void begin_blocking() noexcept {}
  /// Waits while an answer is streamed: until the client has closed its end, a drain begins, or the time is over.
  virtual stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept = 0;
  /// No more will be sent. How it is to be left: as `how` says, or with more care.
  virtual close_reason shutdown(close_reason reason) noexcept = 0;
  /// From any thread: whoever waits here wakes and finds it closed.
  virtual void abort_connection() noexcept {}
  /// Does nobody between here and the other end see what is sent?
  [[nodiscard]] virtual bool is_encrypted() const noexcept { return false; }
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

/// Whom a transport tells that a thread is held.
class blocking_observer {
 public:
  virtual void on_begin_blocking() noexcept = 0;
  /// Has the poller seen that the peer may have closed its end? It does not tell twice.
  [[nodiscard]] virtual bool has_hung_up() const noexcept = 0;

 protected:
  ~blocking_observer() = default;
};

class socket_transport : public transport {
 public:
  /// `drain` wakes a wait for a new request; it is shared by all connections of an engine and outlives them.
  socket_transport(os::tcp_socket socket, os::waker& drain) noexcept : socket_(std::move(socket)), drain_(&drain) {}
  /// Who lends a thread to whoever holds it.
  void set_blocking_observer(blocking_observer* of) noexcept { blocking_observer_ = of; }

  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds limit) noexcept override {
    const auto result = socket_.receive(buffer, capacity, received, limit);
    has_no_input_ = result == os::transfer::timed_out || (result == os::transfer::done && received < capacity);
    return result;
  }
  [[nodiscard]] bool has_no_input() const noexcept override {
    return has_no_input_ && !(blocking_observer_ && blocking_observer_->has_hung_up());
  }
  void begin_blocking() noexcept override {
    if (blocking_observer_) blocking_observer_->on_begin_blocking();
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    return socket_.send_some(from, count, sent);
  }
  os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds limit) noexcept override {
    static_cast<void>(drain_->wait_for(socket_, limit));  // whatever ended the wait
    return socket_.receive(buffer, capacity, received, std::chrono::milliseconds(0));  // what has arrived is served, even so late
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    return socket_.send(from, count, limit);
  }
  stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept override {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
      const auto what = drain_->wait_for(socket_, limit);
      if (what == os::waker::outcome::woken) return stream_event::draining;
      if (what == os::waker::outcome::timed_out) return stream_event::timed_out;
      if (what == os::waker::outcome::failed || socket_.peer_closed()) return stream_event::peer_closed;
      // The next request has come already, and makes the socket readable for good: look now and then.
      const auto remaining =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (remaining.count() <= 0) return stream_event::timed_out;
      limit = (std::min)(remaining, std::chrono::milliseconds(100));
      std::this_thread::sleep_for(limit);
    }
  }
  close_reason shutdown(close_reason reason) noexcept override {
    socket_.shutdown_send();
    return reason;
  }
  [[nodiscard]] bool wait_writable(std::chrono::milliseconds limit) const noexcept {
    return socket_.wait_writable(limit);
  }
  [[nodiscard]] os::tcp_socket::native_handle native() const noexcept { return socket_.native(); }
  [[nodiscard]] os::endpoint local() const override { return socket_.local(); }
  [[nodiscard]] os::endpoint peer() const override { return socket_.peer(); }

  /// Once `serve` has returned.
  void close() noexcept { socket_.close(); }
  /// Before `close`.
  void abort_connection() noexcept override { socket_.shutdown_both(); }

 protected:
  os::tcp_socket socket_;
  os::waker* drain_;
  blocking_observer* blocking_observer_ = nullptr;
  bool has_no_input_ = false;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
