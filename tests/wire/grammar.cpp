// Tests of the HTTP grammar rules.
#include "winsvc/wire/grammar.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::wire;

TEST_CASE("a token is one or more tchar (RFC 9110 section 5.6.2)") {
  CHECK(is_token("a"));
  CHECK(is_token("!#$%&'*+-.^_`|~09AZaz"));
  CHECK_FALSE(is_token(""));
  for (const char c : std::string_view("\"(),/:;<=>?@[\\]{} \t\x7F\x80")) CHECK_FALSE(is_token_char(c));
  CHECK_FALSE(is_token_char('\0'));
}

TEST_CASE("an authority is a host and an optional port (RFC 9110 section 7.2)") {
  for (const char* good :
       {"h", "a.b-c_d~e", "1.2.3.4:5", "[::1]", "[::1]:80", "h:", "h:0", "h:65535", "%41", "a;b=c"}) {
    CAPTURE(good);
    CHECK(is_authority(good));
  }
  for (const char* bad : {"", ":", ":1", "h:65536", "h:1x", "h:1:1", "u@h", "h/", "h?", "h#", "h,i", "h i", "%", "%4",
                          "%00", "[", "[]", "[:]", "[::1", "[::1]1", "[::g]", "\"h\"", "h\\i"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_authority(bad));
  }
}
