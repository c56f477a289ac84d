// Tests of the results of `prove`: text, JSON and the HTML page.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using winsvc::detail::diagnose::proof_report;
using winsvc::detail::diagnose::verdict;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

proof_report sample() {
  return {"Windows 10.0.22631", "C:\\apps\\hello.exe", "2026-01-02T03:04:05Z",
          {{"start", "RUNNING means serving", verdict::yes, "status 200", {}, 12},
           {"drain", "a stop completes requests", verdict::no, "7 of 8 <requests>", {}, 900},
           {"events", "the start is an event", verdict::not_observable, {}, "Wine keeps no event log", 0}}};
}

}  // namespace

TEST_CASE("the text has a line for each claim and the totals") {
  const std::string text = proof_text(sample());

  CHECK(has(text, "yes                 start       RUNNING means serving: status 200 (12 ms)\n"));
  CHECK(has(text, "no                  drain       a stop completes requests: 7 of 8 <requests> (900 ms)\n"));
  CHECK(has(text, "cannot be seen here events      the start is an event: Wine keeps no event log (0 ms)\n"));
  CHECK(has(text, "Windows 10.0.22631: 1 yes, 1 no, 1 cannot be seen here\n"));
}

TEST_CASE("the JSON has the reason of a claim that cannot be seen") {
  const auto json = winsvc::json::parse(proof_json(sample()));

  CHECK(json["yes"] == 1);
  CHECK(json["no"] == 1);
  CHECK(json["not_observable"] == 1);
  CHECK(json["program"] == "C:\\apps\\hello.exe");
  CHECK(json["proofs"][2]["verdict"] == "cannot be seen here");
  CHECK(json["proofs"][2]["reason"] == "Wine keeps no event log");
  CHECK(!json["proofs"][0].contains("reason"));
  CHECK(json["proofs"][1]["ms"] == 900);
}

TEST_CASE("the HTML page escapes what was observed and needs no other file") {
  const std::string page = proof_html(sample());

  CHECK(has(page, "7 of 8 &lt;requests&gt;"));
  CHECK(has(page, "1 yes, 1 no, 1 cannot be seen here"));
  CHECK(!has(page, "http://"));
  CHECK(!has(page, "https://"));
  CHECK(!has(page, "<script"));
}

TEST_CASE("only the instances of prove run its app") {
  using winsvc::detail::diagnose::is_prove_instance;

  CHECK(is_prove_instance("winsvc-prove-1234"));
  CHECK(!is_prove_instance("blue"));
  CHECK(!is_prove_instance("winsvc-prov"));
  CHECK(!is_prove_instance(""));
}
