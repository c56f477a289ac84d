// What is said of a route behind its registration: its name, its limit, the words for the description.
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
using winsvc::route::method;
using winsvc::testing::client;

namespace {

winsvc::source_location at(int line) { return {"src/app.cpp", line}; }

template <class App>
std::string complaint(App app) {
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

/// What the router knows of the first route after `app` has spoken.
template <class App>
winsvc::route::route_metadata known(App app) {
  winsvc::host::service_definition plan;
  service svc(plan);
  app(svc);
  return plan.router.routes().entries().at(0).metadata;
}

}  // namespace

TEST_CASE("a route says what follows from its handler's type") {
  using winsvc::route::response_kind;
  using winsvc::route::value_kind;
  const auto all = known([](service& svc) {
    svc.get("/{a}/{b}/{c}/{d}/{e}/{f}", [](const request&, response&, int, long long, unsigned, unsigned long long,
                                           double, std::string) {});
  });
  const auto maybe = known([](service& svc) {
    svc.get("/{a}", [](short) -> std::optional<std::string> { return std::nullopt; });
  });
  const auto raw = known([](service& svc) { svc.get("/{a}", [](const request&, response&) {}); });
  const auto pair = known([](service& svc) { svc.get("/", [] { return std::pair(201, "x"); }); });

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
  const auto json = known([](service& svc) {
    svc.put("/{a}", [](int, body<winsvc::json>) -> std::optional<winsvc::json> { return std::nullopt; });
  });
  CHECK(json.accepts_json);
  CHECK(json.response == response_kind::json);
#endif
}

TEST_CASE("what is said of a route is kept with it") {
  const auto f = known([](service& svc) {
    const route_builder users = svc.get("/users", [] { return ""; });
    users.name("users").summary("All users").description("In *their* order.").tag("a").tag("b").deprecated().hidden();
    users.query<int>("page", "which").query("size", "how many", 20).query("sort", "by what", "name");
    users.find_query<std::string>("q", "words").query("all", "every one", false);
    users.takes("A filter", "text/plain").returns(200, "They").returns(429, "Later", "text/html").limit_body(99);
  });

  CHECK(f.name == "users");
  CHECK(f.summary == "All users");
  CHECK(f.description == "In *their* order.");
  CHECK(f.tags == std::vector<std::string>{"a", "b"});
  CHECK(f.deprecated);
  CHECK(f.hidden);
  CHECK(f.body_limit == 99);
  REQUIRE(f.query.size() == 5);
  CHECK(f.query[0].required);
  CHECK_FALSE(f.query[1].required);
  CHECK(f.query[1].default_json == "20");
  CHECK(f.query[2].default_json == "\"name\"");
  CHECK_FALSE(f.query[3].required);
  CHECK(f.query[4].default_json == "false");
  CHECK(f.request_body->media_type == "text/plain");
  REQUIRE(f.responses.size() == 2);
  CHECK(f.responses[1].first == 429);
  CHECK(f.responses[1].second.media_type == "text/html");
}

#if WINSVC_JSON
TEST_CASE("a schema and an example belong to the body that was named right before them") {
  const auto f = known([](service& svc) {
    svc.put("/", [] { return ""; })
        .takes("A user").schema({{"type", "object"}}).example({{"id", 1}})
        .returns(200, "The user").returns(201, "New").example({{"id", 2}});
  });

  CHECK(f.request_body->schema == R"({"type":"object"})");
  CHECK(f.request_body->example == R"({"id":1})");
  CHECK(f.responses[0].second.example.empty());
  CHECK(f.responses[1].second.example == R"({"id":2})");
  CHECK(has(complaint([](service& svc) { svc.get("/", [] { return ""; }, at(3)).summary("x").example({1}); }),
            "GET / (app.cpp:3): example: of which body?"));
}
#endif

TEST_CASE("what contradicts itself is refused, with the places") {
  const auto hello = [] { return ""; };
  struct {
    std::string said;
    const char* part;
  } rows[] = {
      {complaint([&](service& svc) {
         svc.get("/a", hello, at(1)).name("x");
         svc.group("/g", [&](route_group& g) { g.get("/b", hello, at(2)).name("x"); });
       }),
       "GET /g/b (app.cpp:2) and GET /a (app.cpp:1) are both named 'x'"},
      {complaint([&](service& svc) { svc.get("/a", hello, at(1)).returns(99, ""); }), "99 is no status"},
      {complaint([&](service& svc) { svc.get("/a", hello, at(1)).returns(200, "").returns(200, ""); }),
       "GET /a (app.cpp:1): returns: 200 is said already"},
      {complaint([&](service& svc) { svc.get("/a", hello, at(1)).query("p", "", 1).query<int>("p", ""); }),
       "GET /a (app.cpp:1): query: 'p' is said already"},
      {complaint([&](service& svc) { static_cast<void>(svc.resource<todos>("/t/{id}", at(4)).on(method::del)); }),
       "GET /t/{id} (app.cpp:4): on DELETE: this resource has GET, PUT"},
      {complaint([&](service& svc) { static_cast<void>(svc.url_for("user", 7)); }),
       "url_for 'user': no route has this name: none has one yet"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.said);
    CHECK(has(r.said, r.part));
  }
}

TEST_CASE("a route cannot be described once the service has started") {
  std::optional<route_builder> kept;
  auto app = [&](service& svc) {
    kept = svc.get("/", [&] {
      kept->summary("late");
      return "";
    }, at(5));
  };
  client c(app);

  CHECK(c.get("/").status == 500);
  REQUIRE(!c.log().empty());
  CHECK(has(c.log().back().text, "route GET / (app.cpp:5): summary: the service has started; describe routes in the "
                                 "app, not in a handler or hook"));
}

TEST_CASE("what is said of a resource is said of all its methods, and with `on` of one") {
  winsvc::host::service_definition plan;
  service svc(plan);
  const auto t = svc.resource<todos>("/todos/{id}").name("todo").tag("todos");
  t.on(method::put).summary("Change");

  const auto& routes = plan.router.routes().entries();
  REQUIRE(routes.size() == 2);
  for (const auto& r : routes) {
    CHECK(r.metadata.name == "todo");
    CHECK(r.metadata.tags.size() == 1);
    CHECK(r.metadata.summary == (r.method_id == method::put ? "Change" : ""));
  }
  CHECK(svc.url_for("todo", 3) == "/todos/3");
}

TEST_CASE("a handler builds the path of a named route, of one that was registered after it too") {
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
  CHECK(has(c.log().back().text, "the request belongs to the thread that handles it"));
}

TEST_CASE("a route's own limit of the body holds in place of the app's, lower or higher, with a length or in chunks") {
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
    std::string out = c.raw("POST " + path + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" + head +
                            std::string(size, 'x') + "\r\n0\r\n\r\n");
    return winsvc::testing::parse_response(out);
  };
  struct {
    const char* path;
    std::size_t most;
  } rows[] = {{"/small", 10}, {"/large", 1000}, {"/app", 100}};

  for (const auto& r : rows) {
    CAPTURE(r.path);
    called = 0;
    CHECK(c.post(r.path, std::string(r.most, 'x')).body == std::to_string(r.most));
    CHECK(chunked(r.path, r.most).body == std::to_string(r.most));
    CHECK(called == 2);
    const auto more = c.post(r.path, std::string(r.most + 1, 'x'));
    CHECK(more.status == 413);
    CHECK(has(more.body, "the body is larger than " + std::to_string(r.most) + " bytes"));
    CHECK(chunked(r.path, r.most + 1).status == 413);
    CHECK(called == 2);
  }
  CHECK(c.put("/todos/1", "123456").status == 413);
  CHECK(c.put("/todos/1", "12345").status == 200);
}

TEST_CASE("a body over a route's limit is refused before it is asked for") {
  auto app = [](service& svc) { svc.post("/", [] { return ""; }).limit_body(10); };
  client c(app);
  const auto out = c.raw("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");

  CHECK(out.rfind("HTTP/1.1 413 ", 0) == 0);
}
