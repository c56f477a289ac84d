// Tests of the decoder for forms with files, in one piece and in small pieces.
#include "winsvc/wire/multipart.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

using namespace winsvc::detail::wire;
using step = multipart_decoder::step;

namespace {

/// Decodes the body in pieces of `piece_size` bytes. Returns "name=content;" for each part, "name(file name)=content;"
/// for a file, "!" at the end if the form is malformed, and "..." if it is incomplete.
std::string decode(std::string_view body, std::size_t piece_size) {
  multipart_decoder decoder("B");
  std::string out;
  bool first = true;
  for (;;) {
    switch (decoder.next()) {
      case step::part:
        if (!first) out += ';';
        first = false;
        out += decoder.part().name + (decoder.part().is_file ? "(" + decoder.part().file_name + ")" : "") + '=';
        break;
      case step::data: out += decoder.data(); break;
      case step::done: return out + ';';
      case step::bad: return out + '!';
      case step::more:
        if (body.empty()) return out + "...";
        decoder.feed(body.substr(0, piece_size));
        body.remove_prefix((std::min)(piece_size, body.size()));
    }
  }
}

void check(std::string_view body, const std::string& expected) {
  CAPTURE(body);
  for (std::size_t piece_size : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, body.size() + 1}) {
    CAPTURE(piece_size);
    CHECK(decode(body, piece_size) == expected);
  }
}

std::string form_field(const std::string& name, const std::string& value) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

std::string file_name_of(const std::string& parameters) {
  const auto head = parse_part_head("Content-Disposition: form-data; name=f; " + parameters);
  return head ? head->file_name : "malformed";
}

}  // namespace

TEST_CASE("the result does not depend on how the body is split") {
  check(form_field("a", "1") + form_field("b", "two\r\nlines") + "--B--\r\n", "a=1;b=two\r\nlines;");
  check(form_field("empty", "") + "--B--", "empty=;");
  check("--B--\r\n", ";");
  check("before\r\n" + form_field("a", "1") + "--B--\r\nafter\r\n--B\r\n", "a=1;");
}

TEST_CASE("text similar to a delimiter belongs to the content") {
  check(form_field("a", "--B\r\n-\r\n--A\r\n\r\n--") + "--B--\r\n", "a=--B\r\n-\r\n--A\r\n\r\n--;");
  check(form_field("a", "\r\n\r") + "--B--\r\n", "a=\r\n\r;");
}

TEST_CASE("a form without its last delimiter is incomplete") {
  check(form_field("a", "1"), "a=...");  // more content may follow "1" CR LF
  check("--B\r\nContent-Disposition: form-data; name=a\r\n", "...");
  check("no parts at all", "...");
  check("", "...");
}

TEST_CASE("a malformed form is rejected") {
  check("--B\r\n\r\nno head\r\n--B--", "!");
  check("--B\r\nContent-Type: text/plain\r\n\r\nno name\r\n--B--", "!");
  check("--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--", "!");
  check("--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--B--", "!");
  check("--B\r\nno colon\r\n\r\nx\r\n--B--", "!");
  check("--BX\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--", "!");
  check(form_field("a", "1") + "--B-\r\n", "a=1!");
}

TEST_CASE("an endless head and endless padding are rejected at their limits") {
  multipart_decoder heads("B");
  heads.feed("--B\r\n");
  std::size_t fed = 0;
  while (heads.next() == step::more && fed < 100000) heads.feed("X: y\r\n"), fed += 6;
  CHECK(fed < multipart_decoder::max_head_bytes + 100);
  multipart_decoder limit("B");
  limit.feed("--B\r\n" + std::string(multipart_decoder::max_head_bytes + 1, 'X'));
  CHECK(limit.next() == step::more);  // its last 3 bytes may begin the end
  limit.feed("X");
  CHECK(limit.next() == step::bad);
  multipart_decoder padding("B");
  padding.feed("--B" + std::string(1000, ' '));
  CHECK(padding.next() == step::bad);
}

TEST_CASE("a file field without a selected file has an empty file name") {
  const auto head = parse_part_head("Content-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: a/b");
  REQUIRE(head);
  CHECK(head->is_file);
  CHECK(head->file_name.empty());
  CHECK(head->content_type == "a/b");
}

TEST_CASE("file names are decoded in the forms that clients use") {
  CHECK(file_name_of("filename=\"a b.txt\"") == "a b.txt");
  CHECK(file_name_of("filename=a.txt") == "a.txt");
  CHECK(file_name_of("filename=\"a %22b%22%0D%0A\"") == "a \"b\"\r\n");        // browsers
  CHECK(file_name_of("filename=\"a \\\"b\\\"\"") == "a \"b\"");                 // curl before 7.81
  CHECK(file_name_of("filename=\"C:\\new\\a.txt\"") == "C:\\new\\a.txt");       // very old browsers
  CHECK(file_name_of("filename=\"100%25.txt\"") == "100%25.txt");
  CHECK(file_name_of("filename=x; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt") == "gr\xC3\xBC\xC3\x9F" "e.txt");
  CHECK(file_name_of("filename*=UTF-8''bad%zz") == "malformed");
  CHECK(file_name_of("filename*=iso-8859-1''gr%FC%DFe.txt") == "gr\xC3\xBC\xC3\x9F" "e.txt");
  CHECK(file_name_of("filename*=ISO-8859-1'de'a%20b.txt") == "a b.txt");
  CHECK(file_name_of("filename*=windows-1252''%80uro.txt") == "_uro.txt");
  CHECK(file_name_of("filename=x; filename*=nonsense") == "x");
  CHECK(file_name_of("filename=\"open") == "malformed");
}

TEST_CASE("a boundary is found in its Content-Type, quoted or not") {
  CHECK(multipart_boundary("multipart/form-data; boundary=abc") == "abc");
  CHECK(multipart_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b:c\"") == "a b:c");
  CHECK_FALSE(multipart_boundary("multipart/form-data"));
  CHECK_FALSE(multipart_boundary("multipart/form-data; boundary="));
  CHECK_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')));
  CHECK_FALSE(multipart_boundary("multipart/mixed; boundary=abc"));
  CHECK_FALSE(multipart_boundary("text/plain"));
}
