// The main function of each doctest program: the only translation unit that contains the implementation of doctest.
//
// Each test case has a deadline. A join that never returns cannot be interrupted, so the program prints the name of the
// test case and ends with exit code 3. Without the deadline, a hang would end the shard (tests/shards.py), and no
// message would name the test case. The limit is 120 s, with a sanitizer 180 s, which is longer than each wait of
// support/wait.hpp. WINSVC_TEST_TIMEOUT_FACTOR multiplies it. `doctest::timeout` sets the limit of one test case.
// mingw frees the memory of a thread_local object before it calls the destructor, which corrupts the heap. doctest has
// such objects, of a thread that prints a message; here all threads share them.
#ifdef __MINGW32__
  #define DOCTEST_THREAD_LOCAL
#endif
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  #define WITH_SANITIZER
#elif defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define WITH_SANITIZER
  #endif
#endif

#if defined(__has_feature)
  #if __has_feature(thread_sanitizer)
/// The children of some tests create threads after a fork, which this sanitizer does not allow by default.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
  #endif
#endif

namespace {

/// Prints a line when a test case starts. If the program hangs or crashes, tests/shards.py reports the last line. Used
/// with `--reporters=console,announce`.
struct announce : doctest::IReporter {
  explicit announce(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& test) override {
    std::printf("[case] %s:%u: %s\n", test.m_file.c_str(), test.m_line, test.m_name);
    std::fflush(stdout);
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_REPORTER("announce", 1, announce);

#ifdef WITH_SANITIZER
constexpr double default_limit_seconds = 180;
#else
constexpr double default_limit_seconds = 120;
#endif

/// Ends the program if a test case does not end. Its thread waits without polling.
class case_deadline final : public doctest::IReporter {
 public:
  explicit case_deadline(const doctest::ContextOptions&) {}
  ~case_deadline() override { end(); }

  void test_run_start() override {
    thread_ = std::thread([this] { watch(); });
  }
  void test_run_end(const doctest::TestRunStats&) override { end(); }
  void test_case_start(const doctest::TestCaseData& test) override {
    const char* const given = std::getenv("WINSVC_TEST_TIMEOUT_FACTOR");
    const double timeout_factor = given && std::atof(given) > 0 ? std::atof(given) : 1;
    begin(test.m_name, test.m_timeout > 0 ? test.m_timeout : default_limit_seconds * timeout_factor);
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override { clear(); }
  void report_query(const doctest::QueryData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  using steady = std::chrono::steady_clock;
  static constexpr auto never = (steady::time_point::max)();

  void begin(const char* name, double seconds) {
    const std::lock_guard lock(mutex_);
    name_ = name;
    seconds_ = seconds;
    deadline_ = steady::now() + std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
    changed_.notify_all();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    deadline_ = never;
    changed_.notify_all();
  }
  void end() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void watch() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (deadline_ == never) changed_.wait(lock);
      else changed_.wait_until(lock, deadline_);
      if (!stopping_ && deadline_ != never && steady::now() >= deadline_) end_program();
    }
  }
  void end_program() const {
    std::cout.flush();
    std::printf("\nTEST CASE:  %s\n\nFATAL ERROR: the test case did not end within %.0f s; the test program ends\n",
                name_.c_str(), seconds_);
    std::fflush(stdout);
    std::_Exit(3);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string name_;
  double seconds_ = 0;
  steady::time_point deadline_ = never;
  bool stopping_ = false;
  std::thread thread_;
};

DOCTEST_REGISTER_LISTENER("case_deadline", 1, case_deadline);

}  // namespace
