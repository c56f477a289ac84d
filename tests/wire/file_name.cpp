// Tests of safe file names.
#include "winsvc/wire/file_name.hpp"

#include <doctest/doctest.h>

#include <string>

using winsvc::detail::wire::safe_file_name;

TEST_CASE("the folders of Windows and Unix paths are removed") {
  CHECK(safe_file_name("photo.jpg") == "photo.jpg");
  CHECK(safe_file_name("C:\\Users\\anna\\photo.jpg") == "photo.jpg");
  CHECK(safe_file_name("../../etc/passwd") == "passwd");
  CHECK(safe_file_name("a/..\\b/c.txt") == "c.txt");
  CHECK(safe_file_name("photo of gr\xC3\xBC\xC3\x9F" "e.jpg") == "photo of gr\xC3\xBC\xC3\x9F" "e.jpg");
}

TEST_CASE("a name without usable characters becomes 'file'") {
  for (const char* name : {"", ".", "..", "...", " . ", "folder/", "..\\..\\"}) CHECK(safe_file_name(name) == "file");
}

TEST_CASE("leading dots, trailing dots and blanks, and reserved characters are removed or replaced") {
  CHECK(safe_file_name(".htaccess") == "htaccess");
  CHECK(safe_file_name("a.txt. . ") == "a.txt");
  CHECK(safe_file_name("a.txt:secret") == "a.txt_secret");
  CHECK(safe_file_name("a<b>\"c|d?e*\r\n\x7F") == "a_b__c_d_e____");
  CHECK(safe_file_name(std::string("a\0b", 3)) == "a_b");
}

TEST_CASE("a device name gets a prefix, also with an extension") {
  CHECK(safe_file_name("con") == "_con");
  CHECK(safe_file_name("NUL.tar.gz") == "_NUL.tar.gz");
  CHECK(safe_file_name("com1 .txt") == "_com1 .txt");
  CHECK(safe_file_name("LPT\xC2\xB2") == "_LPT\xC2\xB2");
  CHECK(safe_file_name("CONOUT$") == "_CONOUT$");
  CHECK(safe_file_name("comb.txt") == "comb.txt");
  CHECK(safe_file_name("com10") == "com10");
}

TEST_CASE("a long name is truncated before its extension, at a character boundary") {
  std::string long_name;
  for (int i = 0; i < 300; ++i) long_name += "\xC3\xA4";
  const std::string name = safe_file_name(long_name + ".jpeg");
  CHECK(name.size() <= 200);
  CHECK(name.substr(name.size() - 7) == "\xC3\xA4.jpeg");
}

TEST_CASE("invalid UTF-8 is replaced") {
  CHECK(safe_file_name("a\xFF.txt") == "a\xEF\xBF\xBD.txt");
}
