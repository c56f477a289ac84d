// W3C trace context: reads the header `traceparent` of a request, and makes the one of a request to another service.
//
//   svc.get("/", [&svc](const winsvc::request& req) {
//     const auto trace = winsvc::adapters::trace_context::of(req);
//     svc.log().info(trace.log_prefix() + "greeting");      // trace=4bf9... span=00f0... greeting
//     call_other_service({{"traceparent", trace.child().header()}});
//     return "hello";
//   });
//
// Opt-in: nothing else includes it. It needs no other library. A request without a valid header starts a new trace. IDs
// are random; the flag `sampled` is passed on, and is off in a new trace.
// Source: W3C Recommendation "Trace Context", level 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <winsvc.hpp>

namespace winsvc {
namespace adapters {

/// The trace and the span of one request.
struct trace_context {
  std::string trace_id;  ///< 32 hexadecimal digits, lower case
  std::string span_id;   ///< 16 hexadecimal digits
  bool sampled = false;

  /// Returns the context of a request: a new span of the caller's trace, or of a new trace.
  static trace_context of(const request& req) { return continue_trace(header_text(req, "traceparent")); }
  /// Returns a new span of the trace in a header value; of a new trace if the value is not valid.
  static trace_context continue_trace(std::string_view value) {
    trace_context context{random_digits(32), random_digits(16), false};
    // version "-" trace ID "-" parent ID "-" flags; a later version may append more parts
    const bool has_parts = value.size() >= 55 && value[2] == '-' && value[35] == '-' && value[52] == '-';
    if (!has_parts || !is_hexadecimal(value.substr(0, 2)) || value.substr(0, 2) == "ff") return context;
    if (value.substr(0, 2) == "00" ? value.size() != 55 : value.size() > 55 && value[55] != '-') return context;
    const auto trace = value.substr(3, 32), parent = value.substr(36, 16), flags = value.substr(53, 2);
    if (!is_hexadecimal(trace) || !is_hexadecimal(parent) || !is_hexadecimal(flags)) return context;
    if (is_zero(trace) || is_zero(parent)) return context;
    context.trace_id = std::string(trace);
    context.sampled = (digit(flags[1]) & 1) != 0;
    return context;
  }
  /// Returns a new span of the same trace, for a request to another service.
  [[nodiscard]] trace_context child() const { return {trace_id, random_digits(16), sampled}; }
  /// Returns the value of the header `traceparent`.
  [[nodiscard]] std::string header() const {
    return "00-" + trace_id + '-' + span_id + (sampled ? "-01" : "-00");
  }
  /// Returns `trace=... span=... ` for a log line.
  [[nodiscard]] std::string log_prefix() const { return "trace=" + trace_id + " span=" + span_id + ' '; }

 private:
  static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }
  static bool is_hexadecimal(std::string_view text) {
    for (const char c : text) {
      if (digit(c) < 0) return false;
    }
    return true;
  }
  static bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }
  /// Returns random hexadecimal digits that are not all zero.
  static std::string random_digits(std::size_t count) {
    thread_local std::mt19937_64 generator{std::random_device{}() ^ (std::uint64_t{std::random_device{}()} << 32)};
    std::string text;
    do {
      text.clear();
      while (text.size() < count) text += "0123456789abcdef"[generator() % 16];
    } while (is_zero(text));
    return text;
  }
};

}  // namespace adapters
}  // namespace winsvc
