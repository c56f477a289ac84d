// Route builder: name, limits and documentation of a route, which are set after its registration.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::body;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::route_group;
using winsvc::route_builder;
using winsvc::service;
using winsvc::setup_error;
using winsvc::detail::route::method;
using winsvc::testing::client;

namespace {

winsvc::source_location at(int line) { return {"src/app.cpp", line}; }

template <class App>
std::string setup_error_text(App app) {
  try {
    client c(app);
  } catch (const setup_error& e) {
    return e.what();
  }
  return "accepted";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct todos {
  std::string get(int id) const { return "todo " + std::to_string(id); }
  reply put(const request& req, int) const { return reply::text(req.body); }
};

/// Metadata of the first route that `app` registers.
template <class App>
winsvc::detail::route::route_metadata first_route_metadata(App app) {
  winsvc::detail::host::service_definition definition;
  service svc(definition);
  app(svc);
  return definition.router.table().entries().at(0).metadata;
}

}  // namespace

TEST_CASE("the metadata of a route contains what the type of its handler determines") {
  using winsvc::detail::route::response_kind;
  using winsvc::detail::route::value_kind;
  const auto all = first_route_metadata([](service& svc) {
    svc.get("/{a}/{b}/{c}/{d}/{e}/{f}", [](const request&, response&, int, long long, unsigned, unsigned long long,
                                           double, std::string) {});
  });
  const auto maybe = first_route_metadata([](service& svc) {
    svc.get("/{a}", [](short) -> std::optional<std::string> { return std::nullopt; });
  });
  const auto raw = first_route_metadata([](service& svc) { svc.get("/{a}", [](const request&, response&) {}); });
  const auto pair = first_route_metadata([](service& svc) { svc.get("/", [] { return std::pair(201, "x"); }); });

  CHECK(all.parameters == std::vector{value_kind::int32, value_kind::int64, value_kind::uint32, value_kind::uint64,
                                      value_kind::number, value_kind::text});
  CHECK(all.sets_status);
  CHECK_FALSE(all.returns_optional);
  CHECK(maybe.parameters == std::vector{value_kind::int32});
  CHECK(maybe.returns_optional);
  CHECK(maybe.response == response_kind::text);
  CHECK_FALSE(maybe.sets_status);
  CHECK(raw.parameters.empty());
  CHECK(raw.response == response_kind::unknown);
  CHECK(pair.sets_status);
  CHECK(pair.response == response_kind::text);
#if WINSVC_JSON
  const auto json = first_route_metadata([](service& svc) {
    svc.put("/{a}", [](int, body<winsvc::json>) -> std::optional<winsvc::json> { return std::nullopt; });
  });
  CHECK(json.accepts_json);
  CHECK(json.response == response_kind::json);
#endif
}

TEST_CASE("the metadata of a route contains what the route builder sets") {
  const auto metadata = first_route_metadata([](service& svc) {
    const route_builder users = svc.get("/users", [] { return ""; });
    users.name("users").summary("All users").description("In *their* order.").tag("a").tag("b").deprecated().hidden();
    users.query<int>("page", "which").query("size", "how many", 20).query("sort", "by what", "name");
    users.find_query<std::string>("q", "words").query("all", "every one", false);
    users.takes("A filter", "text/plain").returns(200, "They").returns(429, "Later", "text/html").limit_body(99);
  });

  CHECK(metadata.name == "users");
  CHECK(metadata.summary == "All users");
  CHECK(metadata.description == "In *their* order.");
  CHECK(metadata.tags == std::vector<std::string>{"a", "b"});
  CHECK(metadata.deprecated);
  CHECK(metadata.hidden);
  CHECK(metadata.body_limit == 99);
  REQUIRE(metadata.values.size() == 5);
  CHECK(metadata.values[0].required);
  CHECK_FALSE(metadata.values[1].required);
  CHECK(metadata.values[1].schema == R"({"type":"integer","format":"int32","default":20})");
  CHECK(metadata.values[2].schema == R"({"type":"string","default":"name"})");
  CHECK_FALSE(metadata.values[3].required);
  CHECK(metadata.values[4].schema == R"({"type":"boolean","default":false})");
  CHECK(metadata.request_body->media_type == "text/plain");
  REQUIRE(metadata.responses.size() == 2);
  CHECK(metadata.responses[1].first == 429);
  CHECK(metadata.responses[1].second.media_type == "text/html");
}

#if WINSVC_JSON
TEST_CASE("a schema and an example belong to the body that was declared directly before them") {
  const auto metadata = first_route_metadata([](service& svc) {
    svc.put("/", [] { return ""; })
        .takes("A user").schema({{"type", "object"}}).example({{"id", 1}})
        .returns(200, "The user").returns(201, "New").example({{"id", 2}});
  });

  CHECK(metadata.request_body->schema == R"({"type":"object"})");
  CHECK(metadata.request_body->example == R"({"id":1})");
  CHECK(metadata.responses[0].second.example.empty());
  CHECK(metadata.responses[1].second.example == R"({"id":2})");
  CHECK(has(setup_error_text([](service& svc) { svc.get("/", [] { return ""; }, at(3)).summary("x").example({1}); }),
            "GET / (app.cpp:3): example: call it directly after takes() or returns()"));
}
#endif

TEST_CASE("contradictory metadata is rejected with the locations") {
  const auto hello = [] { return ""; };
  struct {
    std::string message;
    const char* part;
  } rows[] = {
      {setup_error_text([&](service& svc) {
         svc.get("/a", hello, at(1)).name("x");
         svc.group("/g", [&](route_group& g) { g.get("/b", hello, at(2)).name("x"); });
       }),
       "GET /g/b (app.cpp:2) and GET /a (app.cpp:1) are both named 'x'"},
      {setup_error_text([&](service& svc) { svc.get("/a", hello, at(1)).returns(99, ""); }),
       "99 is not an HTTP status"},
      {setup_error_text([&](service& svc) { svc.get("/a", hello, at(1)).returns(200, "").returns(200, ""); }),
       "GET /a (app.cpp:1): returns: 200 is described already"},
      {setup_error_text([&](service& svc) { svc.get("/a", hello, at(1)).query("p", "", 1).query<int>("p", ""); }),
       "GET /a (app.cpp:1): query: 'p' is described already"},
      {setup_error_text([&](service& svc) {
         static_cast<void>(svc.resource<todos>("/t/{id}", at(4)).on(method::del));
       }),
       "GET /t/{id} (app.cpp:4): on DELETE: this resource has only GET, PUT"},
      {setup_error_text([&](service& svc) { static_cast<void>(svc.url_for("user", 7)); }),
       "url_for 'user': no route has this name; no route has a name yet"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.message);
    CHECK(has(r.message, r.part));
  }
}

TEST_CASE("a route cannot be described after the service has started") {
  std::optional<route_builder> saved;
  auto app = [&](service& svc) {
    saved = svc.get("/", [&] {
      saved->summary("late");
      return "";
    }, at(5));
  };
  client c(app);

  CHECK(c.get("/").status == 500);
  REQUIRE(!c.log().empty());
  CHECK(has(c.log().back().text, "route GET / (app.cpp:5): summary: the service has started; describe routes in the "
                                 "app, not in a handler or hook"));
}

TEST_CASE("metadata of a resource applies to all its methods, with `on` to one") {
  winsvc::detail::host::service_definition definition;
  service svc(definition);
  const auto todo_routes = svc.resource<todos>("/todos/{id}").name("todo").tag("todos");
  todo_routes.on(method::put).summary("Change");

  const auto& routes = definition.router.table().entries();
  REQUIRE(routes.size() == 2);
  for (const auto& route : routes) {
    CHECK(route.metadata.name == "todo");
    CHECK(route.metadata.tags.size() == 1);
    CHECK(route.metadata.summary == (route.method_id == method::put ? "Change" : ""));
  }
  CHECK(svc.url_for("todo", 3) == "/todos/3");
}

TEST_CASE("a handler builds the path of a named route, also of one that is registered later") {
  auto app = [](service& svc) {
    svc.post("/users", [](const request& req) {
      return reply(201).header("Location", winsvc::url_for(req, "user", 7));
    });
    svc.post("/search", [](const request& req, response& res) {
      res.set_redirect(winsvc::with_query(winsvc::url_for(req, "users"), {{"page", 2}}));
    });
    svc.get("/wrong", [](const request& req) { return winsvc::url_for(req, "usr", 7); });
    svc.get("/copied", [](const request& req) {
      const request copy = req;
      return winsvc::url_for(copy, "user", 7);
    });
    svc.group("/api", [](route_group& api) {
      api.get("/users/{id}", [](int) { return ""; }).name("user");
      api.get("/users", [] { return ""; }).name("users");
      CHECK(api.url_for("user", 8) == "/api/users/8");
    });
  };
  client c(app);

  CHECK(c.post("/users", "").header("Location") == "/api/users/7");
  CHECK(c.post("/search", "").header("Location") == "/api/users?page=2");
  CHECK(c.get("/wrong").status == 500);
  CHECK(has(c.log().back().text, "did you mean 'user'?"));
  CHECK(c.get("/copied").status == 500);
  CHECK(has(c.log().back().text, "url_for: use it only on the thread that handles the request"));
}

TEST_CASE("the body limit of a route replaces the app's, lower or higher, with a length or in chunks") {
  int called = 0;
  auto app = [&](service& svc) {
    svc.limits().body_bytes = 100;
    const auto count = [&](const request& req) {
      ++called;
      return std::to_string(req.body.size());
    };
    svc.post("/small", count).limit_body(10);
    svc.post("/large", count).limit_body(1000);
    svc.post("/app", count);
    svc.resource<todos>("/todos/{id}").limit_body(5);
  };
  client c(app);
  const auto chunked = [&c](const std::string& path, std::size_t size) {
    char head[32];
    std::snprintf(head, sizeof head, "%zx\r\n", size);
    std::string output = c.raw("POST " + path + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + head +
                            std::string(size, 'x') + "\r\n0\r\n\r\n");
    return winsvc::testing::parse_response(output);
  };
  struct {
    const char* path;
    std::size_t limit;
  } rows[] = {{"/small", 10}, {"/large", 1000}, {"/app", 100}};

  for (const auto& r : rows) {
    CAPTURE(r.path);
    called = 0;
    CHECK(c.post(r.path, std::string(r.limit, 'x')).body == std::to_string(r.limit));
    CHECK(chunked(r.path, r.limit).body == std::to_string(r.limit));
    CHECK(called == 2);
    const auto more = c.post(r.path, std::string(r.limit + 1, 'x'));
    CHECK(more.status == 413);
    CHECK(has(more.body, "the body is larger than " + std::to_string(r.limit) + " bytes"));
    CHECK(chunked(r.path, r.limit + 1).status == 413);
    CHECK(called == 2);
  }
  CHECK(c.put("/todos/1", "123456").status == 413);
  CHECK(c.put("/todos/1", "12345").status == 200);
}

TEST_CASE("a body over a route's limit is rejected before it is requested") {
  auto app = [](service& svc) { svc.post("/", [] { return ""; }).limit_body(10); };
  client c(app);
  const auto output = c.raw("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");

  CHECK(output.rfind("HTTP/1.1 413 ", 0) == 0);
}
