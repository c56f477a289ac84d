// TLS between a socket and HTTP, where cpp-httplib is built with a library for it (OpenSSL or Mbed TLS).
//
//   svc.tls("cert.pem", "key.pem");     // beside the executable; -DCPPHTTPLIB_OPENSSL_SUPPORT ... -lssl -lcrypto
//
// TLS 1.2 or newer. The certificate file holds the service's own and those between it and the authority; the key has no
// passphrase, because nobody is there to type it: let the file be readable for the service's account alone. A reload
// (PARAMCHANGE) reads both again, for connections from then on; what cannot be used is logged, and the old ones stay.
//
// The handshake has the deadline of a request head. Whoever speaks plain HTTP here is told so in plain HTTP.
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

#include "winsvc/base/error.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_processor.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/server/tls_identity.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/base/error_codes.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {

/// A connection's end, plain or, with an identity, behind TLS.
[[nodiscard]] std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                               std::shared_ptr<tls_identity> identity);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP
#if WINSVC_TLS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// The errors of this thread: one that somebody left there would be taken for ours. Their first, in words.
WINSVC_INLINE std::string pop_tls_errors() {
  std::string first;
  for (int i = 0; i < 16; ++i) {  // OpenSSL's queue has so many
    const auto code = httplib::tls::get_error();
    if (code == 0) break;
    if (first.empty()) first = httplib::tls::error_string(code);
  }
  return first;
}

WINSVC_INLINE tls_identity::~tls_identity() { httplib::tls::free_context(native_); }

WINSVC_INLINE result<std::shared_ptr<tls_identity>> tls_identity::load(const tls_files& from) {
  constexpr std::uint32_t not_found = 2, not_valid = 13;  // ERROR_FILE_NOT_FOUND, ERROR_INVALID_DATA
  const auto refused = [](std::uint32_t code, const char* operation, const std::string& path, std::string message,
                          std::string hint) {
    return failure{error{code, operation, path, std::move(message), std::move(hint)}};
  };
  constexpr const char* remedy = "check the path, and that the service's account may read it";

  const auto certificate = os::read_file(from.certificate);
  if (!certificate) return refused(not_found, "read certificate", from.certificate, "it cannot be read", remedy);
  const auto key = os::read_file(from.key);
  if (!key) return refused(not_found, "read key", from.key, "it cannot be read", remedy);
  if (certificate->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return refused(not_valid, "read certificate", from.certificate, "there is no certificate in PEM form in it",
                   "openssl x509 -inform der -in FILE -out cert.pem converts one");
  }
  if (key->find("ENCRYPTED") != std::string::npos) {  // OpenSSL would ask the terminal for the passphrase, and wait
    return refused(not_valid, "read key", from.key, "it has a passphrase, and nobody is there to type it",
                   "openssl pkey -in FILE -out key.pem takes it off; let the service's account alone read that file");
  }
  if (key->find("PRIVATE KEY-----") == std::string::npos) {
    return refused(not_valid, "read key", from.key, "there is no private key in PEM form in it",
                   "give the file that was made with the certificate");
  }

  pop_tls_errors();
  const auto words = [](const char* otherwise) {
    std::string message = pop_tls_errors();
    return message.empty() ? std::string(otherwise) : message;
  };
  std::shared_ptr<tls_identity> made(new tls_identity(httplib::tls::create_server_context()));
  if (!made->native())
    return refused(not_valid, "prepare TLS for", from.certificate, words("the library refused"), {});
  {
    // From memory first, which checks that the two belong together; the second time with the chain.
    const tls_identity trial(httplib::tls::create_server_context());
    if (!httplib::tls::set_server_cert_pem(trial.native(), certificate->c_str(), key->c_str(), "")) {
      return refused(not_valid, "use certificate", from.certificate, words("the library refused it"),
                     "is '" + from.key + "' its key, and are both files whole?");
    }
  }
  if (!httplib::tls::set_min_version(made->native(), httplib::tls::Version::TLS1_2) ||
      !httplib::tls::set_server_cert_file(made->native(), from.certificate.c_str(), from.key.c_str(), "")) {
    return refused(not_valid, "use certificate", from.certificate, words("the library refused it"),
                   "are all certificates in it whole, the service's own first?");
  }
  if (!from.client_authorities.empty()) {
    if (!httplib::tls::set_client_ca_file(made->native(), from.client_authorities.c_str(), nullptr)) {
      return refused(not_valid, "read client authorities", from.client_authorities, words("it cannot be read"),
                     "give a file of their certificates in PEM form");
    }
    httplib::tls::set_verify_client(made->native(), true);
  #ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    // Without a name for its sessions OpenSSL refuses a client that comes back with one and was verified.
    constexpr unsigned char name[] = {'w', 'i', 'n', 's', 'v', 'c'};
    SSL_CTX_set_session_id_context(static_cast<SSL_CTX*>(made->native()), name, sizeof name);
  #endif
  }
  pop_tls_errors();
  return made;
}

class tls_transport final : public socket_transport {
 public:
  tls_transport(os::tcp_socket socket, os::waker& drain, std::shared_ptr<tls_identity> identity)
      : socket_transport(std::move(socket), drain),
        identity_(std::move(identity)),
        session_(httplib::tls::create_session(identity_->native(), static_cast<socket_t>(socket_.native()))) {}
  ~tls_transport() override { httplib::tls::free_session(session_); }

  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds limit) noexcept override {
    const auto deadline = steady::now() + limit;
    for (;;) {
      const auto what = read(buffer, capacity, received);
      if (what != wait_need::read && what != wait_need::write) return outcome(what);
      const auto remaining = time_until(deadline);
      if (remaining.count() <= 0) return os::transfer::timed_out;
      const bool ready = what == wait_need::read ? socket_.wait_readable(remaining) : socket_.wait_writable(remaining);
      if (!ready) return os::transfer::timed_out;
    }
  }
  [[nodiscard]] bool has_no_input() const noexcept override { return false; }  // the library keeps some for itself
  [[nodiscard]] bool needs_write(bool) const noexcept override { return last_need_ == wait_need::write; }
  [[nodiscard]] bool needs_handshake() const noexcept override { return state_ == state::handshaking; }

  os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds limit) noexcept override {
    const auto deadline = steady::now() + limit;
    for (bool last = false;; ) {  // a record may come in pieces: none of them ends the wait
      const auto what = read(buffer, capacity, received);
      if (what != wait_need::read && what != wait_need::write) return outcome(what);
      if (last) return os::transfer::timed_out;
      if (what == wait_need::write) {
        last = !socket_.wait_writable(time_until(deadline));
      } else {
        last = drain_->wait_for(socket_, time_until(deadline)) != os::waker::outcome::ready;
      }
    }
  }

  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    for (std::size_t sent = 0;; from += sent, count -= sent) {
      const auto result = send_some(from, count, sent);
      if (result != os::transfer::timed_out) return result;
      const bool ready =
          last_need_ == wait_need::write ? socket_.wait_writable(limit) : socket_.wait_readable(limit);
      if (!ready) {
        state_ = state::broken;  // half a record may have left
        return os::transfer::timed_out;
      }
    }
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    constexpr std::size_t record = 16 * 1024;  // a reader gets its turn between two
    for (sent = 0; sent < count;) {
      std::size_t elapsed = 0;
      // Tried again, it has to be the same bytes.
      const auto what = write(from + sent, (std::min)(count - sent, record), elapsed);
      if (what == wait_need::read || what == wait_need::write) return os::transfer::timed_out;
      if (what != wait_need::nothing) return outcome(what);
      sent += elapsed;
    }
    return os::transfer::done;
  }

  stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept override {
    const auto deadline = steady::now() + limit;
    for (;;) {
      const auto woken = drain_->wait_for(socket_, time_until(deadline));
      if (woken == os::waker::outcome::woken) return stream_event::draining;
      if (woken == os::waker::outcome::timed_out) return stream_event::timed_out;
      if (woken == os::waker::outcome::failed || socket_.peer_closed()) return stream_event::peer_closed;
      // Readable may mean the client's goodbye, which is a record like others: it has to be read to be known.
      if (early_size_ == 0) {
        const auto what = read(early_, sizeof early_, early_size_);
        if (what == wait_need::closed || what == wait_need::failed) return stream_event::peer_closed;
        if (what == wait_need::read && time_until(deadline).count() > 0) continue;
      }
      // The next request has come already, and makes the socket readable for good: look now and then.
      const auto remaining = time_until(deadline);
      if (remaining.count() <= 0) return stream_event::timed_out;
      std::this_thread::sleep_for((std::min)(remaining, std::chrono::milliseconds(100)));
    }
  }

  close_reason shutdown(close_reason reason) noexcept override {
    if (state_ == state::ready) {
      const std::lock_guard lock(mutex_);
      pop_tls_errors();
      httplib::tls::shutdown(session_, true);
    }
    // Of a handshake that failed, the client shall see the reason.
    return socket_transport::shutdown(state_ != state::ready && reason == close_reason::idle ? close_reason::after_response : reason);
  }

  [[nodiscard]] os::endpoint local() const override {
    auto here = socket_transport::local();
    here.tls = true;
    return here;
  }
  [[nodiscard]] bool is_encrypted() const noexcept override { return true; }

 private:
  using steady = std::chrono::steady_clock;
  enum class wait_need { nothing, read, write, closed, failed };
  enum class state { handshaking, ready, broken };

  [[nodiscard]] static std::chrono::milliseconds time_until(steady::time_point deadline) noexcept {
    const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now());
    return (std::max)(remaining, std::chrono::milliseconds(0));
  }
  [[nodiscard]] static os::transfer outcome(wait_need what) noexcept {
    return what == wait_need::nothing ? os::transfer::done
           : what == wait_need::closed  ? os::transfer::closed
                                 : os::transfer::failed;
  }
  [[nodiscard]] wait_need map_result(const httplib::tls::TlsError& e) noexcept {
    using httplib::tls::ErrorCode;
    switch (e.code) {
      case ErrorCode{}: return wait_need::nothing;  // not by its name: X11 has a macro Success
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
      if (const auto what = handshake(); what != wait_need::nothing) return what;
    }
    if (state_ != state::ready) return wait_need::failed;
    pop_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::read(session_, buffer, capacity, e);
    if (n <= 0) return n == 0 ? wait_need::closed : map_result(e);
    received = static_cast<std::size_t>(n);
    return wait_need::nothing;
  }
  wait_need write(const char* from, std::size_t count, std::size_t& elapsed) noexcept {
    const std::lock_guard lock(mutex_);
    if (state_ != state::ready) return wait_need::failed;
    pop_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::write(session_, from, count, e);
    if (n <= 0) return n == 0 ? wait_need::closed : map_result(e);
    elapsed = static_cast<std::size_t>(n);
    return wait_need::nothing;
  }

  /// As far as it goes without waiting, before the first request.
  wait_need handshake() noexcept {
    char first = 0;
    if (!handshake_done_ && !socket_.peek(first)) return socket_.peer_closed() ? wait_need::closed : last_need_ = wait_need::read;
    if (!handshake_done_ && first >= 'A' && first <= 'Z') {  // a record of TLS begins with 22
      state_ = state::broken;
      reject_plain_http();
      return wait_need::closed;
    }
    handshake_done_ = true;
    pop_tls_errors();
    const auto what = session_ ? map_result(httplib::tls::accept(session_)) : wait_need::failed;
    if (what == wait_need::nothing) state_ = state::ready;
    else if (what != wait_need::read && what != wait_need::write) state_ = state::broken;
    return what;
  }
  void reject_plain_http() noexcept {
    try {
      const std::string answer = error_response(400, "this port speaks HTTPS: ask with https://");
      static_cast<void>(socket_.send(answer.data(), answer.size(), std::chrono::milliseconds(0)));
    } catch (...) {  // out of memory: it is just closed
    }
  }

  std::shared_ptr<tls_identity> identity_;  // outlives the session
  std::mutex mutex_;  // a session takes one call at a time, and a WebSocket sends while it receives
  httplib::tls::session_t session_;
  std::atomic<state> state_{state::handshaking};
  wait_need last_need_ = wait_need::read;
  bool handshake_done_ = false;
  char early_[1024];  // read by a watch, not asked for yet
  std::size_t early_size_ = 0;
};

WINSVC_INLINE std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                        std::shared_ptr<tls_identity> identity) {
  if (!identity) return std::make_unique<socket_transport>(std::move(socket), drain);
  return std::make_unique<tls_transport>(std::move(socket), drain, std::move(identity));
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#else
namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE tls_identity::~tls_identity() = default;

WINSVC_INLINE result<std::shared_ptr<tls_identity>> tls_identity::load(const tls_files& from) {
  return failure{error{model::win32_error::not_supported, "use certificate", from.certificate,
                       "cpp-httplib is built without TLS", "define CPPHTTPLIB_OPENSSL_SUPPORT"}};
}
WINSVC_INLINE std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                        std::shared_ptr<tls_identity>) {
  return std::make_unique<socket_transport>(std::move(socket), drain);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif

#endif  // WINSVC_BODIES_HTTP
