// Any control at any moment: services of random shape are played random sequences of controls by the simulated SCM, with
// failures thrown in, and no verdict may come of it.
//
// A sequence is its seed. WINSVC_SEQUENCES says how many are played (default 500), WINSVC_SEED with which to begin; a
// complaint names the seed, and WINSVC_SEED=that WINSVC_SEQUENCES=1 plays it again (the threads may interleave anew).
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using waiting::wait_for_stop;
using winsvc::service;
using winsvc::start_context;
using winsvc::stop_context;
using winsvc::stop_token;
using winsvc::model::control;
using winsvc::model::state;
using winsvc::testing::simulated_scm;

namespace {

/// Random numbers that are the same everywhere: the standard's distributions are not.
class dice {
 public:
  explicit dice(std::uint64_t seed) : engine_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(engine_() % n); }
  bool in(unsigned n) { return below(n) == 0; }  // once in n times

 private:
  std::mt19937_64 engine_;
};

/// What a hook does when it is called.
enum class deed { nothing, progress, throws, dawdles };

struct shape {
  std::vector<deed> start, stop, pause, resume, reload;
  bool custom = false, session = false, power = false, time = false, preshutdown = false;
  bool waits_for_stop = false, port_taken = false, app_throws = false, worker = false, worker_throws = false;

  bool may_fail() const {
    if (port_taken || app_throws || worker_throws) return true;
    for (const deed d : start) {
      if (d == deed::throws) return true;
    }
    return false;
  }
};

std::vector<deed> some(dice& d, unsigned limit, unsigned throws_once_in) {
  std::vector<deed> out(d.below(limit + 1));
  for (deed& one : out) {
    one = d.in(throws_once_in) ? deed::throws : d.in(3) ? deed::progress : d.in(4) ? deed::dawdles : deed::nothing;
  }
  return out;
}

shape random_shape(dice& d) {
  shape s;
  s.start = some(d, 3, 30);
  s.stop = some(d, 3, 6);
  s.pause = some(d, 2, 5);
  s.resume = some(d, 2, 5);
  s.reload = some(d, 2, 5);
  s.custom = d.in(2);
  s.session = d.in(2);
  s.power = d.in(3);
  s.time = d.in(3);
  s.preshutdown = d.in(3);
  s.waits_for_stop = d.in(25);
  s.port_taken = d.in(50);
  s.app_throws = d.in(100);
  s.worker = d.in(3);
  s.worker_throws = s.worker && d.in(10);
  return s;
}

template <class Context>
void act(deed what, Context* context) {
  if (what == deed::throws) throw std::runtime_error("thrown by the dice");
  if (what == deed::dawdles) std::this_thread::yield();
  if (what == deed::progress && context) context->progress("a step");
}

struct counts {
  std::atomic<int> opened{0}, closed{0};
};

std::function<void(service&)> app_of(const shape& s, counts& c) {
  return [&s, &c](service& svc) {
    if (s.app_throws) throw std::runtime_error("thrown by the dice");
    svc.get("/", [] { return "hello"; });
    for (const deed d : s.start) {
      svc.on_start([d, &c](start_context& context) {
        act(d, &context);
        ++c.opened;
        return [&c] { ++c.closed; };
      });
    }
    for (const deed d : s.stop) svc.on_stop([d](stop_context& context) { act(d, &context); });
    for (const deed d : s.pause) svc.on_pause([d](stop_context& context) { act(d, &context); });
    for (const deed d : s.resume) svc.on_continue([d](stop_context& context) { act(d, &context); });
    for (const deed d : s.reload) svc.on_reload([d] { act<stop_context>(d, nullptr); });
    if (s.waits_for_stop) svc.on_start([](start_context& context) { wait_for_stop(context.stop(), "the stop"); });
    if (s.custom) {
      svc.on_control(128, [] { return 7; });
      svc.on_control(255, []() -> int { throw std::runtime_error("thrown by the dice"); });
    }
    if (s.session) svc.on_session_change([](const auto&) {});
    if (s.power) svc.on_power([](const auto&) { throw 7; });
    if (s.time) svc.on_time_change([] {});
    if (s.preshutdown) svc.preshutdown(10s);
    if (s.worker) {
      svc.worker("w", [fails = s.worker_throws](stop_token stop) {
        if (fails) throw std::runtime_error("thrown by the dice");
        wait_for_stop(stop, "the stop");
      });
    }
  };
}

/// One control, any of them, as the SCM would send it or as it never would.
void send_one(simulated_scm& scm, dice& d) {
  constexpr std::uint32_t known[] = {1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 6, 13, 14, 15, 16, 128, 200, 255, 7, 99, 0, 256};
  const std::uint32_t code = known[d.below(static_cast<unsigned>(std::size(known)))];
  // Most stops are kept for the end, or there would be little before it.
  const auto sent = static_cast<control>(code);
  if ((sent == control::stop || sent == control::shutdown || sent == control::preshutdown) && !d.in(5)) return;
  const winsvc::model::control_event event{code, d.below(12), d.below(3), {}, {}};
  static_cast<void>(d.in(4) ? scm.deliver_always(event) : scm.control(event));
  if (d.in(3)) std::this_thread::yield();
  if (d.in(12)) std::this_thread::sleep_for(std::chrono::microseconds(d.below(200)));
}

/// True if a service may report this transition to the SCM. Independent of the table in scm/lifecycle.hpp, which is
/// under test here. Source: "Service State Transitions" in the Win32 documentation. A failed start passes STOP_PENDING.
bool is_allowed(state from, state to) {
  switch (from) {
    case state::none: return to == state::start_pending;
    case state::start_pending:
      return to == state::start_pending || to == state::running || to == state::stop_pending || to == state::stopped;
    case state::running: return to == state::pause_pending || to == state::stop_pending;
    case state::pause_pending:
      return to == state::pause_pending || to == state::paused || to == state::running || to == state::stop_pending;
    case state::paused: return to == state::continue_pending || to == state::stop_pending;
    case state::continue_pending:
      return to == state::continue_pending || to == state::running || to == state::paused || to == state::stop_pending;
    case state::stop_pending: return to == state::stop_pending || to == state::stopped;
    case state::stopped: return false;
  }
  return false;
}

/// Returns the first problem, or "".
std::string play(std::uint64_t seed) {
  const auto began = waiting::steady::now();
  dice d(seed);
  const shape s = random_shape(d);
  counts c;
  const auto app = app_of(s, c);
  const auto taken = winsvc::os::tcp_socket::listen("127.0.0.1", 0);
  simulated_scm scm;
  if (s.port_taken && taken) scm.launch.port = taken->local().port;
  if (d.in(100)) scm.delay["set_status"] = std::chrono::milliseconds(1);

  // Controls from the first moment on, or once it runs; from one thread, or from two.
  const bool max_connections = s.waits_for_stop || d.in(4);
  if (max_connections) scm.start_async(app);
  else scm.start(app);
  const unsigned how_many = d.below(14);
  dice other_dice(seed ^ 0x9E3779B97F4A7C15u);
  {
    std::optional<waiting::scoped_thread> other;
    if (d.in(4)) {
      other.emplace("the second sender of controls", [&] {
        for (unsigned i = 0; i < 6; ++i) send_one(scm, other_dice);
      });
    }
    for (unsigned i = 0; i < how_many; ++i) send_one(scm, d);
  }
  constexpr control ends[] = {control::stop, control::shutdown, control::preshutdown};
  const control last = ends[d.below(3)];
  const auto deadline = waiting::steady::now() + waiting::limit();
  while (scm.state() != state::stopped && scm.deliver_always(last) == 1061) {
    if (waiting::steady::now() >= deadline) return "no control handler took the last control";
    std::this_thread::yield();
  }
  const std::uint32_t code = scm.wait();

  // The hooks here are fast. A longer sequence has waited for the limit of a stop (20 s) or of a start (30 s).
  if (waiting::steady::now() - began > waiting::scaled(15s)) return "the service took more than 15 s";
  const auto verdicts = scm.violations();
  if (!verdicts.empty()) return "verdict: " + verdicts[0];
  state now = state::none;
  for (const auto& h : scm.history()) {
    if (!is_allowed(now, h.status.current))
      return std::string(name(now)) + " to " + std::string(name(h.status.current)) + " is not a legal transition";
    now = h.status.current;
  }
  if (code != 0 && !s.may_fail()) return "exit code " + std::to_string(code) + " without a failure";
  if (c.opened != c.closed) return "opened " + std::to_string(c.opened) + ", closed " + std::to_string(c.closed);
  return {};
}

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* message = std::getenv(variable);
  return message ? std::strtoull(message, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("no sequence of controls, at no moment, earns a verdict") {
  const std::uint64_t first = number_in("WINSVC_SEED", 1), count = number_in("WINSVC_SEQUENCES", 500);
  std::atomic<std::uint64_t> next{first}, finished{0};
  std::mutex mutex;
  std::vector<std::string> complaints;
  const auto began = std::chrono::steady_clock::now();

  std::vector<waiting::scoped_thread> players;
  for (int i = 0; i < 8; ++i) {  // most of them wait for threads of their own
    players.emplace_back("a thread that plays sequences", [&] {
      for (std::uint64_t seed = next++; seed < first + count; seed = next++) {
        std::string complaint = play(seed);
        if (!complaint.empty()) {
          const std::lock_guard lock(mutex);
          complaints.push_back("seed " + std::to_string(seed) + ": " + std::move(complaint));
        }
        ++finished;
      }
    });
  }
  // The deadline belongs to one sequence. All of them together take as long as the machine needs.
  for (std::uint64_t before = 0; before < count;) {
    waiting::wait_until([&] { return finished != before; },
                        "a sequence to end, after " + std::to_string(before) + " of " + std::to_string(count));
    before = finished;
  }
  for (auto& p : players) p.join();

  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  MESSAGE(count << " sequences from seed " << first << " in " << elapsed.count() << " ms");
  CHECK(complaints.size() == 0);
  for (std::size_t i = 0; i < complaints.size() && i < 10; ++i) FAIL_CHECK(complaints[i]);
}
