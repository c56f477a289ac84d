// System probe: the system queries of `doctor` and `why` (firewall, event log, drives) as functions that tests replace.
//
//   system_probe probe;
//   probe.free_space = [](const std::string&) { return 0; };     // in a test: the disk is full
//
// os/probe.hpp has the real functions. The verbs query services with os/service_manager.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// os/probe.hpp and os/input_file.hpp describe each function.
struct system_probe {
  std::function<os::sys_result<std::vector<std::string>>()> firewall_rules = os::firewall_rules;
  std::function<os::sys_result<std::vector<scm::event_record>>()> system_events = os::system_events;
  std::function<bool(const std::string& path)> is_on_network = os::is_on_network;
  std::function<bool(const std::string& path)> lacks_file = os::lacks_file;
  std::function<bool()> is_emulated = os::is_emulated;
  std::function<bool()> is_wine = os::is_wine;
  std::function<std::optional<std::uint64_t>(const std::string& path)> free_space = os::free_space;
};

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
