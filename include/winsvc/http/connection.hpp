// One connection, from its first byte to its close, in steps: read a head, let the gate judge it, find the route, have
// it answered, send the answer; again. A step takes what is there and never waits for more, so nobody's slowness holds
// a thread:
//
//   connection c(wire, core, traffic, limits);
//   for (;;) {
//     const auto next = c.advance(desk, {});
//     if (next.what == wants::nothing) break;      // else wait for it, until next.until at the most
//   }
//
// It knows neither sockets nor other connections; what it shares with them is in `traffic`, what it borrows for a step
// in `desk`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/core.hpp"
#include "winsvc/http/traffic.hpp"
#include "winsvc/wire/gate.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// The blocks of memory that a step works in. A thread has one desk for all connections, so that one that has nothing
/// to say costs next to none.
struct desk {
  desk() {
    for (auto* block : {&bytes, &head, &out}) block->reserve(16 * 1024);
  }
  std::string bytes, head, out;  // empty, with room
};

/// How a step is taken.
struct visit {
  bool late = false;      ///< the time that was waited for is over
  bool quick = false;     ///< go into no handler that is known to be slow
  bool too_busy = false;  ///< nor into any other: there is nobody for it
  /// Where to write whose pace it is that the step depends on; null: nobody asks.
  std::atomic<pace*>* whose = nullptr;
};

/// What a connection waits for. A turn: there is more to do at once, but others have waited while it had its share.
enum class wants : std::uint8_t { bytes, room, worker, turn, nothing };

struct awaited {
  wants what = wants::nothing;
  std::chrono::steady_clock::time_point until = (std::chrono::steady_clock::time_point::max)();
};

class connection {
 public:
  using steady = std::chrono::steady_clock;

  connection(transport& wire, core& server, traffic& shared, const wire::limits& bounds)
      : wire_(wire), server_(server), shared_(shared), bounds_(bounds), peer_(wire.peer()), local_(wire.local()) {
    reset_clock(wire_.is_fresh() ? bounds_.head_time : bounds_.idle_time);
  }
  ~connection() { answered(); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// What a new one waits for.
  [[nodiscard]] awaited first() const noexcept { return wait(wants::bytes); }
  /// As far as it goes without waiting. On any thread, one at a time. Never throws.
  [[nodiscard]] awaited advance(desk& with, const visit& how) noexcept;

  /// What it is busy with: `GET /report`, and for how long; nothing, where it waits. From any thread.
  [[nodiscard]] std::optional<work> doing() const;
  /// What waits to be sent begins with this.
  [[nodiscard]] std::string_view unsent() const noexcept { return std::string_view(out_).substr(out_at_); }
  /// So much of it has left.
  void was_sent(std::size_t count) noexcept { out_at_ += count, reset_clock(bounds_.write_time); }

 private:
  enum class stage : std::uint8_t { head, body, ready, answer, linger, over };
  class borrowed;

  [[nodiscard]] std::optional<awaited> read_head(const visit& how);
  [[nodiscard]] std::optional<awaited> read_body(const visit& how);
  [[nodiscard]] std::optional<awaited> send_answer(const visit& how);
  [[nodiscard]] std::optional<awaited> linger(const visit& how);
  void take_head(wire::head_result&& got);
  void find_route();
  void handle(const visit& how);
  void refuse(int status, std::string_view reason);
  void close(parting how) noexcept;
  void answered() noexcept;
  os::transfer receive();
  [[nodiscard]] awaited wait(wants what) const noexcept { return {what, until_}; }
  void reset_clock(std::chrono::milliseconds limit) noexcept { until_ = steady::now() + limit; }

  transport& wire_;
  core& server_;
  traffic& shared_;
  const wire::limits& bounds_;
  os::endpoint peer_, local_;

  stage stage_ = stage::head;
  steady::time_point until_;  // what is waited for has to be there
  steady::time_point now_;    // the step began, or its handler returned
  receive_buffer buffer_;
  std::size_t scanned_ = 0;  // of a head that is not complete

  // Of the request that is being served.
  bool in_flight_ = false, alive_ = false, unread_ = false;
  std::string head_block_;  // what the views of head_ point into
  wire::head head_;
  route::match_result match_;
  steady::time_point began_;
  access_entry told_;
  std::string id_, client_;
  std::string out_;  // of the answer, not yet sent
  std::size_t out_at_ = 0, lingered_ = 0;

  mutable std::mutex doing_mutex_;  // of those who look
  std::atomic<bool> doing_{false};  // head_ may be read by others
  mutable std::atomic<bool> looked_at_{false};
};

// ---------------------------------------------------------------------------------------------------------------------

/// Gives a connection the desk's blocks for a step. What it still needs afterwards, it keeps.
class connection::borrowed {
 public:
  borrowed(connection& of, desk& with) noexcept : of_(of), with_(with) {
    lend(of_.buffer_.bytes, with_.bytes);
    lend(of_.head_block_, with_.head);
    lend(of_.out_, with_.out);
  }
  ~borrowed() {
    if (const auto rest = of_.buffer_.rest(); rest.size() <= few) keep_few(rest);
    if (!of_.in_flight_) of_.head_block_.clear();
    take_back(of_.head_block_, with_.head);
    take_back(of_.out_, with_.out);
  }
  borrowed(const borrowed&) = delete;
  borrowed& operator=(const borrowed&) = delete;

 private:
  static constexpr std::size_t few = 2048;

  /// The beginning of a request needs no whole block.
  void keep_few(std::string_view rest) noexcept {
    try {
      std::string kept(rest);
      of_.buffer_.bytes.clear();
      of_.buffer_.used = 0;
      take_back(of_.buffer_.bytes, with_.bytes);
      of_.buffer_.bytes = std::move(kept);
    } catch (...) {  // no memory: then it keeps the block
    }
  }
  static void lend(std::string& mine, std::string& theirs) noexcept {
    if (mine.empty()) mine.swap(theirs);
  }
  static void take_back(std::string& mine, std::string& theirs) noexcept {
    constexpr std::size_t largest = 256 * 1024;  // a block that a large answer grew is not kept for small ones
    if (mine.empty() && mine.capacity() > theirs.capacity() && mine.capacity() <= largest) mine.swap(theirs);
    else if (mine.empty()) std::string().swap(mine);
  }

  connection& of_;
  desk& with_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE awaited connection::advance(desk& with, const visit& how) noexcept {
  try {
    const borrowed blocks(*this, with);
    now_ = steady::now();
    visit now = how;
    constexpr int share = 16;  // requests that came in one send: a client may have written any number
    for (int served = 0;; now.late = false) {
      std::optional<awaited> until;
      switch (stage_) {
        case stage::head:
          if (served++ == share) return wait(wants::turn);
          until = read_head(now);
          break;
        case stage::body: until = read_body(now); break;
        case stage::ready:
          if (now.too_busy) refuse(503, "the service is too busy");
          else if (now.quick && server_.is_slow(match_)) return wait(wants::worker);
          else handle(now);
          break;
        case stage::answer: until = send_answer(now); break;
        case stage::linger: until = linger(now); break;
        case stage::over: return {};
      }
      if (until) return *until;
    }
  } catch (...) {  // out of memory in our own hands: this connection ends, the others go on
    stage_ = stage::over;
    return {};
  }
}

/// Up to a block of what has come, behind what is there.
WINSVC_INLINE os::transfer connection::receive() {
  constexpr std::size_t piece = 16 * 1024;
  auto& into = buffer_.bytes;
  const auto before = into.size();
  if (into.capacity() - before < piece) {
    if (buffer_.used > 0) into.erase(0, std::exchange(buffer_.used, 0));
  }
  char block[piece];
  std::size_t got = 0;
  const auto what = wire_.receive(block, sizeof block, got, std::chrono::milliseconds(0));
  if (what == os::transfer::done) into.append(block, got);
  return what;
}

WINSVC_INLINE std::optional<awaited> connection::read_head(const visit& how) {
  const bool begun = !buffer_.rest().empty();
  if (begun) {
    auto got = wire::parse_head(buffer_.rest(), bounds_, &scanned_);
    if (got.step != wire::head_result::more) {
      scanned_ = 0;
      if (got.step == wire::head_result::reject) refuse(got.status, got.reason);
      else take_head(std::move(got));
      return std::nullopt;
    }
  }
  const auto what = receive();  // what has arrived is served, even so late
  if (what == os::transfer::done) {
    if (!begun) reset_clock(bounds_.head_time);
    return std::nullopt;
  }
  if (what != os::transfer::timed_out) return close(parting::idle), std::nullopt;
  if (!begun) {
    if (how.late || shared_.draining.load()) return close(parting::idle), std::nullopt;
    return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
  }
  if (how.late || steady::now() >= until_) return refuse(408, "the request head did not arrive in time"), std::nullopt;
  // A drain does not wait for a head that is slow to come: it has a last moment, and is refused then.
  constexpr std::chrono::milliseconds last_moment{500};
  if (shared_.draining.load()) until_ = (std::min)(until_, steady::now() + last_moment);
  return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
}

WINSVC_INLINE void connection::take_head(wire::head_result&& got) {
  began_ = now_;
  told_.bytes = 0;
  told_.measured = true;
  ++shared_.in_flight;
  in_flight_ = true;

  // The head's views point into the buffer, which the body's bytes would move: the block they are in is set aside, and
  // the two blocks take turns from request to request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.assign(head_block_, buffer_.used + got.consumed);
  buffer_.used = 0;
  head_ = std::move(got.value);
  find_route();

  // A small body is waited for here, where that holds no thread. Not one that the client sends only when it is told to,
  // nor where the answer does not depend on it.
  constexpr std::uint64_t max_prefetched_body = 64 * 1024;
  const bool waits = head_.framing == wire::framing::length && head_.content_length <= max_prefetched_body &&
                     !head_.expect_continue && match_.what == route::outcome::found &&
                     head_.content_length <= server_.routes().body_limit(match_, bounds_.body_bytes);
  stage_ = waits ? stage::body : stage::ready;
}

WINSVC_INLINE void connection::find_route() {
  const auto& routes = server_.routes();
  match_ = {};
  if (head_.path == "*") {
    match_.what = route::outcome::method_not_allowed;
    match_.allowed = routes.routes().all_methods();
  } else {
    match_ = routes.routes().match(head_.verb, head_.path);
  }
  if (shared_.paused.load() && !routes.serves_paused(match_)) match_.what = route::outcome::paused;
}

/// What is wrong with a body that did not come is found by whoever reads it: he answers, and logs.
WINSVC_INLINE std::optional<awaited> connection::read_body(const visit& how) {
  const auto have = buffer_.rest().size();
  if (have >= head_.content_length || how.late) return stage_ = stage::ready, std::nullopt;
  const auto what = receive();
  if (what == os::transfer::done) return std::nullopt;
  if (what != os::transfer::timed_out) return stage_ = stage::ready, std::nullopt;
  // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
  until_ = began_ + bounds_.time_for_body(have);
  if (steady::now() >= until_) return stage_ = stage::ready, std::nullopt;
  return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
}

WINSVC_INLINE void connection::handle(const visit& how) {
  exchange_stream stream(wire_, buffer_, out_, head_, bounds_);
  stream.began(began_);
  exchange x(head_, stream, server_.next_id(), shared_.draining);
  x.websockets = &shared_.websockets;
  x.routes = &server_.routes().routes();
  x.match = std::move(match_);
  if (head_.framing == wire::framing::chunked)
    stream.limit_body(server_.routes().body_limit(x.match, bounds_.body_bytes));
  x.closing = !head_.keep_alive;
  if (how.whose) how.whose->store(&server_.pace_of(x.match), std::memory_order_relaxed);
  doing_.store(true);
  const auto from = now_;
  alive_ = server_.process(x, peer_, local_);
  now_ = steady::now();
  doing_.store(false);
  if (looked_at_.load()) {  // whoever reads head_ has to be done
    const std::lock_guard wait(doing_mutex_);
  }
  if (how.whose) how.whose->store(nullptr, std::memory_order_relaxed);
  server_.pace_of(x.match).note(now_ - from);

  id_ = std::move(x.id);
  client_ = std::move(x.client);
  told_.pattern = x.pattern;
  told_.status = x.status;
  told_.bytes = stream.sent();
  told_.measured = !server_.routes().serves_paused(x.match) && !server_.pace_of(x.match).streams();
  told_.route_id.reset();
  if (x.match.what == route::outcome::found) told_.route_id = x.match.id;

  if (alive_ && x.status == 101 && x.upgraded) {
    wire_.hold();
    alive_ = stream.flush();
    told_.bytes = stream.sent();
    answered();  // from here on it is no request
    if (alive_) server_.process_upgraded(x);
    return close(parting::answered);
  }
  unread_ = !stream.body_done();
  out_at_ = 0;
  until_ = now_ + bounds_.write_time;
  stage_ = stage::answer;
}

WINSVC_INLINE std::optional<awaited> connection::send_answer(const visit& how) {
  if (how.late) return close(parting::idle), std::nullopt;
  std::size_t sent = 0;
  const auto what = wire_.send_some(out_.data() + out_at_, out_.size() - out_at_, sent);
  out_at_ += sent;
  if (what == os::transfer::timed_out) {
    if (sent > 0) reset_clock(bounds_.write_time);  // it is for a stretch without progress
    return wait(wire_.wants_room(true) ? wants::room : wants::bytes);
  }
  if (what == os::transfer::done) told_.bytes += out_.size();
  out_.clear();
  out_at_ = 0;
  answered();
  if (what != os::transfer::done) return close(parting::idle), std::nullopt;
  if (!alive_) return close(unread_ ? parting::unread : parting::answered), std::nullopt;
  std::vector<wire::field>().swap(head_.fields);
  stage_ = stage::head;
  until_ = now_ + (buffer_.rest().empty() ? bounds_.idle_time : bounds_.head_time);
  if (buffer_.rest().empty() && wire_.is_drained() && !shared_.draining.load()) return wait(wants::bytes);
  return std::nullopt;
}

/// The request is over, whatever became of it.
WINSVC_INLINE void connection::answered() noexcept {
  if (!std::exchange(in_flight_, false)) return;
  --shared_.in_flight;
  if (told_.bytes == 0) return;  // nobody got an answer
  ++shared_.answered;
  if (told_.measured) shared_.pulse.note(now_, now_ - began_, told_.status >= 500);
  if (shared_.on_answered.empty()) return;
  told_.method = head_.method;
  told_.target = head_.target;
  told_.verb = head_.verb;
  told_.id = id_;
  told_.peer = peer_;
  if (!client_.empty()) told_.peer.host = client_, told_.peer.port = 0;
  told_.took = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - began_);  // sent, that is
  shared_.tell(told_);
}

/// What the gate refuses, or nobody has time for. It ends the connection.
WINSVC_INLINE void connection::refuse(int status, std::string_view reason) {
  // Of a head that is none it is known at least whether a body may follow (RFC 9110 section 9.3.2).
  auto asked = in_flight_ ? std::string_view(head_block_) : buffer_.rest();
  while (text::starts_with(asked, "\r\n")) asked.remove_prefix(2);
  out_ = refusal(status, reason, !text::starts_with(asked, "HEAD "));
  out_at_ = 0;
  alive_ = false;
  unread_ = true;
  shared_.tell({"refused:", reason, {}, peer_, status, out_.size(), {}});
  if (std::exchange(in_flight_, false)) --shared_.in_flight;
  reset_clock(bounds_.write_time);
  stage_ = stage::answer;
}

/// After an answer, what the client still sends is taken for a moment, because closing over it makes Windows reset the
/// connection, and the client never sees the answer (RFC 9112 section 9.6). A client that has all it wants ends that
/// moment at once.
WINSVC_INLINE void connection::close(parting how) noexcept {
  answered();
  how = wire_.finish(buffer_.rest().empty() ? how : parting::unread);
  reset_clock(std::chrono::milliseconds(how == parting::unread ? 500 : 100));
  stage_ = how == parting::idle ? stage::over : stage::linger;
}

WINSVC_INLINE std::optional<awaited> connection::linger(const visit& how) {
  constexpr std::size_t most = 1024 * 1024;
  buffer_.bytes.clear();
  buffer_.used = 0;
  const auto what = how.late ? os::transfer::closed : receive();
  lingered_ += buffer_.bytes.size();
  if (what == os::transfer::timed_out) return wait(wants::bytes);
  if (what != os::transfer::done || lingered_ > most) stage_ = stage::over;
  return std::nullopt;
}

WINSVC_INLINE std::optional<work> connection::doing() const {
  const std::lock_guard lock(doing_mutex_);
  looked_at_.store(true);  // before doing_ is asked: whoever is done from here on waits for us
  const scope_exit away([this]() noexcept { looked_at_.store(false); });
  if (!doing_.load()) return std::nullopt;
  return work{std::string(head_.method) + ' ' + std::string(head_.path), steady::now() - began_};
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
