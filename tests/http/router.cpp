// Router: registrations that are rejected, and the route that a handler sees.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::request;
using winsvc::service;
using winsvc::setup_error;
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

}  // namespace

TEST_CASE("a handler with another number of parameters than its pattern is rejected with both numbers") {
  const auto one_none = setup_error_text([](service& svc) { svc.get("/users/{id}", [] { return ""; }, at(12)); });
  const auto two_one = setup_error_text([](service& svc) { svc.get("/{a}/{b}", [](int) { return ""; }, at(13)); });
  const auto none_one = setup_error_text([](service& svc) { svc.get("/", [](std::string) { return ""; }, at(14)); });

  CHECK(one_none == "route GET /users/{id} (app.cpp:12): the pattern has 1 parameter, the handler takes 0");
  CHECK(two_one == "route GET /{a}/{b} (app.cpp:13): the pattern has 2 parameters, the handler takes 1");
  CHECK(none_one == "route GET / (app.cpp:14): the pattern has 0 parameters, the handler takes 1");
}

TEST_CASE("a duplicate or a conflict is rejected with both routes, both source lines and a common path") {
  const auto same = setup_error_text([](service& svc) {
    svc.get("/users/{id}", [](int) { return ""; }, at(10));
    svc.get("/users/{name}", [](std::string) { return ""; }, at(20));
  });
  const auto crossing = setup_error_text([](service& svc) {
    svc.get("/a/{x}", [](int) { return ""; }, at(10));
    svc.get("/{y}/b", [](std::string) { return ""; }, at(20));
  });
  const auto any_twice = setup_error_text([](service& svc) {
    svc.any("/a", [] { return ""; }, at(10));
    svc.any("/a", [] { return ""; }, at(20));
  });

  struct {
    std::string text;
    const char* common_path;
  } const cases[] = {{same, "/users/"}, {crossing, "/a/b"}, {any_twice, "/a"}};
  for (const auto& test : cases) {
    CAPTURE(test.text);
    CHECK(has(test.text, "app.cpp:10"));
    CHECK(has(test.text, "app.cpp:20"));
    CHECK(has(test.text, std::string("both match ") + test.common_path));
  }
}

TEST_CASE("a malformed pattern is rejected with its source line") {
  for (const char* pattern : {"", "users", "/{", "/{}", "/a{b}", "/{a...}/b", "/{a}/{a}"}) {
    CAPTURE(pattern);
    const auto handler = [](const request&) { return ""; };
    const auto text = setup_error_text([&](service& svc) { svc.get(pattern, handler, at(33)); });
    CHECK(text != "accepted");
    CHECK(has(text, "app.cpp:33"));
  }
}

TEST_CASE("a route that is registered after the start is rejected") {
  service* saved = nullptr;
  auto app = [&](service& svc) {
    saved = &svc;
    svc.get("/late", [&]() -> std::string {
      return "x";
    });
  };
  winsvc::detail::host::service_definition definition;
  service svc(definition);
  app(svc);
  definition.router.freeze();
  definition.freeze();

  CHECK_THROWS_WITH_AS(
      saved->get(
          "/more", [] { return ""; }, at(5)),
      "route GET /more (app.cpp:5): the service has started; register routes in the app, not in a handler or hook",
      setup_error);
  const auto pass = [](const request&, winsvc::response&, const winsvc::next_handler& next) { next(); };
  CHECK_THROWS_WITH_AS(saved->use(pass, at(6)),
                       "use (app.cpp:6): the service has started; add middleware in the app, not in a handler or hook",
                       setup_error);
  CHECK_THROWS_WITH_AS(saved->name("x"),
                       "name: the service has started; describe it in the app, not in a handler or hook", setup_error);
  CHECK_THROWS_AS(saved->on_start([] {}), setup_error);
  CHECK_THROWS_AS(saved->on_stop([] {}), setup_error);
  CHECK_THROWS_AS(saved->worker("w", [](winsvc::stop_token) {}), setup_error);
  CHECK_THROWS_AS(saved->ready("r", [] { return true; }), setup_error);
  CHECK_THROWS_AS(saved->listen("127.0.0.1", 1), setup_error);
  CHECK_THROWS_AS(saved->stop_limit(std::chrono::seconds(1)), setup_error);
}

TEST_CASE("an invalid prefix of a group is rejected with its source line") {
  CHECK(setup_error_text([](service& svc) { svc.group("/api/", [](winsvc::route_group&) {}, at(7)); }) ==
        "group '/api/' (app.cpp:7): a prefix must start with '/' and must not end with '/'");
}

TEST_CASE("names that Windows does not accept, and two workers with one name, are rejected") {
  CHECK(has(setup_error_text([](service& svc) { svc.name("a/b"); }), "it contains a slash"));
  CHECK(has(setup_error_text([](service& svc) { svc.name(""); }), "it is empty"));
  CHECK(has(setup_error_text([](service& svc) { svc.display_name(std::string(257, 'x')); }), "longer than 256"));
  CHECK(has(setup_error_text([](service& svc) {
    const auto idle = [](winsvc::stop_token) {};
    svc.worker("w", idle).worker("w", idle, at(9));
  }), "app.cpp:9"));
}

TEST_CASE("a handler without parameters finds its path parameters by name, and its route") {
  auto app = [](service& svc) {
    const auto show = [](const request& req) {
      std::string output = req.matched_route;
      for (const char* name : {"id", "path", "_"}) {
        const auto found = req.path_params.find(name);
        if (found != req.path_params.end()) output += std::string(" ") + name + '=' + found->second;
      }
      return output;
    };
    svc.get("/users/{id}", show);
    svc.post("/users/{id}", show);
    svc.get("/files/{id}/{path...}", show);
  };
  client c(app);

  CHECK(c.get("/users/b%20b").body == "/users/{id} id=b b");
  CHECK(c.post("/users/7", "x").body == "/users/{id} id=7");
  CHECK(c.get("/files/1/a/b").body == "/files/{id}/{path...} id=1 path=a/b");
}

TEST_CASE("a route for a method precedes one for any method, which serves the other methods") {
  auto app = [](service& svc) {
    svc.any("/a", [](const request& req) { return "any " + req.method; });
    svc.post("/a", [] { return "post"; });
  };
  client c(app);

  CHECK(c.get("/a").body == "any GET");
  CHECK(c.post("/a", "x").body == "post");
  CHECK(c.put("/a", "x").body == "any PUT");
  CHECK(c.del("/a").body == "any DELETE");
  CHECK(c.options("/a").body == "any OPTIONS");
  CHECK(c.head("/a").header("Content-Length") == "8");
}

TEST_CASE("a literal precedes a parameter, and a parameter precedes a tail, in any order of registration") {
  auto app = [](service& svc) {
    svc.get("/{rest...}", [](std::string) { return "tail"; });
    svc.get("/{one}", [](std::string) { return "parameter"; });
    svc.get("/me", [] { return "literal"; });
  };
  client c(app);

  CHECK(c.get("/me").body == "literal");
  CHECK(c.get("/you").body == "parameter");
  CHECK(c.get("/you/all").body == "tail");
}

TEST_CASE("an app's own route at a health path replaces it, and the paths can be changed or disabled") {
  auto own = [](service& svc) { svc.get("/livez", [] { return "mine"; }); };
  auto moved = [](service& svc) { svc.health_paths("/alive", ""); };

  CHECK(client(own).get("/livez").body == "mine");
  CHECK(client(own).get("/readyz").status == 200);
  CHECK(client(moved).get("/alive").body == "live\n");
  CHECK(client(moved).get("/livez").status == 404);
  CHECK(client(moved).get("/readyz").status == 404);
}
