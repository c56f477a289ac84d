// `doctor`: looks at all that makes services fail, before it does: the folder of the executable, the settings, the port, the
// disk, what the service depends on, and whether what is installed is what the program would install.
//
// It changes nothing, and needs no rights that a look needs not; what it may not see it says. Each check is a function that
// adds its findings.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/app/blueprint.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/finding.hpp"
#include "winsvc/model/flat_object.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/survey.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class doctor {
 public:
  /// `live`: what the running service answers when it is asked for its status; empty: nothing.
  doctor(desk& at, const blueprint& plan, std::string live) : desk_(at), plan_(plan), live_(std::move(live)) {}

  [[nodiscard]] std::vector<model::finding> examine();

 private:
  using weight = model::weight;
  void add(weight w, std::string about, std::string seen, std::string remedy = {}, bool fixable = false) {
    found_.push_back({w, std::move(about), std::move(seen), std::move(remedy), fixable});
  }
  void service();
  [[nodiscard]] bool unquoted();
  void drift(const model::installation& there);
  void binary(const std::string& image_path);
  void program_folder();
  void data_folder();
  void dependencies(const std::vector<std::string>& names);
  void settings();
  void port();
  void last_run();

  desk& desk_;
  const blueprint& plan_;
  std::string live_;
  std::vector<model::finding> found_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::vector<model::finding> doctor::examine() {
  add(weight::fine, "program", desk_.ours().executable);
  service();
  program_folder();
  data_folder();
  settings();
  port();
  last_run();
  return std::move(found_);
}

/// What is installed, and whether it is what would be.
inline void doctor::service() {
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
  drift(there);
}

/// Registered by hand, perhaps: our program's path, without the quotes that it needs.
inline bool doctor::unquoted() {
  const auto service = desk_.open("look at", os::access::query_config);
  if (!service) return false;
  const auto config = desk_.scm().query_config(service->get());
  if (!config || !text::starts_with_nocase(config->binary, desk_.ours().executable)) return false;
  add(weight::problem, "path",
      "its path is not quoted, and another program may be started in its place: " + config->binary,
      "remove it with 'sc delete " + desk_.name() + "', then install");
  return true;
}

inline void doctor::drift(const model::installation& there) {
  const auto wanted = model::wanted_installation({}, desk_.spec(), &there, desk_.ours());
  if (!wanted) return add(weight::problem, "account", wanted.error().sentence());
  const auto plan = model::plan_install(&there, *wanted, desk_.ours());
  bool any = false;
  std::vector<std::string> unseen;
  for (const auto& c : plan.changes) {
    if (c.from == "unknown") {  // Windows does not show it to us, or does not know it
      unseen.push_back(c.name);
      continue;
    }
    any = true;
    add(weight::warning, "drift", c.name + " is " + c.from + ", and would be installed as " + c.to, "update", true);
  }
  if (!any) add(weight::fine, "drift", "installed as the program would install it");
  if (!unseen.empty())
    add(weight::note, "not seen", text::join(unseen, ", "), "run from an elevated prompt, if this is not one");
}

inline void doctor::binary(const std::string& image_path) {
  const auto words = split_command_line(image_path);
  if (words.empty()) return add(weight::problem, "path", "the service has no program", "update", true);
  if (!os::source_file::open(words[0]))
    add(weight::problem, "path", "its program cannot be opened: " + words[0], "update, from where the program is now", true);
}

/// Who may put another executable, or a library beside it, into the folder becomes what the service runs as.
inline void doctor::program_folder() {
  const std::string& folder = desk_.ours().program_folder;
  const auto security = desk_.scm().query_folder_security(folder);
  if (!security) return;
  const auto who = model::strangers_who_write(*security);
  if (who.empty()) return add(weight::fine, "folder", "only administrators may change " + folder);
  add(weight::problem, "folder",
      text::join(who, " and ") + " may change what is in " + folder + ", and so what the service runs",
      "keep the program in a folder below Program Files, or take the right away: icacls \"" + folder +
          "\" /inheritance:r /grant:r SYSTEM:(OI)(CI)F Administrators:(OI)(CI)F Users:(OI)(CI)RX");
}

inline void doctor::data_folder() {
  const std::string& folder = desk_.ours().data_folder;
  if (folder.empty()) return add(weight::warning, "data folder", "the system does not say where it belongs");
  const auto free = os::free_space(folder);
  if (!free) return;
  constexpr std::uint64_t mib = 1024 * 1024, little = 500 * mib, none = 20 * mib;
  const std::string seen = std::to_string(*free / mib) + " MiB free for " + folder;
  if (*free < none) add(weight::problem, "disk", seen, "make room, or the log and what the service keeps are lost");
  else if (*free < little) add(weight::warning, "disk", seen, "make room");
  else add(weight::fine, "disk", seen);
}

inline void doctor::dependencies(const std::vector<std::string>& names) {
  for (const auto& one : names) {
    if (one.empty() || one[0] == '+') continue;  // a group
    const auto service = desk_.open("look at", one, os::access::query_status);
    if (!service && service.error().code == model::code::service_does_not_exist)
      add(weight::problem, "depends on", "'" + one + "' is not installed, and the service does not start without it",
          "install that, or update --depends without it");
  }
}

inline void doctor::settings() {
  const auto wrong = plan_.settings.faults();
  for (const auto& one : wrong) add(weight::problem, "settings", one.sentence());
  const auto& sources = plan_.settings.sources();
  if (wrong.empty()) add(weight::fine, "settings", sources.file ? sources.path : "no file; " + sources.path + " would be it");
}

/// Can it be listened on? While the service runs, it is it who does.
inline void doctor::port() {
  const auto* host = plan_.settings.find("host");
  const auto* number = plan_.settings.find("port");
  if (!host || !number) return;
  std::uint64_t port = 0;
  static_cast<void>(text::parse_number(number->text(), 65'535, port));
  const os::endpoint where{host->text(), static_cast<std::uint16_t>(port)};
  if (!live_.empty())
    return add(weight::fine, "port", "the service answers: " + model::text_of(model::parse_flat_object(live_).value_or(
                                                                                  model::flat_object()), "url"));
  const auto listening = os::tcp_socket::listen(where.host, where.port);
  if (listening) {
    add(weight::fine, "port", where.text() + " is free");
  } else {
    const auto code = listening.error();
    const error why = model::explained(code, "listen on", where.text(), os::system_words(code));
    const std::string owner = os::port_owner(where);
    add(weight::problem, "port", where.text() + ": " + why.said + (owner.empty() ? "" : ", by " + owner), why.hint);
  }
  const bool local = where.host == "::1" || where.host == "localhost" || text::starts_with(where.host, "127.");
  if (!local) {
    add(weight::note, "firewall", "others reach " + where.text() + " where the firewall lets them",
        "netsh advfirewall firewall add rule name=\"" + desk_.name() + "\" dir=in action=allow protocol=TCP localport=" +
            std::to_string(port) + " program=\"" + desk_.ours().executable + '"');
  }
}

inline void doctor::last_run() {
  const auto left = desk_.state();
  if (left && !left->failure.empty())
    add(weight::warning, "last run", left->failure, "logs --since 1d --level warn");
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
