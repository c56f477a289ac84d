// `doctor` verb: finds problems that prevent the service from starting or serving. It checks the folder of the
// executable, the settings, the port, the disk, the dependencies, and drift.
//
//   const auto findings = diagnostics(context, definition, live_status).run_checks();
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
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/diagnose/live_query.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/drift.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/install.hpp"
#include "winsvc/manage/start_stop.hpp"
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
  [[nodiscard]] std::vector<scm::untrusted_trustee> program_writers(const std::string& security);
  void data_folder();
  void check_data_folder_rights(const std::string& folder);
  void check_settings_file();
  void dependencies(const std::vector<std::string>& names);
  void settings();
  void port();
  void firewall(const os::endpoint& address);
  void check_last_run();
  void check_exit_code(const scm::service_status& status, const std::string& failure);

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
  if (const auto pending = manage::pending_restart(context_, context_.running_pid(), live_status_); !pending.empty())
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

WINSVC_INLINE void diagnostics::check_drift(const manage::installation& installed) {
  const auto found = manage::find_drift(context_, installed);
  if (!found) return add(diagnose::severity::problem, "account", found.error().to_string());
  const std::string& executable = context_.defaults().executable;
  const bool is_other_file = !manage::starts_executable(installed.binary.value_or(""), executable);
  for (const auto& change : found->differences) {
    // Without the logon right the start fails (1069); all other drift only changes how the service runs.
    const bool prevents_start = change.item == manage::config_item::logon_right,
               other_program = change.item == manage::config_item::binary && is_other_file;
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
  const auto listening = os::listen_on(address.host, address.port);
  if (!listening.failure) {
    return add(diagnose::severity::ok, "port",
               port == 0 ? "each start selects a free port" : address.text() + " is free");
  }
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

/// The failure of the last run: from the state file, and from the SCM if the service could not save it, for example
/// because its account could not log on.
WINSVC_INLINE void diagnostics::check_last_run() {
  const auto saved = context_.state();
  const auto report = manage::service_controller(context_).status(live_status_);
  const std::string failure = report && report->installed ? report->saved_state.failure
                              : saved                     ? saved->failure
                                                          : std::string();
  if (!failure.empty()) add(diagnose::severity::problem, "last run", failure, "logs --since 1d --level warn");
  check_exit_code(report ? report->process.status : scm::service_status(), failure);
  if (!saved) return;
  if (failure.empty() && !saved->previous_failure.empty())
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

/// Reports the exit code in the SCM, unless `failure` explains it.
WINSVC_INLINE void diagnostics::check_exit_code(const scm::service_status& status, const std::string& failure) {
  if (status.current != scm::state::stopped || !status.exit.failed()) return;
  const std::uint32_t code = status.exit.code();
  const bool is_explained = code == base::win32_error::process_aborted ||
                            failure.find('(' + std::to_string(code) + ')') != failure.npos;
  if (!failure.empty() && is_explained) return;
  const auto* explanation = base::explain(code);
  add(diagnose::severity::problem, "last run",
      "it ended with " + std::to_string(code) + ": " + os::explained_message(code),
      explanation && !explanation->hint.empty() ? std::string(explanation->hint) : "why");
}

WINSVC_INLINE result<void> apply_fixes(manage::verb_context& context,
                                       const std::function<void(const std::string&)>& print) {
  const auto service = manage::query_installed(context, {}, "repair");
  if (!service) return failure{service.error()};
  auto parts = context.dependencies();
  parts.print = print;
  auto& defaults = parts.defaults;
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
  manage::verb_context fix_context(context.spec(), std::move(parts));
  commandline::install_options update;
  update.must_exist = true;
  return manage::installer(fix_context).run(update);
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
