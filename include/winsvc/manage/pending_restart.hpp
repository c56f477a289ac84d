// Pending restart: the changes of `update` that a running process does not use until it is restarted. The file
// `pending.json` in the data folder has them, with the ID of the process that they concern.
//
//   add_pending_restart(context, pid, {"binary"});
//   pending_restart(context, pid)                    // {"binary"}; empty for another process
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "winsvc/base/flat_json.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/verb_context.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// True if a running process does not use a change of this item. The others concern the service manager only.
[[nodiscard]] constexpr bool needs_restart(config_item item) noexcept {
  switch (item) {
    case config_item::binary:
    case config_item::account:
    case config_item::password:
    case config_item::environment:
    case config_item::service_sid:
    case config_item::privileges:
    case config_item::logon_right: return true;
    default: return false;
  }
}

/// Returns the names of the pending changes of a process; empty without pending changes, or if `pid` is 0.
[[nodiscard]] std::vector<std::string> pending_restart(const verb_context& context, std::uint32_t pid);
/// Adds changes to those of this process.
void add_pending_restart(const verb_context& context, std::uint32_t pid, const std::vector<std::string>& names);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE std::vector<std::string> pending_restart(const verb_context& context, std::uint32_t pid) {
  std::vector<std::string> names;
  const auto content = pid != 0 ? context.read_data("pending.json") : std::nullopt;
  const auto members = content ? base::parse_flat_object(*content) : std::nullopt;
  if (!members || base::number_of(*members, "pid") != pid) return names;
  const std::string changes = base::text_of(*members, "changes");
  for (const auto name : base::split(changes, ',')) names.emplace_back(base::trim(name));
  return names;
}

WINSVC_INLINE void add_pending_restart(const verb_context& context, std::uint32_t pid,
                                       const std::vector<std::string>& names) {
  auto all = pending_restart(context, pid);
  for (const auto& name : names) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
  base::json_object_writer json;
  json.put("pid", std::to_string(pid)).put_text("changes", base::join(all, ", "));
  context.write_data("pending.json", json.text() + '\n');
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
