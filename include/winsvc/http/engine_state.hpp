// What the connections of one engine have in common: what they count, who hears of each answer, and whether new requests
// are wanted.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/request_statistics.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// One answered request, for the access log.
struct access_record {
  /// Valid during the call only. Of a request that the gate refused: "refused:" and why, no pattern.
  std::string_view method, target, pattern;
  os::endpoint peer;  ///< the client that a trusted proxy named (port 0), or whoever is connected
  int status = 0;
  std::uint64_t bytes = 0;  ///< head and body of the answer
  std::chrono::microseconds duration{0};
  std::optional<std::size_t> route_id = {};        ///< that matched, also where a middleware answered
  std::optional<winsvc::route::method> method_id = {};  ///< nothing of a request that the gate refused
  /// Does its time say how fast the service is? Not of a stream, which lasts as long as somebody listens, nor of a page of
  /// winsvc's own, which asks for itself.
  bool counts_in_statistics = true;
  std::string_view id = {};                        ///< of the request; empty for what the gate refused

  /// `GET /users/7  200  151 B  88 us`
  [[nodiscard]] std::string to_text() const {
    return std::string(method) + ' ' + std::string(target) + "  " + std::to_string(status) + "  " +
           std::to_string(bytes) + " B  " + std::to_string(duration.count()) + " us";
  }
  /// The same for a log of JSON lines: members of an object, without its braces.
  [[nodiscard]] std::string to_json_fields() const {
    strings::json_object_writer o;
    o.put_text_if_set("id", id).put_text("peer", peer.host).put_text("method", method).put_text("target", target);
    o.put_text_if_set("route", pattern).put("status", std::to_string(status)).put("bytes", std::to_string(bytes));
    const std::string text = o.put("us", std::to_string(duration.count())).text();
    return text.substr(1, text.size() - 2);
  }
};

/// A request on its way.
struct work {
  std::string request_line;  ///< `GET /report`
  std::chrono::steady_clock::duration age;
};

struct engine_state {
  std::atomic<bool> draining{false};
  std::atomic<bool> paused{false};        ///< requests get 503, but for the routes that are kept
  std::atomic<std::size_t> in_flight{0};  ///< requests whose head is complete and whose answer has not left
  std::atomic<std::size_t> websockets{0};  ///< open ones; their requests have been answered
  std::atomic<std::uint64_t> response_count{0};
  http::request_statistics statistics;  ///< of what was answered
  /// Set before the first connection; called on whichever thread serves it.
  std::vector<std::function<void(const access_record&)>> on_response;

  void notify_response(const access_record& answered_one) const noexcept {
    for (const auto& f : on_response) {
      try {
        f(answered_one);
      } catch (...) {  // no memory for a line of the access log: the answer has left, and that is what counts
      }
    }
  }
};

/// What the requests of a route are like, by the last eight. From any thread.
class route_latency {
 public:
  /// Do they take so long that others should not wait behind one? Three of eight must have: on a busy machine now and
  /// then a quick one is late, because the system had something else to do.
  [[nodiscard]] bool is_slow() const noexcept {
    unsigned late = 0;
    for (unsigned h = history_.load(std::memory_order_relaxed); h != 0; h &= h - 1) ++late;
    return late >= 3;
  }
  void record(std::chrono::steady_clock::duration elapsed) noexcept { push(elapsed > slow_threshold ? 1 : 0, 1); }
  /// One of them is at it, and has been for too long already.
  void mark_slow() noexcept { push(3, 2); }
  /// Are its answers streams?
  [[nodiscard]] bool streams() const noexcept { return streams_.load(std::memory_order_relaxed); }
  void mark_stream() noexcept { streams_.store(true, std::memory_order_relaxed); }

 private:
  static constexpr std::chrono::microseconds slow_threshold{150};

  void push(unsigned bits, unsigned count) noexcept {
    const unsigned before = history_.load(std::memory_order_relaxed);
    const unsigned after = ((before << count) | bits) & 0xFF;
    if (after != before) history_.store(static_cast<std::uint8_t>(after), std::memory_order_relaxed);
  }
  std::atomic<std::uint8_t> history_{0};  // a bit for each, 1: it took long; two that write at once lose one
  std::atomic<bool> streams_{false};
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
