// Clients of the simulation: they send the requests of a scenario and check each response and its time.
//
//   client_group clients(plan, world, net);
//   clients.start();                        // schedules all events
//   clients.problem                         // the first broken rule; empty: none
//
// The clients have no threads. Their code runs as events of the scheduler, at exact virtual times.
#pragma once

#include "../support/simulated_sockets.hpp"
#include "simulated_client.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

class client_group {
 public:
  client_group(const scenario& plan, scheduler& world, network& net)
      : plan_(plan), world_(world), net_(net), limits_(plan) {}
  void start() {
    clients_.reserve(plan_.clients.size());
    for (const auto& each : plan_.clients) {
      clients_.push_back(std::make_unique<client>());
      client& c = *clients_.back();
      c.plan = &each;
      c.number = clients_.size() - 1;
      world_.at(std::chrono::milliseconds(each.connect_ms), [this, &c] { connect(c); });
    }
  }
  /// The server is about to stop.
  void begin_stop() { stopping_ = true; }

  std::string problem;
  std::size_t answered = 0, cut = 0;
  void fail(const std::string& text) {
    if (problem.empty()) problem = scheduler::seconds_text(world_.now()) + ": " + text;
  }
  /// Number of requests that arrived before the stop, were not answered, and whose client waits.
  [[nodiscard]] std::size_t unanswered() const noexcept {
    std::size_t count = 0;
    const auto reading = plan_.system.fault_rate == 0 ? 0ms : 50ms;  // calls may fail until the server has the request
    for (const auto& c : clients_)
      for (const auto& r : c->outstanding)
        count += r.is_complete && !c->has_left && !c->plan->never_reads && c->plan->read_ms == 0 &&
                         c->link->accepted && !c->link->had_failure &&
                         (std::max)(r.complete_time, c->link->accept_time) + reading < stop_time ? 1u : 0u;
    return count;
  }
  [[nodiscard]] bool has_connected_client() const noexcept {
    for (const auto& c : clients_)
      if (c->link && !c->has_left && !c->link->server_closed) return true;
    return false;
  }
  nanoseconds stop_time = never;

  /// Called by the handler of a subscription, before and after it.
  void begin_subscription(std::size_t id) { requests_.at(id).first_event = published_; }
  void end_subscription(std::size_t id) {
    request_record& r = requests_.at(id);
    r.owner->events = std::make_unique<event_reader>(r.first_event, begun_);
    r.owner->bytes_before = published_bytes_;
  }
  /// Called by the publisher, before and after it sends the next event.
  void begin_event() { ++begun_; }
  void end_event() {
    published_bytes_ += plan_.event_size;
    const std::size_t number = published_++;
    world_.at(world_.now() + lateness, [this, number] { check_event(number); });
  }
  /// Called after the stop: each subscriber has received each event.
  void check_subscribers() {
    for (const auto& c : clients_)
      if (reads_events(*c) && (!c->events->has(published_ - 1) || !c->events->has_ended()))
        fail("stop: client " + std::to_string(c->number) + " has not received the last event");
  }

  /// Called by a handler when it starts.
  void on_handler(std::size_t id) {
    auto& [owner, complete_time, starts, first_event] = requests_.at(id);
    static_cast<void>(first_event);
    const auto arrival = (std::max)(complete_time, owner->link->accept_time);
    if (++starts > 1) fail("the handler of request " + std::to_string(id) + " was started twice");
    // A client that has left is noticed if its request has waited for 100 ms.
    if (owner->has_left && owner->left_time + 2ms < world_.now() && arrival + 200ms < world_.now())
      fail("departed client: the handler of request " + std::to_string(id) + " was started " +
           scheduler::seconds_text(world_.now() - owner->left_time) + " after its client had left");
  }

 private:
  void connect(client& c) {
    c.link = net_.connect(8080, [this, &c] { receive(c); });
    if (!c.link) {
      if (!stopping_) fail("client " + std::to_string(c.number) + " was refused");
      return;
    }
    c.idle_since = world_.now();
    world_.at(world_.now() + accept_limit, [this, &c] {
      if (!c.link->accepted && is_open(c) && !stopping_)
        fail("deaf: client " + std::to_string(c.number) + " was not accepted for " +
             scheduler::seconds_text(accept_limit));
    });
    supervise_idle(c);
    if (c.plan->requests.empty()) return leave_later(c);
    world_.at(world_.now() + std::chrono::milliseconds(c.plan->requests[0].think_ms), [this, &c] { send_next(c); });
  }
  [[nodiscard]] bool is_open(const client& c) const noexcept { return c.link && !c.has_left && !c.link->has_ended(); }

  void send_next(client& c) {
    if (!is_open(c) || c.expects_close) return;
    const request_plan& planned = c.plan->requests[c.next++];
    const std::size_t id = requests_.size();
    requests_.push_back({&c, never, 0, 0});
    c.outstanding.push_back({planned.kind, id, planned.ms, world_.now(), never, false});
    std::string bytes = request_text(planned, id);
    const auto pieces = static_cast<std::size_t>(planned.pieces);
    for (std::size_t i = 0; i < pieces; ++i) {
      const auto size = i + 1 == pieces ? bytes.size() : bytes.size() / (pieces - i);
      const auto time = world_.now() + 3ms * static_cast<int>(i);
      if (i == 0) send_piece(c, bytes.substr(0, size), i + 1 == pieces);
      else world_.at(time, [this, &c, piece = bytes.substr(0, size), is_last = i + 1 == pieces] {
        send_piece(c, piece, is_last);
      });
      bytes.erase(0, size);
    }
  }
  void send_piece(client& c, const std::string& bytes, bool is_last) {
    if (!is_open(c) || c.outstanding.empty()) return;
    request& r = c.outstanding.back();
    if (is_last && r.kind != request_kind::slow_head && r.kind != request_kind::slow_body) {
      r.is_complete = r.kind != request_kind::expect;
      requests_[r.id].complete_time = r.complete_time = world_.now();
    }
    net_.deliver(*c.link, bytes);
    if (!is_last) return;
    supervise(c, r);
    if (c.next == c.plan->requests.size()) leave_later(c);
  }
  void leave_later(client& c) {
    if (c.plan->ends_early && c.outstanding.size() == 1 && c.outstanding[0].kind == request_kind::fast)
      net_.end(*c.link, false), c.expects_close = true;
    if (c.plan->leave_ms < 0) return;
    world_.at(world_.now() + std::chrono::milliseconds(c.plan->leave_ms), [this, &c] {
      if (!is_open(c)) return;
      c.has_left = true;
      c.left_time = world_.now();
      net_.end(*c.link, true);
    });
  }

  void supervise(client& c, const request& r) {
    if (c.plan->never_reads) return supervise_unread(c);
    const auto limit = limits_.limit_of(r.kind, std::chrono::milliseconds(r.ms));
    if (limit != never) supervise_response(c, r.id, r.kind, world_.now() + limit, limit);
  }
  void supervise_response(client& c, std::size_t id, request_kind kind, nanoseconds deadline, nanoseconds limit) {
    world_.at(deadline, [this, &c, id, kind, limit] {
      if (stopping_ || !is_open(c) || !c.link->accepted) return;
      // A client that was accepted late has more time.
      if (c.link->accept_time + limit > world_.now())
        return supervise_response(c, id, kind, c.link->accept_time + limit, limit);
      for (const auto& open : c.outstanding)
        if (open.id == id)
          fail("deadline: request " + std::to_string(id) + " (" + kind_names[static_cast<std::size_t>(kind)] +
               ") of client " + std::to_string(c.number) + " has no response at its limit");
    });
  }
  /// A client that does not read a large response is closed after the write timeout.
  void supervise_unread(client& c) {
    if (c.outstanding.back().kind != request_kind::large || plan_.has_small_limits() || plan_.has_few_threads())
      return;
    world_.at(world_.now() + write_timeout + 1s, [this, &c] {
      if (is_open(c) && !stopping_) fail("write timeout: client " + std::to_string(c.number) + " is still connected");
    });
  }
  void supervise_idle(client& c) {
    world_.at(world_.now() + keep_alive_timeout + lateness + (plan_.system.fault_rate == 0 ? 0s : accept_limit),
              [this, &c, since = c.idle_since] {
      if (is_open(c) && !stopping_ && !c.plan->never_reads && c.outstanding.empty() && c.idle_since == since)
        fail("keep-alive timeout: client " + std::to_string(c.number) + " is still connected");
    });
  }

  void receive(client& c) {
    if (c.has_left) return;
    if (c.plan->read_ms != 0) {
      read_later(c);
    } else if (!c.plan->never_reads) {
      read(c, static_cast<std::size_t>(-1));
    }
    if (c.link->has_ended() && !std::exchange(c.saw_close, true)) on_closed(c);
  }
  void read(client& c, std::size_t count) {
    c.input += net_.take(*c.link, count);
    while (parse(c)) {}
    if (!c.in_stream || !c.events) return;
    if (const auto found = c.events->feed(c.input); !found.empty())
      fail("client " + std::to_string(c.number) + " received a wrong event: " + found);
  }
  void read_later(client& c) {
    if (c.plan->never_reads || std::exchange(c.will_read, true)) return;
    world_.at(world_.now() + std::chrono::milliseconds(c.plan->read_ms), [this, &c] {
      c.will_read = false;
      if (c.has_left) return;
      read(c, 16 * 1024);
      if (!c.link->to_client.empty()) read_later(c);
    });
  }
  /// True for a subscriber that reads all at once and whose calls have not failed.
  [[nodiscard]] static bool reads_events(const client& c) noexcept {
    return c.events && c.in_stream && !c.has_left && !c.link->had_failure && !c.plan->never_reads &&
           c.plan->read_ms == 0;
  }
  void check_event(std::size_t number) {
    constexpr std::size_t max_lag = 8 * 1024 * 1024, capacity = 512 * 1024;
    for (const auto& c : clients_) {
      if (stopping_ || !is_open(*c) || !c->events) continue;
      if (reads_events(*c) && !c->events->has(number))
        fail("late event: client " + std::to_string(c->number) + " has not received event " + std::to_string(number));
      // `published_bytes_` has increased during the time of this check.
      if (c->plan->never_reads && published_ == number + 1 && published_bytes_ - c->bytes_before > max_lag + capacity)
        fail("lagging: client " + std::to_string(c->number) + " is still connected");
    }
  }
  void on_closed(client& c) {
    constexpr std::size_t capacity = 128 * 1024;
    if (c.events && !stopping_ && !c.link->had_failure &&
        published_bytes_ - c.bytes_before < c.events->received_bytes() + capacity)
      return fail("subscriber " + std::to_string(c.number) + " was disconnected");
    if (c.events) return;
    // A response of the timeout thread is sent at once, or the client is disconnected.
    const bool is_limited = !c.outstanding.empty() && (c.outstanding.front().kind == request_kind::limited ||
                                                       c.outstanding.front().kind == request_kind::limited_hang);
    if (c.link->had_failure) return;
    if (c.link->had_not_ready && is_limited) return c.outstanding.clear();
    if (c.link->was_reset) return fail("client " + std::to_string(c.number) + " connected and was reset by a stop");
    if (stopping_ || c.in_stream || c.plan->never_reads || c.expects_close) return;
    if (!c.outstanding.empty()) {
      // The keep-alive timeout may end while the next request arrives, and the server may close the oldest idle
      // connections: RFC 9112 section 9.3.1.
      if (world_.now() < c.idle_since + keep_alive_timeout && plan_.connections == 10'000)
        fail("the connection of client " + std::to_string(c.number) + " was closed without a response");
      c.outstanding.clear();
    } else if (world_.now() < c.idle_since + keep_alive_timeout && plan_.connections == 10'000) {
      fail("the idle connection of client " + std::to_string(c.number) + " was closed early");
    }
  }
  /// Parses one response. Returns false if it is not complete.
  bool parse(client& c) {
    if (c.in_stream || c.input.empty()) return false;
    const auto end = c.input.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string head = c.input.substr(0, end + 2);
    const int status = std::atoi(head.substr(9, 3).c_str());
    if (status == 100) {
      c.input.erase(0, end + 4);
      if (c.outstanding.empty() || c.outstanding.front().kind != request_kind::expect)
        return fail("a response 100 without Expect"), false;
      request& r = c.outstanding.front();
      r.is_complete = true;
      requests_[r.id].complete_time = r.complete_time = world_.now();
      net_.deliver(*c.link, "0123456789");
      return true;
    }
    const auto field = head.find("\r\nContent-Length: ");
    // An event stream that is rejected ends at once, and has a length.
    const bool is_stream = status == 200 && !c.outstanding.empty() &&
                           (c.outstanding.front().kind == request_kind::events ||
                            c.outstanding.front().kind == request_kind::subscribe) &&
                           (field == std::string::npos || !limits_.may_reject());
    std::size_t length = 0;
    if (!is_stream) {
      if (field == std::string::npos) return fail("a response without Content-Length: " + head), false;
      length = static_cast<std::size_t>(std::atoll(head.c_str() + field + 18));
      if (c.input.size() < end + 4 + length) return false;
    }
    const std::string body = c.input.substr(end + 4, length);
    c.input.erase(0, end + 4 + length);
    c.in_stream = is_stream;
    if (head.find("\r\nConnection: close\r\n") != std::string::npos) c.expects_close = true;
    if (c.outstanding.empty()) {
      if (status != 503 || (plan_.connections == 10'000 && !was_rejected_by_stop(c)))
        fail("client " + std::to_string(c.number) + " received a response without a request: " + head);
      return false;
    }
    const request r = c.outstanding.front();
    c.outstanding.pop_front();
    check(c, r, status, body);
    c.idle_since = world_.now();
    if (is_stream && c.next < c.plan->requests.size()) leave_later(c);  // the other requests are not sent
    if (is_stream || c.expects_close) return false;
    supervise_idle(c);
    if (c.next < c.plan->requests.size())
      world_.at(world_.now() + std::chrono::milliseconds(c.plan->requests[c.next].think_ms),
                [this, &c] { send_next(c); });
    return true;
  }
  /// True for a client for which a stop had no descriptor.
  [[nodiscard]] bool was_rejected_by_stop(const client& c) const noexcept {
    return stopping_ && c.link->had_no_descriptor;
  }
  /// Checks the status and that the response did not come too early.
  void check(const client& c, const request& r, int status, const std::string& body) {
    ++answered;
    const auto text = [&] {
      return std::string("request ") + std::to_string(r.id) + " (" + kind_names[static_cast<std::size_t>(r.kind)] +
             ") of client " + std::to_string(c.number) + " received " + std::to_string(status);
    };
    const auto elapsed = world_.now() - (r.is_complete ? r.complete_time : r.begin_time);
    const bool is_rejected = status == 503 && limits_.may_reject() &&
                             (r.kind != request_kind::events || plan_.connections < 10'000);
    bool is_expected = status == 200;
    switch (r.kind) {
      case request_kind::slow_head: is_expected = status == 408 && elapsed >= head_timeout; break;
      case request_kind::slow_body: is_expected = status == 408 && elapsed >= body_timeout; break;
      case request_kind::hang: is_expected = stopping_; break;
      case request_kind::limited_hang: is_expected = status == 503 && elapsed >= route_timeout; break;
      case request_kind::limited:
        if (status == 503) is_expected = elapsed >= route_timeout;
        break;
      default: break;
    }
    if (!is_expected && !is_rejected && !(stopping_ && status == 408) && !(status == 503 && was_rejected_by_stop(c)))
      return fail(text() + " after " + scheduler::seconds_text(elapsed));
    const bool has_id = status == 200 && r.kind != request_kind::large && r.kind != request_kind::events &&
                        r.kind != request_kind::subscribe;
    if (has_id && body != std::to_string(r.id))
      fail(text() + " with the response of another request: " + body);
  }

  const scenario& plan_;
  scheduler& world_;
  network& net_;
  std::vector<std::unique_ptr<client>> clients_;
  std::deque<request_record> requests_;
  bool stopping_ = false;
  std::size_t begun_ = 0, published_ = 0, published_bytes_ = 0;  // events of the channel
  const response_limits limits_;
};

}  // namespace simulation
