// Diagnostics: `doctor` finds problems that prevent the service from starting or serving: the folder of the executable,
// the settings, the port, the disk, the dependencies, and drift.
//
// The checks change nothing and need no rights beyond reading; a part that cannot be read becomes a finding. Each check
// is a function that adds its findings.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/host/definition.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/diagnose/finding.hpp"
#include "winsvc/diagnose/firewall.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/diagnose/live_query.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/drift.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/install.hpp"
#include "winsvc/diagnose/system_probe.hpp"
#include "winsvc/manage/query_installed.hpp"
#include "winsvc/wire/host_name.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Runs the checks of `doctor`.
class diagnostics {
 public:
  /// `live_status` is the response of the running service, or empty. `probe` reads the system.
  diagnostics(manage::verb_context& context, const host::service_definition& definition, std::string live_status,
              system_probe probe = {})
      : context_(context),
        definition_(definition),
        live_status_(std::move(live_status)),
        system_probe_(std::move(probe)) {}

  [[nodiscard]] std::vector<diagnose::finding> run_checks();

 private:
  void add(diagnose::severity severity, std::string topic, std::string evidence, std::string remedy = {},
           bool fixable = false) {
    findings_.push_back({severity, std::move(topic), std::move(evidence), std::move(remedy), fixable});
  }
  void program();
  void service();
  void check_unquoted_path(const std::string& image_path);
  void check_log();
  void check_drift(const manage::installation& installed);
  void binary(const std::string& image_path);
  [[nodiscard]] scm::sid_list trusted_sids();
  [[nodiscard]] std::string names_of(const std::vector<scm::untrusted_trustee>& trustees);
  void program_folder();
  void data_folder();
  void check_data_folder_rights(const std::string& folder);
  void check_settings_file();
  void dependencies(const std::vector<std::string>& names);
  void settings();
  void port();
  void firewall(const os::endpoint& address);
  void check_last_run();

  manage::verb_context& context_;
  const host::service_definition& definition_;
  std::string live_status_;
  system_probe system_probe_;
  std::string account_;  // of the installed service
  std::vector<diagnose::finding> findings_;
};

/// `doctor --fix`: runs `update`, but keeps the installed executable, so that a copy of the program that runs in
/// another folder does not replace it. If the installed executable does not exist, this program replaces it, unless
/// other users can change its folder.
result<void> apply_fixes(manage::verb_context& context, const std::function<void(const std::string&)>& print);

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::vector<diagnose::finding> diagnostics::run_checks() {
  program();
  service();
  program_folder();
  data_folder();
  settings();
  check_settings_file();
  port();
  check_log();
  check_last_run();
  return std::move(findings_);
}

WINSVC_INLINE void diagnostics::program() {
  const std::string& path = context_.defaults().executable;
  if (system_probe_.is_on_network(path)) {
    add(diagnose::severity::problem, "program",
        path + " is on a network drive; a service starts before a user has logged on",
        "copy it to a local disk, below Program Files, and install it from there");
  } else {
    add(diagnose::severity::ok, "program", path);
  }
  if (system_probe_.is_emulated()) {
    add(diagnose::severity::note, "32-bit",
        "32-bit program on 64-bit Windows: System32 and HKLM\\Software are redirected",
        "compile it for 64 bits");
  }
}

/// Checks the installed service.
WINSVC_INLINE void diagnostics::service() {
  const auto service = manage::query_installed(context_, {}, "query");
  if (!service) {
    const auto& error = service.error();
    const bool unsupported = error.code == base::win32_error::not_supported;
    add(unsupported                                        ? diagnose::severity::note
        : error.code == base::win32_error::service_exists ? diagnose::severity::problem
                                                           : diagnose::severity::warning,
        "service", unsupported ? error.message : error.to_string(), unsupported ? error.hint : "");
    return;
  }
  if (!service->installation) return add(diagnose::severity::note, "service", "it is not installed", "install --start");
  const auto& installed = *service->installation;
  if (installed.account) account_ = installed.account->name;
  if (installed.startup == startup::disabled)
    add(diagnose::severity::problem, "service", "the service is disabled and cannot be started",
        "update --startup auto");
  else
    add(diagnose::severity::ok, "service",
        "installed, startup " + std::string(name(installed.startup.value_or(startup::automatic))));
  if (installed.binary) {
    check_unquoted_path(*installed.binary);
    binary(scm::quoted_binary(*installed.binary, context_.defaults().executable));
  }
  if (const auto pending = manage::pending_restart(context_, context_.running_pid()); !pending.empty())
    add(diagnose::severity::warning, "restart",
        "the service runs with the old values until it is restarted: " + base::join(pending, ", "), "restart");
  if (installed.dependencies) dependencies(*installed.dependencies);
  if (const auto marked = context_.scm().query_delete_mark(context_.name()); marked && *marked) {
    add(diagnose::severity::problem, "service",
        "the service is marked for deletion; Windows deletes it when the last program closes its handle",
        "close the Services window and other programs that show services, or restart the machine");
  }
  check_drift(installed);
}

/// Detects a service of this program that was registered without quotes around a path with blanks.
WINSVC_INLINE void diagnostics::check_unquoted_path(const std::string& image_path) {
  const std::string& executable = context_.defaults().executable;
  if (executable.find(' ') == executable.npos || scm::quoted_binary(image_path, executable) == image_path) return;
  add(diagnose::severity::problem, "path",
      "the path is not quoted, so Windows may start another program instead: " + image_path, "update", true);
}

/// Reports a log that cannot be written: from the running service, or from the folder if the service does not run.
WINSVC_INLINE void diagnostics::check_log() {
  const auto live = base::parse_flat_object(live_status_);
  if (const auto failure = live ? base::text_of(*live, "log_failure") : std::string(); !failure.empty())
    return add(diagnose::severity::problem, "log", failure,
               "correct the reason; the service then writes its log again");
  const std::string& folder = context_.defaults().data_folder;
  if (!live_status_.empty() || folder.empty()) return;
  const std::string path = os::path_join(folder, "logs");
  const auto files = os::list_files(path);
  if (files || os::is_missing(files.error()) || files.error() == base::win32_error::access_denied) return;
  add(diagnose::severity::problem, "log",
      "the folder of the log cannot be read: " + path + ": " + os::system_error_text(files.error()),
      "remove the file or the restriction");
}

WINSVC_INLINE void diagnostics::check_drift(const manage::installation& installed) {
  const auto found = manage::find_drift(context_, installed);
  if (!found) return add(diagnose::severity::problem, "account", found.error().to_string());
  for (const auto& change : found->differences) {
    // Without the logon right the start fails (1069); all other drift only changes how the service runs.
    const bool prevents_start = change.item == manage::config_item::logon_right,
               other_program = change.item == manage::config_item::binary;
    add(prevents_start ? diagnose::severity::problem : diagnose::severity::warning, "drift",
        manage::format_drift(change), other_program ? "update, run from the program to install" : "update",
        !other_program);
  }
  if (found->differences.empty()) add(diagnose::severity::ok, "drift", "installed as the program would install it");
  if (!found->unreadable.empty() && context_.is_wine())
    add(diagnose::severity::note, "wine", std::string(manage::verb_context::wine_note));
  else if (!found->unreadable.empty())
    add(diagnose::severity::note, "not readable", base::join(found->unreadable, ", "),
        "run from an elevated prompt, if this is not one");
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

/// The SIDs of the service: its own and that of its account, which has no more rights than the service.
WINSVC_INLINE scm::sid_list diagnostics::trusted_sids() {
  scm::sid_list sids;
  if (const auto sid = manage::service_sid(context_)) sids.push_back(*sid);
  if (account_.empty()) return sids;
  if (const auto sid = context_.scm().account_sid(scm::lookup_name(account_))) sids.push_back(*sid);
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
    if (security.error() != base::win32_error::not_supported && !context_.is_wine())
      add(diagnose::severity::note, "folder",
          "the permissions of " + folder + " cannot be read: " + os::system_error_message(security.error()));
    return;
  }
  auto writers = scm::untrusted_writers(*security, trusted_sids());
  if (context_.is_wine())  // each folder belongs to the user of Unix
    writers.erase(std::remove_if(writers.begin(), writers.end(), [](const auto& user) { return user.group.empty(); }),
                  writers.end());
  if (writers.empty())
    return add(diagnose::severity::ok, "folder", "only administrators and the service can change files in " + folder);
  const auto severity = severity_of(writers);
  add(severity, "folder",
      names_of(writers) + " can change files in " + folder + " and so replace the program of the service",
      severity == diagnose::severity::problem ? scm::restrict_folder_hint(folder)
                                              : scm::remove_access_hint(folder, writers));
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
  if (!security && security.error() == base::win32_error::reparse_point_encountered)
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
    if (setting.secret && base::starts_with(setting.origin, sources.file_name + ':'))
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

WINSVC_INLINE void diagnostics::dependencies(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (name.empty() || name[0] == '+') continue;  // a group of services
    const auto service = context_.open("query", name, os::access_rights::query_status);
    if (!service && service.error().code == base::win32_error::service_does_not_exist)
      add(diagnose::severity::problem, "depends on",
          "'" + name + "' is not installed; the service cannot start without it",
          "install it, or remove it with update --depends");
  }
}

WINSVC_INLINE void diagnostics::settings() {
  const auto errors = definition_.settings.errors();
  for (const auto& error : errors) add(diagnose::severity::problem, "settings", error.to_string());
  const auto& sources = definition_.settings.sources();
  if (errors.empty())
    add(diagnose::severity::ok, "settings",
        sources.file ? sources.path : "no settings file; it would be " + sources.path);
}

/// Checks that the port is free. Does not try to listen while the service runs or starts, which would take the port
/// from the service.
WINSVC_INLINE void diagnostics::port() {
  const auto* host = definition_.settings.find("host");
  const auto* number = definition_.settings.find("port");
  if (!host || !number) return;
  std::uint64_t port = 0;
  static_cast<void>(base::parse_number(number->text(), 65'535, port));
  const os::endpoint address{host->text(), static_cast<std::uint16_t>(port)};
  if (port != 0) firewall(address);
  if (!live_status_.empty()) {
    const auto status = base::parse_flat_object(live_status_).value_or(base::flat_object());
    return add(diagnose::severity::ok, "port", "the service listens on " + base::text_of(status, "url"));
  }
  if (const auto pid = context_.running_pid(); pid != 0) {
    return add(diagnose::severity::note, "port",
               "the service runs (pid " + std::to_string(pid) + ") but does not return its status",
               "run from an elevated prompt, if this is not one");
  }
  if (port == 0) return add(diagnose::severity::ok, "port", "each start selects a free port");
  const auto listening = os::listen_on(address.host, address.port);
  if (!listening.failure) return add(diagnose::severity::ok, "port", address.text() + " is free");
  const error error = os::listen_error(address.host, *listening.failure);
  add(diagnose::severity::problem, "port", error.subject + ": " + error.message, error.hint);
}

/// Checks the firewall for an address that other machines can reach.
WINSVC_INLINE void diagnostics::firewall(const os::endpoint& address) {
  if (wire::is_loopback_host(address.host)) return;
  const std::string& program = context_.defaults().executable;
  const std::string open = "netsh advfirewall firewall add rule name=\"" + context_.name() +
                           "\" dir=in action=allow protocol=TCP localport=" + std::to_string(address.port) +
                           " program=\"" + program + '"';
  const auto rules = system_probe_.firewall_rules();
  if (!rules)
    return add(diagnose::severity::note, "firewall",
               "the firewall rules cannot be read; other machines need a rule to reach " + address.text(), open);
  const auto found = diagnose::check_firewall(*rules, program, address.port);
  if (!found.block.empty()) {
    add(diagnose::severity::problem, "firewall",
        "the rule '" + found.block.front() + "' blocks other machines from " + address.text(),
        "netsh advfirewall firewall delete rule name=\"" + found.block.front() + "\" program=\"" + program + '"');
  } else if (!found.allow.empty()) {
    add(diagnose::severity::ok, "firewall",
        "the rule '" + found.allow.front() + "' allows other machines to reach " + address.text());
  } else {
    add(diagnose::severity::warning, "firewall", "no rule allows other machines to reach " + address.text(), open);
  }
}

WINSVC_INLINE void diagnostics::check_last_run() {
  const auto saved = context_.state();
  if (!saved) return;
  const bool is_running = context_.running_pid() != 0;
  const std::string failure =
      !saved->failure.empty() || is_running ? saved->failure
                                            : scm::unreported_failure(*saved, context_.last_activities());
  if (!failure.empty())
    add(diagnose::severity::problem, "last run", failure, "logs --since 1d --level warn");
  else if (!saved->previous_failure.empty())
    add(diagnose::severity::note, "last failure", scm::short_failure(saved->previous_failure), "why");
  const auto elapsed = std::chrono::milliseconds(saved->start_ms);
  if (elapsed.count() != 0) {
    const std::string evidence = "took " + base::duration_text(elapsed) +
                                 " (limit of each hook: " + base::duration_text(definition_.start_limit) + ")";
    if (elapsed < definition_.start_limit / 2) add(diagnose::severity::ok, "last start", evidence);
    else add(diagnose::severity::warning, "last start", evidence, "do less in on_start, or increase start_limit");
  }
  if (const auto since = parse_time(saved->since);
      since && *since > context_.time().system_now() + std::chrono::minutes(1)) {
    add(diagnose::severity::warning, "clock",
        "the start time " + saved->since + " is in the future; the clock was set back",
        "check the time service; entries of the log are not in order of time");
  }
}

WINSVC_INLINE result<void> apply_fixes(manage::verb_context& context,
                                       const std::function<void(const std::string&)>& print) {
  const auto service = manage::query_installed(context, {}, "repair");
  if (!service) return failure{service.error()};
  manage::install_defaults defaults = context.defaults();
  const auto arguments = service->installation && service->installation->binary
                             ? base::split_command_line(
                                   scm::quoted_binary(*service->installation->binary, defaults.executable))
                             : std::vector<std::string>();
  const auto program = arguments.empty() ? os::sys_failure(base::win32_error::file_not_found)
                                         : os::input_file::open(arguments[0]);
  if (program || !os::is_missing(program.error())) {
    defaults.executable = arguments[0];
    defaults.program_folder = os::folder_of(arguments[0]);
  } else if (const auto security = context.scm().query_folder_security(defaults.program_folder);
             security && !scm::group_names(scm::untrusted_writers(*security)).empty()) {
    return failure{
        error{base::win32_error::access_denied, "repair", context.name(),
              "the installed executable does not exist, and other users can change the folder of this program: " +
                  defaults.program_folder,
              "move it to a folder below Program Files and run 'update' there"}};
  }
  manage::verb_context fix_context(context.spec(),
                           {context.scm(), context.time(), print, [&context] { return context.state(); }, defaults,
                            [&context] { return context.read_password(); }});
  commandline::install_options update;
  update.must_exist = true;
  return manage::installer(fix_context).run(update);
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
