// Tests of patterns in the spelling of another framework.
#include <winsvc/route/pattern.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::detail::route::foreign_spelling;
using winsvc::detail::route::is_identifier;
using winsvc::detail::route::parse_pattern;

TEST_CASE("a pattern in the spelling of another framework is rejected with the right spelling") {
  struct { const char* pattern; const char* right; } const cases[] = {
      {"/*", "write '/{path...}'"},
      {"*", "write '/{path...}'"},
      {"/**", "write '/{path...}'"},
      {"/files/*", "write '/files/{path...}'"},
      {"/files/*filepath", "write '/files/{filepath...}'"},
      {"/a/*/b", "write '/a/{value}/b'"},
      {"/users/:id", "write '/users/{id}'"},
      {"/:x", "write '/{x}'"},
      {"/users/:id/posts/:post", "write '/users/{id}/posts/{post}'"},
      {"/users/:id?", "write '/users/{id}', and register '/users' as a second route"},
      {"/users/:id(\\d+)", "write '/users/{id}'"},
      {"/files/:path*", "write '/files/{path...}'"},
      {"/users/<id>", "write '/users/{id}'"},
      {"/users/<int:id>", "write '/users/{id}'"},
      {"/files/<path:name>", "write '/files/{name...}'"},
      {"/users/{id:int}", "write '/users/{id}'"},
      {"/users/{id:[0-9]+}", "write '/users/{id}'"},
      {"/users/{id:[^/]+}/x", "write '/users/{id}/x'"},
      {"/files/{name:path}", "write '/files/{name...}'"},
      {"/files/{name:.*}", "write '/files/{name...}'"},
      {"/files/{*path}", "write '/files/{path...}'"},
      {"/files/{**path}", "write '/files/{path...}'"},
      {"/files/{path*}", "write '/files/{path...}'"},
      {"/files/{path+}", "write '/files/{path...}'"},
      {"/users/{id?}", "write '/users/{id}', and register '/users' as a second route"},
      {"/{id?}", "write '/{id}', and register '/' as a second route"},
      {"/users/{id=5}", "write '/users/{id}', and register '/users' as a second route"},
      {"/posts/[slug]", "write '/posts/{slug}'"},
      {"/posts/[int]", "write '/posts/{int}'"},
      {"/docs/[...path]", "write '/docs/{path...}'"},
      {"/(.*)", "write '/{path...}'"},
      {"/numbers/(\\d+)", "write '/numbers/{value}'"},
      {"/add/<int>/<int>", "write '/add/{value}/{value2}'"},
      {"/a/*/b/*/c", "write '/a/{value}/b/{value2}/c'"},
      {"/{value}/*/c", "write '/{value}/{value2}/c'"},
      {"/a/:id/b/:id", "write '/a/{id}/b/{id2}'"},
      {"/{1}/{2}", "write '/{value}/{value2}'"},
      {"/{1}/{}", "write '/{value}/{value2}'"},
      {"/items/{1:id}", "write '/items/{id}'"},
      {"/users/{id:int?}", "write '/users/{id}', and register '/users' as a second route"},
      {"/a/:x?/:y?", "write '/a/{x}/{y}', and register '/a' as a second route"},
      {"/files/{name:.+}", "write '/files/{name...}'"},
      {"/files/:path(.*)", "write '/files/{path...}'"},
      {"/(.+)", "write '/{path...}'"},
      {"/files/*int", "write '/files/{int...}'"},
      {"/a/:int", "write '/a/{int}'"},
      {"/a/<string>", "write '/a/{value}'"},
      {"/a/<string:int>", "write '/a/{int}'"},
      {"/{id:a/b}/x", "write '/{id}/x'"},
      {"/(\\w/\\d)/x", "write '/{value}/x'"},
      {"/[a/b]/x", "write '/{a}/x'"},
      {"/a)/*", "write '/a)/{path...}'"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.pattern);
    const std::string message = foreign_spelling(c.pattern);
    CHECK_MESSAGE(message.find(c.right) != std::string::npos, message);
    const bool is_optional = std::string(c.right).find("second route") != std::string::npos;
    CHECK_MESSAGE((message.find("second route") != std::string::npos) == is_optional, message);
    CHECK_MESSAGE(message.find("a parameter is a whole segment") == std::string::npos, message);
    CHECK_THROWS_AS(static_cast<void>(parse_pattern(c.pattern)), winsvc::setup_error);
  }
}

TEST_CASE("a parameter in a part of a segment, as another framework has it, is rejected with a whole segment") {
  struct { const char* pattern; const char* right; } const cases[] = {
      {"/<name>.png", "write '/{name}'"},       {"/user-<int:id>", "write '/{id}'"},
      {"/<a>-<b>", "write '/{a}'"},             {"/@:username", "write '/{username}'"},
      {"/v:version/x", "write '/{version}/x'"}, {"/user-:id", "write '/{id}'"},
      {"/:from-:to", "write '/{from}'"},        {"/:name.png", "write '/{name}'"},
      {"/~:user", "write '/{user}'"},           {"/a.<path:rest>", "write '/{rest}'"},
      {"/items:a-:id", "write '/{id}'"},        {"/V:version", "write '/{version}'"},
      {"/<id?>.png", "write '/{id}', and register '/' as a second route"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.pattern);
    const std::string message = foreign_spelling(c.pattern);
    CHECK_MESSAGE(message.find(c.right) != std::string::npos, message);
    CHECK_MESSAGE(message.find("a parameter is a whole segment") != std::string::npos, message);
    const bool is_optional = std::string(c.pattern).find('?') != std::string::npos;
    CHECK_MESSAGE((message.find("second route") != std::string::npos) == is_optional, message);
    CHECK_THROWS_AS(static_cast<void>(parse_pattern(c.pattern)), winsvc::setup_error);
  }
}

TEST_CASE("text that only resembles another spelling is accepted") {
  for (const char* pattern : {"/", "/users/{id}", "/files/{path...}", "/items:batch", "/a*b", "/Products(1)", "/a.b",
                              "/:", "/1:2", "/a@b", "/[1]", "/<", "/a-(b)", "/12:30", "/std::vector", "/urn:isbn:x",
                              "/a<b", "/<>", "/men\xC3\xBC:liste", "/(x):name", "/v:batch", "/V:next",
                              "/:1", "/@:1", "/1:name", "/\xC4\x80:x", "/[ab", "/<ab", "/<<a>", "/[1]/ab]",
                              "/[1]/ab>"}) {
    CAPTURE(pattern);
    CHECK(foreign_spelling(pattern) == "");
    CHECK_NOTHROW(static_cast<void>(parse_pattern(pattern)));
  }
}

TEST_CASE("the message names the first segment in another spelling, and explains the types") {
  CHECK(foreign_spelling("/users/:id/<x>") ==
        "':id' is the spelling of another framework; write '/users/{id}/{x}' (the type of a parameter is that of the "
        "handler's argument)");
  CHECK(foreign_spelling("/:a?-b") ==
        "':a?-b' is the spelling of another framework; write '/{a}' (the type of a parameter is that of the handler's "
        "argument)");
  CHECK(foreign_spelling("/{a:b...}") == "");  // the parser of patterns reports it
  CHECK(foreign_spelling("/{?...}") == "");
}

TEST_CASE("an identifier has letters, digits and '_', and no digit first") {
  for (const char* name : {"a", "z", "A", "Z", "_", "a0", "a9", "aZ_z"}) CHECK(is_identifier(name));
  for (const char* other : {"", "0", "9a", "@", "[", "`", "{", "a-", "a/", "a:", "a b", "\xC3\xBC"})
    CHECK_FALSE(is_identifier(other));
}

TEST_CASE("a pattern with a dot segment is rejected, because clients remove such segments") {
  for (const char* pattern : {"/.", "/..", "/a/../b", "/./a"})
    CHECK_THROWS_AS(static_cast<void>(parse_pattern(pattern)), winsvc::setup_error);
}
