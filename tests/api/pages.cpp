// Pages: markup that escapes by construction, sessions, CSRF tokens, passwords, middleware of one route, the API page.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using winsvc::html;
using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::session;
using winsvc::testing::client;

namespace {

const char* const form_type = "application/x-www-form-urlencoded";
const std::string key = "a key of 16 bytes or more";

/// NAME=VALUE of the cookie that a response sets; empty if it sets none.
std::string cookie_of(const winsvc::testing::client_response& r) {
  const std::string header = r.header("Set-Cookie");
  return header.substr(0, header.find(';'));
}

std::string between_quotes(const std::string& text, const std::string& before) {
  const auto begin = text.find(before) + before.size();
  return text.substr(begin, text.find('"', begin) - begin);
}

}  // namespace

TEST_CASE("values of html are escaped, markup is not") {
  const html inner("<b>{}</b>", "a<b>&\"'");
  CHECK(inner.markup() == "<b>a&lt;b&gt;&amp;&quot;&#39;</b>");
  CHECK(html("{}{}{}", inner, 7, std::string("<")).markup() == inner.markup() + "7&lt;");
  CHECK(html::text("<{}>").markup() == "&lt;{}&gt;");
  CHECK(html("{}", "{}").markup() == "{}");
  CHECK(html("p{color:red}").markup() == "p{color:red}");
  CHECK(html().empty());
  html list;
  for (const int n : {1, 2}) list += html("<li>{}", n);
  CHECK(list.markup() == "<li>1<li>2");
}

TEST_CASE("a wrong number of values for html is an error") {
  CHECK_THROWS_AS(html("{}"), std::logic_error);
  CHECK_THROWS_AS(html("x", 1), std::logic_error);
  CHECK_THROWS_AS(html("{}{}", 1), std::logic_error);
}

TEST_CASE("a handler returns html with its media type") {
  auto app = [](service& svc) {
    svc.openapi();
    svc.get("/", [] { return html("<p>"); });
    svc.get("/new", [] { return std::pair(201, html("<p>")); });
    svc.get("/reply", [] { return reply::html(html("<p>{}", "<"), 202); });
  };
  client c(app);
  CHECK(c.get("/").header("Content-Type") == "text/html; charset=utf-8");
  CHECK(c.get("/").body == "<p>");
  CHECK(c.get("/new").status == 201);
  CHECK(c.get("/reply").body == "<p>&lt;");
#if WINSVC_JSON
  const auto document = winsvc::json::parse(c.get("/openapi.json").body);
  CHECK(document["paths"]["/"]["get"]["responses"]["200"]["content"].contains("text/html"));
#endif
}

TEST_CASE("a session keeps values and messages in a signed cookie") {
  auto app = [](service& svc) {
    svc.use(winsvc::sessions(key));
    svc.get("/set", [](const request& req) { session::of(req).set("user", "an=na&;").flash("Hello & welcome"); });
    svc.get("/get", [](const request& req) {
      std::string text = session::of(req).get("user").value_or("none");
      for (const auto& message : session::of(req).take_flashes()) text += '|' + message;
      return text;
    });
    svc.get("/erase", [](const request& req) { session::of(req).erase("user"); });
    svc.get("/token", [](const request& req) { static_cast<void>(session::of(req).set("user", "anna").csrf_token()); });
    svc.get("/clear", [](const request& req) { session::of(req).clear(); });
    svc.get("/large", [](const request& req) { session::of(req).set("x", std::string(5000, 'x')); });
  };
  client c(app);

  const auto set = c.get("/set");
  const std::string cookie = cookie_of(set);
  CHECK(set.header("Set-Cookie").find("HttpOnly; SameSite=Lax") != std::string::npos);
  CHECK(set.header("Vary") == "Cookie");
  const auto shown = c.get("/get", {{"Cookie", cookie}});
  CHECK(shown.body == "an=na&;|Hello & welcome");
  CHECK(c.get("/get", {{"Cookie", cookie_of(shown)}}).body == "an=na&;");           // the message is shown once
  CHECK(cookie_of(c.get("/get", {{"Cookie", cookie_of(shown)}})).empty());          // unchanged: no new cookie
  CHECK(c.get("/get").body == "none");
  std::string forged = cookie;
  forged[forged.size() / 2] = forged[forged.size() / 2] == 'A' ? 'B' : 'A';
  CHECK(c.get("/get", {{"Cookie", forged}}).body == "none");
  CHECK(c.get("/clear", {{"Cookie", cookie}}).header("Set-Cookie").find("session=; ") == 0);
  const std::string with_token = cookie_of(c.get("/token"));
  CHECK(c.get("/clear", {{"Cookie", with_token}}).header("Set-Cookie").find("session=; ") == 0);
  const std::string erased = cookie_of(c.get("/erase", {{"Cookie", with_token}}));
  REQUIRE_FALSE(erased.empty());
  CHECK(c.get("/get", {{"Cookie", erased}}).body == "none");
  CHECK(cookie_of(c.get("/erase", {{"Cookie", erased}})).empty());  // nothing to erase: unchanged
  CHECK(c.get("/large").status == 500);
}

TEST_CASE("a session is renewed while requests arrive, and ends after its lifetime without requests") {
  winsvc::testing::manual_clock time;
  winsvc::session_options options;
  options.lifetime = 100s;
  auto app = [options](service& svc) {
    svc.use(winsvc::sessions(key, options));
    svc.get("/set", [](const request& req) { session::of(req).set("user", "anna"); });
    svc.get("/get", [](const request& req) { return session::of(req).get("user").value_or("none"); });
  };
  client c(app, time);
  const std::string first = cookie_of(c.get("/set"));

  time.advance(5s);
  CHECK(cookie_of(c.get("/get", {{"Cookie", first}})).empty());
  time.advance(45s);
  const std::string renewed = cookie_of(c.get("/get", {{"Cookie", first}}));
  REQUIRE_FALSE(renewed.empty());
  time.advance(60s);
  CHECK(c.get("/get", {{"Cookie", first}}).body == "none");
  CHECK(c.get("/get", {{"Cookie", renewed}}).body == "anna");
}

TEST_CASE("the cookie of a session is Secure if the client uses HTTPS up to a trusted proxy") {
  for (const bool proxies_first : {true, false}) {
    auto app = [proxies_first](service& svc) {
      if (proxies_first) svc.use(winsvc::trusted_proxies({"127.0.0.1", "::1"}));
      svc.use(winsvc::sessions(key));
      if (!proxies_first) svc.use(winsvc::trusted_proxies({"127.0.0.1", "::1"}));
      svc.get("/set", [](const request& req) { session::of(req).set("user", "anna"); });
      svc.get("/clear", [](const request& req) { session::of(req).set("user", "anna").clear(); });
    };
    client c(app);
    const auto is_secure = [&c](const char* path, const winsvc::testing::headers& fields) {
      const auto cookie = c.get(path, fields).header("Set-Cookie");
      CHECK(cookie.find("session=") == 0);
      return cookie.find("; Secure") != std::string::npos;
    };
    for (const char* path : {"/set", "/clear"}) {
      CHECK(is_secure(path, {{"X-Forwarded-Proto", "https"}}));
      CHECK(is_secure(path, {{"X-Forwarded-Proto", "wss"}}));
      CHECK_FALSE(is_secure(path, {{"X-Forwarded-Proto", "http"}}));
      CHECK_FALSE(is_secure(path, {}));
    }
  }
}

TEST_CASE("a mistake in the options of sessions is an error at registration, a missing middleware is 500") {
  CHECK_THROWS_AS(static_cast<void>(winsvc::sessions("short")), winsvc::setup_error);
  winsvc::session_options options;
  options.cookie_name = "a b";
  CHECK_THROWS_AS(static_cast<void>(winsvc::sessions(key, options)), winsvc::setup_error);
  auto app = [](service& svc) { svc.get("/", [](const request& req) { session::of(req).clear(); }); };
  CHECK(client(app).get("/").status == 500);
}

TEST_CASE("a form without the CSRF token of the session is rejected before the handler runs") {
  int calls = 0;
  auto app = [&calls](service& svc) {
    svc.use(winsvc::sessions(key)).use(winsvc::csrf_tokens());
    svc.get("/form", [](const request& req) { return winsvc::csrf_field(req); });
    svc.post("/form", [&calls] { return std::to_string(++calls); });
  };
  client c(app);
  const auto page = c.get("/form");
  const std::string cookie = cookie_of(page), token = between_quotes(page.body, "value=\"");
  REQUIRE(token.size() == 22);
  const auto post = [&](const std::string& body, const winsvc::testing::headers& extra) {
    winsvc::testing::headers all = extra;
    all.emplace_back("Content-Type", form_type);
    return c.request("POST", "/form", all, body);
  };

  CHECK(post("csrf_token=" + token, {{"Cookie", cookie}}).body == "1");
  CHECK(post("", {{"Cookie", cookie}, {"X-CSRF-Token", token}}).body == "2");
  CHECK(post("csrf_token=" + token, {}).status == 403);
  CHECK(post("csrf_token=x", {{"Cookie", cookie}}).status == 403);
  CHECK(post("", {{"Cookie", cookie}}).status == 403);
  CHECK(c.get("/form", {{"Cookie", cookie}}).body == page.body);
  CHECK(calls == 2);
}

TEST_CASE("a password is checked against its hash") {
  const std::string hash = winsvc::hash_password("secret", 10);

  CHECK(hash.find("pbkdf2-sha256$10$") == 0);
  CHECK(hash != winsvc::hash_password("secret", 10));
  CHECK(winsvc::check_password("secret", hash));
  CHECK_FALSE(winsvc::check_password("Secret", hash));
  for (const char* malformed : {"", "secret", "pbkdf2-sha256$0$AA$AA", "pbkdf2-sha256$x$AA$AA", "pbkdf2-sha256$9$AA$",
                                "md5$10$AA$AA", "pbkdf2-sha256$99999999999$AA$AA"})
    CHECK_FALSE(winsvc::check_password("secret", malformed));
  // Test vector of RFC 7914 section 11: PBKDF2-HMAC-SHA256, "passwd", "salt", 1 round.
  CHECK(winsvc::check_password("passwd", "pbkdf2-sha256$1$c2FsdA$VawEblbjCJ_sFpHCJUS2BflBhSFt3gRl5oudV8INrLw"));
}

TEST_CASE("a route has its own middleware, a group may have no prefix, and a middleware may reply early") {
  auto login_required = [](const request& req) -> std::optional<reply> {
    if (req.has_header("X-User")) return {};
    return reply::to(req, "login");
  };
  auto app = [&](service& svc) {
    svc.get("/login", [] { return "log in"; }).name("login");
    svc.get("/open", [] { return "open"; });
    svc.get("/one", [] { return "one"; }).use(login_required);
    svc.group([&](winsvc::route_group& group) {
      group.use(login_required);
      group.get("/two", [] { return "two"; });
      group.get("/three", [] { return "three"; }).use(
          [](const request&, response& res, const winsvc::next_handler& next) {
            next();
            res.set_header("X-Inner", "yes");
          });
    });
    svc.get("/late", [] { return "late"; });
  };
  client c(app);

  CHECK(c.get("/open").body == "open");
  CHECK(c.get("/late").body == "late");
  for (const char* path : {"/one", "/two", "/three"}) {
    CAPTURE(path);
    const auto r = c.get(path);
    CHECK(r.status == 303);
    CHECK(r.header("Location") == "/login");
    CHECK(c.get(path, {{"X-User", "anna"}}).status == 200);
  }
  CHECK(c.get("/three", {{"X-User", "anna"}}).header("X-Inner") == "yes");
}

#if WINSVC_JSON

TEST_CASE("the OpenAPI document names the authentication of each route") {
  auto app = [](service& svc) {
    svc.openapi();
    svc.get("/open", [] { return ""; });
    svc.get("/basic", [] { return ""; }).use(winsvc::basic_auth("x", {{"anna", "secret"}}));
    svc.group("/api", [](winsvc::route_group& group) {
      group.use(winsvc::bearer_auth("x", [](std::string_view) { return std::optional<std::string>("anna"); }));
      group.get("/", [] { return ""; });
    });
  };
  client c(app);
  using winsvc::json;
  const auto document = json::parse(c.get("/openapi.json").body);

  CHECK_FALSE(document["paths"]["/open"]["get"].contains("security"));
  CHECK(document["paths"]["/basic"]["get"]["security"] == json::array({{{"basic", json::array()}}}));
  CHECK(document["paths"]["/basic"]["get"]["responses"].contains("401"));
  CHECK(document["paths"]["/api"]["get"]["security"] == json::array({{{"bearer", json::array()}}}));
  CHECK(document["components"]["securitySchemes"] ==
        json{{"basic", {{"type", "http"}, {"scheme", "basic"}}}, {"bearer", {{"type", "http"}, {"scheme", "bearer"}}}});
  CHECK(document["servers"] == json::array({{{"url", "/"}}}));
  CHECK(c.get("/basic").status == 401);
}

#endif  // WINSVC_JSON

TEST_CASE("the OpenAPI document has a page without assets of other sites") {
  auto app = [](service& svc) { svc.openapi("/v1/openapi.json").openapi("/described"); };
  client c(app);

  const auto page = c.get("/v1/openapi");
  CHECK(page.status == 200);
  CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(page.header("Content-Security-Policy").find("default-src 'none'") == 0);
  CHECK(page.body.find("<script src=\"openapi/page.js\" data-document=\"openapi.json\" defer>") != std::string::npos);
  CHECK(page.body.find("//") == std::string::npos);
  CHECK(c.get("/v1/openapi/page.css").header("Content-Type") == "text/css; charset=utf-8");
  CHECK(c.get("/v1/openapi/page.js").header("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(c.get("/described/page").body.find("data-document=\"../described\"") != std::string::npos);
  CHECK(c.get("/described/page/page.js").status == 200);
}

namespace {

class broken_engine final : public winsvc::template_engine {
 public:
  std::vector<std::string> find_errors() const override { return {"a.html: no end", "b.html: no start"}; }

#if WINSVC_JSON
 protected:
  std::string render_text(const std::string&, const winsvc::json&) const override { return {}; }
#endif
};

}  // namespace

TEST_CASE("the start fails if a template is malformed, with all errors") {
  winsvc::testing::simulated_scm scm;
  auto app = [](service& svc) { svc.templates(std::make_shared<broken_engine>()); };
  scm.start(app);

  CHECK(scm.wait() != 0);
}
