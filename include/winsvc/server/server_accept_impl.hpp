// Implementation of server/server.hpp: accepts, rejects and closes connections.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/engine_slot.hpp"
#include "winsvc/server/server.hpp"
#include "winsvc/server/tls.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE server::listener* server::find_listener(work_item& item) noexcept {
  for (auto& each : listeners_)
    if (&item == &each) return &each;
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
      auto error = result.error();
      if (accept_all && os::is_resource_shortage(error)) error = reject_with_spare(source, error);
      if (error == 0) continue;
      if (os::socket_api::would_block(error)) break;  // with the spare descriptor: no other client waits
      // The client closed before it was accepted, or the process has no free descriptor. The listener tries again after
      // a delay; otherwise the service would be RUNNING and unreachable.
      warn_rate_limited(last_accept_error_warning_, [error] {
        return "cannot accept a connection: " + os::system_error_text(error) + "; trying again";
      });
    } catch (const std::exception&) {  // out of memory: this client loses its connection
      if (accept_all) continue;        // no later call accepts the other clients
    }
    failed = true;
    break;
  }
  if (accept_all) return;
  constexpr std::chrono::milliseconds retry_delay{20};
  do {
    if (!source.socket.is_open()) return source.release();
    if (!failed) failed = !poller_.arm_accept(source.registration);
    if (failed && deadlines_.set(source, time_.now() + retry_delay)) thread_pool_.wake_monitor();
  } while (!source.park());
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
  if (!park_connection(slot, slot.active_connection->initial_wait()))
    static_cast<void>(thread_pool_.submit(slot, work_class::io));
}

/// Rejects a client for which the process has no descriptor: a stop closes the listener next, which would reset the
/// client. `error`: of the accept that failed. Returns 0, or the error of the last accept. Requires accept_mutex_.
WINSVC_INLINE unsigned server::reject_with_spare(listener& source, unsigned error) {
  if (!spare_socket_.is_open()) return error;
  const scope_exit reopen([this]() noexcept { spare_socket_ = os::tcp_socket::unbound(); });
  spare_socket_.close();
  auto accepted = poller_.accept(source.registration);
  if (!accepted) return accepted.error();
  reject_connection(std::move(*accepted), 503, "the service is stopping", {});
  return 0;
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
    else static_cast<void>(thread_pool_.submit(*oldest[i], work_class::io));
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
  slot.transport = make_transport(std::move(socket), drain_waker_, identity_, time_);
  slot.transport->set_owner(&slot);
  try {
    slot.active_connection.emplace(*slot.transport, processor_, engine_state_, limits_);
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
    const std::string response = http::error_response(status, reason, time_);
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

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
