// TLS transport between a socket and HTTP; requires a TLS library in cpp-httplib (OpenSSL or Mbed TLS).
//
//   svc.tls("cert.pem", "key.pem");   // next to the executable; -DCPPHTTPLIB_OPENSSL_SUPPORT ... -lssl -lcrypto
//
// TLS 1.2 or later. The timeout of a request head applies to the handshake. A client that sends plain HTTP receives a
// 400 in plain HTTP. server/tls_identity.hpp has the certificate and the key.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/wait_deadline.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/server/tls_identity.hpp"
#include "winsvc/http/transport.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Returns the transport for an accepted socket: with TLS if `identity` is not null.
[[nodiscard]] std::unique_ptr<http::socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                                     std::shared_ptr<tls_identity> identity,
                                                                     const clock& time);

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER
#if WINSVC_TLS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// State of a session, and its transitions:
///
///   handshaking  the handshake is complete                        -> ready
///   handshaking  plain HTTP, or the handshake fails               -> broken
///   ready        an error of the library                          -> broken
///   any          a send times out, perhaps in the middle of a record -> broken
class tls_transport final : public http::socket_transport {
 public:
  tls_transport(os::tcp_socket socket, os::waker& drain, std::shared_ptr<tls_identity> identity, const clock& time)
      : http::socket_transport(std::move(socket), drain, time),
        identity_(std::move(identity)),
        session_(httplib::tls::create_session(identity_->native(), static_cast<socket_t>(socket_.native()))) {}
  ~tls_transport() override { httplib::tls::free_session(session_); }

  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds limit) noexcept override {
    const base::wait_deadline deadline(time_, limit);
    for (;;) {
      const auto need = read(buffer, capacity, received);
      if (need != wait_need::read && need != wait_need::write) return outcome(need);
      if (deadline.has_passed() || !wait_ready(need == wait_need::write, deadline)) return os::transfer::timed_out;
    }
  }
  [[nodiscard]] bool has_no_input() const noexcept override { return false; }  // the library buffers input
  [[nodiscard]] bool needs_write(bool) const noexcept override { return last_need_ == wait_need::write; }
  [[nodiscard]] bool needs_handshake() const noexcept override { return state_ == state::handshaking; }

  os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds limit) noexcept override {
    const base::wait_deadline deadline(time_, limit);
    for (bool last = false;; ) {  // a record may arrive in parts, and no part ends the wait
      const auto need = read(buffer, capacity, received);
      if (need != wait_need::read && need != wait_need::write) return outcome(need);
      if (last) return os::transfer::timed_out;
      if (need == wait_need::write) last = !wait_ready(true, deadline);
      else last = wait_for_input(deadline) != os::waker::outcome::ready;
    }
  }

  os::transfer send(const char* bytes, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    for (std::size_t sent = 0;; bytes += sent, count -= sent) {
      const auto result = send_some(bytes, count, sent);
      if (result != os::transfer::timed_out) return result;
      if (!wait_sendable(limit)) {
        state_ = state::broken;  // a part of a record may have been sent
        return os::transfer::timed_out;
      }
    }
  }
  os::transfer send_parts(std::string_view output, std::string_view text, std::size_t& sent) noexcept override {
    return transport::send_parts(output, text, sent);  // a record is encrypted from one block
  }
  os::transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept override {
    constexpr std::size_t max_record = 16 * 1024;  // mutex_ is free for a reader between two records
    for (sent = 0; sent < count;) {
      std::size_t written = 0;
      // After a retry, the library requires the same bytes.
      const auto need = write(bytes + sent, (std::min)(count - sent, max_record), written);
      if (need == wait_need::read || need == wait_need::write) return os::transfer::timed_out;
      if (need != wait_need::nothing) return outcome(need);
      sent += written;
    }
    return os::transfer::done;
  }

  http::stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept override {
    const base::wait_deadline deadline(time_, limit);
    for (;;) {
      const auto woken = wait_for_input(deadline);
      if (woken == os::waker::outcome::woken) return http::stream_event::draining;
      if (woken == os::waker::outcome::timed_out) return http::stream_event::timed_out;
      if (woken == os::waker::outcome::failed || socket_.peer_closed()) return http::stream_event::peer_closed;
      // A readable socket may have the close_notify of the client. It is a record, so a read is necessary.
      if (early_size_ == 0) {
        const auto need = read(early_, sizeof early_, early_size_);
        if (need == wait_need::closed || need == wait_need::failed) return http::stream_event::peer_closed;
        if (need == wait_need::read && !deadline.has_passed()) continue;
      }
      // The next request has arrived, so the socket stays readable: check it every 100 ms.
      if (deadline.has_passed()) return http::stream_event::timed_out;
      std::this_thread::sleep_for((std::min)(deadline.next_wait(), std::chrono::milliseconds(100)));
    }
  }

  http::close_reason shutdown(http::close_reason reason) noexcept override {
    if (state_ == state::ready) {
      const std::lock_guard lock(mutex_);
      clear_tls_errors();
      httplib::tls::shutdown(session_, true);
    }
    // If the handshake failed, close with a delay, so that the client receives the alert.
    const bool failed = state_ != state::ready && reason == http::close_reason::idle;
    return http::socket_transport::shutdown(failed ? http::close_reason::after_response : reason);
  }

  [[nodiscard]] os::endpoint local() const override {
    auto endpoint = http::socket_transport::local();
    endpoint.tls = true;
    return endpoint;
  }
  [[nodiscard]] bool is_encrypted() const noexcept override { return true; }

 private:
  enum class wait_need { nothing, read, write, closed, failed };  // result of a library call: what it waits for
  enum class state { handshaking, ready, broken };

  [[nodiscard]] static os::transfer outcome(wait_need need) noexcept {
    return need == wait_need::nothing ? os::transfer::done
           : need == wait_need::closed ? os::transfer::closed
                                       : os::transfer::failed;
  }
  [[nodiscard]] wait_need map_result(const httplib::tls::TlsError& e) noexcept {
    using httplib::tls::ErrorCode;
    switch (e.code) {
      case ErrorCode{}: return wait_need::nothing;  // ErrorCode::Success collides with a macro of X11
      case ErrorCode::WantRead: return last_need_ = wait_need::read;
      case ErrorCode::WantWrite: return last_need_ = wait_need::write;
      case ErrorCode::PeerClosed: return wait_need::closed;
      default: state_ = state::broken; return wait_need::failed;
    }
  }

  wait_need read(char* buffer, std::size_t capacity, std::size_t& received) noexcept {
    received = 0;
    if (early_size_ > 0 && buffer != early_) {
      received = (std::min)(capacity, early_size_);
      std::copy(early_, early_ + received, buffer);
      std::copy(early_ + received, early_ + early_size_, early_);
      early_size_ -= received;
      return wait_need::nothing;
    }
    const std::lock_guard lock(mutex_);
    if (state_ == state::handshaking) {
      if (const auto need = handshake(); need != wait_need::nothing) return need;
    }
    if (state_ != state::ready) return wait_need::failed;
    clear_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::read(session_, buffer, capacity, e);
    if (n <= 0) return n == 0 ? wait_need::closed : map_result(e);
    received = static_cast<std::size_t>(n);
    return wait_need::nothing;
  }
  wait_need write(const char* bytes, std::size_t count, std::size_t& written) noexcept {
    const std::lock_guard lock(mutex_);
    if (state_ != state::ready) return wait_need::failed;
    clear_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::write(session_, bytes, count, e);
    if (n <= 0) return n == 0 ? wait_need::closed : map_result(e);
    written = static_cast<std::size_t>(n);
    return wait_need::nothing;
  }

  /// Continues the handshake as far as possible without waiting.
  wait_need handshake() noexcept {
    char first = 0;
    if (!handshake_done_ && !socket_.peek(first))
      return socket_.peer_closed() ? wait_need::closed : last_need_ = wait_need::read;
    if (!handshake_done_ && first >= 'A' && first <= 'Z') {  // a TLS handshake record begins with byte 22
      state_ = state::broken;
      reject_plain_http();
      return wait_need::closed;
    }
    handshake_done_ = true;
    clear_tls_errors();
    const auto need = session_ ? map_result(httplib::tls::accept(session_)) : wait_need::failed;
    if (need == wait_need::nothing) state_ = state::ready;
    else if (need != wait_need::read && need != wait_need::write) state_ = state::broken;
    return need;
  }
  void reject_plain_http() noexcept {
    try {
      const std::string response = http::error_response(400, "this port requires HTTPS: use https://", time_);
      static_cast<void>(socket_.send(response.data(), response.size(), std::chrono::milliseconds(0)));
    } catch (...) {  // out of memory: close without a response
    }
  }

  std::shared_ptr<tls_identity> identity_;  // outlives the session
  std::mutex mutex_;  // a session allows one call at a time, and a WebSocket sends while it receives
  httplib::tls::session_t session_;
  std::atomic<state> state_{state::handshaking};  // atomic because it is read without mutex_
  wait_need last_need_ = wait_need::read;
  bool handshake_done_ = false;   // the first byte was checked, so it is not plain HTTP
  char early_[1024];              // input that wait_stream_event() has read, for the next receive
  std::size_t early_size_ = 0;
};

WINSVC_INLINE std::unique_ptr<http::socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                               std::shared_ptr<tls_identity> identity,
                                                               const clock& time) {
  if (!identity) return std::make_unique<http::socket_transport>(std::move(socket), drain, time);
  return std::make_unique<tls_transport>(std::move(socket), drain, std::move(identity), time);
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#else
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE std::unique_ptr<http::socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                               std::shared_ptr<tls_identity>, const clock& time) {
  return std::make_unique<http::socket_transport>(std::move(socket), drain, time);
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif

#endif  // WINSVC_BODIES_SERVER
