// Tests of the check of the firewall rules for a program that listens.
#include "winsvc/diagnose/firewall.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::detail::diagnose::check_firewall;

namespace {

const std::string program = "C:\\apps\\hello.exe";
/// Returns the matching rules: +name for a rule that allows, -name for a rule that blocks.
std::string matching(const std::vector<std::string>& rules, std::uint16_t port = 5001) {
  const auto findings = check_firewall(rules, program, port);
  std::string out;
  for (const auto& name : findings.allow) out += "+" + name;
  for (const auto& name : findings.block) out += "-" + name;
  return out;
}

}  // namespace

TEST_CASE("a rule matches by program and port, and a missing field matches everything") {
  CHECK(matching({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|App=c:\\APPS\\hello.exe|Name=hello|"}) ==
        "+hello");
  CHECK(matching({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=80|LPort=5001|Name=two|"}) == "+two");
  CHECK(matching({"v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=5000-5010|Name=range|"}) == "+range");
  CHECK(matching({"v2.30|Action=Allow|Active=TRUE|Dir=In|App=C:\\apps\\hello.exe|Name=program|"}) == "+program");
  CHECK(matching({"v2.30|Action=Allow|Active=TRUE|Dir=In|Name=all|"}) == "+all");
}

TEST_CASE("a rule for another port, program, protocol or direction, or an inactive rule, does not match") {
  for (const char* other : {"Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5002|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=RPC|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=5002-5010|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=5001|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=C:\\other.exe|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=Out|Protocol=6|LPort=5001|Name=x|",
                            "Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=5001|Name=x|",
                            "Action=Allow|Active=TRUE|Dir=In|Protocol=6|Svc=upnphost|Name=x|", "", "Name"}) {
    CAPTURE(other);
    CHECK(matching({"v2.30|" + std::string(other)}) == "");
  }
}

TEST_CASE("rules that block are reported separately from rules that allow") {
  CHECK(matching({"v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=6|App=C:\\apps\\hello.exe|Name=other|",
                  "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|Name=hello|"}) == "+hello-other");
}
