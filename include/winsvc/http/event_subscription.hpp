// Event subscription: the position of one client in the events of a channel.
//
//   auto channel = std::make_shared<http::channel>(history);
//   auto subscription = channel->subscribe(last_event_id);              // by a request
//   channel->publish(data, name, id);                                   // by any thread: wakes the connections
//   subscription->take(transport, output, 65536, chunked);              // by the connection, in a step
//
// The events of a channel are a linked list. A subscription refers to the next event that its client receives, so an
// event exists once and as long as a client still needs it. The mutex of the channel is locked before those of
// transport::wake(), and may be locked while the mutex of a slot is; so wake() must not lock the mutex of a slot.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
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
#include "winsvc/base/byte_block.hpp"
#include "winsvc/base/reserve_one.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/transport.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

struct event_node;

/// A position in the list of events: a counted reference to an event. The last reference to an event destroys it, and
/// then each event after it that has no other reference, in a loop: std::shared_ptr would destroy a long list by
/// recursion.
class event_position {
 public:
  event_position() noexcept = default;
  /// Refers to a new event without text.
  [[nodiscard]] static event_position make();
  event_position(const event_position& other) noexcept;
  event_position(event_position&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  event_position& operator=(event_position other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~event_position();
  [[nodiscard]] event_node* operator->() const noexcept { return event_; }
  [[nodiscard]] event_node& operator*() const noexcept { return *event_; }
  explicit operator bool() const noexcept { return event_ != nullptr; }
  friend bool operator==(const event_position& a, const event_position& b) noexcept { return a.event_ == b.event_; }
  friend bool operator!=(const event_position& a, const event_position& b) noexcept { return a.event_ != b.event_; }

 private:
  event_node* event_ = nullptr;
};

/// An event in the text format of server-sent events, as one chunk of a chunked body; or, at the end of the list, the
/// place of the next event. An event does not change after the end of the list has moved on.
struct event_node {
  std::string chunk;
  std::size_t text_begin = 0, text_size = 0;  ///< of the event without the framing of the chunk
  std::string id;
  std::uint64_t offset = 0;  ///< memory of all events that were published before it
  event_position next;
  // A new reference is a copy of one that the thread has: relaxed. The thread that releases the last reference sees
  // what the other threads did with the event before they released theirs: acq_rel.
  std::atomic<std::size_t> references{1};

  [[nodiscard]] std::string_view bytes(bool chunked) const noexcept {
    return chunked ? std::string_view(chunk) : std::string_view(chunk).substr(text_begin, text_size);
  }
};

/// Result of event_subscription::take. `ended`: no event follows; `lagging`: see is_lagging().
enum class subscription_state { events, none, ended, lagging };

class event_subscription {
 public:
  /// Made by channel::subscribe().
  event_subscription(std::shared_ptr<channel> source, event_position first, std::uint64_t offset) noexcept
      : source_(std::move(source)), next_(std::move(first)), taken_offset_(offset) {}
  ~event_subscription() { leave(); }
  event_subscription(const event_subscription&) = delete;
  event_subscription& operator=(const event_subscription&) = delete;

  /// Appends the next events to `output`, at least one and at most about `max_bytes`. After `none`, the next event
  /// wakes `target`. Call it on one thread at a time.
  [[nodiscard]] subscription_state take(transport& target, base::byte_block& output, std::size_t max_bytes,
                                        bool chunked);
  /// True if more than `max_lag_bytes` were published since the events that the client has received.
  [[nodiscard]] bool is_lagging() const noexcept;
  /// Later events are not taken: take() returns `ended` after those that were published before.
  void end_with_published() noexcept;
  /// Leaves the channel, which does not use the transport any more, and releases the events. Call take() only before.
  void leave() noexcept;

 private:
  friend class channel;
  static constexpr std::uint64_t max_lag_bytes = 8 * 1024 * 1024;
  [[nodiscard]] bool lags() const noexcept;

  const std::shared_ptr<channel> source_;
  event_position next_, last_;  // used by the connection only; last_: see end_with_published()
  std::string first_text_;      // precedes the events
  // Protected by the mutex of the channel:
  std::uint64_t taken_offset_;  // `offset` of next_, but not less than that of the subscription
  std::size_t position_ = 0;    // in channel::subscriptions_
  transport* transport_ = nullptr;
  bool waits_ = false;          // the next event must wake the transport
};

/// The shared part of an event_channel. It lives as long as the channel or a subscription.
class channel : public std::enable_shared_from_this<channel> {
 public:
  explicit channel(std::size_t history) : history_limit_(history), end_(event_position::make()) {}
  [[nodiscard]] std::shared_ptr<event_subscription> subscribe(std::string_view last_event_id);
  void publish(std::string_view data, std::string_view name, std::string_view id);
  /// Publishes a `retry` field, and sends it first to later subscribers.
  void publish_retry(std::string text);
  void close();
  [[nodiscard]] bool has_closed() const;
  [[nodiscard]] std::size_t size() const;

 private:
  friend class event_subscription;
  void publish_text(std::string_view text, std::string_view id, bool is_retry);

  const std::size_t history_limit_;
  mutable std::mutex mutex_;  // protects the members below
  std::vector<event_subscription*> subscriptions_;
  event_position end_;                  // the place of the next event
  std::deque<event_position> history_;  // the last events with an id
  std::string retry_;                   // the first text of each subscription; may be empty
  bool closed_ = false;
};

/// Content provider of a subscription. Nothing calls it: the connection sends such a body itself
/// (response_delivery::events_to_send).
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

WINSVC_INLINE event_position::event_position(const event_position& other) noexcept : event_(other.event_) {
  if (event_) event_->references.fetch_add(1, std::memory_order_relaxed);
}
WINSVC_INLINE event_position::~event_position() {
  while (event_ && event_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::unique_ptr<event_node> last(event_);
    event_ = std::exchange(last->next.event_, nullptr);
  }
}
WINSVC_INLINE event_position event_position::make() {
  event_position position;
  position.event_ = new event_node;
  return position;
}

/// The bytes as one chunk of a chunked body.
WINSVC_INLINE std::string as_chunk(std::string_view bytes) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return std::string(size).append(bytes).append("\r\n");
}

WINSVC_INLINE bool event_subscription::lags() const noexcept {
  return source_->end_->offset - taken_offset_ > max_lag_bytes;
}

WINSVC_INLINE bool event_subscription::is_lagging() const noexcept {
  const std::lock_guard lock(source_->mutex_);
  return lags();
}

WINSVC_INLINE subscription_state event_subscription::take(transport& target, base::byte_block& output,
                                                          std::size_t max_bytes, bool chunked) {
  event_position end;
  {
    const std::lock_guard lock(source_->mutex_);
    if (lags()) return subscription_state::lagging;
    end = last_ ? last_ : source_->end_;
    transport_ = &target;
    waits_ = next_ == end && first_text_.empty();
    if (waits_) return last_ || source_->closed_ ? subscription_state::ended : subscription_state::none;
  }
  if (!first_text_.empty()) output.append(chunked ? as_chunk(first_text_) : first_text_);
  first_text_.clear();
  for (const std::size_t begin = output.size(); next_ != end && output.size() - begin < max_bytes; next_ = next_->next)
    output.append(next_->bytes(chunked));
  const std::lock_guard lock(source_->mutex_);
  taken_offset_ = (std::max)(taken_offset_, next_->offset);
  return subscription_state::events;
}

WINSVC_INLINE void event_subscription::end_with_published() noexcept {
  const std::lock_guard lock(source_->mutex_);
  if (!last_) last_ = source_->end_;
}

WINSVC_INLINE void event_subscription::leave() noexcept {
  const auto next = std::move(next_), last = std::move(last_);  // released without the lock
  const std::lock_guard lock(source_->mutex_);
  transport_ = nullptr;
  auto& all = source_->subscriptions_;
  if (position_ >= all.size() || all[position_] != this) return;  // it has left, or was never added
  all[position_] = all.back();
  all[position_]->position_ = position_;
  all.pop_back();
}

WINSVC_INLINE std::shared_ptr<event_subscription> channel::subscribe(std::string_view last_event_id) {
  const std::lock_guard lock(mutex_);
  auto first = end_;
  if (!last_event_id.empty() && !history_.empty()) {
    const auto last = std::find_if(history_.begin(), history_.end(),
                                   [last_event_id](const auto& event) { return event->id == last_event_id; });
    // If the event is not in the history any more, the client has missed all that the history has.
    first = last == history_.end() ? history_.front() : (*last)->next;
  }
  std::string first_text = retry_;
  base::reserve_one(subscriptions_);
  // After the next line, nothing throws: the destructor of a subscription locks the mutex.
  auto subscription = std::make_shared<event_subscription>(shared_from_this(), std::move(first), end_->offset);
  subscription->position_ = subscriptions_.size();
  subscription->first_text_ = std::move(first_text);
  subscriptions_.push_back(subscription.get());
  return subscription;
}

WINSVC_INLINE void channel::publish(std::string_view data, std::string_view name, std::string_view id) {
  publish_text(api::format_event(data, name, id), id, false);
}

WINSVC_INLINE void channel::publish_retry(std::string text) { publish_text(text, {}, true); }

WINSVC_INLINE void channel::publish_text(std::string_view text, std::string_view id, bool is_retry) {
  constexpr std::size_t node_bytes = 256;  // of an event without its text
  std::string chunk = as_chunk(text);
  const std::size_t prefix = chunk.size() - text.size() - 2;
  std::string retry(is_retry ? text : std::string_view());
  std::string event_id(id);
  const auto new_end = event_position::make();

  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (is_retry) retry_ = std::move(retry);
  if (!id.empty() && history_limit_ > 0) history_.push_back(end_);
  if (history_.size() > history_limit_) history_.pop_front();
  event_node& event = *end_;
  event.text_begin = prefix;
  event.text_size = text.size();
  event.id = std::move(event_id);
  new_end->offset = event.offset + chunk.size() + node_bytes;
  event.chunk = std::move(chunk);
  event.next = new_end;
  end_ = new_end;
  for (event_subscription* const each : subscriptions_) {
    const bool wakes = each->waits_ || each->lags();
    each->waits_ = false;
    if (wakes && each->transport_) each->transport_->wake();
  }
}

WINSVC_INLINE void channel::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (event_subscription* const each : subscriptions_) {
    if (each->transport_) each->transport_->wake();
  }
}

WINSVC_INLINE bool channel::has_closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

WINSVC_INLINE std::size_t channel::size() const {
  const std::lock_guard lock(mutex_);
  return subscriptions_.size();
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
WINSVC_INLINE void event_channel::retry_after(std::chrono::milliseconds pause) {
  channel_->publish_retry("retry: " + std::to_string((std::max)(pause.count(), decltype(pause.count()){0})) + "\n\n");
}
WINSVC_INLINE void event_channel::close() { channel_->close(); }
WINSVC_INLINE std::size_t event_channel::subscribers() const { return channel_->size(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
