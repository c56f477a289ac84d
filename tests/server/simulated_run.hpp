// One run of the simulation: a real engine on the simulated system, with the clients of a scenario.
//
//   const run_result result = run_scenario(make_scenario(17));
//   CHECK(result.problem == "");
//
// Rules that are checked in addition to those of the clients:
// - A socket that is ready does not wait while no thread waits in the poller.
// - The number of threads and connections stays below its limit.
// - A stop ends within its limit, at once if no client is connected and no handler runs, and counts each request that
//   was not answered.
// - After the stop, no connection, no request, no descriptor and no thread remains.
#pragma once

#include <winsvc/testing.hpp>

#include "../support/simulated_calls.hpp"
#include "../support/simulated_socket_calls.hpp"
#include "simulated_clients.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace simulation {

struct run_result {
  std::string problem;  // the first broken rule; empty: none
  std::uint64_t trace = 0;
  std::size_t answered = 0, unanswered = 0, aborted = 0;
  fault_counts faults{};  // how often each kind of fault occurred
  nanoseconds end_time{0};
};

/// The service under test and the rules that concern it.
class simulated_service {
 public:
  simulated_service(const scenario& plan, scheduler& world, network& net, client_group& clients)
      : plan_(plan), world_(world), net_(net), clients_(clients) {
    world_.on_quiet = [this] { check_quiet(); };
  }

  void run(run_result& result) {
    using winsvc::detail::server::engine;
    add_routes();
    winsvc::detail::wire::limits limits;
    limits.threads = plan_.threads;
    limits.queue = plan_.queue;
    limits.streams = plan_.streams;
    limits.connections = plan_.connections;
    winsvc::logger log;
    auto server = std::make_unique<engine>(routes_, limits, log);
    if (!server->bind("127.0.0.1", 8080)) return clients_.fail("bind failed");
    server->start();
    clients_.start();
    world_.faults.enable(all_faults);

    const auto stop_time = std::chrono::milliseconds(plan_.stop_ms);
    auto event_time = world_.now();
    while (world_.now() < stop_time) {
      auto next = (std::min)(world_.now() + 500ms, nanoseconds(stop_time));
      if (plan_.channel_events > event_count_) next = (std::min)(next, (std::max)(event_time, world_.now()));
      sleep(next - world_.now());
      if (plan_.channel_events > event_count_ && world_.now() >= event_time) {
        publish();
        event_time = world_.now() + std::chrono::milliseconds(plan_.event_ms);
      }
      const auto streams = (std::min)(plan_.streams, plan_.clients.size());
      const auto max_threads = (std::max)(plan_.threads, processors + 2) + 2 * processors + streams;
      if (server->threads() > max_threads) clients_.fail("limit: " + std::to_string(server->threads()) + " threads");
      if (server->connections() > plan_.connections)
        clients_.fail("limit: " + std::to_string(server->connections()) + " connections");
    }
    const bool is_unused = !clients_.has_connected_client() && running_handlers_ == 0;
    clients_.stop_time = world_.now();
    clients_.begin_stop();
    const auto report = server->drain(std::chrono::milliseconds(plan_.drain_ms));
    world_.on_quiet = nullptr;  // the threads of the pool have ended, or end after their handlers
    const auto elapsed = world_.now() - clients_.stop_time;
    if (elapsed > std::chrono::milliseconds(plan_.drain_ms) + 500ms + lateness)
      clients_.fail("stop: it took " + scheduler::seconds_text(elapsed));
    if (is_unused && elapsed > 1s) clients_.fail("stop: without clients, it took " + scheduler::seconds_text(elapsed));
    sleep(1us);  // the clients receive the last bytes
    if (event_count_ > 0 && plan_.drain_ms >= 1000) clients_.check_subscribers();
    result.unanswered = clients_.unanswered();
    result.aborted = report.aborted;
    if (result.unanswered > report.aborted)
      clients_.fail("stop: " + std::to_string(result.unanswered) + " requests have no response, " +
                    std::to_string(report.aborted) + " were counted as aborted");
    if (report.stuck_threads == 0 && (server->connections() != 0 || server->in_flight() != 0))
      clients_.fail("stop: connections or requests remain");
    release_.request_stop();
    server.reset();
    if (net_.open_count() != 0) clients_.fail("end: " + std::to_string(net_.open_count()) + " descriptors remain");
    if (world_.thread_count() != 1) clients_.fail("end: threads remain");
    if (running_handlers_ != 0) clients_.fail("end: handlers run");
    if (channel_.subscribers() != 0) clients_.fail("end: subscribers remain");
    if (net_.lost_clients != 0) clients_.fail("stop: clients that had connected were reset");
    result.end_time = world_.now();
  }

 private:
  static std::size_t number_of(const winsvc::request& req, const char* name) {
    return static_cast<std::size_t>(std::atoll(req.get_param_value(name).c_str()));
  }
  /// Runs `body` as a handler, with the rules for its start. Returns the text of the response.
  template <class Body>
  std::string handle(const winsvc::request& req, const Body& body) {
    clients_.on_handler(number_of(req, "n"));
    ++running_handlers_;
    body(std::chrono::milliseconds(number_of(req, "ms")));
    --running_handlers_;
    return req.get_param_value("n");
  }
  template <class Body>
  std::size_t add(const char* path, const Body& body,
                  winsvc::detail::route::method method = winsvc::detail::route::method::get) {
    return routes_.add(method, path, [this, body](const winsvc::request& req) { return handle(req, body); },
                       winsvc::source_location::current());
  }
  void publish() {
    const auto number = event_count_++;
    clients_.begin_event();
    channel_.send(event_data(number, plan_.event_size), {}, std::to_string(number));
    clients_.end_event();
  }
  void add_routes() {
    using winsvc::detail::route::method;
    const auto nothing = [](std::chrono::milliseconds) {};
    const auto hang = [this](std::chrono::milliseconds) { release_.token().wait(); };
    const auto block = [](std::chrono::milliseconds ms) { std::this_thread::sleep_for(ms); };
    add("/livez", nothing);
    routes_.serve_while_paused();
    add("/fast", nothing);
    add("/sleep", block);
    add("/compute", [](std::chrono::milliseconds ms) { compute(ms); });
    add("/hang", hang);
    for (const auto id : {add("/limited", block), add("/limited_hang", hang)})
      winsvc::route_builder(routes_, id, id + 1).timeout(std::chrono::milliseconds(500));
    add("/echo", nothing, method::post);
    add("/expect", nothing, method::post);
    const auto here = winsvc::source_location::current();
    routes_.add(method::get, "/large", [this](const winsvc::request& req) {
      handle(req, [](std::chrono::milliseconds) {});
      return std::string(512 * 1024, 'x');
    }, here);
    routes_.add(method::get, "/events", [this](const winsvc::request& req) {
      handle(req, [](std::chrono::milliseconds) {});
      return winsvc::reply::events([this](winsvc::event_stream& out) {
        if (++streams_ > plan_.streams + processors) clients_.fail("limit: too many streams");
        while (out.send("tick") && out.wait_for(1s)) {}
        --streams_;
      });
    }, here);
    routes_.add(method::get, "/subscribe", [this](const winsvc::request& req, winsvc::response& res) {
      handle(req, [](std::chrono::milliseconds) {});
      clients_.begin_subscription(number_of(req, "n"));
      winsvc::reply::events(channel_).apply(res);
      clients_.end_subscription(number_of(req, "n"));
    }, here);
    routes_.freeze();
  }
  void check_quiet() {
    if (net_.longest_ready() > 50ms)
      clients_.fail("starvation: a socket is ready, and no thread has waited in the poller for " +
                    scheduler::seconds_text(net_.longest_ready()));
  }

  const scenario& plan_;
  scheduler& world_;
  network& net_;
  client_group& clients_;
  winsvc::event_channel channel_;
  winsvc::detail::http::router routes_;
  winsvc::stop_source release_;
  std::size_t running_handlers_ = 0, streams_ = 0, event_count_ = 0;
};

/// Runs a scenario to its end. If the run does not end, its objects remain: their threads still use them.
inline run_result run_scenario(const scenario& plan) {
  struct run_objects {
    explicit run_objects(const scenario& s)
        : plan(s), world(plan.system), net(world), clients(plan, world, net), service(plan, world, net, clients) {}
    scenario plan;
    scheduler world;
    network net;
    client_group clients;
    simulated_service service;
    run_result result;
  };
  auto objects = std::make_unique<run_objects>(plan);
  current_network = &objects->net;
  const bool has_ended = objects->world.run([&] { objects->service.run(objects->result); });
  current_network = nullptr;
  run_result result = objects->result;
  result.problem = has_ended || !objects->clients.problem.empty() ? objects->clients.problem : objects->world.problem;
  result.trace = objects->world.trace();
  result.faults = objects->world.faults.counts();
  result.answered = objects->clients.answered;
  if (!has_ended) static_cast<void>(objects.release());
  return result;
}

}  // namespace simulation
