// Windows' firewall, as far as it concerns one program that listens: do its rules let others in?
//
//   const auto rules = ...;                      // "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=5001|..."
//   const auto view = check_firewall(rules, R"(C:\apps\hello.exe)", 5001);
//
// A rule that blocks wins over one that allows, and what no rule names is kept out. Profiles, addresses and interfaces
// that a rule is narrowed to are not weighed: what it lets in, it lets in from somewhere.
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
namespace model {

/// The names of rules that fit.
struct firewall_findings {
  std::vector<std::string> allow, block;
};

/// `rules` as the registry has them; `program` is a path, compared without regard to case.
[[nodiscard]] firewall_findings check_firewall(const std::vector<std::string>& rules, std::string_view program,
                                              std::uint16_t port);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// `5001`, or `5000-5010`.
WINSVC_INLINE bool covers(std::string_view ports, std::uint16_t port) noexcept {
  const auto dash = ports.find('-');
  std::uint64_t first = 0, last = 0;
  if (!strings::parse_number(ports.substr(0, dash), 65'535, first)) return false;  // a word: `RPC`, `IPHTTPSIn`
  last = first;
  if (dash != ports.npos && !strings::parse_number(ports.substr(dash + 1), 65'535, last)) return false;
  return first <= port && port <= last;
}

WINSVC_INLINE firewall_findings check_firewall(const std::vector<std::string>& rules, std::string_view program,
                                       std::uint16_t port) {
  firewall_findings found;
  for (const auto& rule : rules) {
    bool active = false, in = false, allows = false, blocks = false;
    bool protocol_fits = true, program_fits = true, other = false;  // what is not named fits all
    bool names_ports = false, port_fits = false;
    std::string_view name;
    for (const auto field : strings::split(rule, '|')) {
      const auto equals = field.find('=');
      if (equals == field.npos) continue;
      const auto key = field.substr(0, equals), value = field.substr(equals + 1);
      if (key == "Active") active = value == "TRUE";
      if (key == "Dir") in = value == "In";
      if (key == "Action") allows = value == "Allow", blocks = value == "Block";
      if (key == "Protocol") protocol_fits = value == "6";
      if (key == "App") program_fits = strings::equal_nocase(value, program);
      if (key == "Svc" || key == "AppPkgId") other = other || value != "*";
      if (key == "Name") name = value;
      if (key == "LPort" || key == "LPort2_10") {
        names_ports = true;
        port_fits = port_fits || covers(value, port);
      }
    }
    if (!active || !in || !protocol_fits || !program_fits || other || (names_ports && !port_fits)) continue;
    if (allows) found.allow.emplace_back(name);
    if (blocks) found.block.emplace_back(name);
  }
  return found;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
