// What is served, what is answered instead, and what is refused at registration.
#include "winsvc/route/table.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace winsvc::route;
using winsvc::setup_error;
using winsvc::source_location;
using values = std::vector<std::string>;

namespace {

struct route_text {
  method verb;
  const char* path;
};

table built(const std::vector<route_text>& routes) {
  table t;
  for (std::size_t i = 0; i < routes.size(); ++i) t.add(routes[i].verb, routes[i].path, i, source_location{"app.cpp", 1});
  return t;
}

std::string complaint(const std::vector<route_text>& routes) {
  table t;
  try {
    for (std::size_t i = 0; i < routes.size(); ++i) {
      t.add(routes[i].verb, routes[i].path, i, source_location{"src/app.cpp", static_cast<int>(i) + 10});
    }
  } catch (const setup_error& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a literal beats a parameter beats a tail, whatever was registered first") {
  struct served { const char* path; const char* by; values with; };
  std::vector<route_text> routes = {
      {method::get, "/{all...}"},        {method::get, "/"},
      {method::get, "/users/{id}"},      {method::get, "/users/me"},
      {method::get, "/users/"},          {method::get, "/users/{id}/posts/{post}"},
      {method::get, "/users/me/posts/{post}"}, {method::get, "/files/{path...}"},
      {method::get, "/files/index"},     {method::get, "/z\xC3\xBCrich"},
  };
  const served cases[] = {
      {"/", "/", {}},
      {"/users/me", "/users/me", {}},
      {"/users/7", "/users/{id}", {"7"}},
      {"/users/m%65", "/users/me", {}},
      {"/users/a%2Fb", "/users/{id}", {"a/b"}},
      {"/users/", "/users/", {}},
      {"/users", "/{all...}", {"users"}},
      {"/users/7/posts/9", "/users/{id}/posts/{post}", {"7", "9"}},
      {"/users/me/posts/9", "/users/me/posts/{post}", {"9"}},
      {"/users/me/friends", "/{all...}", {"users/me/friends"}},
      {"/users/7/posts/", "/{all...}", {"users/7/posts/"}},
      {"/files/", "/files/{path...}", {""}},
      {"/files/index", "/files/index", {}},
      {"/files/a/b%20c", "/files/{path...}", {"a/b c"}},
      {"/files//a", "/files/{path...}", {"/a"}},
      {"/files/a%252Fb", "/files/{path...}", {"a%2Fb"}},
      {"/files", "/{all...}", {"files"}},
      {"/z%C3%BCrich", "/z\xC3\xBCrich", {}},
      {"//", "/{all...}", {"/"}},
  };
  for (int turn = 0; turn < 3; ++turn) {
    const table t = built(routes);
    for (const auto& c : cases) {
      CAPTURE(c.path);
      const auto result = t.match(method::get, c.path);
      REQUIRE(result.outcome == match_outcome::matched);
      CHECK(routes[result.route_id].path == std::string(c.by));
      CHECK(result.values == c.with);
    }
    if (turn == 0) std::reverse(routes.begin(), routes.end());
    if (turn == 1) std::rotate(routes.begin(), routes.begin() + 4, routes.end());
  }
}

TEST_CASE("a branch that leads nowhere is left again, and its values with it") {
  const table t = built({{method::get, "/a/b/c"}, {method::get, "/a/{x}/d"}, {method::get, "/{y}/{z}/{w}"},
                         {method::get, "/{rest...}"}});
  struct { const char* path; std::size_t id; values with; } const cases[] = {
      {"/a/b/c", 0, {}}, {"/a/b/d", 1, {"b"}}, {"/a/b/e", 2, {"a", "b", "e"}}, {"/a/b", 3, {"a/b"}},
      {"/a/b/c/d", 3, {"a/b/c/d"}}};
  for (const auto& c : cases) {
    CAPTURE(c.path);
    const auto result = t.match(method::get, c.path);
    REQUIRE(result.outcome == match_outcome::matched);
    CHECK(result.route_id == c.id);
    CHECK(result.values == c.with);
  }
}

TEST_CASE("an unknown path is not found, a known one with another method says what is allowed (RFC 9110 §15.5.6)") {
  const table t = built({{method::get, "/items"}, {method::post, "/items"}, {method::del, "/items/{id}"},
                         {method::put, "/items/special"}});

  CHECK(t.match(method::get, "/nothing").outcome == match_outcome::not_found);
  CHECK(t.match(method::get, "/items/").outcome == match_outcome::not_found);
  CHECK(t.match(method::get, "/ITEMS").outcome == match_outcome::not_found);

  const auto put = t.match(method::put, "/items");
  CHECK(put.outcome == match_outcome::method_not_allowed);
  CHECK(put.allowed.allow() == "GET, HEAD, POST, OPTIONS");

  // All patterns that match the path count, not only the narrowest.
  CHECK(t.match(method::get, "/items/special").allowed.allow() == "PUT, DELETE, OPTIONS");
  CHECK(t.match(method::del, "/items/special").route_id == 2);
  CHECK(t.methods_at("/items/special").allow() == "PUT, DELETE, OPTIONS");
  CHECK(t.methods_at("/nothing").empty());
  CHECK(t.methods_at("/%zz").empty());
}

TEST_CASE("HEAD follows GET unless it has a route of its own (RFC 9110 §9.3.2)") {
  const table t = built({{method::get, "/a"}, {method::get, "/b"}, {method::head, "/b"}, {method::post, "/c"},
                         {method::any, "/d"}, {method::get, "/d"}});

  CHECK(t.match(method::head, "/a").route_id == 0);
  CHECK(t.match(method::head, "/b").route_id == 2);
  CHECK(t.match(method::head, "/c").outcome == match_outcome::method_not_allowed);
  CHECK(t.match(method::head, "/d").route_id == 5);
}

TEST_CASE("OPTIONS is left to the caller, with what it needs, unless a route takes it (RFC 9110 §9.3.7)") {
  const table t = built({{method::get, "/a"}, {method::options, "/b"}, {method::any, "/c"}});

  const auto a = t.match(method::options, "/a");
  CHECK(a.outcome == match_outcome::method_not_allowed);
  CHECK(a.allowed.allow() == "GET, HEAD, OPTIONS");
  CHECK(t.match(method::options, "/b").route_id == 1);
  CHECK(t.match(method::options, "/c").route_id == 2);
  CHECK(t.match(method::options, "/d").outcome == match_outcome::not_found);
}

TEST_CASE("OPTIONS * is answered from all methods of all routes") {
  CHECK(table().all_methods().allow() == "OPTIONS");
  CHECK(built({{method::get, "/a"}, {method::del, "/b"}}).all_methods().allow() == "GET, HEAD, DELETE, OPTIONS");
}

TEST_CASE("a route for any method serves what no other route of its pattern does") {
  const table t = built({{method::any, "/a"}, {method::post, "/a"}, {method::get, "/{x}"}});

  CHECK(t.match(method::post, "/a").route_id == 1);
  CHECK(t.match(method::patch, "/a").route_id == 0);
  CHECK(t.match(method::get, "/a").route_id == 0);  // the path decides before the method does
  CHECK(t.match(method::get, "/b").route_id == 2);
}

TEST_CASE("a path that cannot be decoded is bad, whatever the routes are") {
  const table t = built({{method::get, "/{all...}"}, {method::get, "/a/{x}"}});

  for (const char* raw : {"/%", "/a/%zz", "/a/%00", "", "*", "a"}) {
    CAPTURE(raw);
    CHECK(t.match(method::get, raw).outcome == match_outcome::bad_path);
  }
}

TEST_CASE("an encoded slash stays inside its segment, and a tail refuses it") {
  const table t = built({{method::get, "/files/{path...}"}, {method::get, "/one/{name}"}, {method::get, "/lit/x"}});

  CHECK(t.match(method::get, "/one/a%2Fb").values == values{"a/b"});
  CHECK(t.match(method::get, "/files/a%2Fb").outcome == match_outcome::bad_path);
  CHECK(t.match(method::get, "/files/a/..%2f..%2fb").outcome == match_outcome::bad_path);
  CHECK(t.match(method::get, "/lit%2Fx").outcome == match_outcome::not_found);
}

TEST_CASE("what two routes could claim with equal right is refused, with both places and a path that proves it") {
  CHECK(complaint({{method::get, "/users/{id}"}, {method::get, "/users/{name}"}}) ==
        "GET /users/{name} (app.cpp:11) conflicts with GET /users/{id} (app.cpp:10): "
        "both match /users/name; remove one");
  CHECK(complaint({{method::get, "/{a}/x"}, {method::get, "/x/{b}"}}) ==
        "GET /x/{b} (app.cpp:11) conflicts with GET /{a}/x (app.cpp:10): both match /x/x; "
        "make one of them narrower than the other");

  struct { route_text a, b; bool refused; } const cases[] = {
      {{method::get, "/a"}, {method::get, "/a"}, true},
      {{method::any, "/a"}, {method::any, "/a"}, true},
      {{method::any, "/{a}/x"}, {method::any, "/x/{b}"}, true},
      {{method::any, "/{a}/x"}, {method::get, "/x/{b}"}, true},
      {{method::get, "/{a}/{b}"}, {method::get, "/files/{p...}"}, true},
      {{method::any, "/a"}, {method::get, "/a"}, false},
      {{method::get, "/a"}, {method::post, "/a"}, false},
      {{method::get, "/a"}, {method::head, "/a"}, false},
      {{method::get, "/{a}/x"}, {method::post, "/x/{b}"}, false},
      {{method::get, "/{a}"}, {method::get, "/b"}, false},
      {{method::get, "/{a...}"}, {method::get, "/b/{c}"}, false},
      {{method::any, "/{a...}"}, {method::get, "/"}, false},
      {{method::get, "/a"}, {method::get, "/a/"}, false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.a.path);
    CAPTURE(c.b.path);
    CHECK((complaint({c.a, c.b}) != "accepted") == c.refused);
    CHECK((complaint({c.b, c.a}) != "accepted") == c.refused);
  }
}

TEST_CASE("a refused route leaves the table as it was") {
  table t = built({{method::get, "/a"}});

  CHECK_THROWS_AS(t.add(method::get, "/a", 9, source_location{}), setup_error);
  CHECK_THROWS_AS(t.add(method::get, "/{", 9, source_location{}), setup_error);

  CHECK(t.entries().size() == 1);
  CHECK(t.match(method::get, "/a").route_id == 0);
}

TEST_CASE("a table without routes finds nothing") {
  const table t;
  CHECK_FALSE(t.has_routes());
  CHECK(t.match(method::get, "/").outcome == match_outcome::not_found);
  CHECK(built({{method::get, "/"}}).has_routes());
}

TEST_CASE("a thousand routes and a path of thousands of segments are matched") {
  table t;
  for (std::size_t i = 0; i < 1000; ++i) {
    t.add(method::get, "/api/r" + std::to_string(i) + "/{id}", i, source_location{"app.cpp", static_cast<int>(i)});
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto result = t.match(method::get, "/api/r" + std::to_string(i) + "/x");
    REQUIRE(result.outcome == match_outcome::matched);
    CHECK(result.route_id == i);
  }

  t.add(method::get, "/deep/{path...}", 1000, source_location{});
  std::string deep = "/deep";
  for (int i = 0; i < 4000; ++i) deep += "/";
  CHECK(t.match(method::get, deep).route_id == 1000);
  CHECK(t.match(method::get, deep.substr(5)).outcome == match_outcome::not_found);
}
