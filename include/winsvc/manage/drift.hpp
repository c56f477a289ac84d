// Drift: where what is installed is not what the program would install. `doctor` finds it, `status` shows it, `update`
// ends it.
#pragma once

#include <string>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/query_installed.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

struct drift {
  std::vector<model::config_change> differences;
  std::vector<std::string> unreadable;  ///< what Windows does not show to whoever asks, or does not know
};

/// Fails where the account that the app names is none.
[[nodiscard]] result<drift> find_drift(const verb_context& context, const model::installation& installed);

/// For a screen: nothing where there is none, or where it cannot be seen.
[[nodiscard]] std::vector<std::string> drift_lines(verb_context& context);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<drift> find_drift(const verb_context& context, const model::installation& installed) {
  const auto desired = model::desired_installation({}, context.spec(), &installed, context.defaults());
  if (!desired) return failure{desired.error()};
  drift found;
  for (auto& c : model::plan_install(&installed, *desired, context.defaults()).changes) {
    if (c.from == "unknown") found.unreadable.push_back(std::move(c.name));
    else found.differences.push_back(std::move(c));
  }
  return found;
}
WINSVC_INLINE std::vector<std::string> drift_lines(verb_context& context) {
  std::vector<std::string> lines;
  const auto seen = query_installed(context, {}, "look at");
  if (!seen || !seen->installation) return lines;
  if (const auto found = find_drift(context, *seen->installation)) {
    for (const auto& c : found->differences) lines.push_back(model::format_drift(c));
  }
  return lines;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
