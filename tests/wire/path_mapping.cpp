// Tests of the mapping of URL paths to files.
#include <winsvc/wire/path_mapping.hpp>

#include <doctest/doctest.h>

using winsvc::detail::wire::map_to_file;

TEST_CASE("names below the folder are accepted") {
  CHECK(map_to_file("") == "");
  CHECK(map_to_file("a") == "a");
  CHECK(map_to_file("a/b.c/d") == "a/b.c/d");
  CHECK(map_to_file("a/") == "a");
  CHECK(map_to_file("f\xC3\xBC" "r.txt") == "f\xC3\xBC" "r.txt");
  CHECK(map_to_file("a b(1)~.txt") == "a b(1)~.txt");
  CHECK(map_to_file("console.txt") == "console.txt");
}

TEST_CASE("paths that leave the folder or name a device, a stream or a hidden file are rejected") {
  for (const char* tail : {"..", "../x", "a/..", "a/../../x", ".", "./a", "/", "a//b", "/a", "//", "a\\b", "..\\x",
                           "C:", "C:/x", "a:b", "a.txt::$DATA", "con", "CON.txt", "a/nul", "lpt1.log", "com\xC2\xB9",
                           "a.", "a ", "a/b. /c", ".git", "a/.env", "a?", "a*", "a\"", "<a>", "a|b", "a\x01", "a\x7F",
                           ".. /x", ".../x"}) {
    CAPTURE(tail);
    CHECK_FALSE(map_to_file(tail));
  }
}

TEST_CASE("hidden names are accepted if they are enabled, but '..' and '.' are not") {
  CHECK(map_to_file(".well-known/x", {true}) == ".well-known/x");
  CHECK_FALSE(map_to_file("..", {true}));
  CHECK_FALSE(map_to_file(".", {true}));
}
