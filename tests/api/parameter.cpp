// Parameters of routes: values of a request as arguments of a handler, with rules, faults and documentation.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using winsvc::at_least;
using winsvc::at_most;
using winsvc::between;
using winsvc::matches;
using winsvc::one_of;
using winsvc::query;
using winsvc::service;
using winsvc::testing::client;

namespace parameter_test {

enum class order { ascending, descending };
WINSVC_ENUM(order, ascending, descending)

struct color {
  int red = 0, green = 0, blue = 0;
};

}  // namespace parameter_test

template <>
struct winsvc::text_traits<parameter_test::color> {
  static std::string kind() { return "a color such as 1-2-3"; }
  static std::optional<parameter_test::color> parse(std::string_view text) {
    parameter_test::color c;
    if (text.size() != 5 || text[1] != '-' || text[3] != '-') return std::nullopt;
    c.red = text[0] - '0', c.green = text[2] - '0', c.blue = text[4] - '0';
    return c;
  }
  static std::string text(const parameter_test::color& c) {
    return std::to_string(c.red) + '-' + std::to_string(c.green) + '-' + std::to_string(c.blue);
  }
};

namespace {

using parameter_test::color;
using parameter_test::order;

const std::string key_header = "X-Key";

std::string detail_of(const winsvc::testing::client_response& r) {
  return winsvc::json::parse(r.body).value("detail", std::string());
}

}  // namespace

TEST_CASE("a handler receives the values of its sources after the path parameters") {
  auto app = [](service& svc) {
    svc.get("/items/{id}", query("q"), winsvc::header("X-Key"),
            [](int id, std::optional<std::string> q, std::string key) {
              return std::to_string(id) + ' ' + q.value_or("none") + ' ' + key;
            });
    svc.get("/who", winsvc::cookie_value("user"), winsvc::client_address(),
            [](std::string_view user, const std::string& address) { return std::string(user) + '@' + address; });
    svc.post("/login", winsvc::form("user"), winsvc::form("age"),
             [](const winsvc::request& req, std::string user, int age) {
               return req.method + ' ' + user + ' ' + std::to_string(age);
             });
  };
  client c(app);

  CHECK(c.get("/items/7?q=a+b", {{"X-Key", "k"}}).body == "7 a b k");
  CHECK(c.get("/items/7", {{"x-key", "k"}}).body == "7 none k");
  CHECK(c.get("/items/x", {{"X-Key", "k"}}).status == 404);
  CHECK(c.get("/who", {{"Cookie", "a=b; user=anna"}}).body.find("anna@") == 0);
  CHECK(c.post("/login", "user=anna&age=7", "application/x-www-form-urlencoded").body == "POST anna 7");
  const std::string form =
      "--x\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nbob\r\n"
      "--x\r\nContent-Disposition: form-data; name=\"age\"\r\n\r\n8\r\n--x--\r\n";
  CHECK(c.post("/login", form, "multipart/form-data; boundary=x").body == "POST bob 8");
}

TEST_CASE("values of all text types are converted") {
  auto app = [](service& svc) {
    svc.get("/bool", query("v"), [](bool v) { return v ? "yes" : "no"; });
    svc.get("/double", query("v"), [](double v) { return v > 1.4 && v < 1.6 ? "1.5" : "?"; });
    svc.get("/enum", query("v"), [](order v) { return v == order::descending ? "down" : "up"; });
    svc.get("/duration", query("v"), [](std::chrono::milliseconds v) { return std::to_string(v.count()); });
    svc.get("/size", query("v"), [](winsvc::byte_size v) { return std::to_string(v.bytes); });
    svc.get("/own", query("v"), [](color v) { return std::to_string(v.blue); });
    svc.get("/list", query("v"), [](const std::vector<int>& v) {
      int sum = 0;
      for (const int n : v) sum += n;
      return std::to_string(v.size()) + ':' + std::to_string(sum);
    });
    svc.get("/default", query("v", winsvc::default_value(5)), [](int v) { return std::to_string(v); });
    svc.get("/path/{on}/{how}/{wait}", [](bool on, order how, std::chrono::seconds wait) {
      return std::to_string(on) + std::to_string(static_cast<int>(how)) + std::to_string(wait.count());
    });
  };
  client c(app);

  CHECK(c.get("/bool?v=ON").body == "yes");
  CHECK(c.get("/bool?v=0").body == "no");
  CHECK(c.get("/double?v=1.5").body == "1.5");
  CHECK(c.get("/enum?v=descending").body == "down");
  CHECK(c.get("/duration?v=1m30s").body == "90000");
  CHECK(c.get("/size?v=2k").body == "2048");
  CHECK(c.get("/own?v=1-2-3").body == "3");
  CHECK(c.get("/list?v=1&x=9&v=2").body == "2:3");
  CHECK(c.get("/list").body == "0:0");
  CHECK(c.get("/default").body == "5");
  CHECK(c.get("/default?v=6").body == "6");
  CHECK(c.get("/path/true/descending/90s").body == "1190");
  CHECK(c.get("/path/true/sideways/90s").status == 404);
}

TEST_CASE("a list receives each element of a header, from one line or several") {
  auto app = [](service& svc) {
    svc.get("/numbers", winsvc::header("X-Id"), [](const std::vector<int>& ids) {
      std::string text;
      for (const int id : ids) text += std::to_string(id) + ';';
      return text;
    });
    svc.get("/texts", winsvc::header("X-Tag"), [](const std::vector<std::string>& tags) {
      std::string text;
      for (const auto& tag : tags) text += tag + ';';
      return text;
    });
    svc.get("/text", winsvc::header("X-Tag"), [](std::string tag) { return tag; });
    svc.get("/taken", winsvc::header("X-Id"), [](const winsvc::request&, const std::vector<int>& ids) {
      return std::to_string(ids.size());
    });
  };
  client c(app);
  const auto body = [&c](const char* path, const std::string& lines) {
    std::string output = c.raw("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + lines + "\r\n");
    return winsvc::testing::parse_response(output).body;
  };
  CHECK(body("/numbers", "X-Id: 1\r\nX-Id: 2\r\n") == "1;2;");
  CHECK(body("/numbers", "X-Id: 1, 2,3\r\n") == "1;2;3;");
  CHECK(body("/numbers", "X-Id: 1\r\nX-Id: 2, 3\r\n") == "1;2;3;");
  CHECK(body("/numbers", "X-Id: , 1,\t,2 ,\r\n") == "1;2;");  // empty elements do not count
  CHECK(body("/numbers", "X-Id:\r\n") == "");
  CHECK(body("/numbers", "") == "");
  CHECK(body("/numbers", "X-Id: 1, x\r\n").find("must be a whole number, but is 'x'") != std::string::npos);
  CHECK(body("/texts", "X-Tag: \"a, b\", c\r\n") == "\"a, b\";c;");
  CHECK(body("/text", "X-Tag: a, b\r\n") == "a, b");  // a single value is the whole field
  CHECK(body("/taken", "X-Id: 1\r\nX-Id: 2\r\n") == "2");
}

TEST_CASE("a value that is missing or invalid is 422, and the message has the reason") {
  auto app = [](service& svc) {
    svc.get("/int", query("v"), [](int) { return ""; });
    svc.get("/bool", query("v"), [](bool) { return ""; });
    svc.get("/enum", query("v"), [](order) { return ""; });
    svc.get("/header", winsvc::header("X-Key"), [](std::string) { return ""; });
    svc.get("/list", query("v"), [](std::vector<int>) { return ""; });
    svc.get("/own", query("v"), [](color) { return ""; });
  };
  client c(app);
  struct {
    const char* target;
    const char* detail;
  } rows[] = {
      {"/int", "the query parameter 'v' is missing"},
      {"/int?v=x", "the query parameter 'v' must be a whole number, but is 'x'"},
      {"/int?v=1.5", "the query parameter 'v' must be a whole number, but is '1.5'"},
      {"/int?v=99999999999",
       "the query parameter 'v' must be a whole number, but is '99999999999', which is out of range"},
      {"/bool?v=maybe", "the query parameter 'v' must be true or false, but is 'maybe'"},
      {"/enum?v=up", "the query parameter 'v' must be ascending or descending, but is 'up'"},
      {"/header", "the header 'X-Key' is missing"},
      {"/list?v=1&v=b&v=c",
       "the query parameter 'v' must be a whole number, but is 'b'; "
       "the query parameter 'v' must be a whole number, but is 'c'"},
      {"/own?v=red", "the query parameter 'v' must be a color such as 1-2-3, but is 'red'"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.target);
    const auto r = c.get(row.target);
    CHECK(r.status == 422);
    CHECK(detail_of(r) == row.detail);
  }
}

TEST_CASE("the rules of settings check the values, and all faults are in the response") {
  auto app = [](service& svc) {
    svc.get("/items", query("q", at_least(2), at_most(4)), query("page", between(1, 100)),
            query("sort", one_of("name", "price")), query("code", matches("[A-Z]{2}-\\d+")),
            query("n", winsvc::satisfies([](int n) { return n % 2 == 0; }, "be even")),
            [](std::string, int, std::string, std::string, int) { return "ok"; });
  };
  client c(app);

  CHECK(c.get("/items?q=abc&page=1&sort=name&code=AB-1&n=2").body == "ok");
  CHECK(c.get("/items?q=%C3%A4%C3%B6%C3%BC%C3%9F&page=1&sort=name&code=AB-1&n=2").body == "ok");   // 4 characters
  const auto r = c.get("/items?q=a&page=101&sort=size&code=AB-1x&n=3");
  CHECK(r.status == 422);
  const auto problem = winsvc::json::parse(r.body);
  REQUIRE(problem["errors"].size() == 5);
  CHECK(problem["errors"][0] == winsvc::json{{"in", "query"},
                                             {"name", "q"},
                                             {"detail", "must have at least 2 characters, but is 'a'"}});
  CHECK(problem["errors"][1]["detail"] == "must lie between 1 and 100, but is '101'");
  CHECK(problem["errors"][2]["detail"] == "must be one of name, price, but is 'size'");
  CHECK(problem["errors"][3]["detail"] == "must match the pattern [A-Z]{2}-\\d+, but is 'AB-1x'");
  CHECK(problem["errors"][4]["detail"] == "must be even, but is '3'");
  CHECK(c.get("/items").body.find("\"errors\"") != std::string::npos);
}

TEST_CASE("at most 50 faults are listed") {
  auto app = [](service& svc) { svc.get("/list", query("v"), [](std::vector<int>) { return ""; }); };
  client c(app);
  std::string target = "/list?v=x";
  for (int i = 1; i < 60; ++i) target += "&v=x";

  const auto problem = winsvc::json::parse(c.get(target).body);

  CHECK(problem["errors"].size() == 50);
  const std::string detail = problem["detail"];
  CHECK(detail.substr(detail.size() - 13) == "; and 10 more");
}

TEST_CASE("an uploaded file is an argument") {
  auto app = [](service& svc) {
    svc.post("/photo", winsvc::file("photo"), winsvc::form("title"),
             [](winsvc::uploaded_file photo, std::string title) { return photo.file_name() + ' ' + title; });
    svc.post("/photos", winsvc::file("photo"),
             [](std::vector<winsvc::uploaded_file> photos) { return std::to_string(photos.size()); });
    svc.post("/maybe", winsvc::file("photo"),
             [](std::optional<winsvc::uploaded_file> photo) { return photo ? "one" : "none"; });
  };
  client c(app);
  const std::string file = "--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\n123\r\n";
  const std::string title = "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nsea\r\n";
  const char* const type = "multipart/form-data; boundary=x";

  CHECK(c.post("/photo", file + title + "--x--\r\n", type).body == "a.png sea");
  CHECK(detail_of(c.post("/photo", title + "--x--\r\n", type)) == "the file 'photo' is missing");
  CHECK(c.post("/photos", file + file + "--x--\r\n", type).body == "2");
  CHECK(c.post("/maybe", title + "--x--\r\n", type).body == "none");
  CHECK(c.post("/maybe", file + "--x--\r\n", type).body == "one");
}

TEST_CASE("the OpenAPI document describes the sources with their rules") {
  auto app = [](service& svc) {
    svc.openapi();
    svc.get("/items/{id}", query("q", "text to find", at_most(50)),
            query("limit", at_least(1), winsvc::default_value(10U)), winsvc::header("X-Key"),
            winsvc::cookie_value("user"), query("tag"), query("order"),
            [](int, std::optional<std::string>, unsigned, std::string, std::optional<std::string>,
               std::vector<std::string>, order) { return ""; });
    svc.post("/photo", winsvc::file("photo"), winsvc::form("title", "a title"),
             [](winsvc::uploaded_file, std::string) { return ""; });
    svc.post("/form", winsvc::form("n"), [](std::optional<int>) { return ""; });
  };
  client c(app);
  const auto document = winsvc::json::parse(c.get("/openapi.json").body);
  const auto& parameters = document["paths"]["/items/{id}"]["get"]["parameters"];
  using winsvc::json;

  REQUIRE(parameters.size() == 7);
  CHECK(parameters[1] == json{{"name", "q"}, {"in", "query"}, {"description", "text to find"}, {"required", false},
                              {"schema", {{"type", "string"}, {"maxLength", 50}}}});
  CHECK(parameters[2]["schema"] == json{{"type", "integer"}, {"minimum", 1}, {"maximum", 4294967295}, {"default", 10}});
  CHECK(parameters[2]["required"] == false);
  CHECK(parameters[3] ==
        json{{"name", "X-Key"}, {"in", "header"}, {"required", true}, {"schema", {{"type", "string"}}}});
  CHECK(parameters[4]["in"] == "cookie");
  CHECK(parameters[5]["schema"] == json{{"type", "array"}, {"items", {{"type", "string"}}}});
  CHECK(parameters[6]["schema"] == json{{"type", "string"}, {"enum", {"ascending", "descending"}}});
  CHECK(document["paths"]["/items/{id}"]["get"]["responses"].contains("422"));
  CHECK(document["paths"]["/photo"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"] ==
        json{{"type", "object"},
             {"properties", {{"photo", {{"type", "string"}, {"format", "binary"}}},
                             {"title", {{"type", "string"}, {"description", "a title"}}}}},
             {"required", {"photo", "title"}}});
  CHECK(document["paths"]["/form"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"] ==
        json{{"type", "object"}, {"properties", {{"n", {{"type", "integer"}, {"format", "int32"}}}}}});
}

TEST_CASE("a mistake in a source is reported at registration with the source line") {
  auto wrong_rule = [](service& svc) { svc.get("/a", query("n", at_least(-1)), [](unsigned) { return ""; }); };
  auto no_name = [](service& svc) { svc.get("/a", query(""), [](int) { return ""; }); };
  auto pattern = [](service& svc) { svc.get("/a", query("n", matches("(")), [](std::string) { return ""; }); };
  auto count = [](service& svc) { svc.get("/a/{id}", query("n"), [](int) { return ""; }); };

  CHECK_THROWS_AS(client{wrong_rule}, winsvc::setup_error);
  CHECK_THROWS_AS(client{no_name}, winsvc::setup_error);
  CHECK_THROWS_AS(client{pattern}, winsvc::setup_error);
  CHECK_THROWS_WITH_AS(client{count}, doctest::Contains("parameter.cpp:"), winsvc::setup_error);
}

namespace {
struct counter {
  int value = 0;
};
struct greeting {
  std::string text;
};
}  // namespace

TEST_CASE("a handler receives the objects that the app provides, at any position") {
  counter shared;
  auto app = [&shared](service& svc) {
    svc.get("/next/{step}", [](counter& c, int step) { return std::to_string(c.value += step); });
    svc.get("/sum/{step}", query("n"), [](const winsvc::request&, int step, counter& c, std::optional<int> n) {
      return std::to_string(c.value + step + n.value_or(0));
    });
    svc.get("/moved", [](greeting& g) { return g.text; });
    svc.provide(shared).provide(greeting{"hello"});
  };
  client c(app);

  CHECK(c.get("/next/2").body == "2");
  CHECK(c.get("/next/3").body == "5");
  CHECK(shared.value == 5);
  CHECK(c.get("/sum/1?n=10").body == "16");
  CHECK(c.get("/moved").body == "hello");
}

TEST_CASE("the start fails if the app does not provide an object of a handler, or provides two of a type") {
  auto missing = [](service& svc) { svc.get("/next", [](counter&) { return ""; }); };
  auto twice = [](service& svc) { svc.provide(counter()).provide(std::make_shared<counter>()); };

  CHECK_THROWS_WITH_AS(client{missing}, doctest::Contains("counter&', but the app does not provide one"),
                       winsvc::setup_error);
  CHECK_THROWS_WITH_AS(client{twice}, doctest::Contains("two objects of type"), winsvc::setup_error);
}
