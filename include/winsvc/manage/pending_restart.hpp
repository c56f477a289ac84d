// Pending restart: the changes that a running process does not use until it is restarted. The file `pending.json` in
// the data folder has those of `update`, with the ID of the process that they concern. The process itself reports the
// others: a program file that was replaced, and settings of the file.
//
//   add_pending_restart(context, pid, {"binary"});
//   pending_restart(context, pid, live_status)       // {"binary"}; empty for another process
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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
/// `live_status`: the response of the process on its control channel, or empty.
[[nodiscard]] std::vector<std::string> pending_restart(const verb_context& context, std::uint32_t pid,
                                                       const std::string& live_status);
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

/// Adds the names of a list with commas that are not in `names` yet.
WINSVC_INLINE void add_names(std::vector<std::string>& names, std::string_view list) {
  for (const auto part : base::split(list, ',')) {
    std::string name(base::trim(part));
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
}

/// The changes of `update`.
WINSVC_INLINE std::vector<std::string> recorded_changes(const verb_context& context, std::uint32_t pid) {
  std::vector<std::string> names;
  const auto content = pid != 0 ? context.read_data("pending.json") : std::nullopt;
  const auto members = content ? base::parse_flat_object(*content) : std::nullopt;
  if (members && base::number_of(*members, "pid") == pid) add_names(names, base::text_of(*members, "changes"));
  return names;
}

WINSVC_INLINE std::vector<std::string> pending_restart(const verb_context& context, std::uint32_t pid,
                                                       const std::string& live_status) {
  auto names = recorded_changes(context, pid);
  const auto members = pid != 0 ? base::parse_flat_object(live_status) : std::nullopt;
  if (members && base::number_of(*members, "pid") == pid) add_names(names, base::text_of(*members, "pending_restart"));
  return names;
}

WINSVC_INLINE void add_pending_restart(const verb_context& context, std::uint32_t pid,
                                       const std::vector<std::string>& names) {
  auto all = recorded_changes(context, pid);
  add_names(all, base::join(names, ","));
  base::json_object_writer json;
  json.put("pid", std::to_string(pid)).put_text("changes", base::join(all, ", "));
  context.try_write_data("pending.json", json.text() + '\n', "'status' will not show that a restart is necessary");
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
