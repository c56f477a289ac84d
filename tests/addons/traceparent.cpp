// Trace context of adapters/winsvc/traceparent.hpp.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

#include "../../adapters/winsvc/traceparent.hpp"

using winsvc::adapters::trace_context;

namespace {

const std::string caller = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string valid = "00-" + caller + "-00f067aa0ba902b7-01";

}  // namespace

TEST_CASE("a request continues the trace of its caller with a new span") {
  const auto trace = trace_context::continue_trace(valid);

  CHECK(trace.trace_id == caller);
  CHECK(trace.span_id.size() == 16);
  CHECK(trace.span_id != "00f067aa0ba902b7");
  CHECK(trace.sampled);
  CHECK(trace.child().trace_id == caller);
  CHECK(trace.child().span_id != trace.span_id);
  CHECK(trace_context::continue_trace(trace.child().header()).trace_id == caller);
  CHECK(trace.log_prefix() == "trace=" + caller + " span=" + trace.span_id + ' ');
}

TEST_CASE("a missing or invalid header starts a new trace") {
  const std::string zero_trace(32, '0'), zero_span(16, '0');
  const std::string values[] = {
      "", "00", valid + "-", valid + "0", valid.substr(0, 54), "ff" + valid.substr(2), "0g" + valid.substr(2),
      "00-" + zero_trace + "-00f067aa0ba902b7-01", "00-" + caller + '-' + zero_span + "-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00_" + valid.substr(3), "01" + valid.substr(2) + "x"};
  for (const std::string& value : values) {
    CAPTURE(value);
    const auto trace = trace_context::continue_trace(value);
    CHECK(trace.trace_id.size() == 32);
    CHECK(trace.trace_id != caller);
    CHECK(trace.trace_id != zero_trace);
    CHECK(!trace.sampled);
  }
}

TEST_CASE("a later version with more parts continues the trace") {
  CHECK(trace_context::continue_trace("01" + valid.substr(2) + "-more").trace_id == caller);
  CHECK(trace_context::continue_trace("01" + valid.substr(2)).trace_id == caller);
}

TEST_CASE("the context of a request is that of its header traceparent") {
  auto app = [](winsvc::service& svc) {
    svc.get("/", [](const winsvc::request& req) { return trace_context::of(req).trace_id; });
  };
  winsvc::testing::client client(app);

  CHECK(client.get("/", {{"traceparent", valid}}).body == caller);
  CHECK(client.get("/").body.size() == 32);
}
