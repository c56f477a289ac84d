// Tests of the middleware of winsvc with the test client.
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
/// The address of a client.
winsvc::ip_bytes address(int client) {
  return *winsvc::parse_ip("10.0." + std::to_string(client / 256) + '.' + std::to_string(client % 256));
}
using lines = std::vector<std::string>;
/// The values of a header, sorted, because cpp-httplib does not keep their order.
lines values_of(const winsvc::testing::client_response& r, const std::string& name) {
  lines values;
  for (const auto& [field, value] : r.headers) {
    if (winsvc::detail::base::equal_nocase(field, name)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values;
}
lines cookies_of(const winsvc::testing::client_response& r) { return values_of(r, "Set-Cookie"); }
std::string basic(const std::string& pair) { return "Basic " + winsvc::detail::base::to_base64(pair); }

}  // namespace

TEST_CASE("the context has one value of each type, and the id of the request") {
  auto app = [](service& svc) {
    svc.use(winsvc::request_id());
    svc.use([](const request& req, response&, const winsvc::next_handler& next) {
      if (req.has_param("user")) winsvc::context(req).set(user{req.get_param_value("user")});
      winsvc::context(req).set(41);
      ++*winsvc::context(req).get<int>();
      next();
    });
    svc.get("/", [](const request& req) {
      const auto* found = winsvc::context(req).get<user>();
      const std::string name = found ? found->name : "unknown";
      return name + std::to_string(*winsvc::context(req).get<int>()) + winsvc::context(req).id();
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
  CHECK(c.get("/").body.find("unknown42") == 0);
  CHECK(c.get("/").header("X-Request-Id") != r.header("X-Request-Id"));
  CHECK(c.get("/stale").status == 500);
}

TEST_CASE("basic authentication accepts known users and responds with 401 to others") {
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
  CHECK(c.get("/in", {{"Authorization", "bAsIc   " + winsvc::detail::base::to_base64("bob:b")}}).body == "bob");
  for (const auto& wrong : {basic("anna:wrong"), basic("anna:"), basic("anna"), basic("eve:no such user"),
                            std::string("Basic !!!"), std::string("Bearer abc"), std::string("Basic")}) {
    CAPTURE(wrong);
    CHECK(c.get("/in", {{"Authorization", wrong}}).status == 401);
  }
}

TEST_CASE("an empty password is rejected at start, because it may come from a missing environment variable") {
  CHECK_THROWS_WITH_AS(static_cast<void>(winsvc::basic_auth("realm", {{"anna", "secret"}, {"bob", ""}})),
                       "basic_auth: the password of 'bob' is empty; check the setting that provides it", setup_error);
}

TEST_CASE("bearer authentication calls the app to find the user of a token") {
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

TEST_CASE("cors responds to preflights and adds its headers for allowed origins") {
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

TEST_CASE("cors for all origins adds its header to each response, because a cache may keep it for other clients") {
  auto app = [](service& svc) {
    svc.use(winsvc::cors({"*"}));
    svc.get("/", [] { return "hello"; });
  };
  client c(app);
  for (const auto& fields : {winsvc::testing::headers{}, winsvc::testing::headers{{"Origin", "https://a.example"}},
                             winsvc::testing::headers{{"Origin", "null"}}}) {
    const auto response = c.get("/", fields);
    CHECK(response.header("Access-Control-Allow-Origin") == "*");
    CHECK(response.header("Vary") == "");
  }
  CHECK(c.get("/missing").header("Access-Control-Allow-Origin") == "*");
  const auto no_preflight = c.options("/", {{"Access-Control-Request-Method", "GET"}});
  CHECK(no_preflight.header("Access-Control-Allow-Methods") == "");
  CHECK(no_preflight.header("Allow") == "GET, HEAD, OPTIONS");
}

TEST_CASE("a cors policy that browsers reject is rejected at start") {
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
  CHECK_NOTHROW(static_cast<void>(winsvc::cors(winsvc::cors_policy{{"*"}})));  // must compile without a warning
}

TEST_CASE("each client gets the burst at once and then the rate") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(2, 3, 100);

  for (int i = 0; i < 3; ++i) CHECK(buckets.try_take(address(1), time.now()) == 0ms);
  const auto wait = buckets.try_take(address(1), time.now());
  CHECK(wait > 490ms);
  CHECK(wait < 510ms);
  CHECK(buckets.try_take(address(2), time.now()) == 0ms);
  time.advance(500ms);
  CHECK(buckets.try_take(address(1), time.now()) == 0ms);
  CHECK(buckets.try_take(address(1), time.now()) > 0ms);
  time.advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(buckets.try_take(address(1), time.now()) == 0ms);
  CHECK(buckets.try_take(address(1), time.now()) > 0ms);
}

TEST_CASE("full buckets are removed when the limit of buckets is reached, others are kept") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(0.1, 1, 4);
  for (int i = 1; i < 4; ++i) CHECK(buckets.try_take(address(i), time.now()) == 0ms);
  time.advance(5s);
  CHECK(buckets.try_take(address(4), time.now()) == 0ms);
  CHECK(buckets.size() == 4);
  time.advance(6s);  // the buckets of clients 1 to 3 are full again

  for (int i = 5; i < 8; ++i) CHECK(buckets.try_take(address(i), time.now()) == 0ms);
  CHECK(buckets.size() == 4);
  CHECK(buckets.try_take(address(4), time.now()) > 0ms);  // kept, because it was not full
  time.advance(1h);
  CHECK(buckets.try_take(address(8), time.now()) == 0ms);
  CHECK(buckets.size() == 1);
}

TEST_CASE("clients without a bucket share one bucket and do not affect the others") {
  winsvc::testing::manual_clock time;
  winsvc::token_buckets buckets(0.01, 2, 4);
  for (int i = 0; i < 4; ++i) CHECK(buckets.try_take(address(i), time.now()) == 0ms);

  int accepted = 0;
  for (int i = 4; i < 1000; ++i) accepted += buckets.try_take(address(i), time.now()) == 0ms ? 1 : 0;
  CHECK(accepted == 2);
  CHECK(buckets.size() == 4);
  CHECK(buckets.try_take(address(0), time.now()) == 0ms);  // an earlier client keeps its bucket
  CHECK(buckets.try_take(address(0), time.now()) > 0ms);
}

TEST_CASE("a client that exceeds the rate gets 429 with Retry-After") {
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

TEST_CASE("Retry-After is never 0, also at a rate of 1,000 requests per second") {
  const auto limit = winsvc::rate_limit(1000, 1);
  auto app = [&limit](service& svc) {
    svc.use(limit).use(limit);  // the second one finds an empty bucket, unless a millisecond has passed
    svc.get("/", [] { return "hello"; });
  };
  client c(app);
  int rejected = 0;
  for (int i = 0; i < 1000 && rejected < 5; ++i) {
    const auto response = c.get("/");
    if (response.status != 429) continue;
    ++rejected;
    CHECK(response.header("Retry-After") == "1");
  }
  CHECK(rejected > 0);
}

TEST_CASE("a body limit of 0 rejects each body and no request without one") {
  auto app = [](service& svc) {
    svc.use(winsvc::body_limit(0));
    svc.any("/", [] { return "hello"; });
  };
  client c(app);
  CHECK(c.get("/").status == 200);
  CHECK(c.post("/", "x", "text/plain").status == 413);
}

TEST_CASE("behind trusted proxies the client's address is taken from X-Forwarded-For, and a client cannot forge it") {
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

TEST_CASE("the access record has the client behind a trusted proxy, not the proxy") {
  std::vector<std::string> clients;
  auto app = [](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.get("/", [] { return "hello"; });
  };
  client c(app);
  c.engine().on_response([&clients](const winsvc::detail::http::access_record& e) { clients.push_back(e.peer.host); });

  c.get("/", {{"X-Forwarded-For", "203.0.113.9"}});
  c.get("/");
  CHECK(clients == std::vector<std::string>{"203.0.113.9", "127.0.0.1"});
}

TEST_CASE("security headers are added unless the handler has set them") {
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

TEST_CASE("a body limit applies to Content-Length and to the received bytes, within its group") {
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
  std::string out = c.raw("POST /small HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "b\r\n0123456789x\r\n0\r\n\r\n");
  CHECK(winsvc::testing::parse_response(out).status == 413);
  CHECK(c.post("/large", "0123456789x", "text/plain").status == 200);
}

TEST_CASE("cookies are read, and each cookie that is set has its own field line") {
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
      return winsvc::unsign("user", winsvc::find_cookie(req, "user"), "sixteen bytes ok").value_or("none");
    });
  };
  client c(app);

  CHECK(c.get("/read").body == "none");
  CHECK(c.get("/read", {{"Cookie", "a=b; theme=dark; c=d"}}).body == "dark");
  CHECK(c.get("/read", {{"Cookie", "theme=dark"}, {"Cookie", "theme=light"}}).body == "dark");
  CHECK(cookies_of(c.get("/set")) ==
        lines{"all=1; Path=/; HttpOnly; SameSite=Lax", "theme=dark; Path=/; HttpOnly; SameSite=Lax"});
  CHECK(cookies_of(c.get("/again")) ==
        lines{"theme=elsewhere; Path=/x; HttpOnly; SameSite=Lax", "theme=light; Path=/; HttpOnly; SameSite=Lax"});
  CHECK(c.get("/signed").body == "none");
  CHECK(c.get("/signed", {{"Cookie", "user=" + winsvc::sign("user", "anna", "sixteen bytes ok", 8h)}}).body == "anna");
}

TEST_CASE("a reply adds to Vary and the cookies of middleware, and replaces their other headers") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler& next) {
      winsvc::set_cookie(res, winsvc::cookie("seen", "1"));
      winsvc::set_cookie(res, winsvc::cookie("user", "old"));
      res.set_header("X-Source", "middleware");
      next();
    });
    svc.use(winsvc::cors({"https://app.example"}));
    svc.get("/", [] {
      return winsvc::reply::text("hello")
          .header("Vary", "Accept-Encoding")
          .header("vary", "Accept-Encoding")
          .header("X-Source", "handler")
          .header("Set-Cookie", "a=1")
          .cookie(winsvc::cookie("b", "2"))
          .cookie(winsvc::cookie("user", "new"));
    });
  };
  client c(app);
  const auto r = c.get("/");

  CHECK(values_of(r, "Vary") == lines{"Accept-Encoding", "Origin"});
  CHECK(values_of(r, "X-Source") == lines{"handler"});
  CHECK(cookies_of(r) == lines{"a=1", "b=2; Path=/; HttpOnly; SameSite=Lax", "seen=1; Path=/; HttpOnly; SameSite=Lax",
                           "user=new; Path=/; HttpOnly; SameSite=Lax"});
}

TEST_CASE("allowed_hosts responds with 421 to other hosts, also for WebSockets and paths without a route") {
  auto app = [](service& svc) {
    svc.use(winsvc::allowed_hosts({"hello.example"}));
    svc.get("/", [] { return "done"; });
    svc.websocket("/socket", [](winsvc::websocket&) {});
  };
  client c(app);
  const auto status = [&](std::string_view host, std::string_view rest = "GET / HTTP/1.1\r\n") {
    return c.raw(std::string(rest) + "Host: " + std::string(host) + "\r\n\r\n").substr(9, 3);
  };
  CHECK(status("hello.example:8080") == "200");
  CHECK(status("localhost") == "200");
  CHECK(status("evil.example") == "421");
  CHECK(status("evil.example", "GET /missing HTTP/1.1\r\n") == "421");
  const std::string handshake =
      "GET /socket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  CHECK(status("evil.example", handshake) == "421");
  CHECK(c.raw("GET / HTTP/1.0\r\n\r\n").substr(9, 3) == "200");  // not from a browser
}

TEST_CASE("allowed_hosts rejects names with a scheme, a port or brackets") {
  for (const char* name : {"", "http://hello.example", "hello.example:80", "[::1]", "a b"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(static_cast<void>(winsvc::allowed_hosts({name})), winsvc::setup_error);
  }
  CHECK_NOTHROW(static_cast<void>(winsvc::allowed_hosts({"::1", "*.example.com", "*"})));
}

TEST_CASE("same_origin rejects unsafe requests from pages of other sites") {
  auto app = [](service& svc) {
    svc.use(winsvc::same_origin({"https://friend.example"}));
    svc.any("/", [] { return "done"; });
  };
  client c(app);  // its Host is "test"
  const auto post = [&](const winsvc::testing::headers& fields) { return c.request("POST", "/", fields).status; };
  CHECK(post({}) == 200);  // not from a browser
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
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    CAPTURE(method);
    CHECK(c.request(method, "/", {{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}}).status == 200);
  }
  CHECK(c.request("DELETE", "/", {{"Origin", "https://evil.example"}}).body.find("another site") != std::string::npos);
}
