// Which of the firewall's rules let others reach a program that listens.
#include "winsvc/diagnose/firewall.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::model::check_firewall;

namespace {

const std::string program = "C:\\apps\\hello.exe";
std::string text(const std::vector<std::string>& rules, std::uint16_t port = 5001) {
  const auto found = check_firewall(rules, program, port);
  std::string out;
  for (const auto& name : found.allow) out += "+" + name;
  for (const auto& name : found.block) out += "-" + name;
  return out;
}

}  // namespace

TEST_CASE("a rule fits by program and port, each of which it may leave open") {
  CHECK(text({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|App=c:\\APPS\\hello.exe|Name=hello|"}) == "+hello");
  CHECK(text({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=80|LPort=5001|Name=two|"}) == "+two");
  CHECK(text({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=5000-5010|Name=range|"}) == "+range");
  CHECK(text({"v2.30|Action=Allow|Active=TRUE|Dir=In|App=C:\\apps\\hello.exe|Name=program|"}) == "+program");
  CHECK(text({"v2.30|Action=Allow|Active=TRUE|Dir=In|Name=all|"}) == "+all");
}

TEST_CASE("a rule for another port, program, protocol, direction or service does not fit, nor one that is switched off") {
  for (const char* other : {"Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5002|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=RPC|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=5002-5010|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=5001|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=C:\\other.exe|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=Out|Protocol=6|LPort=5001|Name=x|",
                            "Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=5001|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|Svc=upnphost|Name=x|", "", "Name"}) {
    CAPTURE(other);
    CHECK(text({"v2.30|" + std::string(other)}) == "");
  }
}

TEST_CASE("rules that block are told apart: they win") {
  CHECK(text({"v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=6|App=C:\\apps\\hello.exe|Name=asked once|",
              "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|Name=hello|"}) == "+hello-asked once");
}
