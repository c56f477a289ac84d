// The folders that a service needs, opened to its own SID and to nothing else of it: read and execute where its
// executable lies, modify where its data does. What fails here is a warning, with the command's words for a remedy: the
// service is installed, and may well have these rights already by what it inherits.
#pragma once

#include <optional>
#include <string>

#include "winsvc/base/quote.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What the service may do there now; left unknown where that cannot be seen.
void query_folder_access(verb_context& context, model::installation& installed);
/// Does what is planned for the folders, and drops from the plan what cannot be done. `there`: as it was before, whose
/// executable may have lain elsewhere.
void grant_folder_access(verb_context& context, model::install_plan& plan, const std::optional<model::installation>& installed);
/// Takes what belongs to that SID out of the rights to the folder of `binary`, an ImagePath.
void revoke_folder_access(verb_context& context, const std::string& sid, const std::string& binary);

/// The SID of the service itself, whatever account it runs as. Known only while the service is installed.
[[nodiscard]] os::sys_result<std::string> service_sid(verb_context& context);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE os::sys_result<std::string> service_sid(verb_context& context) {
  return context.scm().account_sid("NT SERVICE\\" + context.name());
}

WINSVC_INLINE bool is_not_found(std::uint32_t code) noexcept { return code == 2 || code == 3; }

WINSVC_INLINE std::string folder_of_binary(const std::string& binary) {
  const auto arguments = split_command_line(binary);
  return arguments.empty() ? std::string() : os::folder_of(arguments[0]);
}

WINSVC_INLINE void query_folder_access(verb_context& context, model::installation& installed) {
  const auto sid = service_sid(context);
  if (!sid) return;
  const auto has = [&context](const std::string& folder, const std::string& entry, bool closed) -> std::optional<bool> {
    const auto security = context.scm().query_folder_security(folder);
    if (security) return model::has_ace(*security, entry) && (!closed || model::is_restricted(*security));
    return is_not_found(security.error()) ? std::optional(false) : std::nullopt;
  };
  installed.can_read_program_folder = has(context.defaults().program_folder, model::read_ace(*sid), false);
  installed.can_modify_data_folder = has(context.defaults().data_folder, model::modify_ace(*sid), true);
}

WINSVC_INLINE std::string error_code_text(std::uint32_t code) { return os::system_error_message(code) + " (" + std::to_string(code) + ")"; }

/// Adds one entry to a folder's rights; the data folder is made where it is not there.
WINSVC_INLINE bool open_folder(verb_context& context, model::config_item item, const std::string& folder, const std::string& sid) {
  const bool data = item == model::config_item::data_folder;
  const std::string right = data ? "modify" : "read", user = "'NT SERVICE\\" + context.name() + '\'';
  const auto now = context.scm().query_folder_security(folder);
  if (!now && !(data && is_not_found(now.error()))) {  // what cannot be read must not be overwritten
    context.warn("the rights to '" + folder + "' cannot be read: " + error_code_text(now.error()) + "; give " + user +
            " the right to " + right + " it by hand");
    return false;
  }
  const std::string sddl = !data ? model::add_ace(model::without_owner(*now), model::read_ace(sid))
                           : now ? model::data_folder_security(*now, sid)
                                 : model::data_folder_security(sid);
  if (const auto done = context.scm().change_folder_security(folder, sddl); !done) {
    context.warn("the right to " + right + " '" + folder + "' is not set: " + error_code_text(done.error()) + "; give it to " +
            user + " by hand");
    return false;
  }
  return true;
}

WINSVC_INLINE void grant_folder_access(verb_context& context, model::install_plan& plan, const std::optional<model::installation>& installed) {
  const auto& defaults = context.defaults();
  if (const auto reason = model::shared_folder_reason(defaults.program_folder);
      !reason.empty() && (plan.creates_service || plan.has(model::config_item::binary))) {
    context.warn("the service gets no right to '" + defaults.program_folder + "', because " + std::string(reason) +
            "; put the program into a folder of its own");
  }
  const bool program = plan.has(model::config_item::program_folder), data = plan.has(model::config_item::data_folder);
  const std::string old_folder = installed && installed->binary ? folder_of_binary(*installed->binary) : std::string();
  const bool moved = !old_folder.empty() && !strings::equal_nocase(old_folder, defaults.program_folder);
  if (!program && !data && !moved) return;

  const auto sid = service_sid(context);
  if (!sid && (program || data)) {
    context.warn("the service's own SID is not to be had: " + error_code_text(sid.error()) + "; give 'NT SERVICE\\" + context.name() +
            "' the right to" + (program ? " read '" + defaults.program_folder + '\'' : "") +
            (program && data ? " and" : "") + (data ? " modify '" + defaults.data_folder + '\'' : "") + " by hand");
  }
  const auto open = [&](model::config_item item, const std::string& folder) {
    if (!sid || !open_folder(context, item, folder, *sid)) plan.remove_item(item);
  };
  if (program) open(model::config_item::program_folder, defaults.program_folder);
  if (data) open(model::config_item::data_folder, defaults.data_folder);
  if (moved && sid) revoke_folder_access(context, *sid, *installed->binary);
}

WINSVC_INLINE void revoke_folder_access(verb_context& context, const std::string& sid, const std::string& binary) {
  const std::string folder = folder_of_binary(binary);
  if (folder.empty() || !model::shared_folder_reason(folder).empty()) return;
  const auto now = context.scm().query_folder_security(folder);
  if (!now) return;  // it is gone, perhaps with the program
  const std::string before = model::without_owner(*now), without = model::remove_aces_of(before, sid);
  if (without == before) return;
  if (const auto done = context.scm().change_folder_security(folder, without); !done) {
    context.warn("the rights of " + sid + " to '" + folder + "' are still there: " + error_code_text(done.error()) +
            "; take them out by hand");
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
