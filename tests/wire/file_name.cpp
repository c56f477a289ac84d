// The names that clients give to files.
#include "winsvc/wire/file_name.hpp"

#include <doctest/doctest.h>

#include <string>

using winsvc::wire::safe_file_name;

TEST_CASE("a client's file name loses its folders, on either system's terms") {
  CHECK(safe_file_name("photo.jpg") == "photo.jpg");
  CHECK(safe_file_name("C:\\Users\\anna\\photo.jpg") == "photo.jpg");
  CHECK(safe_file_name("../../etc/passwd") == "passwd");
  CHECK(safe_file_name("a/..\\b/c.txt") == "c.txt");
  CHECK(safe_file_name("photo of gr\xC3\xBC\xC3\x9F" "e.jpg") == "photo of gr\xC3\xBC\xC3\x9F" "e.jpg");
}

TEST_CASE("where nothing of a file name is left, it is file") {
  for (const char* none : {"", ".", "..", "...", " . ", "folder/", "..\\..\\"}) CHECK(safe_file_name(none) == "file");
}

TEST_CASE("a file name does not hide, does not end as Windows would cut it, and names no stream") {
  CHECK(safe_file_name(".htaccess") == "htaccess");
  CHECK(safe_file_name("a.txt. . ") == "a.txt");
  CHECK(safe_file_name("a.txt:secret") == "a.txt_secret");
  CHECK(safe_file_name("a<b>\"c|d?e*\r\n\x7F") == "a_b__c_d_e____");
  CHECK(safe_file_name(std::string("a\0b", 3)) == "a_b");
}

TEST_CASE("a device's name is no file name, whatever follows its dot") {
  CHECK(safe_file_name("con") == "_con");
  CHECK(safe_file_name("NUL.tar.gz") == "_NUL.tar.gz");
  CHECK(safe_file_name("com1 .txt") == "_com1 .txt");
  CHECK(safe_file_name("LPT\xC2\xB2") == "_LPT\xC2\xB2");
  CHECK(safe_file_name("CONOUT$") == "_CONOUT$");
  CHECK(safe_file_name("comb.txt") == "comb.txt");
  CHECK(safe_file_name("com10") == "com10");
}

TEST_CASE("a long file name is cut before its ending, between two characters") {
  std::string long_name;
  for (int i = 0; i < 300; ++i) long_name += "\xC3\xA4";
  const std::string name = safe_file_name(long_name + ".jpeg");
  CHECK(name.size() <= 200);
  CHECK(name.substr(name.size() - 7) == "\xC3\xA4.jpeg");
}

TEST_CASE("bytes of a file name that are not UTF-8 are replaced") {
  CHECK(safe_file_name("a\xFF.txt") == "a\xEF\xBF\xBD.txt");
}
