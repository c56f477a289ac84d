// Tests of the time limits of bodies and responses.
#include "winsvc/wire/limits.hpp"

#include <doctest/doctest.h>

#include <chrono>

using winsvc::detail::wire::limits;
using namespace std::chrono_literals;

TEST_CASE("a body and a response have a base time and the time at the minimum rate") {
  limits l;
  l.body_timeout = 20s;
  l.body_bytes_per_second = 1024;
  l.write_timeout = 5s;
  l.response_bytes_per_second = 2048;
  CHECK(l.body_deadline(0) == 20s);
  CHECK(l.body_deadline(512) == 20s + 500ms);
  CHECK(l.body_deadline(1024 * 1024) == 20s + 1024s);
  CHECK(l.response_deadline(0) == 5s);
  CHECK(l.response_deadline(1024) == 5s + 500ms);
}

TEST_CASE("a minimum rate of 0 counts as 1 byte per second") {
  limits l;
  l.body_timeout = 20s;
  l.body_bytes_per_second = 0;
  CHECK(l.body_deadline(3) == 23s);
  l.body_bytes_per_second = 1;
  CHECK(l.body_deadline(3) == 23s);
}
