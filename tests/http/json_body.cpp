// Bodies of JSON: what is taken for one, how deep it may be, and how a wrong one is told where it is wrong.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

using winsvc::service;
using winsvc::testing::client;

TEST_CASE("a body is taken as JSON only when it says it is") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<winsvc::json> j) { return *j; });
  };
  client c(app);
  for (const char* type : {"application/json", "application/json; charset=utf-8", "Application/JSON", "text/json",
                           "application/merge-patch+json"}) {
    CAPTURE(type);
    CHECK(c.post("/in", "{}", type).status == 200);
  }
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded",
                           "application/jsonp", "+json", ""}) {
    CAPTURE(type);
    const auto a = c.post("/in", "{}", type);
    CHECK(a.status == 415);
    CHECK(a.body.find("send it with 'Content-Type: application/json'") != std::string::npos);
  }
  CHECK(c.request("POST", "/in", {}, "{}").status == 415);
}

TEST_CASE("JSON may be nested as deep as a small stack can bear") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<winsvc::json> j) { return *j; });
  };
  client c(app);
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(c.post("/in", nested(128)).body == nested(128));
  const auto a = c.post("/in", nested(129));
  CHECK(a.status == 400);
  CHECK(a.body.find("nested deeper than 128 levels") != std::string::npos);
  CHECK(c.post("/in", nested(1'000'000)).status == 400);
  CHECK(c.post("/in", '"' + std::string(200, '[') + '"').status == 200);        // in a text they are text
  CHECK(c.post("/in", "\"\\\"" + std::string(200, '[') + '"').status == 200);   // behind a quote that does not end it
}

namespace {
struct line {
  int count = 0;
  std::string what;
};
void from_json(const winsvc::json& j, line& to) {
  j.at("what").get_to(to.what);
  j.at("count").get_to(to.count);
  if (to.count < 0) throw std::invalid_argument("count is less than none");
}
struct order {
  std::string who;
  std::vector<line> lines;
};
void from_json(const winsvc::json& j, order& to) {
  j.at("who").get_to(to.who);
  j.at("lines").get_to(to.lines);
}
}  // namespace

TEST_CASE("a body of another shape is told where it is wrong") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<order> o) { return std::to_string(o->lines.size()); });
  };
  client c(app);
  const auto detail = [&](const std::string& body) -> std::string {
    const auto a = c.post("/in", body);
    CHECK(a.status == 422);
    return winsvc::json::parse(a.body).at("detail").get<std::string>();
  };
  const std::string begins = "the body does not have the expected shape: ";
  CHECK(c.post("/in", R"({"who":"anna","lines":[{"what":"tea","count":1}]})").body == "1");
  // Texts that are right, before and behind, are not taken for the one that is wrong.
  CHECK(detail(R"({"who":"anna","lines":[{"what":"tea","count":1},{"what":"milk","count":"two"}],"note":"x"})") ==
        begins + "/lines/1/count: type must be number, but is string");
  CHECK(detail(R"({"who":7,"lines":[{"what":"tea","count":"one"}]})") ==
        begins + "/who: type must be string, but is number");
  CHECK(detail(R"({"who":null,"lines":[]})") == begins + "/who: type must be string, but is null");
  CHECK(detail(R"({"who":"anna","lines":[{"count":1}]})") == begins + "key 'what' not found");
  CHECK(detail(R"({"who":"anna","lines":{}})").find(begins + "/lines: type must be array") == 0);
  CHECK(detail("[]").find(begins) == 0);
  CHECK(detail(R"({"who":"anna","lines":[{"what":"tea","count":-1}]})") == begins + "count is less than none");
}
