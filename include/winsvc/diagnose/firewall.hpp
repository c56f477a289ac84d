// Firewall check: finds the rules of Windows Firewall that allow or block connections to a program on a TCP port.
//
//   const auto rules = ...;                      // "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|..."
//   const auto findings = check_firewall(rules, R"(C:\apps\hello.exe)", 5001);
//
// In Windows, a rule that blocks overrides a rule that allows, and a connection without a matching rule is blocked.
// This check ignores profiles, addresses and interfaces of a rule: a rule that allows some clients counts as one that
// allows.
//
// Source: "Firewall Rule and the Firewall Rule Grammar Rule" in [MS-GPFAS].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Names of the rules that match.
struct firewall_findings {
  std::vector<std::string> allow, block;
};

/// Returns the rules that match. `rules`: in the form of the registry. `program`: path of the executable, compared
/// without regard to case.
[[nodiscard]] firewall_findings check_firewall(const std::vector<std::string>& rules, std::string_view program,
                                               std::uint16_t port);

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// True if `ports`, such as `5001` or `5000-5010`, contains `port`.
WINSVC_INLINE bool covers(std::string_view ports, std::uint16_t port) noexcept {
  const auto dash = ports.find('-');
  std::uint64_t first = 0, last = 0;
  if (!base::parse_number(ports.substr(0, dash), 65'535, first)) return false;  // a keyword: `RPC`, `IPHTTPSIn`
  last = first;
  if (dash != ports.npos && !base::parse_number(ports.substr(dash + 1), 65'535, last)) return false;
  return first <= port && port <= last;
}

WINSVC_INLINE firewall_findings check_firewall(const std::vector<std::string>& rules, std::string_view program,
                                               std::uint16_t port) {
  firewall_findings findings;
  for (const auto& rule : rules) {
    bool active = false, inbound = false, allows = false, blocks = false;
    bool protocol_matches = true, program_matches = true, is_for_service = false;  // a missing field matches everything
    bool has_ports = false, port_matches = false;
    std::string_view name;
    for (const auto field : base::split(rule, '|')) {
      const auto equals = field.find('=');
      if (equals == field.npos) continue;
      const auto key = field.substr(0, equals), value = field.substr(equals + 1);
      if (key == "Active") active = value == "TRUE";
      if (key == "Dir") inbound = value == "In";
      if (key == "Action") {
        allows = value == "Allow";
        blocks = value == "Block";
      }
      if (key == "Protocol") protocol_matches = value == "6";
      if (key == "App") program_matches = base::equal_nocase(value, program);
      if (key == "Svc" || key == "AppPkgId") is_for_service = is_for_service || value != "*";
      if (key == "Name") name = value;
      if (key == "LPort" || key == "LPort2_10") {
        has_ports = true;
        port_matches = port_matches || covers(value, port);
      }
    }
    if (!active || !inbound || !protocol_matches || !program_matches || is_for_service) continue;
    if (has_ports && !port_matches) continue;
    if (allows) findings.allow.emplace_back(name);
    if (blocks) findings.block.emplace_back(name);
  }
  return findings;
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
