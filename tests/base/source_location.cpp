// Where a call was written.
#include "winsvc/base/source_location.hpp"

#include <doctest/doctest.h>

using winsvc::source_location;

namespace {
source_location registered(source_location location = source_location::current()) { return location; }
}  // namespace

TEST_CASE("a defaulted source is the caller's line, not that of the function that declares it") {
  const int before = __LINE__;
  const source_location location = registered();
  CHECK(location.line == before + 1);
  CHECK(location.to_string() == "source_location.cpp:" + std::to_string(before + 1));
}

TEST_CASE("the text is the file's last component, whichever slash was used") {
  CHECK(source_location{"main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"/home/me/src/main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"C:\\src\\main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{"C:\\src/sub/main.cpp", 12}.to_string() == "main.cpp:12");
  CHECK(source_location{}.to_string() == ":0");
}
