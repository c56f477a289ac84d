// What codes mean to the person who meets them.
#include "winsvc/model/codes.hpp"

#include <doctest/doctest.h>

#include <iterator>

using namespace winsvc::model;

TEST_CASE("the table is in the order of its codes, each once") {
  for (std::size_t i = 1; i < std::size(explanations); ++i) {
    CAPTURE(explanations[i].code);
    CHECK(explanations[i - 1].code < explanations[i].code);
  }
}

TEST_CASE("every code that a person meets has words, and a remedy where there is one") {
  struct row { std::uint32_t code; bool remedy; };
  const row rows[] = {
      {5, true},     {1051, true},  {1053, true},  {1056, false}, {1058, true},  {1060, true},  {1061, true},
      {1062, false}, {1063, true},  {1064, true},  {1066, true},  {1067, true},  {1068, true},  {1069, true},
      {1072, true},  {1073, false}, {1077, false}, {1078, true},  {1460, true},  {10013, true}, {10048, true},
      {10049, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.code);
    const explanation* e = explain(r.code);
    REQUIRE(e != nullptr);
    CHECK_FALSE(e->said.empty());
    if (r.remedy) CHECK_FALSE(e->hint.empty());
  }
}

TEST_CASE("words and remedies are parts of a sentence: no capital at the front, no dot at the end, one line") {
  for (const auto& e : explanations) {
    for (const std::string_view part : {e.said, e.hint}) {
      if (part.empty()) continue;
      CAPTURE(e.code);
      CHECK_FALSE((part.front() >= 'A' && part.front() <= 'Z'));
      CHECK(part.back() != '.');
      CHECK(part.back() != ' ');
      CHECK(part.front() != ' ');
      CHECK(part.find('\n') == std::string_view::npos);
    }
  }
}

TEST_CASE("a known code gets our words, an unknown one the system's") {
  CHECK(explained(5, "install", "hello", "Zugriff verweigert").sentence() ==
        "install 'hello': access denied (5); run from an elevated prompt");
  CHECK(explained(4711, "install", "hello", "the stars are wrong").sentence() ==
        "install 'hello': the stars are wrong (4711)");
  CHECK(explained(4711, "install", "hello").sentence() == "install 'hello' (4711)");
  CHECK(explain(0) == nullptr);
  CHECK(explain(0xFFFFFFFF) == nullptr);
  static_assert(explain(1072)->code == 1072);
}

TEST_CASE("the exit codes of status and of a usage error are none of the system codes that verbs end with") {
  CHECK(exits::ok == 0);
  CHECK(exits::usage == 2);
  CHECK(exits::not_running == 3);
  CHECK(exits::not_installed == 4);
}

TEST_CASE("names of codes have Win32's numbers") {
  CHECK(code::access_denied == 5);
  CHECK(code::service_request_timeout == 1053);
  CHECK(code::service_does_not_exist == 1060);
  CHECK(code::service_not_active == 1062);
  CHECK(code::failed_controller_connect == 1063);
  CHECK(code::service_marked_for_delete == 1072);
  CHECK(code::service_exists == 1073);
  CHECK(code::address_in_use == 10048);
  CHECK(code::access_to_address == 10013);
  CHECK(code::address_not_available == 10049);
}
