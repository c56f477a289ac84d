// Middleware, groups, resources, error pages, forms: through the client, as in production.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using winsvc::route_group;
using winsvc::next_handler;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

winsvc::middleware marks(const std::string& letter) {
  return [letter](const request&, response& res, const next_handler& go_on) {
    const auto so_far = [&res] { return res.get_header_value("Trace"); };
    winsvc::http::replace_header(res, "Trace", so_far() + letter);
    go_on();
    winsvc::http::replace_header(res, "Trace", so_far() + "-" + letter);
  };
}

struct no_such_user : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct todos {
  std::string get(int id) const { return "todo " + std::to_string(id); }
  reply del(int) const noexcept { return reply(204); }
  winsvc::reply put(const request& req, int id) const { return reply::text(std::to_string(id) + "=" + req.body, 201); }

  int counter = 0;  // a member that is no handler
};

}  // namespace

TEST_CASE("middleware wraps the handler in the order of registration, the app's around a group's around its group's") {
  auto app = [](service& svc) {
    svc.get("/before", [] { return "x"; });
    svc.use(marks("a"));
    svc.get("/plain", [] { return "x"; });
    svc.group("/api", [](route_group& api) {
      api.use(marks("b"));
      api.get("/", [] { return "root"; });
      api.group("/v1", [](route_group& v1) {
        v1.use(marks("c"));
        v1.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
      });
      api.get("/after", [] { return "x"; });
    });
    svc.use(marks("d"));
    svc.get("/last", [] { return "x"; });
  };
  client c(app);

  CHECK(c.get("/before").header("Trace").empty());
  CHECK(c.get("/plain").header("Trace") == "a-a");
  CHECK(c.get("/api").body == "root");
  CHECK(c.get("/api").header("Trace") == "ab-b-a");
  CHECK(c.get("/api/v1/users/7").body == "user 7");
  CHECK(c.get("/api/v1/users/7").header("Trace") == "abc-c-b-a");
  CHECK(c.get("/api/after").header("Trace") == "ab-b-a");
  CHECK(c.get("/last").header("Trace") == "ad-d-a");
}

TEST_CASE("the app's middleware runs for what no route serves, with all that was added") {
  auto app = [](service& svc) {
    svc.get("/", [] { return "x"; });
    svc.use(marks("a")).use(marks("b"));
  };
  client c(app);

  CHECK(c.get("/nowhere").status == 404);
  CHECK(c.get("/nowhere").header("Trace") == "ab-b-a");
  CHECK(c.post("/", "x").status == 405);
  CHECK(c.post("/", "x").header("Trace") == "ab-b-a");
  CHECK(c.post("/", "x").header("Allow") == "GET, HEAD, OPTIONS");
}

TEST_CASE("a middleware that does not go on has answered, and the handler is not called") {
  std::atomic<int> called{0};
  auto app = [&](service& svc) {
    svc.use([](const request& req, response& res, const next_handler& go_on) {
      if (req.has_header("Key")) return go_on();
      res.status = 401;
      res.set_content("who are you?\n", "text/plain");
    });
    svc.get("/", [&] { ++called; return "hello"; });
  };
  client c(app);

  CHECK(c.get("/").status == 401);
  CHECK(c.get("/").body == "who are you?\n");
  CHECK(called == 0);
  CHECK(c.get("/", {{"Key", "k"}}).body == "hello");
}

TEST_CASE("what a handler threw is a finished answer when the middleware goes on, and headers set before stay") {
  int seen = 0;
  auto app = [&](service& svc) {
    svc.use([&](const request&, response& res, const next_handler& go_on) {
      res.set_header("Access-Control-Allow-Origin", "*");
      go_on();
      seen = res.status;
    });
    svc.get("/", []() -> std::string { throw std::runtime_error("secret"); });
  };
  client c(app);
  const auto r = c.get("/");

  CHECK(r.status == 500);
  CHECK(seen == 500);
  CHECK(r.header("Access-Control-Allow-Origin") == "*");
  CHECK(r.body.find("secret") == std::string::npos);
}

TEST_CASE("a middleware that throws is a logged 500, one that aborts is its status") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response&, const next_handler& go_on) {
      if (req.has_param("abort")) winsvc::abort(429, "slower");
      if (req.has_param("throw")) throw std::runtime_error("no memory");
      go_on();
      if (req.has_param("late")) throw std::runtime_error("late");
    });
    svc.get("/", [] { return "hello"; });
  };
  client c(app);

  CHECK(c.get("/?abort").status == 429);
  CHECK(c.get("/?abort").body.find("slower") != std::string::npos);
  CHECK(c.get("/?throw").status == 500);
  CHECK(c.get("/?late").status == 500);
  CHECK(c.get("/?late").body.find("hello") == std::string::npos);
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text.find("middleware") != std::string::npos);
  CHECK(c.log()[0].text.find("threw: no memory") != std::string::npos);
}

TEST_CASE("a refusal of a middleware leaves before the body is read") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response& res, const next_handler&) {
      CHECK(req.body.empty());
      res.status = 401;
    });
    svc.post("/", [](const request& req) { return req.body; });
  };
  client c(app);
  // A hundred bytes are announced, none is sent: whoever waits for them gets nothing before the time-out.
  const std::string out = c.raw("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");

  CHECK(out.find("HTTP/1.1 401") == 0);
  CHECK(out.find("100 Continue") == std::string::npos);
  CHECK(out.find("Connection: close") != std::string::npos);
}

TEST_CASE("the body is there when the handler is, whatever stands before it") {
  auto app = [](service& svc) {
    svc.use(marks("a"));
    svc.post("/", [](const request& req) { return req.body; });
    svc.del("/", [](const request& req) { return "deleted " + req.body; });
  };
  client c(app);

  CHECK(c.post("/", "text", "text/plain").body == "text");
  CHECK(c.request("DELETE", "/", {}, "it").body == "deleted it");
  std::string out = c.raw(
      "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\ngh");
  CHECK(winsvc::testing::parse_response(out).body == "abcdef");
  CHECK(winsvc::testing::parse_response(out).body == "gh");
}

TEST_CASE("forms are read: fields of any size, parts and files") {
  auto app = [](service& svc) {
    svc.post("/form", [](const request& req) { return req.get_param_value("a") + "," + req.get_param_value("b"); });
    svc.post("/size", [](const request& req) { return std::to_string(req.get_param_value("a").size()); });
    svc.post("/upload", [](const request& req) {
      const auto file = req.form.get_file("f");
      return req.form.get_field("t") + "|" + file.filename + "|" + file.content_type + "|" + file.content;
    });
  };
  client c(app);
  const std::string type = "application/x-www-form-urlencoded";

  CHECK(c.post("/form", "a=1+2&b=%C3%BC", type).body == "1 2,\xC3\xBC");
  CHECK(c.post("/size", "a=" + std::string(100'000, 'x'), type).body == "100000");
  CHECK(c.post("/upload",
               "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntitle\r\n"
               "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"
               "one\r\ntwo\r\n--B--\r\n",
               "multipart/form-data; boundary=B")
            .body == "title|a.txt|text/plain|one\r\ntwo");
}

TEST_CASE("a form without upload keeps odd names, the case of its media type does not matter, paths are cut") {
  auto app = [](service& svc) {
    svc.post("/", [](const winsvc::request& req) {
      const auto& file = req.form.files.begin()->second;
      return winsvc::form<std::string>(req, "report=v2;final.pdf") + "|" + winsvc::form<std::string>(req, "photo") + "|" +
             file.filename + "|" + file.headers.find("X-Part")->second;
    });
  };
  client c(app);
  const std::string parts = "--B\r\nContent-Disposition: form-data; name=\"report=v2;final.pdf\"\r\n\r\nyes\r\n"
                            "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n\r\n"
                            "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../etc/passwd\"\r\n"
                            "X-Part: kept\r\n\r\nx\r\n--B--\r\n";

  CHECK(c.post("/", parts, "Multipart/Form-Data; boundary=B").body == "yes||passwd|kept");
}

TEST_CASE("a multipart body that is none is 400, one that is too large 413") {
  auto app = [](service& svc) {
    svc.limits().body_bytes = 1000;
    svc.post("/", [] { return "taken"; });
  };
  client c(app);

  CHECK(c.post("/", "no parts at all", "multipart/form-data; boundary=B").status == 400);
  CHECK(c.post("/", "x", "multipart/form-data").status == 400);
  CHECK(c.post("/", std::string(2000, 'x'), "text/plain").status == 413);
}

TEST_CASE("a resource's members are handlers, the others are 405") {
  auto app = [](service& svc) {
    svc.resource<todos>("/todos/{id}");
    svc.group("/v2", [](route_group& g) { g.resource("/todos/{id}", std::make_shared<todos>()); });
  };
  client c(app);

  CHECK(c.get("/todos/7").body == "todo 7");
  CHECK(c.put("/todos/7", "x", "text/plain").body == "7=x");
  CHECK(c.del("/todos/7").status == 204);
  CHECK(c.post("/todos/7", "x").status == 405);
  CHECK(c.post("/todos/7", "x").header("Allow") == "GET, HEAD, PUT, DELETE, OPTIONS");
  CHECK(c.get("/todos/seven").status == 404);
  CHECK(c.get("/v2/todos/7").body == "todo 7");
}

TEST_CASE("an error page by status is for winsvc's own answers, not for a handler's") {
  auto app = [](service& svc) {
    svc.not_found([](const request& req, response& res) { res.set_content("no " + req.path + " here\n", "text/plain"); });
    svc.on_error(500, [](const request&, response& res) { res.set_content("sorry\n", "text/plain"); });
    svc.get("/own", [] { return std::pair(404, std::string("mine\n")); });
    svc.get("/abort", []() -> std::string { winsvc::abort(404); });
    svc.get("/throw", []() -> std::string { throw 7; });
  };
  client c(app);

  CHECK(c.get("/nowhere").body == "no /nowhere here\n");
  CHECK(c.get("/nowhere").status == 404);
  CHECK(c.get("/abort").body == "no /abort here\n");
  CHECK(c.get("/own").body == "mine\n");
  CHECK(c.get("/throw").body == "sorry\n");
  CHECK(c.get("/throw").status == 500);
}

TEST_CASE("an exception of a type that the app knows is answered by it, and is not logged") {
  auto app = [](service& svc) {
    svc.on_exception<no_such_user>([](const no_such_user& e) { return reply::text(e.what(), 404); });
    svc.on_exception<std::invalid_argument>(
        [](const std::invalid_argument& e, const request& req, response& res) {
          res.status = 422;
          res.set_content(req.path + ": " + e.what(), "text/plain");
        });
    svc.get("/user", []() -> std::string { throw no_such_user("nobody"); });
    svc.get("/bad", []() -> std::string { throw std::invalid_argument("too low"); });
    svc.get("/other", []() -> std::string { throw std::runtime_error("secret"); });
  };
  client c(app);

  CHECK(c.get("/user").status == 404);
  CHECK(c.get("/user").body == "nobody");
  CHECK(c.get("/bad").status == 422);
  CHECK(c.get("/bad").body == "/bad: too low");
  CHECK(c.log().empty());
  CHECK(c.get("/other").status == 500);
  CHECK(c.log().size() == 1);
}

TEST_CASE("an error is JSON, or a line of text for who asks for text") {
  auto app = [](service& svc) { svc.get("/", []() -> std::string { winsvc::abort(409, "taken"); }); };
  client c(app);

  for (const char* accept : {"", "*/*", "application/json", "text/plain, */*", "text/html"}) {
    const auto r = c.get("/", {{"Accept", accept}});
    CHECK(r.header("Content-Type") == "application/problem+json");
  }
  const auto r = c.get("/", {{"Accept", "text/plain"}});
  CHECK(r.status == 409);
  CHECK(r.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(r.body == "409 Conflict: taken\n");
}

TEST_CASE("a group's prefix begins with a slash and does not end with one, and a late middleware is refused") {
  for (const char* prefix : {"", "api", "/api/", "/"}) {
    auto app = [&](service& svc) { svc.group(prefix, [](route_group&) {}); };
    CHECK_THROWS_AS(client c(app), winsvc::setup_error);
  }
  auto late = [&](service& svc) { svc.get("/", [&svc] { svc.use(marks("x")); return ""; }); };
  client c(late);
  CHECK(c.get("/").status == 500);
  CHECK(c.log()[0].text.find("add middleware in the app") != std::string::npos);
}

TEST_CASE("whoever called next sees a finished answer, whatever went wrong behind it") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const next_handler& go_on) {
      res.set_header("Before", "1");
      go_on();
      res.set_header("After", std::to_string(res.status));
    });
    svc.group("/in", [](route_group& g) {
      g.use([](const request& req, response& res, const next_handler& go_on) {
        res.set_header("Inner", "begun");
        if (req.has_param("abort")) winsvc::abort(401, "who are you?");
        if (req.has_param("throw")) throw std::runtime_error("the store is locked");
        go_on();
        if (req.has_param("late")) winsvc::abort(403, "not for you");
      });
      g.get("/", [] { return "fine"; });
      g.get("/stream", [] {
        return reply::stream("text/plain", [](winsvc::stream& out) { out.write("secret"); });
      });
    });
  };
  client c(app);

  const auto aborted = c.get("/in?abort=1");
  CHECK(aborted.status == 401);
  CHECK(aborted.header("Before") == "1");
  CHECK(aborted.header("After") == "401");
  CHECK(aborted.header("Inner") == "begun");  // as WWW-Authenticate would be
  CHECK(aborted.body.find("who are you?") != std::string::npos);

  const auto threw = c.get("/in?throw=1");
  CHECK(threw.status == 500);
  CHECK(threw.header("Before") == "1");
  CHECK(threw.header("After") == "500");
  CHECK(threw.header("Inner").empty());  // what was begun goes
  CHECK(threw.body.find("locked") == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("middleware at ") != std::string::npos);
  CHECK(c.log()[0].text.find("threw: the store is locked") != std::string::npos);

  const auto late = c.get("/in/stream?late=1");
  CHECK(late.status == 403);
  CHECK(late.body.find("secret") == std::string::npos);
  CHECK(late.header("Transfer-Encoding").empty());
}

TEST_CASE("a stream that something else was put in the place of is not written") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response& res, const next_handler& go_on) {
      go_on();
      if (req.has_param("text")) res.set_content("instead", "text/plain");
      if (req.has_param("not_modified")) res.status = 304;
    });
    svc.get("/s", [] { return reply::stream("text/plain", [](winsvc::stream& out) { out.write("secret"); }); });
    svc.get("/none", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) { out.write("secret"); }).status(204);
    });
  };
  client c(app);
  CHECK(c.get("/s").body == "secret");
  CHECK(c.get("/s?text=1").body == "instead");
  CHECK(c.get("/s?text=1").header("Content-Length") == "7");
  CHECK(c.get("/s?not_modified=1").body.empty());
  CHECK(c.get("/none").status == 204);
  CHECK(c.get("/none").body.empty());
}

TEST_CASE("a middleware that calls next twice is found out, and the handler has run once") {
  std::atomic<int> runs{0};
  auto app = [&](service& svc) {
    svc.use([](const request&, response&, const next_handler& go_on) {
      go_on();
      go_on();
    });
    svc.get("/", [&] {
      ++runs;
      return "once";
    });
  };
  client c(app);
  CHECK(c.get("/").status == 500);
  CHECK(runs == 1);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("a middleware called next() a second time") != std::string::npos);
}

TEST_CASE("every error has the app's page, wherever it comes from") {
  auto app = [](service& svc) {
    for (const int status : {400, 401, 404, 405, 413, 415, 422, 429, 500}) {
      svc.on_error(status, [](const request&, response& res) { res.set_content("page", "text/html"); });
    }
    svc.limits().body_bytes = 16;
    svc.get("/users/{id}", [](int) { return "user"; });
    svc.get("/maybe", []() -> std::optional<std::string> { return std::nullopt; });
    svc.post("/in", [](const request& req) { return req.body; });
    svc.get("/throws", []() -> std::string { throw std::runtime_error("lost"); });
    svc.group("/closed", [](route_group& g) {
      g.use(winsvc::basic_auth("here", {{"anna", "secret"}}));
      g.get("/", [] { return "in"; });
    });
    svc.group("/slow", [](route_group& g) {
      g.use(winsvc::rate_limit(0.001, 1));
      g.get("/", [] { return "slow"; });
    });
    svc.group("/little", [](route_group& g) {
      g.use(winsvc::body_limit(4));
      g.post("/", [] { return "little"; });
    });
  };
  client c(app);
  const auto page = [](const winsvc::testing::client_response& a) { return std::to_string(a.status) + ' ' + a.body; };
  CHECK(page(c.get("/users/bob")) == "404 page");
  CHECK(page(c.get("/maybe")) == "404 page");
  CHECK(page(c.get("/nowhere")) == "404 page");
  CHECK(page(c.post("/users/7", "x")) == "405 page");
  CHECK(page(c.post("/in", std::string(17, 'x'))) == "413 page");
  CHECK(page(c.get("/throws")) == "500 page");
  CHECK(page(c.get("/closed")) == "401 page");
  CHECK(c.get("/closed").header("WWW-Authenticate").find("Basic realm=\"here\"") == 0);
  CHECK(page(c.get("/slow")) == "200 slow");
  CHECK(page(c.get("/slow")) == "429 page");
  CHECK(!c.get("/slow").header("Retry-After").empty());
  CHECK(page(c.post("/little", "12345")) == "413 page");
}

TEST_CASE("an error page that throws is logged, and the plain error is answered") {
  auto app = [](service& svc) {
    svc.on_error(404, [](const request&, response&) { throw std::runtime_error("no template"); });
    svc.get("/", [] { return "here"; });
  };
  client c(app);
  const auto a = c.get("/nowhere");
  CHECK(a.status == 404);
  CHECK(a.body.find("Not Found") != std::string::npos);
  CHECK(!a.header("Content-Length").empty());
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("page for an error threw: no template") != std::string::npos);
}

TEST_CASE("the page of a type of exception may abort, and need not say anything") {
  struct lost {};
  struct silent {};
  auto app = [](service& svc) {
    svc.on_exception<lost>([](const lost&) -> reply { winsvc::abort(410, "gone for good"); });
    svc.on_exception<silent>([](const silent&) {});
    svc.get("/lost", []() -> std::string { throw lost(); });
    svc.get("/silent", []() -> std::string { throw silent(); });
  };
  client c(app);
  CHECK(c.get("/lost").status == 410);
  CHECK(c.get("/lost").body.find("gone for good") != std::string::npos);
  CHECK(c.get("/silent").status == 500);
  CHECK(c.get("/silent").body.find("Internal Server Error") != std::string::npos);
}

TEST_CASE("a status that no answer can have is a logged 500") {
  auto app = [](service& svc) {
    svc.get("/{status}", [](int status) { return std::pair(status, "text"); });
  };
  client c(app);
  for (const char* status : {"0", "100", "199", "600", "1000"}) {
    CAPTURE(status);
    CHECK(c.get(std::string("/") + status).status == 500);
  }
  CHECK(c.get("/299").status == 299);
  CHECK(c.get("/599").status == 599);
  REQUIRE(c.log().size() == 5);
  CHECK(c.log()[0].text.find("it answered with status 0, which is none") != std::string::npos);
}

TEST_CASE("a group's CORS answers what a browser asks before it sends") {
  auto app = [](service& svc) {
    svc.group("/api", [](route_group& g) {
      winsvc::cors_policy policy;
      policy.origins = {"https://app.example"};
      g.use(winsvc::cors(policy));
      g.put("/x", [] { return "put"; });
    });
  };
  client c(app);
  const auto a = c.request("OPTIONS", "/api/x", {{"Origin", "https://app.example"},
                                                 {"Access-Control-Request-Method", "PUT"}});
  CHECK(a.status == 204);
  CHECK(a.header("Access-Control-Allow-Origin") == "https://app.example");
}

TEST_CASE("a refusal by a middleware costs no upload, whatever the method is") {
  auto app = [](service& svc) {
    svc.use([](const request&, response&, const next_handler&) { winsvc::abort(401); });
    svc.get("/in", [] { return "in"; });
  };
  client c(app);
  const std::string out = c.raw("GET /in HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  CHECK(out.find("100 Continue") == std::string::npos);
  CHECK(out.find("HTTP/1.1 401 ") == 0);
}
