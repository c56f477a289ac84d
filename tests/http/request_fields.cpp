// Requests on demand: what handlers, middleware and error handlers see, whether the request is filled for them or not.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using winsvc::next_handler;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

std::string text_of(const std::optional<std::string>& value) { return value.value_or("(none)"); }

/// The same arguments for a handler that takes them alone and for one that takes the request too.
void app(service& svc) {
  svc.get("/alone/{id}", winsvc::query("q"), winsvc::header("X-Key"), winsvc::cookie_value("theme"),
          winsvc::client_address(),
          [](int id, std::optional<std::string> q, std::optional<std::string> key, std::optional<std::string> theme,
             std::string address) {
            return std::to_string(id) + '|' + text_of(q) + '|' + text_of(key) + '|' + text_of(theme) + '|' + address;
          });
  svc.get("/request/{id}", winsvc::query("q"), winsvc::header("X-Key"), winsvc::cookie_value("theme"),
          winsvc::client_address(),
          [](const request&, int id, std::optional<std::string> q, std::optional<std::string> key,
             std::optional<std::string> theme, std::string address) {
            return std::to_string(id) + '|' + text_of(q) + '|' + text_of(key) + '|' + text_of(theme) + '|' + address;
          });
  svc.get("/tags", winsvc::query("tag"), [](std::vector<std::string> tags) {
    std::string joined;
    for (const auto& tag : tags) joined += tag + ',';
    return joined;
  });
  svc.get("/throw", []() -> std::string { throw std::runtime_error("broken"); });
  svc.get("/fields", [](const request& req) {
    std::string all = req.method + ' ' + req.target + ' ' + std::to_string(req.params.size());
    for (const auto& [name, value] : req.headers) all += '|' + name + '=' + value;
    return all + '|' + req.body;
  });
  svc.get("/plain", [] { return "plain"; });
  svc.get("/secret", [] { return reply::text("secret").header("X-Secret", "1").header("Set-Cookie", "a=b"); });
  svc.post("/ignores-body", [] { return "ignored"; });
}

}  // namespace

TEST_CASE("arguments from the head have the same values with the request and without it") {
  client c(app);
  struct { const char* query; winsvc::testing::headers fields; } const cases[] = {
      {"", {}},
      {"?q=a+b%2Fc&q=2", {{"X-Key", "k"}, {"Cookie", "theme=dark; a=b"}}},
      {"?x=1&q=", {{"x-key", "1"}, {"X-Key", "2"}, {"Cookie", "a=b"}, {"cookie", "theme=light"}}},
      {"?%71=1", {{"X-Key", ""}, {"Cookie", "theme=\"quoted\""}}},
  };
  for (const auto& test : cases) {
    CAPTURE(test.query);
    const auto alone = c.get(std::string("/alone/7") + test.query, test.fields);
    const auto with_request = c.get(std::string("/request/7") + test.query, test.fields);
    CHECK(alone.status == 200);
    CHECK(alone.body == with_request.body);
  }
  CHECK(c.get("/alone/7?q=a+b", {{"X-Key", "k"}, {"Cookie", "theme=dark"}}).body == "7|a b|k|dark|127.0.0.1");
  CHECK(c.get("/alone/seven").status == 404);
  CHECK(c.get("/tags?tag=a&tag=b").body == "a,b,");
}

TEST_CASE("middleware and error handlers see the request of a handler that does not take it") {
  std::string seen;
  const auto with_middleware = [&seen](service& svc) {
    svc.use([&seen](const request& req, response& res, const next_handler& next) {
      seen = req.path + ' ' + req.get_header_value("X-Key");
      next();
      seen += ' ' + res.get_header_value("Content-Type");
    });
    app(svc);
  };
  client c(with_middleware);

  CHECK(c.get("/plain", {{"X-Key", "k"}}).body == "plain");
  CHECK(seen == "/plain k text/plain; charset=utf-8");

  const auto with_error_handlers = [](service& svc) {
    app(svc);
    svc.on_error(404, [](const request& req, response& res) { res.body = "no " + req.path; });
    svc.on_exception<std::runtime_error>([](const std::runtime_error& e, const request& req, response& res) {
      res.status = 502;
      res.body = std::string(e.what()) + " at " + req.target;
    });
  };
  client errors(with_error_handlers);
  CHECK(errors.get("/missing").body == "no /missing");
  CHECK(errors.get("/throw?x").body == "broken at /throw?x");
}

TEST_CASE("a response has no header of an earlier response of the same connection") {
  client c(app);
  const std::string get = " HTTP/1.1\r\nHost: t\r\n";
  const std::string out = c.raw("GET /secret" + get + "X-Token: private\r\nAccept: text/html\r\n\r\n" +
                                "GET /fields?a=1" + get + "Cookie: c=d\r\n\r\n" +
                                "GET /missing" + get + "\r\n" +
                                "GET /fields" + get + "\r\n" +
                                "GET /plain" + get + "Connection: close\r\n\r\n");
  std::string rest = out;
  const auto secret = winsvc::testing::parse_response(rest), with_query = winsvc::testing::parse_response(rest),
             missing = winsvc::testing::parse_response(rest), fields = winsvc::testing::parse_response(rest),
             plain = winsvc::testing::parse_response(rest);

  CHECK(secret.header("X-Secret") == "1");
  CHECK(with_query.body.find("private") == std::string::npos);
  CHECK(with_query.body.find("Cookie=c=d") != std::string::npos);
  CHECK(missing.header("Content-Type") == "application/problem+json");  // not the Accept of the first request
  CHECK(fields.body == "GET /fields 0|Host=t|");
  for (const auto& later : {with_query, missing, fields, plain}) {
    CHECK(later.header("X-Secret").empty());
    CHECK(later.header("Set-Cookie").empty());
  }
  CHECK(plain.header("Content-Type") == "text/plain; charset=utf-8");
}

TEST_CASE("the body of a request is read for a handler that takes nothing") {
  client c(app);
  const std::string out = c.raw(
      "POST /ignores-body HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc"
      "POST /ignores-body HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /plain HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  std::string rest = out;
  CHECK(winsvc::testing::parse_response(rest).body == "ignored");
  CHECK(winsvc::testing::parse_response(rest).body == "ignored");
  CHECK(winsvc::testing::parse_response(rest).body == "plain");
}
