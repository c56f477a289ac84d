// Tests of table: matching, allowed methods, conflicts.
#include "winsvc/route/table.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace winsvc::detail::route;
using winsvc::setup_error;
using winsvc::source_location;
using values = std::vector<std::string>;

namespace {

struct route_text {
  method method_id;
  const char* path;
};

table make_table(const std::vector<route_text>& routes) {
  table t;
  for (std::size_t i = 0; i < routes.size(); ++i)
    t.add(routes[i].method_id, routes[i].path, i, source_location{"app.cpp", 1});
  return t;
}

std::string setup_error_of(const std::vector<route_text>& routes) {
  table t;
  try {
    for (std::size_t i = 0; i < routes.size(); ++i) {
      t.add(routes[i].method_id, routes[i].path, i, source_location{"src/app.cpp", static_cast<int>(i) + 10});
    }
  } catch (const setup_error& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a literal precedes a parameter, which precedes a tail, in any order of registration") {
  struct expected_match { const char* path; const char* pattern; values parameters; };
  std::vector<route_text> routes = {
      {method::get, "/{all...}"},        {method::get, "/"},
      {method::get, "/users/{id}"},      {method::get, "/users/me"},
      {method::get, "/users/"},          {method::get, "/users/{id}/posts/{post}"},
      {method::get, "/users/me/posts/{post}"}, {method::get, "/files/{path...}"},
      {method::get, "/files/index"},     {method::get, "/z\xC3\xBCrich"},
  };
  const expected_match cases[] = {
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
  for (int order = 0; order < 3; ++order) {
    const table t = make_table(routes);
    for (const auto& c : cases) {
      CAPTURE(c.path);
      const auto result = t.match(method::get, c.path);
      REQUIRE(result.outcome == match_outcome::matched);
      CHECK(routes[result.route_id].path == std::string(c.pattern));
      CHECK(result.values == c.parameters);
    }
    if (order == 0) std::reverse(routes.begin(), routes.end());
    if (order == 1) std::rotate(routes.begin(), routes.begin() + 4, routes.end());
  }
}

TEST_CASE("the search backtracks from a branch without a match and discards its values") {
  const table t = make_table({{method::get, "/a/b/c"}, {method::get, "/a/{x}/d"}, {method::get, "/{y}/{z}/{w}"},
                         {method::get, "/{rest...}"}, {method::post, "/files/{path...}"}});
  struct { const char* path; std::size_t id; values parameters; } const cases[] = {
      {"/a/b/c", 0, {}}, {"/a/b/d", 1, {"b"}}, {"/a/b/e", 2, {"a", "b", "e"}}, {"/a/b", 3, {"a/b"}},
      {"/a/b/c/d", 3, {"a/b/c/d"}}, {"/files/x", 3, {"files/x"}}};
  for (const auto& c : cases) {
    CAPTURE(c.path);
    const auto result = t.match(method::get, c.path);
    REQUIRE(result.outcome == match_outcome::matched);
    CHECK(result.route_id == c.id);
    CHECK(result.values == c.parameters);
  }
}

TEST_CASE("an unknown path is not found; a wrong method reports the allowed methods (RFC 9110 section 15.5.6)") {
  const table t = make_table({{method::get, "/items"}, {method::post, "/items"}, {method::del, "/items/{id}"},
                         {method::put, "/items/special"}});

  CHECK(t.match(method::get, "/nothing").outcome == match_outcome::not_found);
  CHECK(t.match(method::get, "/items/").outcome == match_outcome::not_found);
  CHECK(t.match(method::get, "/ITEMS").outcome == match_outcome::not_found);

  const auto put = t.match(method::put, "/items");
  CHECK(put.outcome == match_outcome::method_not_allowed);
  CHECK(put.allowed.allow() == "GET, HEAD, POST, OPTIONS");

  // The methods of all patterns that match the path are allowed, not only those of the most specific pattern.
  CHECK(t.match(method::get, "/items/special").allowed.allow() == "PUT, DELETE, OPTIONS");
  CHECK(t.match(method::del, "/items/special").route_id == 2);
  CHECK(t.methods_at("/items/special").allow() == "PUT, DELETE, OPTIONS");
  CHECK(t.methods_at("/nothing").empty());
  CHECK(t.methods_at("/%zz").empty());
}

TEST_CASE("a GET route serves HEAD unless there is a HEAD route (RFC 9110 section 9.3.2)") {
  const table t = make_table({{method::get, "/a"}, {method::get, "/b"}, {method::head, "/b"}, {method::post, "/c"},
                         {method::any, "/d"}, {method::get, "/d"}});

  CHECK(t.match(method::head, "/a").route_id == 0);
  CHECK(t.match(method::head, "/b").route_id == 2);
  CHECK(t.match(method::head, "/c").outcome == match_outcome::method_not_allowed);
  CHECK(t.match(method::head, "/d").route_id == 5);
}

TEST_CASE("OPTIONS without a route reports the allowed methods to the caller (RFC 9110 section 9.3.7)") {
  const table t = make_table({{method::get, "/a"}, {method::options, "/b"}, {method::any, "/c"}});

  const auto a = t.match(method::options, "/a");
  CHECK(a.outcome == match_outcome::method_not_allowed);
  CHECK(a.allowed.allow() == "GET, HEAD, OPTIONS");
  CHECK(t.match(method::options, "/b").route_id == 1);
  CHECK(t.match(method::options, "/c").route_id == 2);
  CHECK(t.match(method::options, "/d").outcome == match_outcome::not_found);
}

TEST_CASE("all_methods has the methods of all routes, for OPTIONS *") {
  CHECK(table().all_methods().allow() == "OPTIONS");
  CHECK(make_table({{method::get, "/a"}, {method::del, "/b"}}).all_methods().allow() == "GET, HEAD, DELETE, OPTIONS");
}

TEST_CASE("a route for any method serves the methods that have no route for the same pattern") {
  const table t = make_table({{method::any, "/a"}, {method::post, "/a"}, {method::get, "/{x}"}});

  CHECK(t.match(method::post, "/a").route_id == 1);
  CHECK(t.match(method::patch, "/a").route_id == 0);
  CHECK(t.match(method::get, "/a").route_id == 0);  // the path takes precedence over the method
  CHECK(t.match(method::get, "/b").route_id == 2);
}

TEST_CASE("a literal matches segments of its size only") {
  const table t =
      make_table({{method::get, "/a"}, {method::get, "/bb"}, {method::get, "/cccc"}, {method::get, "/dddd"}});
  for (std::size_t size = 0; size < 20; ++size) {
    for (const char c : {'a', 'b', 'c', 'd', 'z'}) {
      const std::string path = '/' + std::string(size, c);
      CAPTURE(path);
      const bool is_known = path == "/a" || path == "/bb" || path == "/cccc" || path == "/dddd";
      CHECK(t.match(method::get, path).outcome == (is_known ? match_outcome::matched : match_outcome::not_found));
    }
  }
}

TEST_CASE("long literals of different sizes are found") {
  std::vector<std::string> paths;
  for (std::size_t size = 12; size < 24; ++size) {
    for (const char c : {'a', 'b'}) paths.push_back('/' + std::string(size, c));
  }
  for (std::size_t count : {paths.size(), std::size_t{14}}) {  // with and without a binary search
    table t;
    const std::size_t first = paths.size() - count;
    for (std::size_t i = first; i < paths.size(); ++i) t.add(method::get, paths[i], i, source_location{});
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const auto result = t.match(method::get, paths[i]);
      CHECK((result.outcome == match_outcome::matched) == (i >= first));
      if (i >= first) CHECK(result.route_id == i);
    }
    CHECK(t.match(method::get, '/' + std::string(17, 'c')).outcome == match_outcome::not_found);
  }
  const table two = make_table({{method::get, "/aaaaaaaaaaaaaaaa"}, {method::get, "/aaaaaaaaaaaaaaaaa"}});
  CHECK(two.match(method::get, "/aaaaaaaaaaaaaaaa").route_id == 0);
  CHECK(two.match(method::get, "/aaaaaaaaaaaaaaaaa").route_id == 1);
}

TEST_CASE("a result has no route until a search, and each search replaces all of it") {
  const match_result none;
  CHECK(none.outcome == match_outcome::not_found);
  CHECK(none.route_id == 0);
  CHECK_FALSE(none.has_dot_segment);

  const table t = make_table({{method::get, "/files/{path...}"}, {method::get, "/items/{id}"},
                              {method::put, "/items/special"}, {method::get, "/a"}});
  struct request { method method_id; const char* path; };
  const request requests[] = {{method::get, "/items/7"}, {method::post, "/items/7"}, {method::get, "/files/a/../b"},
                              {method::get, "/%zz"},     {method::get, "/items/special"}, {method::get, "/files/a%2Fb"},
                              {method::get, "/nothing"}, {method::get, "/a"}};
  for (const auto& before : requests) {
    for (const auto& next : requests) {
      match_result result = t.match(before.method_id, before.path);
      t.match(next.method_id, next.path, {}, result);
      const match_result expected = t.match(next.method_id, next.path);
      CHECK(result.outcome == expected.outcome);
      CHECK(result.values == expected.values);
      CHECK(result.allowed == expected.allowed);
      CHECK(result.sibling_id == expected.sibling_id);
      CHECK(result.reason == expected.reason);
      CHECK(result.has_dot_segment == expected.has_dot_segment);
      CHECK(expected.has_dot_segment == (std::string_view(next.path) == "/files/a/../b"));
      CHECK(expected.allowed.empty() == (next.method_id != method::post));
    }
  }
}

TEST_CASE("a wrong method reports the first route of the path") {
  const table t = make_table({{method::get, "/x"}, {method::put, "/{a}"}, {method::del, "/b"}, {method::post, "/b"}});
  CHECK(t.match(method::get, "/b").sibling_id == 1u);
  CHECK(t.match(method::post, "/x").sibling_id == 0u);
  CHECK_FALSE(t.match(method::put, "/x").sibling_id);
  table others;
  others.add(method::other, "/c", 9, source_location{}, "LOCK");
  CHECK(others.match(method::get, "/c").sibling_id == 9u);
  CHECK(t.match(method::del, "/b").allowed.empty());  // although /{a} has no route for it
}

TEST_CASE("a path that cannot be decoded is bad_path for all routes") {
  const table t = make_table({{method::get, "/{all...}"}, {method::get, "/a/{x}"}});

  for (const char* raw : {"/%", "/a/%zz", "/a/%00", "", "*", "a"}) {
    CAPTURE(raw);
    const auto result = t.match(method::get, raw);
    CHECK(result.outcome == match_outcome::bad_path);
    CHECK(result.reason.find("not well formed") != std::string_view::npos);
  }
}

TEST_CASE("an encoded slash stays within its segment, and a tail does not match it") {
  const table t =
      make_table({{method::get, "/files/{path...}"}, {method::get, "/one/{name}"}, {method::get, "/lit/x"}});

  CHECK(t.match(method::get, "/one/a%2Fb").values == values{"a/b"});
  CHECK(t.match(method::get, "/files/a%2Fb").outcome == match_outcome::bad_path);
  CHECK(t.match(method::get, "/files/a/..%2f..%2fb").outcome == match_outcome::bad_path);
  CHECK(t.match(method::get, "/lit%2Fx").outcome == match_outcome::not_found);
}

TEST_CASE("two routes with equal precedence conflict; the message has both locations and a common path") {
  CHECK(setup_error_of({{method::get, "/users/{id}"}, {method::get, "/users/{name}"}}) ==
        "GET /users/{name} (app.cpp:11) conflicts with GET /users/{id} (app.cpp:10): "
        "both match /users/name; remove one");
  CHECK(setup_error_of({{method::get, "/{a}/x"}, {method::get, "/x/{b}"}}) ==
        "GET /x/{b} (app.cpp:11) conflicts with GET /{a}/x (app.cpp:10): both match /x/x; "
        "make one pattern more specific than the other");

  struct { route_text a, b; bool conflict; } const cases[] = {
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
  // The route that conflicts need not be the first one.
  CHECK(setup_error_of({{method::post, "/a"}, {method::get, "/b"}, {method::get, "/a"}, {method::get, "/a"}}) ==
        "GET /a (app.cpp:13) conflicts with GET /a (app.cpp:12): both match /a; remove one");
  for (const auto& c : cases) {
    CAPTURE(c.a.path);
    CAPTURE(c.b.path);
    CHECK((setup_error_of({c.a, c.b}) != "accepted") == c.conflict);
    CHECK((setup_error_of({c.b, c.a}) != "accepted") == c.conflict);
  }
}

TEST_CASE("a rejected route leaves the table unchanged") {
  table t = make_table({{method::get, "/a"}});

  CHECK_THROWS_AS(t.add(method::get, "/a", 9, source_location{}), setup_error);
  CHECK_THROWS_AS(t.add(method::get, "/{", 9, source_location{}), setup_error);

  CHECK(t.entries().size() == 1);
  CHECK(t.match(method::get, "/a").route_id == 0);
}

TEST_CASE("an empty table matches no path") {
  const table t;
  CHECK_FALSE(t.has_routes());
  CHECK(t.match(method::get, "/").outcome == match_outcome::not_found);
  CHECK(make_table({{method::get, "/"}}).has_routes());
}

TEST_CASE("a table with 1000 routes and a path with 4000 segments are matched") {
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

TEST_CASE("a tail does not match a path with dot segments, in any spelling") {
  table t;
  t.add(method::get, "/files/{path...}", 0, winsvc::source_location::current());
  for (const char* path : {"/files/.", "/files/./a", "/files/..", "/files/../a", "/files/a/../b", "/files/a/.",
                           "/files/%2e%2e/a", "/files/.%2E", "/files/a%5C..%5Cb", "/files/..%5ca"}) {
    CAPTURE(path);
    const auto result = t.match(method::get, path);
    CHECK(result.outcome == match_outcome::bad_path);
    CHECK(result.reason.find("'.' and '..'") != std::string_view::npos);
  }
  for (const char* path : {"/files/...", "/files/a..b", "/files/.hidden", "/files/a/", "/files/"})
    CHECK(t.match(method::get, path).outcome == match_outcome::matched);
}

TEST_CASE("a route of another method is found by its name, and a route of any method serves it too") {
  table t;
  t.add(method::other, "/a", 0, winsvc::source_location::current(), "PROPFIND");
  t.add(method::other, "/a", 1, winsvc::source_location::current(), "REPORT");
  t.add(method::get, "/a", 2, winsvc::source_location::current());
  t.add(method::any, "/b", 3, winsvc::source_location::current());
  CHECK(t.match(method::other, "/a", "PROPFIND").route_id == 0);
  CHECK(t.match(method::other, "/a", "REPORT").route_id == 1);
  CHECK(t.match(method::other, "/b", "QUERY").route_id == 3);
  const auto missing = t.match(method::other, "/a", "QUERY");
  CHECK(missing.outcome == match_outcome::method_not_allowed);
  CHECK(missing.allowed.allow() == "GET, HEAD, OPTIONS, PROPFIND, REPORT");
  CHECK(t.all_methods().has_other("REPORT"));
  CHECK_THROWS_WITH(t.add(method::other, "/a", 4, source_location{"app.cpp", 5}, "PROPFIND"),
                    ("PROPFIND /a (app.cpp:5) conflicts with " + t.entries()[0].text() +
                     ": both match /a; remove one").c_str());
  CHECK(t.entries()[2].method_name() == "GET");
}
