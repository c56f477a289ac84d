// Error responses: their format by Accept, and the middleware of a group for paths without a route.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::service;
using winsvc::testing::client;

namespace {

const char* const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

}  // namespace

TEST_CASE("an error has the format that the client prefers: a page for a browser, JSON by default") {
  auto app = [](service& svc) {
    svc.get("/abort", []() -> std::string { winsvc::abort(409, "<b>\"taken\" & 'gone'</b>"); });
  };
  client c(app);
  const auto type_for = [&](const char* accept) {
    const auto response = c.get("/abort", {{"Accept", accept}});
    CHECK(response.status == 409);
    CHECK(response.header("Vary") == "Accept");
    const auto type = response.header("Content-Type");
    return type.substr(0, type.find(';'));
  };
  for (const char* accept : {browser, "text/html", "text/html, text/plain", "text/plain;q=0.5, text/html;q=0.6",
                             "application/json;q=0.1, text/html"}) {
    CAPTURE(accept);
    CHECK(type_for(accept) == "text/html");
  }
  for (const char* accept : {"*/*", "", "application/json", "application/problem+json", "text/html, application/json",
                             "text/html;q=0, */*;q=0.1", "image/png", "json", "application/*, text/html;q=0.9"}) {
    CAPTURE(accept);
    CHECK(type_for(accept) == "application/problem+json");
  }
  for (const char* accept : {"text/plain", "text/*", "text/plain, */*;q=0.5", "text/plain, text/html;q=0.9"}) {
    CAPTURE(accept);
    CHECK(type_for(accept) == "text/plain");
  }
  CHECK(c.get("/abort").header("Content-Type") == "application/problem+json");
}

TEST_CASE("the page of an error is escaped, and shows the title, the detail and the request id") {
  auto app = [](service& svc) {
    svc.get("/abort", []() -> std::string { winsvc::abort(409, "<b>\"taken\" & 'gone'</b>"); });
    svc.get("/throw", []() -> std::string { throw 7; });
  };
  client c(app);
  const auto page = c.get("/abort", {{"Accept", browser}}).body;
  CHECK(page.find("<h1>409 Conflict</h1>") != std::string::npos);
  CHECK(page.find("&lt;b&gt;&quot;taken&quot; &amp; &#39;gone&#39;&lt;/b&gt;") != std::string::npos);
  CHECK(page.find("<b>") == std::string::npos);
  CHECK(page.find("viewport") != std::string::npos);
  CHECK(c.get("/throw", {{"Accept", browser}}).body.find("Request <code>") != std::string::npos);
  CHECK(c.get("/nothing", {{"Accept", browser}}).body.find("<h1>404 Not Found</h1>") != std::string::npos);
}

TEST_CASE("errors below a group with cors have CORS headers, so that a page can read them") {
  auto app = [](service& svc) {
    svc.group("/api/{tenant}", [](winsvc::route_group& g) {
      g.use(winsvc::cors({"https://app.example"}));
      g.get("/items", [](std::string) { return "items"; });
      g.post("/fails", [](std::string) -> std::string { throw 7; });
      g.group("/inner", [](winsvc::route_group& inner) { inner.get("/x", [](std::string) { return "x"; }); });
    });
    svc.get("/other", [] { return "other"; });
  };
  client c(app);
  const winsvc::testing::headers origin{{"Origin", "https://app.example"}};
  const auto allowed = [&](const char* method, const char* path, int status) {
    const auto response = c.request(method, path, origin);
    CHECK(response.status == status);
    return response.header("Access-Control-Allow-Origin");
  };
  CHECK(allowed("GET", "/api/a/items", 200) == "https://app.example");
  CHECK(allowed("GET", "/api/a/nope", 404) == "https://app.example");
  CHECK(allowed("GET", "/api/a", 404) == "https://app.example");
  CHECK(allowed("GET", "/api/a/inner/nope", 404) == "https://app.example");
  CHECK(allowed("DELETE", "/api/a/items", 405) == "https://app.example");
  CHECK(allowed("POST", "/api/a/fails", 500) == "https://app.example");
  CHECK(allowed("GET", "/apix/a/nope", 404) == "");
  CHECK(allowed("GET", "/other", 200) == "");
  CHECK(allowed("DELETE", "/other", 405) == "");
}

TEST_CASE("the middleware of a group runs for each path below its prefix, also for one that no route can have") {
  auto app = [](service& svc) {
    svc.group("/api", [](winsvc::route_group& g) {
      g.use(winsvc::cors({"https://app.example"}));
      g.get("/items", [] { return "items"; });
      g.get("/files/{path...}", [](std::string path) { return path; });
      g.group("/private", [](winsvc::route_group& inner) {
        inner.use(winsvc::bearer_auth("here", [](std::string_view) { return std::optional<std::string>(); }));
        inner.get("/x", [] { return "x"; });
      });
    });
  };
  client c(app);
  struct { const char* method; const char* path; int status; bool in_group; } const rows[] = {
      {"GET", "/api/a%2Fb", 404, true},          {"GET", "/api/../x", 404, true},
      {"GET", "/api/%zz", 400, true},            {"GET", "/api/files/a%2Fb", 400, true},
      {"GET", "/api/files/../x", 400, true},     {"DELETE", "/api/items", 405, true},
      {"GET", "/api/private/%2F", 401, true},    {"GET", "/api/private/..", 401, true},
      {"GET", "/api/private/%00", 401, true},    {"GET", "/%zz/api", 400, false},
      {"GET", "/apix/%2F", 404, false},          {"GET", "/x/../api", 404, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.path);
    const auto response = c.request(row.method, row.path, {{"Origin", "https://app.example"}});
    CHECK(response.status == row.status);
    CHECK((response.header("Access-Control-Allow-Origin") == "https://app.example") == row.in_group);
  }
}

TEST_CASE("while the service is paused, a method without a route does not run the middleware of another method") {
  auto app = [](service& svc) {
    svc.group("", [](winsvc::route_group& g) {  // without a prefix: it applies to its routes only
      g.use([](const winsvc::request&, winsvc::response& res, const winsvc::next_handler& next) {
        res.set_header("X-Group", "1");
        next();
      });
      g.get("/items", [] { return "items"; });
    });
  };
  client c(app);
  for (const bool paused : {false, true}) {
    CAPTURE(paused);
    c.engine().pause(paused);
    const auto unknown = c.put("/items", "x");
    CHECK(unknown.status == (paused ? 503 : 405));
    CHECK(unknown.header("X-Group").empty());
    CHECK(c.get("/items").header("X-Group") == "1");
    CHECK(c.options("/items").header("X-Group") == "1");  // a preflight request belongs to the other method
  }
}

TEST_CASE("a plain OPTIONS is not a preflight: it gets the methods of the path") {
  auto app = [](service& svc) {
    svc.use(winsvc::cors({"https://app.example"}));
    svc.get("/items", [] { return "items"; });
  };
  client c(app);
  const auto plain = c.request("OPTIONS", "/items", {{"Origin", "https://app.example"}});
  CHECK(plain.status == 204);
  CHECK(plain.header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(plain.header("Access-Control-Allow-Methods").empty());
  const auto preflight = c.request("OPTIONS", "/items", {{"Origin", "https://app.example"},
                                                         {"Access-Control-Request-Method", "GET"}});
  CHECK(preflight.status == 204);
  CHECK(!preflight.header("Access-Control-Allow-Methods").empty());
}

TEST_CASE("a basic password may contain colons, and an empty bearer token never reaches the check") {
  int calls = 0;
  auto app = [&calls](service& svc) {
    svc.group("/basic", [](winsvc::route_group& g) {
      g.use(winsvc::basic_auth("here", {{"anna", "a:b:"}}));
      g.get("/", [] { return "in"; });
    });
    svc.group("/bearer", [&calls](winsvc::route_group& g) {
      g.use(winsvc::bearer_auth("here", [&calls](std::string_view token) -> std::optional<std::string> {
        ++calls;
        return token == "t" ? std::optional<std::string>("anna") : std::nullopt;
      }));
      g.get("/", [] { return "in"; });
    });
  };
  client c(app);
  CHECK(c.get("/basic", {{"Authorization", "Basic " + winsvc::detail::base::to_base64("anna:a:b:")}}).status == 200);
  CHECK(c.get("/basic", {{"Authorization", "Basic " + winsvc::detail::base::to_base64("anna:a")}}).status == 401);
  for (const char* header : {"Bearer", "Bearer ", "Bearer   ", "bearer\t", "Basic t", ""}) {
    CAPTURE(header);
    CHECK(c.get("/bearer", {{"Authorization", header}}).status == 401);
  }
  CHECK(calls == 0);
  CHECK(c.get("/bearer", {{"Authorization", "bearer t"}}).status == 200);
  CHECK(calls == 1);
}
