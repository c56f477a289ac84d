// Listening sockets of a host with several addresses, over loopback and with a listen function that fails.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace winsvc;
using detail::os::listen_on;
using detail::os::tcp_socket;
using strings = std::vector<std::string>;

namespace {

constexpr std::uint32_t in_use = 10048, no_access = 10013, no_family = 10047, no_address = 10049;

/// Fails for the addresses in `codes`, and listens on a free port of 127.0.0.1 instead of any other address.
struct fake_machine {
  std::map<std::string, std::uint32_t> codes;
  std::vector<detail::os::endpoint> calls;

  detail::os::listening listen(const std::string& host, std::uint16_t port = 0) {
    return listen_on(host, port, [this](const std::string& address, std::uint16_t wanted) {
      calls.push_back({address, wanted});
      const auto code = codes.find(address);
      if (code != codes.end())
        return detail::os::sys_result<tcp_socket>(detail::os::sys_failure(code->second));
      return tcp_socket::listen("127.0.0.1", 0);
    });
  }
};

bool has_ipv6() { return static_cast<bool>(tcp_socket::listen("::1", 0)); }

}  // namespace

TEST_CASE("localhost in any case has an address of each family, and another host has its own only") {
  CHECK(detail::os::listen_addresses_of("localhost").addresses == strings{"127.0.0.1", "::1"});
  CHECK(detail::os::listen_addresses_of("LocalHost").addresses == strings{"127.0.0.1", "::1"});
  for (const char* host : {"127.0.0.1", "::1", "0.0.0.0", "printer", "localhost.example", ""})
    CHECK(detail::os::listen_addresses_of(host).addresses == strings{host});
}

TEST_CASE("localhost accepts clients of both families on one port") {
  if (!has_ipv6()) return;
  const auto opened = listen_on("localhost", 0);

  REQUIRE(!opened.failure);
  REQUIRE(opened.sockets.size() == 2);
  CHECK(opened.sockets[0].local().host == "127.0.0.1");
  CHECK(opened.sockets[1].local().host == "::1");
  const auto port = opened.sockets[0].local().port;
  CHECK(opened.sockets[1].local().port == port);
  for (const char* address : {"127.0.0.1", "::1"})
    CHECK(tcp_socket::connect({address, port}, std::chrono::seconds(5)));
}

TEST_CASE("the address :: accepts clients of both families") {
  if (!has_ipv6()) return;
  const auto opened = listen_on("::", 0);

  REQUIRE(!opened.failure);
  REQUIRE(opened.sockets.size() == 1);
  for (const char* address : {"127.0.0.1", "::1"})
    CHECK(tcp_socket::connect({address, opened.sockets[0].local().port}, std::chrono::seconds(5)));
}

TEST_CASE("a port of localhost that is in use in one family fails, and the error has this address") {
  if (!has_ipv6()) return;
  for (const char* address : {"127.0.0.1", "::1"}) {
    CAPTURE(address);
    const auto taken = tcp_socket::listen(address, 0);
    REQUIRE(taken);

    const auto opened = listen_on("localhost", taken->local().port);

    REQUIRE(opened.failure);
    CHECK(opened.sockets.empty());
    CHECK(opened.failure->code == in_use);
    CHECK(opened.failure->address.host == address);
    const std::string text = detail::os::listen_error("localhost", *opened.failure).to_string();
    CHECK(text.find("listen on '" + taken->local().text() + "': the port is taken") == 0);
    CHECK(text.find("host 'localhost' needs the port on 127.0.0.1 and ::1") != text.npos);
  }
}

TEST_CASE("a family of localhost that the machine lacks is skipped and listed") {
  for (const auto code : {no_family, no_address, 11001u, 11004u}) {
    CAPTURE(code);
    fake_machine machine{{{"::1", code}}, {}};
    const auto opened = machine.listen("localhost");
    REQUIRE(!opened.failure);
    CHECK(opened.sockets.size() == 1);
    REQUIRE(opened.missing.size() == 1);
    CHECK(opened.missing[0].address.host == "::1");
    CHECK(opened.missing[0].code == code);
  }
  fake_machine without_ipv4{{{"127.0.0.1", no_family}}, {}};
  CHECK(without_ipv4.listen("localhost", 5001).sockets.size() == 1);
  CHECK(without_ipv4.calls.back().text() == "[::1]:5001");
}

TEST_CASE("localhost fails if the machine has neither family, with the code of the first address") {
  fake_machine machine{{{"127.0.0.1", no_address}, {"::1", no_family}}, {}};
  const auto opened = machine.listen("localhost", 5001);
  REQUIRE(opened.failure);
  CHECK(opened.failure->code == no_address);
  CHECK(opened.failure->address.text() == "127.0.0.1:5001");
}

TEST_CASE("the address :: becomes 0.0.0.0 on a machine without IPv6, and no other address is replaced") {
  fake_machine machine{{{"::", no_family}, {"::1", no_family}}, {}};
  const auto opened = machine.listen("::", 5001);
  REQUIRE(!opened.failure);
  CHECK(machine.calls.back().text() == "0.0.0.0:5001");
  CHECK(opened.missing.size() == 1);
  CHECK(machine.listen("::1", 5001).failure->code == no_family);

  fake_machine busy{{{"::", in_use}}, {}};
  CHECK(busy.listen("::", 5001).failure->code == in_use);
  CHECK(busy.calls.size() == 1);
}

TEST_CASE("if the second family has the selected port in use, port 0 selects another one") {
  int attempts = 0;
  const auto opened = listen_on("localhost", 0, [&](const std::string& address, std::uint16_t port) {
    if (address == "127.0.0.1") {
      CHECK(port == 0);
      return tcp_socket::listen(address, 0);
    }
    CHECK(port != 0);
    ++attempts;
    if (attempts < 3) {
      const auto code = attempts == 1 ? in_use : no_access;
      return detail::os::sys_result<tcp_socket>(detail::os::sys_failure(code));
    }
    return tcp_socket::listen("127.0.0.1", 0);
  });
  CHECK(!opened.failure);
  CHECK(attempts == 3);

  fake_machine machine{{{"::1", in_use}}, {}};
  CHECK(machine.listen("localhost", 0).failure->code == in_use);  // it ends
  const auto calls = machine.calls.size();
  CHECK(machine.listen("localhost", 5001).failure->code == in_use);
  CHECK(machine.calls.size() == calls + 2);  // a fixed port is tried once
}
