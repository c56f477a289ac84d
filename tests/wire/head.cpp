// Tests of the normalized fields of a head that was not parsed: each rule alone.
#include "winsvc/wire/head.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::wire;
using framing_kind = winsvc::detail::wire::framing;
using winsvc::detail::route::method;

namespace {

std::string normalized(const head& h) {
  std::string out;
  for_each_normalized_field(h, [&](std::string_view name, std::string_view value) {
    out += std::string(name) + '=' + std::string(value) + '|';
    CHECK(normalized_value(h, name) == value);
  });
  return out;
}

head with(std::vector<field> fields) {
  head h;
  h.host = "h";
  h.fields = std::move(fields);
  for (std::size_t i = 0; i < h.fields.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k)
      h.has_repeated_names |= winsvc::detail::base::equal_nocase(h.fields[i].name, h.fields[k].name);
  }
  return h;
}

}  // namespace

TEST_CASE("a head without parsing is a GET of HTTP/1.1 without a body on a connection that stays open") {
  const head h;
  CHECK(h.minor_version == 1);
  CHECK(h.framing == framing_kind::none);
  CHECK(h.content_length == 0);
  CHECK(h.keep_alive);
  CHECK_FALSE(h.expect_continue);
  CHECK_FALSE(h.has_repeated_names);
  CHECK_FALSE(h.upgrade);
  CHECK(h.method_id == method::get);
}

TEST_CASE("the fields of framing are known, in any case, and no others of their length") {
  for (const char* name : {"TE", "te", "Trailer", "Connection", "Keep-Alive", "Content-Length", "Proxy-Connection",
                           "Transfer-Encoding", "TRANSFER-ENCODING"})
    CHECK(is_framing_field(name));
  for (const char* name : {"", "DN", "Upgrade", "Expect", "Connectioo", "Content-Lengto", "Proxy-Connectioo",
                           "Transfer-Encodino", "Trailes", "Host"})
    CHECK_FALSE(is_framing_field(name));
}

TEST_CASE("the fields of the connection are omitted, and names of the same length are forwarded") {
  CHECK(normalized(with({{"Host", "h"}, {"Expect", "100-continue"}, {"Cookie", "a=1"}, {"TE", "x"}, {"Upgrade", "b"},
                         {"Referer", "r"}, {"Allow", "GET"}, {"Trailer", "x"}, {"Range", "bytes=0-1"}})) ==
        "Host=h|Cookie=a=1|Referer=r|Allow=GET|Range=bytes=0-1|");
}

TEST_CASE("Upgrade is forwarded, and Connection written, only if the client may get another protocol") {
  head h = with({{"Host", "h"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
  h.upgrade = true;
  CHECK(normalized(h) == "Host=h|Upgrade=websocket|Connection=Upgrade|");
  h.upgrade = false;
  CHECK(normalized(h) == "Host=h|");
  h.keep_alive = false;
  CHECK(normalized(h) == "Host=h|Connection=close|");
  h.keep_alive = true;
  h.minor_version = 0;
  CHECK(normalized(h) == "Host=h|Connection=Keep-Alive|");
}

TEST_CASE("Range is forwarded if it occurs once, counts bytes and the method is GET or HEAD") {
  head h = with({{"Host", "h"}, {"Range", "BYTES=0-1"}});
  CHECK(normalized_value(h, "range") == "BYTES=0-1");
  h.method_id = method::head;
  CHECK(normalized_value(h, "Range") == "BYTES=0-1");
  h.method_id = method::post;
  CHECK_FALSE(normalized_value(h, "Range"));
  CHECK_FALSE(normalized_value(with({{"Range", "items=0-1"}}), "Range"));
  CHECK_FALSE(normalized_value(with({{"Range", "bytes=0-1"}, {"range", "bytes=4-5"}}), "Range"));
  CHECK(normalized_value(with({{"Range", "bytes=0-1"}, {"X", "bytes=0-1"}}), "Range") == "bytes=0-1");
}

TEST_CASE("lines of one name are joined in their order, without empty ones") {
  CHECK(normalized(with({{"Host", "h"}, {"a", "1"}, {"Cookie", "x=1"}, {"A", ""}, {"b", ""}, {"A", "2"},
                         {"cookie", "y=2"}, {"B", ""}})) == "Host=h|a=1, 2|Cookie=x=1; y=2|b=|");
  CHECK(normalized_value(with({{"a", ""}, {"A", "2"}, {"a", ""}, {"a", "3"}}), "A") == "2, 3");
  CHECK_FALSE(normalized_value(with({{"a", "1"}}), "b"));
  CHECK(with({{"a", "1"}, {"A", "2"}}).find("A") == "1");
  CHECK_FALSE(with({{"a", "1"}}).find("b"));
}

TEST_CASE("the host of a URL replaces the Host field, also among repeated names, and is written without one") {
  head h = with({{"Host", "other"}, {"a", "1"}});
  CHECK(normalized(h) == "Host=h|a=1|");
  h = with({{"Host", "other"}, {"a", "1"}, {"a", "2"}});
  CHECK(normalized(h) == "Host=h|a=1, 2|");
  CHECK(normalized(with({{"a", "1"}})) == "Host=h|a=1|");
  h = with({{"a", "1"}});
  h.host = {};
  CHECK(normalized(h) == "a=1|");
}

TEST_CASE("the framing is written once, and a method that usually has a body gets a length of 0") {
  head h = with({{"Host", "h"}, {"Content-Length", "7"}});
  CHECK(normalized(h) == "Host=h|");
  h.framing = framing_kind::length;
  h.content_length = 7;
  CHECK(normalized(h) == "Host=h|Content-Length=7|");
  h.framing = framing_kind::chunked;
  CHECK(normalized(h) == "Host=h|Transfer-Encoding=chunked|");
  h.framing = framing_kind::none;
  h.content_length = 0;
  for (const auto m : {method::post, method::put, method::patch, method::del}) {
    h.method_id = m;
    CHECK(normalized(h) == "Host=h|Content-Length=0|");
  }
  for (const auto m : {method::get, method::head, method::options}) {
    h.method_id = m;
    CHECK(normalized(h) == "Host=h|");
  }
}
