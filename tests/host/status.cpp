// Text and JSON of `status` for a program that runs in a terminal. tests/cli/run_verb.cpp has those of a service.
#include "winsvc/host/status.hpp"

#include <doctest/doctest.h>

#include <string>

#include "winsvc/testing.hpp"

namespace host = winsvc::detail::host;

namespace {

const std::string live =
    R"({"pid":42,"state":"paused","url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","answered":7,)"
    R"("answered_in_minute":3,"failed_in_minute":1,"p50_us":250,"p99_us":1500,"connections":2,"in_flight":1,)"
    R"("websockets":0,"threads":4,"resident_bytes":12582912,"cpu_ms":250,"log_level":"info"})";

}  // namespace

TEST_CASE("the status of a program in a terminal has its state, process, address and start time") {
  const auto report = host::query_status_report("hello", live);

  CHECK(host::status_exit(report) == 3);  // not running
  CHECK(host::status_text(report) ==
        "hello: paused, pid 42, since 2026-01-31T08:05:09.250Z\n"
        "  url      http://127.0.0.1:5001\n"
        "  served   7 responses, 3 in the last minute (1 of them 5xx), median 250 us, 99th percentile 1500 us\n"
        "  open     2 connections, 1 request in flight, 0 WebSockets\n"
        "  process  4 pool threads, 12 MiB, 250 ms of processor time\n"
        "  log      info and above\n");
  const auto object = winsvc::json::parse(host::status_json(report));
  CHECK(object["name"] == "hello");
  CHECK(object["installed"] == true);
  CHECK(object["state"] == "paused");
  CHECK(object["pid"] == 42);
  CHECK(object["url"] == "http://127.0.0.1:5001");
  CHECK(object.value("since", "") == "2026-01-31T08:05:09.250Z");
  CHECK(object["live"]["answered"] == 7);
}

TEST_CASE("the status of a program without requests has no response times") {
  const auto report = host::query_status_report(
      "hello", R"({"pid":42,"state":"running","dashboard":"http://localhost:1/","log_level":"off",)"
               R"("log_failure":"full"})");

  CHECK(host::status_exit(report) == 0);
  CHECK(host::status_text(report) ==
        "hello: running, pid 42\n"
        "  page     http://localhost:1/\n"
        "  served   0 responses, 0 in the last minute\n"
        "  open     0 connections, 0 requests in flight, 0 WebSockets\n"
        "  process  0 pool threads, 0 MiB, 0 ms of processor time\n"
        "  log      off and above\n"
        "  log      full\n");
  CHECK(winsvc::json::parse(host::status_json(report)).at("since").is_null());
}
