// One client of the simulation, and how long it waits for a response; see simulated_clients.hpp.
#pragma once

#include "../support/simulated_sockets.hpp"
#include "simulated_events.hpp"
#include "simulated_scenario.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>

namespace simulation {

using namespace std::chrono_literals;

/// Time limits of the server, and how late it may be: a slot of the timer wheel and some scans of the monitor.
inline constexpr nanoseconds head_timeout = 10s, body_timeout = 20s, keep_alive_timeout = 60s, write_timeout = 20s,
                             route_timeout = 500ms, lateness = 120ms;
/// How much later a response may be if calls fail.
inline constexpr std::chrono::milliseconds fault_lateness = 130ms;
/// The longest time in which a client is accepted, if accept() fails often.
inline constexpr nanoseconds accept_limit = 3s;

struct request {
  request_kind kind;
  std::size_t id;
  int ms;
  nanoseconds begin_time{}, complete_time{};
  bool is_complete = false;
};
struct client {
  const client_plan* plan = nullptr;
  std::size_t number = 0, next = 0;
  std::shared_ptr<connection> link;
  std::deque<request> outstanding;
  std::string input;
  bool has_left = false, in_stream = false, expects_close = false, saw_close = false, will_read = false;
  std::unique_ptr<event_reader> events;  // of a subscriber
  std::size_t bytes_before = 0;          // that were published before the subscription
  nanoseconds left_time{}, idle_since{};
};
struct request_record {
  client* owner;
  nanoseconds complete_time;
  int starts;
  std::size_t first_event = 0;
};

class response_limits {
 public:
  explicit response_limits(const scenario& plan) : plan_(plan) {
    for (const auto& each : plan.clients)
      for (const auto& planned : each.requests)
        if (planned.kind == request_kind::compute) compute_time_ += std::chrono::milliseconds(planned.ms);
  }
  /// True if the server may reject a request for lack of threads or because a limit is reached.
  [[nodiscard]] bool may_reject() const noexcept {
    return plan_.has_small_limits() || plan_.has_few_threads();
  }
  /// The longest time from the complete request to its response; never: the request has no limit.
  [[nodiscard]] nanoseconds limit_of(request_kind kind, nanoseconds own) const noexcept {
    const bool no_shortage = !may_reject();
    const nanoseconds late = lateness + (plan_.system.fault_rate == 0 ? 0ms : fault_lateness);
    switch (kind) {
      case request_kind::livez: return late;
      case request_kind::limited:
      case request_kind::limited_hang: return route_timeout + late;
      case request_kind::slow_head: return head_timeout + late;
      case request_kind::slow_body: return body_timeout + late;
      case request_kind::fast:
      case request_kind::large:
      case request_kind::echo: return no_shortage ? late : never;
      case request_kind::expect:
      case request_kind::subscribe:
      case request_kind::events: return no_shortage ? 1s : never;
      case request_kind::sleep: return no_shortage ? own + compute_time_ + 3s : never;
      case request_kind::compute: return no_shortage ? 5 * compute_time_ + 3s : never;
      case request_kind::hang: break;
    }
    return never;
  }

 private:
  const scenario& plan_;
  nanoseconds compute_time_{0};
};

}  // namespace simulation
