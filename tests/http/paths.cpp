// Methods by name, final slashes, groups without a prefix, tails, and URLs behind a proxy.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::reply;
using winsvc::request;
using winsvc::service;
using winsvc::setup_error;
using winsvc::testing::client;

TEST_CASE("routes can be registered for other methods, and a route of any method serves them too") {
  auto app = [](service& svc) {
    svc.route("PROPFIND", "/dav/{path...}", [](const request& req, std::string path) {
      return winsvc::request_method(req) + " " + path + " " + winsvc::body_text(req);
    });
    svc.route("QUERY", "/search", [](const request& req) { return winsvc::body_text(req); });
    svc.route("PUT", "/search", [] { return "put"; });
    svc.any("/any", [](const request& req) { return winsvc::request_method(req); });
    svc.get("/get", [] { return "get"; });
  };
  client c(app);
  CHECK(c.request("PROPFIND", "/dav/a/b", {}, "<x/>").body == "PROPFIND a/b <x/>");
  CHECK(c.request("QUERY", "/search", {}, "q").body == "q");
  CHECK(c.put("/search", "").body == "put");
  for (const char* method : {"REPORT", "PROPFIND", "QUERY", "PURGE"}) {
    CAPTURE(method);
    CHECK(c.request(method, "/any").body == method);
  }
  const auto known = c.request("QUERY", "/get");
  CHECK(known.status == 405);
  CHECK(known.header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(c.get("/search").header("Allow") == "PUT, OPTIONS, QUERY");
  CHECK(c.request("BREW", "/get").status == 501);
  CHECK(c.request("TRACE", "/any").status == 501);
  CHECK(c.request("CONNECT", "/any").status == 501);
}

TEST_CASE("a name that is not a method is rejected at start") {
  for (const char* method : {"", "CONNECT", "TRACE", "A B", "get", "Delete"}) {
    CAPTURE(method);
    auto app = [method](service& svc) { svc.route(method, "/", [] { return ""; }); };
    CHECK_THROWS_AS(client{app}, setup_error);
  }
}

TEST_CASE("a setting decides about a final slash: strict, redirect or ignore") {
  const auto add_routes = [](service& svc) {
    svc.get("/users", [] { return "users"; });
    svc.post("/items/", [] { return "items"; });
    svc.get("/both", [] { return "without"; });
    svc.get("/both/", [] { return "with"; });
    svc.get("/{id}/x:y", [](std::string id) { return id; });
  };
  auto strict = [&](service& svc) { add_routes(svc); };
  auto redirect = [&](service& svc) { add_routes(svc); svc.trailing_slash(winsvc::trailing_slash::redirect); };
  auto ignore = [&](service& svc) { add_routes(svc); svc.trailing_slash(winsvc::trailing_slash::ignore); };
  client s(strict), r(redirect), i(ignore);

  CHECK(s.get("/users/").status == 404);
  CHECK(r.get("/users/?a=b").status == 308);
  CHECK(r.get("/users/?a=b").header("Location") == "../users?a=b");
  CHECK(r.request("POST", "/items").header("Location") == "./items/");
  CHECK(r.get("/a/x:y/").header("Location") == "../x:y");
  CHECK(r.get("/items").status == 405);
  CHECK(i.get("/users/").body == "users");
  CHECK(i.request("POST", "/items").body == "items");
  for (auto* c : {&s, &r, &i}) {
    CHECK(c->get("/both").body == "without");
    CHECK(c->get("/both/").body == "with");
    CHECK(c->get("/nothing/").status == 404);
    CHECK(c->get("/").status == 404);
    CHECK(c->get("//").status == 404);
  }
}

TEST_CASE("a group with an empty prefix shares middleware") {
  auto app = [](service& svc) {
    svc.group("", [](winsvc::route_group& g) {
      g.use([](const request&, winsvc::response& res, const winsvc::next_handler& next) {
        res.set_header("X-Group", "1");
        next();
      });
      g.get("/x", [] { return "x"; });
      g.get("/", [] { return "root"; });
    });
    svc.get("/y", [] { return "y"; });
  };
  client c(app);
  CHECK(c.get("/x").header("X-Group") == "1");
  CHECK(c.get("/").body == "root");
  CHECK(c.get("/y").header("X-Group").empty());
  CHECK(c.get("/nothing").header("X-Group").empty());
}

TEST_CASE("a tail never contains dot segments, and an encoded slash in it gets an explanation") {
  auto app = [](service& svc) {
    svc.get("/tail/{path...}", [](std::string path) { return "[" + path + "]"; });
    svc.get("/one/{name}", [](std::string name) { return "[" + name + "]"; });
  };
  client c(app);
  CHECK(c.get("/tail/a/b").body == "[a/b]");
  CHECK(c.get("/one/a%2Fb").body == "[a/b]");
  const auto slash = c.get("/tail/a%2Fb");
  CHECK(slash.status == 400);
  CHECK(slash.body.find("encoded slash (%2F)") != std::string::npos);
  const auto dots = c.get("/tail/../../etc/passwd");
  CHECK(dots.status == 400);
  CHECK(dots.body.find("'.' and '..'") != std::string::npos);
}

TEST_CASE("behind a trusted proxy, URLs, redirects, cookies and the request id are those of the client") {
  auto app = [](service& svc) {
    svc.use(winsvc::request_id());
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.get("/users/{id}", [](const request& req, int id) {
      const auto path = winsvc::url_for(req, "user", id);
      return reply::text(path + ' ' + winsvc::absolute_url(req, path) + ' ' + winsvc::context(req).id())
          .cookie(winsvc::cookie("a", "1"));
    }).name("user");
    svc.get("/login", [](const request& req) { return reply::redirect(winsvc::url_for(req, "user", 7)); });
    svc.get("/plain", [] { return reply::redirect("/users/7"); });
    svc.get("/own", [](winsvc::response& res) { res.set_redirect("/users/7"); });
    svc.get("/else", [] { return reply::redirect("https://other.example/users/7"); });
    svc.get("/insecure", [](winsvc::response& res) {
      winsvc::set_cookie(res, winsvc::cookie("a", "1").secure(false));
      winsvc::set_cookie(res, winsvc::cookie("b", "1"));
    });
  };
  client c(app);
  const winsvc::testing::headers proxied{{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "shop.example"},
                                         {"X-Forwarded-Prefix", "/app"}, {"X-Request-Id", "from-proxy_1"}};
  const auto user = c.get("/users/7", proxied);
  CHECK(user.body == "/app/users/7 https://shop.example/app/users/7 from-proxy_1");
  CHECK(user.header("X-Request-Id") == "from-proxy_1");
  CHECK(user.header("Set-Cookie").find("; Secure") != std::string::npos);
  for (const char* path : {"/login", "/plain", "/own"}) {
    CAPTURE(path);
    CHECK(c.get(path, proxied).header("Location") == "/app/users/7");
  }
  CHECK(c.get("/else", proxied).header("Location") == "https://other.example/users/7");
  const auto insecure = c.get("/insecure", proxied);
  CHECK(insecure.header("Set-Cookie").find("Secure") == std::string::npos);

  const auto direct = c.get("/users/7");
  CHECK(direct.body.find("/users/7 http://test/users/7 ") == 0);
  CHECK(direct.header("Set-Cookie").find("Secure") == std::string::npos);
  for (const char* id : {"", "a b", "a\"b", "a/b"})
    CHECK(c.get("/users/7", {{"X-Request-Id", id}}).header("X-Request-Id") != id);
  CHECK(c.get("/users/7", {{"X-Request-Id", std::string(129, 'a')}}).header("X-Request-Id").size() < 129);
  const auto traced = c.get("/users/7", {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
  CHECK(traced.header("X-Request-Id") == "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_CASE("requests that a strict reading of the RFC accepts are served") {
  auto app = [](service& svc) {
    svc.get("/", [](const request& req) { return winsvc::header_text(req, "Host"); });
  };
  client c(app);
  const auto status = [&](const std::string& bytes) { return c.raw(bytes).substr(9, 3); };
  CHECK(c.raw("GET http://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n").find("\r\n\r\nother.example") !=
        std::string::npos);
  CHECK(status("GET / HTTP/1.2\r\nHost: a\r\n\r\n") == "200");
  for (const char* accept :
       {"application/json,", ", a/b", "a/b,,c/d", "json", "q=2", "text/html;a=\"x,y\"", "*", ";", "a/b;q=9"}) {
    CAPTURE(accept);
    CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nAccept: " + std::string(accept) + "\r\n\r\n") == "200");
  }
}

TEST_CASE("a form has the same fields with and without an upload parameter") {
  auto app = [](service& svc) {
    svc.post("/form", [](const request& req) {
      std::string out;
      for (const auto& [name, file] : req.form.files) out += name + '=' + file.filename + ';';
      for (const auto& [name, field] : req.form.fields) out += name + '=' + field.content + ';';
      return out;
    });
    svc.post("/upload", [](const request& req, winsvc::upload files) {
      std::string out;
      for (const auto& file : files.files()) out += file.name() + '=' + file.file_name() + ';';
      for (const auto& [name, field] : req.form.fields) out += name + '=' + field.content + ';';
      return out;
    });
  };
  client c(app);
  for (const char* path : {"/form", "/upload"}) {
    CAPTURE(path);
    const auto send = [&](const std::string& disposition, const std::string& type) {
      const std::string body = "--B\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\nx\r\n--B--\r\n";
      return c.request("POST", path, {{"Content-Type", type}}, body);
    };
    const std::string type = "multipart/form-data; boundary=B";
    CHECK(send("name=\"f\"; filename=\"report=v2;final.pdf\"", type).body == "f=report=v2;final.pdf;");
    CHECK(send("name=\"a;b=c\"", type).body == "a;b=c=x;");
    CHECK(send("name = \"f\" ; filename = \"a.txt\"", type).body == "f=a.txt;");
    CHECK(send("name=\"f\"; filename=\"C:\\\\dir\\\\a.txt\"", type).body == "f=a.txt;");
    CHECK(send("name=\"f\"; filename=\"../../a.txt\"", type).body == "f=a.txt;");
    CHECK(send("name=\"f\"; filename=\"a.txt\"", "Multipart/Form-Data; Boundary=\"B\"").body == "f=a.txt;");
    CHECK(send("filename=\"a.txt\"", type).status == 400);
    CHECK(send("name=\"f\"", "multipart/form-data").status == 400);
    CHECK(send("name=\"f\"", "multipart/form-data; boundary=\"B \"").status == 400);
    CHECK(send("name=\"f\"", "multipart/form-data; boundary=\"B{\"").status == 400);
  }
}
