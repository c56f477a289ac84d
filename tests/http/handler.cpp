// Handlers: the parameters and results that a lambda may have, and the responses to its exceptions.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using winsvc::json;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

struct todo {
  std::string task;
  int rank = 0;
};
void from_json(const json& j, todo& t) {
  j.at("task").get_to(t.task);
  j.at("rank").get_to(t.rank);
}
void to_json(json& j, const todo& t) { j = {{"task", t.task}, {"rank", t.rank}}; }

std::string free_function(int id) { return "free " + std::to_string(id); }
std::string free_noexcept(int id) noexcept { return id > 0 ? "bold" : "meek"; }

struct callable {
  std::string prefix;
  std::string operator()(const std::string& name) const { return prefix + name; }
};

std::string joined_log(const client& c) {
  std::string text;
  for (const auto& entry : c.log()) text += entry.text + '\n';
  return text;
}

}  // namespace

TEST_CASE("a handler takes request, response, path parameters and body; each is optional, the order is fixed") {
  auto app = [](service& svc) {
    svc.post("/none", [] { return "none"; });
    svc.post("/req", [](const request& req) { return req.method; });
    svc.post("/res", [](response& res) { res.set_content("res", "text/plain"); });
    svc.post("/req-res", [](const request& req, response& res) { res.set_content(req.path, "text/plain"); });
    svc.post("/par/{a}", [](std::string a) { return a; });
    svc.post("/req-par/{a}", [](const request& req, int a) { return req.method + std::to_string(a); });
    svc.post("/res-par/{a}", [](response& res, int a) { res.status = a; });
    svc.post("/pars/{a}/{b}/{c}",
             [](int a, const std::string& b, double c) { return std::to_string(a) + b + std::to_string(c); });
    svc.post("/body", [](winsvc::body<todo> t) { return t->task; });
    svc.post("/const-body", [](const winsvc::body<todo>& t) { return (*t).task; });
    svc.post("/par-body/{a}", [](int a, winsvc::body<todo> t) { return t->task + std::to_string(a + t->rank); });
    svc.post("/all/{a}/{b}", [](const request& req, response& res, int a, std::string b, winsvc::body<todo> t) {
      res.set_header("X-Seen", req.method);
      return std::to_string(a) + b + t->task;
    });
    svc.post("/raw-body", [](const request& req) { return req.body; });
    svc.post("/any-json", [](winsvc::body<json> j) { return std::to_string(j->size()); });
    svc.post("/list", [](winsvc::body<std::vector<int>> v) { return std::to_string(v->size()); });
  };
  client c(app);
  const std::string request_body = R"({"task":"sweep","rank":2})";

  struct { const char* target; int status; const char* body; } const cases[] = {
      {"/none", 200, "none"},
      {"/req", 200, "POST"},
      {"/res", 200, "res"},
      {"/req-res", 200, "/req-res"},
      {"/par/x", 200, "x"},
      {"/req-par/7", 200, "POST7"},
      {"/res-par/299", 299, ""},
      {"/pars/1/two/0.5", 200, "1two0.500000"},
      {"/body", 200, "sweep"},
      {"/const-body", 200, "sweep"},
      {"/par-body/40", 200, "sweep42"},
      {"/all/1/b", 200, "1bsweep"},
      {"/raw-body", 200, R"({"task":"sweep","rank":2})"},
      {"/any-json", 200, "2"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.target);
    const auto response = c.post(test.target, request_body);
    CHECK(response.status == test.status);
    CHECK(response.body == test.body);
  }
  CHECK(c.post("/all/1/b", request_body).header("X-Seen") == "POST");
  CHECK(c.post("/list", "[1,2,3]").body == "3");
}

TEST_CASE("a handler with a body sees the requested path, the query and the content type") {
  auto app = [](service& svc) {
    svc.put("/a/{x}", [](const request& req, std::string) {
      return req.method + ' ' + req.path + ' ' + req.target + ' ' + req.get_param_value("q") + ' ' +
             req.get_header_value("Content-Type");
    });
  };
  client c(app);

  CHECK(c.put("/a/b?q=1", "{}").body == "PUT /a/b /a/b?q=1 1 application/json");
}

TEST_CASE("the result of a handler becomes the response") {
  auto app = [](service& svc) {
    svc.get("/void", [] {});
    svc.get("/void-status", [](response& res) { res.status = 202; });
    svc.get("/literal", [] { return "literal"; });
    svc.get("/string", [] { return std::string("string"); });
    svc.get("/view", []() -> std::string_view { return "view"; });
    svc.get("/json", [] { return json{{"a", 1}}; });
    svc.get("/json-text", [] { return json("text"); });
    svc.get("/reply", [] { return reply::html("<p>", 203).header("X-A", "1"); });
    svc.get("/empty-reply", [] { return reply(204); });
    svc.get("/redirect", [] { return reply::redirect("/there", 303); });
    svc.get("/with", [] { return reply::with("a,b", "text/csv"); });
    svc.get("/some", []() -> std::optional<std::string> { return "some"; });
    svc.get("/nothing", []() -> std::optional<json> { return std::nullopt; });
    svc.get("/some-json", []() -> std::optional<json> { return json{1}; });
    svc.get("/pair", [] { return std::pair<int, std::string>(201, "made"); });
    svc.get("/pair-json", [] { return std::pair<int, json>(201, json{{"id", 7}}); });
    svc.get("/pair-reply", [] { return std::pair<int, reply>(299, reply::text("r", 200).header("X-B", "2")); });
    svc.get("/status-and-text", [](response& res) { res.status = 418; return "teapot"; });
    svc.get("/status-and-json", [](response& res) { res.status = 418; return json(nullptr); });
  };
  client c(app);

  struct { const char* target; int status; const char* type; const char* body; } const cases[] = {
      {"/void", 200, "", ""},
      {"/void-status", 202, "", ""},
      {"/literal", 200, "text/plain; charset=utf-8", "literal"},
      {"/string", 200, "text/plain; charset=utf-8", "string"},
      {"/view", 200, "text/plain; charset=utf-8", "view"},
      {"/json", 200, "application/json", R"({"a":1})"},
      {"/json-text", 200, "application/json", R"("text")"},
      {"/reply", 203, "text/html; charset=utf-8", "<p>"},
      {"/empty-reply", 204, "", ""},
      {"/redirect", 303, "", ""},
      {"/with", 200, "text/csv", "a,b"},
      {"/some", 200, "text/plain; charset=utf-8", "some"},
      {"/nothing", 404, "application/problem+json", "{\"title\":\"Not Found\",\"status\":404}\n"},
      {"/some-json", 200, "application/json", "[1]"},
      {"/pair", 201, "text/plain; charset=utf-8", "made"},
      {"/pair-json", 201, "application/json", R"({"id":7})"},
      {"/pair-reply", 299, "text/plain; charset=utf-8", "r"},
      {"/status-and-text", 418, "text/plain; charset=utf-8", "teapot"},
      {"/status-and-json", 418, "application/json", "null"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.target);
    const auto response = c.get(test.target);
    CHECK(response.status == test.status);
    CHECK(response.header("Content-Type") == test.type);
    CHECK(response.body == test.body);
  }
  CHECK(c.get("/reply").header("X-A") == "1");
  CHECK(c.get("/pair-reply").header("X-B") == "2");
  CHECK(c.get("/redirect").header("Location") == "/there");
}

TEST_CASE("a reply sends a header once that is set twice in different case") {
  auto app = [](service& svc) {
    svc.get("/", [] { return reply::text("x").header("X-A", "1").header("x-a", "2"); });
  };
  client c(app);

  const auto response = c.get("/");
  std::vector<std::string> values;
  for (const auto& [name, value] : response.headers) {
    if (winsvc::detail::base::equal_nocase(name, "x-a")) values.push_back(value);
  }

  CHECK(values == std::vector<std::string>{"2"});
}

TEST_CASE("invalid UTF-8 in a JSON response is replaced and does not fail the request") {
  auto app = [](service& svc) { svc.get("/", [] { return json{{"name", "\xff"}}; }); };
  client c(app);

  CHECK(c.get("/").status == 200);
  CHECK(c.get("/").body == "{\"name\":\"\xEF\xBF\xBD\"}");
}

TEST_CASE("functions, function pointers, callable objects and noexcept lambdas are handlers") {
  auto app = [](service& svc) {
    svc.get("/function/{id}", free_function);
    svc.get("/pointer/{id}", &free_function);
    svc.get("/noexcept/{id}", free_noexcept);
    svc.get("/object/{name}", callable{"hello "});
    svc.get("/bold/{id}", [](long long id) noexcept { return id > 0 ? "bold" : "meek"; });
  };
  client c(app);

  CHECK(c.get("/function/1").body == "free 1");
  CHECK(c.get("/pointer/2").body == "free 2");
  CHECK(c.get("/noexcept/3").body == "bold");
  CHECK(c.get("/object/you").body == "hello you");
  CHECK(c.get("/bold/1").body == "bold");
}

TEST_CASE("a path parameter that does not convert to its number type is 404") {
  auto app = [](service& svc) {
    svc.get("/int/{v}", [](int v) { return std::to_string(v); });
    svc.get("/short/{v}", [](short v) { return std::to_string(v); });
    svc.get("/unsigned/{v}", [](unsigned v) { return std::to_string(v); });
    svc.get("/long/{v}", [](long long v) { return std::to_string(v); });
    svc.get("/big/{v}", [](unsigned long long v) { return std::to_string(v); });
    svc.get("/byte/{v}", [](std::uint8_t v) { return std::to_string(v); });
    svc.get("/double/{v}", [](double v) { return std::to_string(v); });
    svc.get("/text/{v}", [](std::string v) { return v; });
    svc.get("/tail/{v...}", [](std::string v) { return v; });
  };
  client c(app);

  struct { const char* target; const char* body; } const cases[] = {  // nullptr: 404
      {"/int/0", "0"},
      {"/int/-1", "-1"},
      {"/int/007", "7"},
      {"/int/2147483647", "2147483647"},
      {"/int/-2147483648", "-2147483648"},
      {"/int/%37", "7"},
      {"/int/2147483648", nullptr},
      {"/int/-2147483649", nullptr},
      {"/int/", nullptr},
      {"/int/+1", nullptr},
      {"/int/%201", nullptr},
      {"/int/1%20", nullptr},
      {"/int/1.5", nullptr},
      {"/int/1e3", nullptr},
      {"/int/0x10", nullptr},
      {"/int/bob", nullptr},
      {"/int/-", nullptr},
      {"/int/1%2F2", nullptr},
      {"/short/32767", "32767"},
      {"/short/32768", nullptr},
      {"/unsigned/4294967295", "4294967295"},
      {"/unsigned/4294967296", nullptr},
      {"/unsigned/-1", nullptr},
      {"/long/-9223372036854775808", "-9223372036854775808"},
      {"/long/9223372036854775808", nullptr},
      {"/big/18446744073709551615", "18446744073709551615"},
      {"/big/18446744073709551616", nullptr},
      {"/byte/255", "255"},
      {"/byte/256", nullptr},
      {"/byte/A", nullptr},
      {"/double/1.5", "1.500000"},
      {"/double/1e3", "1000.000000"},
      {"/double/-0.25", "-0.250000"},
      {"/double/7", "7.000000"},
      {"/double/inf", nullptr},
      {"/double/-infinity", nullptr},
      {"/double/nan", nullptr},
      {"/double/1e999", nullptr},
      {"/double/1.5x", nullptr},
      {"/double/", nullptr},
      {"/text/caf%C3%A9", "caf\xC3\xA9"},
      {"/text/a%2Fb", "a/b"},
      {"/text/a+b", "a+b"},
      {"/text/", nullptr},
      {"/tail/a/b%20c", "a/b c"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.target);
    const auto response = c.get(test.target);
    CHECK(response.status == (test.body ? 200 : 404));
    if (test.body) CHECK(response.body == test.body);
  }
}

TEST_CASE("a body that is not JSON is 400 with the position of the error") {
  auto app = [](service& svc) { svc.post("/", [](winsvc::body<todo> t) { return t->task; }); };
  client c(app);

  struct { const char* body; const char* detail; } const cases[] = {
      {"", "the body is not JSON: error at byte 1"},
      {"{\"task\" 1}", "the body is not JSON: error at byte 9"},
      {"{", "the body is not JSON: error at byte 2"},
      {"{} x", "the body is not JSON: error at byte 4"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.body);
    const auto response = c.post("/", test.body);
    CHECK(response.status == 400);
    CHECK(response.header("Content-Type") == "application/problem+json");
    CHECK(json::parse(response.body)["detail"] == test.detail);
  }
}

TEST_CASE("a JSON body with an unexpected shape is 422 with the reason") {
  auto app = [](service& svc) { svc.post("/", [](winsvc::body<todo> t) { return t->task; }); };
  client c(app);

  struct { const char* body; const char* expected; } const cases[] = {
      {R"({"rank":1})", "key 'task' not found"},
      {R"({"task":7,"rank":1})", "/task: must be text, but is 7"},
      {R"([])", "must be an object, but is a list"},
      {R"(null)", "null"},
  };
  for (const auto& test : cases) {
    CAPTURE(test.body);
    const auto response = c.post("/", test.body);
    CHECK(response.status == 422);
    const auto detail = json::parse(response.body)["detail"].get<std::string>();
    CHECK(detail.find("the body does not have the expected shape: ") == 0);
    CHECK(detail.find(test.expected) != std::string::npos);
    CHECK(detail.find("json.exception") == std::string::npos);
  }
}

TEST_CASE("a path parameter that does not convert is 404, even if the body is not JSON") {
  auto app = [](service& svc) { svc.post("/{id}", [](int, winsvc::body<todo> t) { return t->task; }); };
  client c(app);

  CHECK(c.post("/bob", "{").status == 404);
}

TEST_CASE("abort ends a handler with its status, and the client sees the message") {
  auto app = [](service& svc) {
    svc.get("/{id}", [](int id) -> json {
      if (id == 1) winsvc::abort(409, "taken by \"bob\"");
      if (id == 2) winsvc::abort(403);
      return id;
    });
  };
  client c(app);

  CHECK(c.get("/1").status == 409);
  CHECK(c.get("/1").body == "{\"title\":\"Conflict\",\"status\":409,\"detail\":\"taken by \\\"bob\\\"\"}\n");
  CHECK(c.get("/2").body == "{\"title\":\"Forbidden\",\"status\":403}\n");
  CHECK(c.get("/3").body == "3");
  CHECK(joined_log(c).empty());
}

TEST_CASE("an exception of a handler is a 500 with a request id, and its message is only in the log") {
  auto app = [](service& svc) {
    svc.get("/std", []() -> std::string { throw std::runtime_error("password=secret"); });
    svc.get("/int", []() -> std::string { throw 42; });
    svc.post("/body", [](const request&) -> std::string { throw std::out_of_range("password=secret"); });
    svc.get("/begun", [](response& res) {
      res.set_header("X-Secret", "1");
      res.set_content("half", "text/plain");
      throw std::runtime_error("password=secret");
    });
  };

  for (const char* target : {"/std", "/int", "/body", "/begun"}) {
    CAPTURE(target);
    client c(app);
    const auto response = std::string_view(target) == "/body" ? c.post(target, "x") : c.get(target);

    REQUIRE(response.status == 500);
    CHECK(response.body.find("secret") == std::string::npos);
    CHECK(response.body.find("half") == std::string::npos);
    CHECK(response.header("X-Secret").empty());
    CHECK(response.header("EXCEPTION_WHAT").empty());
    const auto id = json::parse(response.body)["request_id"].get<std::string>();
    CHECK(!id.empty());
    REQUIRE(c.log().size() == 1);
    CHECK(c.log()[0].level == winsvc::log_level::error);
    CHECK(c.log()[0].text.find("request " + id + ": ") == 0);
    CHECK(c.log()[0].text.find("handler.cpp:") != std::string::npos);
    const char* const message = std::string_view(target) == "/int" ? "unknown exception" : "password=secret";
    CHECK(c.log()[0].text.find(message) != std::string::npos);
  }
}

TEST_CASE("two failed requests have two ids") {
  auto app = [](service& svc) { svc.get("/", []() -> std::string { throw std::runtime_error("no"); }); };
  client c(app);

  CHECK(json::parse(c.get("/").body)["request_id"] != json::parse(c.get("/").body)["request_id"]);
}

TEST_CASE("a connection stays open after a handler that threw") {
  auto app = [](service& svc) {
    svc.get("/bad", []() -> std::string { throw std::runtime_error("no"); });
    svc.get("/good", [] { return "good"; });
  };
  client c(app);

  std::string output = c.raw("GET /bad HTTP/1.1\r\nHost: t\r\n\r\nGET /good HTTP/1.1\r\nHost: t\r\n\r\n");

  CHECK(winsvc::testing::parse_response(output).status == 500);
  CHECK(winsvc::testing::parse_response(output).body == "good");
}

TEST_CASE("reply::json accepts each value that converts to JSON") {
  auto app = [](service& svc) {
    svc.get("/json", [] { return reply::json({{"a", 1}}); });
    svc.get("/list", [] { return reply::json(std::vector<int>{1, 2}); });
    svc.get("/text", [] { return reply::json("text", 201); });
    svc.get("/null", [] { return reply::json(nullptr); });
    svc.get("/ordered", [] { return reply::json(nlohmann::ordered_json{{"b", 1}, {"a", 2}}); });
  };
  client c(app);

  CHECK(c.get("/json").body == R"({"a":1})");
  CHECK(c.get("/list").body == "[1,2]");
  CHECK(c.get("/text").body == "\"text\"");
  CHECK(c.get("/text").status == 201);
  CHECK(c.get("/null").body == "null");
  CHECK(c.get("/ordered").body == R"({"b":1,"a":2})");
}
