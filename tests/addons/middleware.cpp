// The middleware that is shipped: through the client, as in production.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using winsvc::request;
using winsvc::response;
using winsvc::route_group;
using winsvc::service;
using winsvc::setup_error;
using winsvc::testing::client;

namespace {

struct user {
  std::string name;
};
winsvc::ip_bytes number(int client) {
  return *winsvc::parse_ip("10.0." + std::to_string(client / 256) + '.' + std::to_string(client % 256));
}
using lines = std::vector<std::string>;
/// The header's values, sorted: cpp-httplib promises no order.
lines values_of(const winsvc::testing::client_response& r, const std::string& name) {
  lines all;
  for (const auto& [known, value] : r.headers) {
    if (winsvc::strings::equal_nocase(known, name)) all.push_back(value);
  }
  std::sort(all.begin(), all.end());
  return all;
}
lines set_by(const winsvc::testing::client_response& r) { return values_of(r, "Set-Cookie"); }
std::string basic(const std::string& pair) { return "Basic " + winsvc::strings::to_base64(pair); }

}  // namespace

TEST_CASE("the context carries values from middleware to handler, one of each type, and the request's id") {
  auto app = [](service& svc) {
    svc.use(winsvc::request_id());
    svc.use([](const request& req, response&, const winsvc::next_handler& go_on) {
      if (req.has_param("user")) winsvc::context(req).set(user{req.get_param_value("user")});
      winsvc::context(req).set(41);
      ++*winsvc::context(req).get<int>();
      go_on();
    });
    svc.get("/", [](const request& req) {
      const auto* found = winsvc::context(req).get<user>();
      return (found ? found->name : "nobody") + std::to_string(*winsvc::context(req).get<int>()) + winsvc::context(req).id();
    });
    svc.get("/stale", [](const request& req) {
      const request copy = req;
      return winsvc::context(copy).id();
    });
  };
  client c(app);

  const auto r = c.get("/?user=anna");
  CHECK(!r.header("X-Request-Id").empty());
  CHECK(r.body == "anna42" + r.header("X-Request-Id"));
  CHECK(c.get("/").body.find("nobody42") == 0);
  CHECK(c.get("/").header("X-Request-Id") != r.header("X-Request-Id"));
  CHECK(c.get("/stale").status == 500);
}

TEST_CASE("basic authentication lets in who it knows, and asks everybody else") {
  auto app = [](service& svc) {
    svc.get("/open", [] { return "open"; });
    svc.group("/in", [](route_group& g) {
      g.use(winsvc::basic_auth("the \"realm\"", {{"anna", "secret"}, {"bob", "b"}}));
      g.get("/", [](const request& req) { return winsvc::context(req).get<winsvc::authenticated_user>()->name; });
    });
  };
  client c(app);

  CHECK(c.get("/open").body == "open");
  CHECK(c.get("/in").status == 401);
  CHECK(c.get("/in").header("WWW-Authenticate") == "Basic realm=\"the \\\"realm\\\"\", charset=\"UTF-8\"");
  CHECK(c.get("/in", {{"Authorization", basic("anna:secret")}}).body == "anna");
  CHECK(c.get("/in", {{"Authorization", "bAsIc   " + winsvc::strings::to_base64("bob:b")}}).body == "bob");
  for (const auto& wrong : {basic("anna:wrong"), basic("anna:"), basic("anna"), basic("eve:no such user"),
                            std::string("Basic !!!"), std::string("Bearer abc"), std::string("Basic")}) {
    CAPTURE(wrong);
    CHECK(c.get("/in", {{"Authorization", wrong}}).status == 401);
  }
}

TEST_CASE("a password that is empty is refused at start-up: an environment variable that is not set opens no door") {
  CHECK_THROWS_WITH_AS(static_cast<void>(winsvc::basic_auth("realm", {{"anna", "secret"}, {"bob", ""}})),
                       "basic_auth: the password of 'bob' is empty", setup_error);
}

TEST_CASE("bearer authentication asks the app whose token it is") {
  auto app = [](service& svc) {
    svc.use(winsvc::bearer_auth("api", [](std::string_view token) -> std::optional<std::string> {
      if (winsvc::equal_secret(token, "t0ken")) return "anna";
      return std::nullopt;
    }));
    svc.get("/", [](const request& req) { return winsvc::context(req).get<winsvc::authenticated_user>()->name; });
  };
  client c(app);

  CHECK(c.get("/", {{"Authorization", "Bearer t0ken"}}).body == "anna");
  CHECK(c.get("/").header("WWW-Authenticate") == "Bearer realm=\"api\"");
  const auto wrong = c.get("/", {{"Authorization", "Bearer other"}});
  CHECK(wrong.status == 401);
  CHECK(wrong.header("WWW-Authenticate") == "Bearer realm=\"api\", error=\"invalid_token\"");
}

TEST_CASE("cors answers preflights, and names the origin to pages that may read") {
  auto app = [](service& svc) {
    winsvc::cors_policy policy;
    policy.origins = {"https://app.example"};
    policy.credentials = true;
    policy.exposed = {"X-Total"};
    svc.use(winsvc::cors(policy));
    svc.use(winsvc::bearer_auth("api", [](std::string_view) { return std::optional<std::string>("x"); }));
    svc.get("/", [] { return "hello"; });
  };
  client c(app);

  const auto preflight = c.options("/", {{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "PUT"},
                                         {"Access-Control-Request-Headers", "X-Token"}});
  CHECK(preflight.status == 204);
  CHECK(preflight.header("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(preflight.header("Access-Control-Allow-Methods").find("PUT") != std::string::npos);
  CHECK(preflight.header("Access-Control-Allow-Headers") == "X-Token");
  CHECK(preflight.header("Access-Control-Max-Age") == "600");
  const auto requested = c.get("/", {{"Origin", "https://app.example"}, {"Authorization", "Bearer x"}});
  CHECK(requested.body == "hello");
  CHECK(requested.header("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(requested.header("Access-Control-Allow-Credentials") == "true");
  CHECK(requested.header("Access-Control-Expose-Headers") == "X-Total");
  CHECK(requested.header("Vary") == "Origin");
  const auto other = c.get("/", {{"Origin", "https://evil.example"}, {"Authorization", "Bearer x"}});
  CHECK(other.body == "hello");
  CHECK(other.header("Access-Control-Allow-Origin").empty());
  CHECK(other.header("Vary") == "Origin");
}

TEST_CASE("a cors policy that browsers would refuse is refused at start-up") {
  winsvc::cors_policy both;
  both.origins = {"*"};
  both.credentials = true;

  CHECK_THROWS_AS(static_cast<void>(winsvc::cors(both)), setup_error);
  for (const char* bad : {"app.example", "https://app.example/", "https://app.example/path", "", "https://", "://h",
                          "https://a b", "https://app.example?x", "https://app.example#x", "null",
                          "https://app.example:443", "HTTPS://app.example:443", "http://app.example:80",
                          "https://[::1]:443", "https://app.example:"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(static_cast<void>(winsvc::cors({std::string(bad)})), setup_error);
  }
  for (const char* good : {"https://app.example", "http://app.example:443", "https://app.example:80", "http://[::443]",
                           "http://[::1]:8080", "chrome-extension://abc"}) {
    CAPTURE(good);
    CHECK_NOTHROW(static_cast<void>(winsvc::cors({std::string(good)})));
  }
  CHECK_NOTHROW(static_cast<void>(winsvc::cors(winsvc::cors_policy{{"*"}})));  // and compiles without a warning
}

TEST_CASE("a bucket gives its burst at once, then its rate, to each client its own") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(2, 3, 100, time);

  for (int i = 0; i < 3; ++i) CHECK(buckets.try_take(number(1)) == 0ms);
  const auto wait = buckets.try_take(number(1));
  CHECK(wait > 490ms);
  CHECK(wait < 510ms);
  CHECK(buckets.try_take(number(2)) == 0ms);
  time.advance(500ms);
  CHECK(buckets.try_take(number(1)) == 0ms);
  CHECK(buckets.try_take(number(1)) > 0ms);
  time.advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(buckets.try_take(number(1)) == 0ms);
  CHECK(buckets.try_take(number(1)) > 0ms);
}

TEST_CASE("many clients cost no more than the limit: full buckets are forgotten, and an empty one never is") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(0.1, 1, 4, time);
  for (int i = 1; i < 4; ++i) CHECK(buckets.try_take(number(i)) == 0ms);
  time.advance(5s);
  CHECK(buckets.try_take(number(4)) == 0ms);
  CHECK(buckets.size() == 4);
  time.advance(6s);  // those of 1 to 3 are full again

  for (int i = 5; i < 8; ++i) CHECK(buckets.try_take(number(i)) == 0ms);
  CHECK(buckets.size() == 4);
  CHECK(buckets.try_take(number(4)) > 0ms);  // kept, because it was not
  time.advance(1h);
  CHECK(buckets.try_take(number(8)) == 0ms);
  CHECK(buckets.size() == 1);
}

TEST_CASE("an attack from more addresses than there are buckets frees neither itself nor anybody else") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(0.01, 2, 4, time);
  for (int i = 0; i < 4; ++i) CHECK(buckets.try_take(number(i)) == 0ms);

  int let_in = 0;
  for (int i = 4; i < 1000; ++i) let_in += buckets.try_take(number(i)) == 0ms ? 1 : 0;
  CHECK(let_in == 2);
  CHECK(buckets.size() == 4);
  CHECK(buckets.try_take(number(0)) == 0ms);  // whoever was there before goes on as before
  CHECK(buckets.try_take(number(0)) > 0ms);
}

TEST_CASE("more than the rate is 429 with Retry-After") {
  auto app = [](service& svc) {
    svc.use(winsvc::rate_limit(0.1, 2));
    svc.get("/", [] { return "hello"; });
  };
  client c(app);

  CHECK(c.get("/").status == 200);
  CHECK(c.get("/").status == 200);
  const auto r = c.get("/");
  CHECK(r.status == 429);
  CHECK(std::stoi(r.header("Retry-After")) >= 9);
  CHECK(std::stoi(r.header("Retry-After")) <= 10);
  CHECK_THROWS_AS(static_cast<void>(winsvc::rate_limit(0, 1)), setup_error);
  CHECK_THROWS_AS(static_cast<void>(winsvc::rate_limit(1, 0)), setup_error);
}

TEST_CASE("behind trusted proxies the client is who the last of them saw, and nobody can write himself another address") {
  auto app = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.0/8", "10.0.0.0/8"}));
    svc.get("/", [](const request& req) { return req.remote_addr; });
  };
  auto strict = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"10.0.0.0/8"}));
    svc.get("/", [](const request& req) { return req.remote_addr; });
  };
  client c(app), s(strict);

  CHECK(c.get("/").body == "127.0.0.1");
  CHECK(c.get("/", {{"X-Forwarded-For", "203.0.113.9"}}).body == "203.0.113.9");
  CHECK(c.get("/", {{"X-Forwarded-For", "1.1.1.1, 203.0.113.9"}}).body == "203.0.113.9");
  CHECK(c.get("/", {{"X-Forwarded-For", "203.0.113.9, 10.1.1.1"}}).body == "203.0.113.9");
  CHECK(c.get("/", {{"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-For", "10.1.1.1"}}).body == "203.0.113.9");
  CHECK(c.get("/", {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-For", "203.0.113.9"}}).body == "203.0.113.9");
  CHECK(c.get("/", {{"X-Forwarded-For", "nonsense"}}).body == "127.0.0.1");
  CHECK(c.get("/", {{"X-Forwarded-For", "203.0.113.9, nonsense"}}).body == "127.0.0.1");
  CHECK(c.get("/", {{"X-Forwarded-For", "203.0.113.9:4711"}}).body == "203.0.113.9");
  CHECK(s.get("/", {{"X-Forwarded-For", "203.0.113.9"}}).body == "127.0.0.1");
  CHECK_THROWS_AS(static_cast<void>(winsvc::trusted_proxies({"10.0.0.0/8", "intranet"})), setup_error);
  CHECK_THROWS_AS(static_cast<void>(winsvc::trusted_proxies({"10.0.0.1/8"})), setup_error);
}

TEST_CASE("whoever is told of answers is told the client behind a trusted proxy, not the proxy") {
  std::vector<std::string> clients;
  auto app = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.get("/", [] { return "hello"; });
  };
  client c(app);
  c.engine().on_response([&clients](const winsvc::http::access_record& e) { clients.push_back(e.peer.host); });

  c.get("/", {{"X-Forwarded-For", "203.0.113.9"}});
  c.get("/");
  CHECK(clients == std::vector<std::string>{"203.0.113.9", "127.0.0.1"});
}

TEST_CASE("security headers are there unless the handler has said otherwise") {
  auto app = [](service& svc) {
    svc.use(winsvc::security_headers());
    svc.get("/", [] { return "hello"; });
    svc.get("/frame", [](const request&, response& res) {
      res.set_header("X-Frame-Options", "SAMEORIGIN");
      res.set_content("x", "text/plain");
    });
  };
  client c(app);

  const auto r = c.get("/");
  CHECK(r.header("X-Content-Type-Options") == "nosniff");
  CHECK(r.header("X-Frame-Options") == "DENY");
  CHECK(r.header("Referrer-Policy") == "no-referrer");
  CHECK(r.header("Content-Security-Policy") == "default-src 'self'");
  CHECK(c.get("/nowhere").header("X-Content-Type-Options") == "nosniff");
  CHECK(c.get("/frame").header("X-Frame-Options") == "SAMEORIGIN");
}

TEST_CASE("a body limit holds for what is announced and for what comes, and no further than its group") {
  auto app = [](service& svc) {
    svc.group("/small", [](route_group& g) {
      g.use(winsvc::body_limit(10));
      g.post("/", [](const request& req) { return req.body; });
    });
    svc.post("/large", [](const request& req) { return req.body; });
  };
  client c(app);

  CHECK(c.post("/small", "0123456789", "text/plain").body == "0123456789");
  const auto r = c.post("/small", "0123456789x", "text/plain");
  CHECK(r.status == 413);
  CHECK(r.body.find("the body is larger than 10 bytes") != std::string::npos);
  std::string out = c.raw("POST /small HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n");
  CHECK(winsvc::testing::parse_response(out).status == 413);
  CHECK(c.post("/large", "0123456789x", "text/plain").status == 200);
}

TEST_CASE("cookies are read, and each that is set is a line of its own") {
  auto app = [](service& svc) {
    svc.get("/read", [](const request& req) { return winsvc::find_cookie(req, "theme").value_or("none"); });
    svc.get("/set", [](const request&, response& res) {
      winsvc::set_cookie(res, winsvc::cookie("theme", "dark"));
      winsvc::set_cookie(res, winsvc::cookie("all", "1"));
    });
    svc.get("/again", [](const request&, response& res) {
      winsvc::set_cookie(res, winsvc::cookie("theme", "dark"));
      winsvc::set_cookie(res, winsvc::cookie("theme", "elsewhere").path("/x"));
      winsvc::set_cookie(res, winsvc::cookie("theme", "light"));
    });
    svc.get("/signed", [](const request& req) {
      return winsvc::unsign("user", winsvc::find_cookie(req, "user"), "sixteen bytes ok").value_or("nobody");
    });
  };
  client c(app);

  CHECK(c.get("/read").body == "none");
  CHECK(c.get("/read", {{"Cookie", "a=b; theme=dark; c=d"}}).body == "dark");
  CHECK(c.get("/read", {{"Cookie", "theme=dark"}, {"Cookie", "theme=light"}}).body == "dark");
  CHECK(set_by(c.get("/set")) == lines{"all=1; Path=/; HttpOnly; SameSite=Lax", "theme=dark; Path=/; HttpOnly; SameSite=Lax"});
  CHECK(set_by(c.get("/again")) == lines{"theme=elsewhere; Path=/x; HttpOnly; SameSite=Lax", "theme=light; Path=/; HttpOnly; SameSite=Lax"});
  CHECK(c.get("/signed").body == "nobody");
  CHECK(c.get("/signed", {{"Cookie", "user=" + winsvc::sign("user", "anna", "sixteen bytes ok", 8h)}}).body == "anna");
}

TEST_CASE("a reply adds to the Vary and the cookies of middleware, and replaces what else they have set") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler& go_on) {
      winsvc::set_cookie(res, winsvc::cookie("seen", "1"));
      winsvc::set_cookie(res, winsvc::cookie("user", "old"));
      res.set_header("X-Who", "middleware");
      go_on();
    });
    svc.use(winsvc::cors({"https://app.example"}));
    svc.get("/", [] {
      return winsvc::reply::text("hello")
          .header("Vary", "Accept-Encoding")
          .header("vary", "Accept-Encoding")
          .header("X-Who", "handler")
          .header("Set-Cookie", "a=1")
          .cookie(winsvc::cookie("b", "2"))
          .cookie(winsvc::cookie("user", "new"));
    });
  };
  client c(app);
  const auto r = c.get("/");

  CHECK(values_of(r, "Vary") == lines{"Accept-Encoding", "Origin"});
  CHECK(values_of(r, "X-Who") == lines{"handler"});
  CHECK(set_by(r) == lines{"a=1", "b=2; Path=/; HttpOnly; SameSite=Lax", "seen=1; Path=/; HttpOnly; SameSite=Lax",
                           "user=new; Path=/; HttpOnly; SameSite=Lax"});
}

TEST_CASE("a page of another site may not send what changes something") {
  auto app = [](service& svc) {
    svc.use(winsvc::same_origin({"https://friend.example"}));
    svc.any("/", [] { return "done"; });
  };
  client c(app);  // its Host is "test"
  const auto post = [&](const winsvc::testing::headers& fields) { return c.request("POST", "/", fields).status; };
  CHECK(post({}) == 200);  // no browser
  CHECK(post({{"Origin", "http://test"}}) == 200);
  CHECK(post({{"Origin", "https://friend.example"}}) == 200);
  CHECK(post({{"Origin", "https://evil.example"}}) == 403);
  CHECK(post({{"Origin", "http://test.evil.example"}}) == 403);
  CHECK(post({{"Origin", "null"}}) == 403);
  CHECK(post({{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://test"}}) == 200);
  CHECK(post({{"Sec-Fetch-Site", "none"}}) == 200);
  CHECK(post({{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}}) == 403);
  CHECK(post({{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://friend.example"}}) == 200);
  CHECK(post({{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://test"}}) == 403);  // another scheme or port
  CHECK(post({{"Sec-Fetch-Site", "cross-site"}}) == 403);
  CHECK(post({{"Sec-Fetch-Site", "same-site"}, {"Origin", "http://other.test"}}) == 403);
  for (const char* reads : {"GET", "HEAD", "OPTIONS"}) {
    CAPTURE(reads);
    CHECK(c.request(reads, "/", {{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}}).status == 200);
  }
  CHECK(c.request("DELETE", "/", {{"Origin", "https://evil.example"}}).body.find("of another site") != std::string::npos);
}
