// Where a call was written.
#include "winsvc/base/source.hpp"

#include <doctest/doctest.h>

using winsvc::source;

namespace {
source registered(source where = source::here()) { return where; }
}  // namespace

TEST_CASE("a defaulted source is the caller's line, not that of the function that declares it") {
  const int before = __LINE__;
  const source where = registered();
  CHECK(where.line == before + 1);
  CHECK(where.text() == "source.cpp:" + std::to_string(before + 1));
}

TEST_CASE("the text is the file's last component, whichever slash was used") {
  CHECK(source{"main.cpp", 12}.text() == "main.cpp:12");
  CHECK(source{"/home/me/src/main.cpp", 12}.text() == "main.cpp:12");
  CHECK(source{"C:\\src\\main.cpp", 12}.text() == "main.cpp:12");
  CHECK(source{"C:\\src/sub/main.cpp", 12}.text() == "main.cpp:12");
  CHECK(source{}.text() == ":0");
}
