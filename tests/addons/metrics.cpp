// Prometheus' text, read by a parser that forgives nothing.
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
using winsvc::route::method;
using winsvc::testing::client;
using winsvc::web::gauges;
using winsvc::web::request_counts;

namespace {

using labels = std::map<std::string, std::string>;

struct page {
  std::map<std::string, std::string> types;            ///< of families
  std::map<std::string, std::map<labels, double>> of;  ///< by name of the sample
  std::string fault;

  double at(const std::string& name, const labels& labels = {}) const {
    const auto family = of.find(name);
    if (family == of.end()) return -1;
    const auto sample = family->second.find(labels);
    return sample == family->second.end() ? -1 : sample->second;
  }
};

bool is_name(const std::string& s, bool colons) {
  if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
  for (const char c : s) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!word && !(colons && c == ':')) return false;
  }
  return true;
}

/// One line `name{label="value",...} number`. What is wrong with it, or nothing.
std::string take_sample(const std::string& line, std::string& name, labels& labels, double& value) {
  std::size_t position = line.find_first_of("{ ");
  if (position == line.npos) return "no value";
  name = line.substr(0, position);
  if (!is_name(name, true)) return "a name that is none";
  if (line[position] == '{') {
    do {
      const auto equals = line.find('=', ++position);
      if (equals == line.npos) return "a label without '='";
      const std::string label = line.substr(position, equals - position);
      if (!is_name(label, false)) return "a label's name that is none";
      if (line[position = equals + 1] != '"') return "a label's value without a quote";
      std::string text;
      for (++position; position < line.size() && line[position] != '"'; ++position) {
        if (line[position] != '\\') {
          text += line[position];
          continue;
        }
        const char c = ++position < line.size() ? line[position] : '\0';
        if (c != '\\' && c != '"' && c != 'n') return "an escape that is none";
        text += c == 'n' ? '\n' : c;
      }
      if (position >= line.size()) return "a label's value without an end";
      if (!labels.emplace(label, text).second) return "a label twice";
    } while (line[++position] == ',');
    if (line[position++] != '}') return "labels without an end";
  }
  if (line[position] != ' ' || position + 1 == line.size()) return "no blank before the value";
  char* end = nullptr;
  value = std::strtod(line.c_str() + position + 1, &end);
  return *end != '\0' || std::isspace(static_cast<unsigned char>(line[position + 1])) ? "a value that is no number" : "";
}

/// Of `a_bucket` the family `a`, where that is a histogram.
std::string family_of(const page& p, const std::string& name) {
  for (const std::string ending : {"_bucket", "_sum", "_count"}) {
    if (name.size() <= ending.size() || name.compare(name.size() - ending.size(), ending.size(), ending) != 0) continue;
    const std::string family = name.substr(0, name.size() - ending.size());
    const auto type = p.types.find(family);
    if (type != p.types.end() && type->second == "histogram") return family;
  }
  return name;
}

/// Each series of a histogram: bounds that rise, counts that do not fall, `+Inf` last and equal to the count.
std::string check_histogram(const page& p, const std::string& name) {
  std::map<labels, std::map<double, double>> series;
  for (const auto& [with, value] : p.of.at(name + "_bucket")) {
    labels rest = with;
    const auto le = rest.find("le");
    if (le == rest.end()) return "a bucket without le";
    const double bound = le->second == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(le->second);
    rest.erase(le);
    if (!series[rest].emplace(bound, value).second) return "a bucket twice";
  }
  for (const auto& [with, buckets] : series) {
    double before = 0;
    for (const auto& [bound, value] : buckets) {
      if (value < before) return "buckets that are not cumulative";
      before = value;
    }
    if (!std::isinf(buckets.rbegin()->first)) return "no +Inf";
    if (buckets.rbegin()->second != p.at(name + "_count", with)) return "+Inf is not the count";
    if (p.at(name + "_sum", with) < 0) return "no sum";
  }
  return {};
}

page parse(const std::string& text) {
  page p;
  if (text.empty() || text.back() != '\n') p.fault = "the last line has no end";
  std::set<std::string> done;
  std::string current;
  for (std::size_t position = 0; position < text.size() && p.fault.empty();) {
    const auto end = text.find('\n', position);
    const std::string line = text.substr(position, end - position);
    position = end + 1;
    if (line.rfind("# HELP ", 0) == 0 || line.rfind("# TYPE ", 0) == 0) {
      const auto blank = line.find(' ', 7);
      const std::string name = line.substr(7, blank - 7);
      if (blank == line.npos || !is_name(name, true)) p.fault = "a comment without a name: " + line;
      if (name != current && !done.insert(current = name).second) p.fault = "a family twice: " + line;
      if (line[2] != 'T') continue;
      const std::string type = line.substr(blank + 1);
      if (type != "counter" && type != "gauge" && type != "histogram") p.fault = "a type that is none: " + line;
      if (!p.types.emplace(name, type).second) p.fault = "a type twice: " + line;
      continue;
    }
    std::string name;
    labels labels;
    double value = 0;
    p.fault = take_sample(line, name, labels, value);
    if (p.fault.empty() && family_of(p, name) != current) p.fault = "a sample outside of its family";
    if (p.fault.empty() && !p.of[name].emplace(labels, value).second) p.fault = "a sample twice";
    if (p.fault.empty() && (p.types[current] == "counter") && (value < 0 || name.find("_total") + 6 != name.size()))
      p.fault = "a counter that is none";
    if (!p.fault.empty()) p.fault += ": " + line;
  }
  for (const auto& [name, type] : p.types) {
    if (p.fault.empty() && type == "histogram" && p.of.count(name + "_bucket")) p.fault = check_histogram(p, name);
  }
  return p;
}

page measured(client& c) {
  const auto r = c.get("/metrics");
  CHECK(r.status == 200);
  CHECK(r.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  page p = parse(r.body);
  CHECK(p.fault == "");
  return p;
}

winsvc::route::table table_of(const std::vector<std::pair<method, std::string>>& routes) {
  winsvc::route::table t;
  for (const auto& [verb, pattern] : routes) t.add(verb, pattern, t.entries().size(), {"app.cpp", 1});
  return t;
}

}  // namespace

TEST_CASE("the parser of these tests sees what is wrong") {
  for (const char* bad : {
           "a 1", "a\n", "1a 1\n", "a{x=1} 1\n", "a{x=\"1\" 1\n", "a{x=\"\\t\"} 1\n", "a x\n", "a 1 \n", "a  1\n",
           "a{x=\"1\",x=\"2\"} 1\n", "# TYPE a counter\na 1\n", "# TYPE a_total counter\na_total 1\na_total 1\n",
           "# TYPE a thing\n", "# TYPE a gauge\nb 1\n",
           "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
           "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
           "# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_sum 1\na_count 1\n",
       }) {
    CAPTURE(bad);
    CHECK(parse(bad).fault != "");
  }
}

TEST_CASE("there are no metrics unless they are asked for") {
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
  const auto count = [&p](const char* verb, const char* route, const char* status) {
    return p.at("http_requests_total", {{"method", verb}, {"route", route}, {"status", status}});
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
  CHECK(p.of.at("http_requests_total").size() == 9);
  CHECK(p.at("http_request_duration_seconds_count", {{"route", "/users/{id}"}}) == 6);
  CHECK(p.at("http_request_duration_seconds_count", {{"route", "none"}}) == 2);  // not what was no request
  CHECK(measured(c).at("http_requests_total", {{"method", "GET"}, {"route", "/metrics"}, {"status", "200"}}) == 1);
}

TEST_CASE("the page says how the process does and what it is, and answers while the service is paused") {
  auto app = [](service& svc) { svc.name("hello").version("1.\"2\"").metrics("/m"); };
  client c(app);
  c.engine().pause(true);
  const auto r = c.get("/m");
  const auto p = parse(r.body);

  CHECK(p.fault == "");
  CHECK(p.at("http_requests_in_flight") == 1);
  CHECK(p.at("http_connections") == 0);
  CHECK(p.at("http_websockets") == 0);
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(p.at("process_start_time_seconds") > now - 3600);
  CHECK(p.at("process_start_time_seconds") <= now);
  CHECK(p.at("process_cpu_seconds_total") >= 0);
  CHECK(p.at("process_resident_memory_bytes") > 1 << 20);
  CHECK(p.at("winsvc_build_info", {{"service", "hello"}, {"version", "1.\"2\""}, {"winsvc", WINSVC_VERSION_STRING},
                                   {"httplib", CPPHTTPLIB_VERSION}}) == 1);
}

TEST_CASE("a duration is counted in the buckets from its bound on, and at the bound itself") {
  const auto t = table_of({{method::get, "/"}});
  request_counts counts(t);
  for (const auto elapsed : {0us, 500us, 501us, 10000000us, 10000001us}) counts.count(0, method::get, 200, elapsed);
  const auto p = parse(counts.text({}));
  const auto up_to = [&p](const char* le) {
    return p.at("http_request_duration_seconds_bucket", {{"route", "/"}, {"le", le}});
  };

  CHECK(p.fault == "");
  CHECK(up_to("0.0005") == 2);
  CHECK(up_to("0.001") == 3);
  CHECK(up_to("5") == 3);
  CHECK(up_to("10") == 4);
  CHECK(up_to("+Inf") == 5);
  CHECK(p.at("http_request_duration_seconds_sum", {{"route", "/"}}) == doctest::Approx(20.001002));
}

TEST_CASE("routes of one pattern are one series") {
  const auto t = table_of({{method::get, "/a"}, {method::put, "/a"}, {method::get, "/b"}});
  request_counts counts(t);
  counts.count(0, method::get, 200, 1us);
  counts.count(1, method::put, 200, 1us);
  const auto p = parse(counts.text({}));

  CHECK(p.fault == "");
  CHECK(p.at("http_request_duration_seconds_count", {{"route", "/a"}}) == 2);
  CHECK(p.at("http_request_duration_seconds_count", {{"route", "/b"}}) == -1);
  CHECK(p.at("http_requests_total", {{"method", "PUT"}, {"route", "/a"}, {"status", "200"}}) == 1);
}

TEST_CASE("a label's value is escaped, and no bytes of a stranger's make the page unreadable") {
  const auto t = table_of({{method::get, "/a\"b\\c \xC3\xBC"}});
  request_counts counts(t);
  counts.count(0, method::get, 200, 1us);
  gauges now;
  now.build = {{"version", "line\nfeed \xFF \\n"}};
  const auto text = counts.text(now);
  const auto p = parse(text);

  CHECK(p.fault == "");
  CHECK(text.find("route=\"/a\\\"b\\\\c \xC3\xBC\"") != std::string::npos);
  CHECK(p.at("http_requests_total", {{"method", "GET"}, {"route", "/a\"b\\c \xC3\xBC"}, {"status", "200"}}) == 1);
  CHECK(p.at("winsvc_build_info", {{"version", "line\nfeed \xEF\xBF\xBD \\n"}}) == 1);
}

TEST_CASE("an answer of every status there is: what has no place of its own is still in the sum") {
  const auto t = table_of({{method::any, "/"}});
  request_counts counts(t);
  for (int status = 100; status < 600; ++status) counts.count(0, method::get, status, 1us);
  const auto p = parse(counts.text({}));
  double sum = 0;
  for (const auto& [with, value] : p.of.at("http_requests_total")) sum += value;

  CHECK(p.fault == "");
  CHECK(sum == 500);
  CHECK(p.at("http_requests_total", {{"method", "other"}, {"route", "/"}, {"status", "other"}}) > 0);
  CHECK(p.at("http_request_duration_seconds_count", {{"route", "/"}}) == 500);
}

TEST_CASE("counts of many threads at once are all there, and every page on the way is a good one") {
  const auto t = table_of({{method::get, "/"}, {method::get, "/b"}});
  request_counts counts(t);
  constexpr int each = 20000;
  std::atomic<bool> done{false};
  std::string fault;
  std::thread reader([&] {
    while (!done && fault.empty()) fault = parse(counts.text({})).fault;
  });
  std::vector<std::thread> writers;
  for (int n = 0; n < 4; ++n) {
    writers.emplace_back([&, n] {
      for (int i = 0; i < each; ++i)
        counts.count(static_cast<std::size_t>(i % 2), method::get, 200 + (i + n) % 10, std::chrono::microseconds(i));
    });
  }
  for (auto& w : writers) w.join();
  done = true;
  reader.join();
  const auto p = parse(counts.text({}));
  double sum = 0;
  for (const auto& [with, value] : p.of.at("http_requests_total")) sum += value;

  CHECK(fault == "");
  CHECK(sum == 4 * each);
  CHECK(p.of.at("http_requests_total").size() == 20);
}
