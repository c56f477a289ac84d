// What a connection reads from and writes to: a socket in production, memory in the test client. The bytes take the
// same way through everything above.
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
  /// Waits for bytes up to `limit`; see os::tcp_socket::receive.
  virtual os::transfer receive(char* into, std::size_t room, std::size_t& got,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// Waits for the first byte of a request, the only wait that a drain ends early: `timed_out` then too, unless bytes
  /// are there already.
  virtual os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// Waits while an answer is streamed: until the client has closed its end, a drain begins, or the time is over.
  virtual watched watch(std::chrono::milliseconds limit) noexcept = 0;
  /// No more will be sent. After an answer, what the client still sends is taken for a moment, because closing over it
  /// makes Windows reset the connection, and the client never sees the answer (RFC 9112 §9.6). A client that has all it
  /// wants ends that moment at once.
  virtual void finish(parting how) noexcept = 0;
  /// From any thread: whoever waits here wakes and finds it closed.
  virtual void cut() noexcept {}
  /// Does nobody between here and the other end see what is sent?
  [[nodiscard]] virtual bool encrypted() const noexcept { return false; }
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

class socket_transport : public transport {
 public:
  /// `drain` wakes a wait for a new request; it is shared by all connections of an engine and outlives them.
  socket_transport(os::tcp_socket socket, os::waker& drain) noexcept : socket_(std::move(socket)), drain_(&drain) {}

  os::transfer receive(char* into, std::size_t room, std::size_t& got,
                       std::chrono::milliseconds limit) noexcept override {
    return socket_.receive(into, room, got, limit);
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
  void finish(parting how) noexcept override {
    socket_.shutdown_send();
    if (how == parting::idle) return;
    constexpr std::size_t most = 1024 * 1024;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(how == parting::unread ? 500 : 100);
    char sink[8192];
    for (std::size_t total = 0, got = 0; total < most && std::chrono::steady_clock::now() < until; total += got) {
      if (socket_.receive(sink, sizeof sink, got, std::chrono::milliseconds(100)) != os::transfer::done) return;
    }
  }
  [[nodiscard]] os::endpoint local() const override { return socket_.local(); }
  [[nodiscard]] os::endpoint peer() const override { return socket_.peer(); }

  /// Once `serve` has returned.
  void close() noexcept { socket_.close(); }
  /// Before `close`.
  void cut() noexcept override { socket_.shutdown_both(); }

 protected:
  os::tcp_socket socket_;
  os::waker* drain_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
