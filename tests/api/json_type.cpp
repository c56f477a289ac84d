// Types that are read from JSON strictly, written as JSON, checked with rules, and described by a schema.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using winsvc::body;
using winsvc::service;
using winsvc::testing::client;

namespace json_type_test {

enum class state { draft, published };
WINSVC_ENUM(state, draft, published)

struct image {
  std::string url;
  int width = 0;
};
WINSVC_TYPE(image, url, (width, at_least(1)))

struct item {
  std::string name;
  double price = 0;
  std::optional<double> tax;
  std::vector<std::string> tags;
  std::vector<image> images;
  std::map<std::string, int> counts;
  state now = state::draft;
  std::chrono::seconds wait{5};
};
WINSVC_TYPE(item, (name, at_least(1), at_most(5)), (price, above(0)), (tax, between(0, 1)),
            (tags, optional, at_most(2)), (images, optional), (counts, optional), (now, optional), (wait, optional))

struct node {
  int id = 0;
  std::vector<node> children;
};
WINSVC_TYPE(node, id, (children, optional))

struct numbers {
  std::int8_t a = 0;
  std::uint16_t b = 0;
  std::int64_t c = 0;
  std::uint64_t d = 0;
  float e = 0;
};
WINSVC_TYPE(numbers, (a, optional), (b, optional), (c, optional), (d, optional), (e, optional))

}  // namespace json_type_test

namespace {

using namespace json_type_test;
using winsvc::json;

/// The faults of a body: "POINTER DETAIL" each.
template <class T>
std::vector<std::string> faults_of(const std::string& text) {
  auto app = [](service& svc) { svc.post("/in", [](body<T>) { return ""; }); };
  client c(app);
  const auto response = c.post("/in", text);
  CHECK(response.status == 422);
  std::vector<std::string> faults;
  const auto problem = json::parse(response.body);
  for (const auto& fault : problem.value("errors", json::array()))
    faults.push_back(fault.value("pointer", std::string()) + ' ' + fault.value("detail", std::string()));
  return faults;
}

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a described type is read from JSON and returned as JSON") {
  auto app = [](service& svc) {
    svc.post("/items", [](body<item> i) { return std::pair(201, *i); });
    svc.post("/all", [](body<std::vector<item>> items) { return items->size(); });
    svc.get("/map", [] { return std::map<std::string, std::vector<int>>{{"a", {1, 2}}}; });
    svc.get("/found/{id}", [](int id) { return id == 1 ? std::optional(image{"u", 1}) : std::nullopt; });
    svc.get("/bool", [] { return true; });
    svc.get("/reply", [] { return winsvc::reply::json(image{"u", 2}, 202); });
  };
  client c(app);
  const auto created = c.post("/items", R"({"name":"tea","price":2,"tags":["a"],"images":[{"url":"x","width":3}],)"
                                        R"("counts":{"k":1},"now":"published","wait":"1m","unknown":[]})");

  CHECK(created.status == 201);
  CHECK(created.header("Content-Type") == "application/json");
  CHECK(created.body == R"({"name":"tea","price":2,"tags":["a"],"images":[{"url":"x","width":3}],)"
                        R"("counts":{"k":1},"now":"published","wait":"1m"})");
  CHECK(c.post("/items", R"({"name":"a","price":0.5,"tax":null})").body ==
        R"({"name":"a","price":0.5,"tags":[],"images":[],"counts":{},"now":"draft","wait":"5s"})");
  CHECK(c.post("/all", R"([{"name":"a","price":1},{"name":"b","price":1}])").body == "2");
  CHECK(c.get("/map").body == R"({"a":[1,2]})");
  CHECK(c.get("/found/1").body == R"({"url":"u","width":1})");
  CHECK(c.get("/found/2").status == 404);
  CHECK(c.get("/bool").body == "true");
  CHECK(c.get("/reply").status == 202);
  CHECK(c.post("/items", "{").status == 400);
  CHECK(c.post("/items", "{}", "text/plain").status == 415);
}

TEST_CASE("all faults of a body are reported, each with its place") {
  CHECK(faults_of<item>(R"({"name":"","price":0,"tax":2,"tags":["a",1,"c"],"images":[{"url":"u","width":0},{}],)"
                        R"("counts":{"a/b":"x"},"now":"lost","wait":5})") ==
        texts{"/name must have at least 1 character, but is ''",
              "/price must be above 0, but is 0",
              "/tax must lie between 0 and 1, but is 2",
              "/tags/1 must be a text, but is 1",
              "/images/0/width must be at least 1, but is 0",
              "/images/1/url is missing",
              "/images/1/width is missing",
              "/counts/a~1b must be a whole number from -2147483648 to 2147483647, but is 'x'",
              "/now must be draft or published, but is 'lost'",
              "/wait must be a time, such as 250ms, 30s, 1m30s or 2h, but is 5"});
  CHECK(faults_of<item>("[]") == texts{" must be an object, but is a list"});
  CHECK(faults_of<item>("{}") == texts{"/name is missing", "/price is missing"});
  CHECK(faults_of<node>(R"({"id":1,"children":[{"id":2,"children":[{"id":true}]}]})") ==
        texts{"/children/0/children/0/id must be a whole number from -2147483648 to 2147483647, but is true"});
  CHECK(faults_of<std::vector<int>>("[1,1.5]") ==
        texts{"/1 must be a whole number from -2147483648 to 2147483647, but is 1.5"});
}

TEST_CASE("a number must fit into its type") {
  const std::vector<std::pair<std::string, bool>> rows = {
      {R"({"a":127})", true},   {R"({"a":128})", false},   {R"({"a":-129})", false},  {R"({"a":1.0})", true},
      {R"({"a":1.5})", false},  {R"({"a":true})", false},  {R"({"a":"1"})", false},   {R"({"a":null})", false},
      {R"({"b":65535})", true}, {R"({"b":65536})", false}, {R"({"b":-1})", false},    {R"({"b":-0.0})", true},
      {R"({"a":1e30})", false}, {R"({"d":1e30})", false},  {R"({"c":1e30})", false},
      {R"({"c":9223372036854775807})", true},              {R"({"c":9223372036854775808})", false},
      {R"({"c":-9223372036854775808})", true},             {R"({"d":18446744073709551615})", true},
      {R"({"d":18446744073709551616})", false},            {R"({"e":1e39})", false}, {R"({"e":1e38})", true},
      {R"({"a":99999999999})", false},
  };
  auto app = [](service& svc) { svc.post("/in", [](body<numbers> n) { return *n; }); };
  client c(app);
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CHECK(c.post("/in", row.first).status == (row.second ? 200 : 422));
  }
}

TEST_CASE("the faults of parameters and of the body are in one response") {
  auto app = [](service& svc) {
    svc.put("/items/{id}", winsvc::query("q", winsvc::at_most(1)), [](int, std::string, body<image>) { return ""; });
  };
  client c(app);

  const auto problem = json::parse(c.put("/items/1?q=abc", R"({"url":1})").body);

  REQUIRE(problem["errors"].size() == 3);
  CHECK(problem["errors"][0]["in"] == "query");
  CHECK(problem["errors"][1] ==
        json{{"in", "body"}, {"pointer", "/url"}, {"detail", "must be a text, but is 1"}});
}

TEST_CASE("described types convert to text and to nlohmann's JSON, and back") {
  const image before{"a\"b", 7};
  const std::string text = winsvc::to_json_text(before);

  CHECK(text == R"({"url":"a\"b","width":7})");
  CHECK(winsvc::from_json_text<image>(text).width == 7);
  CHECK(json(before)["width"] == 7);
  CHECK(json::parse(text).get<image>().url == "a\"b");
  CHECK_THROWS_WITH_AS(static_cast<void>(winsvc::from_json_text<image>("{}")), "/url is missing; /width is missing",
                       std::invalid_argument);
  CHECK_THROWS_AS(static_cast<void>(winsvc::from_json_text<image>("{")), std::invalid_argument);
}

TEST_CASE("the OpenAPI document has the schemas of described types, each once") {
  auto app = [](service& svc) {
    svc.openapi();
    svc.post("/items", [](body<item> i) { return *i; });
    svc.get("/items", [] { return std::vector<item>(); });
    svc.get("/tree", [] { return node(); });
  };
  client c(app);
  const auto document = json::parse(c.get("/openapi.json").body);
  const auto& schemas = document["components"]["schemas"];
  const json reference = {{"$ref", "#/components/schemas/item"}};

  CHECK(document["paths"]["/items"]["post"]["requestBody"]["content"]["application/json"]["schema"] == reference);
  CHECK(document["paths"]["/items"]["post"]["responses"]["200"]["content"]["application/json"]["schema"] == reference);
  CHECK(document["paths"]["/items"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] ==
        json{{"type", "array"}, {"items", reference}});
  CHECK(schemas["item"]["required"] == json{"name", "price"});
  CHECK(schemas["item"]["properties"]["name"] == json{{"type", "string"}, {"minLength", 1}, {"maxLength", 5}});
  CHECK(schemas["item"]["properties"]["price"] ==
        json{{"type", "number"}, {"format", "double"}, {"exclusiveMinimum", 0}});
  CHECK(schemas["item"]["properties"]["tags"]["maxItems"] == 2);
  CHECK(schemas["item"]["properties"]["now"]["enum"] == json{"draft", "published"});
  CHECK(schemas["node"]["properties"]["children"]["items"] == json{{"$ref", "#/components/schemas/node"}});
  CHECK(schemas.contains("problem"));
}

namespace {

/// A parser that knows one document.
class fixed_library final : public winsvc::json_library {
 public:
  std::shared_ptr<const void> parse(const std::string& text, std::string& reason) const override {
    reason = "it is not the fixed text";
    return text == "fixed" ? std::make_shared<int>(7) : nullptr;
  }
  winsvc::json_kind kind(value) const override { return winsvc::json_kind::integer; }
  bool boolean(value) const override { return false; }
  std::int64_t integer(value v) const override { return *static_cast<const int*>(v); }
  std::uint64_t unsigned_integer(value) const override { return 0; }
  double number(value) const override { return 0; }
  std::string_view text(value) const override { return {}; }
  std::size_t size(value) const override { return 0; }
  value element(value, std::size_t) const override { return nullptr; }
  value member(value, std::string_view) const override { return nullptr; }
  void for_each_member(value, const std::function<void(std::string_view, value)>&) const override {}
};

}  // namespace

TEST_CASE("an app can provide another JSON parser") {
  auto app = [](service& svc) {
    svc.provide<winsvc::json_library>(std::make_shared<fixed_library>());
    svc.post("/in", [](body<int> n) { return *n + 1; });
  };
  client c(app);

  CHECK(c.post("/in", "fixed").body == "8");
  CHECK(c.post("/in", "7").status == 400);
}
