// Patterns: which texts match, which patterns are malformed, and that the time is linear.
#include "winsvc/base/text_pattern.hpp"

#include <doctest/doctest.h>

#include <string>

using winsvc::setup_error;
using winsvc::detail::base::text_pattern;

TEST_CASE("a pattern matches the whole text") {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } rows[] = {
      {"abc", "abc", true},          {"abc", "abcd", false},        {"abc", "xabc", false},     {"^abc$", "abc", true},
      {"", "", true},                {"", "a", false},              {"a*", "", true},           {"a*", "aaaa", true},
      {"a+", "", false},             {"a?b", "b", true},            {"a|bc", "bc", true},       {"a|bc", "ac", false},
      {"(a|b)*c", "ababc", true},   {"(?:ab){2}", "abab", true},   {"(?:ab){2}", "ab", false}, {"a{2,}", "aaaaa", true},
      {"a{1,2}", "aaa", false},      {"[a-z]+", "hello", true},     {"[a-z]+", "Hello", false}, {"[^a-z]", "A", true},
      {"\\d{3}-\\w+", "123-a_9", true},                             {"\\D", "1", false},        {"\\s", " ", true},
      {"[\\d.]+", "1.2.3", true},    {".", "\xC3\xA4", true},       {".", "\n", false},         {"\\.", ".", true},
      {"\\.", "x", false},           {"[]a]", "]", true},           {"[a-]", "-", true},        {"(a*)*", "aaa", true},
      {"a\\\\$", "a\\", true},     {"a\\\\\\$", "a\\$", true},    {"\\$", "$", true},
      {"a\\$$", "a$", true},         {"[\xC3\xA4-\xC3\xB6]", "\xC3\xB5", true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.text);
    CHECK(text_pattern(row.pattern).matches(row.text) == row.matches);
  }
}

TEST_CASE("a malformed pattern is rejected with its reason") {
  for (const char* pattern : {"(", ")", "a)", "[", "[a", "*", "a|*", "{2}", "a{", "a{x}", "a{2", "a{3,2}", "\\", "\\b",
                              "(?=a)", "[b-a]", "a^b", "a$b", "a{99999}", "((a{100}){100}){100}"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(text_pattern{pattern}, setup_error);
  }
  CHECK_THROWS_AS(text_pattern(std::string(100, '(') + std::string(100, ')')), setup_error);
}

TEST_CASE("the time does not explode and the stack is not used for a long text") {
  CHECK_FALSE(text_pattern("(a|aa)*b").matches(std::string(100'000, 'a')));
  CHECK(text_pattern("(.|\\n)*").matches(std::string(100'000, 'x')));
}

TEST_CASE("escapes and classes accept exactly their characters") {
  const struct {
    const char* pattern;
    std::string_view accepted;
  } rows[] = {
      {"\\d", "0123456789"},
      {"\\w", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"},
      {"\\s", "\t\n\v\f\r "},
      {"\\n", "\n"},
      {"\\r", "\r"},
      {"\\t", "\t"},
      {"[b-d]", "bcd"},
      {"[a\\-c]", "-ac"},
      {"[+-\\-]", "+,-"},
      {"[\\d-z]", "-0123456789z"},
      {"[\\+-.]", "+,-."},
      {"[a-cx-z]", "abcxyz"},
      {"[-a]", "-a"},
      {"[\\]]", "]"},
      {"[\\n\\t]", "\t\n"},
      {"[c-c]", "c"},
      {"[(.*]", "(*."},
  };
  for (const auto& row : rows) {
    const text_pattern pattern(row.pattern);
    std::string accepted;
    for (int c = 1; c < 128; ++c) {
      if (pattern.matches(std::string(1, static_cast<char>(c)))) accepted += static_cast<char>(c);
    }
    CAPTURE(row.pattern);
    CHECK(accepted == row.accepted);
  }
  for (const char* pattern : {"\\D", "\\W", "\\S", "[^b-d]", "."}) {
    int accepted = 0;
    for (int c = 1; c < 128; ++c) {
      if (text_pattern(pattern).matches(std::string(1, static_cast<char>(c)))) ++accepted;
    }
    const std::string_view p = pattern;
    CHECK(accepted == (p == "\\D" ? 117 : p == "\\W" ? 64 : p == "\\S" ? 121 : p == "." ? 125 : 124));
  }
}

TEST_CASE("a repetition accepts each number within its limits, also of a group and of a repetition") {
  const struct {
    const char* pattern;
    std::size_t at_least, at_most;  // of the letter a, from 0 to 12
  } rows[] = {{"a{0}", 0, 0},     {"a{3}", 3, 3},   {"a{0,2}", 0, 2},     {"a{2,5}", 2, 5}, {"a{3,3}", 3, 3},
              {"a{10,11}", 10, 11}, {"a{2,}", 2, 12}, {"a{0,}", 0, 12},   {"(a|b){2,4}", 2, 4},
              {"a?", 0, 1},       {"a+", 1, 12},    {"a*", 0, 12},
              {"a??", 0, 1},    {"(a?){3}", 0, 3}, {"a|aa|aaa", 1, 3},   {"(a{2}){3}", 6, 6}, {"aa*a", 2, 12}};
  for (const auto& row : rows) {
    CAPTURE(row.pattern);
    for (std::size_t count = 0; count <= 12; ++count) {
      CAPTURE(count);
      const bool is_expected = count >= row.at_least && count <= row.at_most;
      CHECK(text_pattern(row.pattern).matches(std::string(count, 'a')) == is_expected);
    }
  }
}

TEST_CASE("groups may be nested 50 deep, and a pattern may have 10,000 instructions") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '(') + 'a' + std::string(depth, ')'); };
  CHECK(text_pattern(nested(50)).matches("a"));
  CHECK_THROWS_AS(text_pattern(nested(51)), setup_error);
  CHECK(text_pattern("a{3333}").matches(std::string(3333, 'a')));
  CHECK_THROWS_AS(text_pattern("a{3334}"), setup_error);
  CHECK(text_pattern("a{3332,}").matches(std::string(3333, 'a')));
  CHECK_THROWS_AS(text_pattern("a{3333,}"), setup_error);
  CHECK(text_pattern(std::string(10'000, 'a')).matches(std::string(10'000, 'a')));
  CHECK_THROWS_AS(text_pattern(std::string(10'001, 'a')), setup_error);
  CHECK(text_pattern(std::string(9'998, 'a') + "|").matches(""));
  CHECK_THROWS_AS(text_pattern(std::string(9'999, 'a') + "|"), setup_error);
}

TEST_CASE("anchors have no effect at both ends, alone too, and the pattern is known") {
  CHECK(text_pattern("^").matches(""));
  CHECK(text_pattern("$").matches(""));
  CHECK(text_pattern("^$").matches(""));
  CHECK_FALSE(text_pattern("^$").matches("a"));
  CHECK_THROWS_AS(text_pattern("^^a"), setup_error);
  CHECK_THROWS_AS(text_pattern("a$$"), setup_error);
  CHECK(text_pattern("^a|b").anchored() == "^(?:^a|b)$");
  CHECK(text_pattern("a|b").pattern() == "a|b");
}

TEST_CASE("more malformed patterns are rejected") {
  for (const char* pattern : {"+", "?a", "(a", "(?a)", "(?", "a{,2}", "a{1,x}", "a{1,2", "[^",
                              "[\\", "[\\W]", "[a-\\x]", "[z-\\-]",
                              "\\0", "\\9", "\\A", "\\Z", "\\a", "\\z", "a{1;2}", "a)b", "(a))"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(text_pattern{pattern}, setup_error);
  }
  for (const char* pattern : {"\\/", "\\:", "\\@", "\\[", "\\`", "\\{"})
    CHECK(text_pattern(pattern).matches(pattern + 1));
}
