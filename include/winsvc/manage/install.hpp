// install and update: look at what there is (verbs/survey.hpp), plan (manage/installation.hpp), and carry the plan out
// step by step, with the least rights that it needs; what was done is undone when a step that must not fail does.
//
// What must not fail: the service itself, what was asked for, the event source, the right to log on. Warnings: levels
// that the system does not know, and the service's rights to folders.
//
// Source: "Installing, Removing, and Enumerating Services" and "Service Security and Access Rights" in the Win32
// documentation.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/query_installed.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Undoes what was done, the last step first, unless all went well.
class rollback {
 public:
  rollback() = default;
  rollback(const rollback&) = delete;
  rollback& operator=(const rollback&) = delete;
  ~rollback() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  }
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void commit() noexcept { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

class installer {
 public:
  explicit installer(verb_context& context) noexcept : context_(context) {}

  /// `asked.verb` says whether an absent service is created (install) or an error (update).
  result<void> run(const model::command& command);
  /// Would `run` ask for a password? As far as can be seen without rights: for who asks before it is run elevated.
  bool needs_password(const model::command& command);

 private:
  /// One install on its way.
  struct install_job {
    const model::command& command;
    std::string operation;
    std::optional<model::installation> installation;
    std::map<std::string, std::string> sids;  ///< of the users who may control it
    model::installation desired;
    model::install_plan plan;
    std::optional<std::string> password;
  };

  result<install_job> plan(const model::command& command);
  result<void> read_password(install_job& j);
  result<void> create(install_job& j);
  result<void> change(install_job& j);
  // The steps of both; what a step has done is added to the list.
  result<void> change_settings(install_job& j, verb_context::raw_handle service, rollback& rollback);
  result<void> change_account(const install_job& j, verb_context::raw_handle service, rollback& rollback);
  result<void> change_levels(install_job& j, verb_context::raw_handle service, rollback& rollback);
  result<void> change_level(install_job& j, verb_context::raw_handle service, const std::optional<model::config_level>& from,
                            const model::config_level& to, rollback& rollback);
  result<void> change_related_objects(const install_job& j, verb_context::raw_handle service, rollback& rollback);
  result<void> grant_logon_right(const install_job& j);
  void print_result(const install_job& j) const;

  /// The rights that what is planned needs on the service's handle.
  [[nodiscard]] static std::uint32_t rights_for(const install_job& j);

  verb_context& context_;
};

// ---------------------------------------------------------------------------------------------------------------------

// -- what there is, and what is wanted --

// -- the steps --

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE result<void> installer::run(const model::command& command) {
  auto planned = plan(command);
  if (!planned) return failure{planned.error()};
  install_job& j = *planned;
  if (command.plan) {
    std::string text = model::format_plan(context_.name(), j.plan);
    text.pop_back();
    context_.print(text);
    return {};
  }

  if (!j.plan.creates_service && j.plan.changes.empty()) {
    context_.print(context_.quoted_name() + " is installed as it is asked for");
  } else {
    if (auto done = j.plan.creates_service ? create(j) : change(j); !done) return done;
    grant_folder_access(context_, j.plan, j.installation);
    print_result(j);
  }
  if (!command.start_after) return {};
  return service_controller(context_).start(command);
}

WINSVC_INLINE bool installer::needs_password(const model::command& command) {
  if (const auto planned = plan(command)) return planned->desired.new_password;
  const auto desired = model::desired_installation(command, context_.spec(), nullptr, context_.defaults());  // as if it were new
  return desired && desired->new_password;
}

WINSVC_INLINE result<installer::install_job> installer::plan(const model::command& command) {
  install_job j{command, std::string(model::info(command.verb).word), {}, {}, {}, {}, {}};
  auto found = query_installed(context_, command, j.operation);
  if (!found) return failure{found.error()};
  j.installation = std::move(found->installation);
  j.sids = std::move(found->sids);
  if (!j.installation && command.verb == model::verb::update) return context_.make_error(j.operation, model::win32_error::service_does_not_exist);

  const model::installation* old = j.installation ? &*j.installation : nullptr;
  auto desired = model::desired_installation(command, context_.spec(), old, context_.defaults());
  if (!desired) return failure{desired.error()};
  j.desired = *std::move(desired);
  j.plan = model::plan_install(old, j.desired, context_.defaults());
  return j;
}

WINSVC_INLINE std::uint32_t installer::rights_for(const install_job& j) {
  const auto restarts = [](const std::optional<model::config_level>& l) {
    if (!l) return false;
    for (const auto& action : std::get<model::recovery_plan>(*l).actions) {
      if (action.kind_of_action == recovery_action::kind::restart) return true;
    }
    return false;
  };
  std::uint32_t rights = os::access_rights::change_config | (j.plan.creates_service ? os::access_rights::remove : 0);
  if (j.plan.has(model::config_item::recovery)) {  // who lets the SCM start it must be allowed to; the undoing included
    const auto old = j.installation ? model::level_of(*j.installation, model::config_level_id::failure_actions) : std::nullopt;
    if (restarts(model::level_of(j.desired, model::config_level_id::failure_actions)) || restarts(old))
      rights |= os::access_rights::start;
  }
  if (j.plan.has(model::config_item::control)) rights |= os::access_rights::read_security | os::access_rights::write_security;
  return rights;
}

/// Only now that the manager was opened with the rights that it takes: nobody types a password for an error 5.
WINSVC_INLINE result<void> installer::read_password(install_job& j) {
  if (!j.desired.account) return {};
  j.password = j.desired.account->fixed_password();
  if (!j.desired.new_password) return {};
  auto given = context_.read_password();
  if (!given) return failure{given.error()};
  j.password = *std::move(given);
  return {};
}

WINSVC_INLINE result<void> installer::create(install_job& j) {
  auto& scm = context_.scm();
  const auto manager = context_.open_manager(j.operation, os::access_rights::manager_connect | os::access_rights::manager_create);
  if (!manager) return failure{manager.error()};
  if (auto requested = read_password(j); !requested) return requested;

  os::service_config_change settings;
  settings.startup = j.desired.startup;
  settings.binary = j.desired.binary;
  settings.display_name = j.desired.display_name;
  settings.account = j.desired.account->name;
  settings.password = j.password;
  settings.dependencies = j.desired.dependencies;
  const auto created = scm.create_service(manager->get(), context_.name(), rights_for(j), settings);
  if (!created) return context_.make_error(j.operation, created.error());
  const os::service_handle service(scm, *created);

  rollback rollback;  // behind the handle, which it needs
  rollback.add([&] { static_cast<void>(scm.delete_service(service.get())); });
  if (j.desired.startup == startup::delayed) {
    if (auto done = change_level(j, service.get(), {}, model::delayed_start{true}, rollback); !done) return done;
  }
  if (auto done = change_levels(j, service.get(), rollback); !done) return done;
  if (auto done = change_related_objects(j, service.get(), rollback); !done) return done;
  if (auto done = grant_logon_right(j); !done) return done;
  rollback.commit();
  return {};
}

WINSVC_INLINE result<void> installer::change(install_job& j) {
  const auto service = context_.open(j.operation, rights_for(j));
  if (!service) return failure{service.error()};
  if (auto requested = read_password(j); !requested) return requested;

  rollback rollback;
  if (auto done = change_settings(j, service->get(), rollback); !done) return done;
  if (auto done = change_levels(j, service->get(), rollback); !done) return done;
  if (auto done = change_related_objects(j, service->get(), rollback); !done) return done;
  // Last, because an old account that has a password cannot be put back, nor can the right to log on be taken away from
  // one that may have had it before.
  if (auto done = change_account(j, service->get(), rollback); !done) return done;
  if (auto done = grant_logon_right(j); !done) return done;
  rollback.commit();
  return {};
}

/// What one ChangeServiceConfigW changes, but for the account.
WINSVC_INLINE result<void> installer::change_settings(install_job& j, verb_context::raw_handle service, rollback& rollback) {
  auto& scm = context_.scm();
  os::service_config_change to, back;
  if (j.plan.has(model::config_item::startup)) to.startup = j.desired.startup, back.startup = j.installation->startup;
  if (j.plan.has(model::config_item::binary)) to.binary = j.desired.binary, back.binary = j.installation->binary;
  if (j.plan.has(model::config_item::display_name))
    to.display_name = j.desired.display_name, back.display_name = j.installation->display_name;
  if (!to.startup && !to.binary && !to.display_name && !j.plan.has(model::config_item::dependencies)) return {};
  back.dependencies = j.installation->dependencies;
  to.dependencies = j.desired.dependencies ? j.desired.dependencies : j.installation->dependencies;

  // A delay belongs to an automatic start: it is taken away while there still is one, and set when there is.
  const bool was_delayed = to.startup && j.installation->startup == startup::delayed;
  if (was_delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, on, off, rollback); !done) return done;
  }
  if (auto changed = scm.change_config(service, to); !changed) return context_.make_error(j.operation, changed.error());
  rollback.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  if (to.startup == startup::delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, off, on, rollback); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_account(const install_job& j, verb_context::raw_handle service, rollback& rollback) {
  if (!j.plan.has(model::config_item::account) && !j.plan.has(model::config_item::password)) return {};
  auto& scm = context_.scm();
  os::service_config_change to, back;
  to.account = j.desired.account->name;
  to.password = j.password;
  to.dependencies = j.desired.dependencies ? j.desired.dependencies : j.installation->dependencies;
  if (auto changed = scm.change_config(service, to); !changed) return context_.make_error(j.operation, changed.error());
  if (j.installation->account->needs_password()) return {};
  back.account = j.installation->account->name;
  back.password = j.installation->account->fixed_password();
  back.dependencies = to.dependencies;
  rollback.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  return {};
}

WINSVC_INLINE result<void> installer::change_levels(install_job& j, verb_context::raw_handle service, rollback& rollback) {
  for (const auto& [number, to] : j.desired.levels) {
    const auto from = j.installation ? model::level_of(*j.installation, number) : std::nullopt;
    if (from && model::format_config_level(*from) == model::format_config_level(to)) continue;
    if (auto done = change_level(j, service, from, to, rollback); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_level(install_job& j, verb_context::raw_handle service,
                                            const std::optional<model::config_level>& from,
                                            const model::config_level& to, rollback& rollback) {
  auto& scm = context_.scm();
  const std::uint32_t number = model::number(to);
  if (auto done = scm.change_level(service, to); !done) {
    if (!model::is_level_unreadable(done.error())) return context_.make_error("configure", done.error());
    context_.warn("this system does not know setting " + std::to_string(number) + " (" + std::to_string(done.error()) +
               "): " + std::string(model::consequence_of_missing(number)));
    for (const auto& row : model::config_level_table) {
      if (row.number == number) j.plan.remove_item(row.item);
    }
    return {};
  }
  if (from) rollback.add([&scm, service, from] { static_cast<void>(scm.change_level(service, *from)); });
  return {};
}

/// What lies beside the SCM's own settings: environment, event source, the rights to the service itself.
WINSVC_INLINE result<void> installer::change_related_objects(const install_job& j, verb_context::raw_handle service, rollback& rollback) {
  auto& scm = context_.scm();
  if (j.plan.has(model::config_item::environment)) {
    if (auto done = scm.change_environment(context_.name(), *j.desired.environment); !done)
      return context_.make_error("set the environment of", done.error());
    if (j.installation) {  // of a new one it goes with the service
      rollback.add([&scm, name = context_.name(), back = *j.installation->environment] {
        static_cast<void>(scm.change_environment(name, back));
      });
    }
  }
  if (j.plan.has(model::config_item::control)) {
    const auto security = scm.query_security(service);
    if (!security) return context_.make_error("read the rights of", security.error());
    std::string to = *security;
    for (const auto& [user, sid] : j.sids) to = model::add_ace(to, model::control_ace(sid));
    if (auto done = scm.change_security(service, to); !done) return context_.make_error("change the rights of", done.error());
    rollback.add([&scm, service, back = *security] { static_cast<void>(scm.change_security(service, back)); });
  }
  // Added to an existing service as well, because it may have lost it; that is never undone.
  if (j.plan.creates_service) rollback.add([&scm, name = context_.name()] { static_cast<void>(scm.remove_event_source(name)); });
  if (auto done = scm.add_event_source(context_.name()); !done)
    return context_.make_error("register the event source", done.error());
  return {};
}

/// Without it the start fails with 1069, and it is nothing that the Services window would show.
WINSVC_INLINE result<void> installer::grant_logon_right(const install_job& j) {
  if (!j.plan.has(model::config_item::logon_right)) return {};
  const std::string& name = (j.desired.account ? j.desired.account : j.installation->account)->name;
  const auto sid = context_.scm().account_sid(model::lookup_name(name));
  if (!sid) return context_.make_error("find the account", name, sid.error());
  if (auto done = context_.scm().add_logon_right(*sid); !done)
    return context_.make_error("give the right to log on as a service to", name, done.error());
  return {};
}

WINSVC_INLINE void installer::print_result(const install_job& j) const {
  if (j.plan.creates_service) {
    context_.print("installed " + context_.quoted_name() + " (" + std::string(name(*j.desired.startup)) + "): " + *j.desired.binary);
  } else if (j.plan.changes.empty()) {
    context_.print(context_.quoted_name() + " is installed as far as this system can have it");
  } else {
    std::string text = "updated " + context_.quoted_name() + ":\n" + model::format_changes(j.plan);
    text.pop_back();
    context_.print(text);
  }
  const auto& account = j.desired.account ? j.desired.account : j.installation->account;
  if (const auto given_up = account->losing_rights_warning(); !given_up.empty()) context_.print("note: " + std::string(given_up));
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
