// The chunked decoder, rule by rule; every case is fed at once and byte by byte, to the same end.
#include "winsvc/wire/chunked.hpp"

#include <doctest/doctest.h>

using namespace winsvc::wire;
using step = chunked_decoder::step;

namespace {

struct verdict {
  step last = step::more;
  std::size_t consumed = 0;
  std::string body;
};

verdict fed(std::string_view bytes, std::size_t chunk_size, const limits& bounds = {}, std::uint64_t limit = 1000) {
  chunked_decoder decoder(bounds, limit);
  verdict v;
  while (v.last == step::more && v.consumed < bytes.size()) {
    std::size_t consumed = 0;
    v.last = decoder.feed(bytes.substr(v.consumed, chunk_size), consumed, v.body);
    v.consumed += consumed;
  }
  return v;
}

struct chunk_case {
  const char* name;
  std::string bytes;
  step is;
  std::string body = {};
  std::string rest = {};  // what must be left for the next request
};

std::string times(int n, const char* s) {
  std::string out;
  while (n-- > 0) out += s;
  return out;
}

}  // namespace

TEST_CASE("chunked bodies are decoded or refused as RFC 9112 §7.1 says") {
  const chunk_case cases[] = {
      {"§7.1 an empty body", "0\r\n\r\n", step::done, ""},
      {"§7.1 one chunk", "5\r\nhello\r\n0\r\n\r\n", step::done, "hello"},
      {"§7.1 two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", step::done, "hello world"},
      {"§7.1 digits in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", step::done,
       "01234567890123456789"},
      {"§7.1 leading zeros within eight digits", "00000003\r\nabc\r\n000\r\n\r\n", step::done, "abc"},
      {"§7.1 data may hold CRLF", "4\r\n\r\n\r\n\r\n0\r\n\r\n", step::done, "\r\n\r\n"},
      {"§9.3.2 what follows is the next request", "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", step::done, "x",
       "GET / HTTP/1.1\r\n"},
      {"§7.1.1 extensions are dropped", "1;a=b;c=\"d;e\"\r\nx\r\n0;last\r\n\r\n", step::done, "x"},
      {"§7.1.1 bad whitespace before an extension", "1 \t;a\r\nx\r\n0\r\n\r\n", step::done, "x"},
      {"§7.1.2 trailers are dropped", "0\r\nX-Sum: 1\r\nA:\r\n\r\n", step::done, ""},
      {"§7.1.2 a trailer cannot frame the next request", "0\r\nContent-Length: 9\r\n\r\nrest", step::done, "", "rest"},
      {"§7.1 nothing yet", "", step::more},
      {"§7.1 cut in a size", "5", step::more},
      {"§7.1 cut in data", "5\r\nhel", step::more, "hel"},
      {"§7.1 cut before the last line", "0\r\n", step::more},
      {"§7.1 cut in the last line", "0\r\n\r", step::more},

      {"§7.1 no digit", "\r\n", step::bad},
      {"§7.1 not a hex digit", "g\r\n", step::bad},
      {"§7.1 a minus", "-2\r\n", step::bad},
      {"§7.1 a plus", "+2\r\n", step::bad},
      {"§7.1 0x", "0x3\r\nabc\r\n", step::bad},
      {"§7.1 a blank before the size", " 3\r\nabc\r\n", step::bad},
      {"§7.1 a blank after the size", "3 \r\nabc\r\n", step::bad},
      {"§7.1 two numbers", "3 3\r\nabc\r\n", step::bad},
      {"§7.1 an underscore", "1_0\r\n", step::bad},
      {"§7.1 nine digits", "000000003\r\nabc\r\n", step::bad},
      {"§7.1 an overflow", "FFFFFFFFFFFFFFFFF\r\n", step::bad},
      {"§2.2 bare LF after the size", "3\nabc\r\n", step::bad},
      {"§2.2 bare CR after the size", "3\rabc\r\n", step::bad},
      {"§2.2 two CR after the size", "3\r\r\nabc\r\n", step::bad},
      {"§7.1 data longer than its size", "3\r\nabcd\r\n", step::bad, "abc"},
      {"§7.1 data without its CRLF", "3\r\nabc0\r\n\r\n", step::bad, "abc"},
      {"§7.1 another byte for the CR after data", "3\r\nabcX\n0\r\n\r\n", step::bad, "abc"},
      {"§7.1 another byte for the LF after data", "3\r\nabc\rX0\r\n\r\n", step::bad, "abc"},
      {"§2.2 bare LF after data", "3\r\nabc\n0\r\n\r\n", step::bad, "abc"},
      {"§7.1.1 bare LF in an extension", "3;a\nabc\r\n", step::bad},
      {"§7.1.1 bare CR in an extension", "3;a\rb\r\nabc\r\n", step::bad},
      {"§7.1.1 a control in an extension", "3;a\x01\r\nabc\r\n", step::bad},
      {"§7.1.1 an extension without end", "3;" + times(5000, "a"), step::bad},
      {"§2.2 bare LF at the end", "0\r\n\n", step::bad},
      {"§2.2 bare CR at the end", "0\r\n\rx", step::bad},
      {"§7.1.2 a trailer without a colon", "0\r\nabc\r\n\r\n", step::bad},
      {"§7.1.2 a trailer without a name", "0\r\n: abc\r\n\r\n", step::bad},
      {"§5.1 a blank before the colon", "0\r\nA : b\r\n\r\n", step::bad},
      {"§5.2 a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", step::bad},
      {"§5.5 a control in a trailer", std::string("0\r\nA: b\0c\r\n\r\n", 14), step::bad},
      {"§2.2 bare LF in a trailer", "0\r\nA: b\n\r\n", step::bad},
      {"§7.1.2 trailers without end", "0\r\n" + times(3000, "A: b\r\n"), step::bad},
      {"RFC 9110 §15.5.14 a chunk beyond the limit, before its data", "3E9\r\n", step::too_large},
      {"RFC 9110 §15.5.14 the sum beyond the limit",
       "3E7\r\n" + times(999, "a") + "\r\n2\r\n", step::too_large, times(999, "a")},
      {"RFC 9110 §15.5.14 exactly the limit",
       "3E8\r\n" + times(1000, "a") + "\r\n0\r\n\r\n", step::done, times(1000, "a")},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    for (const std::size_t chunk_size : {c.bytes.size() + 1, std::size_t{1}, std::size_t{3}}) {
      CAPTURE(chunk_size);
      const auto result = fed(c.bytes, chunk_size);
      CHECK(result.last == c.is);
      CHECK(result.body == c.body);
      if (c.is == step::more) CHECK(result.consumed == c.bytes.size());
      if (c.is == step::done) CHECK(c.bytes.substr(result.consumed) == c.rest);
    }
  }
}

TEST_CASE("extensions are counted over the whole body (CVE-2023-39326)") {
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += "1;" + times(100, "a") + "\r\nx\r\n";

  CHECK(fed(bytes, bytes.size()).last == step::bad);

  limits wide;
  wide.chunk_extension_bytes = 5050;
  CHECK(fed(bytes, bytes.size(), wide).last == step::more);
}

TEST_CASE("a verdict is final, and takes no more bytes") {
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
