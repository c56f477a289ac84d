// Tests of the fields of proxies: Forwarded and X-Forwarded-*.
#include <winsvc/wire/forwarded.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::wire;
using winsvc::ip_range;

namespace {

const std::vector<ip_range> trusted{*ip_range::parse("127.0.0.0/8"), *ip_range::parse("10.0.0.0/8")};

std::string read(const forwarding_fields& fields, const char* peer = "127.0.0.1") {
  const auto report = read_forwarding_fields(peer, fields, trusted);
  return report.client + '|' + report.scheme + '|' + report.host + '|' + report.prefix;
}

}  // namespace

TEST_CASE("the fields of a trusted proxy are believed, those of another peer are not") {
  CHECK(read({"", "203.0.113.9", "https", "a.example", "/app/"}) == "203.0.113.9|https|a.example|/app");
  CHECK(read({"", "203.0.113.9", "https", "a.example", "/app"}, "8.8.8.8") == "8.8.8.8|||");
  CHECK(read({"for=203.0.113.9;proto=https;host=a.example", "", "", "", ""}) == "203.0.113.9|https|a.example|");
  CHECK(read({"For=\"[2001:db8::1]:47011\";Proto=HTTPS", "", "", "", ""}) == "2001:db8::1|https||");
  CHECK(read({"for=203.0.113.9;host=\"\\a.exampl\\e\"", "", "", "", ""}) == "203.0.113.9||a.example|");
  CHECK(read({"for=203.0.113.9;by=\"\"", "", "", "", ""}) == "203.0.113.9|||");
  CHECK(read({"", "", "https", "", "/app"}) == "127.0.0.1|https||/app");
  CHECK(read({"", "203.0.113.9", "wss", "", ""}) == "203.0.113.9|https||");  // of a WebSocket
  CHECK(read({"", "203.0.113.9", "WS", "", ""}) == "203.0.113.9|http||");
  CHECK(read({"for=203.0.113.9;proto=wss", "", "", "", ""}) == "203.0.113.9|https||");
}

TEST_CASE("lists are read from the right, up to the first address that is not trusted") {
  CHECK(read({"", "1.1.1.1, 203.0.113.9", "https, http", "", ""}) == "203.0.113.9|http||");
  CHECK(read({"", "203.0.113.9, 10.0.0.1", "https, http", "", ""}) == "203.0.113.9|https||");
  CHECK(read({"", "203.0.113.9, 10.0.0.1", "https", "", ""}) == "203.0.113.9|https||");
  CHECK(read({"for=1.1.1.1;host=evil.example, for=203.0.113.9;host=a.example", "", "", "", ""}) ==
        "203.0.113.9||a.example|");
  CHECK(read({"for=203.0.113.9;proto=https, for=10.0.0.1;proto=http", "", "", "", ""}) == "203.0.113.9|https||");
  CHECK(read({"for=1.1.1.1, for=unknown", "", "", "", ""}) == "127.0.0.1|||");
  CHECK(read({"for=1.1.1.1, for=_hidden;proto=https", "", "", "", ""}) == "127.0.0.1|https||");
}

TEST_CASE("malformed and contradictory fields are not believed") {
  for (const char* bad : {"for", "for=", "for=203.0.113.9;for=1.1.1.1", "for=\"203.0.113.9", "for=\"203.0.113.9\\\"",
                          "f r=1", "for=a b", "for=[2001:db8::1]"}) {
    CAPTURE(bad);
    CHECK(!parse_forwarded(bad));
    CHECK(read({bad, "", "https", "a.example", ""}) == "127.0.0.1|||");
  }
  CHECK(read({"for=1.1.1.1;host=evil.example", "203.0.113.9", "https", "a.example", "/app"}) == "127.0.0.1|||");
  CHECK(read({"for=203.0.113.9;proto=https", "203.0.113.9", "http", "a.example", ""}) ==
        "203.0.113.9|https|a.example|");
  CHECK(read({"", "203.0.113.9", "ftp", "a b", "//evil.example"}) == "203.0.113.9|||");
  for (const char* bad : {"app", "//evil.example", "/a//b", "/a/../b", "/.", "/a b", "/a\"", "/a?b", "/"}) {
    CAPTURE(bad);
    CHECK(read({"", "203.0.113.9", "", "", bad}) == "203.0.113.9|||");
  }
}
