// Drift: where what is installed is not what the program would install. `doctor` finds it, `status` shows it, `update`
// ends it.
#pragma once

#include <string>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/survey.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

struct drift {
  std::vector<model::change> differs;
  std::vector<std::string> unseen;  ///< what Windows does not show to whoever asks, or does not know
};

/// Fails where the account that the app names is none.
[[nodiscard]] result<drift> drift_of(const desk& at, const model::installation& there);

/// For a screen: nothing where there is none, or where it cannot be seen.
[[nodiscard]] std::vector<std::string> drift_lines(desk& at);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<drift> drift_of(const desk& at, const model::installation& there) {
  const auto wanted = model::wanted_installation({}, at.spec(), &there, at.ours());
  if (!wanted) return failure{wanted.error()};
  drift found;
  for (auto& c : model::plan_install(&there, *wanted, at.ours()).changes) {
    if (c.from == "unknown") found.unseen.push_back(std::move(c.name));
    else found.differs.push_back(std::move(c));
  }
  return found;
}
WINSVC_INLINE std::vector<std::string> drift_lines(desk& at) {
  std::vector<std::string> lines;
  const auto seen = survey(at, {}, "look at");
  if (!seen || !seen->there) return lines;
  if (const auto found = drift_of(at, *seen->there)) {
    for (const auto& c : found->differs) lines.push_back(model::drift_text(c));
  }
  return lines;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
