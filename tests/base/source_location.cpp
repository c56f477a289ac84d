// Tests of source_location.
#include "winsvc/base/source_location.hpp"

#include <doctest/doctest.h>

using winsvc::source_location;

namespace {
source_location location_of_call(source_location location = source_location::current()) { return location; }
}  // namespace

TEST_CASE("a defaulted argument has the location of the caller, not of the called function") {
  const int before = __LINE__;
  const source_location location = location_of_call();
  CHECK(location.line == before + 1);
  CHECK(location.to_string() == "source_location.cpp:" + std::to_string(before + 1));
}

TEST_CASE("the text has the file name without its folder, for both kinds of slash") {
  CHECK(source_location{"main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"/home/me/src/main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"C:\\src\\main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"C:\\src/sub/main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{}.to_string() == ":0");
}
