// Folder access: the rights of the service SID on the folder of the executable and on the data folder.
//
//   check_program_folder(context);               // before an install: an error if other users can change the folder
//   prepare_data_folder(context, prepared);      // before the service exists: the folder with its final security
//   grant_folder_access(context, plan, old);     // after the install: read and execute, modify
//
// An error of the last one is only a warning with a remedy: the service is installed, and it may already have inherited
// the access.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/reserve_one.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/token.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/scm/writable_folder.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Reads the current access of the service; leaves it unknown if it cannot be read.
void query_folder_access(verb_context& context, manage::installation& installed);
/// Executes the folder changes of the plan and removes failed changes from the plan. `installed` is the state before
/// the change; its executable may be in another folder.
void grant_folder_access(verb_context& context, manage::install_plan& plan,
                         const std::optional<manage::installation>& installed);
/// Returns the folder of the executable in an ImagePath.
[[nodiscard]] std::string folder_of_binary(const std::string& binary);
/// Fails if ordinary users can write to the folder of the program, or to the program itself: they could replace the
/// program of the service. The error names the right to remove. Succeeds if the permissions cannot be read, with a
/// warning for a link.
[[nodiscard]] result<void> check_program_folder(verb_context& context);
/// The data folder before its service exists.
struct prepared_data_folder {
  std::vector<std::string> renamed;  ///< new paths of folders of other users that had its name
  bool is_created = false;
};
/// Creates the data folder with its final security. A folder that only administrators and the service can change stays.
/// Any user may create a folder in ProgramData, and could keep a link in it. So a folder that other users can change is
/// deleted if it is empty, and renamed if it has files. If a user creates it again before winsvc does, which then gets
/// error 183, all is repeated, at most ten times. Fails if the folder is a link, if it cannot be renamed, or after the
/// tenth time.
[[nodiscard]] result<void> prepare_data_folder(verb_context& context, prepared_data_folder& prepared);
/// Undoes it: removes the created folder, and gives the first renamed folder its name again.
void restore_data_folder(verb_context& context, const prepared_data_folder& prepared);
/// Removes the entries of `sid` from the permissions of the folder of `binary` (an ImagePath).
void revoke_folder_access(verb_context& context, const std::string& sid, const std::string& binary);

/// The service SID, which does not depend on the account. Wine knows it only while the service is installed.
[[nodiscard]] os::sys_result<std::string> service_sid(verb_context& context);

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE os::sys_result<std::string> service_sid(verb_context& context) {
  return context.scm().account_sid("NT SERVICE\\" + context.name());
}

WINSVC_INLINE bool is_not_found(std::uint32_t code) noexcept {
  return code == base::win32_error::file_not_found || code == base::win32_error::path_not_found;
}

WINSVC_INLINE std::string folder_of_binary(const std::string& binary) {
  const auto arguments = base::split_command_line(binary);
  return arguments.empty() ? std::string() : os::folder_of(arguments[0]);
}

WINSVC_INLINE void query_folder_access(verb_context& context, manage::installation& installed) {
  const auto sid = service_sid(context);
  if (!sid) return;
  const auto has = [&context](const std::string& folder, const std::string& ace, bool is_data) -> std::optional<bool> {
    const auto security = context.scm().query_folder_security(folder);
    if (security) return scm::has_ace(*security, ace) && (!is_data || scm::is_restricted(*security));
    return is_not_found(security.error()) ? std::optional(false) : std::nullopt;
  };
  installed.can_read_program_folder = has(context.defaults().program_folder, scm::read_ace(*sid), false);
  installed.can_modify_data_folder = has(context.defaults().data_folder, scm::modify_ace(*sid), true);
}

/// Deletes or renames a data folder that other users can change. Returns its new path; empty if it was deleted.
WINSVC_INLINE result<std::string> move_data_folder_away(verb_context& context) {
  const std::string& folder = context.defaults().data_folder;
  if (const auto done = context.scm().remove_empty_folder(folder); done || os::is_missing(done.error()))
    return std::string();
  // Random digits: a user who can guess the name could prevent the install with a folder of this name.
  std::string new_path = folder + ".before-install-" + base::random_hex(16);
  if (context.scm().rename_folder(folder, new_path)) return new_path;
  return failure{error{base::win32_error::access_denied, "install", context.name(),
                       "other users can change the data folder '" + folder + "', and it cannot be renamed",
                       "close the programs that use it, and move or delete it"}};
}

WINSVC_INLINE result<void> prepare_data_folder(verb_context& context, prepared_data_folder& prepared) {
  const std::string& folder = context.defaults().data_folder;
  if (folder.empty() || context.is_wine()) return {};
  constexpr auto is_link = base::win32_error::reparse_point_encountered;
  constexpr int max_attempts = 10;
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    const auto security = context.scm().query_folder_security(folder);
    if (!security && security.error() == is_link)
      return failure{error{is_link, "install", context.name(), "the data folder '" + folder + "' is a link",
                           "remove the link; any user may create one there"}};
    if (security && scm::is_restricted(*security)) return {};
    // Also if the permissions cannot be read: the owner of the folder may have excluded administrators.
    if (security || !is_not_found(security.error())) {
      base::reserve_one(prepared.renamed);  // before the folder has its new name
      auto new_path = move_data_folder_away(context);
      if (!new_path) return failure{new_path.error()};
      if (!new_path->empty()) prepared.renamed.push_back(*std::move(new_path));
    }
    // Windows reports the SID of a name that is not ASCII only after the service was created; grant_folder_access adds
    // its entry then.
    const auto sid = service_sid(context);
    const auto created = context.scm().create_folder(folder, scm::data_folder_security(sid ? *sid : std::string()));
    prepared.is_created = static_cast<bool>(created);
    // Other errors: grant_folder_access tries again, and reports the reason.
    if (created || created.error() != base::win32_error::already_exists) return {};
  }
  return failure{error{base::win32_error::already_exists, "install", context.name(),
                       "another user or program creates the data folder '" + folder + "' again and again",
                       "end that program"}};
}

WINSVC_INLINE void restore_data_folder(verb_context& context, const prepared_data_folder& prepared) {
  const std::string& folder = context.defaults().data_folder;
  if (prepared.is_created) static_cast<void>(context.scm().remove_empty_folder(folder));
  bool is_first = true;
  for (const auto& new_path : prepared.renamed) {
    if (!std::exchange(is_first, false) || !context.scm().rename_folder(new_path, folder))
      context.warn("the data folder '" + folder + "' of another user is now '" + new_path +
                   "'; move back the files that are yours");
  }
}

/// Adds an entry for the service SID to the permissions of a folder; creates the data folder if it does not exist.
WINSVC_INLINE bool open_folder(verb_context& context, manage::config_item item, const std::string& folder,
                               const std::string& sid) {
  const bool is_data = item == manage::config_item::data_folder;
  const std::string access = is_data ? "modify" : "read", user = "'NT SERVICE\\" + context.name() + '\'';
  const auto security = context.scm().query_folder_security(folder);
  // Permissions that cannot be read must not be overwritten.
  if (!security && !(is_data && is_not_found(security.error()))) {
    context.warn_of_system("the permissions of '" + folder + "' cannot be read: " +
                           os::system_error_text(security.error()) + "; grant " + user + ' ' + access +
                           " access manually");
    return false;
  }
  const std::string sddl = !is_data   ? scm::add_ace(scm::without_owner(*security), scm::read_ace(sid))
                           : security ? scm::data_folder_security(*security, sid)
                                      : scm::data_folder_security(sid);
  if (is_data && security && sddl == *security) return true;  // it was created with this security
  const auto done =
      security ? context.scm().change_folder_security(folder, sddl) : context.scm().create_folder(folder, sddl);
  if (!done) {
    context.warn_of_system(access + " access to '" + folder + "' cannot be granted: " +
                           os::system_error_text(done.error()) + "; grant it to " + user + " manually");
    return false;
  }
  if (is_data && security && !scm::is_restricted(*security))
    context.warn_of_system("other users could change '" + folder + "' until now; check that its files are yours");
  return true;
}

/// Groups only: a single account is usually the developer or the administrator who installs; doctor names it.
WINSVC_INLINE std::string writing_groups(verb_context& context, const std::string& path) {
  const auto security = context.scm().query_folder_security(path);
  if (!security && security.error() == base::win32_error::reparse_point_encountered)
    context.warn(scm::unchecked_link_text(path) + "; " + scm::program_link_hint());
  return security ? base::join(scm::group_names(scm::untrusted_writers(*security)), " and ") : std::string();
}

WINSVC_INLINE result<void> check_program_folder(verb_context& context) {
  const std::string& folder = context.defaults().program_folder;
  if (const auto groups = writing_groups(context, folder); !groups.empty())
    return failure{
        base::usage_error(groups + " can change files in '" + folder + "' and so replace the program of the service",
                          scm::restrict_folder_hint(folder) + "; or use --allow-writable-folder")};
  const std::string& program = context.defaults().executable;
  if (const auto groups = writing_groups(context, program); !groups.empty())
    return failure{base::usage_error(groups + " can change '" + program + "', the program of the service",
                                     scm::inherit_rights_hint(program) + "; or use --allow-writable-folder")};
  return {};
}

WINSVC_INLINE void grant_folder_access(verb_context& context, manage::install_plan& plan,
                                       const std::optional<manage::installation>& installed) {
  const auto& defaults = context.defaults();
  if (const auto reason = scm::shared_folder_reason(defaults.program_folder);
      !reason.empty() && (plan.creates_service || plan.has(manage::config_item::binary))) {
    context.warn("no access to '" + defaults.program_folder + "' is granted, because " + std::string(reason) +
                 "; move the program to a separate folder");
  }
  const bool program = plan.has(manage::config_item::program_folder), data = plan.has(manage::config_item::data_folder);
  const std::string old_folder = installed && installed->binary ? folder_of_binary(*installed->binary) : std::string();
  const bool moved = !old_folder.empty() && !base::equal_nocase(old_folder, defaults.program_folder);
  if (!program && !data && !moved) return;

  const auto sid = service_sid(context);
  if (!sid && (program || data)) {
    context.warn_of_system("the service SID cannot be read: " + os::system_error_text(sid.error()) +
                           "; grant 'NT SERVICE\\" + context.name() + '\'' +
                           (program ? " read access to '" + defaults.program_folder + '\'' : "") +
                           (program && data ? " and" : "") +
                           (data ? " modify access to '" + defaults.data_folder + '\'' : "") + " manually");
  }
  const auto open = [&](manage::config_item item, const std::string& folder) {
    if (!sid || !open_folder(context, item, folder, *sid)) plan.remove_item(item);
  };
  if (program) open(manage::config_item::program_folder, defaults.program_folder);
  if (data) open(manage::config_item::data_folder, defaults.data_folder);
  if (moved && sid) revoke_folder_access(context, *sid, *installed->binary);
}

WINSVC_INLINE void revoke_folder_access(verb_context& context, const std::string& sid, const std::string& binary) {
  const std::string folder = folder_of_binary(binary);
  if (folder.empty() || !scm::shared_folder_reason(folder).empty()) return;
  const auto security = context.scm().query_folder_security(folder);
  if (!security) return;  // it was deleted, perhaps with the program
  const std::string before = scm::without_owner(*security), after = scm::remove_aces_of(before, sid);
  if (after == before) return;
  if (const auto done = context.scm().change_folder_security(folder, after); !done) {
    context.warn("the access of " + sid + " to '" + folder + "' cannot be removed: " +
                 os::system_error_text(done.error()) + "; remove it manually");
  }
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
