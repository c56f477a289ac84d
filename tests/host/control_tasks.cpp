// Control tasks: the queue between the control handler and the service thread, and a shortage of memory or threads.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

namespace scm = winsvc::detail::scm;
using winsvc::detail::host::control_task_queue;
using winsvc::detail::host::pending_result;
using namespace std::chrono_literals;

TEST_CASE("the tasks are returned in the order of the controls") {
  control_task_queue queue;
  queue.push({{scm::control_action::pause, {}, nullptr}});
  queue.push({{scm::control_action::resume, {}, nullptr}});

  const auto never = [] { return false; };
  CHECK(queue.wait(never)->action == scm::control_action::pause);
  CHECK(queue.wait(never)->action == scm::control_action::resume);
}

TEST_CASE("a stop ends the wait, also if tasks are left") {
  control_task_queue queue;
  std::atomic<bool> is_stopping{false};
  std::thread stopper([&] {
    is_stopping = true;
    queue.wake();
  });
  CHECK_FALSE(queue.wait([&] { return is_stopping.load(); }));
  stopper.join();

  queue.push({{scm::control_action::pause, {}, nullptr}});
  CHECK_FALSE(queue.wait([&] { return is_stopping.load(); }));
}

TEST_CASE("a rejected custom control receives the code") {
  control_task_queue queue;
  const auto result = std::make_shared<pending_result>();
  queue.push({{scm::control_action::custom, {}, result}});
  queue.push({{scm::control_action::pause, {}, nullptr}});

  queue.reject_all(1061);

  CHECK(result->wait(0ms, 997) == 1061);
}

TEST_CASE("without memory for a task, a control that needs none has its usual result, and the others are rejected") {
  winsvc::detail::host::status_reporter reporter{{}};
  scm::handled_controls hooks;
  hooks.pause_continue = true;
  hooks.custom.set(200 - 128);
  reporter.set_handled_controls(hooks);
  REQUIRE(reporter.apply(scm::lifecycle_event::start, 1s));
  REQUIRE(reporter.apply(scm::lifecycle_event::ready));
  const auto code_of = [&](scm::control number) {
    return reporter.handle_control(static_cast<std::uint32_t>(number), 1s, false).return_code;
  };

  CHECK(code_of(scm::control::interrogate) == 0);
  CHECK(code_of(scm::control::continue_control) == 0);  // runs already
  CHECK(code_of(scm::control::time_change) == 120);
  CHECK(code_of(scm::control::pause) == 8);
  CHECK(code_of(static_cast<scm::control>(200)) == 8);
  CHECK(reporter.state() == scm::state::running);
  CHECK(code_of(scm::control::stop) == 0);
  CHECK(reporter.state() == scm::state::stop_pending);
}

TEST_CASE("a custom control whose hook cannot be run is logged with the reason, and its sender gets the result") {
  winsvc::detail::host::service_definition definition;
  const auto sink = std::make_shared<log_support::memory_sink>();
  definition.log.add_sink(sink);
  definition.stop_limit = 10ms;
  const auto release = std::make_shared<winsvc::stop_source>();  // shared: the hook thread is abandoned
  const auto has_ended = std::make_shared<std::atomic<bool>>(false);
  definition.control_hooks.push_back({200, winsvc::source_location::current(), [release, has_ended](std::uint32_t) {
    waiting::wait_for_stop(*release, "the release of the hook");
    *has_ended = true;
    return std::uint32_t{0};
  }});
  winsvc::detail::host::status_reporter reporter{{}};
  // The exception has the place of one that the start of the hook thread throws.
  winsvc::detail::host::hook_runner hooks(definition, reporter, [](const auto&, const auto&, auto) {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "no thread");
  });
  winsvc::detail::server::engine engine(definition.router, definition.limits, definition.log);
  winsvc::detail::host::control_task_runner runner(definition, reporter, hooks, engine, {}, [] { return 1'000ms; });
  winsvc::detail::host::control_task task;
  task.action = scm::control_action::custom;
  task.event.control = 200;
  task.result = std::make_shared<pending_result>();

  runner.run_task(task);

  CHECK(task.result->wait(0ms, 997) == 8);
  CHECK(definition.last_control_results.last(200).count == 1);
  CHECK(definition.last_control_results.last(200).code == 8);
  CHECK(sink->contains("control 200: no thread"));
  release->request_stop();
  waiting::wait_until([&] { return has_ended->load(); }, "the hook to end");
}
