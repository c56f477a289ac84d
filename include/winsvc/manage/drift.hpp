// Drift: finds the differences between the installed service and the configuration that the program would install.
// `doctor` reports them, `status` shows them, `update` removes them.
//
//   const auto found = find_drift(context, installed);      // installed: an installation that was read
//   for (const auto& change : found->differences) print(change.name + ": " + change.from + " -> " + change.to);
#pragma once

#include <string>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/query_installed.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

struct drift {
  std::vector<manage::config_change> differences;
  std::vector<std::string> unreadable;  ///< settings that the caller may not read, or that Windows does not support
};

/// Fails if the account that the app names is invalid.
[[nodiscard]] result<drift> find_drift(const verb_context& context, const manage::installation& installed);

/// One line for each difference; empty if there is no drift, or if it cannot be read.
[[nodiscard]] std::vector<std::string> drift_lines(verb_context& context);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE result<drift> find_drift(const verb_context& context, const manage::installation& installed) {
  const auto desired = manage::desired_installation({}, context.spec(), &installed, context.defaults());
  if (!desired) return failure{desired.error()};
  drift found;
  for (auto& change : manage::plan_install(&installed, *desired, context.defaults()).changes) {
    if (change.from == "unknown") found.unreadable.push_back(std::move(change.name));
    else found.differences.push_back(std::move(change));
  }
  return found;
}
WINSVC_INLINE std::vector<std::string> drift_lines(verb_context& context) {
  std::vector<std::string> lines;
  const auto service = query_installed(context, {}, "query");
  if (!service || !service->installation) return lines;
  if (const auto found = find_drift(context, *service->installation)) {
    for (const auto& change : found->differences) lines.push_back(manage::format_drift(change));
  }
  return lines;
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
