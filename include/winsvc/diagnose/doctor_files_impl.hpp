// Implementation of diagnose/doctor.hpp: the checks of the executable, the folders, the log and the settings file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/diagnose/doctor.hpp"
#include "winsvc/diagnose/finding.hpp"
#include "winsvc/log/log_files.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/scm/writable_folder.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Detects a service of this program that was registered without quotes around a path with blanks.
WINSVC_INLINE void diagnostics::check_unquoted_path(const std::string& image_path) {
  const std::string quoted = scm::quoted_binary(image_path, context_.defaults().executable);
  const auto arguments = base::split_command_line(quoted);
  if (quoted == image_path || arguments.empty() || arguments[0].find(' ') == std::string::npos) return;
  add(diagnose::severity::problem, "path",
      "the path is not quoted, so Windows may start another program instead: " + scm::shown_binary(image_path),
      "update", true);
}

/// Reports a log that cannot be written: from the running service, or from the folder if the service does not run.
WINSVC_INLINE void diagnostics::check_log() {
  const auto live = base::parse_flat_object(live_status_);
  if (const auto failure = live ? base::text_of(*live, "log_failure") : std::string(); !failure.empty())
    return add(diagnose::severity::problem, "log", failure,
               "make the file and its folder writable for the service, which then writes its log again; 'restart' "
               "creates a missing data folder");
  const std::string& folder = context_.defaults().data_folder;
  if (!live_status_.empty() || folder.empty()) return;
  if (const std::string error = log::log_folder_error(folder); !error.empty())
    add(diagnose::severity::problem, "log", error, "remove the file or the restriction");
}

WINSVC_INLINE void diagnostics::binary(const std::string& image_path) {
  const auto arguments = base::split_command_line(image_path);
  if (arguments.empty())
    return add(diagnose::severity::problem, "path", "the service has no executable", "update", true);
  const auto existing = os::input_file::open(arguments[0]);
  if (existing) return;
  if (os::is_missing(existing.error())) {
    add(diagnose::severity::problem, "path", "the executable does not exist: " + arguments[0],
        "update, run from the current location of the program", true);
  } else {
    add(diagnose::severity::note, "path",
        "the executable cannot be opened: " + arguments[0] + ": " + os::system_error_message(existing.error()),
        "run from an elevated prompt, if this is not one");
  }
}

inline constexpr std::uint32_t link_code = base::win32_error::reparse_point_encountered;

/// The SIDs of the service: its own and that of its account, if not shared (LocalService and NetworkService are).
WINSVC_INLINE scm::sid_list diagnostics::trusted_sids() {
  scm::sid_list sids;
  if (const auto sid = manage::service_sid(context_)) sids.push_back(*sid);
  if (account_.empty()) return sids;
  const auto sid = context_.scm().account_sid(scm::lookup_name(account_));
  if (sid && *sid != "S-1-5-19" && *sid != "S-1-5-20") sids.push_back(*sid);
  return sids;
}

/// The names of users and groups for a finding; the SID if the system has no name for it.
WINSVC_INLINE std::string diagnostics::names_of(const std::vector<scm::untrusted_trustee>& trustees) {
  std::vector<std::string> names;
  for (const auto& trustee : trustees) {
    std::string name(trustee.group);
    if (name.empty()) {
      const auto known = context_.scm().account_name(trustee.sid);
      name = known ? *known : trustee.sid;
    }
    names.push_back(name + (trustee.is_owner ? " (owner)" : ""));
  }
  return base::join(names, " and ");
}

/// A group that any user can belong to is a problem. A single account may be an administrator: a warning.
WINSVC_INLINE diagnose::severity severity_of(const std::vector<scm::untrusted_trustee>& trustees) {
  return scm::group_names(trustees).empty() ? diagnose::severity::warning : diagnose::severity::problem;
}

/// A user who can replace the executable, or add a library next to it, can run code with the account of the service.
WINSVC_INLINE void diagnostics::program_folder() {
  const std::string& folder = context_.defaults().program_folder;
  const auto security = context_.scm().query_folder_security(folder);
  if (!security) {
    if (security.error() == link_code)
      add(diagnose::severity::warning, "folder", scm::unchecked_link_text(folder), scm::program_link_hint());
    else if (security.error() != base::win32_error::not_supported && !context_.is_wine())
      add(diagnose::severity::note, "folder",
          "the permissions of " + folder + " cannot be read: " + os::system_error_message(security.error()));
    return;
  }
  const auto writers = program_writers(*security);
  if (writers.empty()) {
    add(diagnose::severity::ok, "folder", "only administrators and the service can change files in " + folder);
  } else {
    const auto severity = severity_of(writers);
    add(severity, "folder",
        names_of(writers) + " can change files in " + folder + " and so replace the program of the service",
        severity == diagnose::severity::problem ? scm::restrict_folder_hint(folder)
                                                : scm::remove_access_hint(folder, writers));
  }
  // A file that was moved here keeps its own rights.
  const std::string& program = context_.defaults().executable;
  const auto file_security = context_.scm().query_folder_security(program);
  if (!file_security) {
    if (file_security.error() == link_code)
      add(diagnose::severity::warning, "program file", scm::unchecked_link_text(program), scm::program_link_hint());
    return;
  }
  if (const auto users = program_writers(*file_security); !users.empty())
    add(severity_of(users), "program file", names_of(users) + " can change " + program + ", the program of the service",
        scm::group_names(users).empty() ? scm::remove_access_hint(program, users) : scm::inherit_rights_hint(program));
}

/// The users who can change the program with this security. Under Wine, each file belongs to the user of Unix.
WINSVC_INLINE std::vector<scm::untrusted_trustee> diagnostics::program_writers(const std::string& security) {
  auto writers = scm::untrusted_writers(security, trusted_sids());
  if (context_.is_wine())
    writers.erase(std::remove_if(writers.begin(), writers.end(), [](const auto& user) { return user.group.empty(); }),
                  writers.end());
  return writers;
}

WINSVC_INLINE void diagnostics::data_folder() {
  const std::string& folder = context_.defaults().data_folder;
  if (folder.empty()) return add(diagnose::severity::warning, "data folder", "the system reports no data folder");
  check_data_folder_rights(folder);
  const auto free = system_probe_.free_space(folder);
  if (!free) return;
  constexpr std::uint64_t mib = 1024 * 1024, warning_bytes = 500 * mib, problem_bytes = 20 * mib;
  const std::string evidence = std::to_string(*free / mib) + " MiB free for " + folder;
  if (*free < problem_bytes)
    add(diagnose::severity::problem, "disk", evidence,
        "free disk space, or log lines and data of the service are lost");
  else if (*free < warning_bytes) add(diagnose::severity::warning, "disk", evidence, "free disk space");
  else add(diagnose::severity::ok, "disk", evidence);
}

/// A user who can change the data folder can replace the state and the log of the service, and the data of the app.
WINSVC_INLINE void diagnostics::check_data_folder_rights(const std::string& folder) {
  if (context_.is_wine()) return;  // its folders have no rights
  const auto security = context_.scm().query_folder_security(folder);
  if (!security && security.error() == link_code)
    return add(diagnose::severity::problem, "data folder", folder + " is a link", "remove the link");
  if (!security && security.error() == base::win32_error::access_denied)
    return add(diagnose::severity::note, "data folder", "the rights of " + folder + " cannot be read",
               "run doctor from an elevated prompt");
  if (!security) return;  // it does not exist yet
  const bool is_installed = context_.is_installed(context_.name());
  const auto writers = scm::untrusted_writers(*security, trusted_sids());
  const std::string evidence = names_of(writers) + " can change files in " + folder;
  if (!scm::is_restricted(*security)) {
    add(is_installed ? diagnose::severity::problem : diagnose::severity::note, "data folder",
        writers.empty() ? folder + " inherits rights, or the service owns it" : evidence,
        is_installed ? "update, and check that the files in it are yours" : "install renames it", is_installed);
  } else if (!writers.empty()) {
    const auto severity = severity_of(writers);
    add(severity, "data folder", evidence,
        severity == diagnose::severity::problem ? "remove the right to write: icacls \"" + folder + '"'
                                                : scm::remove_access_hint(folder, writers));
  } else {
    add(diagnose::severity::ok, "data folder", "only administrators and the service can change files in " + folder);
  }
}

/// A user who can change the settings file controls the service; a user who can read it knows the secrets in it.
WINSVC_INLINE void diagnostics::check_settings_file() {
  const auto& sources = definition_.settings.sources();
  if (sources.path.empty() || context_.is_wine()) return;
  const auto file = context_.scm().query_folder_security(sources.path);
  if (!file && file.error() == link_code)
    add(diagnose::severity::warning, "settings file", scm::unchecked_link_text(sources.path),
        "use --config with the real path of the file");
  const auto trusted = trusted_sids();
  auto writers = file ? scm::untrusted_writers(*file, trusted) : std::vector<scm::untrusted_trustee>();
  std::string path = sources.path;
  const std::string folder = os::folder_of(sources.path);
  // The program folder has its own check.
  if (writers.empty() && !base::equal_nocase(folder, context_.defaults().program_folder)) {
    if (const auto security = context_.scm().query_folder_security(folder))
      writers = scm::untrusted_writers(*security, trusted);
    path = folder;
  }
  if (!writers.empty()) {
    add(severity_of(writers), "settings file",
        names_of(writers) + " can change " + path + " and so the settings of the service",
        path == folder ? "move the file to the folder of the program or the data folder, and use --config"
        : severity_of(writers) == diagnose::severity::problem ? scm::restrict_file_hint(path, context_.name())
                                                              : scm::remove_access_hint(path, writers));
  }
  std::string secrets;
  for (const auto& setting : definition_.settings.views()) {
    if (setting.secret && base::starts_with(setting.source, sources.file_name + ':'))
      secrets += (secrets.empty() ? "'" : ", '") + setting.name + '\'';
  }
  const auto readers =
      file && !secrets.empty() ? scm::untrusted_readers(*file, trusted) : std::vector<scm::untrusted_trustee>();
  if (!readers.empty()) {
    add(diagnose::severity::warning, "settings file",
        names_of(readers) + " can read " + sources.path + ", which has the secret " + secrets,
        scm::group_names(readers).empty() ? scm::remove_access_hint(sources.path, readers)
                                          : scm::restrict_file_hint(sources.path, context_.name()));
  } else if (writers.empty() && file) {
    add(diagnose::severity::ok, "settings file", "only administrators and the service can change " + sources.path);
  }
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
