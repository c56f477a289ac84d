// Random sequences of controls: the simulated SCM sends them to services of random shape with random failures, and must
// not report a violation. Its rules (testing/status_rules.hpp, testing/control_rules.hpp) are those of Windows; they do
// not use the tables of scm/, which are under test here.
//
// A sequence is its seed. WINSVC_SEQUENCES is the number of sequences (default 500), WINSVC_SEED the first seed. A
// failure names its seed; WINSVC_SEED=seed WINSVC_SEQUENCES=1 repeats it (the threads may interleave differently).
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"
#include "seeds.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>
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
using winsvc::detail::scm::control;
using winsvc::detail::scm::state;
using winsvc::testing::simulated_scm;

namespace {

/// Random numbers that are the same on each platform, unlike the distributions of the standard library.
class random_source {
 public:
  explicit random_source(std::uint64_t seed) : engine_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(engine_() % n); }
  bool one_in(unsigned n) { return below(n) == 0; }  // true once in n calls

 private:
  std::mt19937_64 engine_;
};

/// Action of a hook when it is called.
enum class hook_action { nothing, progress, throws, yields };

struct service_shape {
  std::vector<hook_action> start, stop, pause, resume, reload;
  bool custom = false, session = false, power = false, time = false, preshutdown = false;
  bool waits_for_stop = false, port_taken = false, app_throws = false, worker = false, worker_throws = false;

  bool may_fail() const {
    if (port_taken || app_throws || worker_throws) return true;
    for (const hook_action action : start) {
      if (action == hook_action::throws) return true;
    }
    return false;
  }
};

std::vector<hook_action> random_actions(random_source& random, unsigned max_count, unsigned throws_once_in) {
  std::vector<hook_action> actions(random.below(max_count + 1));
  for (hook_action& action : actions) {
    action = random.one_in(throws_once_in) ? hook_action::throws
             : random.one_in(3)            ? hook_action::progress
             : random.one_in(4)            ? hook_action::yields
                                           : hook_action::nothing;
  }
  return actions;
}

service_shape random_shape(random_source& random) {
  service_shape s;
  s.start = random_actions(random, 3, 30);
  s.stop = random_actions(random, 3, 6);
  s.pause = random_actions(random, 2, 5);
  s.resume = random_actions(random, 2, 5);
  s.reload = random_actions(random, 2, 5);
  s.custom = random.one_in(2);
  s.session = random.one_in(2);
  s.power = random.one_in(3);
  s.time = random.one_in(3);
  s.preshutdown = random.one_in(3);
  s.waits_for_stop = random.one_in(25);
  s.port_taken = random.one_in(50);
  s.app_throws = random.one_in(100);
  s.worker = random.one_in(3);
  s.worker_throws = s.worker && random.one_in(10);
  return s;
}

template <class Context>
void run_action(hook_action action, Context* context) {
  if (action == hook_action::throws) throw std::runtime_error("random failure");
  if (action == hook_action::yields) std::this_thread::yield();
  if (action == hook_action::progress && context) context->progress("a step");
}

struct hook_counts {
  std::atomic<int> opened{0}, closed{0};
};

std::function<void(service&)> app_of(const service_shape& s, hook_counts& counts) {
  return [&s, &counts](service& svc) {
    if (s.app_throws) throw std::runtime_error("random failure");
    svc.get("/", [] { return "hello"; });
    for (const hook_action action : s.start) {
      svc.on_start([action, &counts](start_context& context) {
        run_action(action, &context);
        ++counts.opened;
        return [&counts] { ++counts.closed; };
      });
    }
    for (const hook_action action : s.stop)
      svc.on_stop([action](stop_context& context) { run_action(action, &context); });
    for (const hook_action action : s.pause)
      svc.on_pause([action](stop_context& context) { run_action(action, &context); });
    for (const hook_action action : s.resume)
      svc.on_continue([action](stop_context& context) { run_action(action, &context); });
    for (const hook_action action : s.reload) svc.on_reload([action] { run_action<stop_context>(action, nullptr); });
    if (s.waits_for_stop) svc.on_start([](start_context& context) { wait_for_stop(context.stop(), "the stop"); });
    if (s.custom) {
      svc.on_control(128, [] { return 7; });
      svc.on_control(255, []() -> int { throw std::runtime_error("random failure"); });
    }
    if (s.session) svc.on_session_change([](const auto&) {});
    if (s.power) svc.on_power([](const auto&) { throw 7; });
    if (s.time) svc.on_time_change([] {});
    if (s.preshutdown) svc.preshutdown(10s);
    if (s.worker) {
      svc.worker("w", [fails = s.worker_throws](stop_token stop) {
        if (fails) throw std::runtime_error("random failure");
        wait_for_stop(stop, "the stop");
      });
    }
  };
}

/// Sends one random control, in a legal state or not.
void send_random_control(simulated_scm& scm, random_source& random) {
  constexpr std::uint32_t known[] = {1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 6, 13, 14, 15, 16, 128, 200, 255, 7, 99, 0, 256};
  const std::uint32_t code = known[random.below(static_cast<unsigned>(std::size(known)))];
  // Most stops are skipped here, so that a sequence has other controls before its end.
  const auto sent = static_cast<control>(code);
  if ((sent == control::stop || sent == control::shutdown || sent == control::preshutdown) && !random.one_in(5)) return;
  const winsvc::detail::scm::control_event event{code, random.below(12), random.below(3), {}, {}};
  static_cast<void>(random.one_in(4) ? scm.deliver_always(event) : scm.control(event));
  if (random.one_in(3)) std::this_thread::yield();
  if (random.one_in(12)) std::this_thread::sleep_for(std::chrono::microseconds(random.below(200)));
}

/// Returns the first problem, or "".
std::string play(std::uint64_t seed) {
  const auto start = waiting::steady::now();
  random_source random(seed);
  const service_shape s = random_shape(random);
  hook_counts counts;
  const auto app = app_of(s, counts);
  const auto listener = winsvc::detail::os::tcp_socket::listen("127.0.0.1", 0);
  simulated_scm scm;
  if (s.port_taken && listener) scm.launch.port = listener->local().port;
  if (random.one_in(100)) scm.delay["set_status"] = std::chrono::milliseconds(1);

  // Send controls from the first moment on, or after the service runs, from one thread or from two.
  const bool starts_async = s.waits_for_stop || random.one_in(4);
  if (starts_async) scm.start_async(app);
  else scm.start(app);
  const unsigned control_count = random.below(14);
  random_source other_random(seed ^ 0x9E3779B97F4A7C15u);
  {
    std::optional<waiting::scoped_thread> other;
    if (random.one_in(4)) {
      other.emplace("the second sender of controls", [&] {
        for (unsigned i = 0; i < 6; ++i) send_random_control(scm, other_random);
      });
    }
    for (unsigned i = 0; i < control_count; ++i) send_random_control(scm, random);
  }
  constexpr control stops[] = {control::stop, control::shutdown, control::preshutdown};
  const control last = stops[random.below(3)];
  const auto deadline = waiting::steady::now() + waiting::limit();
  while (scm.state() != state::stopped && scm.deliver_always(last) == 1061) {
    if (waiting::steady::now() >= deadline) return "the control handler did not accept the last control";
    std::this_thread::yield();
  }
  const std::uint32_t code = scm.wait();

  // The hooks here are fast. A longer sequence has reached the limit of a stop (20 s) or of a start (30 s).
  if (waiting::steady::now() - start > waiting::scaled(15s)) return "the service took more than 15 s";
  const auto violations = scm.violations();
  if (!violations.empty()) return "violation: " + violations[0];
  if (code != 0 && !s.may_fail()) return "exit code " + std::to_string(code) + " without a failure";
  if (counts.opened != counts.closed)
    return "opened " + std::to_string(counts.opened) + ", closed " + std::to_string(counts.closed);
  return {};
}

}  // namespace

TEST_CASE("no sequence of controls causes a violation") {
  play_seeds({"WINSVC_SEQUENCES", 500, 8}, play);
}
