// Control tasks: the queue between the control handler and the service thread.
#include "winsvc/host/control_tasks.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
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
