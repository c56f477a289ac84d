// What a client may name below a folder.
#include <winsvc/wire/file_path.hpp>

#include <doctest/doctest.h>

using winsvc::wire::file_path;

TEST_CASE("names below the folder are paths") {
  CHECK(file_path("") == "");
  CHECK(file_path("a") == "a");
  CHECK(file_path("a/b.c/d") == "a/b.c/d");
  CHECK(file_path("a/") == "a");
  CHECK(file_path("f\xC3\xBC" "r.txt") == "f\xC3\xBC" "r.txt");
  CHECK(file_path("a b(1)~.txt") == "a b(1)~.txt");
  CHECK(file_path("console.txt") == "console.txt");
}

TEST_CASE("nothing leads out of it, to a device, to another stream, or to what is hidden") {
  for (const char* tail : {"..", "../x", "a/..", "a/../../x", ".", "./a", "/", "a//b", "/a", "//", "a\\b", "..\\x", "C:", "C:/x",
                           "a:b", "a.txt::$DATA", "con", "CON.txt", "a/nul", "lpt1.log", "com\xC2\xB9", "a.", "a ", "a/b. /c",
                           ".git", "a/.env", "a?", "a*", "a\"", "<a>", "a|b", "a\x01", "a\x7F", ".. /x", ".../x"}) {
    CAPTURE(tail);
    CHECK_FALSE(file_path(tail));
  }
}

TEST_CASE("hidden names are there for who asks for them, and what leads out is not") {
  CHECK(file_path(".well-known/x", {true}) == ".well-known/x");
  CHECK_FALSE(file_path("..", {true}));
  CHECK_FALSE(file_path(".", {true}));
}
