// Printing, and being interrupted.
#include "winsvc/base/scope.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

using namespace winsvc;

namespace {

/// Counts, and lets a test wait for a count.
class counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(int n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_ >= n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

TEST_CASE("printing nothing is no harm, and a program that prints knows it has somebody to print to") {
  os::write_out("");
  os::write_err("");
  CHECK(os::has_standard_output());
  if (os::out_is_terminal()) CHECK(os::has_standard_output());
}

TEST_CASE("a guard against interrupts comes and goes, any number of times") {
  counter calls;
  for (int i = 0; i < 5; ++i) {
    const os::interrupts guard([&calls] { calls.add(); });
  }
}

#if !defined(_WIN32)

TEST_CASE("Ctrl-C, a terminate and a hang-up are calls from a thread of its own, as often as they come") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    counter calls;
    std::atomic<bool> elsewhere{true};
    const auto here = std::this_thread::get_id();
    const os::interrupts guard([&] {
      if (std::this_thread::get_id() == here) elsewhere = false;
      calls.add();
    });

    ::raise(signal);
    CHECK(calls.reaches(1));
    ::raise(signal);

    CHECK(calls.reaches(2));
    CHECK(elsewhere.load());
  }
}

TEST_CASE("what handled the signals before handles them afterwards") {
  static std::atomic<int> seen{0};
  struct sigaction mine = {}, before[2] = {};
  mine.sa_handler = [](int) { ++seen; };
  const int signals[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &mine, &before[i]);
  const scope_exit restore([&] {
    for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &before[i], nullptr);
  });

  counter calls;
  {
    const os::interrupts guard([&calls] { calls.add(); });
    ::raise(SIGTERM);
    CHECK(calls.reaches(1));
  }
  CHECK(seen.load() == 0);
  ::raise(SIGTERM);
  ::raise(SIGINT);

  CHECK(seen.load() == 2);
}

TEST_CASE("a signal that came just before the end is not lost") {
  for (int i = 0; i < 20; ++i) {
    counter calls;
    {
      const os::interrupts guard([&calls] { calls.add(); });
      ::raise(SIGINT);
    }
    CHECK(calls.reaches(1));
  }
}

TEST_CASE("a handler does not disturb the errno of the code it interrupts") {
  counter calls;
  const os::interrupts guard([&calls] { calls.add(); });
  errno = 4711;
  ::raise(SIGINT);
  CHECK(errno == 4711);
  CHECK(calls.reaches(1));
}

#endif
