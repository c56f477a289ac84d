// Event channel: sends server-sent events to many clients. A client that waits for an event holds no thread.
//
//   static winsvc::event_channel prices;
//   svc.get("/prices", [] { return winsvc::reply::events(prices); });
//   svc.put("/prices/{name}", [](std::string name, winsvc::body<double> price) {
//     prices.send(std::to_string(*price), name);
//   });
//
// Each client that requests the route becomes a subscriber and receives the events that are sent from then on. A
// subscriber leaves when it disconnects, when the channel closes, or when the service stops. It counts as a connection
// that is in use (`limits().connections`). For a stream that a function of the app writes for one client, see
// api/stream.hpp.
// Source: WHATWG HTML standard, section "Server-sent events".
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {
class channel;
}
class reply;

/// All functions are thread-safe. It must outlive the routes that use it.
class event_channel {
 public:
  /// `history`: number of events with an id that the channel keeps, and the events between them. A client that
  /// reconnects with Last-Event-ID receives the kept events that it has missed; default: none are kept.
  explicit event_channel(std::size_t history = 0);
  /// Calls close().
  ~event_channel();
  event_channel(const event_channel&) = delete;
  event_channel& operator=(const event_channel&) = delete;

  /// Sends an event to all subscribers, without waiting for them. `name` is its type; default: "message". A client
  /// sends `id` as Last-Event-ID when it reconnects. A subscriber for which more than 8 MiB waits is disconnected;
  /// a browser then reconnects. Throws std::bad_alloc; then no subscriber receives the event.
  void send(std::string_view data, std::string_view name = {}, std::string_view id = {});
  /// Sets the time that a client waits before it connects again, for all subscribers and for later ones. A browser
  /// waits some seconds by default. A longer time spreads the requests after a restart.
  void retry_after(std::chrono::milliseconds pause);
  /// Ends the responses of all subscribers, after the events that were sent before. Later requests receive 204, after
  /// which a browser does not reconnect.
  void close();
  /// Number of clients that are connected.
  [[nodiscard]] std::size_t subscribers() const;

 private:
  friend class reply;
  std::shared_ptr<detail::http::channel> channel_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
