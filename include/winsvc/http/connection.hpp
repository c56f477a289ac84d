// One connection, from its first byte to its close: read a head, let the gate judge it, find the route, hand it to
// cpp-httplib, again.
//
// It runs on whichever thread calls `serve` and knows neither sockets nor other connections; what it shares with them
// is in `traffic`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/http/core.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// One answered request, for the access log.
struct access_entry {
  /// Valid during the call only. Of a request that the gate refused: "refused:" and why, no pattern.
  std::string_view method, target, pattern;
  os::endpoint peer;  ///< the client that a trusted proxy named (port 0), or whoever is connected
  int status = 0;
  std::uint64_t bytes = 0;  ///< head and body of the answer
  std::chrono::microseconds took{0};
  std::optional<std::size_t> route_id = {};        ///< that matched, also where a middleware answered
  std::optional<winsvc::route::method> verb = {};  ///< nothing of a request that the gate refused
  std::string_view id = {};                        ///< of the request; empty for what the gate refused

  /// `GET /users/7  200  151 B  88 us`
  [[nodiscard]] std::string line() const {
    return std::string(method) + ' ' + std::string(target) + "  " + std::to_string(status) + "  " +
           std::to_string(bytes) + " B  " + std::to_string(took.count()) + " us";
  }
};

/// What the connections of one engine have in common.
struct traffic {
  std::atomic<bool> draining{false};
  std::atomic<bool> paused{false};        ///< requests get 503, but for the routes that are kept
  std::atomic<std::size_t> in_flight{0};  ///< requests whose head is complete and whose answer is not
  std::atomic<std::size_t> websockets{0};  ///< open ones; their requests have been answered
  std::atomic<std::uint64_t> answered{0};
  /// Set before the first connection; called on its thread.
  std::vector<std::function<void(const access_entry&)>> on_answered;

  void tell(const access_entry& answered_one) const {
    for (const auto& f : on_answered) f(answered_one);
  }
};

class connection {
 public:
  connection(transport& wire, core& server, traffic& shared, const wire::limits& bounds)
      : wire_(wire), server_(server), shared_(shared), bounds_(bounds), peer_(wire.peer()), local_(wire.local()) {
    for (auto* block : {&buffer_.bytes, &head_block_}) block->reserve(8 * 1024);  // on the heap: a swap moves no byte
  }

  /// Serves until the client, an error, a time-out or a drain ends it. Never throws.
  void serve() noexcept;

 private:
  [[nodiscard]] bool read_head(wire::head_result& got);
  /// Nothing: another request may come.
  [[nodiscard]] std::optional<parting> serve_one();
  void refuse(int status, std::string_view reason);

  transport& wire_;
  core& server_;
  traffic& shared_;
  const wire::limits& bounds_;
  os::endpoint peer_, local_;
  receive_buffer buffer_;
  std::string head_block_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void connection::serve() noexcept {
  std::optional<parting> how;
  try {
    while (!how) how = serve_one();
  } catch (...) {  // out of memory in our own hands: this connection ends, the others go on
    how = parting::idle;
  }
  wire_.finish(buffer_.rest().empty() ? *how : parting::unread);
}

/// True: `got` is complete or rejected. False: there is nothing to answer.
inline bool connection::read_head(wire::head_result& got) {
  std::size_t scanned = 0;
  auto until = (std::chrono::steady_clock::time_point::max)();  // runs from the first byte
  for (;;) {
    if (!buffer_.rest().empty()) {
      got = wire::parse_head(buffer_.rest(), bounds_, &scanned);
      if (got.step != wire::head_result::more) return true;
      if (until == (std::chrono::steady_clock::time_point::max)())
        until = std::chrono::steady_clock::now() + bounds_.head_time;
    }
    char piece[8 * 1024];
    std::size_t bytes = 0;
    os::transfer what;
    if (buffer_.rest().empty()) {
      what = wire_.receive_idle(piece, sizeof piece, bytes, bounds_.idle_time);
      if (what == os::transfer::timed_out) return false;  // an idle connection just ends
    } else {
      const auto limit =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      // A drain does not wait for a head that is slow to come: it has a last moment, and is refused then.
      constexpr std::chrono::milliseconds last_moment{500};
      what = limit.count() <= 0 ? os::transfer::timed_out : wire_.receive_idle(piece, sizeof piece, bytes, limit);
      if (what == os::transfer::timed_out && shared_.draining.load() && limit > last_moment) {
        what = wire_.receive(piece, sizeof piece, bytes, last_moment);
      }
      if (what == os::transfer::timed_out) {
        got.step = wire::head_result::reject;
        got.status = 408;
        got.reason = "the request head did not arrive in time";
        return true;
      }
    }
    if (what != os::transfer::done) return false;
    buffer_.bytes.append(piece, bytes);
  }
}

inline void connection::refuse(int status, std::string_view reason) {
  const std::string answer = refusal(status, reason);
  wire_.send(answer.data(), answer.size(), bounds_.write_time);
  shared_.tell({"refused:", reason, {}, peer_, status, answer.size(), {}});
}

inline std::optional<parting> connection::serve_one() {
  wire::head_result got;
  if (!read_head(got)) return parting::idle;
  if (got.step == wire::head_result::reject) {
    refuse(got.status, got.reason);
    return parting::unread;
  }

  class counted {
   public:
    explicit counted(std::atomic<std::size_t>& c) noexcept : count_(&c) { ++c; }
    ~counted() { end(); }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    void end() noexcept {
      if (auto* const count = std::exchange(count_, nullptr)) --*count;
    }

   private:
    std::atomic<std::size_t>* count_;
  };
  const auto began = std::chrono::steady_clock::now();
  counted in_flight(shared_.in_flight);

  // The head's views point into the buffer, which the body's bytes would move: the block they are in is set aside, and
  // the two blocks take turns from request to request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.append(head_block_, buffer_.used + got.consumed);
  buffer_.used = 0;
  const wire::head& head = got.value;

  exchange_stream stream(wire_, buffer_, head, wire::canonical_head(head, httplib_decodes_headers), bounds_);
  exchange x(head, stream, server_.next_id(), shared_.draining);
  x.websockets = &shared_.websockets;
  x.routes = &server_.routes().routes();
  if (head.path == "*") {
    x.match.what = route::outcome::method_not_allowed;
    x.match.allowed = server_.routes().routes().all_methods();
  } else {
    x.match = server_.routes().routes().match(head.verb, head.path);
    if (head.framing == wire::framing::chunked)
      stream.limit_body(server_.routes().body_limit(x.match, bounds_.body_bytes));
  }
  if (shared_.paused.load() && !server_.routes().serves_paused(x.match)) x.match.what = route::outcome::paused;
  x.closing = !head.keep_alive;
  const bool alive = server_.process(x, peer_, local_);

  if (stream.sent() > 0) {
    ++shared_.answered;
    if (!shared_.on_answered.empty()) {
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
      const auto route_id = x.match.what == route::outcome::found ? std::optional(x.match.id) : std::nullopt;
      auto client = peer_;
      if (!x.client.empty()) client.host = x.client, client.port = 0;
      shared_.tell({head.method, head.target, x.pattern, client, x.status, stream.sent(), took, route_id, head.verb,
                    x.id});
    }
  }
  if (alive && x.status == 101 && x.upgraded) {
    in_flight.end();  // from here on it is no request
    server_.process_upgraded(x);
    return parting::answered;
  }
  if (alive) return std::nullopt;
  return stream.body_done() ? parting::answered : parting::unread;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
