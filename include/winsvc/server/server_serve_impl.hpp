// Implementation of server/server.hpp: runs the steps of a connection, queues its handler, and parks its slot.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/engine_slot.hpp"
#include "winsvc/server/scratch_buffers.hpp"
#include "winsvc/server/server.hpp"
#include "winsvc/server/thread_pool.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE void server::serve(work_item& item, thread_pool::thread_role role,
                                 std::shared_ptr<void>& thread_context) noexcept {
  if (listener* const source = find_listener(item)) return accept_connections(*source, false);
  connection_slot& slot = static_cast<connection_slot&>(static_cast<engine_slot&>(item));
  try {
    if (!thread_context) thread_context = std::make_shared<scratch_buffers>();
  } catch (const std::exception&) {  // out of memory
    return close_connection(slot);
  }
  run_connection(slot, role, *static_cast<scratch_buffers*>(thread_context.get()));
}

/// Runs steps of a connection until it must wait, then parks its slot. After 16 steps, queues it again.
WINSVC_INLINE void server::run_connection(connection_slot& slot, thread_pool::thread_role role,
                                          scratch_buffers& buffers) noexcept {
  using thread_role = thread_pool::thread_role;
  if (role == thread_role::stream) slot.on_begin_blocking();
  step_options options;
  options.latency = &slot.latency;
  options.allowed = role == thread_role::stream     ? handler_kind::stream
                    : role == thread_role::blocking ? handler_kind::blocking
                    : role == thread_role::io       ? handler_kind::fast
                                                    : handler_kind::builtin;
  slot.is_idle.store(false, std::memory_order_relaxed);
  constexpr int max_steps = 16;  // then other connections go first
  for (int step = 0;; ++step) {
    if (step == max_steps) return static_cast<void>(thread_pool_.submit(slot, work_class::io));
    options.timed_out = std::exchange(slot.timed_out, false);
    // The poller sends the response, unless the client is too slow.
    if (poller_.is_sending(slot.registration) && !options.timed_out && !slot.active_connection->is_lagging()) {
      if (slot.park()) return;
      continue;
    }
    const auto sent_bytes = poller_.take_sent_bytes(slot.registration);
    if (sent_bytes > 0) slot.active_connection->mark_sent(sent_bytes);
    const auto next = slot.active_connection->advance(buffers, options);
    options.queue_full = false;
    if (slot.in_blocking_section) {
      slot.in_blocking_section = false;
      if (role == thread_role::io) options.allowed = handler_kind::blocking;  // the thread was demoted
      thread_pool_.end_blocking();
      if (role == thread_role::stream) {  // the next request of this connection is one of any kind
        role = thread_role::blocking;
        options.allowed = handler_kind::blocking;
      }
    }
    if (next.reason == wait_reason::closed) return close_connection(slot);
    if (next.reason == wait_reason::yield) return static_cast<void>(thread_pool_.submit(slot, work_class::io));
    if (next.reason == wait_reason::blocking_thread || next.reason == wait_reason::stream_thread) {
      if (submit_handler(slot, next)) return;
      warn_rate_limited(last_queue_full_warning_,
                        [] { return std::string("request queue full; rejecting new requests"); });
      options.queue_full = true;
      continue;
    }
    // On a completion port only the TLS library can send its records, so this thread waits.
    if (!os::poller::supports_write_wait && next.reason == wait_reason::writable && slot.transport->is_encrypted()) {
      slot.on_begin_blocking();
      const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(next.deadline - time_.now());
      if (!slot.transport->wait_sendable(remaining)) slot.timed_out = true;
      continue;
    }
    if (park_connection(slot, next)) return;
  }
}

/// Queues a connection whose handler requires another thread. Returns false if the queue is full: the caller still owns
/// the slot. At the deadline of the handler, run_timers() takes it out of the queue.
WINSVC_INLINE bool server::submit_handler(connection_slot& slot, const wait_condition& next) noexcept {
  const auto work = next.reason == wait_reason::stream_thread ? work_class::stream : work_class::blocking;
  if (deadlines_.set(slot, next.deadline)) thread_pool_.wake_monitor();
  return thread_pool_.submit(slot, work);
}

/// Waits for `next` without a thread. Returns false if an event came already: the caller still owns the slot.
WINSVC_INLINE bool server::park_connection(connection_slot& slot, const wait_condition& next) noexcept {
  if (deadlines_.set_before_park(slot, next.deadline)) thread_pool_.wake_monitor();
  slot.is_idle.store(slot.active_connection->is_idle(), std::memory_order_relaxed);
  const auto event = next.reason == wait_reason::writable ? os::poll_for::writable
                     : next.reason == wait_reason::wake   ? os::poll_for::nothing
                                                          : os::poll_for::readable;
  poller_.arm(slot.registration, event, slot.active_connection->unsent());
  return slot.park();
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
