// Tests of text functions: UTF-8 and UTF-16, case, splitting, numbers, closest match, JSON strings.
#include "winsvc/base/text.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace winsvc;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

const std::string replacement = "\xEF\xBF\xBD";  // U+FFFD

std::string replacements(std::size_t count) {
  std::string out;
  while (count-- > 0) out += replacement;
  return out;
}

/// UTF-8 to UTF-16 and back, which replaces malformed bytes.
std::string round_trip(std::string_view s) { return detail::base::to_utf8(detail::base::to_utf16(s)); }

}  // namespace

TEST_CASE("each code point is unchanged after UTF-8 to UTF-16 and back") {
  std::size_t wrong = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string utf8;
    detail::base::append_utf8(utf8, c);
    const std::size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    std::size_t position = 0;
    const bool read = detail::base::next_code_point(utf8, position) == c && position == length && utf8.size() == length;
    const auto utf16 = detail::base::to_utf16(utf8);
    if (!read || utf16.size() != (c < 0x10000 ? 1u : 2u) || detail::base::to_utf8(utf16) != utf8) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("known characters have their known encodings") {
  CHECK(detail::base::to_utf16("Z\xC3\xBCrich") == u"Z\u00FCrich");
  CHECK(detail::base::to_utf16("\xE2\x82\xAC") == u"\u20AC");
  CHECK(detail::base::to_utf16("\xF0\x9F\x98\x80") == u"\U0001F600");
  CHECK(detail::base::to_utf16("\xF0\x9F\x98\x80") == std::u16string{0xD83D, 0xDE00});
  CHECK(detail::base::to_utf8(u"\U0010FFFF") == "\xF4\x8F\xBF\xBF");
  CHECK(detail::base::to_utf16("a\0b"sv).size() == 3);
  CHECK(detail::base::to_utf16("").empty());
  CHECK(detail::base::to_utf8({}).empty());
}

TEST_CASE("each malformed byte becomes one U+FFFD, and the next character is unchanged") {
  struct row { std::string_view bytes; std::size_t replaced; };
  const row rows[] = {
      {"\x80", 1},             // a continuation byte without a first byte
      {"\xBF\xBF", 2},
      {"\xC0\x80", 2},         // overlong NUL
      {"\xC1\xBF", 2},         // overlong DEL
      {"\xE0\x80\x80", 3},     // overlong, three bytes
      {"\xE0\x9F\xBF", 3},
      {"\xF0\x80\x80\x80", 4}, // overlong, four bytes
      {"\xF0\x8F\xBF\xBF", 4},
      {"\xED\xA0\x80", 3},     // a high surrogate
      {"\xED\xBF\xBF", 3},     // a low surrogate
      {"\xED\xA0\xBD\xED\xB8\x80", 6},  // a surrogate pair (CESU-8)
      {"\xF4\x90\x80\x80", 4}, // beyond U+10FFFF
      {"\xF5\x80\x80\x80", 4},
      {"\xF8\x88\x80\x80\x80", 5},
      {"\xFC", 1}, {"\xFE", 1}, {"\xFF", 1},
      {"\xC3", 1},             // incomplete
      {"\xE2\x82", 2},
      {"\xF0\x9F\x98", 3},
  };
  for (const auto& r : rows) {
    const std::string bytes(r.bytes);
    CAPTURE(detail::base::json_quoted(bytes));
    CHECK(round_trip(bytes) == replacements(r.replaced));
    CHECK(round_trip("a" + bytes + "z") == "a" + replacements(r.replaced) + "z");
    CHECK(round_trip(bytes + "\xC3\xBC") == replacements(r.replaced) + "\xC3\xBC");
  }
}

TEST_CASE("the result of a conversion is well-formed for each pair of bytes") {
  std::size_t wrong = 0;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string s{static_cast<char>(a), static_cast<char>(b), '\x90', 'x'};
      const std::string converted = round_trip(s);
      if (round_trip(converted) != converted || converted.back() != 'x') ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a lone surrogate becomes U+FFFD") {
  CHECK(detail::base::to_utf8(std::u16string{0xD83D}) == replacement);
  CHECK(detail::base::to_utf8(std::u16string{0xDE00}) == replacement);
  CHECK(detail::base::to_utf8(std::u16string{0xDE00, 0xD83D}) == replacements(2));
  CHECK(detail::base::to_utf8(std::u16string{0xD83D, u'a'}) == replacement + "a");
  CHECK(detail::base::to_utf8(std::u16string{0xD83D, 0xD83D, 0xDE00}) == replacement + "\xF0\x9F\x98\x80");
}

TEST_CASE("case is folded for ASCII only") {
  CHECK(detail::base::to_lower("Content-TYPE \xC3\x9C") == "content-type \xC3\x9C");
  CHECK(detail::base::to_upper('a') == 'A');
  CHECK(detail::base::to_upper('{') == '{');
  CHECK(detail::base::to_lower('@') == '@');
  CHECK(detail::base::to_lower('[') == '[');
  CHECK(detail::base::equal_nocase("INSTALL", "install"));
  CHECK(detail::base::equal_nocase("", ""));
  CHECK_FALSE(detail::base::equal_nocase("install", "instal"));
  CHECK_FALSE(detail::base::equal_nocase("\xC3\x9C", "\xC3\xBC"));
}

TEST_CASE("a text is a literal if all its bytes are") {
  CHECK(detail::base::is_literal("GET", "GET"));
  for (const auto other : {"GE", "GETS", "get", "GEX", ""}) CHECK_FALSE(detail::base::is_literal(other, "GET"));
  CHECK(detail::base::is_literal("", ""));
}

TEST_CASE("text is trimmed, split, joined and truncated") {
  CHECK(detail::base::trim(" \t a b\t ") == "a b");
  CHECK(detail::base::trim(" \t").empty());
  CHECK(detail::base::trim("").empty());
  CHECK(detail::base::split("", ',') == std::vector<std::string_view>{""});
  CHECK(detail::base::split("a,", ',') == std::vector<std::string_view>{"a", ""});
  CHECK(detail::base::split(",a,,b", ',') == std::vector<std::string_view>{"", "a", "", "b"});
  CHECK(detail::base::join({}, ", ").empty());
  CHECK(detail::base::join({"a"}, ", ") == "a");
  CHECK(detail::base::join({"a", "", "b"}, ", ") == "a, , b");
  CHECK(detail::base::truncate("abc", 3) == "abc");
  CHECK(detail::base::truncate("abc", 2) == "ab");
  CHECK(detail::base::truncate("abc", 0).empty());
  CHECK(detail::base::truncate("a\xC3\xBC", 2) == "a");
  CHECK(detail::base::truncate("\xF0\x9F\x98\x80z", 4) == "\xF0\x9F\x98\x80");
  CHECK(detail::base::truncate("\xF0\x9F\x98\x80z", 3).empty());
  CHECK(detail::base::truncate(std::string(10, '\x80'), 6).size() == 2);  // no character has more than 4 bytes
  CHECK(detail::base::starts_with("--port", "--"));
  CHECK(detail::base::starts_with("a", ""));
  CHECK_FALSE(detail::base::starts_with("-", "--"));
}

TEST_CASE("a number consists of digits and is at most its limit") {
  constexpr auto max = (std::numeric_limits<std::uint64_t>::max)();
  struct row { std::string_view s; std::uint64_t limit; bool valid; std::uint64_t value; };
  const row rows[] = {
      {"0", 9, true, 0},          {"007", 9, true, 7},           {"65535", 65535, true, 65535},
      {"65536", 65535, false, 0}, {"100000", 65535, false, 0},   {"18446744073709551615", max, true, max},
      {"18446744073709551616", max, false, 0},                   {"99999999999999999999999", max, false, 0},
      {"0", 0, true, 0},          {"1", 0, false, 0},            {"3", 3, true, 3},
      {"4", 3, false, 0},         {"9", 3, false, 0},            {"5", 7, true, 5},
      {"", 9, false, 0},          {"-1", 9, false, 0},           {"+1", 9, false, 0},
      {" 1", 9, false, 0},        {"1 ", 9, false, 0},           {"0x1", 99, false, 0},
      {"1.5", 99, false, 0},      {"1e3", 9999, false, 0},       {"\xD9\xA1", 99, false, 0},
  };
  for (const auto& r : rows) {
    CAPTURE(r.s);
    CAPTURE(r.limit);
    std::uint64_t out = 4711;
    CHECK(detail::base::parse_number(r.s, r.limit, out) == r.valid);
    CHECK(out == (r.valid ? r.value : 4711));
  }
}

TEST_CASE("the edit distance counts changes, additions, removals and swaps of adjacent letters") {
  struct row { const char* a; const char* b; std::size_t distance; };
  const row rows[] = {
      {"", "", 0},           {"", "abc", 3},       {"abc", "", 3},        {"abc", "abc", 0},
      {"abc", "abd", 1},     {"abc", "abcd", 1},   {"abc", "ac", 1},      {"abc", "acb", 1},
      {"ab", "ba", 1},       {"kitten", "sitting", 3}, {"saturday", "sunday", 3}, {"instlal", "install", 1},
      {"xxab", "yyba", 3},   {"ca", "abc", 3},      {"flaw", "lawn", 2},
  };
  for (const auto& r : rows) {
    CAPTURE(r.a);
    CAPTURE(r.b);
    CHECK(detail::base::edit_distance(r.a, r.b) == r.distance);
    CHECK(detail::base::edit_distance(r.b, r.a) == r.distance);
  }
}

TEST_CASE("closest_match returns the most similar word, or nothing") {
  const std::vector<std::string_view> verbs = {"install", "remove", "start", "stop", "status"};
  CHECK(detail::base::closest_match("instal", verbs) == "install");
  CHECK(detail::base::closest_match("INSTLAL", verbs) == "install");
  CHECK(detail::base::closest_match("strat", verbs) == "start");
  CHECK(detail::base::closest_match("sotp", verbs) == "stop");
  CHECK(detail::base::closest_match("statsu", verbs) == "status");
  CHECK(detail::base::closest_match("stop", verbs) == "stop");
  CHECK(detail::base::closest_match("banana", verbs).empty());
  CHECK(detail::base::closest_match("", verbs).empty());
  CHECK(detail::base::closest_match("install", {}).empty());
}

TEST_CASE("a counted noun has an s unless its number is 1") {
  CHECK(detail::base::counted(0, "line") == "0 lines");
  CHECK(detail::base::counted(1, "line") == "1 line");
  CHECK(detail::base::counted(2, "line") == "2 lines");
}

TEST_CASE("the name of a secret has a word such as password, token or key") {
  for (const char* name : {"password", "DB_PASSWORD", "store.token", "API-KEY", "ACCESS_TOKEN_2", "apikey", "key",
                           "MYSQLPASSWORD", "Client.Secret", "key.1", "PASSWD", "ssh_passphrase", "db_pwd",
                           "connection_string", "Proxy-Authorization", "awsSecretKey", "smtp.credentials"}) {
    CAPTURE(name);
    CHECK(detail::base::names_secret(name));
  }
  for (const char* name : {"", "_", "keyboard", "monkey", "KITCHEN", "tokens_per_minute", "secretary", "log_level",
                           "private_key_file", "KEY.PATH", "key_count", "token-timeout", "PWD", "OLDPWD", "string"}) {
    CAPTURE(name);
    CHECK_FALSE(detail::base::names_secret(name));
  }
}

TEST_CASE("a JSON string escapes the characters that JSON requires and replaces malformed UTF-8") {
  CHECK(detail::base::json_quoted("") == "\"\"");
  CHECK(detail::base::json_quoted("a\"b\\c/") == R"("a\"b\\c/")");
  CHECK(detail::base::json_quoted("\n\r\t") == R"("\n\r\t")");
  CHECK(detail::base::json_quoted("\x01\x08\x0C\x1F"sv) == R"("\u0001\u0008\u000c\u001f")");
  CHECK(detail::base::json_quoted("\0"sv) == R"("\u0000")");
  CHECK(detail::base::json_quoted("\x7F") == "\"\x7F\"");
  CHECK(detail::base::json_quoted("Z\xC3\xBCrich \xF0\x9F\x98\x80") == "\"Z\xC3\xBCrich \xF0\x9F\x98\x80\"");
  CHECK(detail::base::json_quoted("a\xFFz") == "\"a" + replacement + "z\"");
  CHECK(detail::base::json_quoted("\xE2\x82") == "\"" + replacements(2) + "\"");
}

TEST_CASE("characters are counted, and a malformed byte counts as one") {
  CHECK(detail::base::character_count("") == 0);
  CHECK(detail::base::character_count("abc") == 3);
  CHECK(detail::base::character_count("Z\xC3\xBCrich \xF0\x9F\x98\x80") == 8);
  CHECK(detail::base::character_count("\xE2\x82") == 2);
}

TEST_CASE("a text is padded to its column, with at least one blank") {
  CHECK(detail::base::pad_right("ab", 4) == "ab  ");
  CHECK(detail::base::pad_right("ab", 3) == "ab ");
  CHECK(detail::base::pad_right("ab", 2) == "ab ");
  CHECK(detail::base::pad_right("abc", 2) == "abc ");
  CHECK(detail::base::pad_right("", 0) == " ");
}

TEST_CASE("a prefix is compared without case, and is not longer than the text") {
  CHECK(detail::base::starts_with_nocase("BEARER x", "bearer "));
  CHECK(detail::base::starts_with_nocase("a", ""));
  CHECK_FALSE(detail::base::starts_with_nocase("bear", "bearer"));
  CHECK_FALSE(detail::base::starts_with_nocase("basic x", "bearer "));
  CHECK_FALSE(detail::base::starts_with("por", "port"));
}

TEST_CASE("the first and the last letter are folded, and the characters next to them are not") {
  CHECK(detail::base::to_lower("AZ@[") == "az@[");
  CHECK(detail::base::to_upper('z') == 'Z');
  CHECK(detail::base::to_upper('`') == '`');
  CHECK(detail::base::to_upper('A') == 'A');
  CHECK(detail::base::is_digit('0'));
  CHECK(detail::base::is_digit('9'));
  CHECK_FALSE(detail::base::is_digit('/'));
  CHECK_FALSE(detail::base::is_digit(':'));
}

TEST_CASE("a similar word may differ in a third of its letters, or in one") {
  using words = std::vector<std::string_view>;
  CHECK(detail::base::closest_match("xxcdef", words{"abcdef"}) == "abcdef");
  CHECK(detail::base::closest_match("xxxdef", words{"abcdef"}).empty());
  CHECK(detail::base::closest_match("xxcde", words{"abcde"}).empty());
  CHECK(detail::base::closest_match("x", words{"a"}) == "a");
  CHECK(detail::base::closest_match("xb", words{"ab", "xb"}) == "xb");
  CHECK(detail::base::closest_match("xb", words{"ab", "cb"}) == "ab");  // the first of equal ones
}

TEST_CASE("each word of a name can make it a secret, and only a word at its end makes it public") {
  for (const char* name : {"file_password", "key-file-2", "CONNECTION.STRING", "connectionstring",
                           "db connection string", "a.pwd", "token"}) {
    CAPTURE(name);
    CHECK(detail::base::names_secret(name));
  }
  for (const char* name : {"connection", "string_connection", "connection_timeout_string", "file", "key_",
                           "password.dir"}) {
    CAPTURE(name);
    CHECK(detail::base::names_secret(name) == (std::string_view(name) == "key_"));
  }
}

TEST_CASE("the limits of surrogates are known in both directions") {
  CHECK(detail::base::to_utf8(std::u16string{0xD7FF}) == "\xED\x9F\xBF");
  CHECK(detail::base::to_utf8(std::u16string{0xE000}) == "\xEE\x80\x80");
  CHECK(detail::base::to_utf8(std::u16string{0xD800, 0xE000}) == replacement + "\xEE\x80\x80");
  CHECK(detail::base::to_utf8(std::u16string{0xD800, 0xDFFF}) == "\xF0\x90\x8F\xBF");
  CHECK(detail::base::to_utf8(std::u16string{0xDBFF, 0xDC00}) == "\xF4\x8F\xB0\x80");
  CHECK(detail::base::to_utf8(std::u16string{0xDC00}) == replacement);
  CHECK(detail::base::to_utf8(std::u16string{0xDFFF}) == replacement);
}
