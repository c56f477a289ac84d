// Where every doctest program begins: the only translation unit that holds doctest itself.
//
// Each test case has a deadline. A join that never returns cannot be interrupted, so the program ends then: it prints
// the name of the test case and exits with code 3. Without this, a hang would cost its shard (tests/shards.py)
// and nothing would name the line that waits. The limit is 120 s, with a sanitizer 180 s, which is longer than each wait of
// support/wait.hpp. WINSVC_TEST_TIMEOUT_FACTOR multiplies it. `doctest::timeout` sets the limit of one test case.
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

namespace {

/// Prints a line when a test case starts: if the program hangs or crashes, tests/shards.py reports the last one. Used with
/// `--reporters=console,announce`.
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
constexpr double seconds_for_each_case = 180;
#else
constexpr double seconds_for_each_case = 120;
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
    begin(test.m_name, test.m_timeout > 0 ? test.m_timeout : seconds_for_each_case * timeout_factor);
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
    until_ = steady::now() + std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
    changed_.notify_all();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    until_ = never;
    changed_.notify_all();
  }
  void end() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  void watch() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      if (until_ == never) changed_.wait(lock);
      else changed_.wait_until(lock, until_);
      if (!over_ && until_ != never && steady::now() >= until_) give_up();
    }
  }
  void give_up() const {
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
  steady::time_point until_ = never;
  bool over_ = false;
  std::thread thread_;
};

DOCTEST_REGISTER_LISTENER("case_deadline", 1, case_deadline);

}  // namespace
