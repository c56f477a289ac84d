// JSON bodies: accepted content types, maximum depth, and the location of an error.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

using winsvc::service;
using winsvc::testing::client;

TEST_CASE("a body is parsed as JSON only if its Content-Type is JSON") {
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
    const auto response = c.post("/in", "{}", type);
    CHECK(response.status == 415);
    CHECK(response.body.find("send it with 'Content-Type: application/json'") != std::string::npos);
  }
  CHECK(c.request("POST", "/in", {}, "{}").status == 415);
}

TEST_CASE("JSON may be nested 128 levels deep, so that a small stack is sufficient") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<winsvc::json> j) { return *j; });
  };
  client c(app);
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(c.post("/in", nested(128)).body == nested(128));
  const auto response = c.post("/in", nested(129));
  CHECK(response.status == 400);
  CHECK(response.body.find("nested deeper than 128 levels") != std::string::npos);
  CHECK(c.post("/in", nested(1'000'000)).status == 400);
  CHECK(c.post("/in", '"' + std::string(200, '[') + '"').status == 200);        // brackets in a string do not count
  CHECK(c.post("/in", "\"\\\"" + std::string(200, '[') + '"').status == 200);   // also after an escaped quote
}

namespace {
struct line {
  int count = 0;
  std::string item;
};
void from_json(const winsvc::json& j, line& value) {
  j.at("item").get_to(value.item);
  j.at("count").get_to(value.count);
  if (value.count < 0) throw std::invalid_argument("count is negative");
}
struct order {
  std::string customer;
  std::vector<line> lines;
};
void from_json(const winsvc::json& j, order& value) {
  j.at("customer").get_to(value.customer);
  j.at("lines").get_to(value.lines);
}
}  // namespace

TEST_CASE("a body with an unexpected shape is rejected with the location of the error") {
  auto app = [](service& svc) {
    svc.post("/in", [](winsvc::body<order> body) { return std::to_string(body->lines.size()); });
  };
  client c(app);
  const auto detail = [&](const std::string& body) -> std::string {
    const auto response = c.post("/in", body);
    CHECK(response.status == 422);
    return winsvc::json::parse(response.body).at("detail").get<std::string>();
  };
  const std::string prefix = "the body does not have the expected shape: ";
  CHECK(c.post("/in", R"({"customer":"anna","lines":[{"item":"tea","count":1}]})").body == "1");
  // Values with the same content before and after the invalid one do not confuse the search.
  CHECK(detail(R"({"customer":"anna","lines":[{"item":"tea","count":1},{"item":"milk","count":"two"}],"note":"x"})") ==
        prefix + "/lines/1/count: type must be number, but is string");
  CHECK(detail(R"({"customer":7,"lines":[{"item":"tea","count":"one"}]})") ==
        prefix + "/customer: type must be string, but is number");
  CHECK(detail(R"({"customer":null,"lines":[]})") == prefix + "/customer: type must be string, but is null");
  CHECK(detail(R"({"customer":"anna","lines":[{"count":1}]})") == prefix + "key 'item' not found");
  CHECK(detail(R"({"customer":"anna","lines":{}})").find(prefix + "/lines: type must be array") == 0);
  CHECK(detail("[]").find(prefix) == 0);
  CHECK(detail(R"({"customer":"anna","lines":[{"item":"tea","count":-1}]})") == prefix + "count is negative");
}
