// What a running service leaves for `status`.
#include "winsvc/scm/saved_state.hpp"

#include <doctest/doctest.h>

using namespace winsvc::model;

namespace {
bool same(const saved_state& a, const saved_state& b) {
  return a.pid == b.pid && a.url == b.url && a.since == b.since && a.failure == b.failure &&
         a.start_ms == b.start_ms && a.written_at == b.written_at && a.previous_failure == b.previous_failure;
}

const saved_state states[] = {
    {},
    {1234, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""},
    {4294967295u, "http://[::1]:80", "2026-01-31T08:05:09.250Z", "listen on '127.0.0.1:80': the port is taken (10048)"},
    {1, "", "", "quotes \" and \\ slashes / and } braces { , : \n\r\t and \x01\x1F, Z\xC3\xBCrich \xF0\x9F\x98\x80"},
    {1, "}", "\"}", "\\"},
    {7, "", "", "the store is gone", 1200, "2026-01-31T08:05:09.250Z", "2026-01-30T08:05:09.250Z the port was taken"},
};
}  // namespace

TEST_CASE("a state is read as it was written") {
  for (const auto& s : states) {
    CAPTURE(format_saved_state(s));
    const auto read = parse_saved_state(format_saved_state(s));
    REQUIRE(read);
    CHECK(same(*read, s));
  }
}

TEST_CASE("the file is the JSON that its page shows, on one line") {
  CHECK(format_saved_state({1234, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""}) ==
        "{\"pid\":1234,\"url\":\"http://127.0.0.1:5001\",\"since\":\"2026-01-31T08:05:09.250Z\",\"failure\":\"\"}\n");
}

TEST_CASE("a file torn at any byte is no file") {
  for (const auto& s : states) {
    const std::string whole = format_saved_state(s);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      const auto read = parse_saved_state(whole.substr(0, length));
      if (length == whole.size() - 1) {  // only the line end is missing
        REQUIRE(read);
        CHECK(same(*read, s));
      } else {
        CHECK_FALSE(read);
      }
    }
  }
}

TEST_CASE("a file of which one byte was zeroed or lost says nothing wrong about the process") {
  const std::string whole = format_saved_state(states[1]);
  for (std::size_t position = 0; position < whole.size(); ++position) {
    std::string zeroed = whole, lost = whole;
    zeroed[position] = '\0';
    lost.erase(position, 1);
    static_cast<void>(parse_saved_state(zeroed));  // whatever it is, it must not read beyond the end
    static_cast<void>(parse_saved_state(lost));
  }
  CHECK_FALSE(parse_saved_state(std::string(whole.size(), '\0')));
}

TEST_CASE("names that are not known are passed over, in any order") {
  const auto read = parse_saved_state(R"({"later":"x","url":"u","count":7,"pid":5,"since":"s","failure":"f"})");
  REQUIRE(read);
  CHECK(same(*read, {5, "u", "s", "f"}));
  CHECK(parse_saved_state("{}"));
}

TEST_CASE("anything else is nothing") {
  const char* const rows[] = {
      "",
      "\n",
      "{",
      "}",
      "[]",
      "null",
      "{\"pid\"}",
      "{\"pid\":}",
      "{\"pid\":-1}",
      "{\"pid\":1.5}",
      "{\"pid\":4294967296}",
      "{\"pid\":\"}",
      "{\"pid\":1,}",
      "{,\"pid\":1}",
      "{\"pid\":1 \"url\":\"\"}",
      "{pid:1}",
      "{\"url\":\"a\nb}",
      "{\"url\":\"\\x\"}",
      "{\"url\":\"\\u12\"}",
      "{\"url\":\"\\u1234\"}",
      "{\"url\":\"\\u00G0\"}",
      "{\"url\":\"a\"}}",
      "{\"url\":\"a\"\"b\"}",
      "{{}}",
      "{\"url\":[\"a\"]}",
      "{\"url\":\"a\"} x",
  };
  for (const char* s : rows) {
    CAPTURE(s);
    CHECK_FALSE(parse_saved_state(s));
  }
}

TEST_CASE("the last failure is kept by the runs after it, until another fails; a run that was killed left its address") {
  saved_state saved;
  saved.pid = 7;
  CHECK(last_failure(saved).empty());
  saved.previous_failure = "2026-01-30T08:05:09.250Z the port was taken";
  CHECK(last_failure(saved) == saved.previous_failure);
  saved.url = "http://127.0.0.1:5001";
  saved.since = "2026-01-31T08:05:09.250Z";
  CHECK(last_failure(saved) == "the run that began at 2026-01-31T08:05:09.250Z (pid 7) ended without a word");
  saved.failure = "the store is gone";
  CHECK(last_failure(saved) == "the store is gone");
  saved.written_at = "2026-02-01T08:05:09.250Z";
  CHECK(last_failure(saved) == "2026-02-01T08:05:09.250Z the store is gone");
}
