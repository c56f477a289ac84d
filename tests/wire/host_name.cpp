// Host names of requests.
#include "winsvc/wire/host_name.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::wire;

TEST_CASE("the host of a field has no port, no brackets and no final dot") {
  CHECK(host_of("hello.example:8080") == "hello.example");
  CHECK(host_of("hello.example") == "hello.example");
  CHECK(host_of("localhost.:80") == "localhost");
  CHECK(host_of("[::1]:80") == "::1");
  CHECK(host_of("[::1]") == "::1");
  for (const char* malformed : {"", ":80", "[::1", "[::1]80", "[127.0.0.1]", "[]"}) {
    CAPTURE(malformed);
    CHECK(host_of(malformed).empty());
  }
}

TEST_CASE("the loopback names are localhost, 127.0.0.0/8 and ::1") {
  for (const char* host : {"localhost", "LocalHost", "127.0.0.1", "127.255.1.2", "::1", "0:0:0:0:0:0:0:1",
                           "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host : {"", "localhost.example", "127.0.0.1.example", "127.1", "128.0.0.1", "0.0.0.0", "::", "::2",
                           "2130706433", "0x7f000001"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback_host(host));
  }
}

TEST_CASE("a host is allowed if it is a loopback name or matches one of the names") {
  const std::vector<std::string> names = {"Hello.Example", "*.internal", "192.0.2.7", "2001:db8::1"};
  for (const char* field : {"localhost:1", "[::1]", "hello.example", "HELLO.example:443", "a.internal",
                            "a.b.internal:1", "192.0.2.7:80", "[2001:db8::1]:80"}) {
    CAPTURE(field);
    CHECK(is_allowed_host(field, names));
  }
  for (const char* field : {"evil.example", "evilhello.example", "hello.example.evil", "internal", "evilinternal",
                            "192.0.2.8", "", "[2001:db8::2]", ":80", "hello.example@evil"}) {
    CAPTURE(field);
    CHECK_FALSE(is_allowed_host(field, names));
  }
  CHECK(is_allowed_host("evil.example", {"*"}));
  CHECK_FALSE(is_allowed_host("evil.example", {}));
}
