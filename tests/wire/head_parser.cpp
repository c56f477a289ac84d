// Tests of the head parser. Each head is parsed in one piece and byte by byte; the results must be equal.
#include "winsvc/wire/head_parser.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace winsvc::detail::wire;
using winsvc::detail::route::method;
using framing_kind = winsvc::detail::wire::framing;  // the macros of doctest use short names as locals

namespace {

std::string times(int n, const std::string& s) {
  std::string out;
  while (n-- > 0) out += s;
  return out;
}

/// Parses the head byte by byte. Returns the result and the number of bytes that were needed.
std::pair<head_parse_result, std::size_t> parse_byte_by_byte(std::string_view bytes, const limits& limits = {}) {
  std::size_t scanned = 0;
  for (std::size_t n = 1; n <= bytes.size(); ++n) {
    auto result = parse_head(bytes.substr(0, n), limits, &scanned);
    if (result.kind != head_parse_result::more) return {std::move(result), n};
  }
  return {parse_head(bytes, limits, &scanned), bytes.size()};
}

/// Parses the head in one piece and byte by byte, and compares the results.
head_parse_result parse(std::string_view bytes, const limits& limits = {}) {
  auto unsplit = parse_head(bytes, limits);
  const auto split = parse_byte_by_byte(bytes, limits).first;
  CHECK(unsplit.kind == split.kind);
  CHECK(unsplit.status == split.status);
  CHECK(unsplit.reason == split.reason);
  CHECK(unsplit.consumed == split.consumed);
  return unsplit;
}

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"; }
std::string post(const std::string& fields) { return "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"; }
std::string line(const std::string& request_line) { return request_line + "\r\nHost: h\r\n\r\n"; }
std::string host(const std::string& value) { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n"; }

/// The head with its normalized fields, as text. Checks that normalized_value returns the same values.
std::string normalized(const head& h) {
  std::string out = std::string(h.method) + ' ' + std::string(h.path);
  if (!h.query.empty()) out += '?' + std::string(h.query);
  out += h.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  for_each_normalized_field(h, [&](std::string_view name, std::string_view value) {
    CHECK(normalized_value(h, name) == value);
    CHECK(normalized_value(h, winsvc::detail::base::to_lower(name)) == value);
    out += std::string(name) + ": " + std::string(value) + "\r\n";
  });
  return out + "\r\n";
}

struct rejection {
  const char* name;
  std::string bytes;
  int status;
};

struct acceptance {
  const char* name;
  std::string bytes;
};

}  // namespace

TEST_CASE("a malformed or ambiguous head is rejected with its status") {
  const rejection cases[] = {
      {"RFC 9112 section 2.2: bare LF in the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"RFC 9112 section 2.2: bare LF in a field", get("A: b\n"), 400},
      {"RFC 9112 section 2.2: bare LF as the first byte", "\nGET / HTTP/1.1\r\n", 400},
      {"RFC 9112 section 2.2: bare CR in the request line", "GET / HTTP/1.1\rHost: h\r\n\r\n", 400},
      {"RFC 9112 section 2.2: bare CR in a field", get("A: b\rc\r\n"), 400},
      {"RFC 9112 section 2.2: CR CR LF", get("A: b\r\r\n"), 400},
      {"RFC 9112 section 2.2: bare LF as the last line", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"RFC 9112 section 2.2: blank line indented before the fields", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"RFC 9112 section 5.2: obs-fold with a blank", get("A: b\r\n c\r\n"), 400},
      {"RFC 9112 section 5.2: obs-fold with a tab", get("A: b\r\n\tc\r\n"), 400},
      {"RFC 9112 section 5.2: a line of blanks alone", get("   \r\n"), 400},
      {"RFC 9112 section 5.1: a blank before the colon", get("A : b\r\n"), 400},
      {"RFC 9112 section 5.1: a tab before the colon", get("A\t: b\r\n"), 400},
      {"RFC 9112 section 5.1: a blank before the colon of Transfer-Encoding", post("Transfer-Encoding : chunked\r\n"),
       400},
      {"RFC 9112 section 5: no colon", get("abc\r\n"), 400},
      {"RFC 9110 section 5.1: an empty name", get(": b\r\n"), 400},
      {"RFC 9110 section 5.1: a blank in a name", get("A b: c\r\n"), 400},
      {"RFC 9110 section 5.1: a name that is not a token", get("A(b): c\r\n"), 400},
      {"RFC 9110 section 5.1: a name beyond ASCII", get("\xC3\xBC: c\r\n"), 400},
      {"RFC 9110 section 5.5: NUL in a value", get(std::string("A: b\0c\r\n", 8)), 400},
      {"RFC 9110 section 5.5: a control character in a value", get("A: b\x01\r\n"), 400},
      {"RFC 9110 section 5.5: DEL in a value", get("A: b\x7F\r\n"), 400},
      {"RFC 9110 section 5.5: NUL in a name", get(std::string("A\0: b\r\n", 7)), 400},
      {"RFC 9112 section 2.1: TLS on a port without TLS", std::string("\x16\x03\x01\x02\x00\x01", 6), 400},

      {"RFC 6585 section 5: 101 fields", get(times(100, "A: b\r\n")), 431},
      {"RFC 6585 section 5: a field line of 8001 bytes", get("A: " + times(7998, "b") + "\r\n"), 431},
      {"RFC 6585 section 5: a field line without end", "GET / HTTP/1.1\r\nA: " + times(7998, "b"), 431},
      {"RFC 6585 section 5: a head over 32 KiB", get(times(5, "A: " + times(7000, "b") + "\r\n")), 431},
      {"RFC 9110 section 15.5.15: a target over 8000 bytes", line("GET /" + times(8000, "a") + " HTTP/1.1"), 414},
      {"RFC 9110 section 15.5.15: a target without end", "GET /" + times(8000, "a"), 414},

      {"RFC 9112 section 2.2: empty lines without end", times(17, "\r\n"), 400},
      {"RFC 9112 section 3: no target", line("GET HTTP/1.1"), 400},
      {"RFC 9112 section 3: two blanks before the target", line("GET  / HTTP/1.1"), 400},
      {"RFC 9112 section 3: two blanks before the version", line("GET /  HTTP/1.1"), 400},
      {"RFC 9112 section 3: a blank in the target", line("GET /a b HTTP/1.1"), 400},
      {"RFC 9112 section 3: a blank before the method", line(" GET / HTTP/1.1"), 400},
      {"RFC 9112 section 3: a blank at the end", line("GET / HTTP/1.1 "), 400},
      {"RFC 9112 section 3: a tab between the parts", line("GET\t/\tHTTP/1.1"), 400},
      {"RFC 9112 section 3: one word only", line("GET"), 400},
      {"RFC 9112 section 3: HTTP/0.9", line("GET /"), 400},
      {"RFC 9110 section 9.1: a method that is not a token", line("G(T / HTTP/1.1"), 400},
      {"RFC 9110 section 9.3.6: CONNECT", line("CONNECT h:443 HTTP/1.1"), 501},
      {"RFC 9110 section 9.3.8: TRACE", line("TRACE / HTTP/1.1"), 501},
      {"RFC 9112 section 3: a method longer than any", times(33, "A") + " / HTTP/1.1\r\n", 501},
      {"RFC 9112 section 3: a first line without a blank", times(8001, "A"), 400},
      {"RFC 9112 section 3.2: a fragment", line("GET /a#b HTTP/1.1"), 400},
      {"RFC 9112 section 3.2: a byte beyond ASCII", line("GET /z\xC3\xBCrich HTTP/1.1"), 400},
      {"RFC 9112 section 3.2: a relative path", line("GET a HTTP/1.1"), 400},
      {"RFC 9112 section 3.2.4: '*' for GET", line("GET * HTTP/1.1"), 400},
      {"RFC 9112 section 3.2.4: '*' with a query", line("OPTIONS *?a HTTP/1.1"), 400},
      {"RFC 9112 section 3.2.2: another scheme", line("GET ftp://h/ HTTP/1.1"), 400},
      {"RFC 9112 section 3.2.2: no authority", line("GET http:///a HTTP/1.1"), 400},
      {"RFC 9110 section 4.2.4: userinfo in the target", line("GET http://u@h/ HTTP/1.1"), 400},

      {"RFC 9112 section 2.3: a malformed version", line("GET / HTTP/11"), 400},
      {"RFC 9112 section 2.3: a version in lower case", line("GET / http/1.1"), 400},
      {"RFC 9112 section 2.3: a version of three digits", line("GET / HTTP/1.10"), 400},
      {"RFC 9110 section 15.6.6: HTTP/2.0", line("GET / HTTP/2.0"), 505},
      {"RFC 9110 section 15.6.6: HTTP/0.9", line("GET / HTTP/0.9"), 505},
      {"RFC 9113 section 3.4: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},

      {"RFC 9112 section 3.2: Host missing", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
      {"RFC 9112 section 3.2: Host missing and no field at all", "GET / HTTP/1.1\r\n\r\n", 400},
      {"RFC 9112 section 3.2: Host twice", get("Host: i\r\n"), 400},
      {"RFC 9112 section 3.2: Host twice, equal", get("hOST: h\r\n"), 400},
      {"RFC 9112 section 3.2: Host twice in 1.0", "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
      {"RFC 9112 section 3.2: Host empty", host(""), 400},
      {"RFC 9112 section 3.2: Host of a port alone", host(":80"), 400},
      {"RFC 9112 section 3.2: Host with userinfo", host("u@h"), 400},
      {"RFC 9112 section 3.2: Host with a path", host("h/a"), 400},
      {"RFC 9112 section 3.2: Host with a query", host("h?a"), 400},
      {"RFC 9112 section 3.2: Host with a comma", host("h,i"), 400},
      {"RFC 9112 section 3.2: Host with a blank", host("h i"), 400},
      {"RFC 9112 section 3.2: Host with a broken escape", host("h%4"), 400},
      {"RFC 9112 section 3.2: Host beyond ASCII", host("z\xC3\xBCrich"), 400},
      {"RFC 9112 section 3.2: Host with a port that is not a number", host("h:8o"), 400},
      {"RFC 9112 section 3.2: Host with a port over 65535", host("h:65536"), 400},
      {"RFC 9112 section 3.2: Host with two ports", host("h:1:2"), 400},
      {"RFC 9112 section 3.2: Host with an open bracket", host("[::1"), 400},
      {"RFC 9112 section 3.2: Host with empty brackets", host("[]"), 400},
      {"RFC 9112 section 3.2: Host with text after the bracket", host("[::1]x"), 400},
      {"RFC 9112 section 3.2: Host that is malformed in 1.0", "GET / HTTP/1.0\r\nHost: a,b\r\n\r\n", 400},

      {"RFC 9110 section 8.6: Content-Length empty", post("Content-Length:\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length negative", post("Content-Length: -1\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length with a plus", post("Content-Length: +1\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length in hex", post("Content-Length: 0x1\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length with a fraction", post("Content-Length: 1.0\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length of two numbers", post("Content-Length: 1 1\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length as a list", post("Content-Length: 1, 1\r\n"), 400},
      {"RFC 9110 section 8.6: Content-Length of 16 digits", post("Content-Length: 1000000000000000\r\n"), 400},
      {"RFC 9112 section 6.3: Content-Length in conflict", post("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"RFC 9112 section 6.3: Content-Length twice", post("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {"RFC 9112 section 6.3: Content-Length before Transfer-Encoding",
       post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"RFC 9112 section 6.3: Content-Length after Transfer-Encoding",
       post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {"RFC 9112 section 6.1: Transfer-Encoding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"RFC 9112 section 6.1: Transfer-Encoding empty", post("Transfer-Encoding:\r\n"), 400},
      {"RFC 9112 section 6.1: Transfer-Encoding twice",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"RFC 9112 section 6.1: chunked twice in a list", post("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {"RFC 9112 section 6.1: chunked before another", post("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"RFC 9112 section 6.1: chunked after another", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"RFC 9112 section 6.1: chunked after another with a parameter",
       post("Transfer-Encoding: gzip;q=1 ,\tchunked\r\n"), 501},
      {"RFC 9112 section 6.1: chunked after another, in two fields",
       post("Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n"), 501},
      {"RFC 9112 section 6.3: two unknown codings", post("Transfer-Encoding: gzip, br\r\n"), 400},
      {"RFC 9112 section 6.3: a coding after chunked, in two fields",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), 400},
      {"RFC 9112 section 6.1: an empty element at the end", post("Transfer-Encoding: chunked,\r\n"), 400},
      {"RFC 9112 section 7: chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), 400},
      {"RFC 9112 section 6.1: chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {"RFC 9112 section 6.3: an unknown coding", post("Transfer-Encoding: gzip\r\n"), 400},
      {"RFC 9112 section 6.3: nearly chunked", post("Transfer-Encoding: xchunked\r\n"), 400},
      {"RFC 9112 section 6.3: identity", post("Transfer-Encoding: identity\r\n"), 400},
      {"RFC 9110 section 10.1.1: an unknown expectation", post("Content-Length: 1\r\nExpect: 200-ok\r\n"), 417},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = parse(c.bytes);
    CHECK(result.kind == head_parse_result::reject);
    CHECK(result.status == c.status);
    CHECK_FALSE(result.reason.empty());
    CHECK(result.value.fields.empty());
  }
}

TEST_CASE("an unusual but valid head is accepted") {
  const acceptance cases[] = {
      {"RFC 9112 section 2.2: empty lines before the request line", "\r\n\r\n" + get("")},
      {"RFC 9112 section 2.2: no empty line", get("")},
      {"RFC 9112 section 5.1: no blank after the colon", get("A:b\r\n")},
      {"RFC 9112 section 5.1: blanks and tabs around a value", get("A: \t b \t\r\n")},
      {"RFC 9110 section 5.5: an empty value", get("A:\r\n")},
      {"RFC 9110 section 5.5: a tab within a value", get("A: b\tc\r\n")},
      {"RFC 9110 section 5.5: obs-text in a value", get("A: z\xC3\xBCrich\r\n")},
      {"RFC 9110 section 5.6.2: every mark of a token in a name", get("!#$%&'*+-.^_`|~: b\r\n")},
      {"RFC 9110 section 5.3: a field twice", get("A: b\r\nA: c\r\n")},
      {"RFC 6585 section 5: 100 fields", get(times(99, "A: b\r\n"))},
      {"RFC 6585 section 5: a field line of 8000 bytes", get("A: " + times(7997, "b") + "\r\n")},
      {"RFC 9112 section 3: a target of 8000 bytes", line("GET /" + times(7999, "a") + " HTTP/1.1")},
      {"RFC 9112 section 3.2: marks that browsers do not escape", line("GET /a?b={c}|\"^` HTTP/1.1")},
      {"RFC 9112 section 3.2.1: an escape that the router rejects", line("GET /%zz HTTP/1.1")},
      {"RFC 9112 section 3.2.2: absolute-form", line("GET http://h/a?b HTTP/1.1")},
      {"RFC 9110 section 2.5: a later minor version", line("GET /a HTTP/1.2")},
      {"RFC 9110 section 9.1: another method", line("PROPFIND /a HTTP/1.1")},
      {"RFC 9112 section 3.2.2: the authority is not Host", line("GET http://other/ HTTP/1.1")},
      {"RFC 9112 section 3.2.2: the port is not Host's", line("GET http://h:81/ HTTP/1.1")},
      {"RFC 9112 section 3.2.2: absolute-form in capitals", line("GET HTTP://H/a HTTP/1.1")},
      {"RFC 9112 section 3.2.2: absolute-form with the default port", line("GET http://h:80/a HTTP/1.1")},
      {"RFC 9112 section 3.2.2: absolute-form without a path", line("GET http://h HTTP/1.1")},
      {"RFC 9112 section 3.2.2: absolute-form with a query alone", line("GET http://h?a HTTP/1.1")},
      {"RFC 9112 section 3.2.4: OPTIONS *", line("OPTIONS * HTTP/1.1")},
      {"RFC 9112 section 3.2: no Host in 1.0", "GET / HTTP/1.0\r\n\r\n"},
      {"RFC 9110 section 7.2: Host with a port", host("example.com:8080")},
      {"RFC 9110 section 7.2: Host with an empty port", host("example.com:")},
      {"RFC 9110 section 7.2: Host of IPv4", host("127.0.0.1:1")},
      {"RFC 9110 section 7.2: Host of IPv6", host("[::1]:8080")},
      {"RFC 9110 section 7.2: Host of IPv6 with IPv4 in it", host("[::ffff:127.0.0.1]")},
      {"RFC 9110 section 7.2: Host with an underscore and an escape", host("my_host%41")},
      {"RFC 9110 section 8.6: Content-Length of 15 digits", post("Content-Length: 999999999999999\r\n")},
      {"RFC 9110 section 8.6: Content-Length with leading zeros", post("Content-Length: 007\r\n")},
      {"RFC 9112 section 7: chunked in capitals", post("TRANSFER-ENCODING: Chunked\r\n")},
      {"RFC 9110 section 10.1.1: an unknown expectation in 1.0", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n"},
      {"RFC 9110 section 7.6.1: an empty Connection", get("Connection: , ,\r\n")},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = parse(c.bytes);
    CHECK_MESSAGE(result.kind == head_parse_result::complete, result.reason);
    CHECK(result.consumed == c.bytes.size());
    CHECK(result.status == 0);

    const std::string text = normalized(result.value);
    const auto second = parse_head(text, {});
    CHECK_MESSAGE(second.kind == head_parse_result::complete, second.reason);
    CHECK(second.consumed == text.size());
    CHECK(second.value.path == result.value.path);
    CHECK(second.value.query == result.value.query);
    CHECK(second.value.keep_alive == result.value.keep_alive);
  }
}

TEST_CASE("an incomplete head is neither complete nor rejected") {
  for (const char* bytes : {"", "\r", "\r\n", "\r\n\r", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\n",
                            "GET / HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r"}) {
    CAPTURE(bytes);
    const auto result = parse(bytes);
    CHECK(result.kind == head_parse_result::more);
    CHECK(result.value.fields.empty());
  }
}

TEST_CASE("a head is rejected at the byte that proves the error, not at its end") {
  struct { const char* name; std::string before; const char* proof; int status; } const cases[] = {
      {"bare LF", "GET / HTTP/1.1", "\n", 400},
      {"bare CR", "GET / HTTP/1.1\r", "X", 400},
      {"obs-fold", "GET / HTTP/1.1\r\nHost: h\r\n", " ", 400},
      {"a target too long", "GET /" + times(7999, "a"), "a", 414},
      {"a method too long", times(33, "A"), " ", 501},
      {"a first line without a blank", times(8000, "A"), "A", 400},
      {"a field line too long", "GET / HTTP/1.1\r\n" + times(8000, "a"), "a", 431},
      {"a version too long", "GET / HTTP/1.1", "1", 400},
      {"an unknown version", "GET / HTTP/3.0\r", "\n", 505},
      {"a method that is never served", "TRACE / HTTP/1.1\r", "\n", 501},
      {"a conflict in the framing", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n").substr(0, 80), "", 400},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    if (*c.proof != '\0') CHECK(parse_head(c.before, {}).kind == head_parse_result::more);
    CHECK(parse_head(c.before + c.proof, {}).status == c.status);
  }
  CHECK(parse_head(times(32, "A") + " ", {}).kind == head_parse_result::more);  // the longest method
}

TEST_CASE("the parsed head has all parts of the request") {
  const std::string bytes =
      "\r\nPOST /a%20b?x=1&y HTTP/1.1\r\nHost: h:81\r\nX-One:  1 \r\nx-one: 2\r\nContent-Length: 12\r\n\r\n"
      "body follows";

  const auto result = parse(bytes);

  REQUIRE(result.kind == head_parse_result::complete);
  CHECK(bytes.substr(result.consumed) == "body follows");
  const head& h = result.value;
  CHECK(h.method == "POST");
  CHECK(h.method_id == method::post);
  CHECK(h.target == "/a%20b?x=1&y");
  CHECK(h.path == "/a%20b");
  CHECK(h.query == "x=1&y");
  CHECK(h.host == "h:81");
  CHECK(h.minor_version == 1);
  CHECK(h.fields.size() == 4);
  CHECK(h.fields[1].name == "X-One");
  CHECK(h.find("X-ONE") == "1");
  CHECK_FALSE(h.find("X-Two"));
  CHECK(h.framing == framing_kind::length);
  CHECK(h.content_length == 12);
  CHECK(h.keep_alive);
}

TEST_CASE("the target is reduced to a path and a query (RFC 9112 section 3.2)") {
  struct { const char* request; const char* path; const char* query; } const cases[] = {
      {"GET / HTTP/1.1", "/", ""},
      {"GET /? HTTP/1.1", "/", ""},
      {"GET /a?b?c HTTP/1.1", "/a", "b?c"},
      {"GET //h/a HTTP/1.1", "//h/a", ""},
      {"GET /http://x/ HTTP/1.1", "/http://x/", ""},
      {"GET http://h/a?b HTTP/1.1", "/a", "b"},
      {"GET http://h HTTP/1.1", "/", ""},
      {"GET http://h?b HTTP/1.1", "/", "b"},
      {"OPTIONS * HTTP/1.1", "*", ""},
      {"OPTIONS http://h HTTP/1.1", "*", ""},
      {"OPTIONS http://h/ HTTP/1.1", "/", ""},
  };
  for (const auto& c : cases) {
    CAPTURE(c.request);
    const std::string bytes = line(c.request);
    const auto result = parse(bytes);
    REQUIRE(result.kind == head_parse_result::complete);
    CHECK(result.value.path == c.path);
    CHECK(result.value.query == c.query);
    CHECK(result.value.host == "h");
  }
}

TEST_CASE("the authority of an absolute-form target replaces Host") {
  const auto result = parse("GET http://other:81/a HTTP/1.1\r\nA: b\r\nHost: h\r\n\r\n");
  REQUIRE(result.kind == head_parse_result::complete);
  CHECK(result.value.host == "other:81");
  CHECK(normalized(result.value) == "GET /a HTTP/1.1\r\nA: b\r\nHost: other:81\r\n\r\n");
}

TEST_CASE("a later minor version is processed as HTTP/1.1") {
  const auto result = parse("GET / HTTP/1.2\r\nHost: h\r\n\r\n");
  REQUIRE(result.kind == head_parse_result::complete);
  CHECK(result.value.minor_version == 1);
  CHECK(result.value.keep_alive);
}

TEST_CASE("an absolute-form target determines the host in HTTP/1.0") {
  const auto result = parse("GET http://h/a HTTP/1.0\r\n\r\n");
  REQUIRE(result.kind == head_parse_result::complete);
  CHECK(result.value.host == "h");
  CHECK(normalized(result.value) == "GET /a HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n");
}

TEST_CASE("all Connection fields determine keep-alive and upgrade (RFC 9112 section 9.3)") {
  struct { const char* start; bool keep; bool upgrade; } const cases[] = {
      {"GET / HTTP/1.1\r\n", true, false},
      {"GET / HTTP/1.1\r\nConnection: close\r\n", false, false},
      {"GET / HTTP/1.1\r\nConnection: CLOSE\r\n", false, false},
      {"GET / HTTP/1.1\r\nConnection: x, \tClose\r\n", false, false},
      {"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n", false, false},
      {"GET / HTTP/1.1\r\nConnection: closed\r\n", true, false},
      {"GET / HTTP/1.0\r\n", false, false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", true, false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n", false, false},
      {"GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n", true, true},
      {"GET / HTTP/1.1\r\nConnection: upgrade\r\n", true, false},
      {"GET / HTTP/1.1\r\nUpgrade: websocket\r\n", true, false},
      {"GET / HTTP/1.1\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n", false, false},
      {"GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n", true, false},
      {"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", true, false},
      {"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", true, true},
      {"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", true, true},
  };
  for (const auto& c : cases) {
    CAPTURE(c.start);
    const std::string bytes = c.start + std::string("Host: h\r\n\r\n");
    const auto result = parse(bytes);
    REQUIRE(result.kind == head_parse_result::complete);
    CHECK(result.value.keep_alive == c.keep);
    CHECK(result.value.upgrade == c.upgrade);
  }
}

TEST_CASE("the client waits for 100 only in HTTP/1.1 and with a body (RFC 9110 section 10.1.1)") {
  struct { std::string bytes; bool waits; } const cases[] = {
      {post("Content-Length: 1\r\nExpect: 100-Continue\r\n"), true},
      {post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"), true},
      {post("Content-Length: 0\r\nExpect: 100-continue\r\n"), false},
      {get("Expect: 100-continue\r\n"), false},
      {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", false},
  };
  for (const auto& c : cases) {
    CAPTURE(c.bytes);
    const auto result = parse(c.bytes);
    REQUIRE(result.kind == head_parse_result::complete);
    CHECK(result.value.expect_continue == c.waits);
  }
}

TEST_CASE("the normalized head states the framing once and has no hop-by-hop fields") {
  struct { const char* name; std::string in; const char* out; } const cases[] = {
      {"a simple request", get("Accept:  */* \r\n"), "GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n"},
      {"absolute-form", line("GET http://h/a?b HTTP/1.1"), "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"hop-by-hop fields",
       get("Connection: keep-alive, TE\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: X\r\n"
           "Upgrade: h2c\r\nX: y\r\n"),
       "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"},
      {"a length", post("content-length: 007\r\nExpect: 100-continue\r\n"),
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"},
      {"chunks", post("transfer-encoding: CHUNKED\r\n"),
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"POST without a body", post(""), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
      {"DELETE without a body", line("DELETE /a HTTP/1.1"),
       "DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
      {"GET with a body", get("Content-Length: 3\r\n"), "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"},
      {"close", get("Connection: Close\r\n"), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
      {"1.0", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: close\r\n\r\n"},
      {"1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
      {"an upgrade", get("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"),
       "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\n\r\n"},
      {"OPTIONS *", line("OPTIONS * HTTP/1.1"), "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = parse(c.in);
    REQUIRE(result.kind == head_parse_result::complete);
    CHECK(normalized(result.value) == c.out);
  }
}

TEST_CASE("lines of one name become one line, in their order") {
  struct { const char* name; std::string in; const char* out; } const cases[] = {
      {"a list", get("X-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for: 203.0.113.9, 10.0.0.1\r\n"),
       "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.1\r\nA: b\r\n"},
      {"cookies", get("Cookie: a=1\r\ncookie: a=2; b=3\r\n"), "Cookie: a=1; a=2; b=3\r\n"},
      {"empty values", get("A:\r\nA: b\r\nB:\r\nA:\r\nB:\r\nA: c\r\n"), "A: b, c\r\nB: \r\n"},
      {"equal values", get("A: b\r\nA: b\r\n"), "A: b, b\r\n"},
      {"percent signs", get("A: %61\r\nA: %62\r\n"), "A: %61, %62\r\n"},
      {"a repeated Range", get("Range: bytes=0-1\r\nRange: bytes=2-3\r\nA: b\r\n"), "A: b\r\n"},
      {"a single Range", get("Range: bytes=0-1\r\n"), "Range: bytes=0-1\r\n"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = parse(c.in);
    REQUIRE(result.kind == head_parse_result::complete);
    CHECK(normalized(result.value) == "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(c.out) + "\r\n");
  }
}

TEST_CASE("the limit of a field line applies to all lines of one name together") {
  limits small;
  small.field_bytes = 30;

  const std::string twelve = times(12, "x");
  CHECK(parse(get("Ab: " + twelve + "\r\nAb: " + twelve + "\r\n"), small).kind == head_parse_result::complete);
  CHECK(parse(get("Ab: " + twelve + "\r\nAb: " + twelve + "x\r\n"), small).status == 431);
  CHECK(parse(get("Ab: " + twelve + "\r\nAc: " + twelve + "x\r\n"), small).kind == head_parse_result::complete);
}

TEST_CASE("a field that an app does not see has no normalized value") {
  const std::string bytes =
      get("Connection: keep-alive, TE\r\nTE: trailers\r\nRange: bytes=0-1\r\nrange: bytes=2-3\r\n");
  const auto result = parse(bytes);  // its values are views of the bytes
  REQUIRE(result.kind == head_parse_result::complete);
  for (const char* name : {"Connection", "TE", "Range", "Content-Length", "Upgrade", "Accept"}) {
    CAPTURE(name);
    CHECK_FALSE(normalized_value(result.value, name));
  }
}

TEST_CASE("a head uses the memory of its former fields, and an incomplete head is empty") {
  head value;
  value.fields.reserve(32);
  const field* const memory = value.fields.data();
  const limits all;

  const auto same_as_new = [](const head& h) {
    return h.method.empty() && h.target.empty() && h.path.empty() && h.query.empty() && h.host.empty() &&
           h.minor_version == 1 && h.fields.empty() && h.framing == framing::none && h.content_length == 0 &&
           h.keep_alive && !h.expect_continue && !h.has_repeated_names && !h.upgrade &&
           h.method_id == winsvc::detail::route::method::get;
  };
  const auto parse = [&](std::string_view bytes) { return parse_head(bytes, all, nullptr, value).kind; };
  const std::string_view full =
      "POST /a?b HTTP/1.0\r\nHost: h\r\nX: 1\r\nX: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
  CHECK(parse(full) == head_parse_status::complete);
  CHECK_FALSE(same_as_new(value));
  CHECK(parse(full.substr(0, full.size() - 2)) == head_parse_status::more);
  CHECK(same_as_new(value));
  CHECK(parse(full) == head_parse_status::complete);
  CHECK(parse("GET / HTTP/1.1\r\nHost : h\r\n\r\n") == head_parse_status::reject);
  CHECK(same_as_new(value));
  const std::string_view upgrade =
      "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
  CHECK(parse(upgrade) == head_parse_status::complete);
  CHECK(value.upgrade);
  CHECK(value.fields.size() == 4);
  CHECK(value.fields.data() == memory);
}

TEST_CASE("a control character is found at each position of a long value") {
  for (std::size_t position = 0; position < 40; ++position) {
    for (const int byte : {0x00, 0x01, 0x09, 0x0A, 0x0D, 0x1F, 0x7F}) {
      std::string text(40, '\x80');
      text[position / 2] = ' ';
      text[position] = static_cast<char>(byte);
      CAPTURE(position);
      CAPTURE(byte);
      CHECK(find_control(text, 0) == position);
      CHECK(find_control(text, position + 1) == text.size());
    }
  }
  std::string text;
  for (int byte = 0x20; byte < 0x100; ++byte) {
    if (byte != 0x7F) text += static_cast<char>(byte);
  }
  for (std::size_t size = 0; size <= text.size(); ++size)  // the bytes after the end do not count
    CHECK(find_control(std::string_view(text).substr(0, size), 0) == size);
}

TEST_CASE("fields that the normalized head adds count for the limit") {
  // 100 fields are allowed; with the Content-Length of an empty body there would be 101.
  CHECK(parse(post(times(98, "A: b\r\n"))).kind == head_parse_result::complete);
  CHECK(parse(post(times(99, "A: b\r\n"))).status == 431);
  CHECK(parse(post(times(98, "A: b\r\n") + "Content-Length: 1\r\n")).kind == head_parse_result::complete);
  const std::string http_1_0 = "GET http://h/ HTTP/1.0\r\n";  // gets Host and Connection
  CHECK(parse(http_1_0 + times(98, "A: b\r\n") + "\r\n").kind == head_parse_result::complete);
  CHECK(parse(http_1_0 + times(99, "A: b\r\n") + "\r\n").status == 431);
}

TEST_CASE("the caller can set the limits") {
  limits small;
  small.head_bytes = 60;
  small.target_bytes = 10;
  small.field_bytes = 20;
  small.fields = 2;

  CHECK(parse(get(""), small).kind == head_parse_result::complete);
  CHECK(parse(get("A: b\r\n"), small).kind == head_parse_result::complete);
  CHECK(parse(get("A: b\r\nC: d\r\n"), small).status == 431);
  CHECK(parse(line("GET /234567890 HTTP/1.1"), small).kind == head_parse_result::complete);
  CHECK(parse(line("GET /2345678901 HTTP/1.1"), small).status == 414);
  CHECK(parse(get("A: " + times(17, "b") + "\r\n"), small).kind == head_parse_result::complete);
  CHECK(parse(get("A: " + times(18, "b") + "\r\n"), small).status == 431);
  CHECK(parse(times(16, "\r\n") + get(""), small).kind == head_parse_result::complete);
  CHECK(parse(times(16, "\r\n") + get("A:\r\n"), small).status == 431);
}

TEST_CASE("a head of 32 KiB may arrive byte by byte") {
  std::string bytes = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; bytes.size() < 32 * 1024 - 800; ++i)
    bytes += "A" + std::to_string(i) + ": " + times(600, "b") + "\r\n";
  bytes += "\r\n";

  const auto [result, needed] = parse_byte_by_byte(bytes);

  CHECK(result.kind == head_parse_result::complete);
  CHECK(needed == bytes.size());
}

TEST_CASE("the text of a rejection names the header") {
  struct { std::string bytes; int status; const char* text; } const rows[] = {
      {get("X-A : b\r\n"), 400, "blank before the colon in the header 'X-A'"},
      {get("X(A): b\r\n"), 400, "invalid character in the name in the header 'X?A?'"},
      {get("nonsense\r\n"), 400, "no colon in the header 'nonsense'"},
      {get("X-A: b\x01\r\n"), 400, "control character in the header 'X-A'"},
      {get("X-A: b\nc\r\n"), 400, "bare LF in the header 'X-A'"},
      {get("X-A: " + times(8000, "b") + "\r\n"), 431, "line too long in the header 'X-A'"},
      {get("X-A: " + times(5000, "b") + "\r\nX-A: " + times(5000, "b") + "\r\n"), 431,
       "lines of one name too long in the header 'X-A'"},
      {get("Host: b\r\n"), 400, "Host twice"},
      {get("Content-Length: x\r\n"), 400, "invalid Content-Length"},
      {get("Expect: more\r\n"), 417, "unknown expectation in Expect"},
      {"GET / HTTP/1.1\x01\r\n", 400, "control character"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.bytes.substr(0, 80));
    const auto result = parse(row.bytes);
    CHECK(result.status == row.status);
    CHECK(result.rejection_text() == row.text);
  }
}
