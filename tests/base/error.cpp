// The one line that a tired person reads.
#include "winsvc/base/error.hpp"

#include <doctest/doctest.h>

#include <type_traits>

using winsvc::error;

TEST_CASE("an error is one sentence: what we were doing, to what, what was said, what to try") {
  struct row { error what; const char* sentence; };
  const row rows[] = {
      {{5, "install", "hello", "access denied", "run from an elevated prompt"},
       "install 'hello': access denied (5); run from an elevated prompt"},
      {{1053, "start", "hello", "no response", ""}, "start 'hello': no response (1053)"},
      {{0, "read", "app.ini", "line 3 is no setting", ""}, "read 'app.ini': line 3 is no setting"},
      {{2, "stop", "", "the file was not found", "check the path"}, "stop: the file was not found (2); check the path"},
      {{0, "", "", "unknown verb 'x'", "'help' lists the verbs"}, "unknown verb 'x'; 'help' lists the verbs"},
      {{0, "", "hello", "it is empty", ""}, "'hello': it is empty"},
      {{7, "open", "a b", "", ""}, "open 'a b' (7)"},
      {{5, "start", "hello", "refused (5), it said", ""}, "start 'hello': refused (5), it said"},
  };
  for (const auto& r : rows) CHECK(r.what.to_string() == r.sentence);
}

TEST_CASE("a part that is empty takes its punctuation with it, wherever it stood") {
  CHECK(error{}.to_string().empty());
  CHECK(error{5, "", "", "", ""}.to_string() == "(5)");
  CHECK(error{0, "", "", "", "try again"}.to_string() == "try again");
  CHECK(error{5, "", "", "", "try again"}.to_string() == "(5); try again");
}

TEST_CASE("a mistake of the programmer is a logic_error with its text") {
  static_assert(std::is_base_of_v<std::logic_error, winsvc::setup_error>);
  try {
    throw winsvc::setup_error("two routes for GET /users");
  } catch (const std::exception& e) {
    CHECK(std::string(e.what()) == "two routes for GET /users");
  }
}
