// Tests of cookies and signed values.
#include "winsvc/wire/cookie.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace std::chrono_literals;
using winsvc::cookie;
using winsvc::setup_error;
using winsvc::sign;
using winsvc::unsign;
using winsvc::detail::wire::cookie_in;
using winsvc::detail::wire::same_cookie;

namespace {

struct manual_clock final : winsvc::clock {
  std::chrono::seconds since_1970{1'700'000'000};
  [[nodiscard]] system_time system_now() const noexcept override { return system_time(since_1970); }
};
const std::string key = "sixteen bytes ok";

}  // namespace

TEST_CASE("a cookie is written with its attributes, and an invalid name, value or attribute is rejected") {
  CHECK(cookie("theme", "dark").to_string() == "theme=dark; Path=/; HttpOnly; SameSite=Lax");
  cookie all("all", "1");
  all.path("/x").domain("a.example").max_age(24h).secure().http_only(false).same_site("None");
  CHECK(all.to_string() == "all=1; Path=/x; Domain=a.example; Max-Age=86400; Secure; SameSite=None");
  for (const char* bad : {"a b", "a;b", "a,b", "a\"b", "a\\b", "\xc3\xbc", "a\r\nb", "a\x7f"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(cookie("n", bad), setup_error);
  }
  CHECK_NOTHROW(cookie("n", "!~"));
  CHECK_THROWS_AS(cookie("", "x"), setup_error);
  CHECK_THROWS_AS(cookie("a b", "x"), setup_error);
  CHECK_THROWS_AS(cookie("a", "x").path("/;"), setup_error);
  CHECK_THROWS_AS(cookie("a", "x").same_site("none"), setup_error);
}

TEST_CASE("the first cookie of a name is found in a Cookie header") {
  CHECK(cookie_in("a=b; theme=dark; c=d", "theme") == "dark");
  CHECK(cookie_in("theme=dark; theme=light", "theme") == "dark");
  CHECK(cookie_in("theme=\"quoted\"", "theme") == "quoted");
  CHECK(cookie_in("theme=a=b", "theme") == "a=b");
  for (const char* header : {"", "xtheme=no", "theme", "Theme=no", "a=theme=no", ";;"}) {
    CAPTURE(header);
    CHECK(!cookie_in(header, "theme"));
  }
}

TEST_CASE("a cookie is identified by name, path and domain") {
  CHECK(same_cookie("a=1; Path=/", "a=2; Path=/; Max-Age=0"));
  CHECK(same_cookie("a=1; path=/; domain=H.example", "a=2; Domain=h.example; Path=/"));
  CHECK(!same_cookie("a=1; Path=/", "b=1; Path=/"));
  CHECK(!same_cookie("a=1; Path=/", "a=1; Path=/x"));
  CHECK(!same_cookie("a=1; Path=/; Domain=h.example", "a=1; Path=/"));
}

TEST_CASE("a signed value is returned unchanged, and a modified one is rejected") {
  const std::string text = sign("user", "anna \xc3\xbc;", key, 8h);

  CHECK(unsign("user", text, key) == "anna \xc3\xbc;");
  CHECK(!unsign("user", text, "another key of 16"));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'A', 'B', '0', '9', '.', '='}) {
      std::string changed = text;
      changed[i] = c;
      if (changed != text) CHECK(!unsign("user", changed, key));
    }
    CHECK(!unsign("user", text.substr(0, i), key));
  }
  CHECK(!unsign("user", text + "A", key));
  CHECK(cookie("user", text).to_string().find(text) != std::string::npos);
}

TEST_CASE("a missing cookie, a short key and arbitrary bytes are rejected without an exception") {
  const std::string text = sign("user", "anna", key, 8h);

  CHECK(!unsign("user", std::nullopt, key));
  for (const char* bad : {"", ".", "..", "...", "abc", "abc..", ".1.", "YQ.1.", "YQ.99999999999999999999999.x",
                          "\xff.\xff.\xff"}) {
    CAPTURE(bad);
    CHECK(!unsign("user", bad, key));
  }
  CHECK(!unsign("user", text, ""));
  CHECK(!unsign("user", text, "short"));
  CHECK_THROWS_AS(static_cast<void>(sign("user", "x", "short", 8h)), setup_error);
}

TEST_CASE("a signature is valid for one cookie name only") {
  const std::string text = sign("draft", "admin", key, 8h);

  CHECK(unsign("draft", text, key) == "admin");
  CHECK(!unsign("user", text, key));
  CHECK(!unsign("", text, key));
  // A part of the name cannot be moved to the value.
  const std::string value = winsvc::detail::base::to_base64url("tadmin");
  CHECK(!unsign("draf", value + text.substr(text.find('.')), key));
}

TEST_CASE("a signature expires after its lifetime") {
  manual_clock time;
  const std::string text = sign("user", "anna", key, 8h, time);

  CHECK(unsign("user", text, key, time) == "anna");
  time.since_1970 += 8h - 1s;
  CHECK(unsign("user", text, key, time) == "anna");
  time.since_1970 += 1s;
  CHECK(!unsign("user", text, key, time));
  CHECK(!unsign("user", sign("user", "anna", key, 0s, time), key, time));
  CHECK(!unsign("user", sign("user", "anna", key, (std::chrono::seconds::min)(), time), key, time));
  CHECK(unsign("user", sign("user", "anna", key, (std::chrono::seconds::max)(), time), key, time) == "anna");
}
