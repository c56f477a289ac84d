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
enum class parting {
  idle,      ///< nothing was sent that the client could still miss
  answered,  ///< with an answer that said so
  unread,    ///< with an answer, over something the client was still sending
};

/// What ended a wait beside an answer that is being streamed.
enum class watched { quiet, gone, draining };

class transport {
 public:
  virtual ~transport() = default;
  /// Waits for bytes up to `limit`, which may be 0; see os::tcp_socket::receive.
  virtual os::transfer receive(char* into, std::size_t room, std::size_t& got,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// Would `receive` certainly find nothing now? False where that is not known.
  [[nodiscard]] virtual bool is_drained() const noexcept { return false; }
  /// Waits for the first byte of a request, the only wait that a drain ends early: `timed_out` then too, unless bytes
  /// are there already.
  virtual os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// What there is room for; see os::tcp_socket::send_some.
  virtual os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept = 0;
  /// What the last receive or send that timed out was short of: room, and not bytes?
  [[nodiscard]] virtual bool wants_room(bool after_send) const noexcept { return after_send; }
  /// Is there nothing to be asked yet: does a handshake come first?
  [[nodiscard]] virtual bool is_fresh() const noexcept { return false; }
  /// This thread is going to wait here, for the rest of what it does with the connection.
  virtual void hold() noexcept {}
  /// Waits while an answer is streamed: until the client has closed its end, a drain begins, or the time is over.
  virtual watched watch(std::chrono::milliseconds limit) noexcept = 0;
  /// No more will be sent. How it is to be left: as `how` says, or with more care.
  virtual parting finish(parting how) noexcept = 0;
  /// From any thread: whoever waits here wakes and finds it closed.
  virtual void cut() noexcept {}
  /// Does nobody between here and the other end see what is sent?
  [[nodiscard]] virtual bool encrypted() const noexcept { return false; }
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

/// Whom a transport tells that a thread is held.
class thread_lender {
 public:
  virtual void lend_thread() noexcept = 0;
  /// Has the poller seen that the peer may have closed its end? It does not tell twice.
  [[nodiscard]] virtual bool has_hung_up() const noexcept = 0;

 protected:
  ~thread_lender() = default;
};

class socket_transport : public transport {
 public:
  /// `drain` wakes a wait for a new request; it is shared by all connections of an engine and outlives them.
  socket_transport(os::tcp_socket socket, os::waker& drain) noexcept : socket_(std::move(socket)), drain_(&drain) {}
  /// Who lends a thread to whoever holds it.
  void lender(thread_lender* of) noexcept { lender_ = of; }

  os::transfer receive(char* into, std::size_t room, std::size_t& got,
                       std::chrono::milliseconds limit) noexcept override {
    const auto what = socket_.receive(into, room, got, limit);
    drained_ = what == os::transfer::timed_out || (what == os::transfer::done && got < room);
    return what;
  }
  [[nodiscard]] bool is_drained() const noexcept override {
    return drained_ && !(lender_ && lender_->has_hung_up());
  }
  void hold() noexcept override {
    if (lender_) lender_->lend_thread();
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    return socket_.send_some(from, count, sent);
  }
  os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                            std::chrono::milliseconds limit) noexcept override {
    static_cast<void>(drain_->wait_for(socket_, limit));  // whatever ended the wait
    return socket_.receive(into, room, got, std::chrono::milliseconds(0));  // what has arrived is served, even so late
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    return socket_.send(from, count, limit);
  }
  watched watch(std::chrono::milliseconds limit) noexcept override {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
      const auto what = drain_->wait_for(socket_, limit);
      if (what == os::waker::outcome::woken) return watched::draining;
      if (what == os::waker::outcome::timed_out) return watched::quiet;
      if (what == os::waker::outcome::failed || socket_.peer_closed()) return watched::gone;
      // The next request has come already, and makes the socket readable for good: look now and then.
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return watched::quiet;
      limit = (std::min)(left, std::chrono::milliseconds(100));
      std::this_thread::sleep_for(limit);
    }
  }
  parting finish(parting how) noexcept override {
    socket_.shutdown_send();
    return how;
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
  void cut() noexcept override { socket_.shutdown_both(); }

 protected:
  os::tcp_socket socket_;
  os::waker* drain_;
  thread_lender* lender_ = nullptr;
  bool drained_ = false;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
