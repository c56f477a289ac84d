// The verbs that manage the service: install, remove, start, stop, restart, status. Each is a short program over the
// seam in os/service_manager.hpp that asks for the least rights it needs; nothing here knows Windows.
//
// A verb that finds the work done already (stopped, gone, running) has succeeded.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/status.hpp"
#include "winsvc/host/wait.hpp"
#include "winsvc/model/command.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class manager {
 public:
  using raw_handle = os::service_manager::raw_handle;

  /// `say` gets the lines for the person; `state` reads what the service left in its data folder.
  struct surroundings {
    os::service_manager& scm;
    clock& time;
    std::function<void(const std::string&)> say;
    std::function<std::optional<model::service_state>()> state;
    std::string executable;
  };
  manager(model::service_spec spec, surroundings around) : spec_(std::move(spec)), around_(std::move(around)) {}

  result<void> install(const model::command& asked);
  result<void> remove(std::chrono::milliseconds limit);
  result<void> start(std::chrono::milliseconds limit, bool wait);
  result<void> stop(std::chrono::milliseconds limit, bool wait);
  result<service_report> status();

 private:
  [[nodiscard]] failure<error> failed(std::string doing, std::uint32_t code) const {
    return {model::explained(code, std::move(doing), spec_.name, os::system_words(code))};
  }
  result<os::service_handle> open(const std::string& doing, std::uint32_t rights,
                                  std::uint32_t manager_rights = os::access::manager_connect);
  result<os::service_handle> open_manager(const std::string& doing, std::uint32_t rights);
  result<void> create(const model::command& asked);
  result<void> change(const model::command& asked, os::service_handle service);
  result<void> finish_install(raw_handle service, const os::service_settings& settings,
                              const std::optional<std::string>& description);
  result<void> stop_and_wait(raw_handle service, std::chrono::milliseconds limit, bool wait, const std::string& doing);
  result<void> wait_until_gone(std::chrono::milliseconds limit);
  [[nodiscard]] result<void> check_ours(const std::string& doing, const os::service_config& found) const;
  [[nodiscard]] error failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const;
  void say(const std::string& line) const {
    if (around_.say) around_.say(line);
  }

  model::service_spec spec_;
  surroundings around_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline result<os::service_handle> manager::open_manager(const std::string& doing, std::uint32_t rights) {
  const auto handle = around_.scm.open_manager(rights);
  if (!handle) {
    auto why = failed(doing, handle.error());
    if (handle.error() == 50) {
      why.reason.said = "services are a thing of Windows";
      why.reason.hint = "'debug' serves in the terminal on every system";
    }
    return why;
  }
  return os::service_handle(around_.scm, *handle);
}

inline result<os::service_handle> manager::open(const std::string& doing, std::uint32_t rights,
                                                std::uint32_t manager_rights) {
  const auto scm = open_manager(doing, manager_rights);
  if (!scm) return failure{scm.error()};
  const auto handle = around_.scm.open_service(scm->get(), spec_.name, rights);
  if (!handle) return failed(doing, handle.error());
  return os::service_handle(around_.scm, *handle);
}

// -- install --

inline result<void> manager::install(const model::command& asked) {
  auto existing = open("install", os::access::query_config | os::access::change_config);
  if (existing) return change(asked, std::move(*existing));
  if (existing.error().code != model::code::service_does_not_exist) return failure{existing.error()};
  return create(asked);
}

inline result<void> manager::create(const model::command& asked) {
  const auto scm = open_manager("install", os::access::manager_connect | os::access::manager_create);
  if (!scm) return failure{scm.error()};

  os::service_settings settings;
  settings.startup = asked.startup ? asked.startup : spec_.startup.value_or(startup::automatic);
  settings.display_name = asked.display_name ? asked.display_name : spec_.display_name.value_or(spec_.name);
  settings.binary = model::image_path(around_.executable, asked.launch);
  const auto created =
      around_.scm.create_service(scm->get(), spec_.name, os::access::change_config | os::access::remove, settings);
  if (!created) return failed("install", created.error());

  const os::service_handle service(around_.scm, *created);
  if (auto finished =
          finish_install(service.get(), settings, asked.description ? asked.description : spec_.description);
      !finished) {
    static_cast<void>(around_.scm.delete_service(service.get()));  // a half-installed service is worse than none
    static_cast<void>(around_.scm.remove_event_source(spec_.name));
    return finished;
  }
  say("installed '" + spec_.name + "' (" + std::string(name(*settings.startup)) + "): " + *settings.binary);
  return {};
}

inline result<void> manager::change(const model::command& asked, os::service_handle service) {
  const auto before = around_.scm.query_config(service.get());
  if (!before) return failed("install", before.error());
  if (auto mine = check_ours("install", *before); !mine) return mine;

  os::service_settings settings;
  settings.startup = asked.startup ? asked.startup : spec_.startup;
  settings.display_name = asked.display_name ? asked.display_name : spec_.display_name;
  settings.binary = model::image_path(around_.executable, asked.launch.over(model::launch_options_in(before->binary)));
  if (auto changed = around_.scm.change_config(service.get(), settings); !changed)
    return failed("install", changed.error());
  if (auto finished =
          finish_install(service.get(), settings, asked.description ? asked.description : spec_.description);
      !finished)
    return finished;
  say("'" + spec_.name + "' was installed already and is updated: " + *settings.binary);
  if (before->binary != *settings.binary) say("  it was: " + before->binary);
  return {};
}

/// Ours is what has our word in its command line, wherever the executable was then, and what runs this executable. Any
/// other service that happens to have the name is left alone.
inline result<void> manager::check_ours(const std::string& doing, const os::service_config& found) const {
  const auto words = split_command_line(found.binary);
  const bool has_word = words.size() > 1 && words[1] == model::run_service_word;
  if (has_word || (!words.empty() && text::equal_nocase(words[0], around_.executable))) return {};
  return failure{error{model::code::service_exists, doing, spec_.name,
                       "another program's service has that name: " + found.binary, "give the app another name"}};
}

/// What creation and update have in common.
inline result<void> manager::finish_install(raw_handle service, const os::service_settings& settings,
                                            const std::optional<std::string>& description) {
  if (description) {
    if (auto done = around_.scm.change_level(service, model::description_text{*description}); !done)
      return failed("describe", done.error());
  }
  if (settings.startup && (*settings.startup == startup::delayed || *settings.startup == startup::automatic)) {
    const bool delayed = *settings.startup == startup::delayed;
    // Refused by systems that do not know the level (120, 124): an ordinary automatic start is what is left.
    if (auto done = around_.scm.change_level(service, model::delayed_start{delayed}); !done && delayed) {
      say("warning: a delayed start is not supported here (" + std::to_string(done.error()) +
          "); the service starts without delay");
    }
  }
  if (auto done = around_.scm.add_event_source(spec_.name); !done)
    return failed("register the event source", done.error());
  return {};
}

// -- remove --

inline result<void> manager::remove(std::chrono::milliseconds limit) {
  bool was_there = false;
  {
    const auto service =
        open("remove", os::access::query_config | os::access::query_status | os::access::stop | os::access::remove);
    if (service) {
      was_there = true;
      const auto config = around_.scm.query_config(service->get());
      if (!config) return failed("remove", config.error());
      if (auto mine = check_ours("remove", *config); !mine) return mine;
      if (auto stopped = stop_and_wait(service->get(), limit, true, "remove"); !stopped) return stopped;
      if (auto deleted = around_.scm.delete_service(service->get());
          !deleted && deleted.error() != model::code::service_marked_for_delete) {
        return failed("remove", deleted.error());
      }
    } else if (service.error().code == model::code::service_marked_for_delete) {
      was_there = true;  // somebody has deleted it; it goes when the last handle does
    } else if (service.error().code != model::code::service_does_not_exist) {
      return failure{service.error()};
    }
  }  // our handle goes before we wait: it would keep the service there
  if (was_there) {
    if (auto gone = wait_until_gone(limit); !gone) return gone;
  }
  if (auto removed = around_.scm.remove_event_source(spec_.name); !removed)
    return failed("remove the event source of", removed.error());
  say(was_there ? "removed '" + spec_.name + "'" : "'" + spec_.name + "' is not installed");
  return {};
}

inline result<void> manager::wait_until_gone(std::chrono::milliseconds limit) {
  const auto until = around_.time.now() + limit;
  for (auto pause = std::chrono::milliseconds(10);; pause = (std::min)(pause * 2, std::chrono::milliseconds(1000))) {
    const auto there = open("remove", os::access::query_status);
    if (!there && there.error().code == model::code::service_does_not_exist) return {};
    if (!there && there.error().code != model::code::service_marked_for_delete) return failure{there.error()};
    if (around_.time.now() >= until) return failed("remove", model::code::service_marked_for_delete);
    around_.time.sleep(pause);
  }
}

// -- start, stop --

inline result<void> manager::start(std::chrono::milliseconds limit, bool wait) {
  const auto service = open("start", os::access::start | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto before = around_.state();
  for (bool first = true;; first = false) {
    const auto started = around_.scm.start_service(service->get(), {});
    if (started) break;
    if (started.error() != model::code::service_already_running) return failed("start", started.error());
    const auto now = around_.scm.query_status(service->get());
    if (now && now->status.current == model::state::running) {
      say("'" + spec_.name + "' is running already");
      return {};
    }
    if (!first || !now || now->status.current != model::state::stop_pending) break;
    // It is on its way down from an earlier stop: let it get there, and start it then.
    const auto stopped = wait_until_settled(around_.scm, service->get(), around_.time, {}, limit, "start", spec_.name);
    if (!stopped) return failure{stopped.error()};
  }
  if (!wait) return {};

  const auto settled = wait_until_settled(around_.scm, service->get(), around_.time, {model::state::running}, limit,
                                          "start", spec_.name);
  if (!settled) return failure{settled.error()};
  if (settled->status.current != model::state::running) return failure{failed_start(settled->status, before)};
  const auto left = around_.state();
  say("started '" + spec_.name + "'" + (left && left->pid == settled->pid ? ": " + left->url : ""));
  return {};
}

/// The service's own sentence where it left one: "the port is taken by pid 7" helps, "10048" alone does not.
/// `before`: what lay there before this start, which is no news of it.
inline error manager::failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : model::code::service_request_timeout;
  error why = model::explained(code, "start", spec_.name, os::system_words(code));
  if (const auto left = around_.state(); left && !left->failure.empty() && (!before || left->pid != before->pid)) {
    why.said = left->failure;
    why.hint.clear();
  } else if (!status.exit.failed()) {
    why.said = "it stopped as soon as it had started";
    why.hint = "read its log";
  }
  return why;
}

inline result<void> manager::stop(std::chrono::milliseconds limit, bool wait) {
  const auto service = open("stop", os::access::stop | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto now = around_.scm.query_status(service->get());
  if (now && now->status.current == model::state::stopped) {
    say("'" + spec_.name + "' is not running");
    return {};
  }
  if (auto stopped = stop_and_wait(service->get(), limit, wait, "stop"); !stopped) return stopped;
  say(wait ? "stopped '" + spec_.name + "'" : "asked '" + spec_.name + "' to stop");
  return {};
}

inline result<void> manager::stop_and_wait(raw_handle service, std::chrono::milliseconds limit, bool wait,
                                           const std::string& doing) {
  const auto until = around_.time.now() + limit;
  for (;;) {
    const auto asked = around_.scm.control_service(service, static_cast<std::uint32_t>(model::control::stop));
    if (asked) break;
    if (asked.error() == model::code::service_not_active) return {};
    const auto now = around_.scm.query_status(service);
    // Windows says 1061 of a service between two states, Wine 1052, which is also what one says that never takes a
    // stop.
    const bool between =
        asked.error() == model::code::service_cannot_accept_control ||
        (asked.error() == model::code::invalid_service_control && now && model::is_pending(now->status.current));
    if (!between) return failed(doing, asked.error());

    // It is starting, or stopping already. Let it get there; a start is then asked again.
    if (now && now->status.current == model::state::stop_pending) break;
    if (around_.time.now() >= until) return failed(doing, asked.error());
    around_.time.sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_until_settled(around_.scm, service, around_.time, {}, limit, doing, spec_.name);
  if (!settled) return failure{settled.error()};
  return {};
}

// -- status --

inline result<service_report> manager::status() {
  service_report r;
  r.name = spec_.name;
  const auto service = open("query", os::access::query_status | os::access::query_config);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return r;
    return failure{service.error()};
  }
  r.installed = true;
  const auto process = around_.scm.query_status(service->get());
  if (!process) return failed("query", process.error());
  r.process = *process;
  const auto config = around_.scm.query_config(service->get());
  if (!config) return failed("query", config.error());
  r.config = *config;
  if (auto left = around_.state()) {
    r.left = *left;
    if (r.left.pid != r.process.pid || r.process.pid == 0) r.left.url.clear(), r.left.since.clear();
  }
  return r;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
