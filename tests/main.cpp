// The main file of every doctest program: the only translation unit that holds doctest itself.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cstdio>

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

}  // namespace
