// Scenarios of the simulation: what the clients of one run do, and what the system rejects. A seed gives a scenario.
//
//   const scenario plan = make_scenario(17);
//   MESSAGE(text_of(plan));
#pragma once

#include "../support/simulated_threads.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simulation {

/// Kinds of requests. The comment has the correct response.
enum class request_kind {
  fast,          // 200 at once
  livez,         // 200 at once, also if the system creates no threads
  sleep,         // 200 after `ms`: the handler blocks
  compute,       // 200 after `ms`: the handler computes
  limited,       // the handler blocks for `ms`; 503 if there is no response after 500 ms
  hang,          // no response: the handler returns after the stop
  limited_hang,  // 503 after 500 ms: the handler returns after the stop
  events,        // 200 at once: a stream that lasts until the client leaves
  echo,          // 200 at once, when the last byte of the body has arrived
  expect,        // 100, then 200 when the body has arrived
  large,         // 200 at once, with 512 KiB
  slow_head,     // 408 after head_timeout: the head ends in the middle
  slow_body,     // 408 after body_timeout: the body ends in the middle
  subscribe,     // 200 at once, then the events of the channel until the stop
};
inline constexpr const char* kind_names[] = {"fast", "livez", "sleep", "compute", "limited", "hang", "limited_hang",
                                             "events", "echo", "expect", "large", "slow_head", "slow_body",
                                             "subscribe"};

struct request_plan {
  request_kind kind = request_kind::fast;
  int ms = 0;        // of the handler
  int think_ms = 0;  // before the request
  int pieces = 1;    // in which the request is sent, 3 ms apart
};

/// The bytes of a request. Its handler returns `id`.
inline std::string request_text(const request_plan& planned, std::size_t id) {
  const std::string target = std::string("/") + kind_names[static_cast<std::size_t>(planned.kind)] +
                             "?n=" + std::to_string(id) + "&ms=" + std::to_string(planned.ms);
  switch (planned.kind) {
    case request_kind::slow_head: return "GET /fast?n=" + std::to_string(id) + " HTT";
    case request_kind::slow_body:
      return "POST /echo?n=" + std::to_string(id) + " HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n0123456789";
    case request_kind::echo:
      return "POST " + target + " HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n0123456789";
    case request_kind::expect:
      return "POST " + target + " HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    case request_kind::events:
    case request_kind::subscribe:
      return "GET " + target + " HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\n\r\n";
    default: return "GET " + target + " HTTP/1.1\r\nHost: t\r\n\r\n";
  }
}

struct client_plan {
  int connect_ms = 0;
  std::vector<request_plan> requests;
  int leave_ms = -1;         // after the last request was sent; -1: the server closes the connection
  bool ends_early = false;   // ends its side after the last request, and reads the response
  bool never_reads = false;  // does not read its responses
  int read_ms = 0;           // reads 16 KiB each time; 0: reads at once
};

struct scenario {
  scheduler_options system;
  std::size_t threads = 256, queue = 1000, streams = 10'000, connections = 10'000;  // limits of the server
  int stop_ms = 10'000;   // the time of the stop
  int drain_ms = 20'000;  // its limit
  std::size_t channel_events = 0, event_size = 0;  // the events of the channel, each with some more bytes
  int event_ms = 0;                                // between two of them
  std::vector<client_plan> clients;

  [[nodiscard]] bool has(fault kind) const noexcept {
    return system.fault_rate != 0 && (system.fault_kinds & mask_of(kind)) != 0;
  }
  [[nodiscard]] bool has_few_threads() const noexcept { return system.max_threads != 0 || has(fault::no_thread); }
  [[nodiscard]] bool has_small_limits() const noexcept {
    return threads < 256 || queue < 1000 || streams < 10'000 || connections < 10'000;
  }
};

struct scenario_size {
  int min_clients = 2, max_clients = 24, max_requests = 4, max_stop_ms = 40'000;
};

inline request_plan make_request(random_numbers& random, int flavor) {
  request_plan request;
  // Each flavor has two kinds that are more frequent, so that their requests meet.
  constexpr int kinds = static_cast<int>(request_kind::subscribe);  // make_channel() adds those
  const int frequent = random.below(2) == 0 ? flavor % kinds : flavor / kinds % kinds;
  request.kind = static_cast<request_kind>(random.one_in(3) ? random.between(0, kinds - 1) : frequent);
  request.ms = random.one_in(3) ? random.between(300, 5000) : random.between(1, 300);
  request.think_ms = random.one_in(4) ? random.between(0, 5000) : random.between(0, 50);
  request.pieces = random.one_in(4) ? random.between(2, 4) : 1;
  return request;
}

/// Adds a publisher of events and subscribers. Some publishers send more than a channel keeps for a slow subscriber.
inline void make_channel(random_numbers& random, scenario& plan) {
  const bool is_large = random.one_in(20);
  plan.channel_events = static_cast<std::size_t>(random.between(5, is_large ? 50 : 200));
  plan.event_size = static_cast<std::size_t>(is_large ? 256 * 1024 : random.between(0, random.one_in(4) ? 20'000 : 50));
  plan.event_ms = random.one_in(3) ? random.between(0, 1) : random.between(1, 200);
  for (int i = random.between(1, is_large ? 4 : 12); i > 0; --i) {
    client_plan client;
    client.connect_ms = random.between(0, plan.event_ms * static_cast<int>(plan.channel_events) / 2 + 50);
    client.requests.push_back({request_kind::subscribe, 0, 0, 1});
    if (random.one_in(4)) client.leave_ms = random.between(0, 2000);
    if (random.one_in(3)) client.read_ms = random.between(1, 500);
    client.never_reads = random.one_in(6);
    plan.clients.push_back(client);
  }
}

inline scenario make_scenario(std::uint64_t seed, const scenario_size& size = {}) {
  random_numbers random(seed);
  scenario plan;
  plan.system.seed = seed;
  constexpr std::size_t switch_rates[] = {0, 4, 16, 64};
  plan.system.switch_rate = switch_rates[random.below(4)];
  plan.system.early_wakeups = random.one_in(4) ? 8 : 0;
  plan.system.max_threads = random.one_in(4) ? static_cast<std::size_t>(random.between(7, 14)) : 0;
  if (random.one_in(6)) plan.threads = 6;
  if (random.one_in(8)) plan.queue = 3;
  if (random.one_in(8)) plan.streams = 3;
  if (random.one_in(12)) plan.connections = 6;
  plan.stop_ms = random.one_in(2) ? random.between(100, 4000) : random.between(4000, size.max_stop_ms);
  plan.drain_ms = random.one_in(3) ? random.between(0, 1000) : 20'000;

  const int flavor = random.between(0, 1000);
  const int window = random.one_in(2) ? 100 : plan.stop_ms;  // all at once, or over the whole time
  const bool leaves_often = random.one_in(3);
  for (int i = random.between(size.min_clients, size.max_clients); i > 0; --i) {
    client_plan client;
    client.connect_ms = random.between(0, window);
    for (int count = random.between(0, size.max_requests); count > 0; --count)
      client.requests.push_back(make_request(random, flavor));
    if (leaves_often || random.one_in(6)) client.leave_ms = random.between(0, random.one_in(2) ? 20 : 2000);
    client.ends_early = random.one_in(10);
    client.never_reads = random.one_in(12);
    plan.clients.push_back(client);
  }
  random_numbers fault_random(seed ^ 0xFA);  // another generator: the rest of the scenario does not depend on it
  constexpr std::size_t fault_rates[] = {0, 0, 4, 16, 64};
  plan.system.fault_rate = fault_rates[fault_random.below(std::size(fault_rates))];
  plan.system.fault_kinds = static_cast<std::uint32_t>(fault_random.next() & all_faults);
  if (fault_random.one_in(3)) make_channel(fault_random, plan);
  return plan;
}

/// One line per client.
inline std::string text_of(const scenario& plan) {
  std::string text = "system: seed " + std::to_string(plan.system.seed) + ", switches 1 in " +
                     std::to_string(plan.system.switch_rate) + ", early wakeups 1 in " +
                     std::to_string(plan.system.early_wakeups) + ", at most " +
                     std::to_string(plan.system.max_threads) + " threads\n" +
                     (plan.system.fault_rate == 0 ? std::string()
                                                  : "failing calls: 1 in " + std::to_string(plan.system.fault_rate) +
                                                        ", " + text_of_faults(plan.system.fault_kinds) + '\n') +
                     "server: threads " +
                     std::to_string(plan.threads) + ", queue " + std::to_string(plan.queue) + ", streams " +
                     std::to_string(plan.streams) + ", connections " + std::to_string(plan.connections) +
                     "; stop at " + std::to_string(plan.stop_ms) + " ms, limit " + std::to_string(plan.drain_ms) +
                     " ms\n";
  if (plan.channel_events != 0)
    text += "channel: " + std::to_string(plan.channel_events) + " events with " + std::to_string(plan.event_size) +
            " bytes, each " + std::to_string(plan.event_ms) + " ms\n";
  std::size_t number = 0;
  for (const auto& client : plan.clients) {
    text += "client " + std::to_string(number++) + ": connects at " + std::to_string(client.connect_ms) + " ms";
    for (const auto& request : client.requests)
      text += "; +" + std::to_string(request.think_ms) + " ms " + kind_names[static_cast<std::size_t>(request.kind)] +
              ' ' + std::to_string(request.ms) + " ms in " + std::to_string(request.pieces);
    if (client.leave_ms >= 0) text += "; leaves after " + std::to_string(client.leave_ms) + " ms";
    if (client.ends_early) text += "; ends its side";
    if (client.never_reads) text += "; never reads";
    if (client.read_ms != 0) text += "; reads each " + std::to_string(client.read_ms) + " ms";
    text += '\n';
  }
  return text;
}

}  // namespace simulation
