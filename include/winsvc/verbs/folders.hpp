// The folders that a service needs, opened to its own SID and to nothing else of it: read and execute where its
// executable lies, modify where its data does. What fails here is a warning, with the command's words for a remedy: the
// service is installed, and may well have these rights already by what it inherits.
#pragma once

#include <optional>
#include <string>

#include "winsvc/base/quote.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/model/security.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What the service may do there now; left unknown where that cannot be seen.
void look_at_folders(desk& at, model::installation& there);
/// Does what is planned for the folders, and drops from the plan what cannot be done. `there`: as it was before, whose
/// executable may have lain elsewhere.
void open_folders(desk& at, model::install_plan& plan, const std::optional<model::installation>& there);
/// Takes what belongs to that SID out of the rights to the folder of `binary`, an ImagePath.
void close_folder(desk& at, const std::string& sid, const std::string& binary);

/// The SID of the service itself, whatever account it runs as. Known only while the service is installed.
[[nodiscard]] os::sys_result<std::string> service_sid(desk& at);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE os::sys_result<std::string> service_sid(desk& at) {
  return at.scm().account_sid("NT SERVICE\\" + at.name());
}

WINSVC_INLINE bool is_not_there(std::uint32_t code) noexcept { return code == 2 || code == 3; }

WINSVC_INLINE std::string folder_of_binary(const std::string& binary) {
  const auto words = split_command_line(binary);
  return words.empty() ? std::string() : os::folder_of(words[0]);
}

WINSVC_INLINE void look_at_folders(desk& at, model::installation& there) {
  const auto sid = service_sid(at);
  if (!sid) return;
  const auto has = [&at](const std::string& folder, const std::string& entry, bool closed) -> std::optional<bool> {
    const auto security = at.scm().query_folder_security(folder);
    if (security) return model::has_entry(*security, entry) && (!closed || model::is_closed(*security));
    return is_not_there(security.error()) ? std::optional(false) : std::nullopt;
  };
  there.reads_program = has(at.ours().program_folder, model::read_entry(*sid), false);
  there.modifies_data = has(at.ours().data_folder, model::modify_entry(*sid), true);
}

WINSVC_INLINE std::string code_text(std::uint32_t code) { return os::system_words(code) + " (" + std::to_string(code) + ")"; }

/// Adds one entry to a folder's rights; the data folder is made where it is not there.
WINSVC_INLINE bool open_folder(desk& at, model::item what, const std::string& folder, const std::string& sid) {
  const bool data = what == model::item::data_folder;
  const std::string right = data ? "modify" : "read", who = "'NT SERVICE\\" + at.name() + '\'';
  const auto now = at.scm().query_folder_security(folder);
  if (!now && !(data && is_not_there(now.error()))) {  // what cannot be read must not be overwritten
    at.warn("the rights to '" + folder + "' cannot be read: " + code_text(now.error()) + "; give " + who +
            " the right to " + right + " it by hand");
    return false;
  }
  const std::string sddl = !data ? model::with_entry(model::without_owner(*now), model::read_entry(sid))
                           : now ? model::data_folder_security(*now, sid)
                                 : model::data_folder_security(sid);
  if (const auto done = at.scm().change_folder_security(folder, sddl); !done) {
    at.warn("the right to " + right + " '" + folder + "' is not set: " + code_text(done.error()) + "; give it to " +
            who + " by hand");
    return false;
  }
  return true;
}

WINSVC_INLINE void open_folders(desk& at, model::install_plan& plan, const std::optional<model::installation>& there) {
  const auto& ours = at.ours();
  if (const auto why = model::not_a_folder_of_ones_own(ours.program_folder);
      !why.empty() && (plan.creates || plan.has(model::item::binary))) {
    at.warn("the service gets no right to '" + ours.program_folder + "', because " + std::string(why) +
            "; put the program into a folder of its own");
  }
  const bool program = plan.has(model::item::program_folder), data = plan.has(model::item::data_folder);
  const std::string old_folder = there && there->binary ? folder_of_binary(*there->binary) : std::string();
  const bool moved = !old_folder.empty() && !text::equal_nocase(old_folder, ours.program_folder);
  if (!program && !data && !moved) return;

  const auto sid = service_sid(at);
  if (!sid && (program || data)) {
    at.warn("the service's own SID is not to be had: " + code_text(sid.error()) + "; give 'NT SERVICE\\" + at.name() +
            "' the right to" + (program ? " read '" + ours.program_folder + '\'' : "") +
            (program && data ? " and" : "") + (data ? " modify '" + ours.data_folder + '\'' : "") + " by hand");
  }
  const auto open = [&](model::item what, const std::string& folder) {
    if (!sid || !open_folder(at, what, folder, *sid)) plan.drop(what);
  };
  if (program) open(model::item::program_folder, ours.program_folder);
  if (data) open(model::item::data_folder, ours.data_folder);
  if (moved && sid) close_folder(at, *sid, *there->binary);
}

WINSVC_INLINE void close_folder(desk& at, const std::string& sid, const std::string& binary) {
  const std::string folder = folder_of_binary(binary);
  if (folder.empty() || !model::not_a_folder_of_ones_own(folder).empty()) return;
  const auto now = at.scm().query_folder_security(folder);
  if (!now) return;  // it is gone, perhaps with the program
  const std::string before = model::without_owner(*now), without = model::without_account(before, sid);
  if (without == before) return;
  if (const auto done = at.scm().change_folder_security(folder, without); !done) {
    at.warn("the rights of " + sid + " to '" + folder + "' are still there: " + code_text(done.error()) +
            "; take them out by hand");
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
