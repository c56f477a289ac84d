// From a pattern and values back to a path.
#include "winsvc/route/url.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc;
using route::method;
using route::value_kind;

namespace {

/// A table with one route of this pattern.
route::table one(const std::string& pattern) {
  route::table t;
  t.add(method::get, pattern, 0, {"app.cpp", 7});
  t.name_routes(0, 1, "it");
  return t;
}

std::string built(const std::string& pattern, const std::vector<url_value>& values) {
  return build_path(one(pattern), "it", values);
}

std::string complaint(const route::table& t, const std::string& name, const std::vector<url_value>& values) {
  try {
    return "built " + build_path(t, name, values);
  } catch (const setup_error& e) {
    return e.what();
  }
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a path is built from a pattern and its values, percent-encoded segment by segment") {
  struct {
    const char* pattern;
    std::vector<url_value> values;
    const char* path;
  } rows[] = {
      {"/", {}, "/"},
      {"/users/", {}, "/users/"},
      {"/users/{id}", {7}, "/users/7"},
      {"/users/{id}", {-7LL}, "/users/-7"},
      {"/{a}/x/{b}", {"1", 2.5}, "/1/x/2.5"},
      {"/users/{name}", {"J\xC3\xB6rg & Co"}, "/users/J%C3%B6rg%20&%20Co"},
      {"/users/{name}", {"a/b?c#d%2F"}, "/users/a%2Fb%3Fc%23d%252F"},
      {"/files/{path...}", {"a b/c"}, "/files/a%20b/c"},
      {"/files/{path...}", {""}, "/files/"},
      {"/gr\xC3\xBC\xC3\x9F" "e/{x}", {true}, "/gr%C3%BC%C3%9F" "e/true"},
  };
  for (const auto& r : rows) CHECK(built(r.pattern, r.values) == r.path);
}

TEST_CASE("what was built is matched by its own route, with the same values") {
  for (const char* value : {"7", "a/b", "a%2Fb", "\xE2\x82\xAC", "a b", "?#&=+;", "...", "%", "\x01\x7F"}) {
    const auto t = one("/x/{v}/y");
    const auto m = t.match(method::get, build_path(t, "it", {value}));
    REQUIRE(m.outcome == route::match_outcome::matched);
    CHECK(m.values.at(0) == value);
  }
  const auto files = one("/f/{v...}");
  for (const char* value : {"", "a", "a/b", "a//b", "a/", "\xE2\x82\xAC/%2F"}) {
    const auto m = files.match(method::get, build_path(files, "it", {value}));
    REQUIRE(m.outcome == route::match_outcome::matched);
    CHECK(m.values.at(0) == value);
  }
}

TEST_CASE("a value that no path could carry is refused with the route, its place and the reason") {
  auto numbers = one("/users/{id}");
  numbers.metadata(0).parameters = {value_kind::int32};
  struct {
    std::string said;
    const char* part;
  } rows[] = {
      {complaint(one("/users/{id}"), "it", {}), "the pattern has 1 parameter, 0 values were given"},
      {complaint(one("/users"), "it", {7}), "the pattern has 0 parameters, 1 value was given"},
      {complaint(one("/users/{id}"), "it", {""}), "'id' is empty"},
      {complaint(one("/users/{id}"), "it", {".."}), "would be resolved by the client"},
      {complaint(one("/f/{p...}"), "it", {"a/../b"}), "would be resolved by the client"},
      {complaint(one("/users/{id}"), "it", {std::string("a\0b", 3)}), "a NUL"},
      {complaint(one("/{p...}"), "it", {"/evil.example"}), "names a host"},
      {complaint(numbers, "it", {"bob"}), "'id' is not a whole number, or is too large: 'bob'"},
      {complaint(numbers, "it", {5000000000LL}), "'id' is not a whole number, or is too large"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.said);
    CHECK(has(r.said, r.part));
    CHECK(has(r.said, "(app.cpp:7)"));
  }
  CHECK(complaint(numbers, "it", {"-3"}) == "built /users/-3");
}

TEST_CASE("an unknown name is told with the nearest that is one") {
  route::table t;
  CHECK(has(complaint(t, "user", {}), "none has one yet"));
  t.add(method::get, "/users", 0, {"app.cpp", 1});
  t.name_routes(0, 1, "users");
  CHECK(complaint(t, "usres", {}) == "url_for 'usres': no route has this name; did you mean 'users'?");
  CHECK(complaint(t, "cat", {}) == "url_for 'cat': no route has this name");
}

TEST_CASE("a name is one route's, and a route has one") {
  route::table t;
  t.add(method::get, "/users/{id}", 0, {"app.cpp", 1});
  t.add(method::get, "/people/{id}", 1, {"app.cpp", 2});
  t.name_routes(0, 1, "user");
  const auto reply = [&t](std::size_t index, const char* name) {
    try {
      t.name_routes(index, index + 1, name);
    } catch (const setup_error& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };

  CHECK(reply(1, "user") == "GET /people/{id} (app.cpp:2) and GET /users/{id} (app.cpp:1) are both named 'user'; a name "
                           "is one route's, so that url_for knows which");
  CHECK(has(reply(0, "other"), "it is named 'user' already, and now 'other'"));
  CHECK(has(reply(1, ""), "its name is empty"));
}

TEST_CASE("values go behind the question mark, encoded so that they mean themselves, and before the fragment") {
  CHECK(with_query("/users", {{"page", 2}}) == "/users?page=2");
  CHECK(with_query("/users?a=1", {{"q", "a b&c=d+e"}, {"all", true}}) == "/users?a=1&q=a%20b%26c%3Dd%2Be&all=true");
  CHECK(with_query("/users?", {{"\xC3\xBC", ""}}) == "/users?%C3%BC=");
  CHECK(with_query("/users#top", {{"page", 2}}) == "/users?page=2#top");
  CHECK(with_query("/users", {}) == "/users");
}
