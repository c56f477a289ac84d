// `doctor`: looks at all that makes services fail, before it does: the folder of the executable, the settings, the port, the
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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/finding.hpp"
#include "winsvc/model/firewall.hpp"
#include "winsvc/model/flat_object.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/verbs/ask.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/drift.hpp"
#include "winsvc/verbs/install.hpp"
#include "winsvc/verbs/machine.hpp"
#include "winsvc/verbs/survey.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class doctor {
 public:
  /// `live`: what the running service answers when it is asked for its status; empty: nothing.
  doctor(desk& at, const blueprint& plan, std::string live, machine around = {})
      : desk_(at), plan_(plan), live_(std::move(live)), machine_(std::move(around)) {}

  [[nodiscard]] std::vector<model::finding> examine();

 private:
  using weight = model::weight;
  void add(weight w, std::string about, std::string seen, std::string remedy = {}, bool fixable = false) {
    found_.push_back({w, std::move(about), std::move(seen), std::move(remedy), fixable});
  }
  void program();
  void service();
  [[nodiscard]] bool unquoted();
  void look_for_drift(const model::installation& there);
  void binary(const std::string& image_path);
  void program_folder();
  void data_folder();
  void dependencies(const std::vector<std::string>& names);
  void settings();
  void port();
  void firewall(const os::endpoint& where);
  void last_run();

  desk& desk_;
  const blueprint& plan_;
  std::string live_;
  machine machine_;
  std::vector<model::finding> found_;
};

/// `doctor --fix`: what update does, but for the program that runs: a copy of it that was started from somewhere else must
/// not take its place. Only where that program is gone is it this one, and not out of a folder that others may change.
result<void> repair(desk& at, const std::function<void(const std::string&)>& say);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::vector<model::finding> doctor::examine() {
  program();
  service();
  program_folder();
  data_folder();
  settings();
  port();
  last_run();
  return std::move(found_);
}

WINSVC_INLINE void doctor::program() {
  const std::string& path = desk_.ours().executable;
  if (machine_.is_on_network(path)) {
    add(weight::problem, "program", path + " is on another machine: a service starts before anybody has logged on there",
        "copy it to a disk of this machine, below Program Files, and install it from there");
  } else {
    add(weight::fine, "program", path);
  }
  if (machine_.is_emulated()) {
    add(weight::note, "32-bit",
        "the program has 32 bits and Windows 64: what it finds in System32 and in HKLM\\Software is not what others find",
        "compile it for 64 bits");
  }
}

/// What is installed, and whether it is what would be.
WINSVC_INLINE void doctor::service() {
  const auto seen = survey(desk_, {}, "look at");
  if (!seen && unquoted()) return;
  if (!seen) {
    const auto& why = seen.error();
    const bool elsewhere = why.code == model::code::not_supported;
    add(elsewhere ? weight::note : why.code == model::code::service_exists ? weight::problem : weight::warning, "service",
        elsewhere ? "there are no services on this system" : why.sentence(),
        elsewhere ? "'debug' serves in the terminal" : "");
    return;
  }
  if (!seen->there) return add(weight::note, "service", "it is not installed", "install --start");
  const auto& there = *seen->there;
  if (there.startup == startup::disabled)
    add(weight::problem, "service", "it is disabled, and cannot be started", "update --startup auto");
  else
    add(weight::fine, "service", "installed, startup " + std::string(name(there.startup.value_or(startup::automatic))));
  if (there.binary) binary(*there.binary);
  if (there.dependencies) dependencies(*there.dependencies);
  if (const auto marked = desk_.scm().query_delete_mark(desk_.name()); marked && *marked) {
    add(weight::problem, "service", "it was deleted, and goes when the last program that has it open closes it",
        "close the Services window and what else shows services, or restart the machine");
  }
  look_for_drift(there);
}

/// Registered by hand, perhaps: our program's path, without the quotes that it needs.
WINSVC_INLINE bool doctor::unquoted() {
  const auto service = desk_.open("look at", os::access::query_config);
  if (!service) return false;
  const auto config = desk_.scm().query_config(service->get());
  if (!config || !text::starts_with_nocase(config->binary, desk_.ours().executable)) return false;
  add(weight::problem, "path",
      "its path is not quoted, and another program may be started in its place: " + config->binary,
      "remove it with 'sc delete " + desk_.name() + "', then install");
  return true;
}

WINSVC_INLINE void doctor::look_for_drift(const model::installation& there) {
  const auto found = drift_of(desk_, there);
  if (!found) return add(weight::problem, "account", found.error().sentence());
  for (const auto& c : found->differs) {
    // Without the right the start fails (1069); the rest of it works, and otherwise than the program says.
    const bool stops = c.what == model::item::logon_right, other_program = c.what == model::item::binary;
    add(stops ? weight::problem : weight::warning, "drift", model::drift_text(c),
        other_program ? "update, by the program that is to run" : "update", !other_program);
  }
  if (found->differs.empty()) add(weight::fine, "drift", "installed as the program would install it");
  if (!found->unseen.empty())
    add(weight::note, "not seen", text::join(found->unseen, ", "), "run from an elevated prompt, if this is not one");
}

WINSVC_INLINE void doctor::binary(const std::string& image_path) {
  const auto words = split_command_line(image_path);
  if (words.empty()) return add(weight::problem, "path", "the service has no program", "update", true);
  const auto there = os::source_file::open(words[0]);
  if (there) return;
  if (os::is_missing(there.error())) {
    add(weight::problem, "path", "its program is not there: " + words[0], "update, from where the program is now", true);
  } else {
    add(weight::note, "path", "its program cannot be looked at from here: " + words[0] + ": " +
                                  os::system_words(there.error()), "run from an elevated prompt, if this is not one");
  }
}

/// Who may put another executable, or a library beside it, into the folder becomes what the service runs as.
WINSVC_INLINE void doctor::program_folder() {
  const std::string& folder = desk_.ours().program_folder;
  const auto security = desk_.scm().query_folder_security(folder);
  if (!security) {
    if (security.error() != model::code::not_supported)
      add(weight::note, "folder", "who may change " + folder + " cannot be seen: " + os::system_words(security.error()));
    return;
  }
  const auto who = model::strangers_who_write(*security);
  if (who.empty()) return add(weight::fine, "folder", "only administrators may change " + folder);
  add(weight::problem, "folder",
      text::join(who, " and ") + " may change what is in " + folder + ", and so what the service runs",
      model::how_to_close(folder));
}

WINSVC_INLINE void doctor::data_folder() {
  const std::string& folder = desk_.ours().data_folder;
  if (folder.empty()) return add(weight::warning, "data folder", "the system does not say where it belongs");
  const auto free = machine_.free_space(folder);
  if (!free) return;
  constexpr std::uint64_t mib = 1024 * 1024, little = 500 * mib, none = 20 * mib;
  const std::string seen = std::to_string(*free / mib) + " MiB free for " + folder;
  if (*free < none) add(weight::problem, "disk", seen, "make room, or the log and what the service keeps are lost");
  else if (*free < little) add(weight::warning, "disk", seen, "make room");
  else add(weight::fine, "disk", seen);
}

WINSVC_INLINE void doctor::dependencies(const std::vector<std::string>& names) {
  for (const auto& one : names) {
    if (one.empty() || one[0] == '+') continue;  // a group
    const auto service = desk_.open("look at", one, os::access::query_status);
    if (!service && service.error().code == model::code::service_does_not_exist)
      add(weight::problem, "depends on", "'" + one + "' is not installed, and the service does not start without it",
          "install that, or update --depends without it");
  }
}

WINSVC_INLINE void doctor::settings() {
  const auto wrong = plan_.settings.faults();
  for (const auto& one : wrong) add(weight::problem, "settings", one.sentence());
  const auto& sources = plan_.settings.sources();
  if (wrong.empty()) add(weight::fine, "settings", sources.file ? sources.path : "no file; " + sources.path + " would be it");
}

/// Can it be listened on? While the service runs, it is it who does; and while it starts, an attempt of ours would take
/// the port from it.
WINSVC_INLINE void doctor::port() {
  const auto* host = plan_.settings.find("host");
  const auto* number = plan_.settings.find("port");
  if (!host || !number) return;
  std::uint64_t port = 0;
  static_cast<void>(text::parse_number(number->text(), 65'535, port));
  const os::endpoint where{host->text(), static_cast<std::uint16_t>(port)};
  if (port != 0) firewall(where);
  if (!live_.empty()) {
    const auto said = model::parse_flat_object(live_).value_or(model::flat_object());
    return add(weight::fine, "port", "the service answers: " + model::text_of(said, "url"));
  }
  if (const auto pid = pid_of(desk_.scm(), desk_.name()); pid != 0) {
    return add(weight::note, "port", "the service runs, as pid " + std::to_string(pid) + ", and cannot be asked from here",
               "run from an elevated prompt, if this is not one");
  }
  if (port == 0) return add(weight::fine, "port", "a free one is picked at each start");
  const auto listening = os::tcp_socket::listen(where.host, where.port);
  if (listening) return add(weight::fine, "port", where.text() + " is free");
  const auto code = listening.error();
  const error why = model::explained(code, "listen on", where.text(), os::system_words(code));
  const std::string owner = os::port_owner(where);
  add(weight::problem, "port", where.text() + ": " + why.said + (owner.empty() ? "" : ", by " + owner), why.hint);
}

/// Of an address that others can reach: do they?
WINSVC_INLINE void doctor::firewall(const os::endpoint& where) {
  if (where.host == "::1" || where.host == "localhost" || text::starts_with(where.host, "127.")) return;
  const std::string& program = desk_.ours().executable;
  const std::string open = "netsh advfirewall firewall add rule name=\"" + desk_.name() +
                           "\" dir=in action=allow protocol=TCP localport=" + std::to_string(where.port) +
                           " program=\"" + program + '"';
  const auto rules = machine_.firewall_rules();
  if (!rules) return add(weight::note, "firewall", "others reach " + where.text() + " where the firewall lets them", open);
  const auto found = model::firewall_view(*rules, program, where.port);
  if (!found.block.empty()) {
    add(weight::problem, "firewall", "the rule '" + found.block.front() + "' keeps others away from " + where.text(),
        "netsh advfirewall firewall delete rule name=\"" + found.block.front() + "\" program=\"" + program + '"');
  } else if (!found.allow.empty()) {
    add(weight::fine, "firewall", "the rule '" + found.allow.front() + "' lets others reach " + where.text());
  } else {
    add(weight::warning, "firewall", "no rule of its own lets others reach " + where.text(), open);
  }
}

WINSVC_INLINE void doctor::last_run() {
  const auto left = desk_.state();
  if (!left) return;
  if (!left->failure.empty()) add(weight::warning, "last run", left->failure, "logs --since 1d --level warn");
  else if (!left->earlier.empty()) add(weight::note, "last failure", left->earlier, "why");
  const auto took = std::chrono::milliseconds(left->start_ms);
  if (took.count() != 0) {
    const std::string seen = "took " + duration_text(took) + ", each of its hooks may take " + duration_text(plan_.start_limit);
    if (took < plan_.start_limit / 2) add(weight::fine, "last start", seen);
    else add(weight::warning, "last start", seen, "do less in on_start, or raise start_limit");
  }
  if (const auto since = parse_time(left->since); since && *since > desk_.time().wall() + std::chrono::minutes(1)) {
    add(weight::warning, "clock", "it started at " + left->since + ", which is yet to come: the clock was set back",
        "look at the machine's time service; times in the log do not follow one another");
  }
}

WINSVC_INLINE result<void> repair(desk& at, const std::function<void(const std::string&)>& say) {
  const auto seen = survey(at, {}, "repair");
  if (!seen) return failure{seen.error()};
  model::install_defaults as = at.ours();
  const auto words = seen->there && seen->there->binary ? split_command_line(*seen->there->binary)
                                                        : std::vector<std::string>();
  const auto program = words.empty() ? os::sys_failure(2) : os::source_file::open(words[0]);
  if (program || !os::is_missing(program.error())) {
    as.executable = words[0];
    as.program_folder = os::folder_of(words[0]);
  } else if (const auto security = at.scm().query_folder_security(as.program_folder);
             security && !model::strangers_who_write(*security).empty()) {
    return failure{error{model::code::access_denied, "repair", at.name(),
                         "its program is gone, and this one lies in a folder that others may change: " + as.program_folder,
                         "move it to a folder below Program Files, and say update there"}};
  }
  desk repairing(at.spec(), {at.scm(), at.time(), say, [&at] { return at.state(); }, as, [&at] { return at.ask_password(); }});
  model::command update;
  update.verb = model::verb::update;
  return installer(repairing).run(update);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
