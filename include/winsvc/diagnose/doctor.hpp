// `diagnostics`: looks at all that makes services fail, before it does: the folder of the executable, the settings, the port, the
// disk, what the service depends on, and whether what is installed is what the program would install.
//
// It changes nothing, and needs no rights that a look needs not; what it may not see it says. Each check is a function that
// adds its findings.
#pragma once

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
#include "winsvc/manage/install.hpp"
#include "winsvc/diagnose/system_probe.hpp"
#include "winsvc/manage/query_installed.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class diagnostics {
 public:
  /// `live`: what the running service answers when it is asked for its status; empty: nothing.
  diagnostics(verb_context& context, const service_definition& plan, std::string live, system_probe probe = {})
      : context_(context), plan_(plan), live_status_(std::move(live)), system_probe_(std::move(probe)) {}

  [[nodiscard]] std::vector<model::finding> run_checks();

 private:
  using weight = model::severity;
  void add(weight w, std::string about, std::string seen, std::string remedy = {}, bool fixable = false) {
    findings_.push_back({w, std::move(about), std::move(seen), std::move(remedy), fixable});
  }
  void program();
  void service();
  [[nodiscard]] bool check_unquoted_path();
  void check_drift(const model::installation& installed);
  void binary(const std::string& image_path);
  void program_folder();
  void data_folder();
  void dependencies(const std::vector<std::string>& names);
  void settings();
  void port();
  void firewall(const os::endpoint& address);
  void check_last_run();

  verb_context& context_;
  const service_definition& plan_;
  std::string live_status_;
  system_probe system_probe_;
  std::vector<model::finding> findings_;
};

/// `doctor --fix`: what update does, but for the program that runs: a copy of it that was started from somewhere else must
/// not take its place. Only where that program is gone is it this one, and not out of a folder that others may change.
result<void> apply_fixes(verb_context& context, const std::function<void(const std::string&)>& print);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::vector<model::finding> diagnostics::run_checks() {
  program();
  service();
  program_folder();
  data_folder();
  settings();
  port();
  check_last_run();
  return std::move(findings_);
}

WINSVC_INLINE void diagnostics::program() {
  const std::string& path = context_.defaults().executable;
  if (system_probe_.is_on_network(path)) {
    add(weight::problem, "program", path + " is on another machine: a service starts before anybody has logged on there",
        "copy it to a disk of this machine, below Program Files, and install it from there");
  } else {
    add(weight::ok, "program", path);
  }
  if (system_probe_.is_emulated()) {
    add(weight::note, "32-bit",
        "the program has 32 bits and Windows 64: what it finds in System32 and in HKLM\\Software is not what others find",
        "compile it for 64 bits");
  }
}

/// What is installed, and whether it is what would be.
WINSVC_INLINE void diagnostics::service() {
  const auto seen = query_installed(context_, {}, "look at");
  if (!seen && check_unquoted_path()) return;
  if (!seen) {
    const auto& error = seen.error();
    const bool elsewhere = error.code == model::win32_error::not_supported;
    add(elsewhere ? weight::note : error.code == model::win32_error::service_exists ? weight::problem : weight::warning, "service",
        elsewhere ? "there are no services on this system" : error.to_string(),
        elsewhere ? "'debug' serves in the terminal" : "");
    return;
  }
  if (!seen->installation) return add(weight::note, "service", "it is not installed", "install --start");
  const auto& installed = *seen->installation;
  if (installed.startup == startup::disabled)
    add(weight::problem, "service", "it is disabled, and cannot be started", "update --startup auto");
  else
    add(weight::ok, "service", "installed, startup " + std::string(name(installed.startup.value_or(startup::automatic))));
  if (installed.binary) binary(*installed.binary);
  if (installed.dependencies) dependencies(*installed.dependencies);
  if (const auto marked = context_.scm().query_delete_mark(context_.name()); marked && *marked) {
    add(weight::problem, "service", "it was deleted, and goes when the last program that has it open closes it",
        "close the Services window and what else shows services, or restart the machine");
  }
  check_drift(installed);
}

/// Registered by hand, perhaps: our program's path, without the quotes that it needs.
WINSVC_INLINE bool diagnostics::check_unquoted_path() {
  const auto service = context_.open("look at", os::access_rights::query_config);
  if (!service) return false;
  const auto config = context_.scm().query_config(service->get());
  if (!config || !strings::starts_with_nocase(config->binary, context_.defaults().executable)) return false;
  add(weight::problem, "path",
      "its path is not quoted, and another program may be started in its place: " + config->binary,
      "remove it with 'sc delete " + context_.name() + "', then install");
  return true;
}

WINSVC_INLINE void diagnostics::check_drift(const model::installation& installed) {
  const auto found = find_drift(context_, installed);
  if (!found) return add(weight::problem, "account", found.error().to_string());
  for (const auto& c : found->differences) {
    // Without the right the start fails (1069); the rest of it works, and otherwise than the program says.
    const bool stops = c.item == model::config_item::logon_right, other_program = c.item == model::config_item::binary;
    add(stops ? weight::problem : weight::warning, "drift", model::format_drift(c),
        other_program ? "update, by the program that is to run" : "update", !other_program);
  }
  if (found->differences.empty()) add(weight::ok, "drift", "installed as the program would install it");
  if (!found->unreadable.empty())
    add(weight::note, "not seen", strings::join(found->unreadable, ", "), "run from an elevated prompt, if this is not one");
}

WINSVC_INLINE void diagnostics::binary(const std::string& image_path) {
  const auto arguments = split_command_line(image_path);
  if (arguments.empty()) return add(weight::problem, "path", "the service has no program", "update", true);
  const auto existing = os::input_file::open(arguments[0]);
  if (existing) return;
  if (os::is_missing(existing.error())) {
    add(weight::problem, "path", "its program is not there: " + arguments[0], "update, from where the program is now", true);
  } else {
    add(weight::note, "path", "its program cannot be looked at from here: " + arguments[0] + ": " +
                                  os::system_error_message(existing.error()), "run from an elevated prompt, if this is not one");
  }
}

/// Who may put another executable, or a library beside it, into the folder becomes what the service runs as.
WINSVC_INLINE void diagnostics::program_folder() {
  const std::string& folder = context_.defaults().program_folder;
  const auto security = context_.scm().query_folder_security(folder);
  if (!security) {
    if (security.error() != model::win32_error::not_supported)
      add(weight::note, "folder", "who may change " + folder + " cannot be seen: " + os::system_error_message(security.error()));
    return;
  }
  const auto user = model::untrusted_writers(*security);
  if (user.empty()) return add(weight::ok, "folder", "only administrators may change " + folder);
  add(weight::problem, "folder",
      strings::join(user, " and ") + " may change what is in " + folder + ", and so what the service runs",
      model::restrict_folder_hint(folder));
}

WINSVC_INLINE void diagnostics::data_folder() {
  const std::string& folder = context_.defaults().data_folder;
  if (folder.empty()) return add(weight::warning, "data folder", "the system does not say where it belongs");
  const auto free = system_probe_.free_space(folder);
  if (!free) return;
  constexpr std::uint64_t mib = 1024 * 1024, little = 500 * mib, none = 20 * mib;
  const std::string seen = std::to_string(*free / mib) + " MiB free for " + folder;
  if (*free < none) add(weight::problem, "disk", seen, "make room, or the log and what the service keeps are lost");
  else if (*free < little) add(weight::warning, "disk", seen, "make room");
  else add(weight::ok, "disk", seen);
}

WINSVC_INLINE void diagnostics::dependencies(const std::vector<std::string>& names) {
  for (const auto& one : names) {
    if (one.empty() || one[0] == '+') continue;  // a group
    const auto service = context_.open("look at", one, os::access_rights::query_status);
    if (!service && service.error().code == model::win32_error::service_does_not_exist)
      add(weight::problem, "depends on", "'" + one + "' is not installed, and the service does not start without it",
          "install that, or update --depends without it");
  }
}

WINSVC_INLINE void diagnostics::settings() {
  const auto wrong = plan_.settings.errors();
  for (const auto& one : wrong) add(weight::problem, "settings", one.to_string());
  const auto& sources = plan_.settings.sources();
  if (wrong.empty()) add(weight::ok, "settings", sources.file ? sources.path : "no file; " + sources.path + " would be it");
}

/// Can it be listened on? While the service runs, it is it who does; and while it starts, an attempt of ours would take
/// the port from it.
WINSVC_INLINE void diagnostics::port() {
  const auto* host = plan_.settings.find("host");
  const auto* number = plan_.settings.find("port");
  if (!host || !number) return;
  std::uint64_t port = 0;
  static_cast<void>(strings::parse_number(number->text(), 65'535, port));
  const os::endpoint address{host->text(), static_cast<std::uint16_t>(port)};
  if (port != 0) firewall(address);
  if (!live_status_.empty()) {
    const auto message = model::parse_flat_object(live_status_).value_or(model::flat_object());
    return add(weight::ok, "port", "the service answers: " + model::text_of(message, "url"));
  }
  if (const auto pid = pid_of(context_.scm(), context_.name()); pid != 0) {
    return add(weight::note, "port", "the service runs, as pid " + std::to_string(pid) + ", and cannot be asked from here",
               "run from an elevated prompt, if this is not one");
  }
  if (port == 0) return add(weight::ok, "port", "a free one is picked at each start");
  const auto listening = os::tcp_socket::listen(address.host, address.port);
  if (listening) return add(weight::ok, "port", address.text() + " is free");
  const auto code = listening.error();
  const error error = model::error_with_explanation(code, "listen on", address.text(), os::system_error_message(code));
  const std::string owner = os::port_owner(address);
  add(weight::problem, "port", address.text() + ": " + error.message + (owner.empty() ? "" : ", by " + owner), error.hint);
}

/// Of an address that others can reach: do they?
WINSVC_INLINE void diagnostics::firewall(const os::endpoint& address) {
  if (address.host == "::1" || address.host == "localhost" || strings::starts_with(address.host, "127.")) return;
  const std::string& program = context_.defaults().executable;
  const std::string open = "netsh advfirewall firewall add rule name=\"" + context_.name() +
                           "\" dir=in action=allow protocol=TCP localport=" + std::to_string(address.port) +
                           " program=\"" + program + '"';
  const auto rules = system_probe_.firewall_rules();
  if (!rules) return add(weight::note, "firewall", "others reach " + address.text() + " where the firewall lets them", open);
  const auto found = model::check_firewall(*rules, program, address.port);
  if (!found.block.empty()) {
    add(weight::problem, "firewall", "the rule '" + found.block.front() + "' keeps others away from " + address.text(),
        "netsh advfirewall firewall delete rule name=\"" + found.block.front() + "\" program=\"" + program + '"');
  } else if (!found.allow.empty()) {
    add(weight::ok, "firewall", "the rule '" + found.allow.front() + "' lets others reach " + address.text());
  } else {
    add(weight::warning, "firewall", "no rule of its own lets others reach " + address.text(), open);
  }
}

WINSVC_INLINE void diagnostics::check_last_run() {
  const auto saved = context_.state();
  if (!saved) return;
  if (!saved->failure.empty()) add(weight::warning, "last run", saved->failure, "logs --since 1d --level warn");
  else if (!saved->previous_failure.empty()) add(weight::note, "last failure", saved->previous_failure, "why");
  const auto elapsed = std::chrono::milliseconds(saved->start_ms);
  if (elapsed.count() != 0) {
    const std::string seen = "took " + duration_text(elapsed) + ", each of its hooks may take " + duration_text(plan_.start_limit);
    if (elapsed < plan_.start_limit / 2) add(weight::ok, "last start", seen);
    else add(weight::warning, "last start", seen, "do less in on_start, or raise start_limit");
  }
  if (const auto since = parse_time(saved->since); since && *since > context_.time().system_now() + std::chrono::minutes(1)) {
    add(weight::warning, "clock", "it started at " + saved->since + ", which is yet to come: the clock was set back",
        "look at the machine's time service; times in the log do not follow one another");
  }
}

WINSVC_INLINE result<void> apply_fixes(verb_context& context, const std::function<void(const std::string&)>& print) {
  const auto seen = query_installed(context, {}, "repair");
  if (!seen) return failure{seen.error()};
  model::install_defaults as = context.defaults();
  const auto arguments = seen->installation && seen->installation->binary ? split_command_line(*seen->installation->binary)
                                                        : std::vector<std::string>();
  const auto program = arguments.empty() ? os::sys_failure(2) : os::input_file::open(arguments[0]);
  if (program || !os::is_missing(program.error())) {
    as.executable = arguments[0];
    as.program_folder = os::folder_of(arguments[0]);
  } else if (const auto security = context.scm().query_folder_security(as.program_folder);
             security && !model::untrusted_writers(*security).empty()) {
    return failure{error{model::win32_error::access_denied, "repair", context.name(),
                         "its program is gone, and this one lies in a folder that others may change: " + as.program_folder,
                         "move it to a folder below Program Files, and say update there"}};
  }
  verb_context repairing(context.spec(), {context.scm(), context.time(), print, [&context] { return context.state(); }, as, [&context] { return context.read_password(); }});
  model::command update;
  update.verb = model::verb::update;
  return installer(repairing).run(update);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
