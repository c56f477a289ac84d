// Event subscription: queue of the events of a channel (api/event_channel.hpp) that one client has not received yet.
//
//   auto channel = std::make_shared<http::channel>(history);
//   auto subscription = channel->subscribe(last_event_id);   // by a request
//   channel->publish(data, name, id);                        // by any thread: wakes the connections
//   subscription->take(output, 65536, chunked);              // by the connection, in a step
//
// An event is encoded once; subscriptions share its bytes. Locks are taken in this order: channel, subscription, and
// those of transport::wake(). No lock is held while bytes are sent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/event_channel.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/stream.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/transport.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// An event in the text format of server-sent events, as one chunk of a chunked body.
struct encoded_event {
  std::string chunk;
  std::size_t text_begin = 0, text_size = 0;  ///< of the event without the framing of the chunk
  std::string id;

  [[nodiscard]] std::string_view bytes(bool chunked) const noexcept {
    return chunked ? std::string_view(chunk) : std::string_view(chunk).substr(text_begin, text_size);
  }
};

/// Result of event_subscription::take. `ended`: no event follows; `lagging`: see is_lagging().
enum class subscription_state { events, none, ended, lagging };

class event_subscription {
 public:
  explicit event_subscription(std::shared_ptr<channel> source) noexcept : source_(std::move(source)) {}
  /// Leaves the channel; from here on, it does not wake the transport.
  ~event_subscription();
  event_subscription(const event_subscription&) = delete;
  event_subscription& operator=(const event_subscription&) = delete;

  /// From here on, each new event wakes this transport. It must outlive the subscription.
  void wake_for_events(transport& target) noexcept;
  /// True after events were dropped, because the client reads too slowly.
  [[nodiscard]] bool is_lagging() noexcept;
  /// Moves pending events to `output`, at least one and at most about `max_bytes`.
  [[nodiscard]] subscription_state take(std::string& output, std::size_t max_bytes, bool chunked);

 private:
  friend class channel;
  static constexpr std::size_t max_pending_bytes = 1024 * 1024;

  void push(const std::shared_ptr<const encoded_event>& event) noexcept;
  void end() noexcept;
  void wake() noexcept {
    if (transport_) transport_->wake();
  }

  const std::shared_ptr<channel> source_;
  std::size_t position_ = 0;  // in channel::subscriptions_; protected by the mutex of the channel

  std::mutex mutex_;  // protects the members below
  std::vector<std::shared_ptr<const encoded_event>> pending_;
  std::size_t taken_ = 0;  // number of events at the front of pending_ that were taken
  std::size_t pending_bytes_ = 0;
  bool ended_ = false, lagging_ = false;
  transport* transport_ = nullptr;
};

/// The shared part of an event_channel. It lives as long as the channel or a subscription.
class channel : public std::enable_shared_from_this<channel> {
 public:
  explicit channel(std::size_t history) noexcept : history_limit_(history) {}
  [[nodiscard]] std::shared_ptr<event_subscription> subscribe(std::string_view last_event_id);
  void publish(std::string_view data, std::string_view name, std::string_view id);
  void close();
  [[nodiscard]] std::size_t size() const;

 private:
  friend class event_subscription;
  void remove(event_subscription& subscription) noexcept;

  const std::size_t history_limit_;
  mutable std::mutex mutex_;  // protects the members below
  std::vector<event_subscription*> subscriptions_;
  std::deque<std::shared_ptr<const encoded_event>> history_;
  bool closed_ = false;
};

/// Content provider of a subscription. Nothing calls it: the connection sends such a body itself
/// (response_plan::events_to_send).
struct event_provider {
  std::shared_ptr<event_subscription> subscription;
  bool operator()(std::size_t, std::size_t, httplib::DataSink&) const { return false; }
};

/// The provider of a response that is a subscription; null for any other response.
[[nodiscard]] const event_provider* find_event_provider(const response& res) noexcept;

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE event_subscription::~event_subscription() { source_->remove(*this); }

WINSVC_INLINE void event_subscription::wake_for_events(transport& target) noexcept {
  const std::lock_guard lock(mutex_);
  transport_ = &target;
}

WINSVC_INLINE bool event_subscription::is_lagging() noexcept {
  const std::lock_guard lock(mutex_);
  return lagging_;
}

WINSVC_INLINE subscription_state event_subscription::take(std::string& output, std::size_t max_bytes, bool chunked) {
  const std::lock_guard lock(mutex_);
  if (lagging_) return subscription_state::lagging;
  if (taken_ == pending_.size()) return ended_ ? subscription_state::ended : subscription_state::none;
  for (const std::size_t begin = output.size(); taken_ < pending_.size() && output.size() - begin < max_bytes;
       ++taken_) {
    output.append(pending_[taken_]->bytes(chunked));
    pending_bytes_ -= pending_[taken_]->chunk.size();
    pending_[taken_].reset();
  }
  if (taken_ == pending_.size()) {
    decltype(pending_)().swap(pending_);  // an idle subscription keeps no memory
    taken_ = 0;
  }
  return subscription_state::events;
}

/// Called by the channel with its mutex locked.
WINSVC_INLINE void event_subscription::push(const std::shared_ptr<const encoded_event>& event) noexcept {
  const std::lock_guard lock(mutex_);
  if (lagging_) return;
  try {
    if (pending_bytes_ > 0 && pending_bytes_ + event->chunk.size() > max_pending_bytes) {
      lagging_ = true;
    } else {
      pending_.push_back(event);
      pending_bytes_ += event->chunk.size();
    }
  } catch (...) {  // out of memory
    lagging_ = true;
  }
  if (lagging_) decltype(pending_)().swap(pending_);
  wake();
}

WINSVC_INLINE void event_subscription::end() noexcept {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  wake();
}

WINSVC_INLINE std::shared_ptr<event_subscription> channel::subscribe(std::string_view last_event_id) {
  auto subscription = std::make_shared<event_subscription>(shared_from_this());
  const std::lock_guard lock(mutex_);
  subscription->position_ = subscriptions_.size();
  subscriptions_.push_back(subscription.get());
  if (closed_) subscription->end();
  if (last_event_id.empty()) return subscription;
  // If the event is not in the history any more, the client has missed all that the history has.
  const auto last = std::find_if(history_.begin(), history_.end(),
                                 [last_event_id](const auto& event) { return event->id == last_event_id; });
  for (auto missed = last == history_.end() ? history_.begin() : last + 1; missed != history_.end(); ++missed)
    subscription->push(*missed);
  return subscription;
}

WINSVC_INLINE void channel::publish(std::string_view data, std::string_view name, std::string_view id) {
  const std::string text = api::format_event(data, name, id);
  const auto event = std::make_shared<encoded_event>();
  char size[24];
  event->text_begin = static_cast<std::size_t>(std::snprintf(size, sizeof size, "%zx\r\n", text.size()));
  event->text_size = text.size();
  event->chunk = std::string(size).append(text).append("\r\n");
  event->id = id;

  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (!id.empty() && history_limit_ > 0) {
    history_.push_back(event);
    if (history_.size() > history_limit_) history_.pop_front();
  }
  for (event_subscription* const subscription : subscriptions_) subscription->push(event);
}

WINSVC_INLINE void channel::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (event_subscription* const subscription : subscriptions_) subscription->end();
}

WINSVC_INLINE std::size_t channel::size() const {
  const std::lock_guard lock(mutex_);
  return subscriptions_.size();
}

WINSVC_INLINE void channel::remove(event_subscription& subscription) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t position = subscription.position_;
  if (position >= subscriptions_.size() || subscriptions_[position] != &subscription) return;  // never added
  subscriptions_[position] = subscriptions_.back();
  subscriptions_[position]->position_ = position;
  subscriptions_.pop_back();
}

WINSVC_INLINE const event_provider* find_event_provider(const response& res) noexcept {
  return res.content_provider_ ? res.content_provider_.target<event_provider>() : nullptr;
}

}  // namespace detail::http

WINSVC_INLINE event_channel::event_channel(std::size_t history)
    : channel_(std::make_shared<detail::http::channel>(history)) {}
WINSVC_INLINE event_channel::~event_channel() { close(); }
WINSVC_INLINE void event_channel::send(std::string_view data, std::string_view name, std::string_view id) {
  channel_->publish(data, name, id);
}
WINSVC_INLINE void event_channel::close() { channel_->close(); }
WINSVC_INLINE std::size_t event_channel::subscribers() const { return channel_->size(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
