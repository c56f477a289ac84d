// What the service has answered, and what it costs, in Prometheus' text format 0.0.4.
//
//   svc.metrics("/metrics");                                       // off unless asked for
//
//   http_requests_total{method="GET",route="/users/{id}",status="200"} 12
//   http_request_duration_seconds_bucket{route="/users/{id}",le="0.005"} 11
//
// A route's label is its pattern, "none" where no route matched, so that no client can make series. What was refused
// before it was a request has method "none" too, and no duration. A series begins with its first request. An answer
// that streams lasts until it ends; a WebSocket until it is open.
//
// Counting is four additions to atomics of the route's own, without lock or allocation; off, it is nothing.
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
namespace web {

/// What is measured when it is asked for, and not counted.
struct gauges {
  std::size_t in_flight = 0, connections = 0, websockets = 0;
  os::process_usage process;
  std::vector<std::pair<std::string, std::string>> build;  ///< labels of winsvc_build_info
};

/// Requests by route, method and status, and how long they took. `count` from any thread.
class request_counts {
 public:
  explicit request_counts(const route::table& routes);

  /// One that was answered. `id`: of the route, nothing where none matched. `verb`: nothing where there was no request
  /// either; it has no duration.
  void count(std::optional<std::size_t> id, std::optional<route::method> verb, int status,
             std::chrono::microseconds elapsed) noexcept;

  /// The whole page.
  [[nodiscard]] std::string text(const gauges& now) const;

 private:
  /// Upper bounds of the histogram: a service on this machine answers in microseconds, one that asks a database in
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

  // All of it relaxed: a page that is read while requests are counted is one of many possible moments. A slot's key is
  // written once, and its count means nothing to anyone before that.
  using counter = std::atomic<std::uint64_t>;
  struct counter_slot {
    std::atomic<std::uint32_t> key{0};  ///< method and status; 0 is free
    counter responses{0};
  };
  /// Of one pattern. A handler that answers with more than this many different statuses gets the rest in one sum.
  struct route_counts {
    std::array<counter_slot, 48> status_counts;
    counter overflow{0};
    std::array<counter, bucket_limits.size() + 1> buckets{};  ///< by the first bound it is not above; the last is for the rest
    counter microseconds{0};
  };

  std::vector<std::string> labels_;               // [0] is "none"
  std::vector<std::size_t> by_id_;                // into labels_: routes of one pattern share theirs
  std::unique_ptr<route_counts[]> counts_;        // one for each label
};

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

WINSVC_INLINE request_counts::request_counts(const route::table& routes) : labels_{"none"} {
  std::map<std::string, std::size_t> known;
  for (const auto& e : routes.entries()) {
    const auto [at, fresh] = known.emplace(e.path.text, labels_.size());
    if (fresh) labels_.push_back(e.path.text);
    by_id_.push_back(at->second);
  }
  counts_ = std::make_unique<route_counts[]>(labels_.size());
}

WINSVC_INLINE void request_counts::count(std::optional<std::size_t> id, std::optional<route::method> verb, int status,
                                  std::chrono::microseconds elapsed) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  route_counts& to = counts_[id && *id < by_id_.size() ? by_id_[*id] : 0];

  const std::uint32_t method = verb ? static_cast<std::uint32_t>(*verb) + 1 : 0;
  const std::uint32_t key = method << 16 | (static_cast<std::uint32_t>(status) & 0xFFFFu) | 1u << 31;
  counter* answered = &to.overflow;
  for (auto& s : to.status_counts) {
    std::uint32_t existing = s.key.load(relaxed);
    if (existing == 0 && s.key.compare_exchange_strong(existing, key, relaxed)) existing = key;
    if (existing != key) continue;  // somebody else's, perhaps since a moment ago
    answered = &s.responses;
    break;
  }
  answered->fetch_add(1, relaxed);
  if (!verb) return;

  std::size_t bucket = 0;
  while (bucket < bucket_limits.size() && elapsed.count() > bucket_limits[bucket].microseconds) ++bucket;
  to.buckets[bucket].fetch_add(1, relaxed);
  to.microseconds.fetch_add(static_cast<std::uint64_t>(elapsed.count() < 0 ? 0 : elapsed.count()), relaxed);
}

/// The text format, line by line.
class prometheus_text {
 public:
  using labels = std::vector<std::pair<std::string_view, std::string>>;

  void family(std::string_view name, std::string_view type, std::string_view help) {
    out += "# HELP " + std::string(name) + ' ' + std::string(help) + "\n# TYPE " + std::string(name) + ' ' +
           std::string(type) + '\n';
  }
  void sample(std::string_view name, const labels& labels, std::string_view value) {
    out += name;
    char before = '{';
    for (const auto& [label, text] : labels) {
      out += before + std::string(label) + "=\"" + escaped(text) + '"';
      before = ',';
    }
    if (!labels.empty()) out += '}';
    out += ' ' + std::string(value) + '\n';
  }
  /// A family of one sample without labels.
  void gauge(std::string_view name, std::string_view type, std::string_view help, std::string_view value) {
    family(name, type, help);
    sample(name, {}, value);
  }

  /// A label's value: backslash, quote and line feed escaped, malformed UTF-8 replaced.
  static std::string escaped(std::string_view value) {
    std::string text;
    for (std::size_t position = 0; position < value.size();) {
      const char32_t c = strings::next_code_point(value, position);
      if (c == U'\\' || c == U'"') text += '\\';
      if (c == U'\n') text += "\\n";
      else strings::append_utf8(text, c);
    }
    return text;
  }
  /// A count of microseconds as seconds, without a locale's idea of a decimal point.
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

  page.family("http_requests_total", "counter", "Answers, by method, pattern of the route, and status.");
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

  page.family("http_request_duration_seconds", "histogram", "From a request's head to its answer's end, by route.");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const route_counts& of = counts_[i];
    std::array<std::uint64_t, bucket_limits.size() + 1> up_to{};
    std::uint64_t sum = 0;
    for (std::size_t b = 0; b < up_to.size(); ++b) up_to[b] = sum += of.buckets[b].load(relaxed);
    if (sum == 0) continue;
    for (std::size_t b = 0; b < up_to.size(); ++b) {
      page.sample("http_request_duration_seconds_bucket",
                  {{"route", labels_[i]}, {"le", b < bucket_limits.size() ? bucket_limits[b].seconds : "+Inf"}},
                  std::to_string(up_to[b]));
    }
    page.sample("http_request_duration_seconds_sum", {{"route", labels_[i]}},
                prometheus_text::seconds(of.microseconds.load(relaxed)));
    page.sample("http_request_duration_seconds_count", {{"route", labels_[i]}}, std::to_string(sum));
  }

  page.gauge("http_requests_in_flight", "gauge", "Requests that are being answered, this one too.",
              std::to_string(now.in_flight));
  page.gauge("http_connections", "gauge", "Open connections.", std::to_string(now.connections));
  page.gauge("http_websockets", "gauge", "Open WebSockets.", std::to_string(now.websockets));
  const auto number = [](auto d) { return static_cast<std::uint64_t>(d.count() < 0 ? 0 : d.count()); };
  if (now.process.started.count() != 0) {
    page.gauge("process_start_time_seconds", "gauge", "When the process was started, since 1970.",
                prometheus_text::seconds(number(now.process.started) * 1000));
  }
  page.gauge("process_cpu_seconds_total", "counter", "Time of processors that the process has used.",
              prometheus_text::seconds(number(now.process.cpu)));
  if (now.process.resident != 0) {
    page.gauge("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.",
                std::to_string(now.process.resident));
  }
  page.family("winsvc_build_info", "gauge", "What this is; always 1.");
  page.sample("winsvc_build_info", {now.build.begin(), now.build.end()}, "1");
  return std::move(page.out);
}

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
