// Implementation of server/server.hpp: drains the connections at a stop, and lists the running requests.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/wait_deadline.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/engine_slot.hpp"
#include "winsvc/server/server.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

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
    if (slot->claim()) static_cast<void>(thread_pool_.submit(*slot, work_class::io));
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
    // The handshake of a client on this machine that has begun to connect takes real time.
    constexpr std::chrono::milliseconds handshake_time{1};
    for (auto& each : listeners_) accept_connections(each, true);
    clock::system().sleep(handshake_time);
    for (auto& each : listeners_) accept_connections(each, true);
  }
  const std::lock_guard lock(accept_mutex_);
  for (auto& each : listeners_) {
    if (each.socket.is_open()) static_cast<void>(poller_.remove(each.registration));
    each.socket.close();
  }
  spare_socket_.close();
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
  const auto responses_before = engine_state_.requests.responses();
  // Before the last clients are accepted: their responses must have `Connection: close`.
  if (!engine_state_.draining.exchange(true)) {
    drain_clock_.begin_drain();
    thread_pool_.wake_monitor();
  }
  close_listeners();
  drain_waker_.wake();
  wake_all();

  auto reported_responses = responses_before;
  const auto all_closed = [this] { return open_count_.load() == 0; };
  std::unique_lock lock(mutex_);
  shorten_drain_deadline(limit);
  const auto report_progress = [&] {
    const auto now = engine_state_.requests.responses();
    if (now == reported_responses || !progress) return;
    reported_responses = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_closed() && !drain_deadline_->has_passed()) {
    drain_deadline_->wait(connection_closed_, lock);
    report_progress();
  }
  report_progress();  // also if no wait was necessary
  if (!all_closed()) {
    report.aborted = engine_state_.requests.in_flight() + engine_state_.websockets.load();
    for (auto& slot : slots_) {
      const std::lock_guard slot_lock(slot.mutex);
      if (!slot.transport) continue;
      list_aborted(slot, report);
      slot.transport->abort_connection();
    }
    // A thread that waits for the network wakes at once; a handler that computes has another 500 ms.
    const base::wait_deadline abort_deadline(time_, std::chrono::milliseconds(500));
    while (!all_closed() && !abort_deadline.has_passed()) abort_deadline.wait(connection_closed_, lock);
  }
  report.completed = static_cast<std::size_t>(engine_state_.requests.responses() - responses_before);
  report.stuck_threads = open_count_.load();
  lock.unlock();

  if (report.stuck_threads == 0) thread_pool_.stop();
  return report;
}

WINSVC_INLINE void server::shorten_drain(std::chrono::milliseconds remaining) {
  const std::lock_guard lock(mutex_);
  shorten_drain_deadline(remaining);
  connection_closed_.notify_all();
}

/// Requires mutex_.
WINSVC_INLINE void server::shorten_drain_deadline(std::chrono::milliseconds limit) noexcept {
  if (drain_deadline_) {
    drain_deadline_->shorten(limit);
  } else {
    drain_deadline_.emplace(time_, limit);
  }
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
