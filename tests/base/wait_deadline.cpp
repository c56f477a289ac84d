#include "winsvc/base/wait_deadline.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

using namespace std::chrono_literals;
using winsvc::detail::base::wait_deadline;

namespace {

/// A clock that only the test advances.
struct set_clock final : winsvc::clock {
  std::atomic<duration> since_start{0ns};
  [[nodiscard]] time_point now() const noexcept override { return time_point(24h) + since_start.load(); }
};

}  // namespace

TEST_CASE("a deadline passes when the clock reaches it, also if no real time has passed") {
  set_clock time;
  wait_deadline deadline(time, 1h);
  CHECK_FALSE(deadline.has_passed());
  time.since_start = 59min;
  CHECK(deadline.remaining() == 1min);
  CHECK(deadline.next_wait() <= 5ms);
  time.since_start = 1h;
  CHECK(deadline.has_passed());
  CHECK(deadline.remaining() == 0ms);
}

TEST_CASE("a deadline passes when real time reaches it, also if the clock does not advance") {
  const set_clock time;
  const wait_deadline deadline(time, 30ms);
  CHECK_FALSE(wait_deadline(time, 1h).has_passed());
  waiting::wait_until([&] { return deadline.has_passed(); }, "the deadline to pass");
  CHECK(time.since_start.load() == 0ns);
}

TEST_CASE("a deadline of the system's clock waits for all of its time at once") {
  const wait_deadline deadline(winsvc::clock::system(), 1h);
  CHECK(deadline.next_wait() > 59min);
  CHECK(deadline.next_wait() <= 1h);
  CHECK(wait_deadline(winsvc::clock::system(), 0ms).has_passed());
  CHECK(wait_deadline(winsvc::clock::system(), -1s).remaining() == 0ms);
}

TEST_CASE("a deadline can only be moved to an earlier time") {
  set_clock time;
  wait_deadline deadline(time, 1h);
  deadline.shorten(2h);
  CHECK(deadline.remaining() <= 1h);
  deadline.shorten(1min);
  CHECK(deadline.remaining() <= 1min);
  CHECK(deadline.remaining() > 1s);
  time.since_start = 1min;
  CHECK(deadline.has_passed());
  wait_deadline real(time, 1h);
  real.shorten(20ms);  // the clock does not advance, and real time passes
  waiting::wait_until([&] { return real.has_passed(); }, "the deadline to pass");
}

TEST_CASE("a wait for another thread ends soon after the clock was advanced, and at once if it is notified") {
  set_clock time;
  std::mutex mutex;
  std::condition_variable changed;
  const wait_deadline deadline(time, 1h);
  waiting::scoped_thread advances("the clock to be advanced", [&] { time.since_start = 1h; });
  {
    std::unique_lock lock(mutex);
    while (!deadline.has_passed()) deadline.wait(changed, lock);
  }
  const wait_deadline real(winsvc::clock::system(), 1h);
  bool notified = false;
  waiting::scoped_thread notifies("the notification", [&] {
    const std::lock_guard lock(mutex);
    notified = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  while (!notified && !real.has_passed()) real.wait(changed, lock);
  CHECK_FALSE(real.has_passed());
}

TEST_CASE("a wait that is not notified lasts until the deadline") {
  std::mutex mutex;
  std::condition_variable changed;
  std::unique_lock lock(mutex);
  const wait_deadline deadline(winsvc::clock::system(), 30ms);
  int waits = 0;
  for (; !deadline.has_passed() && waits < 1000; ++waits) deadline.wait(changed, lock);
  CHECK(waits < 100);  // remaining() is in milliseconds, and a condition variable may wake early
}
