// Tests of decode_path, percent_encode_segment and percent_encode_url.
#include "winsvc/route/path.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace winsvc::detail::route;
using segments = std::vector<std::string>;

TEST_CASE("a path is split before it is decoded") {
  struct { std::string_view raw; segments expected; } const cases[] = {
      {"/", {""}},
      {"/users", {"users"}},
      {"/users/", {"users", ""}},
      {"//", {"", ""}},
      {"/a//b", {"a", "", "b"}},
      {"/a%2Fb/c", {"a/b", "c"}},
      {"/a%2fb", {"a/b"}},
      {"/%7Euser", {"~user"}},
      {"/z%C3%BCrich", {"z\xC3\xBCrich"}},
      {"/a+b", {"a+b"}},
      {"/100%25", {"100%"}},
      {"/%2525", {"%25"}},
      {"/./../x", {".", "..", "x"}},
      {"/%2e%2e", {".."}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.raw);
    const auto result = decode_path(c.raw);
    REQUIRE(result);
    CHECK(*result == c.expected);
    CHECK(path_is_valid(c.raw));
  }
}

TEST_CASE("an invalid escape, a NUL and a missing first slash are rejected (RFC 3986 sections 2.1 and 3.3)") {
  const std::string_view cases[] = {"",      "users", "*",     "/%",    "/%4",   "/a%zz",
                                    "/%4x/b", "/%%41", "/%00",  "/a%00b", std::string_view("/a\0b", 4), "/ok/%",
                                    "/%41%zz", "/%41%4",
                                    std::string_view("/%41", 3)};  // the digit after the end does not belong to it
  for (const auto raw : cases) {
    CAPTURE(raw);
    CHECK_FALSE(decode_path(raw));
    CHECK_FALSE(path_is_valid(raw));
  }
}

TEST_CASE("a hex digit has its value, another character has none") {
  constexpr std::string_view digits = "0123456789abcdef", capitals = "0123456789ABCDEF";
  for (int i = 0; i < 256; ++i) {
    const auto c = static_cast<char>(static_cast<unsigned char>(i));
    const auto position = (std::min)(digits.find(c), capitals.find(c));
    CHECK(hex_value(c) == (position == digits.npos ? -1 : static_cast<int>(position)));
  }
}

TEST_CASE("a valid path has escapes or not") {
  for (const std::string_view raw : {"/", "/a/b", "/%41", "/a/%zz", "*"}) {
    bool has_escapes = true;
    const bool is_valid = path_is_valid(raw, has_escapes);
    CHECK(is_valid == (raw[0] == '/' && raw != "/a/%zz"));
    if (is_valid) CHECK(has_escapes == (raw == "/%41"));
  }
}

TEST_CASE("an encoded segment decodes to the original") {
  CHECK(percent_encode_segment("plain-1._~") == "plain-1._~");
  CHECK(percent_encode_segment("a/b \xC3\xBC?") == "a%2Fb%20%C3%BC%3F");
  CHECK(percent_encode_segment("%") == "%25");
  const std::string pchars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*+,;=:@";
  CHECK(percent_encode_segment(pchars) == pchars);
  CHECK(percent_encode_segment("/?#[\\]^`{|}\"<>\x7F\x80\xFF") ==
        "%2F%3F%23%5B%5C%5D%5E%60%7B%7C%7D%22%3C%3E%7F%80%FF");

  std::string text;
  for (int i = 1; i < 256; ++i) text += static_cast<char>(static_cast<unsigned char>(i));
  const auto decoded = decode_path('/' + percent_encode_segment(text));
  REQUIRE(decoded);
  CHECK(*decoded == segments{text});
}

TEST_CASE("characters that a URL cannot contain are encoded, the others are not") {
  CHECK(percent_encode_url("/a%20b?c=d&e#f[1]'(2)'") == "/a%20b?c=d&e#f[1]'(2)'");
  CHECK(percent_encode_url(" \t\"<>\\^`{|}") == "%20%09%22%3C%3E%5C%5E%60%7B%7C%7D");
  CHECK(percent_encode_url("~\x80\xC3\xBC\xFF") == "~%80%C3%BC%FF");
}
