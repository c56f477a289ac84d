// Tests of build_path, route names and with_query.
#include "winsvc/route/url.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc;
using detail::route::method;
using detail::route::value_kind;

namespace {

/// A table with one route of this pattern.
detail::route::table table_with(const std::string& pattern) {
  detail::route::table t;
  t.add(method::get, pattern, 0, {"app.cpp", 7});
  t.name_routes(0, 1, "it");
  return t;
}

std::string path_of(const std::string& pattern, const std::vector<url_value>& values) {
  return build_path(table_with(pattern), "it", values);
}

std::string path_or_error(const detail::route::table& t, const std::string& name,
                          const std::vector<url_value>& values) {
  try {
    return build_path(t, name, values);
  } catch (const setup_error& e) {
    return e.what();
  }
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a path is built from a pattern and its values, with each segment percent-encoded") {
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
  for (const auto& r : rows) CHECK(path_of(r.pattern, r.values) == r.path);
}

TEST_CASE("the route of a built path matches it with the same values") {
  for (const char* value : {"7", "a/b", "a%2Fb", "\xE2\x82\xAC", "a b", "?#&=+;", "...", "%", "\x01\x7F"}) {
    const auto t = table_with("/x/{v}/y");
    const auto m = t.match(method::get, build_path(t, "it", {value}));
    REQUIRE(m.outcome == detail::route::match_outcome::matched);
    CHECK(m.values.at(0) == value);
  }
  const auto files = table_with("/f/{v...}");
  for (const char* value : {"", "a", "a/b", "a//b", "a/", "\xE2\x82\xAC/%2F"}) {
    const auto m = files.match(method::get, build_path(files, "it", {value}));
    REQUIRE(m.outcome == detail::route::match_outcome::matched);
    CHECK(m.values.at(0) == value);
  }
}

TEST_CASE("a value that a path cannot contain is rejected with the route, its location and the reason") {
  auto numbers = table_with("/users/{id}");
  numbers.metadata(0).parameters = {value_kind::int32};
  struct {
    std::string message;
    const char* part;
  } rows[] = {
      {path_or_error(table_with("/users/{id}"), "it", {}), "the pattern has 1 parameter, 0 values were given"},
      {path_or_error(table_with("/users"), "it", {7}), "the pattern has 0 parameters, 1 value was given"},
      {path_or_error(table_with("/users/{id}"), "it", {""}), "'id' is empty"},
      {path_or_error(table_with("/users/{id}"), "it", {".."}), "which clients remove from a path"},
      {path_or_error(table_with("/users/{id}"), "it", {"."}), "which clients remove from a path"},
      {path_or_error(table_with("/{a}/{b}"), "it", {"1"}), "the pattern has 2 parameters, 1 value was given"},
      {path_or_error(table_with("/{p...}"), "it", {"/"}), "names a host"},
      {path_or_error(table_with("/f/{p...}"), "it", {"a/../b"}), "which clients remove from a path"},
      {path_or_error(table_with("/users/{id}"), "it", {std::string("a\0b", 3)}), "a NUL"},
      {path_or_error(table_with("/{p...}"), "it", {"/evil.example"}), "names a host"},
      {path_or_error(numbers, "it", {"bob"}), "'id' is not a whole number, or is too large: 'bob'"},
      {path_or_error(numbers, "it", {5000000000LL}), "'id' is not a whole number, or is too large"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.message);
    CHECK(has(r.message, r.part));
    CHECK(has(r.message, "(app.cpp:7)"));
  }
  CHECK(path_or_error(numbers, "it", {"-3"}) == "/users/-3");
  CHECK(has(path_or_error(numbers, "it", {std::string(100, 'x')}), ": '" + std::string(80, 'x') + "'"));
}

TEST_CASE("an unknown name is reported with the most similar known name") {
  detail::route::table t;
  CHECK(has(path_or_error(t, "user", {}), "no route has a name yet"));
  t.add(method::get, "/users", 0, {"app.cpp", 1});
  t.name_routes(0, 1, "users");
  CHECK(path_or_error(t, "usres", {}) == "url_for 'usres': no route has this name; did you mean 'users'?");
  CHECK(path_or_error(t, "cat", {}) == "url_for 'cat': no route has this name");
}

TEST_CASE("the name of a route is unique, and a route has one name") {
  detail::route::table t;
  t.add(method::get, "/users/{id}", 0, {"app.cpp", 1});
  t.add(method::get, "/people/{id}", 1, {"app.cpp", 2});
  t.name_routes(0, 1, "user");
  const auto error_of = [&t](std::size_t index, const char* name) {
    try {
      t.name_routes(index, index + 1, name);
    } catch (const setup_error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };

  CHECK(error_of(1, "user") == "GET /people/{id} (app.cpp:2) and GET /users/{id} (app.cpp:1) are both named 'user'; "
                               "a name must be unique, because url_for finds a route by its name");
  CHECK(has(error_of(0, "other"), "the route already has the name 'user'; remove it or the name 'other'"));
  CHECK(has(error_of(1, ""), "the name is empty"));

  t.add(method::get, "/a", 2, {"app.cpp", 3});
  t.add(method::post, "/a", 3, {"app.cpp", 4});
  t.name_routes(2, 4, "a");  // routes of one resource
  CHECK(t.entries()[2].metadata.name == "a");
  CHECK(t.entries()[3].metadata.name == "a");
  CHECK(t.entries()[1].metadata.name.empty());
  CHECK(t.find_by_name("a") == &t.entries()[2]);
  CHECK(t.find_by_name("b") == nullptr);
  CHECK(t.names() == std::vector<std::string_view>{"a", "user"});
}

TEST_CASE("with_query adds percent-encoded values after the question mark and before the fragment") {
  CHECK(with_query("/users", {{"page", 2}}) == "/users?page=2");
  CHECK(with_query("/users?a=1", {{"q", "a b&c=d+e"}, {"all", true}}) == "/users?a=1&q=a%20b%26c%3Dd%2Be&all=true");
  CHECK(with_query("/users?", {{"\xC3\xBC", ""}}) == "/users?%C3%BC=");
  CHECK(with_query("/users#top", {{"page", 2}}) == "/users?page=2#top");
  CHECK(with_query("/users", {}) == "/users");
  CHECK(with_query("/users?a=1&", {{"!$&'()*+,;=:@-._~/?", 0}}) ==
        "/users?a=1&%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40-._~%2F%3F=0");
}
