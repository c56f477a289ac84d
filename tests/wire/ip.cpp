// Tests of IP addresses, ranges, and the client behind proxies.
#include "winsvc/wire/ip.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string_view>
#include <vector>

using winsvc::ip_range;
using winsvc::detail::wire::walk_proxies;
using winsvc::detail::wire::rate_limit_key;

TEST_CASE("IPv4 and IPv6 addresses and ranges are parsed") {
  const auto in = [](const char* range, const char* address) {
    const auto r = winsvc::ip_range::parse(range);
    const auto a = winsvc::parse_ip(address);
    REQUIRE(r);
    REQUIRE(a);
    return r->contains(*a);
  };
  CHECK(in("10.0.0.0/8", "10.255.0.1"));
  CHECK(!in("10.0.0.0/8", "11.0.0.1"));
  CHECK(in("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(in("127.0.0.1", "127.0.0.1"));
  CHECK(!in("127.0.0.1", "127.0.0.2"));
  CHECK(in("192.168.4.0/22", "192.168.7.255"));
  CHECK(!in("192.168.4.0/22", "192.168.8.0"));
  CHECK(in("0.0.0.0/0", "8.8.8.8"));
  CHECK(!in("0.0.0.0/0", "::1"));
  CHECK(in("::/0", "2001:db8::1"));
  CHECK(in("::ffff:0:0/96", "8.8.8.8"));
  CHECK(in("::ffff:8.0.0.0/104", "8.8.8.8"));
  CHECK(!in("::ffff:8.0.0.0/104", "9.8.8.8"));
  CHECK(in("fd00::/8", "fdab::1"));
  CHECK(!in("fd00::/8", "fe80::1"));
  CHECK(in("2001:db8::/33", "2001:db8:7fff::"));
  CHECK(!in("2001:db8::/33", "2001:db8:8000::"));
  for (const char* bad : {"", "10", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.0.0", "a.b.c.d", ":", ":::",
                          "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1.2.3", "fe80::1%eth0",
                          "1:2:3:4:5:6:7::8"}) {
    CAPTURE(bad);
    CHECK(!winsvc::parse_ip(bad));
  }
  for (const char* bad : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "/8"})
    CHECK(!winsvc::ip_range::parse(bad));
}

TEST_CASE("an IPv6 range with a prefix below 96 bits contains no IPv4 address") {
  for (const char* range : {"::/0", "::/64", "::/80", "::/95"}) {
    CAPTURE(range);
    CHECK(!ip_range::parse(range)->contains(*winsvc::parse_ip("8.8.8.8")));
    CHECK(!ip_range::parse(range)->contains(*winsvc::parse_ip("::ffff:8.8.8.8")));
  }
}

TEST_CASE("a range with host bits is rejected") {
  for (const char* bad : {"10.0.0.1/8", "10.0.0.0/6", "192.168.1.0/22", "::1/64", "fd00::/7", "2001:db8:8000::/32"}) {
    CAPTURE(bad);
    CHECK(!ip_range::parse(bad));
  }
  for (const char* good : {"10.0.0.1/32", "0.0.0.0/0", "8.0.0.0/6", "::1/128", "fc00::/7"}) {
    CAPTURE(good);
    CHECK(ip_range::parse(good));
  }
}

TEST_CASE("the client is the rightmost address that is not a trusted proxy") {
  const std::vector<ip_range> trusted{*ip_range::parse("127.0.0.0/8"), *ip_range::parse("10.0.0.0/8"),
                                      *ip_range::parse("fd00::/8")};
  struct { const char* peer; const char* hops; const char* client; } const cases[] = {
      {"127.0.0.1", "", "127.0.0.1"},
      {"127.0.0.1", "203.0.113.9", "203.0.113.9"},
      {"127.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"},
      {"127.0.0.1", "1.1.1.1,203.0.113.9,10.0.0.1, fd00::1", "203.0.113.9"},
      {"127.0.0.1", "10.0.0.2, 10.0.0.1", "10.0.0.2"},
      {"8.8.8.8", "203.0.113.9", "8.8.8.8"},
      {"", "203.0.113.9", ""},
      {"127.0.0.1", "203.0.113.9:4711", "203.0.113.9"},
      {"127.0.0.1", "203.0.113.9, 10.0.0.1:80", "203.0.113.9"},
      {"127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"},
      {"127.0.0.1", "[2001:db8::1]", "2001:db8::1"},
      {"127.0.0.1", "2001:db8::1", "2001:db8::1"},
      {"127.0.0.1", "203.0.113.9,", "203.0.113.9"},
      {"127.0.0.1", ", ,203.0.113.9, , ", "203.0.113.9"},
      {"127.0.0.1", "1.1.1.1, nonsense", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, nonsense, 10.0.0.1", "10.0.0.1"},
      {"127.0.0.1", "1.1.1.1, unknown", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, 203.0.113.9:port", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, 203.0.113.9:99999", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, [2001:db8::1", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, [203.0.113.9]", "127.0.0.1"},
      {"127.0.0.1", "1.1.1.1, [2001:db8::1]x", "127.0.0.1"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.hops);
    std::vector<std::string_view> hops;
    for (const auto hop : winsvc::detail::base::split(c.hops, ',')) {
      if (const auto text = winsvc::detail::base::trim(hop); !text.empty()) hops.push_back(text);
    }
    CHECK(walk_proxies(c.peer, hops, trusted).client == c.client);
  }
}

TEST_CASE("the key of the rate limit is the IPv4 address or the /64 prefix of an IPv6 address") {
  CHECK(rate_limit_key("10.0.0.1") == rate_limit_key("::ffff:10.0.0.1"));
  CHECK(rate_limit_key("10.0.0.1") == rate_limit_key("::ffff:a00:1"));
  CHECK(rate_limit_key("::ffff:10.0.0.1") != rate_limit_key("::ffff:10.0.0.2"));
  CHECK(rate_limit_key("2001:db8:1:0:5:6:7:8") == rate_limit_key("2001:db8:1::7:8"));
  CHECK(rate_limit_key("2001::1:5:6:7:8") != rate_limit_key("2001::2:5:6:7:8"));
  CHECK(rate_limit_key("2001:db8:1:2:3:4:5:6") == rate_limit_key("2001:DB8:1:2::1"));
  CHECK(rate_limit_key("2001:db8:1:2::1") != rate_limit_key("2001:db8:1:3::1"));
  CHECK(rate_limit_key("::1") != rate_limit_key("127.0.0.1"));
  CHECK(rate_limit_key("::1") == rate_limit_key("::2"));
  CHECK(rate_limit_key("1::ffff:10.0.0.1") == rate_limit_key("1::ffff:10.0.0.2"));
}

TEST_CASE("the dotted end of an IPv6 address has all four bytes in their order") {
  CHECK(winsvc::parse_ip("64:ff9b::1.2.3.4") == winsvc::parse_ip("64:ff9b::102:304"));
  CHECK(winsvc::parse_ip("1:2:3:4:5:6:7.8.9.10") == winsvc::parse_ip("1:2:3:4:5:6:708:90a"));
}
