// Tests of error::to_string and setup_error.
#include "winsvc/base/error.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <type_traits>

using winsvc::error;

TEST_CASE("an error is one line: operation, subject, message, code, hint") {
  struct row { error value; const char* text; };
  const row rows[] = {
      {{5, "install", "hello", "access denied", "run from an elevated prompt"},
       "install 'hello': access denied (5); run from an elevated prompt"},
      {{1053, "start", "hello", "no response", ""}, "start 'hello': no response (1053)"},
      {{0, "read", "app.ini", "line 3 is not a setting", ""}, "read 'app.ini': line 3 is not a setting"},
      {{2, "stop", "", "the file was not found", "check the path"}, "stop: the file was not found (2); check the path"},
      {{0, "", "", "unknown verb 'x'", "'help' lists the verbs"}, "unknown verb 'x'; 'help' lists the verbs"},
      {{0, "", "hello", "it is empty", ""}, "'hello': it is empty"},
      {{7, "open", "a b", "", ""}, "open 'a b' (7)"},
      {{5, "start", "hello", "refused (5) by the system", ""}, "start 'hello': refused (5) by the system"},
  };
  for (const auto& r : rows) CHECK(r.value.to_string() == r.text);
}

TEST_CASE("an empty part is omitted with its punctuation") {
  CHECK(error{}.to_string().empty());
  CHECK(error{5, "", "", "", ""}.to_string() == "(5)");
  CHECK(error{0, "", "", "", "try again"}.to_string() == "try again");
  CHECK(error{5, "", "", "", "try again"}.to_string() == "(5); try again");
}

TEST_CASE("setup_error is a std::logic_error with its text") {
  static_assert(std::is_base_of_v<std::logic_error, winsvc::setup_error>);
  try {
    throw winsvc::setup_error("two routes for GET /users");
  } catch (const std::exception& e) {
    CHECK(std::string(e.what()) == "two routes for GET /users");
  }
}

TEST_CASE("the text of the handled exception is known for any type of exception") {
  const auto text_of = [](auto thrown) {
    try {
      throw thrown;
    } catch (...) {
      return winsvc::detail::base::exception_message();
    }
  };

  CHECK(text_of(std::runtime_error("the disk is full")) == "the disk is full");
  CHECK(text_of(7) == "unknown exception (not derived from std::exception)");
}

TEST_CASE("an error of the command line or of the app has no code, and names its origin") {
  const error usage = winsvc::detail::base::usage_error("unknown verb 'x'", "'help' lists the verbs");
  CHECK(usage.code == 0);
  CHECK(usage.origin == error::origin_kind::command_line);
  CHECK(usage.to_string() == "unknown verb 'x'; 'help' lists the verbs");
  CHECK(winsvc::detail::base::usage_error("text").hint.empty());
  const error app = winsvc::detail::base::app_error("two routes for GET /users");
  CHECK(app.code == 0);
  CHECK(app.origin == error::origin_kind::app);
  CHECK(app.to_string() == "two routes for GET /users");
  CHECK(error{}.code == 0);
  CHECK(error{}.origin == error::origin_kind::system);
}
