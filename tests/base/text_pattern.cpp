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
