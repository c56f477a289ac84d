// Tests of the check of an origin.
#include "winsvc/wire/origin.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::detail::wire::is_allowed_origin;

TEST_CASE("pages of the service and of the allowed origins may connect") {
  const std::vector<std::string> no_origins, listed{"https://app.example"}, any{"*"};
  CHECK(is_allowed_origin("http://a.example", "a.example", no_origins));
  CHECK(is_allowed_origin("https://A.example", "a.example", no_origins));
  CHECK(is_allowed_origin("http://a.example", "a.example:80", no_origins));
  CHECK(is_allowed_origin("https://a.example:443", "a.example", no_origins));
  CHECK(is_allowed_origin("http://127.0.0.1:8080", "127.0.0.1:8080", no_origins));
  CHECK(is_allowed_origin("http://[::1]:8080", "[::1]:8080", no_origins));
  CHECK_FALSE(is_allowed_origin("http://a.example:81", "a.example", no_origins));
  CHECK_FALSE(is_allowed_origin("http://b.example", "a.example", no_origins));
  CHECK_FALSE(is_allowed_origin("http://a.example.evil", "a.example", no_origins));
  CHECK_FALSE(is_allowed_origin("null", "null", no_origins));
  CHECK_FALSE(is_allowed_origin("http://", "", no_origins));
  CHECK(is_allowed_origin("https://app.example", "a.example", listed));
  CHECK_FALSE(is_allowed_origin("https://app.example:444", "a.example", listed));
  CHECK(is_allowed_origin("null", "a.example", any));
}
