// Tests of pattern: the grammar, and the relation of two patterns.
#include "winsvc/route/pattern.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::route;
using names = std::vector<std::string>;

namespace {

std::string parse_error_of(std::string_view text) {
  try {
    static_cast<void>(parse_pattern(text));
  } catch (const winsvc::setup_error& e) {
    return e.what();
  }
  return "accepted";
}

relation mirrored(relation r) {
  if (r == relation::more_specific) return relation::more_general;
  if (r == relation::more_general) return relation::more_specific;
  return r;
}

}  // namespace

TEST_CASE("a pattern consists of literals, parameters and a tail") {
  struct { const char* text; const char* kinds; names named; } const cases[] = {
      {"/", "l", {}},
      {"/users", "l", {}},
      {"/users/", "ll", {}},
      {"/users/{id}", "lp", {"id"}},
      {"/users/{id}/", "lpl", {"id"}},
      {"/users/{id}/posts/{post_2}", "lplp", {"id", "post_2"}},
      {"/files/{path...}", "lt", {"path"}},
      {"/{_}/{rest...}", "pt", {"_", "rest"}},
      {"/{all...}", "t", {"all"}},
      {"/z\xC3\xBCrich und umgebung", "l", {}},
      {"/100%", "l", {}},
      {"/a.b-c~d", "l", {}},
      {"/\xEF\xBF\xBD", "l", {}},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto p = parse_pattern(c.text);
    std::string kinds;
    for (const auto& s : p.segments) kinds += "lpt"[static_cast<int>(s.kind)];
    CHECK(kinds == c.kinds);
    CHECK(p.names == c.named);
    CHECK(p.text == c.text);
  }
}

TEST_CASE("a malformed pattern is rejected with the offset and the reason") {
  struct { std::string_view text; const char* expected; } const cases[] = {
      {"", "must begin with '/' (at offset 0)"},
      {"users", "must begin with '/' (at offset 0)"},
      {"/users/{}", "without a name (at offset 7)"},
      {"/users/{...}", "without a name (at offset 7)"},
      {"/users/{id", "'{' without '}' (at offset 7)"},
      {"/users/a{id", "'{' without '}' (at offset 8)"},
      {"/users/id}", "'}' without '{' (at offset 9)"},
      {"/users/u{id}", "a whole segment"},
      {"/users/{id}.json", "a whole segment"},
      {"/{a}{b}", "a whole segment"},
      {"/}{", "a whole segment"},
      {"/{{a}}", "a whole segment"},
      {"/{a/b}", "'{' without '}' (at offset 1)"},
      {"/{1st}", "letters, digits and '_' (at offset 2)"},
      {"/{a-b}", "letters, digits and '_'"},
      {"/{a b}", "letters, digits and '_'"},
      {"/{a..}", "letters, digits and '_'"},
      {"/{a....}", "letters, digits and '_'"},
      {"/{id}/x/{id}", "duplicate parameter name 'id' (at offset 9)"},
      {"/{id}/{id...}", "duplicate parameter name 'id' (at offset 7)"},
      {"/{path...}/x", "must be the last segment (at offset 1)"},
      {"/{path...}/", "must be the last segment (at offset 1)"},
      {"//", "empty segment; only the last segment may be empty (at offset 1)"},
      {"/a//b", "empty segment; only the last segment may be empty (at offset 3)"},
      {"/a?b", "without '?' and '#' (at offset 2)"},
      {"/a#b", "without '?' and '#' (at offset 2)"},
      {"/a\tb", "control character (at offset 2)"},
      {"/a\x7F", "control character (at offset 2)"},
      {std::string_view("/a\0", 3), "control character (at offset 2)"},
      {"/z%C3%BCrich", "percent-encoded character; write the character itself (at offset 2)"},
      {"/a%00", "percent-encoded character; write the character itself (at offset 2)"},
      {"/z\xFCrich", "not UTF-8"},
      {"/{a b}", "pattern '/{a b}': "},
      {"/a\tb", "pattern '/a?b': control character"},
      {"/a\x1F", "pattern '/a?': control character"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    const auto message = parse_error_of(c.text);
    CHECK_MESSAGE(message.find(c.expected) != std::string::npos, message);
  }
}

TEST_CASE("the relation of two patterns is that of their sets of paths; common_path returns a common path") {
  using r = relation;
  struct { const char* a; const char* b; relation expected; const char* common; } const cases[] = {
      {"/", "/", r::same, "/"},
      {"/a", "/a", r::same, "/a"},
      {"/a", "/b", r::disjoint, ""},
      {"/a", "/a/", r::disjoint, ""},
      {"/a", "/A", r::disjoint, ""},
      {"/a", "/a/b", r::disjoint, ""},
      {"/{a}", "/{b}", r::same, "/a"},
      {"/a", "/{b}", r::more_specific, "/a"},
      {"/", "/{b}", r::disjoint, ""},
      {"/{a}/", "/{a}/{b}", r::disjoint, ""},
      {"/{a}/x", "/x/{b}", r::overlap, "/x/x"},
      {"/{a}/x/{c}", "/x/{b}/y", r::overlap, "/x/x/y"},
      {"/{a}/x", "/y/z", r::disjoint, ""},
      {"/{a}/{b}", "/x/{b}", r::more_general, "/x/b"},
      {"/{a...}", "/{b...}", r::same, "/a"},
      {"/", "/{b...}", r::more_specific, "/"},
      {"/a", "/{b...}", r::more_specific, "/a"},
      {"/{a}", "/{b...}", r::more_specific, "/a"},
      {"/files", "/files/{p...}", r::disjoint, ""},
      {"/files/", "/files/{p...}", r::more_specific, "/files/"},
      {"/files/{a}/{b}", "/files/{p...}", r::more_specific, "/files/a/b"},
      {"/{a}/{b}", "/files/{p...}", r::overlap, "/files/b"},
      {"/{a}/{b...}", "/files/{p...}", r::more_general, "/files/b"},
      {"/{a}/x/{p...}", "/y/{q...}", r::overlap, "/y/x/p"},
      {"/z\xC3\xBC rich", "/{x}", r::more_specific, "/z%C3%BC%20rich"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.a);
    CAPTURE(c.b);
    const auto a = parse_pattern(c.a), b = parse_pattern(c.b);
    CHECK(compare(a, b) == c.expected);
    CHECK(compare(b, a) == mirrored(c.expected));
    CHECK(common_path(a, b) == c.common);
    CHECK(common_path(b, a).empty() == (c.expected == relation::disjoint));
  }
}

TEST_CASE("a prefix matches the first segments of a path, whatever follows them") {
  const auto api = parse_pattern("/api"), tenant = parse_pattern("/api/{tenant}"),
             inner = parse_pattern("/api/a/inner");
  for (const char* path :
       {"/api", "/api/", "/api/x", "/api/a%2Fb", "/api/../x", "/api/%zz", "/api/a/b/c", "/%61pi/x"}) {
    CAPTURE(path);
    CHECK(has_prefix(path, api));
  }
  for (const char* path : {"/", "", "*", "/apix", "/apix/a", "/x/api", "/%zz/x", "api", "xapi", "//api"}) {
    CAPTURE(path);
    CHECK_FALSE(has_prefix(path, api));
  }
  CHECK(has_prefix("/api/a%2Fb/../x", tenant));
  CHECK(has_prefix("/api/%zz", tenant));
  CHECK_FALSE(has_prefix("/api/", tenant));  // a parameter is never empty
  CHECK_FALSE(has_prefix("/api", tenant));
  CHECK_FALSE(has_prefix("//x", parse_pattern("/{tenant}")));
  CHECK_FALSE(has_prefix("/files/path", parse_pattern("/files/{path...}")));
  CHECK(has_prefix("/api/a/inner/%", inner));

  CHECK(prefix_precedes(tenant, api));
  CHECK(prefix_precedes(inner, tenant));
  CHECK_FALSE(prefix_precedes(tenant, inner));
  CHECK_FALSE(prefix_precedes(tenant, tenant));
  CHECK(prefix_precedes(parse_pattern("/a"), parse_pattern("/{t}/x")));
  CHECK_FALSE(prefix_precedes(parse_pattern("/a"), parse_pattern("/a/b")));
  CHECK(prefix_precedes(parse_pattern("/a/b"), parse_pattern("/a")));
}
