// Middleware, groups, resources, error handlers and forms: through the test client.
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

/// Middleware that adds `letter` to the header Trace before the handler and `-letter` after it.
winsvc::middleware trace(const std::string& letter) {
  return [letter](const request&, response& res, const next_handler& next) {
    const auto current_trace = [&res] { return res.get_header_value("Trace"); };
    winsvc::detail::api::replace_header(res, "Trace", current_trace() + letter);
    next();
    winsvc::detail::api::replace_header(res, "Trace", current_trace() + "-" + letter);
  };
}

struct no_such_user : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct todos {
  std::string get(int id) const { return "todo " + std::to_string(id); }
  reply del(int) const noexcept { return reply(204); }
  winsvc::reply put(const request& req, int id) const { return reply::text(std::to_string(id) + "=" + req.body, 201); }

  int counter = 0;  // a member that is not a handler
};

}  // namespace

TEST_CASE("middleware runs in the order of registration: the app's outermost, then a group's, then a nested group's") {
  auto app = [](service& svc) {
    svc.get("/before", [] { return "x"; });
    svc.use(trace("a"));
    svc.get("/plain", [] { return "x"; });
    svc.group("/api", [](route_group& api) {
      api.use(trace("b"));
      api.get("/", [] { return "root"; });
      api.group("/v1", [](route_group& v1) {
        v1.use(trace("c"));
        v1.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
      });
      api.get("/after", [] { return "x"; });
    });
    svc.use(trace("d"));
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

TEST_CASE("the app's complete middleware runs for requests without a route") {
  auto app = [](service& svc) {
    svc.get("/", [] { return "x"; });
    svc.use(trace("a")).use(trace("b"));
  };
  client c(app);

  CHECK(c.get("/nowhere").status == 404);
  CHECK(c.get("/nowhere").header("Trace") == "ab-b-a");
  CHECK(c.post("/", "x").status == 405);
  CHECK(c.post("/", "x").header("Trace") == "ab-b-a");
  CHECK(c.post("/", "x").header("Allow") == "GET, HEAD, OPTIONS");
}

TEST_CASE("a middleware that does not call next responds itself, and the handler is not called") {
  std::atomic<int> handler_calls{0};
  auto app = [&](service& svc) {
    svc.use([](const request& req, response& res, const next_handler& next) {
      if (req.has_header("Key")) return next();
      res.status = 401;
      res.set_content("no key\n", "text/plain");
    });
    svc.get("/", [&] { ++handler_calls; return "hello"; });
  };
  client c(app);

  CHECK(c.get("/").status == 401);
  CHECK(c.get("/").body == "no key\n");
  CHECK(handler_calls == 0);
  CHECK(c.get("/", {{"Key", "k"}}).body == "hello");
}

TEST_CASE("after an exception of the handler, the middleware sees the error response and its own headers") {
  int status_after = 0;
  auto app = [&](service& svc) {
    svc.use([&](const request&, response& res, const next_handler& next) {
      res.set_header("Access-Control-Allow-Origin", "*");
      next();
      status_after = res.status;
    });
    svc.get("/", []() -> std::string { throw std::runtime_error("secret"); });
  };
  client c(app);
  const auto response = c.get("/");

  CHECK(response.status == 500);
  CHECK(status_after == 500);
  CHECK(response.header("Access-Control-Allow-Origin") == "*");
  CHECK(response.body.find("secret") == std::string::npos);
}

TEST_CASE("a middleware that throws is a logged 500, one that aborts sets its status") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response&, const next_handler& next) {
      if (req.has_param("abort")) winsvc::abort(429, "slower");
      if (req.has_param("throw")) throw std::runtime_error("no memory");
      next();
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
  CHECK(c.log()[0].text.find("failed: no memory") != std::string::npos);
}

TEST_CASE("a middleware can reject a request before its body is read") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response& res, const next_handler&) {
      CHECK(req.body.empty());
      res.status = 401;
    });
    svc.post("/", [](const request& req) { return req.body; });
  };
  client c(app);
  // The body is announced and not sent: an engine that waits for it would respond only after its timeout.
  const std::string output = c.raw("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");

  CHECK(output.find("HTTP/1.1 401") == 0);
  CHECK(output.find("100 Continue") == std::string::npos);
  CHECK(output.find("Connection: close") != std::string::npos);
}

TEST_CASE("the body is complete when the handler runs, also with middleware before it") {
  auto app = [](service& svc) {
    svc.use(trace("a"));
    svc.post("/", [](const request& req) { return req.body; });
    svc.del("/", [](const request& req) { return "deleted " + req.body; });
  };
  client c(app);

  CHECK(c.post("/", "text", "text/plain").body == "text");
  CHECK(c.request("DELETE", "/", {}, "it").body == "deleted it");
  std::string output = c.raw(
      "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\ngh");
  CHECK(winsvc::testing::parse_response(output).body == "abcdef");
  CHECK(winsvc::testing::parse_response(output).body == "gh");
}

TEST_CASE("forms with large fields, parts and files are read") {
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
               "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n"
               "Content-Type: text/plain\r\n\r\none\r\ntwo\r\n--B--\r\n",
               "multipart/form-data; boundary=B")
            .body == "title|a.txt|text/plain|one\r\ntwo");
}

TEST_CASE("a form without an upload accepts unusual field names and any case of its media type, and removes paths") {
  auto app = [](service& svc) {
    svc.post("/", [](const winsvc::request& req) {
      const auto& file = req.form.files.begin()->second;
      return winsvc::form<std::string>(req, "report=v2;final.pdf") + "|" + winsvc::form<std::string>(req, "photo") +
             "|" + file.filename + "|" + file.headers.find("X-Part")->second;
    });
  };
  client c(app);
  const std::string parts = "--B\r\nContent-Disposition: form-data; name=\"report=v2;final.pdf\"\r\n\r\nyes\r\n"
                            "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n\r\n"
                            "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../etc/passwd\"\r\n"
                            "X-Part: kept\r\n\r\nx\r\n--B--\r\n";

  CHECK(c.post("/", parts, "Multipart/Form-Data; boundary=B").body == "yes||passwd|kept");
}

TEST_CASE("an invalid multipart body is 400, one that is too large is 413") {
  auto app = [](service& svc) {
    svc.limits().body_bytes = 1000;
    svc.post("/", [] { return "accepted"; });
  };
  client c(app);

  CHECK(c.post("/", "no parts at all", "multipart/form-data; boundary=B").status == 400);
  CHECK(c.post("/", "x", "multipart/form-data").status == 400);
  CHECK(c.post("/", std::string(2000, 'x'), "text/plain").status == 413);
}

TEST_CASE("the limit of a group applies to all bytes of a chunked form") {
  auto app = [](service& svc) {
    svc.group("/in", [](route_group& g) {
      g.use(winsvc::body_limit(200));
      g.post("/", [](const request& req) { return req.form.get_field("a"); });
    });
  };
  client c(app);
  const auto send = [&c](const std::string& preamble) {
    const std::string form = preamble + "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B--";
    std::string out = "POST /in HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=B\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n";
    for (const char byte : form) out += std::string("1\r\n") + byte + "\r\n";
    out = c.raw(out + "0\r\n\r\n");
    return winsvc::testing::parse_response(out);
  };

  CHECK(send({}).body == "value");
  CHECK(send(std::string(300, 'p') + "\r\n").status == 413);
}

TEST_CASE("the members of a resource are handlers, other methods are 405") {
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

TEST_CASE("an error handler for a status handles errors of winsvc, not responses of a handler") {
  auto app = [](service& svc) {
    svc.not_found(
        [](const request& req, response& res) { res.set_content("no " + req.path + " here\n", "text/plain"); });
    svc.on_error(500, [](const request&, response& res) { res.set_content("sorry\n", "text/plain"); });
    svc.get("/own", [] { return std::pair(404, std::string("own text\n")); });
    svc.get("/abort", []() -> std::string { winsvc::abort(404); });
    svc.get("/throw", []() -> std::string { throw 7; });
  };
  client c(app);

  CHECK(c.get("/nowhere").body == "no /nowhere here\n");
  CHECK(c.get("/nowhere").status == 404);
  CHECK(c.get("/abort").body == "no /abort here\n");
  CHECK(c.get("/own").body == "own text\n");
  CHECK(c.get("/throw").body == "sorry\n");
  CHECK(c.get("/throw").status == 500);
}

TEST_CASE("an exception with an exception handler of the app is handled by it and not logged") {
  auto app = [](service& svc) {
    svc.on_exception<no_such_user>([](const no_such_user& e) { return reply::text(e.what(), 404); });
    svc.on_exception<std::invalid_argument>(
        [](const std::invalid_argument& e, const request& req, response& res) {
          res.status = 422;
          res.set_content(req.path + ": " + e.what(), "text/plain");
        });
    svc.get("/user", []() -> std::string { throw no_such_user("no such user"); });
    svc.get("/bad", []() -> std::string { throw std::invalid_argument("too low"); });
    svc.get("/other", []() -> std::string { throw std::runtime_error("secret"); });
  };
  client c(app);

  CHECK(c.get("/user").status == 404);
  CHECK(c.get("/user").body == "no such user");
  CHECK(c.get("/bad").status == 422);
  CHECK(c.get("/bad").body == "/bad: too low");
  CHECK(c.log().empty());
  CHECK(c.get("/other").status == 500);
  CHECK(c.log().size() == 1);
}

TEST_CASE("an error is JSON, or a line of text for a client that prefers text") {
  auto app = [](service& svc) { svc.get("/", []() -> std::string { winsvc::abort(409, "taken"); }); };
  client c(app);

  for (const char* accept : {"", "*/*", "application/json", "text/plain, */*"}) {
    const auto response = c.get("/", {{"Accept", accept}});
    CHECK(response.header("Content-Type") == "application/problem+json");
  }
  const auto response = c.get("/", {{"Accept", "text/plain"}});
  CHECK(response.status == 409);
  CHECK(response.header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(response.body == "409 Conflict: taken\n");
}

TEST_CASE("a group's prefix begins with a slash and does not end with one, and middleware after start is rejected") {
  for (const char* prefix : {"api", "/api/", "/"}) {
    auto app = [&](service& svc) { svc.group(prefix, [](route_group&) {}); };
    CHECK_THROWS_AS(client c(app), winsvc::setup_error);
  }
  auto late_app = [&](service& svc) { svc.get("/", [&svc] { svc.use(trace("x")); return ""; }); };
  client c(late_app);
  CHECK(c.get("/").status == 500);
  CHECK(c.log()[0].text.find("add middleware in the app") != std::string::npos);
}

TEST_CASE("a middleware sees a finished response after next, whatever the inner functions throw") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const next_handler& next) {
      res.set_header("Before", "1");
      next();
      res.set_header("After", std::to_string(res.status));
    });
    svc.group("/in", [](route_group& g) {
      g.use([](const request& req, response& res, const next_handler& next) {
        res.set_header("Inner", "begun");
        if (req.has_param("abort")) winsvc::abort(401, "a key is required");
        if (req.has_param("throw")) throw std::runtime_error("the store is locked");
        next();
        if (req.has_param("late")) winsvc::abort(403, "no permission");
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
  CHECK(aborted.header("Inner") == "begun");  // headers set before an abort stay, for example WWW-Authenticate
  CHECK(aborted.body.find("a key is required") != std::string::npos);

  const auto threw = c.get("/in?throw=1");
  CHECK(threw.status == 500);
  CHECK(threw.header("Before") == "1");
  CHECK(threw.header("After") == "500");
  CHECK(threw.header("Inner").empty());  // other exceptions discard them
  CHECK(threw.body.find("locked") == std::string::npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("middleware at ") != std::string::npos);
  CHECK(c.log()[0].text.find("failed: the store is locked") != std::string::npos);

  const auto late = c.get("/in/stream?late=1");
  CHECK(late.status == 403);
  CHECK(late.body.find("secret") == std::string::npos);
  CHECK(late.header("Transfer-Encoding").empty());
}

TEST_CASE("a stream that a middleware has replaced is not sent") {
  auto app = [](service& svc) {
    svc.use([](const request& req, response& res, const next_handler& next) {
      next();
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

TEST_CASE("a middleware that calls next twice is a logged 500, and the handler has run once") {
  std::atomic<int> runs{0};
  auto app = [&](service& svc) {
    svc.use([](const request&, response&, const next_handler& next) {
      next();
      next();
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

TEST_CASE("every error is handled by the app's error handler, wherever it comes from") {
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
  const auto page = [](const winsvc::testing::client_response& response) {
    return std::to_string(response.status) + ' ' + response.body;
  };
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

TEST_CASE("an error handler that throws is logged, and the default error is sent") {
  auto app = [](service& svc) {
    svc.on_error(404, [](const request&, response&) { throw std::runtime_error("no template"); });
    svc.get("/", [] { return "here"; });
  };
  client c(app);
  const auto response = c.get("/nowhere");
  CHECK(response.status == 404);
  CHECK(response.body.find("Not Found") != std::string::npos);
  CHECK(!response.header("Content-Length").empty());
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("error handler failed: no template") != std::string::npos);
}

TEST_CASE("an exception handler may abort, or set nothing") {
  struct lost {};
  struct silent {};
  auto app = [](service& svc) {
    svc.on_exception<lost>([](const lost&) -> reply { winsvc::abort(410, "no longer available"); });
    svc.on_exception<silent>([](const silent&) {});
    svc.get("/lost", []() -> std::string { throw lost(); });
    svc.get("/silent", []() -> std::string { throw silent(); });
  };
  client c(app);
  CHECK(c.get("/lost").status == 410);
  CHECK(c.get("/lost").body.find("no longer available") != std::string::npos);
  CHECK(c.get("/silent").status == 500);
  CHECK(c.get("/silent").body.find("Internal Server Error") != std::string::npos);
}

TEST_CASE("a status that a response cannot have is a logged 500") {
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
  CHECK(c.log()[0].text.find("failed: status 0 is not a valid status of a response") != std::string::npos);
}

TEST_CASE("CORS of a group handles the preflight request of a browser") {
  auto app = [](service& svc) {
    svc.group("/api", [](route_group& g) {
      winsvc::cors_policy policy;
      policy.origins = {"https://app.example"};
      g.use(winsvc::cors(policy));
      g.put("/x", [] { return "put"; });
    });
  };
  client c(app);
  const auto response = c.request("OPTIONS", "/api/x", {{"Origin", "https://app.example"},
                                                 {"Access-Control-Request-Method", "PUT"}});
  CHECK(response.status == 204);
  CHECK(response.header("Access-Control-Allow-Origin") == "https://app.example");
}

TEST_CASE("a middleware that rejects a request saves the upload, with any method") {
  auto app = [](service& svc) {
    svc.use([](const request&, response&, const next_handler&) { winsvc::abort(401); });
    svc.get("/in", [] { return "in"; });
  };
  client c(app);
  const std::string output =
      c.raw("GET /in HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n");
  CHECK(output.find("100 Continue") == std::string::npos);
  CHECK(output.find("HTTP/1.1 401 ") == 0);
}
