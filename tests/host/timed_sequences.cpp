// Random sequences of controls with time: hooks take seconds or hang, requests are in flight, calls are rejected. The
// clock of the service is 20 times faster than real time. The rules of testing/status_rules.hpp and
// testing/control_rules.hpp decide, and what the shape of the service predicts; not the tables of scm/.
//
// WINSVC_TIMED_SEQUENCES is the number of sequences (default 60), WINSVC_SEED the first seed, as in sequences.cpp.
#include <winsvc/testing.hpp>

#include "../support/fast_clock.hpp"
#include "../support/wait.hpp"
#include "seeds.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using winsvc::service;
using winsvc::start_context;
using winsvc::stop_context;
using winsvc::stop_source;
using winsvc::detail::scm::control;
using winsvc::detail::scm::state;
using winsvc::testing::simulated_scm;

namespace {

constexpr int clock_factor = 20;
constexpr auto hook_limit = 6s;  // of a start and of a stop; a slow hook takes up to 3 s

enum class action { quick, slow, progress, throws, hangs };

struct hook_plan {
  action kind = action::quick;
  std::chrono::milliseconds duration{0};
};

struct timed_shape {
  std::vector<hook_plan> start, stop, pause, resume, session;
  bool has_request = false, has_data_folder = false, stops_while_starting = false, worker_fails = false;
  std::chrono::milliseconds request_time{0};
};

unsigned below(std::mt19937_64& random, unsigned n) { return static_cast<unsigned>(random() % n); }
std::chrono::milliseconds up_to(std::mt19937_64& random, std::chrono::milliseconds limit) {
  return std::chrono::milliseconds(below(random, static_cast<unsigned>(limit.count())));
}

std::vector<hook_plan> plan_hooks(std::mt19937_64& random, unsigned max_count, unsigned throws_once_in) {
  std::vector<hook_plan> plans(below(random, max_count + 1));
  for (auto& plan : plans) {
    plan.kind = below(random, throws_once_in) == 0 ? action::throws
                : below(random, 2) == 0            ? action::slow
                : below(random, 4) == 0            ? action::progress
                                                   : action::quick;
    plan.duration = up_to(random, 3s);
  }
  return plans;
}

timed_shape shape_of(std::mt19937_64& random) {
  timed_shape s;
  s.start = plan_hooks(random, 2, 20);
  s.stop = plan_hooks(random, 2, 8);
  s.pause = plan_hooks(random, 2, 6);
  s.resume = plan_hooks(random, 2, 6);
  s.session = plan_hooks(random, 5, 6);
  s.has_request = below(random, 2) == 0;
  s.request_time = up_to(random, 3s);
  s.has_data_folder = below(random, 8) != 0;
  s.stops_while_starting = below(random, 6) == 0;
  s.worker_fails = below(random, 12) == 0;
  std::vector<hook_plan>* const lists[] = {&s.start, &s.stop, &s.pause, &s.resume, &s.session};
  auto& hanging = *lists[below(random, 5)];
  if (below(random, 6) == 0 && !hanging.empty()) hanging.back().kind = action::hangs;
  return s;
}

bool has(const std::vector<hook_plan>& plans, action kind) {
  return std::any_of(plans.begin(), plans.end(), [kind](const auto& plan) { return plan.kind == kind; });
}

/// The state of one sequence. Shared with hooks that were abandoned.
struct run_state {
  fast_clock time{clock_factor};
  stop_source release;
  std::atomic<int> opened{0}, closed{0}, hanging{0};

  template <class Context>
  void run(const hook_plan& plan, Context* context) {
    if (plan.kind == action::throws) throw std::runtime_error("random failure");
    if (plan.kind == action::slow) time.pass(plan.duration);
    for (int i = 0; plan.kind == action::progress && context && i < 4; ++i) {  // longer than the limit in all
      time.pass(2500ms);
      context->progress("a step");
    }
    if (plan.kind == action::hangs) {
      ++hanging;
      waiting::wait_for_stop(release, "the release of a hanging hook");
      --hanging;
    }
  }
};

auto app_of(const timed_shape& s, const std::shared_ptr<run_state>& run) {
  return [s, run](service& svc) {
    svc.start_limit(hook_limit).stop_limit(hook_limit);
    svc.get("/slow", [run, duration = s.request_time] {
      run->time.pass(duration);
      return "done";
    });
    for (const auto& plan : s.start) {
      svc.on_start([run, plan](start_context& context) {
        run->run(plan, &context);
        ++run->opened;
        return [run] { ++run->closed; };
      });
    }
    for (const auto& plan : s.stop) svc.on_stop([run, plan](stop_context& context) { run->run(plan, &context); });
    for (const auto& plan : s.pause) svc.on_pause([run, plan](stop_context& context) { run->run(plan, &context); });
    for (const auto& plan : s.resume) svc.on_continue([run, plan](stop_context& context) { run->run(plan, &context); });
    for (const auto& plan : s.session) {
      svc.on_session_change([run, plan](const auto&) { run->run(plan, static_cast<stop_context*>(nullptr)); });
    }
    if (s.worker_fails) {
      svc.worker("w", [run](winsvc::stop_token stop) {
        if (!stop.wait_for(100ms)) throw std::runtime_error("random failure");
      });
    }
  };
}

void send_controls(simulated_scm& scm, const run_state& run, std::mt19937_64& random) {
  constexpr std::uint32_t numbers[] = {2, 2, 3, 3, 14, 14, 14, 4, 6, 99};
  for (unsigned count = below(random, 8); count > 0; --count) {
    const std::uint32_t number = numbers[below(random, 10)];
    const winsvc::detail::scm::control_event event{number, 7, 1, {}, {}};
    const std::uint32_t result = below(random, 6) == 0 ? scm.deliver_always(event) : scm.control(event);
    static_cast<void>(result);  // 1052 and 1061 are expected: the SCM rejects controls
    if (below(random, 3) == 0) run.time.pass(up_to(random, 2s));
  }
}

/// Returns the first problem, or "".
std::string play(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const timed_shape s = shape_of(random);
  const auto run = std::make_shared<run_state>();
  const auto app = app_of(s, run);
  simulated_scm scm;
  scm.time = &run->time;
  if (!s.has_data_folder) scm.fail_with["data_folder"] = 5;

  if (s.stops_while_starting) scm.start_async(app);
  else scm.start(app);
  std::optional<waiting::scoped_thread> client;
  if (s.has_request && !s.stops_while_starting && scm.state() == state::running) {
    const std::string url = scm.url();
    client.emplace("the client", [url] {
      const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
      auto socket = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
      const std::string request = "GET /slow HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
      char buffer[4096];
      std::size_t received = 0;
      if (socket) static_cast<void>(socket->send(request.data(), request.size(), waiting::limit()));
      if (socket) static_cast<void>(socket->receive(buffer, sizeof buffer, received, waiting::limit()));
    });
  }
  send_controls(scm, *run, random);
  waiting::wait_until([&] { return scm.state() == state::stopped || scm.deliver_always(control::stop) != 1061; },
                      "the control handler");
  const std::uint32_t code = scm.wait();
  const bool hung = run->hanging != 0;
  if (client) client->join();
  run->release.request_stop();
  waiting::wait_until([&] { return run->hanging == 0; }, "the abandoned hook to return");
  if (hung) std::this_thread::sleep_for(20ms);  // the thread of the hook leaves the hook

  auto violations = scm.violations();
  const auto end = std::remove_if(violations.begin(), violations.end(), [&](const std::string& text) {
    return hung && text == "a hook, handler or worker did not return; the host would end the process";
  });
  violations.erase(end, violations.end());
  if (!violations.empty()) return "violation: " + violations[0];
  if (scm.state() != state::stopped) return "the service did not stop";
  const bool may_fail = has(s.start, action::throws) || s.worker_fails || hung;
  if (code != 0 && !may_fail) return "exit code " + std::to_string(code) + " without a failure";
  if (!hung && run->opened != run->closed) return "a started part was not cleaned up";
  return {};
}

}  // namespace

TEST_CASE("no sequence of controls with slow and hanging hooks and requests in flight causes a violation") {
  play_seeds({"WINSVC_TIMED_SEQUENCES", 60, 4}, [](std::uint64_t seed) {
    std::string failure = play(seed);
    // On this clock a machine that stops for 250 ms stops for 5 s. A fault of the service repeats.
    if (failure.find("wait hint") != std::string::npos || failure.find("followed within") != std::string::npos)
      failure = play(seed);
    return failure;
  });
}
