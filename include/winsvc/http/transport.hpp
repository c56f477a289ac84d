// Transport: the interface of a connection to its bytes; a socket in production, memory in the test client.
//
//   std::size_t received = 0;
//   if (transport.receive(buffer, sizeof buffer, received, 0ms) == os::transfer::done) ...
//
// Most calls do not wait: a connection takes the available bytes, sends as many as fit and returns its thread.
// Functions that wait (receive and send with a limit, wait_stream_event) are called after begin_blocking(), for a
// streamed response, a large body or a WebSocket. It does not know HTTP.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/wait_deadline.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Reason for the end of a connection; it decides how long input is discarded.
enum class close_reason {
  idle,            ///< no response can be lost: all are received, or none was sent
  after_response,  ///< after a response with `Connection: close`
  unread_input,    ///< after a response, while the client still sends
};

/// Event that ended a wait during a streamed response.
enum class stream_event { timed_out, peer_closed, draining };

class transport {
 public:
  virtual ~transport() = default;
  /// Receives at most `capacity` bytes; waits at most `limit`, which may be 0. See os::tcp_socket::receive.
  virtual os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// True only if `receive` is known to find no bytes now.
  [[nodiscard]] virtual bool has_no_input() const noexcept { return false; }
  /// Waits for the first byte of a request; only this wait ends early in a drain. Returns `timed_out` then too, unless
  /// bytes have arrived.
  virtual os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* bytes, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// Sends as many bytes as fit without waiting; see os::tcp_socket::send_some.
  virtual os::transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept = 0;
  /// The same for `output` and the `text` that follows it. A socket sends them with one call of the system.
  virtual os::transfer send_parts(std::string_view output, std::string_view text, std::size_t& sent) noexcept {
    const auto result = send_some(output.data(), output.size(), sent);
    if (result != os::transfer::done) return result;
    std::size_t more = 0;
    const auto end = send_some(text.data(), text.size(), more);
    sent += more;
    return end;
  }
  /// Waits until the last send_some() can continue, at most `limit`. Returns false after the limit.
  [[nodiscard]] virtual bool wait_sendable(std::chrono::milliseconds) noexcept { return false; }
  /// True if the last call that timed out waits until the socket is writable, false if it waits for input.
  [[nodiscard]] virtual bool needs_write(bool after_send) const noexcept { return after_send; }
  /// True if the client has closed its end or the connection has failed. Does not block.
  [[nodiscard]] virtual bool has_peer_closed() noexcept { return false; }
  /// True if a handshake must come before the first request.
  [[nodiscard]] virtual bool needs_handshake() const noexcept { return false; }
  /// Called before this thread waits for the client, for the remaining time of the current step.
  virtual void begin_blocking() noexcept {}
  /// Makes the server run a step of this connection, now or when the current step ends. Thread-safe.
  virtual void wake() noexcept {}
  /// Waits during a streamed response until the client closes, a drain begins, or `limit` has passed.
  virtual stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept = 0;
  /// Ends sending. Returns the reason that applies: `reason`, or one that discards input for longer.
  virtual close_reason shutdown(close_reason reason) noexcept = 0;
  /// Ends all waits in this transport; further calls find it closed. Thread-safe.
  virtual void abort_connection() noexcept {}
  /// True if the bytes are encrypted on the network.
  [[nodiscard]] virtual bool is_encrypted() const noexcept { return false; }
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

/// The server's part of a connection, as its transport sees it.
class transport_owner {
 public:
  /// Called before the thread waits.
  virtual void on_begin_blocking() noexcept = 0;
  /// See transport::wake.
  virtual void on_wake() noexcept = 0;
  /// True if the poller has reported that the peer may have closed. The poller reports it once only.
  [[nodiscard]] virtual bool has_hung_up() const noexcept = 0;

 protected:
  ~transport_owner() = default;
};

class socket_transport : public transport {
 public:
  /// `drain` ends a wait for a new request. All connections of an engine share it and the clock, which must outlive
  /// them.
  socket_transport(os::tcp_socket socket, os::waker& drain, const clock& time) noexcept
      : socket_(std::move(socket)), drain_(&drain), time_(time) {}
  void set_owner(transport_owner* owner) noexcept { owner_ = owner; }

  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds limit) noexcept override {
    const auto result = limit.count() <= 0 ? socket_.receive(buffer, capacity, received, limit)
                                           : wait_receive(buffer, capacity, received, limit);
    has_no_input_ = result == os::transfer::timed_out || (result == os::transfer::done && received < capacity);
    return result;
  }
  [[nodiscard]] bool has_no_input() const noexcept override {
    return has_no_input_ && !(owner_ && owner_->has_hung_up());
  }
  [[nodiscard]] bool has_peer_closed() noexcept override {
    return socket_.peer_closed() || (owner_ && owner_->has_hung_up());
  }
  void begin_blocking() noexcept override {
    if (owner_) owner_->on_begin_blocking();
  }
  void wake() noexcept override {
    if (owner_) owner_->on_wake();
  }
  os::transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept override {
    return socket_.send_some(bytes, count, sent);
  }
  os::transfer send_parts(std::string_view output, std::string_view text, std::size_t& sent) noexcept override {
    return socket_.send_parts(output, text, sent);
  }
  os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds limit) noexcept override {
    static_cast<void>(wait_for_input(base::wait_deadline(time_, limit)));
    // Bytes that have arrived are served, whatever ended the wait.
    return socket_.receive(buffer, capacity, received, std::chrono::milliseconds(0));
  }
  os::transfer send(const char* bytes, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    for (std::size_t sent = 0;; bytes += sent, count -= sent) {
      const auto result = send_some(bytes, count, sent);
      if (result != os::transfer::timed_out) return result;
      if (limit.count() <= 0 || !wait_sendable(limit)) return os::transfer::timed_out;
    }
  }
  stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept override {
    const base::wait_deadline deadline(time_, limit);
    for (;;) {
      const auto outcome = wait_for_input(deadline);
      if (outcome == os::waker::outcome::woken) return stream_event::draining;
      if (outcome == os::waker::outcome::timed_out) return stream_event::timed_out;
      if (outcome == os::waker::outcome::failed || socket_.peer_closed()) return stream_event::peer_closed;
      // The next request has arrived, so the socket stays readable: check it every 100 ms.
      if (deadline.has_passed()) return stream_event::timed_out;
      std::this_thread::sleep_for((std::min)(deadline.next_wait(), std::chrono::milliseconds(100)));
    }
  }
  close_reason shutdown(close_reason reason) noexcept override {
    socket_.shutdown_send();
    return reason;
  }
  [[nodiscard]] bool wait_sendable(std::chrono::milliseconds limit) noexcept override {
    return wait_ready(needs_write(true), base::wait_deadline(time_, limit));
  }
  [[nodiscard]] os::tcp_socket::native_handle native() const noexcept { return socket_.native(); }
  [[nodiscard]] os::endpoint local() const override { return socket_.local(); }
  [[nodiscard]] os::endpoint peer() const override { return socket_.peer(); }

  /// Closes the socket; no call may be in progress.
  void close() noexcept { socket_.close(); }
  /// Thread-safe until `close`.
  void abort_connection() noexcept override { socket_.shutdown_both(); }

 protected:
  /// Receives at least one byte within `limit`.
  [[nodiscard]] os::transfer wait_receive(char* buffer, std::size_t capacity, std::size_t& received,
                                          std::chrono::milliseconds limit) noexcept {
    const base::wait_deadline deadline(time_, limit);
    auto result = os::transfer::timed_out;
    do result = socket_.receive(buffer, capacity, received, deadline.next_wait());
    while (result == os::transfer::timed_out && !deadline.has_passed());
    return result;
  }
  /// Waits until the socket is writable or readable. Returns false after the deadline.
  [[nodiscard]] bool wait_ready(bool writable, const base::wait_deadline& deadline) const noexcept {
    do {
      const auto limit = deadline.next_wait();
      if (writable ? socket_.wait_writable(limit) : socket_.wait_readable(limit)) return true;
    } while (!deadline.has_passed());
    return false;
  }
  /// Waits until the socket is readable or the drain begins.
  [[nodiscard]] os::waker::outcome wait_for_input(const base::wait_deadline& deadline) const noexcept {
    auto outcome = os::waker::outcome::timed_out;
    do outcome = drain_->wait_for(socket_, deadline.next_wait());
    while (outcome == os::waker::outcome::timed_out && !deadline.has_passed());
    return outcome;
  }

  os::tcp_socket socket_;
  os::waker* drain_;
  const clock& time_;
  transport_owner* owner_ = nullptr;
  bool has_no_input_ = false;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
