// Tests of the OpenAPI document. openapi.json, in the same folder, has all special cases; tests/documents.py checks it
// with a validator.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

#if WINSVC_JSON

using winsvc::body;
using winsvc::json;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::detail::route::method;
using winsvc::testing::client;

namespace {

const auto text = [] { return ""; };

/// Requests the document of an app.
template <class App>
json document(App app) {
  auto described = [&](service& svc) {
    svc.openapi();
    app(svc);
  };
  client c(described);
  const auto r = c.get("/openapi.json");
  REQUIRE(r.status == 200);
  CHECK(r.header("Content-Type") == "application/json");
  return json::parse(r.body);
}

json operation(void (*app)(service&)) {
  const auto paths = document(app)["paths"];
  REQUIRE(paths.size() == 1);
  return *paths.begin()->begin();
}

const json problem = {{"$ref", "#/components/responses/problem"}};

struct todos {
  json get(int) const { return {}; }
  void put(int, body<json>) const {}
  void del(int) const {}
};

}  // namespace

TEST_CASE("there is no document by default, and the app can choose its path") {
  auto without = [](service& svc) { svc.get("/", text); };
  auto moved = [](service& svc) { svc.openapi("/api/described"); };

  CHECK(client(without).get("/openapi.json").status == 404);
  CHECK(client(moved).get("/openapi.json").status == 404);
  CHECK(client(moved).get("/api/described").status == 200);
}

TEST_CASE("the info object has the names, description and version of the app") {
  const auto d = document([](service& svc) {
    svc.name("users").display_name("Users \"and\" more").description("All of them").version("1.2");
  });

  CHECK(d["openapi"] == "3.1.0");
  CHECK(d["info"] == json{{"title", "Users \"and\" more"}, {"version", "1.2"}, {"description", "All of them"}});
  CHECK(d["paths"] == json::object());
  CHECK(document([](service& svc) { svc.name("users"); })["info"] == json{{"title", "users"}, {"version", "0"}});
}

TEST_CASE("the path parameters have the types of the handler's parameters") {
  const auto d = document([](service& svc) {
    svc.get("/x/{a}/{b}/{c}/{d}/{e}/{f}", [](int, long long, unsigned, unsigned long long, double, std::string) {});
    svc.get("/raw/{x}", [](const request&, response&) {});
    svc.get("/f/{path...}", [](std::string) { return ""; });
  });
  const json schemas = {{{"type", "integer"}, {"format", "int32"}},
                        {{"type", "integer"}, {"format", "int64"}},
                        {{"type", "integer"}, {"minimum", 0}, {"maximum", 4294967295}},
                        {{"type", "integer"}, {"minimum", 0}},
                        {{"type", "number"}, {"format", "double"}},
                        {{"type", "string"}}};
  const auto& parameters = d["paths"]["/x/{a}/{b}/{c}/{d}/{e}/{f}"]["get"]["parameters"];

  REQUIRE(parameters.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(parameters[i]["name"] == std::string(1, static_cast<char>('a' + i)));
    CHECK(parameters[i]["in"] == "path");
    CHECK(parameters[i]["required"] == true);
    CHECK(parameters[i]["schema"] == schemas[i]);
  }
  CHECK(d["paths"]["/raw/{x}"]["get"]["parameters"][0]["schema"] == json{{"type", "string"}});
  CHECK(d["paths"]["/f/{path}"]["get"]["parameters"][0]["description"] ==
        "The rest of the path, which may contain slashes.");
}

TEST_CASE("the route metadata is in the operation") {
  const auto o = operation([](service& svc) {
    svc.get("/users", [] { return json::array(); })
        .name("users").summary("All \xC3\xBC users").description("In order").tag("a").tag("b").deprecated()
        .query<int>("page", "which").query("size", "how many", 20).find_query<bool>("all", "")
        .returns(200, "They").schema({{"type", "array"}}).example(json::array({1}))
        .returns(429, "Later", "text/html");
  });

  CHECK(o["operationId"] == "users");
  CHECK(o["summary"] == "All \xC3\xBC users");
  CHECK(o["description"] == "In order");
  CHECK(o["tags"] == json{"a", "b"});
  CHECK(o["deprecated"] == true);
  CHECK(o["parameters"][0] == json{{"name", "page"}, {"in", "query"}, {"description", "which"}, {"required", true},
                                   {"schema", {{"type", "integer"}, {"format", "int32"}}}});
  CHECK(o["parameters"][1]["required"] == false);
  CHECK(o["parameters"][1]["schema"]["default"] == 20);
  CHECK(o["parameters"][2]["schema"] == json{{"type", "boolean"}});
  CHECK(o["responses"]["200"] ==
        json{{"description", "They"},
             {"content", {{"application/json", {{"schema", {{"type", "array"}}}, {"example", {1}}}}}}});
  CHECK(o["responses"]["429"] == json{{"description", "Later"}, {"content", {{"text/html", json::object()}}}});
  CHECK(o["responses"]["400"] == problem);
  CHECK(o["responses"]["default"] == problem);
  CHECK(o["responses"].size() == 4);
}

TEST_CASE("headers of a response are described") {
  const auto o = operation([](service& svc) {
    svc.post("/users", [] { return reply(201); })
        .returns(201, "Created").returns_header("Location", "URL of the user").returns_header("X-Cost", "");
  });

  CHECK(o["responses"]["201"]["headers"]["Location"] ==
        json{{"description", "URL of the user"}, {"schema", {{"type", "string"}}}});
  CHECK(o["responses"]["201"]["headers"]["X-Cost"] == json{{"schema", {{"type", "string"}}}});
  for (const char* name : {"", "a b", "a:b"}) {
    CAPTURE(name);
    auto wrong = [&](service& svc) { svc.get("/", text).returns(200, "").returns_header(name, ""); };
    CHECK_THROWS_AS(client{wrong}, winsvc::setup_error);
  }
  auto early = [](service& svc) { svc.get("/", text).returns_header("Location", ""); };
  CHECK_THROWS_AS(client{early}, winsvc::setup_error);
}

TEST_CASE("the server of the document has the path prefix of a trusted proxy") {
  auto app = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.openapi();
  };
  client c(app);
  const auto url = [&](const winsvc::testing::headers& fields) {
    return json::parse(c.get("/openapi.json", fields).body)["servers"][0]["url"].get<std::string>();
  };
  CHECK(url({}) == "/");
  CHECK(url({{"X-Forwarded-Prefix", "/app"}}) == "/app/");
  CHECK(url({{"X-Forwarded-Prefix", "/other/app/"}}) == "/other/app/");
  CHECK(url({}) == "/");
}

TEST_CASE("the document lists the tags of all operations, each once") {
  const auto d = document([](service& svc) {
    svc.get("/a", text).tag("x").tag("y");
    svc.get("/b", text).tag("y").tag("z");
  });

  CHECK(d["tags"] == json{{{"name", "x"}}, {{"name", "y"}}, {{"name", "z"}}});
}

TEST_CASE("responses are described from the type of the handler") {
  struct {
    void (*app)(service&);
    const char* status;  ///< of a successful response
    json content;        ///< null if the response has no content
    std::set<std::string> problems;
  } rows[] = {
      {[](service& svc) { svc.get("/", text); }, "200", {{"text/plain", json::object()}}, {"default"}},
      {[](service& svc) { svc.get("/", [] { return json(); }); }, "200", {{"application/json", json::object()}},
       {"default"}},
      {[](service& svc) { svc.get("/", [] {}); }, "200", nullptr, {"default"}},
      {[](service& svc) { svc.get("/", [] { return reply(204); }); }, "2XX", nullptr, {"default"}},
      {[](service& svc) { svc.get("/", [](response&) {}); }, "2XX", nullptr, {"default"}},
      {[](service& svc) { svc.get("/", [] { return std::pair(201, json()); }); }, "2XX",
       {{"application/json", json::object()}}, {"default"}},
      {[](service& svc) { svc.get("/", [] { return std::optional<json>(); }); }, "200",
       {{"application/json", json::object()}}, {"404", "default"}},
      {[](service& svc) { svc.get("/{id}", [](int) {}); }, "200", nullptr, {"404", "default"}},
      {[](service& svc) { svc.get("/{id}", [](std::string) {}); }, "200", nullptr, {"default"}},
      {[](service& svc) { svc.post("/", [](body<json>) {}); }, "200", nullptr, {"400", "422", "default"}},
      {[](service& svc) { svc.del("/", [] { return json(); }).returns(204, "Gone"); }, "204", nullptr, {"default"}},
      {[](service& svc) { svc.get("/", [] { return json(); }).returns(409, "Taken"); }, "200",
       {{"application/json", json::object()}}, {"default"}},
  };
  for (const auto& r : rows) {
    const auto responses = operation(r.app)["responses"];
    CAPTURE(responses.dump());
    REQUIRE(responses.contains(r.status));
    CHECK(responses[r.status].value("content", json()) == r.content);
    std::set<std::string> problems;
    for (const auto& [status, response] : responses.items()) {
      if (response == problem) problems.insert(status);
    }
    CHECK(problems == r.problems);
  }
}

TEST_CASE("a request body is described if the handler or the metadata has one") {
  const auto json_body = operation([](service& svc) { svc.post("/", [](body<json>) {}); });
  const auto reply = operation([](service& svc) {
    svc.post("/", [](const request&) { return ""; }).takes("A picture", "image/png");
  });

  CHECK(json_body["requestBody"] ==
        json{{"required", true}, {"content", {{"application/json", json::object()}}}});
  CHECK(reply["requestBody"] ==
        json{{"description", "A picture"}, {"required", true}, {"content", {{"image/png", json::object()}}}});
  CHECK_FALSE(operation([](service& svc) { svc.post("/", text); }).contains("requestBody"));
}

TEST_CASE("each operation has a unique id") {
  const auto d = document([](service& svc) {
    svc.get("/", text);
    svc.get("/users/{id}", [](int) {}).name("user");
    svc.get("/users-old", text);
    svc.get("/users/old", text);
    svc.get("/todo", text).name("get_todo");
    svc.resource<todos>("/todos/{id}").name("todo");
    svc.any("/any", text);
  });
  std::set<std::string> ids;
  std::size_t count = 0;
  for (const auto& item : d["paths"]) {
    for (const auto& o : item) {
      ids.insert(o["operationId"].get<std::string>());
      ++count;
    }
  }

  CHECK(count == ids.size());
  CHECK(ids == std::set<std::string>{"get", "user", "get_users_old", "get_users_old_2", "get_todo", "get_todo_2",
                                     "put_todo", "delete_todo", "get_any", "post_any", "put_any", "patch_any",
                                     "delete_any"});
}

TEST_CASE("a route for any method is listed for the methods without another route, except HEAD and OPTIONS") {
  const auto d = document([](service& svc) {
    svc.any("/x", [](body<json>) {});
    svc.get("/x", text).summary("mine");
    svc.route(method::head, "/y", text);
    svc.options("/y", text);
  });
  const auto& x = d["paths"]["/x"];

  CHECK(d["paths"].size() == 1);
  CHECK(x.size() == 5);
  CHECK(x["get"]["summary"] == "mine");
  CHECK(x["delete"].contains("requestBody"));
}

TEST_CASE("patterns that are one path in OpenAPI are listed once, with the route that has precedence") {
  const auto d = document([](service& svc) {
    svc.get("/users/{id}", [](int) {}).summary("get");
    svc.put("/users/{name}", [](std::string) {}).summary("put");
    svc.get("/f/{rest...}", [](std::string) {}).summary("tail");
    svc.any("/f/{one}", [](int) {}).summary("any");
  });

  CHECK(d["paths"].size() == 2);
  const auto& users = d["paths"]["/users/{id}"];
  CHECK(users["put"]["parameters"][0]["name"] == "id");
  CHECK(users["put"]["parameters"][0]["schema"] == json{{"type", "string"}});
  CHECK(d["paths"]["/f/{rest}"]["get"]["summary"] == "any");
}

TEST_CASE("hidden routes and built-in routes are not described") {
  const auto d = document([](service& svc) {
    svc.get("/secret", text).hidden();
    svc.get("/seen", text);
  });

  CHECK(d["paths"].size() == 1);
  CHECK(d["paths"].contains("/seen"));
}

TEST_CASE("literal segments of a path are percent-encoded") {
  const auto d = document([](service& svc) { svc.get("/gr\xC3\xBC\xC3\x9F e/{x}", [](int) {}); });
  CHECK(d["paths"].contains("/gr%C3%BC%C3%9F%20e/{x}"));
}

TEST_CASE("error responses match the schema of the document") {
  auto app = [](service& svc) {
    svc.openapi();
    svc.get("/", []() -> std::string { throw std::runtime_error("x"); });
    svc.get("/gone", []() -> std::string { winsvc::abort(410, "it went"); });
  };
  client c(app);
  const auto d = json::parse(c.get("/openapi.json").body);
  const auto& schema = d["components"]["schemas"]["problem"];
  const auto& content = d["components"]["responses"]["problem"]["content"];

  for (const char* path : {"/", "/gone", "/nowhere"}) {
    const auto r = c.get(path);
    const auto reply = json::parse(r.body);
    CHECK(content.contains(r.header("Content-Type")));
    for (const auto& member : reply.items()) {
      const std::string name = member.key();
      CAPTURE(name);
      REQUIRE(schema["properties"].contains(name));
      CHECK(schema["properties"][name]["type"] == (member.value().is_string() ? "string" : "integer"));
    }
    for (const auto& name : schema["required"]) CHECK(reply.contains(name.get<std::string>()));
  }
}

TEST_CASE("a WebSocket is a GET operation with the response 101") {
  const auto o = operation([](service& svc) { svc.websocket("/chat", [](winsvc::websocket&) {}).summary("Talk"); });
  CHECK(o["summary"] == "Talk");
  CHECK(o["responses"]["101"] == json{{"description", "A WebSocket"}});
  CHECK(o["responses"].size() == 2);
}

TEST_CASE("all special cases together give openapi.json") {
  auto app = [](service& svc) {
    svc.openapi("/described").metrics();
    svc.name("oddities").version("1.0").description("Quotes \" and \\ and \n lines");
    svc.get("/", text);
    svc.any("/any", [](body<json>) {});
    svc.get("/any", text).summary("mine");
    svc.get("/x/{a}/{b}/{c}/{d}/{e}/{f}", [](int, long long, unsigned, unsigned long long, double, std::string) {});
    svc.get("/f/{path...}", [](std::string) { return ""; });
    svc.any("/f/{one}", [](int) {});
    svc.get("/users/{id}", [](int) -> std::optional<json> { return std::nullopt; }).name("user");
    svc.put("/users/{name}", [](std::string) {}).deprecated().takes("A picture", "image/png");
    svc.resource<todos>("/todos/{id}").name("todo").tag("t").tag("u");
    svc.get("/gr\xC3\xBC\xC3\x9F e/{x}", [](int) {});
    svc.websocket("/chat/{room}", [](winsvc::websocket&, std::string) {});
    svc.get("/users", [] { return json::array(); })
        .name("users").description("In *order*").query<int>("page", "which").query("size", "how many", 20)
        .query("s", "", "a\"b").query("r", "", 0.5).find_query<bool>("all", "")
        .returns(200, "They").schema({{"type", "array"}, {"items", {{"type", "object"}}}}).example(json::array())
        .returns(304, "The same").returns(429, "Later", "text/html");
    svc.route(method::head, "/hidden", text);
    svc.get("/hidden", text).hidden();
  };
  client c(app);
  const auto file = winsvc::detail::os::read_file(
      winsvc::detail::os::path_join(winsvc::detail::os::folder_of(__FILE__), "openapi.json"));

  REQUIRE(file);
  CHECK(c.get("/described").body == *file);
}

#endif  // WINSVC_JSON
