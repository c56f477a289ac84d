// Metrics in the Prometheus text format 0.0.4: requests by route and status, durations, connections, process usage.
//
//   svc.metrics("/metrics");                                       // not available by default
//
//   http_requests_total{method="GET",route="/users/{id}",status="200"} 12
//   http_request_duration_seconds_bucket{route="/users/{id}",le="0.005"} 11
//
// The label of a route is its pattern, or "none" if no route matched, so that clients cannot create series. A message
// that was rejected before it became a request has the method "none" and no duration. A series starts with its first
// request. The duration of a stream ends with the stream, that of a WebSocket ends with the handshake.
//
// Counting a request takes three atomic additions, without a lock or an allocation.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/route/table.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

/// Values that are measured when the page is requested.
struct gauges {
  std::size_t in_flight = 0, connections = 0, websockets = 0;
  os::process_usage process;
  std::vector<std::pair<std::string, std::string>> build;  ///< labels of winsvc_build_info
};

/// Counters of requests by route, method and status, and a histogram of durations. `count` is thread-safe.
class request_counts {
 public:
  explicit request_counts(const route::table& routes);

  /// Counts a response. `route_id`: nullopt if no route matched. `method`: nullopt if the message was rejected before
  /// it became a request; its duration is not counted.
  void count(std::optional<std::size_t> route_id, std::optional<route::method> method, int status,
             std::chrono::microseconds elapsed) noexcept;

  /// Returns the text of the page.
  [[nodiscard]] std::string text(const gauges& now) const;

 private:
  /// Upper bounds of the histogram. A local service responds within microseconds, a service with a database within
  /// milliseconds.
  struct bucket_limit {
    std::int64_t microseconds;
    const char* seconds;
  };
  static constexpr std::array<bucket_limit, 14> bucket_limits = {{
      {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"}, {10000, "0.01"},
      {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
      {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
  }};

  // Memory order relaxed: a page that is written while requests are counted need not be consistent. The key of a slot
  // is written once; the count of a slot is 0 before that.
  using counter = std::atomic<std::uint64_t>;
  struct counter_slot {
    std::atomic<std::uint32_t> key{0};  ///< method and status; 0 means that the slot is free
    counter responses{0};
  };
  /// Counters of one pattern. Responses with further combinations of method and status are counted in `overflow`.
  struct route_counts {
    std::array<counter_slot, 48> status_counts;
    counter overflow{0};
    std::array<counter, bucket_limits.size() + 1> buckets{};  ///< by the first limit that is not exceeded; last: +Inf
    counter microseconds{0};
  };

  std::vector<std::string> labels_;         // [0] is "none"
  std::vector<std::size_t> label_by_id_;    // index into labels_; routes with one pattern share a label
  std::unique_ptr<route_counts[]> counts_;  // one per label
};

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

WINSVC_INLINE request_counts::request_counts(const route::table& routes) : labels_{"none"} {
  std::map<std::string, std::size_t> label_by_pattern;
  for (const auto& e : routes.entries()) {
    const auto [position, is_new] = label_by_pattern.emplace(e.path.text, labels_.size());
    if (is_new) labels_.push_back(e.path.text);
    label_by_id_.push_back(position->second);
  }
  counts_ = std::make_unique<route_counts[]>(labels_.size());
}

WINSVC_INLINE void request_counts::count(std::optional<std::size_t> route_id, std::optional<route::method> method,
                                         int status, std::chrono::microseconds elapsed) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  route_counts& counts = counts_[route_id && *route_id < label_by_id_.size() ? label_by_id_[*route_id] : 0];

  const std::uint32_t method_key = method ? static_cast<std::uint32_t>(*method) + 1 : 0;
  const std::uint32_t key = method_key << 16 | (static_cast<std::uint32_t>(status) & 0xFFFFu) | 1u << 31;
  counter* responses = &counts.overflow;
  for (auto& slot : counts.status_counts) {
    std::uint32_t existing = slot.key.load(relaxed);
    if (existing == 0 && slot.key.compare_exchange_strong(existing, key, relaxed)) existing = key;
    if (existing != key) continue;  // used for another key, which another thread may have written just now
    responses = &slot.responses;
    break;
  }
  responses->fetch_add(1, relaxed);
  if (!method) return;

  std::size_t bucket = 0;
  while (bucket < bucket_limits.size() && elapsed.count() > bucket_limits[bucket].microseconds) ++bucket;
  counts.buckets[bucket].fetch_add(1, relaxed);
  counts.microseconds.fetch_add(static_cast<std::uint64_t>(elapsed.count() < 0 ? 0 : elapsed.count()), relaxed);
}

/// Writer of the Prometheus text format.
class prometheus_text {
 public:
  using labels = std::vector<std::pair<std::string_view, std::string>>;

  void family(std::string_view name, std::string_view type, std::string_view help) {
    out += "# HELP " + std::string(name) + ' ' + std::string(help) + "\n# TYPE " + std::string(name) + ' ' +
           std::string(type) + '\n';
  }
  void sample(std::string_view name, const labels& sample_labels, std::string_view value) {
    out += name;
    char separator = '{';
    for (const auto& [label, text] : sample_labels) {
      out += separator + std::string(label) + "=\"" + escaped(text) + '"';
      separator = ',';
    }
    if (!sample_labels.empty()) out += '}';
    out += ' ' + std::string(value) + '\n';
  }
  /// Writes a family with one sample without labels.
  void gauge(std::string_view name, std::string_view type, std::string_view help, std::string_view value) {
    family(name, type, help);
    sample(name, {}, value);
  }

  /// Returns the value of a label: escapes backslash, quote and line feed, and replaces malformed UTF-8.
  static std::string escaped(std::string_view value) {
    std::string text;
    for (std::size_t position = 0; position < value.size();) {
      const char32_t c = base::next_code_point(value, position);
      if (c == U'\\' || c == U'"') text += '\\';
      if (c == U'\n') text += "\\n";
      else base::append_utf8(text, c);
    }
    return text;
  }
  /// Converts microseconds to seconds with a decimal point, regardless of the locale.
  static std::string seconds(std::uint64_t microseconds) {
    std::string fraction = std::to_string(microseconds % 1'000'000);
    fraction.insert(0, 6 - fraction.size(), '0');
    return std::to_string(microseconds / 1'000'000) + '.' + fraction;
  }

  std::string out;
};

WINSVC_INLINE std::string request_counts::text(const gauges& now) const {
  constexpr auto relaxed = std::memory_order_relaxed;
  prometheus_text page;

  page.family("http_requests_total", "counter", "Responses by method, pattern of the route, and status.");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const auto put = [&](const std::string& method, const std::string& status, std::uint64_t value) {
      if (value == 0) return;
      page.sample("http_requests_total", {{"method", method}, {"route", labels_[i]}, {"status", status}},
                  std::to_string(value));
    };
    for (const auto& s : counts_[i].status_counts) {
      const std::uint32_t key = s.key.load(relaxed), method = key >> 16 & 0x7FFFu;
      put(method == 0 ? "none" : std::string(route::name(static_cast<route::method>(method - 1))),
          std::to_string(key & 0xFFFFu), s.responses.load(relaxed));
    }
    put("other", "other", counts_[i].overflow.load(relaxed));
  }

  page.family("http_request_duration_seconds", "histogram",
              "Time from the head of a request to the end of its response, by route.");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const route_counts& counts = counts_[i];
    std::array<std::uint64_t, bucket_limits.size() + 1> up_to{};
    std::uint64_t sum = 0;
    for (std::size_t b = 0; b < up_to.size(); ++b) up_to[b] = sum += counts.buckets[b].load(relaxed);
    if (sum == 0) continue;
    for (std::size_t b = 0; b < up_to.size(); ++b) {
      page.sample("http_request_duration_seconds_bucket",
                  {{"route", labels_[i]}, {"le", b < bucket_limits.size() ? bucket_limits[b].seconds : "+Inf"}},
                  std::to_string(up_to[b]));
    }
    page.sample("http_request_duration_seconds_sum", {{"route", labels_[i]}},
                prometheus_text::seconds(counts.microseconds.load(relaxed)));
    page.sample("http_request_duration_seconds_count", {{"route", labels_[i]}}, std::to_string(sum));
  }

  page.gauge("http_requests_in_flight", "gauge", "Requests in flight, including this one.",
              std::to_string(now.in_flight));
  page.gauge("http_connections", "gauge", "Open connections.", std::to_string(now.connections));
  page.gauge("http_websockets", "gauge", "Open WebSockets.", std::to_string(now.websockets));
  const auto number = [](auto d) { return static_cast<std::uint64_t>(d.count() < 0 ? 0 : d.count()); };
  if (now.process.started.count() != 0) {
    page.gauge("process_start_time_seconds", "gauge", "Start time of the process in seconds since 1970.",
                prometheus_text::seconds(number(now.process.started) * 1000));
  }
  page.gauge("process_cpu_seconds_total", "counter", "Processor time used by the process.",
              prometheus_text::seconds(number(now.process.cpu)));
  if (now.process.resident != 0) {
    page.gauge("process_resident_memory_bytes", "gauge", "Resident memory of the process.",
                std::to_string(now.process.resident));
  }
  page.family("winsvc_build_info", "gauge", "Versions of the service and of its libraries; always 1.");
  page.sample("winsvc_build_info", {now.build.begin(), now.build.end()}, "1");
  return std::move(page.out);
}

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
