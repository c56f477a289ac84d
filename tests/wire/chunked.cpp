// Tests of the chunked decoder. Each case is decoded in one piece, in pieces of 3 bytes and byte by byte.
#include "winsvc/wire/chunked.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::wire;
using step = chunked_decoder::step;

namespace {

struct decode_result {
  step last = step::more;
  std::size_t consumed = 0;
  std::string body;
};

decode_result decode(std::string_view bytes, std::size_t piece_size, const limits& limits = {}) {
  chunked_decoder decoder(limits, 1000);
  decode_result result;
  while (result.last == step::more && result.consumed < bytes.size()) {
    std::size_t consumed = 0;
    result.last = decoder.feed(bytes.substr(result.consumed, piece_size), consumed, result.body);
    result.consumed += consumed;
  }
  return result;
}

struct chunk_case {
  const char* name;
  std::string bytes;
  step expected;
  std::string body = {};
  std::string next_request = {};  // bytes that must not be consumed
};

std::string times(int n, const char* s) {
  std::string out;
  while (n-- > 0) out += s;
  return out;
}

}  // namespace

TEST_CASE("chunked bodies are decoded or rejected according to RFC 9112 section 7.1") {
  const chunk_case cases[] = {
      {"section 7.1: an empty body", "0\r\n\r\n", step::done, ""},
      {"section 7.1: one chunk", "5\r\nhello\r\n0\r\n\r\n", step::done, "hello"},
      {"section 7.1: two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", step::done, "hello world"},
      {"section 7.1: digits in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", step::done,
       "01234567890123456789"},
      {"section 7.1: leading zeros within eight digits", "00000003\r\nabc\r\n000\r\n\r\n", step::done, "abc"},
      {"section 7.1: data may contain CRLF", "4\r\n\r\n\r\n\r\n0\r\n\r\n", step::done, "\r\n\r\n"},
      {"section 9.3.2: bytes after the body are kept", "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", step::done, "x",
       "GET / HTTP/1.1\r\n"},
      {"section 7.1.1: extensions are discarded", "1;a=b;c=\"d;e\"\r\nx\r\n0;last\r\n\r\n", step::done, "x"},
      {"section 7.1.1: bad whitespace before an extension", "1 \t;a\r\nx\r\n0\r\n\r\n", step::done, "x"},
      {"section 7.1.2: trailers are discarded", "0\r\nX-Sum: 1\r\nA:\r\n\r\n", step::done, ""},
      {"section 7.1.2: a trailer does not change the framing", "0\r\nContent-Length: 9\r\n\r\nrest", step::done, "",
       "rest"},
      {"section 7.1: no bytes", "", step::more},
      {"section 7.1: incomplete size", "5", step::more},
      {"section 7.1: incomplete data", "5\r\nhel", step::more, "hel"},
      {"section 7.1: incomplete before the last line", "0\r\n", step::more},
      {"section 7.1: incomplete last line", "0\r\n\r", step::more},

      {"section 7.1: no digit", "\r\n", step::bad},
      {"section 7.1: not a hex digit", "g\r\n", step::bad},
      {"section 7.1: a minus sign", "-2\r\n", step::bad},
      {"section 7.1: a plus sign", "+2\r\n", step::bad},
      {"section 7.1: 0x", "0x3\r\nabc\r\n", step::bad},
      {"section 7.1: a blank before the size", " 3\r\nabc\r\n", step::bad},
      {"section 7.1: a blank after the size", "3 \r\nabc\r\n", step::bad},
      {"section 7.1: two numbers", "3 3\r\nabc\r\n", step::bad},
      {"section 7.1: an underscore", "1_0\r\n", step::bad},
      {"section 7.1: nine digits", "000000003\r\nabc\r\n", step::bad},
      {"section 7.1: an overflow", "FFFFFFFFFFFFFFFFF\r\n", step::bad},
      {"section 2.2: bare LF after the size", "3\nabc\r\n", step::bad},
      {"section 2.2: bare CR after the size", "3\rabc\r\n", step::bad},
      {"section 2.2: two CR after the size", "3\r\r\nabc\r\n", step::bad},
      {"section 7.1: data longer than its size", "3\r\nabcd\r\n", step::bad, "abc"},
      {"section 7.1: data without its CRLF", "3\r\nabc0\r\n\r\n", step::bad, "abc"},
      {"section 7.1: another byte for the CR after data", "3\r\nabcX\n0\r\n\r\n", step::bad, "abc"},
      {"section 7.1: another byte for the LF after data", "3\r\nabc\rX0\r\n\r\n", step::bad, "abc"},
      {"section 2.2: bare LF after data", "3\r\nabc\n0\r\n\r\n", step::bad, "abc"},
      {"section 7.1.1: bare LF in an extension", "3;a\nabc\r\n", step::bad},
      {"section 7.1.1: bare CR in an extension", "3;a\rb\r\nabc\r\n", step::bad},
      {"section 7.1.1: a control character in an extension", "3;a\x01\r\nabc\r\n", step::bad},
      {"section 7.1.1: a name", "5;a\r\nhello\r\n0\r\n\r\n", step::done, "hello"},
      {"section 7.1.1: a name with a token", "5;a=b\r\nhello\r\n0;c=d\r\n\r\n", step::done, "hello"},
      {"section 7.1.1: a quoted string", "5;a=\"x;y\\\"=\"\r\nhello\r\n0\r\n\r\n", step::done, "hello"},
      {"section 7.1.1: whitespace around ';' and '='", "5 ;\ta = b ; c = \"d\" ;e\r\nhello\r\n0\r\n\r\n", step::done,
       "hello"},
      {"section 7.1.1: no name", "5;\r\nhello\r\n", step::bad},
      {"section 7.1.1: two semicolons", "5;;a\r\nhello\r\n", step::bad},
      {"section 7.1.1: a semicolon at the end", "5;a=b;\r\nhello\r\n", step::bad},
      {"section 7.1.1: no value", "5;a=\r\nhello\r\n", step::bad},
      {"section 7.1.1: no name before '='", "5;=x\r\nhello\r\n", step::bad},
      {"section 7.1.1: an open quote", "5;a=\"x\r\nhello\r\n", step::bad},
      {"section 7.1.1: text after a quoted string", "5;a=\"x\"y\r\nhello\r\n", step::bad},
      {"section 7.1.1: a byte that no name has", "5;bad[=x\r\nhello\r\n", step::bad},
      {"section 7.1.1: two names", "5;a b\r\nhello\r\n", step::bad},
      {"section 7.1.1: two values", "5;a=b c\r\nhello\r\n", step::bad},
      {"section 7.1.1: whitespace at the end", "5;a \r\nhello\r\n", step::bad},
      {"section 7.1.1: whitespace at the end of a value", "5;a=\"b\" \r\nhello\r\n", step::bad},
      {"section 7.1.1: no name at the last chunk", "5\r\nhello\r\n0;\r\n\r\n", step::bad, "hello"},
      {"section 7.1.1: an open quote at the last chunk", "5\r\nhello\r\n0;a=\"x\r\n\r\n", step::bad, "hello"},
      {"section 7.1.1: an extension without end", "3;" + times(5000, "a"), step::bad},
      {"section 2.2: bare LF at the end", "0\r\n\n", step::bad},
      {"section 2.2: bare CR at the end", "0\r\n\rx", step::bad},
      {"section 7.1.2: a trailer without a colon", "0\r\nabc\r\n\r\n", step::bad},
      {"section 7.1.2: a trailer without a name", "0\r\n: abc\r\n\r\n", step::bad},
      {"section 5.1: a blank before the colon", "0\r\nA : b\r\n\r\n", step::bad},
      {"section 5.2: a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", step::bad},
      {"section 5.5: a control character in a trailer", std::string("0\r\nA: b\0c\r\n\r\n", 14), step::bad},
      {"section 2.2: bare LF in a trailer", "0\r\nA: b\n\r\n", step::bad},
      {"section 7.1.2: trailers without end", "0\r\n" + times(3000, "A: b\r\n"), step::bad},
      {"RFC 9110 section 15.5.14: a chunk beyond the limit, before its data", "3E9\r\n", step::too_large},
      {"RFC 9110 section 15.5.14: the sum beyond the limit",
       "3E7\r\n" + times(999, "a") + "\r\n2\r\n", step::too_large, times(999, "a")},
      {"RFC 9110 section 15.5.14: exactly the limit",
       "3E8\r\n" + times(1000, "a") + "\r\n0\r\n\r\n", step::done, times(1000, "a")},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    for (const std::size_t piece_size : {c.bytes.size() + 1, std::size_t{1}, std::size_t{3}}) {
      CAPTURE(piece_size);
      const auto result = decode(c.bytes, piece_size);
      CHECK(result.last == c.expected);
      CHECK(result.body == c.body);
      if (c.expected == step::more) CHECK(result.consumed == c.bytes.size());
      if (c.expected == step::done) CHECK(c.bytes.substr(result.consumed) == c.next_request);
    }
  }
}

TEST_CASE("the limit of extensions applies to the whole body (CVE-2023-39326)") {
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += "1;" + times(100, "a") + "\r\nx\r\n";

  CHECK(decode(bytes, bytes.size()).last == step::bad);

  limits limits;
  limits.chunk_extension_bytes = 5050;
  CHECK(decode(bytes, bytes.size(), limits).last == step::more);
}

TEST_CASE("after the final result the decoder reads no more bytes") {
  for (const char* bytes : {"0\r\n\r\n", "x", "FFFF\r\n"}) {
    chunked_decoder decoder({}, 10);
    std::size_t consumed = 0;
    std::string body;
    const auto first = decoder.feed(bytes, consumed, body);
    CHECK(first != step::more);

    CHECK(decoder.feed("0\r\n\r\n", consumed, body) == first);
    CHECK(consumed == 0);
  }
}
