// HTTP server: the implementation of the engine (server/engine.hpp). It accepts connections, serves them on the thread
// pool, and drains them at stop.
//
// An idle connection is parked: it is registered in the poller, has a deadline in the timer wheel, occupies no thread
// and costs some hundred bytes. When it is readable, a pool thread runs one step of it (server/connection.hpp) and
// parks its slot again. A drain first accepts the clients that have already connected and closes the listener; then it
// closes idle connections and completes the requests in flight with `Connection: close`. The server does not parse
// requests.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/os/thread_starter.hpp"
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
namespace detail::server {

class server final : private thread_pool::work_source {
 public:
  server(const http::router& routes, const wire::limits& limits, logger& log, clock& time,
         os::thread_starter& starter);
  /// Drains with a limit of 0 if drain() was not called, and waits for handlers that still run.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // The public functions are those of the engine; their comments are in server/engine.hpp.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  [[nodiscard]] os::endpoint address() const { return address_; }
  void tls(std::shared_ptr<tls_identity> identity);
  void on_response(std::function<void(const http::access_record&)> f) { state_.on_response.push_back(std::move(f)); }
  void start();
  void pause(bool paused) noexcept { state_.paused.store(paused); }
  [[nodiscard]] bool is_paused() const noexcept { return state_.paused.load(); }
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});
  void shorten_drain(clock::time_point deadline);
  void abandon_threads() { thread_pool_.abandon(); }
  // Current numbers and statistics.
  [[nodiscard]] std::size_t in_flight() const noexcept { return state_.in_flight.load(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return state_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const noexcept { return open_count_.load(); }
  [[nodiscard]] std::size_t threads() const { return thread_pool_.size(); }
  [[nodiscard]] std::uint64_t response_count() const noexcept { return state_.response_count.load(); }
  [[nodiscard]] http::request_statistics& statistics() noexcept { return state_.statistics; }
  [[nodiscard]] std::vector<http::active_request> active_requests(std::size_t limit);
  void serve(http::transport& transport);

 private:
  /// A listening socket. `localhost` has two, one for each family.
  struct listener {
    os::tcp_socket socket;
    slot_state slot;
    os::poller::registration registration;
  };

  static thread_pool_limits thread_pool_limits_for(const wire::limits& limits);

  // The work source of the thread pool. Each item is a slot_state: that of a listener or of a connection_slot. The
  // user data of the poller is its address.
  std::size_t wait_ready(work_item** output, std::size_t capacity) noexcept override;
  void wake() noexcept override { poller_.wake(); }
  void notify() noexcept override { poller_.notify(); }
  bool claim(work_item& item) noexcept override;
  void serve(work_item& item, thread_pool::thread_role role, std::shared_ptr<void>& thread_context) noexcept override;
  void on_slow(work_item& item) noexcept override;
  thread_pool::time_point run_timers(thread_pool::time_point now) noexcept override;
  void on_thread_shortage(const thread_shortage& numbers) noexcept override;

  /// The listener of an item, or nullptr.
  [[nodiscard]] listener* find_listener(work_item& item) noexcept;
  void accept_connections(listener& source, bool accept_all) noexcept;
  void add_connection(os::tcp_socket socket);
  void reject_connection(os::tcp_socket socket, int status, const char* reason, const std::string& address);
  connection_slot& acquire_slot(os::tcp_socket socket);
  void run_connection(connection_slot& slot, thread_pool::thread_role role, scratch_buffers& buffers) noexcept;
  bool submit_handler(connection_slot& slot, const wait_condition& next) noexcept;
  bool park(connection_slot& slot, const wait_condition& next) noexcept;
  void close_connection(connection_slot& slot) noexcept;
  void release_slot(connection_slot& slot) noexcept;
  void close_oldest_idle() noexcept;
  void close_listeners() noexcept;
  void wake_all() noexcept;
  void on_limit_reached(http::shared_limit limit) noexcept;
  template <class F>
  void warn_rate_limited(std::atomic<std::int64_t>& last_warning, const F& text) noexcept;
  void list_aborted(connection_slot& slot, drain_report& report) noexcept;

  const wire::limits limits_;
  logger& log_;
  clock& clock_;
  http::request_processor processor_;
  http::engine_state state_;
  os::endpoint address_;
  os::waker drain_waker_;
  std::chrono::steady_clock::time_point drain_deadline_ =
      (std::chrono::steady_clock::time_point::max)();  // under mutex_; shorten_drain moves it
  os::poller poller_;
  deadline_timers deadlines_;

  std::deque<listener> listeners_;  // after start(), neither moved nor removed
  std::mutex accept_mutex_;         // held while connections are accepted and while the listeners are closed
  // Time of the last warning of each kind, in ms. A compare-exchange selects one thread per second.
  static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::min)() / 2;
  std::atomic<std::int64_t> last_accept_error_warning_{never}, last_connection_limit_warning_{never},
      last_queue_full_warning_{never}, last_thread_warning_{never},
      last_shared_limit_warning_[4]{never, never, never, never};

  mutable std::mutex mutex_;  // protects the slots, their counts and identity_; locked before the mutex of a slot
  std::condition_variable connection_closed_;
  std::deque<connection_slot> slots_;
  std::vector<connection_slot*> free_slots_;
  std::map<std::string, std::size_t> connections_by_address_;
  std::atomic<std::size_t> open_count_{0};  // written under mutex_; atomic, so that connections() takes no lock
  std::shared_ptr<tls_identity> identity_;
  bool started_ = false;
  thread_pool thread_pool_;  // the last member: its threads end before the other members are destroyed
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE thread_pool_limits server::thread_pool_limits_for(const wire::limits& limits) {
  thread_pool_limits result;
  result.io_threads = os::processor_count();
  result.min_threads = (std::max)(result.io_threads + 2, std::size_t{4});
  result.max_threads = (std::max)(limits.threads, result.min_threads);
  result.queue_limit = limits.queue;
  return result;
}

WINSVC_INLINE server::server(const http::router& routes, const wire::limits& limits, logger& log, clock& time,
                             os::thread_starter& starter)
    : limits_(limits),
      log_(log),
      clock_(time),
      processor_(routes, limits_, log, time, starter),
      state_(time),
      deadlines_(time),
      thread_pool_(*this, thread_pool_limits_for(limits), time, starter) {
  state_.on_limit_reached = [this](http::shared_limit limit) { on_limit_reached(limit); };
}

WINSVC_INLINE server::~server() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  thread_pool_.stop();
  poller_.wait_for_pending();
}

WINSVC_INLINE result<void> server::bind(const std::string& host, std::uint16_t port) {
  const os::endpoint requested{host, port};
  if (!drain_waker_.is_open() || !poller_.is_open()) {
    const auto code = os::socket_api::last_error();
    return failure{
        base::error_with_explanation(code, "prepare to listen on", requested.text(), os::system_error_message(code))};
  }
  auto opened = os::listen_on(host, port);
  if (opened.failure) return failure{os::listen_error(host, *opened.failure)};
  listeners_.clear();
  for (auto& socket : opened.sockets) listeners_.emplace_back().socket = std::move(socket);
  address_ = listeners_.front().socket.local();
  for (const auto& missing : opened.missing)
    log_.info("not listening on " + missing.address.host + " for host '" + host +
              "': this machine does not have this address (" + std::to_string(missing.code) + ")");
  for (std::size_t i = 1; i < listeners_.size(); ++i)
    log_.info("also listening on " + listeners_[i].socket.local().text() + " for host '" + host + "'");
  address_.tls = identity_ != nullptr;
  return {};
}

WINSVC_INLINE void server::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

WINSVC_INLINE void server::start() {
  constexpr std::size_t other_descriptors = 64;  // log files, static files, the control channel
  const auto descriptors = os::raise_descriptor_limit();
  if (descriptors > 0 && descriptors < limits_.connections + other_descriptors)
    log_.info("the limit of open files is " + std::to_string(descriptors) + ", less than the limit of " +
              std::to_string(limits_.connections) + " connections; raise it with 'ulimit -Hn' or LimitNOFILE=");
  processor_.start();
  for (auto& each : listeners_) each.slot.acquire();
  started_ = true;
  thread_pool_.start();
  for (auto& each : listeners_)
    poller_.add_listener(each.registration, each.socket, static_cast<work_item*>(&each.slot));
  for (auto& each : listeners_)
    static_cast<void>(thread_pool_.submit(each.slot, work_class::step));  // accepts, then parks the listener
}

WINSVC_INLINE void server::serve(http::transport& transport) {
  connection connection(transport, processor_, state_, limits_);
  scratch_buffers buffers;
  step_options options;
  // The transport does not wait: if a step must wait, its deadline counts as passed.
  for (auto wait = connection.advance(buffers, options); wait.reason != wait_reason::closed;
       wait = connection.advance(buffers, options))
    options.timed_out = wait.reason != wait_reason::yield;
}

WINSVC_INLINE std::size_t server::wait_ready(work_item** output, std::size_t capacity) noexcept {
  void* ready[16];
  const auto count = poller_.wait(ready, (std::min)(capacity, std::size_t{16}));
  for (std::size_t i = 0; i < count; ++i) output[i] = static_cast<work_item*>(ready[i]);
  return count;
}

WINSVC_INLINE bool server::claim(work_item& item) noexcept {
  auto& slot = static_cast<slot_state&>(item);
  if (slot.claim()) return true;
  if (slot.is_closing() && !find_listener(item)) release_slot(static_cast<connection_slot&>(slot));
  return false;
}

WINSVC_INLINE void server::on_slow(work_item& item) noexcept {
  if (find_listener(item)) return;
  auto& slot = static_cast<connection_slot&>(static_cast<slot_state&>(item));
  if (http::route_latency* const latency = slot.latency.load()) latency->mark_slow();
}

WINSVC_INLINE thread_pool::time_point server::run_timers(thread_pool::time_point now) noexcept {
  const auto run = [this](slot_state& slot) { static_cast<void>(thread_pool_.submit(slot, work_class::step)); };
  return deadlines_.advance(now, run, [this, &run](slot_state& slot) {
    if (!thread_pool_.remove(slot)) return;  // its owner sets the next deadline
    slot.timed_out.store(true);
    run(slot);
  });
}

WINSVC_INLINE void server::on_thread_shortage(const thread_shortage& numbers) noexcept {
  warn_rate_limited(last_thread_warning_, [&numbers] {
    return "the system cannot create another thread: " + std::to_string(numbers.threads) + " threads run, " +
           std::to_string(numbers.waiting_handlers) + " requests and " + std::to_string(numbers.waiting_streams) +
           " streams wait for a thread; trying again (check the limits of threads and memory of the process)";
  });
}

WINSVC_INLINE void server::on_limit_reached(http::shared_limit limit) noexcept {
  warn_rate_limited(last_shared_limit_warning_[static_cast<std::size_t>(limit)], [limit] {
    constexpr const char* names[] = {"streams", "body_threads", "buffered_body_bytes", "unsent_bytes"};
    return std::string("the limit '") + names[static_cast<std::size_t>(limit)] +
           "' is reached; sending 503 to new requests";
  });
}

WINSVC_INLINE void server::serve(work_item& item, thread_pool::thread_role role,
                                 std::shared_ptr<void>& thread_context) noexcept {
  if (listener* const source = find_listener(item)) return accept_connections(*source, false);
  connection_slot& slot = static_cast<connection_slot&>(static_cast<slot_state&>(item));
  try {
    if (!thread_context) thread_context = std::make_shared<scratch_buffers>();
  } catch (const std::exception&) {  // out of memory
    return close_connection(slot);
  }
  run_connection(slot, role, *static_cast<scratch_buffers*>(thread_context.get()));
}

/// Runs steps of a connection until it must wait, then parks its slot.
WINSVC_INLINE void server::run_connection(connection_slot& slot, thread_pool::thread_role role,
                                          scratch_buffers& buffers) noexcept {
  using thread_role = thread_pool::thread_role;
  if (role == thread_role::stream) slot.on_begin_blocking();
  step_options options;
  options.latency = &slot.latency;
  options.allowed = role == thread_role::stream     ? handler_kind::stream
                    : role == thread_role::blocking ? handler_kind::slow
                    : role == thread_role::io       ? handler_kind::fast
                                                    : handler_kind::builtin;
  slot.is_idle.store(false, std::memory_order_relaxed);
  constexpr int max_steps = 16;  // then other connections go first
  for (int step = 0;; ++step) {
    if (step == max_steps) return static_cast<void>(thread_pool_.submit(slot, work_class::step));
    options.timed_out = slot.timed_out.exchange(false);
    if (poller_.is_sending(slot.registration) && !options.timed_out) {  // the poller sends the response
      if (slot.park()) return;
      continue;
    }
    const auto sent_bytes = poller_.take_sent_bytes(slot.registration);
    if (sent_bytes > 0) slot.active_connection->mark_sent(sent_bytes);
    const auto next = slot.active_connection->advance(buffers, options);
    options.queue_full = false;
    if (slot.in_blocking_section) {
      slot.in_blocking_section = false;
      if (role == thread_role::io) options.allowed = handler_kind::slow;  // the thread was demoted
      thread_pool_.end_blocking();
      if (role == thread_role::stream) {  // the next request of this connection is one of any kind
        role = thread_role::blocking;
        options.allowed = handler_kind::slow;
      }
    }
    if (next.reason == wait_reason::closed) return close_connection(slot);
    if (next.reason == wait_reason::yield) return static_cast<void>(thread_pool_.submit(slot, work_class::step));
    if (next.reason == wait_reason::blocking_thread || next.reason == wait_reason::stream_thread) {
      if (submit_handler(slot, next)) return;
      warn_rate_limited(last_queue_full_warning_,
                        [] { return std::string("request queue full; sending 503 to new requests"); });
      options.queue_full = true;
      continue;
    }
    // On a completion port only the TLS library can send its records, so this thread waits.
    if (!os::poller::supports_write_wait && next.reason == wait_reason::writable && slot.transport->is_encrypted()) {
      slot.on_begin_blocking();
      const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(next.deadline - clock_.now());
      if (!slot.transport->wait_sendable(remaining)) slot.timed_out.store(true);
      continue;
    }
    if (park(slot, next)) return;
  }
}

/// Queues a connection whose handler requires another thread. Returns false if the queue is full: the caller still owns
/// the slot. At the deadline of the handler, run_timers() takes it out of the queue.
WINSVC_INLINE bool server::submit_handler(connection_slot& slot, const wait_condition& next) noexcept {
  const auto kind = next.reason == wait_reason::stream_thread ? work_class::stream : work_class::blocking;
  if (deadlines_.set(slot, next.deadline)) thread_pool_.wake_monitor();
  return thread_pool_.submit(slot, kind);
}

/// Waits for `next` without a thread. Returns false if an event came already: the caller still owns the slot.
WINSVC_INLINE bool server::park(connection_slot& slot, const wait_condition& next) noexcept {
  if (deadlines_.set(slot, next.deadline)) thread_pool_.wake_monitor();
  slot.is_idle.store(slot.active_connection->is_idle(), std::memory_order_relaxed);
  const auto event = next.reason == wait_reason::writable ? os::poll_for::writable : os::poll_for::readable;
  poller_.arm(slot.registration, event, slot.active_connection->unsent());
  return slot.park();
}

WINSVC_INLINE server::listener* server::find_listener(work_item& item) noexcept {
  for (auto& each : listeners_)
    if (&item == &each.slot) return &each;
  return nullptr;
}

/// Accepts waiting clients: at most 64 per event, so that open connections are served in between, or 4,096 in a drain.
WINSVC_INLINE void server::accept_connections(listener& source, bool accept_all) noexcept {
  const std::unique_lock lock(accept_mutex_);
  constexpr int max_per_event = 64, max_in_drain = 4096;  // clients may connect as fast as they are accepted
  bool failed = false;
  for (int i = 0; i < (accept_all ? max_in_drain : max_per_event) && source.socket.is_open(); ++i) {
    auto result = poller_.accept(source.registration);
    if (!result && os::socket_api::would_block(result.error())) break;
    try {
      if (result) {
        add_connection(std::move(*result));
        continue;
      }
      // The client closed before it was accepted, or the process has no free descriptor. The listener tries again after
      // a delay; otherwise the service would be RUNNING and unreachable.
      warn_rate_limited(last_accept_error_warning_, [code = result.error()] {
        return "cannot accept a connection: " + os::system_error_text(code) + "; trying again";
      });
    } catch (const std::exception&) {  // out of memory: this client loses its connection
    }
    failed = true;
    break;
  }
  if (accept_all) return;
  constexpr std::chrono::milliseconds retry_delay{20};
  do {
    if (!source.socket.is_open()) return source.slot.release();
    if (!failed) failed = !poller_.arm_accept(source.registration);
    if (failed && deadlines_.set(source.slot, clock_.now() + retry_delay)) thread_pool_.wake_monitor();
  } while (!source.slot.park());
}

/// Logs at most one warning per second and kind. `text` returns the text; if memory is exhausted, the warning is lost.
template <class F>
void server::warn_rate_limited(std::atomic<std::int64_t>& last_warning, const F& text) noexcept {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now().time_since_epoch()).count();
  auto before = last_warning.load();
  if (now - before < 1000 || !last_warning.compare_exchange_strong(before, now)) return;
  try {
    log_.warn(text());
  } catch (const std::exception&) {
  }
}

WINSVC_INLINE void server::add_connection(os::tcp_socket socket) {
  std::string address;
  if (limits_.connections_per_address > 0) {
    address = socket.peer().host;
    bool is_rejected = false;
    {
      const std::lock_guard lock(mutex_);
      const auto entry = connections_by_address_.find(address);  // not [], which adds an entry for a rejected client
      is_rejected = entry != connections_by_address_.end() && entry->second >= limits_.connections_per_address;
    }
    if (is_rejected) return reject_connection(std::move(socket), 429, "too many connections from one client", address);
  }
  if (open_count_.load() >= limits_.connections) close_oldest_idle();
  if (open_count_.load() >= limits_.connections)
    return reject_connection(std::move(socket), 503, "too many connections are open", {});

  connection_slot& slot = acquire_slot(std::move(socket));
  try {
    if (!address.empty()) {
      const std::lock_guard lock(mutex_);
      ++connections_by_address_[address];
      slot.client_address.swap(address);
    }
  } catch (...) {
    close_connection(slot);
    throw;
  }
  if (!poller_.add(slot.registration, slot.transport->native(), static_cast<work_item*>(&slot)))
    return close_connection(slot);
  if (!park(slot, slot.active_connection->initial_wait()))
    static_cast<void>(thread_pool_.submit(slot, work_class::step));
}

/// Closes some of the connections that have been idle for the longest time, so that a client with many idle connections
/// does not exclude the others. One search serves several new clients.
WINSVC_INLINE void server::close_oldest_idle() noexcept {
  constexpr std::size_t max_closed = 32;
  connection_slot* oldest[max_closed];
  std::size_t count = 0;
  const auto is_older = [](const connection_slot* a, const connection_slot* b) {
    return a->deadline_ticks() < b->deadline_ticks();  // all idle connections have the same timeout
  };
  const auto max_count = (std::min)(max_closed, limits_.connections / 16 + 1);
  {
    const std::lock_guard lock(mutex_);
    for (auto& slot : slots_) {
      if (!slot.is_idle.load(std::memory_order_relaxed)) continue;
      if (count == max_count) {
        if (!is_older(&slot, oldest[0])) continue;
        std::pop_heap(oldest, oldest + count--, is_older);  // the youngest
      }
      oldest[count++] = &slot;
      std::push_heap(oldest, oldest + count, is_older);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!oldest[i]->claim()) continue;
    if (oldest[i]->is_idle.load(std::memory_order_relaxed)) close_connection(*oldest[i]);
    else static_cast<void>(thread_pool_.submit(*oldest[i], work_class::step));
  }
}

/// Returns a busy slot with a new connection.
WINSVC_INLINE connection_slot& server::acquire_slot(os::tcp_socket socket) {
  const std::lock_guard lock(mutex_);
  if (free_slots_.empty()) {
    free_slots_.reserve(slots_.size() + 1);  // so that close_connection() needs no memory
    free_slots_.push_back(&slots_.emplace_back(poller_, thread_pool_));
  }
  connection_slot& slot = *free_slots_.back();
  slot.transport = make_transport(std::move(socket), drain_waker_, identity_);
  slot.transport->set_blocking_observer(&slot);
  try {
    slot.active_connection.emplace(*slot.transport, processor_, state_, limits_);
  } catch (...) {
    slot.transport.reset();
    throw;
  }
  free_slots_.pop_back();
  ++open_count_;
  slot.acquire();
  return slot;
}

/// Rejects a client without a slot: sends the error in one call and closes.
WINSVC_INLINE void server::reject_connection(os::tcp_socket socket, int status, const char* reason,
                                             const std::string& address) {
  warn_rate_limited(last_connection_limit_warning_, [&] {
    return std::string(reason) + (address.empty() ? "" : ": " + address) + "; rejecting new connections with " +
           std::to_string(status);
  });
  bool is_encrypted = false;
  {
    const std::lock_guard lock(mutex_);
    is_encrypted = identity_ != nullptr;
  }
  if (!is_encrypted) {
    const std::string response = http::error_response(status, reason);
    static_cast<void>(socket.send(response.data(), response.size(), std::chrono::milliseconds(0)));
  }
  socket.shutdown_send();
  char discarded[4096];  // closing a socket with unread input resets it, and the client would lose the response
  std::size_t received = 0;
  static_cast<void>(socket.receive(discarded, sizeof discarded, received, std::chrono::milliseconds(0)));
}

WINSVC_INLINE void server::close_connection(connection_slot& slot) noexcept {
  slot.is_idle.store(false, std::memory_order_relaxed);
  deadlines_.clear(slot);
  const bool is_free = poller_.remove(slot.registration);
  {
    const std::lock_guard lock(slot.mutex);
    slot.active_connection.reset();
    if (slot.transport) slot.transport->close();
    slot.transport.reset();
  }
  if (is_free) {
    slot.release();
  } else {
    slot.begin_close();
  }
  const std::lock_guard lock(mutex_);
  if (!slot.client_address.empty()) {
    const auto entry = connections_by_address_.find(slot.client_address);
    if (entry != connections_by_address_.end() && --entry->second == 0) connections_by_address_.erase(entry);
    slot.client_address.clear();
  }
  if (is_free) free_slots_.push_back(&slot);
  --open_count_;
  connection_closed_.notify_all();
  if (!is_free && poller_.has_no_pending(slot.registration) && slot.end_close()) free_slots_.push_back(&slot);
}

/// Frees a closing slot after the last event of the poller.
WINSVC_INLINE void server::release_slot(connection_slot& slot) noexcept {
  if (!poller_.has_no_pending(slot.registration) || !slot.end_close()) return;
  const std::lock_guard lock(mutex_);
  free_slots_.push_back(&slot);
}

WINSVC_INLINE std::vector<http::active_request> server::active_requests(std::size_t limit) {
  std::vector<http::active_request> requests;
  const std::lock_guard lock(mutex_);
  for (auto& slot : slots_) {
    if (requests.size() == limit) break;
    const std::lock_guard slot_lock(slot.mutex);
    if (!slot.transport || !slot.active_connection) continue;
    if (auto request = slot.active_connection->current_request()) requests.push_back(*std::move(request));
  }
  return requests;
}

/// Runs a step of each parked connection, so that it sees `draining`.
WINSVC_INLINE void server::wake_all() noexcept {
  for (std::size_t i = 0;; ++i) {
    connection_slot* slot = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (i >= slots_.size()) return;
      slot = &slots_[i];
    }
    if (slot->claim()) static_cast<void>(thread_pool_.submit(*slot, work_class::step));
  }
}

/// Accepts the clients that have connected, and closes the listeners so that no other client connects in between:
/// it would be reset.
WINSVC_INLINE void server::close_listeners() noexcept {
  {
    const std::lock_guard lock(accept_mutex_);
    for (auto& each : listeners_)
      if (each.socket.is_open()) each.socket.ignore_new_clients();
  }
  if (std::exchange(started_, false)) {
    constexpr std::chrono::milliseconds handshake_time{1};  // of a client on this machine that has begun to connect
    for (auto& each : listeners_) accept_connections(each, true);
    clock_.sleep(handshake_time);
    for (auto& each : listeners_) accept_connections(each, true);
  }
  const std::lock_guard lock(accept_mutex_);
  for (auto& each : listeners_) {
    if (each.socket.is_open()) static_cast<void>(poller_.remove(each.registration));
    each.socket.close();
  }
}

/// Names the request of a connection that is aborted.
WINSVC_INLINE void server::list_aborted(connection_slot& slot, drain_report& report) noexcept {
  constexpr std::size_t max_listed = 10;
  if (report.aborted_requests.size() >= max_listed) return;
  try {
    const auto request = slot.active_connection->current_request();
    if (!request) return;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(request->age).count();
    report.aborted_requests.push_back(request->request_line + ' ' + std::to_string(age) + " s");
  } catch (const std::exception&) {  // out of memory: the request is counted
  }
}

WINSVC_INLINE drain_report server::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto responses_before = state_.response_count.load();
  state_.draining.store(true);  // before the last clients are accepted: their responses must have Connection: close
  close_listeners();
  drain_waker_.wake();
  wake_all();

  auto reported_responses = responses_before;
  const auto deadline = clock_.now() + limit;
  const auto all_closed = [this] { return open_count_.load() == 0; };
  std::unique_lock lock(mutex_);
  drain_deadline_ = (std::min)(drain_deadline_, deadline);
  const auto report_progress = [&] {
    const auto now = state_.response_count.load();
    if (now == reported_responses || !progress) return;
    reported_responses = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_closed() && clock_.now() < drain_deadline_) {
    clock_.wait_until(connection_closed_, lock, drain_deadline_);
    report_progress();
  }
  report_progress();  // also if no wait was necessary
  if (!all_closed()) {
    report.aborted = state_.in_flight.load() + state_.websockets.load();
    for (auto& slot : slots_) {
      const std::lock_guard slot_lock(slot.mutex);
      if (!slot.transport) continue;
      list_aborted(slot, report);
      slot.transport->abort_connection();
    }
    // A thread that waits for the network wakes at once; a handler that computes has another 500 ms.
    const auto abort_deadline = clock_.now() + std::chrono::milliseconds(500);
    while (!all_closed() && clock_.now() < abort_deadline) clock_.wait_until(connection_closed_, lock, abort_deadline);
  }
  report.completed = static_cast<std::size_t>(state_.response_count.load() - responses_before);
  report.stuck_threads = open_count_.load();
  lock.unlock();

  if (report.stuck_threads == 0) thread_pool_.stop();
  return report;
}

WINSVC_INLINE void server::shorten_drain(clock::time_point deadline) {
  const std::lock_guard lock(mutex_);
  drain_deadline_ = (std::min)(drain_deadline_, deadline);
  connection_closed_.notify_all();
}

// --- engine ----------------------------------------------------------------------------------------------------------

WINSVC_INLINE engine::engine(const http::router& routes, const wire::limits& limits, logger& log, clock& time,
                             os::thread_starter& starter)
    : server_(std::make_unique<server>(routes, limits, log, time, starter)) {}
WINSVC_INLINE engine::~engine() = default;

WINSVC_INLINE result<void> engine::bind(const std::string& host, std::uint16_t port) {
  return server_->bind(host, port);
}
WINSVC_INLINE os::endpoint engine::address() const { return server_->address(); }
WINSVC_INLINE void engine::tls(std::shared_ptr<tls_identity> identity) { server_->tls(std::move(identity)); }
WINSVC_INLINE void engine::on_response(std::function<void(const http::access_record&)> f) {
  server_->on_response(std::move(f));
}
WINSVC_INLINE void engine::start() { server_->start(); }
WINSVC_INLINE void engine::pause(bool paused) noexcept { server_->pause(paused); }
WINSVC_INLINE bool engine::is_paused() const noexcept { return server_->is_paused(); }
WINSVC_INLINE drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  return server_->drain(limit, progress);
}
WINSVC_INLINE void engine::shorten_drain(clock::time_point deadline) {
  server_->shorten_drain(deadline);
}
WINSVC_INLINE void engine::abandon_threads() { server_->abandon_threads(); }
WINSVC_INLINE std::size_t engine::in_flight() const noexcept { return server_->in_flight(); }
WINSVC_INLINE std::size_t engine::websockets() const noexcept { return server_->websockets(); }
WINSVC_INLINE std::size_t engine::connections() const noexcept { return server_->connections(); }
WINSVC_INLINE std::size_t engine::threads() const { return server_->threads(); }
WINSVC_INLINE std::uint64_t engine::response_count() const noexcept { return server_->response_count(); }
WINSVC_INLINE http::request_statistics& engine::statistics() noexcept { return server_->statistics(); }
WINSVC_INLINE std::vector<http::active_request> engine::active_requests(std::size_t limit) {
  return server_->active_requests(limit);
}
WINSVC_INLINE void engine::serve(http::transport& transport) { server_->serve(transport); }

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
