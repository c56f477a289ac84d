// The engine: listens, accepts, serves, drains. What the runtime starts and stops, and all it knows of HTTP.
//
//   engine e(router, limits, log);
//   if (auto bound = e.bind("127.0.0.1", 0); !bound) return bound.error();
//   e.accept();                                // serving, on threads of its own
//   auto report = e.drain(20s, [] { … });      // every accepted request answered, or counted as cut
//
// A connection has a thread of its own here. When it drains, the listener is closed after what had connected was taken,
// waiting connections are closed at once, and requests in flight are answered with `Connection: close`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/connection.hpp"
#include "winsvc/http/tls.hpp"
#include "winsvc/model/codes.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How a drain went.
struct drain_report {
  std::size_t answered = 0;  ///< requests in flight that got their answer
  std::size_t cut = 0;       ///< requests and WebSockets that were still at work at the deadline
  std::size_t stuck = 0;     ///< threads that are in a handler even after that: the process has to end over them
};

class engine {
 public:
  engine(const router& routes, const wire::limits& bounds, logger& log)
      : bounds_(bounds), log_(log), core_(routes, bounds_, log) {}
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const { return address_; }

  /// What new connections speak TLS with; null: plain HTTP. From any thread; the first time before `bind`.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Called on a connection's thread after each answer, beside those that were given before. Give it before `accept`.
  void on_answered(std::function<void(const access_entry&)> f) { shared_.on_answered.push_back(std::move(f)); }

  /// Starts to serve.
  void accept();
  /// While paused, requests get 503 with Retry-After; connections stay. From any thread.
  void pause(bool paused) noexcept { shared_.paused.store(paused); }
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Lets go of threads that a drain found stuck. The engine must stay as it is until the process ends.
  void abandon();

  /// Requests being handled, WebSockets and connections open: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept { return shared_.in_flight.load(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return shared_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const;

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& wire) { connection(wire, core_, shared_, bounds_).serve(); }

 private:
  struct client {
    explicit client(std::unique_ptr<socket_transport> w) noexcept : wire(std::move(w)) {}
    std::unique_ptr<socket_transport> wire;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  void accept_loop();
  void take(os::tcp_socket socket);
  void reap();

  wire::limits bounds_;
  logger& log_;
  core core_;
  traffic shared_;
  os::endpoint address_;
  os::tcp_socket listener_;
  os::waker stop_accepting_, drain_;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::list<client> clients_;
  std::shared_ptr<tls_identity> identity_;  // under mutex_
};

// ---------------------------------------------------------------------------------------------------------------------

inline engine::~engine() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  for (auto& c : clients_) c.thread.join();
}

inline result<void> engine::bind(const std::string& host, std::uint16_t port) {
  if (!stop_accepting_.is_open() || !drain_.is_open()) {
    const auto code = os::calls::last_error();
    return failure{
        model::explained(code, "prepare to listen on", os::endpoint{host, port}.text(), os::system_words(code))};
  }
  auto listening = os::tcp_socket::listen(host, port);
  if (!listening) {
    const auto code = listening.error();
    error why = model::explained(code, "listen on", os::endpoint{host, port}.text(), os::system_words(code));
    if (code == model::code::address_in_use || code == model::code::access_to_address) {
      if (const auto owner = os::port_owner({host, port}); !owner.empty()) why.said += ": " + owner + " has it";
    }
    return failure{std::move(why)};
  }
  listener_ = std::move(*listening);
  address_ = listener_.local();
  address_.tls = identity_ != nullptr;
  return {};
}

inline void engine::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

inline void engine::accept() {
  acceptor_ = std::thread([this] { accept_loop(); });
}

inline void engine::accept_loop() {
  std::uint32_t last_fault = 0;
  for (;;) {
    const auto waited = stop_accepting_.wait_for(listener_, os::waker::no_limit);
    if (waited == os::waker::outcome::woken) break;
    auto got = listener_.accept();
    if (got) {
      last_fault = 0;
      take(std::move(*got));
    } else if (!os::calls::would_block(got.error())) {
      // The client left before it was taken, or the process is out of descriptors: say it once, breathe, go on. A
      // listener that gives up on the first fault is a service that is RUNNING and dead.
      if (got.error() != last_fault) {
        last_fault = got.error();
        log_.warn("a connection could not be accepted: " + os::system_words(last_fault) + " (" +
                  std::to_string(last_fault) + ")");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  // Who connected before we stopped is served. Not without end: clients may come as fast as they are taken.
  constexpr int most_waiting = 1000;
  for (int i = 0; i < most_waiting; ++i) {
    auto got = listener_.accept();
    if (got) take(std::move(*got));
    else if (os::calls::would_block(got.error())) break;
  }
  listener_.close();
}

inline void engine::take(os::tcp_socket socket) {
  reap();
  const std::lock_guard lock(mutex_);
  clients_.emplace_back(make_transport(std::move(socket), drain_, identity_, bounds_.head_time));
  auto& c = clients_.back();
  try {
    c.thread = std::thread([this, &c] {
      try {
        serve(*c.wire);
      } catch (...) {  // out of memory before it had begun: this connection ends, the others go on
      }
      const std::lock_guard ending(mutex_);
      c.wire->close();  // now, not at the next reap: the client would wait for its end until then
      c.ended = true;
      ended_.notify_all();
    });
  } catch (const std::system_error&) {  // no more threads to be had: this client is turned away, the others are served
    const std::string answer = refusal(503, "the service is too busy");
    if (!identity_) c.wire->send(answer.data(), answer.size(), std::chrono::milliseconds(0));
    clients_.pop_back();
  }
}

inline void engine::abandon() {
  reap();
  const std::lock_guard lock(mutex_);
  for (auto& c : clients_) {
    if (!c.ended && c.thread.joinable()) c.thread.detach();
  }
}

/// Joins the threads of connections that have ended.
inline void engine::reap() {
  std::list<client> done;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = clients_.begin(); it != clients_.end();) {
      const auto here = it++;
      if (here->ended) done.splice(done.end(), clients_, here);
    }
  }
  for (auto& c : done) c.thread.join();
}

inline std::size_t engine::connections() const {
  const std::lock_guard lock(mutex_);
  std::size_t open = 0;
  for (const auto& c : clients_) open += c.ended ? 0 : 1;
  return open;
}

inline drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto answered_before = shared_.answered.load();
  shared_.draining.store(true);  // before the listener goes: whoever is taken from here on is told to close
  stop_accepting_.wake();
  if (acceptor_.joinable()) acceptor_.join();
  listener_.close();

  auto answered_now = answered_before;
  drain_.wake();
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto all_ended = [this] {
    for (const auto& c : clients_) {
      if (!c.ended) return false;
    }
    return true;
  };

  std::unique_lock lock(mutex_);
  const auto tell = [&] {
    const auto now = shared_.answered.load();
    if (now == answered_now || !progress) return;
    answered_now = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_ended() && ended_.wait_until(lock, until) != std::cv_status::timeout) tell();
  tell();  // of those that were done before we waited
  if (!all_ended()) {
    report.cut = shared_.in_flight.load() + shared_.websockets.load();
    for (auto& c : clients_) {
      if (!c.ended) c.wire->cut();
    }
    // Whoever waits on the network wakes at once; whoever computes gets a last moment.
    constexpr auto last_moment = std::chrono::milliseconds(500);
    ended_.wait_for(lock, last_moment, all_ended);
  }
  report.answered = static_cast<std::size_t>(shared_.answered.load() - answered_before);
  for (const auto& c : clients_) report.stuck += c.ended ? 0 : 1;
  lock.unlock();

  if (report.stuck == 0) reap();
  return report;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
