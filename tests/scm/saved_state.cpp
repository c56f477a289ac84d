// Saved state of a service (state.json).
#include "winsvc/scm/saved_state.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::scm;

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

TEST_CASE("a saved state is parsed to the same values") {
  for (const auto& s : states) {
    CAPTURE(format_saved_state(s));
    const auto parsed = parse_saved_state(format_saved_state(s));
    REQUIRE(parsed);
    CHECK(same(*parsed, s));
  }
}

TEST_CASE("the file is one line of JSON") {
  CHECK(format_saved_state({1234, "http://127.0.0.1:5001", "2026-01-31T08:05:09.250Z", ""}) ==
        "{\"pid\":1234,\"url\":\"http://127.0.0.1:5001\",\"since\":\"2026-01-31T08:05:09.250Z\",\"failure\":\"\"}\n");
}

TEST_CASE("a file that is truncated at any byte is rejected") {
  for (const auto& s : states) {
    const std::string complete = format_saved_state(s);
    for (std::size_t length = 0; length < complete.size(); ++length) {
      CAPTURE(length);
      const auto parsed = parse_saved_state(complete.substr(0, length));
      if (length == complete.size() - 1) {  // only the line end is missing
        REQUIRE(parsed);
        CHECK(same(*parsed, s));
      } else {
        CHECK_FALSE(parsed);
      }
    }
  }
}

TEST_CASE("a file with a zeroed or missing byte does not cause a read beyond its end") {
  const std::string complete = format_saved_state(states[1]);
  for (std::size_t position = 0; position < complete.size(); ++position) {
    std::string zeroed = complete, shortened = complete;
    zeroed[position] = '\0';
    shortened.erase(position, 1);
    static_cast<void>(parse_saved_state(zeroed));  // the sanitizers detect a read beyond the end
    static_cast<void>(parse_saved_state(shortened));
  }
  CHECK_FALSE(parse_saved_state(std::string(complete.size(), '\0')));
}

TEST_CASE("unknown members are ignored, in any order") {
  const auto parsed = parse_saved_state(R"({"later":"x","url":"u","count":7,"pid":5,"since":"s","failure":"f"})");
  REQUIRE(parsed);
  CHECK(same(*parsed, {5, "u", "s", "f"}));
  CHECK(parse_saved_state("{}"));
}

TEST_CASE("any other text is rejected") {
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

TEST_CASE("the last failure is kept until another one; a run that left its address was killed") {
  saved_state saved;
  saved.pid = 7;
  CHECK(last_failure(saved).empty());
  saved.previous_failure = "2026-01-30T08:05:09.250Z the port was taken";
  CHECK(last_failure(saved) == saved.previous_failure);
  saved.url = "http://127.0.0.1:5001";
  saved.since = "2026-01-31T08:05:09.250Z";
  CHECK(last_failure(saved) == "the run that began at 2026-01-31T08:05:09.250Z (pid 7) ended without an exit code");
  saved.failure = "the store is gone";
  CHECK(last_failure(saved) == "the store is gone");
  saved.written_at = "2026-02-01T08:05:09.250Z";
  CHECK(last_failure(saved) == "2026-02-01T08:05:09.250Z the store is gone");
}

TEST_CASE("a run that did not stop in order is named with what it was doing and its exit code") {
  saved_state saved;
  saved.pid = 7;
  CHECK(unreported_failure(saved, "GET /x").empty());  // it ended well
  saved.running = true;
  CHECK(unreported_failure(saved, "") == "the process (pid 7) ended without an exit code");
  CHECK(unreported_failure(saved, "start hook 'open'", 3) ==
        "the process (pid 7) ended with exit code 3 while running start hook 'open'");
  CHECK(last_failure(saved, "GET /x") == "the process (pid 7) ended without an exit code while running GET /x");
  saved.failure = "the store is gone";
  CHECK(unreported_failure(saved, "GET /x").empty());  // it left a message
}

TEST_CASE("a failure is shortened to its first line and to 160 characters") {
  CHECK(short_failure("one") == "one");
  CHECK(short_failure("one\ntwo") == "one ...");
  CHECK(short_failure(std::string(500, 'x')).size() == 164);
}

TEST_CASE("the stop reason and the mark of a running process are saved") {
  saved_state saved;
  saved.stop_reason = "maintenance (by CORP\\anna)";
  saved.running = true;
  const auto parsed = parse_saved_state(format_saved_state(saved));
  REQUIRE(parsed);
  CHECK(parsed->stop_reason == saved.stop_reason);
  CHECK(parsed->running);
  CHECK_FALSE(parse_saved_state(format_saved_state({}))->running);
}

TEST_CASE("the last failure has the time of its message, or one that is later") {
  const auto time = [](const char* text) { return winsvc::parse_time(text); };
  saved_state saved;
  saved.since = "2026-02-01T08:05:09.250Z";
  CHECK_FALSE(last_failure_time(saved));
  saved.previous_failure = "2026-01-31T08:05:09.250Z the store is gone";
  CHECK(last_failure_time(saved) == time("2026-01-31T08:05:09.250Z"));
  saved.previous_failure = "the process (pid 7) ended without an exit code";
  CHECK(last_failure_time(saved) == time("2026-02-01T08:05:09.250Z"));
  saved.since.clear();
  CHECK_FALSE(last_failure_time(saved));
  saved.failure = "the store is gone";
  CHECK_FALSE(last_failure_time(saved));
  saved.written_at = "2026-02-02T08:05:09.250Z";
  CHECK(last_failure_time(saved) == time("2026-02-02T08:05:09.250Z"));
}

TEST_CASE("the process started before it listened, by its time to RUNNING") {
  saved_state saved;
  CHECK_FALSE(start_time(saved));
  saved.since = "2026-02-01T08:05:09.250Z";
  CHECK_FALSE(start_time(saved));
  saved.start_ms = 1'250;
  CHECK(start_time(saved) == winsvc::parse_time("2026-02-01T08:05:08.000Z"));
  saved.since = "yesterday";
  CHECK_FALSE(start_time(saved));
}

TEST_CASE("a crash lacks the result of its minidump until the message has it") {
  struct row { const char* failure; bool lacks_result; };
  for (const auto& r : {row{"crashed: a signal", true}, row{"crashed: a signal; dump: C:\\x.dmp", false},
                        row{"crashed: a signal; no dump: disk full (112)", false}, row{"it crashed: no", false}}) {
    CAPTURE(r.failure);
    saved_state saved;
    saved.failure = r.failure;
    CHECK(lacks_dump_result(saved) == r.lacks_result);
    saved_state next;
    next.previous_failure = std::string("2026-01-31T08:05:09.250Z ") + r.failure;
    CHECK(lacks_dump_result(next) == r.lacks_result);
  }
  CHECK_FALSE(lacks_dump_result({}));
  saved_state odd;
  odd.previous_failure = "crashed:";
  CHECK_FALSE(lacks_dump_result(odd));
}
