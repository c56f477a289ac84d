// Tests of the metrics, with a strict parser of the Prometheus text format.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using winsvc::request;
using winsvc::service;
using winsvc::detail::route::method;
using winsvc::testing::client;
using winsvc::detail::addons::gauges;
using winsvc::detail::addons::request_counts;

namespace {

using labels = std::map<std::string, std::string>;

struct page {
  std::map<std::string, std::string> types;                 ///< by name of the family
  std::map<std::string, std::map<labels, double>> samples;  ///< by name of the sample
  std::string error;

  double value(const std::string& name, const labels& sample_labels = {}) const {
    const auto family = samples.find(name);
    if (family == samples.end()) return -1;
    const auto sample = family->second.find(sample_labels);
    return sample == family->second.end() ? -1 : sample->second;
  }
};

bool is_name(const std::string& s, bool allow_colon) {
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
  for (const char c : s) {
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!is_word && !(allow_colon && c == ':')) return false;
  }
  return true;
}

/// Parses a line `name{label="value",...} number`. Returns the error, or "".
std::string parse_sample(const std::string& line, std::string& name, labels& sample_labels, double& value) {
  std::size_t position = line.find_first_of("{ ");
  if (position == line.npos) return "no value";
  name = line.substr(0, position);
  if (!is_name(name, true)) return "an invalid name";
  if (line[position] == '{') {
    do {
      const auto equals = line.find('=', ++position);
      if (equals == line.npos) return "a label without '='";
      const std::string label = line.substr(position, equals - position);
      if (!is_name(label, false)) return "an invalid label name";
      if (line[position = equals + 1] != '"') return "a label's value without a quote";
      std::string text;
      for (++position; position < line.size() && line[position] != '"'; ++position) {
        if (line[position] != '\\') {
          text += line[position];
          continue;
        }
        const char c = ++position < line.size() ? line[position] : '\0';
        if (c != '\\' && c != '"' && c != 'n') return "an invalid escape";
        text += c == 'n' ? '\n' : c;
      }
      if (position >= line.size()) return "a label's value without an end";
      if (!sample_labels.emplace(label, text).second) return "a label twice";
    } while (line[++position] == ',');
    if (line[position++] != '}') return "labels without an end";
  }
  if (line[position] != ' ' || position + 1 == line.size()) return "no blank before the value";
  char* end = nullptr;
  value = std::strtod(line.c_str() + position + 1, &end);
  const bool is_number = *end == '\0' && !std::isspace(static_cast<unsigned char>(line[position + 1]));
  return is_number ? "" : "a value that is not a number";
}

/// Returns the family of a sample: `a` for `a_bucket` if `a` is a histogram.
std::string family_of(const page& p, const std::string& name) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (name.size() <= suffix.size() || name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) continue;
    const std::string family = name.substr(0, name.size() - suffix.size());
    const auto type = p.types.find(family);
    if (type != p.types.end() && type->second == "histogram") return family;
  }
  return name;
}

/// Checks each series of a histogram: counts that do not decrease, `+Inf` last and equal to the count, a sum.
std::string check_histogram(const page& p, const std::string& name) {
  std::map<labels, std::map<double, double>> series;
  for (const auto& [sample_labels, value] : p.samples.at(name + "_bucket")) {
    labels series_labels = sample_labels;
    const auto le = series_labels.find("le");
    if (le == series_labels.end()) return "a bucket without le";
    const double limit = le->second == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(le->second);
    series_labels.erase(le);
    if (!series[series_labels].emplace(limit, value).second) return "a bucket twice";
  }
  for (const auto& [series_labels, buckets] : series) {
    double previous = 0;
    for (const auto& [limit, value] : buckets) {
      if (value < previous) return "buckets that are not cumulative";
      previous = value;
    }
    if (!std::isinf(buckets.rbegin()->first)) return "no +Inf";
    if (buckets.rbegin()->second != p.value(name + "_count", series_labels)) return "+Inf is not the count";
    if (p.value(name + "_sum", series_labels) < 0) return "no sum";
  }
  return {};
}

page parse(const std::string& text) {
  page p;
  if (text.empty() || text.back() != '\n') p.error = "the last line has no line end";
  std::set<std::string> done;
  std::string current;
  for (std::size_t position = 0; position < text.size() && p.error.empty();) {
    const auto end = text.find('\n', position);
    const std::string line = text.substr(position, end - position);
    position = end + 1;
    if (line.rfind("# HELP ", 0) == 0 || line.rfind("# TYPE ", 0) == 0) {
      const auto blank = line.find(' ', 7);
      const std::string name = line.substr(7, blank - 7);
      if (blank == line.npos || !is_name(name, true)) p.error = "a comment without a name: " + line;
      if (name != current && !done.insert(current = name).second) p.error = "a family twice: " + line;
      if (line[2] != 'T') continue;
      const std::string type = line.substr(blank + 1);
      if (type != "counter" && type != "gauge" && type != "histogram") p.error = "an invalid type: " + line;
      if (!p.types.emplace(name, type).second) p.error = "a type twice: " + line;
      continue;
    }
    std::string name;
    labels sample_labels;
    double value = 0;
    p.error = parse_sample(line, name, sample_labels, value);
    if (p.error.empty() && family_of(p, name) != current) p.error = "a sample outside its family";
    if (p.error.empty() && !p.samples[name].emplace(sample_labels, value).second) p.error = "a sample twice";
    if (p.error.empty() && (p.types[current] == "counter") && (value < 0 || name.find("_total") + 6 != name.size()))
      p.error = "an invalid counter";
    if (!p.error.empty()) p.error += ": " + line;
  }
  for (const auto& [name, type] : p.types) {
    if (p.error.empty() && type == "histogram" && p.samples.count(name + "_bucket")) p.error = check_histogram(p, name);
  }
  return p;
}

page measured(client& c) {
  const auto r = c.get("/metrics");
  CHECK(r.status == 200);
  CHECK(r.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  page p = parse(r.body);
  CHECK(p.error == "");
  return p;
}

winsvc::detail::route::table table_of(const std::vector<std::pair<method, std::string>>& routes) {
  winsvc::detail::route::table t;
  for (const auto& [method, pattern] : routes) t.add(method, pattern, t.entries().size(), {"app.cpp", 1});
  return t;
}

}  // namespace

TEST_CASE("the parser of these tests finds errors") {
  for (const char* bad : {
           "a 1", "a\n", "1a 1\n", "a{x=1} 1\n", "a{x=\"1\" 1\n", "a{x=\"\\t\"} 1\n", "a x\n", "a 1 \n", "a  1\n",
           "a{x=\"1\",x=\"2\"} 1\n", "# TYPE a counter\na 1\n", "# TYPE a_total counter\na_total 1\na_total 1\n",
           "# TYPE a thing\n", "# TYPE a gauge\nb 1\n",
           "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
           "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
           "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
       }) {
    CAPTURE(bad);
    CHECK(parse(bad).error != "");
  }
}

TEST_CASE("there are no metrics by default") {
  auto app = [](service&) {};
  CHECK(client(app).get("/metrics").status == 404);
}

TEST_CASE("requests are counted by method, pattern and status") {
  auto app = [](service& svc) {
    svc.metrics();
    svc.get("/users/{id}", [](int id) { return std::to_string(id); });
    svc.del("/users/{id}", [](int) { return winsvc::reply(204); });
    svc.get("/fails", []() -> std::string { throw std::runtime_error("x"); });
    svc.group("/inner", [](winsvc::route_group& g) {
      g.use([](const request&, winsvc::response& res, const winsvc::next_handler&) { res.status = 401; });
      g.get("/", [] { return ""; });
    });
  };
  client c(app);
  for (int id = 0; id < 3; ++id) c.get("/users/" + std::to_string(id));
  c.get("/users/bob");
  c.head("/users/1");
  c.del("/users/1");
  c.post("/users/1", "x");
  c.get("/nowhere");
  c.get("/fails");
  c.get("/inner");
  static_cast<void>(c.raw("GET / HTTP/1.1\r\n\r\n"));
  const auto p = measured(c);
  const auto count = [&p](const char* method, const char* route, const char* status) {
    return p.value("http_requests_total", {{"method", method}, {"route", route}, {"status", status}});
  };

  CHECK(count("GET", "/users/{id}", "200") == 3);
  CHECK(count("GET", "/users/{id}", "404") == 1);
  CHECK(count("HEAD", "/users/{id}", "200") == 1);
  CHECK(count("DELETE", "/users/{id}", "204") == 1);
  CHECK(count("POST", "none", "405") == 1);
  CHECK(count("GET", "none", "404") == 1);
  CHECK(count("GET", "/fails", "500") == 1);
  CHECK(count("GET", "/inner", "401") == 1);
  CHECK(count("none", "none", "400") == 1);
  CHECK(p.samples.at("http_requests_total").size() == 9);
  CHECK(p.value("http_request_duration_seconds_count", {{"route", "/users/{id}"}}) == 6);
  CHECK(p.value("http_request_duration_seconds_count", {{"route", "none"}}) == 2);  // without the malformed request
  CHECK(measured(c).value("http_requests_total", {{"method", "GET"}, {"route", "/metrics"}, {"status", "200"}}) == 1);
}

TEST_CASE("the page has the process usage and the versions, and is served while the service is paused") {
  auto app = [](service& svc) { svc.name("hello").version("1.\"2\"").metrics("/m"); };
  client c(app);
  c.engine().pause(true);
  const auto r = c.get("/m");
  const auto p = parse(r.body);

  CHECK(p.error == "");
  CHECK(p.value("http_requests_in_flight") == 1);
  CHECK(p.value("http_connections") == 0);
  CHECK(p.value("http_websockets") == 0);
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(p.value("process_start_time_seconds") > now - 3600);
  CHECK(p.value("process_start_time_seconds") <= now);
  CHECK(p.value("process_cpu_seconds_total") >= 0);
  CHECK(p.value("process_resident_memory_bytes") > 1 << 20);
  CHECK(p.value("winsvc_build_info", {{"service", "hello"}, {"version", "1.\"2\""}, {"winsvc", WINSVC_VERSION_STRING},
                                   {"httplib", CPPHTTPLIB_VERSION}}) == 1);
}

TEST_CASE("a duration is counted in all buckets whose limit it does not exceed") {
  const auto t = table_of({{method::get, "/"}});
  request_counts counts(t);
  for (const auto elapsed : {0us, 500us, 501us, 10000000us, 10000001us}) counts.count(0, method::get, 200, elapsed);
  const auto p = parse(counts.text({}));
  const auto up_to = [&p](const char* le) {
    return p.value("http_request_duration_seconds_bucket", {{"route", "/"}, {"le", le}});
  };

  CHECK(p.error == "");
  CHECK(up_to("0.0005") == 2);
  CHECK(up_to("0.001") == 3);
  CHECK(up_to("5") == 3);
  CHECK(up_to("10") == 4);
  CHECK(up_to("+Inf") == 5);
  CHECK(p.value("http_request_duration_seconds_sum", {{"route", "/"}}) == doctest::Approx(20.001002));
}

TEST_CASE("routes with the same pattern are one series") {
  const auto t = table_of({{method::get, "/a"}, {method::put, "/a"}, {method::get, "/b"}});
  request_counts counts(t);
  counts.count(0, method::get, 200, 1us);
  counts.count(1, method::put, 200, 1us);
  const auto p = parse(counts.text({}));

  CHECK(p.error == "");
  CHECK(p.value("http_request_duration_seconds_count", {{"route", "/a"}}) == 2);
  CHECK(p.value("http_request_duration_seconds_count", {{"route", "/b"}}) == -1);
  CHECK(p.value("http_requests_total", {{"method", "PUT"}, {"route", "/a"}, {"status", "200"}}) == 1);
}

TEST_CASE("the value of a label is escaped, and invalid UTF-8 is replaced") {
  const auto t = table_of({{method::get, "/a\"b\\c \xC3\xBC"}});
  request_counts counts(t);
  counts.count(0, method::get, 200, 1us);
  gauges now;
  now.build = {{"version", "line\nfeed \xFF \\n"}};
  const auto text = counts.text(now);
  const auto p = parse(text);

  CHECK(p.error == "");
  CHECK(text.find("route=\"/a\\\"b\\\\c \xC3\xBC\"") != std::string::npos);
  CHECK(p.value("http_requests_total", {{"method", "GET"}, {"route", "/a\"b\\c \xC3\xBC"}, {"status", "200"}}) == 1);
  CHECK(p.value("winsvc_build_info", {{"version", "line\nfeed \xEF\xBF\xBD \\n"}}) == 1);
}

TEST_CASE("statuses without a free slot are counted as other") {
  const auto t = table_of({{method::any, "/"}});
  request_counts counts(t);
  for (int status = 100; status < 600; ++status) counts.count(0, method::get, status, 1us);
  const auto p = parse(counts.text({}));
  double sum = 0;
  for (const auto& [sample_labels, value] : p.samples.at("http_requests_total")) sum += value;

  CHECK(p.error == "");
  CHECK(sum == 500);
  CHECK(p.value("http_requests_total", {{"method", "other"}, {"route", "/"}, {"status", "other"}}) > 0);
  CHECK(p.value("http_request_duration_seconds_count", {{"route", "/"}}) == 500);
}

TEST_CASE("concurrent threads lose no counts, and each page in between is valid") {
  const auto t = table_of({{method::get, "/"}, {method::get, "/b"}});
  request_counts counts(t);
  constexpr int count_per_thread = 20000;
  std::atomic<bool> done{false};
  std::string error;
  std::thread reader([&] {
    while (!done && error.empty()) error = parse(counts.text({})).error;
  });
  std::vector<std::thread> writers;
  for (int n = 0; n < 4; ++n) {
    writers.emplace_back([&, n] {
      for (int i = 0; i < count_per_thread; ++i)
        counts.count(static_cast<std::size_t>(i % 2), method::get, 200 + (i + n) % 10, std::chrono::microseconds(i));
    });
  }
  for (auto& w : writers) w.join();
  done = true;
  reader.join();
  const auto p = parse(counts.text({}));
  double sum = 0;
  for (const auto& [sample_labels, value] : p.samples.at("http_requests_total")) sum += value;

  CHECK(error == "");
  CHECK(sum == 4 * count_per_thread);
  CHECK(p.samples.at("http_requests_total").size() == 20);
}
