// HTTP server: the implementation of the engine (server/engine.hpp). It accepts connections, serves them on the thread
// pool, and drains them at stop.
//
//   server s(router, limits, log, clock::system(), os::thread_starter::system());
//   if (auto bound = s.bind("127.0.0.1", 0); !bound) return bound.error();
//   s.start();
//   auto report = s.drain(20s);
//
// An idle connection is parked: it is registered in the poller, has a deadline in the timer wheel, occupies no thread
// and costs some hundred bytes. When it is readable, a pool thread runs steps of it (server/connection.hpp) until it
// must wait, and parks its slot again. A drain first accepts the clients that have already connected and closes the
// listener. Then it closes idle connections and completes the requests in flight with `Connection: close`. The server
// does not parse requests.
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
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/wait_deadline.hpp"
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/drain_clock.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/server/engine_slot.hpp"
#include "winsvc/server/tls.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

class server final : private thread_pool::work_source {
 public:
  server(const http::router& router, const wire::limits& limits, logger& log, const clock& time,
         os::thread_starter& starter);
  /// Drains with a limit of 0 if drain() was not called, and waits for handlers that still run.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // The public functions are those of the engine; their comments are in server/engine.hpp.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  [[nodiscard]] os::endpoint address() const { return address_; }
  void tls(std::shared_ptr<tls_identity> identity);
  void on_response(std::function<void(const http::access_record&)> f) {
    engine_state_.on_response.push_back(std::move(f));
  }
  void start();
  void pause(bool paused) noexcept { engine_state_.paused.store(paused); }
  [[nodiscard]] bool is_paused() const noexcept { return engine_state_.paused.load(); }
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});
  void shorten_drain(std::chrono::milliseconds remaining);
  void abandon_threads() { thread_pool_.abandon(); }
  // Current numbers and statistics.
  [[nodiscard]] std::size_t in_flight() const noexcept { return engine_state_.requests.in_flight(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return engine_state_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const noexcept { return open_count_.load(); }
  [[nodiscard]] std::size_t threads() const { return thread_pool_.size(); }
  [[nodiscard]] std::uint64_t response_count() const noexcept { return engine_state_.requests.responses(); }
  [[nodiscard]] http::request_statistics& statistics() noexcept { return engine_state_.statistics; }
  [[nodiscard]] std::vector<http::active_request> active_requests(std::size_t limit);
  void serve_transport(http::transport& transport);

 private:
  /// A listening socket. `localhost` has two, one for each family.
  struct listener final : engine_slot {
    os::tcp_socket socket;
    os::poller::registration registration;
  };

  static thread_pool_limits thread_pool_limits_for(const wire::limits& limits);

  // The work source of the thread pool. Each work item is an engine slot: a listener or a connection slot. Its
  // address is the user data in the poller.
  std::size_t wait_ready(work_item** output, std::size_t capacity) noexcept override;
  void wake() noexcept override { poller_.wake(); }
  void notify() noexcept override { poller_.notify(); }
  bool claim(work_item& item) noexcept override;
  void serve(work_item& item, thread_pool::thread_role role, std::shared_ptr<void>& thread_context) noexcept override;
  void on_blocked(work_item& item) noexcept override;
  thread_pool::time_point run_timers(thread_pool::time_point now) noexcept override;
  thread_pool::time_point release_body_memory(thread_pool::time_point now) noexcept;
  void on_thread_shortage(const thread_shortage& numbers) noexcept override;

  /// The listener of an item, or nullptr.
  [[nodiscard]] listener* find_listener(work_item& item) noexcept;
  void accept_connections(listener& source, bool accept_all) noexcept;
  void add_connection(os::tcp_socket socket);
  unsigned reject_with_spare(listener& source, unsigned error);
  void shorten_drain_deadline(std::chrono::milliseconds limit) noexcept;
  void reject_connection(os::tcp_socket socket, int status, const char* reason, const std::string& address);
  connection_slot& acquire_slot(os::tcp_socket socket);
  void run_connection(connection_slot& slot, thread_pool::thread_role role, scratch_buffers& buffers) noexcept;
  bool submit_handler(connection_slot& slot, const wait_condition& next) noexcept;
  bool park_connection(connection_slot& slot, const wait_condition& next) noexcept;
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
  drain_clock drain_clock_;
  const clock& time_;  // the system's clock, or drain_clock_
  http::request_processor processor_;
  http::engine_state engine_state_;
  os::endpoint address_;
  os::waker drain_waker_;
  std::optional<base::wait_deadline> drain_deadline_;  // set by the first drain; under mutex_
  os::poller poller_;
  deadline_timers deadlines_;
  std::uint64_t body_bytes_at_release_ = 0;  // of release_body_memory(), used by the monitor thread
  thread_pool::time_point next_release_{};

  std::deque<listener> listeners_;  // after start(), neither moved nor removed
  std::mutex accept_mutex_;         // held while connections are accepted and while the listeners are closed
  os::tcp_socket spare_socket_;     // occupies a descriptor for reject_with_spare(); under accept_mutex_
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

WINSVC_INLINE server::server(const http::router& router, const wire::limits& limits, logger& log, const clock& time,
                             os::thread_starter& starter)
    : limits_(limits),
      log_(log),
      drain_clock_(time),
      time_(&time == &clock::system() ? time : drain_clock_),
      processor_(router, limits_, log, time_, starter),
      engine_state_(time_),
      deadlines_(time_),
      thread_pool_(*this, thread_pool_limits_for(limits), time_, starter) {
  engine_state_.on_limit_reached = [this](http::shared_limit limit) { on_limit_reached(limit); };
}

WINSVC_INLINE server::~server() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  thread_pool_.stop();
  for (auto& slot : slots_) {  // connections that did not end in time: no event channel may wake them any more
    const std::lock_guard lock(slot.mutex);
    slot.active_connection.reset();
  }
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
  bool is_bound = false;  // without memory for the rest, no socket may keep the port
  const scope_exit close_after_exception([&]() noexcept {
    if (!is_bound) listeners_.clear();
  });
  listeners_.clear();
  for (auto& socket : opened.sockets) listeners_.emplace_back().socket = std::move(socket);
  address_ = listeners_.front().socket.local();
  for (const auto& missing : opened.missing)
    log_.info("not listening on " + missing.address.host + " for host '" + host +
              "': this machine does not have this address (" + std::to_string(missing.code) + ")");
  for (std::size_t i = 1; i < listeners_.size(); ++i)
    log_.info("also listening on " + listeners_[i].socket.local().text() + " for host '" + host + "'");
  address_.tls = identity_ != nullptr;
  is_bound = true;
  return {};
}

WINSVC_INLINE void server::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

WINSVC_INLINE void server::start() {
  constexpr std::size_t other_descriptors = 64;  // log files, static files, the control channel
  os::ignore_broken_pipes();
  const auto descriptors = os::raise_descriptor_limit();
  if (descriptors > 0 && descriptors < limits_.connections + other_descriptors)
    log_.info("the limit of open files is " + std::to_string(descriptors) + ", less than the limit of " +
              std::to_string(limits_.connections) + " connections; raise it with 'ulimit -Hn' or LimitNOFILE=");
  processor_.start();
  spare_socket_ = os::tcp_socket::unbound();
  for (auto& each : listeners_) each.acquire();
  started_ = true;
  thread_pool_.start();
  for (auto& each : listeners_)
    poller_.add_listener(each.registration, each.socket, static_cast<work_item*>(&each));
  for (auto& each : listeners_)
    static_cast<void>(thread_pool_.submit(each, work_class::io));  // accepts, then parks the listener
}

WINSVC_INLINE void server::serve_transport(http::transport& transport) {
  connection connection(transport, processor_, engine_state_, limits_);
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
  auto& slot = static_cast<engine_slot&>(item);
  if (slot.claim()) return true;
  if (slot.is_closing() && !find_listener(item)) release_slot(static_cast<connection_slot&>(slot));
  return false;
}

WINSVC_INLINE void server::on_blocked(work_item& item) noexcept {
  if (find_listener(item)) return;
  auto& slot = static_cast<connection_slot&>(static_cast<engine_slot&>(item));
  if (http::route_latency* const latency = slot.latency.load()) latency->mark_blocked();
}

WINSVC_INLINE thread_pool::time_point server::run_timers(thread_pool::time_point now) noexcept {
  const auto run = [this](engine_slot& slot) { static_cast<void>(thread_pool_.submit(slot, work_class::io)); };
  const auto next = deadlines_.advance(now, run, [this, &run](engine_slot& slot) {
    if (!thread_pool_.remove(slot)) return;  // a thread serves it: its owner sets the next deadline
    slot.timed_out = true;
    run(slot);
  });
  return (std::min)(next, release_body_memory(now));
}

/// Returns the memory of large request bodies to the system, at most once in 5 s: the buffers of slow bodies grow in
/// many steps, and the C library may keep three times the memory that is in use. Returns the time of the next call.
WINSVC_INLINE thread_pool::time_point server::release_body_memory(thread_pool::time_point now) noexcept {
  constexpr std::uint64_t least_bytes = 64 * 1024 * 1024;
  constexpr std::chrono::seconds interval{5};
  const std::uint64_t bytes = engine_state_.buffered_body_bytes.load();
  if ((std::max)(bytes, body_bytes_at_release_) < least_bytes) return (thread_pool::time_point::max)();
  if (now < next_release_) return next_release_;
  os::release_free_memory();
  body_bytes_at_release_ = bytes;
  next_release_ = now + interval;
  return bytes < least_bytes ? (thread_pool::time_point::max)() : next_release_;
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
           "' is reached; rejecting new requests";
  });
}

/// Logs at most one warning per second and kind. `text` returns the text; if memory is exhausted, the warning is lost.
template <class F>
void server::warn_rate_limited(std::atomic<std::int64_t>& last_warning, const F& text) noexcept {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(time_.now().time_since_epoch()).count();
  auto before = last_warning.load();
  if (now - before < 1000 || !last_warning.compare_exchange_strong(before, now)) return;
  try {
    log_.warn(text());
  } catch (const std::exception&) {
  }
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
