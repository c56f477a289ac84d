// The server inside an engine (server/engine.hpp): listens, accepts, serves, drains.
//
// Who is connected and says nothing sits in the poller, with a deadline, and costs some hundred bytes. When there is
// something to read, a thread of the crew takes one step of that connection (server/connection.hpp), and the seat goes
// back to the poller. When the engine drains, the listener is closed after what had connected was taken, connections
// that wait are closed at once, and requests in flight are answered with `Connection: close`.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/server/connection_table.hpp"
#include "winsvc/server/tls.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class server final : private thread_pool::work_source {
 public:
  server(const router& routes, const wire::limits& bounds, logger& log);
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const { return address_; }

  /// What new connections speak TLS with; null: plain HTTP. From any thread; the first time before `bind`.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Called after each answer, on the thread that served it, beside those that were given before. Give it before
  /// `accept`.
  void on_response(std::function<void(const access_record&)> f) { state_.on_response.push_back(std::move(f)); }

  /// Starts to serve. Throws std::system_error when the system has no thread for it.
  void accept();
  /// While paused, requests get 503 with Retry-After; connections stay. From any thread.
  void pause(bool paused) noexcept { state_.paused.store(paused); }
  [[nodiscard]] bool is_paused() const noexcept { return state_.paused.load(); }
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Lets go of threads that a drain found stuck. The engine must stay as it is until the process ends.
  void abandon() { thread_pool_.abandon(); }

  /// Requests being handled, WebSockets and connections open, threads: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept { return state_.in_flight.load(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return state_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const noexcept { return open_count_.load(); }
  [[nodiscard]] std::size_t threads() const { return thread_pool_.size(); }
  /// Since it began, and how that went lately.
  [[nodiscard]] std::uint64_t response_count() const noexcept { return state_.response_count.load(); }
  [[nodiscard]] http::request_statistics& statistics() noexcept { return state_.statistics; }

  /// Requests that are being handled now, at most so many.
  [[nodiscard]] std::vector<work> active_requests(std::size_t limit);

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& transport);

 private:
  static thread_pool_limits thread_pool_limits_for(const wire::limits& bounds);

  // For the crew.
  std::size_t wait_ready(void** output, std::size_t capacity) noexcept override { return poller_.wait(output, capacity); }
  void wake() noexcept override { poller_.wake(); }
  bool claim(void* user_data) noexcept override;
  void serve(void* user_data, thread_pool::thread_role at, std::shared_ptr<void>& tools) noexcept override;
  void on_slow(void* user_data) noexcept override;
  thread_pool::time_point run_timers(thread_pool::time_point now) noexcept override;

  void accept_connections(bool all) noexcept;
  void add_connection(os::tcp_socket socket);
  void reject_connection(os::tcp_socket socket, int status, const char* reason, const std::string& recipient);
  connection_slot& acquire_slot(os::tcp_socket socket);
  void run_connection(connection_slot& g, bool in_front, scratch_buffers& own) noexcept;
  bool park(connection_slot& g, const wait_condition& next) noexcept;
  void close_connection(connection_slot& g) noexcept;
  void release_slot(connection_slot& g) noexcept;
  void wake_all();
  void warn_rate_limited(std::atomic<std::int64_t>& last, const std::string& text);

  const wire::limits limits_;
  logger& log_;
  request_processor processor_;
  engine_state state_;
  os::endpoint address_;
  os::tcp_socket listener_;
  os::waker drain_waker_;
  os::poller poller_;
  deadline_timers deadlines_;

  slot_state listener_slot_;  // the listener's
  os::poller::registration listener_registration_;
  std::mutex accept_mutex_;  // of whoever accepts
  std::atomic<std::int64_t> last_accept_error_warning_{0}, last_connection_limit_warning_{0}, last_queue_full_warning_{0};

  mutable std::mutex mutex_;
  std::condition_variable connection_closed_;
  std::deque<connection_slot> slots_;
  std::vector<connection_slot*> free_slots_;
  std::map<std::string, std::size_t> connections_by_address_;
  std::atomic<std::size_t> open_count_{0};  // changes under mutex_
  std::shared_ptr<tls_identity> identity_;
  bool started_ = false;
  thread_pool thread_pool_;  // the last: it is gone before what it works on
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE thread_pool_limits server::thread_pool_limits_for(const wire::limits& bounds) {
  thread_pool_limits of;
  of.io_threads = os::processor_count();
  of.min_threads = (std::max)(of.io_threads + 2, std::size_t{4});
  of.max_threads = (std::max)(bounds.threads, of.min_threads);
  of.queue_limit = bounds.queue;
  return of;
}

WINSVC_INLINE server::server(const router& routes, const wire::limits& bounds, logger& log) : limits_(bounds), log_(log), processor_(routes, limits_, log), thread_pool_(*this, thread_pool_limits_for(bounds)) {}

WINSVC_INLINE server::~server() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  thread_pool_.stop();
  poller_.wait_for_pending();
}

WINSVC_INLINE result<void> server::bind(const std::string& host, std::uint16_t port) {
  if (!drain_waker_.is_open() || !poller_.is_open()) {
    const auto code = os::socket_api::last_error();
    return failure{
        model::error_with_explanation(code, "prepare to listen on", os::endpoint{host, port}.text(), os::system_error_message(code))};
  }
  auto listening = os::tcp_socket::listen(host, port);
  if (!listening) {
    const auto code = listening.error();
    error error = model::error_with_explanation(code, "listen on", os::endpoint{host, port}.text(), os::system_error_message(code));
    if (code == model::win32_error::address_in_use || code == model::win32_error::access_to_address) {
      if (const auto owner = os::port_owner({host, port}); !owner.empty()) error.message += ": " + owner + " has it";
    }
    return failure{std::move(error)};
  }
  listener_ = std::move(*listening);
  address_ = listener_.local();
  address_.tls = identity_ != nullptr;
  return {};
}

WINSVC_INLINE void server::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

WINSVC_INLINE void server::accept() {
  listener_slot_.acquire();
  started_ = true;
  thread_pool_.start();
  poller_.add_listener(listener_registration_, listener_, &listener_slot_);
  if (!listener_slot_.park()) static_cast<void>(thread_pool_.submit(&listener_slot_, true));
  else poller_.arm_accept(listener_registration_);
}

WINSVC_INLINE void server::serve(transport& transport) {
  connection one(transport, processor_, state_, limits_);
  scratch_buffers buffers;
  step_options options;
  // Nothing more comes by waiting, so what would be waited for is late.
  for (auto next = one.advance(buffers, options); next.reason != wait_reason::closed; next = one.advance(buffers, options))
    options.timed_out = next.reason != wait_reason::yield;
}

WINSVC_INLINE bool server::claim(void* user_data) noexcept {
  auto* const s = static_cast<slot_state*>(user_data);
  if (s->claim()) return true;
  if (s != &listener_slot_ && s->is_closing()) release_slot(*static_cast<connection_slot*>(s));
  return false;
}

WINSVC_INLINE void server::on_slow(void* user_data) noexcept {
  if (user_data == &listener_slot_) return;
  if (route_latency* const latency = static_cast<connection_slot*>(static_cast<slot_state*>(user_data))->latency.load()) latency->mark_slow();
}

WINSVC_INLINE thread_pool::time_point server::run_timers(thread_pool::time_point now) noexcept {
  return deadlines_.advance(now, [this](slot_state& s) { static_cast<void>(thread_pool_.submit(&s, true)); });
}

WINSVC_INLINE void server::serve(void* user_data, thread_pool::thread_role at, std::shared_ptr<void>& tools) noexcept {
  if (user_data == &listener_slot_) return accept_connections(false);
  connection_slot& g = *static_cast<connection_slot*>(static_cast<slot_state*>(user_data));
  try {
    if (!tools) tools = std::make_shared<scratch_buffers>();
  } catch (const std::exception&) {  // no memory for a buffer: none for this client
    return close_connection(g);
  }
  run_connection(g, at == thread_pool::thread_role::io, *static_cast<scratch_buffers*>(tools.get()));
}

/// One step of a connection after the other, until it has to wait for something.
WINSVC_INLINE void server::run_connection(connection_slot& g, bool in_front, scratch_buffers& own) noexcept {
  step_options options;
  options.latency = &g.latency;
  constexpr int share = 16;  // of looks at one client: others wait as well
  for (int looks = 0;; ++looks) {
    if (looks == share) return static_cast<void>(thread_pool_.submit(static_cast<slot_state*>(&g), true));
    options.timed_out = g.timed_out.exchange(false);
    if (poller_.is_sending(g.registration) && !options.timed_out) {  // what it has to say is on its way
      if (g.park()) return;
      continue;
    }
    if (const auto sent = poller_.take_sent_bytes(g.registration); sent > 0) g.active_connection->mark_sent(sent);
    options.skip_slow_handlers = in_front && !g.in_blocking_section;
    const auto next = g.active_connection->advance(own, options);
    options.queue_full = false;
    if (g.in_blocking_section) {
      g.in_blocking_section = false;
      in_front = false;
      thread_pool_.end_blocking();
    }
    if (next.reason == wait_reason::closed) return close_connection(g);
    if (next.reason == wait_reason::yield) return static_cast<void>(thread_pool_.submit(static_cast<slot_state*>(&g), true));
    if (next.reason == wait_reason::blocking_thread) {
      if (thread_pool_.submit(static_cast<slot_state*>(&g), false)) return;
      warn_rate_limited(last_queue_full_warning_, "too many requests wait for a thread; some are told so with 503");
      options.queue_full = true;
      continue;
    }
    if (!os::poller::supports_write_wait && next.reason == wait_reason::writable && g.transport->is_encrypted()) {  // only its library can send
      g.on_begin_blocking();
      const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(next.deadline - connection::steady::now());
      if (!g.transport->wait_writable(remaining)) g.timed_out.store(true);
      continue;
    }
    if (park(g, next)) return;
  }
}

/// False: something has happened already.
WINSVC_INLINE bool server::park(connection_slot& g, const wait_condition& next) noexcept {
  if (deadlines_.set(g, next.deadline)) thread_pool_.wake_monitor();
  poller_.arm(g.registration, next.reason == wait_reason::writable ? os::poll_for::writable : os::poll_for::readable, g.active_connection->unsent());
  return g.park();
}

/// Takes those who have connected. Not all at once: those who are here already wait meanwhile.
WINSVC_INLINE void server::accept_connections(bool all) noexcept {
  const std::unique_lock lock(accept_mutex_);
  constexpr int a_few = 64, limit = 4096;  // without end they may come as fast as they are taken
  bool fault = false;
  for (int i = 0; i < (all ? limit : a_few) && listener_.is_open(); ++i) {
    auto result = poller_.accept(listener_registration_);
    if (!result && os::socket_api::would_block(result.error())) break;
    try {
      if (result) {
        add_connection(std::move(*result));
        continue;
      }
      // The client left before it was taken, or the process is out of descriptors: say it, breathe, go on. A listener
      // that gives up on a fault is a service that is RUNNING and dead.
      warn_rate_limited(last_accept_error_warning_, "a connection could not be accepted: " + os::system_error_message(result.error()) + " (" +
                              std::to_string(result.error()) + ")");
    } catch (const std::exception&) {  // no memory for a seat: this client is lost, those here are not
    }
    fault = true;
    break;
  }
  if (all) return;
  constexpr std::chrono::milliseconds breath{20};
  do {
    if (!listener_.is_open()) return listener_slot_.release();
    if (fault) {
      if (deadlines_.set(listener_slot_, deadline_timers::steady::now() + breath)) thread_pool_.wake_monitor();
    } else {
      poller_.arm_accept(listener_registration_);
    }
  } while (!listener_slot_.park());
}

WINSVC_INLINE void server::warn_rate_limited(std::atomic<std::int64_t>& last, const std::string& text) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now().time_since_epoch()).count();
  auto before = last.load();
  if (now - before < 1000 || !last.compare_exchange_strong(before, now)) return;  // once a second is enough to know
  log_.warn(text);
}

WINSVC_INLINE void server::add_connection(os::tcp_socket socket) {
  std::string address;
  if (limits_.connections_per_address > 0) {
    address = socket.peer().host;
    const std::lock_guard lock(mutex_);
    if (connections_by_address_[address] >= limits_.connections_per_address)
      return reject_connection(std::move(socket), 429, "too many connections from one client", address);
  }
  if (open_count_.load() >= limits_.connections)
    return reject_connection(std::move(socket), 503, "too many connections are open", {});

  connection_slot& g = acquire_slot(std::move(socket));
  try {
    if (!address.empty()) {
      const std::lock_guard lock(mutex_);
      ++connections_by_address_[address];
      g.client_address.swap(address);
    }
  } catch (...) {
    close_connection(g);
    throw;
  }
  if (!poller_.add(g.registration, g.transport->native(), static_cast<slot_state*>(&g))) return close_connection(g);
  if (!park(g, g.active_connection->initial_wait())) static_cast<void>(thread_pool_.submit(static_cast<slot_state*>(&g), true));
}

/// A seat that is taken, with its connection.
WINSVC_INLINE connection_slot& server::acquire_slot(os::tcp_socket socket) {
  const std::lock_guard lock(mutex_);
  if (free_slots_.empty()) {
    free_slots_.reserve(slots_.size() + 1);  // so that nobody who leaves needs memory for it
    free_slots_.push_back(&slots_.emplace_back(poller_, thread_pool_));
  }
  connection_slot& g = *free_slots_.back();
  g.transport = make_transport(std::move(socket), drain_waker_, identity_);
  g.transport->set_blocking_observer(&g);
  try {
    g.active_connection.emplace(*g.transport, processor_, state_, limits_);
  } catch (...) {
    g.transport.reset();
    throw;
  }
  free_slots_.pop_back();
  ++open_count_;
  g.acquire();
  return g;
}

/// Without a seat: told in one send, and closed.
WINSVC_INLINE void server::reject_connection(os::tcp_socket socket, int status, const char* reason, const std::string& recipient) {
  warn_rate_limited(last_connection_limit_warning_, std::string(reason) + (recipient.empty() ? "" : ": " + recipient) + "; new ones are told so with " +
                         std::to_string(status));
  if (!identity_) {
    const std::string answer = error_response(status, reason);
    static_cast<void>(socket.send(answer.data(), answer.size(), std::chrono::milliseconds(0)));
  }
  socket.shutdown_send();
  char sink[4096];  // what it has asked already: left there, it would make the system take the answer back
  std::size_t received = 0;
  static_cast<void>(socket.receive(sink, sizeof sink, received, std::chrono::milliseconds(0)));
}

WINSVC_INLINE void server::close_connection(connection_slot& g) noexcept {
  deadlines_.clear(g);
  const bool free_now = poller_.remove(g.registration);
  {
    const std::lock_guard lock(g.mutex);
    g.active_connection.reset();
    if (g.transport) g.transport->close();
    g.transport.reset();
  }
  if (free_now) {
    g.release();
  } else {
    g.begin_close();
  }
  const std::lock_guard lock(mutex_);
  if (!g.client_address.empty()) {
    const auto at = connections_by_address_.find(g.client_address);
    if (at != connections_by_address_.end() && --at->second == 0) connections_by_address_.erase(at);
    g.client_address.clear();
  }
  if (free_now) free_slots_.push_back(&g);
  --open_count_;
  connection_closed_.notify_all();
  if (!free_now && poller_.has_no_pending(g.registration) && g.end_close()) free_slots_.push_back(&g);
}

/// After the last that the poller has to say of it.
WINSVC_INLINE void server::release_slot(connection_slot& g) noexcept {
  if (!poller_.has_no_pending(g.registration) || !g.end_close()) return;
  const std::lock_guard lock(mutex_);
  free_slots_.push_back(&g);
}

WINSVC_INLINE std::vector<work> server::active_requests(std::size_t limit) {
  std::vector<work> out;
  const std::lock_guard lock(mutex_);
  for (auto& g : slots_) {
    if (out.size() == limit) break;
    const std::lock_guard its(g.mutex);
    if (!g.transport || !g.active_connection) continue;
    if (auto one = g.active_connection->current_request()) out.push_back(*std::move(one));
  }
  return out;
}

/// Whoever waits gets a visit.
WINSVC_INLINE void server::wake_all() {
  std::vector<connection_slot*> all;
  {
    const std::lock_guard lock(mutex_);
    for (auto& g : slots_) all.push_back(&g);
  }
  for (auto* g : all) {
    if (g->claim()) static_cast<void>(thread_pool_.submit(static_cast<slot_state*>(g), true));
  }
}

WINSVC_INLINE drain_report server::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto answered_before = state_.response_count.load();
  state_.draining.store(true);  // before the listener goes: whoever is taken from here on is told to close
  if (std::exchange(started_, false)) accept_connections(true);  // who connected before we stopped is served
  {
    const std::lock_guard lock(accept_mutex_);
    if (listener_.is_open()) static_cast<void>(poller_.remove(listener_registration_));
    listener_.close();
  }
  drain_waker_.wake();
  wake_all();

  auto answered_now = answered_before;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto all_ended = [this] { return open_count_.load() == 0; };
  std::unique_lock lock(mutex_);
  const auto notify = [&] {
    const auto now = state_.response_count.load();
    if (now == answered_now || !progress) return;
    answered_now = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_ended() && connection_closed_.wait_until(lock, deadline) != std::cv_status::timeout) notify();
  notify();  // of those that were done before we waited
  if (!all_ended()) {
    report.aborted = state_.in_flight.load() + state_.websockets.load();
    constexpr std::size_t a_few = 10;
    for (auto& g : slots_) {
      const std::lock_guard its(g.mutex);
      if (!g.transport) continue;
      const auto one = report.aborted_requests.size() < a_few ? g.active_connection->current_request() : std::nullopt;
      if (one) {
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(one->age).count();
        report.aborted_requests.push_back(one->request_line + ' ' + std::to_string(age) + " s");
      }
      g.transport->abort_connection();
    }
    // Whoever waits on the network wakes at once; whoever computes gets a last moment.
    constexpr auto last_moment = std::chrono::milliseconds(500);
    connection_closed_.wait_for(lock, last_moment, all_ended);
  }
  report.completed = static_cast<std::size_t>(state_.response_count.load() - answered_before);
  report.stuck_threads = open_count_.load();
  lock.unlock();

  if (report.stuck_threads == 0) thread_pool_.stop();
  return report;
}

// --- the handle ------------------------------------------------------------------------------------------------------

WINSVC_INLINE engine::engine(const router& routes, const wire::limits& bounds, logger& log)
    : server_(std::make_unique<server>(routes, bounds, log)) {}
WINSVC_INLINE engine::~engine() = default;

WINSVC_INLINE result<void> engine::bind(const std::string& host, std::uint16_t port) { return server_->bind(host, port); }
WINSVC_INLINE os::endpoint engine::address() const { return server_->address(); }
WINSVC_INLINE void engine::tls(std::shared_ptr<tls_identity> identity) { server_->tls(std::move(identity)); }
WINSVC_INLINE void engine::on_response(std::function<void(const access_record&)> f) {
  server_->on_response(std::move(f));
}
WINSVC_INLINE void engine::start() { server_->accept(); }
WINSVC_INLINE void engine::pause(bool paused) noexcept { server_->pause(paused); }
WINSVC_INLINE bool engine::is_paused() const noexcept { return server_->is_paused(); }
WINSVC_INLINE drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  return server_->drain(limit, progress);
}
WINSVC_INLINE void engine::abandon_threads() { server_->abandon(); }
WINSVC_INLINE std::size_t engine::in_flight() const noexcept { return server_->in_flight(); }
WINSVC_INLINE std::size_t engine::websockets() const noexcept { return server_->websockets(); }
WINSVC_INLINE std::size_t engine::connections() const noexcept { return server_->connections(); }
WINSVC_INLINE std::size_t engine::threads() const { return server_->threads(); }
WINSVC_INLINE std::uint64_t engine::response_count() const noexcept { return server_->response_count(); }
WINSVC_INLINE http::request_statistics& engine::statistics() noexcept { return server_->statistics(); }
WINSVC_INLINE std::vector<work> engine::active_requests(std::size_t limit) { return server_->active_requests(limit); }
WINSVC_INLINE void engine::serve(transport& transport) { server_->serve(transport); }

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
