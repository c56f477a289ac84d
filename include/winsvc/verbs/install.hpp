// install and update: look at what there is (verbs/survey.hpp), plan (model/installation.hpp), and carry the plan out
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
#include "winsvc/model/command.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/verbs/desk.hpp"
#include "winsvc/verbs/folders.hpp"
#include "winsvc/verbs/manager.hpp"
#include "winsvc/verbs/survey.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Undoes what was done, the last step first, unless all went well.
class undo_list {
 public:
  undo_list() = default;
  undo_list(const undo_list&) = delete;
  undo_list& operator=(const undo_list&) = delete;
  ~undo_list() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  }
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void all_is_well() noexcept { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

class installer {
 public:
  explicit installer(desk& at) noexcept : desk_(at) {}

  /// `asked.verb` says whether an absent service is created (install) or an error (update).
  result<void> run(const model::command& asked);
  /// Would `run` ask for a password? As far as can be seen without rights: for who asks before it is run elevated.
  bool needs_password(const model::command& asked);

 private:
  /// One install on its way.
  struct job {
    const model::command& asked;
    std::string doing;
    std::optional<model::installation> there;
    std::map<std::string, std::string> sids;  ///< of the users who may control it
    model::installation wanted;
    model::install_plan plan;
    std::optional<std::string> password;
  };

  result<job> plan(const model::command& asked);
  result<void> ask_password(job& j);
  result<void> create(job& j);
  result<void> change(job& j);
  // The steps of both; what a step has done is added to the list.
  result<void> change_settings(job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_account(const job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_levels(job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_level(job& j, desk::raw_handle service, const std::optional<model::config_level>& from,
                            const model::config_level& to, undo_list& trail);
  result<void> change_surroundings(const job& j, desk::raw_handle service, undo_list& trail);
  result<void> give_logon_right(const job& j);
  void tell(const job& j) const;

  /// The rights that what is planned needs on the service's handle.
  [[nodiscard]] static std::uint32_t rights_for(const job& j);

  desk& desk_;
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

WINSVC_INLINE result<void> installer::run(const model::command& asked) {
  auto planned = plan(asked);
  if (!planned) return failure{planned.error()};
  job& j = *planned;
  if (asked.plan) {
    std::string text = model::plan_text(desk_.name(), j.plan);
    text.pop_back();
    desk_.say(text);
    return {};
  }

  if (!j.plan.creates && j.plan.changes.empty()) {
    desk_.say(desk_.quoted() + " is installed as it is asked for");
  } else {
    if (auto done = j.plan.creates ? create(j) : change(j); !done) return done;
    open_folders(desk_, j.plan, j.there);
    tell(j);
  }
  if (!asked.then_start) return {};
  return manager(desk_).start(asked);
}

WINSVC_INLINE bool installer::needs_password(const model::command& asked) {
  if (const auto planned = plan(asked)) return planned->wanted.new_password;
  const auto wanted = model::wanted_installation(asked, desk_.spec(), nullptr, desk_.ours());  // as if it were new
  return wanted && wanted->new_password;
}

WINSVC_INLINE result<installer::job> installer::plan(const model::command& asked) {
  job j{asked, std::string(model::row(asked.verb).word), {}, {}, {}, {}, {}};
  auto found = survey(desk_, asked, j.doing);
  if (!found) return failure{found.error()};
  j.there = std::move(found->there);
  j.sids = std::move(found->sids);
  if (!j.there && asked.verb == model::verb::update) return desk_.failed(j.doing, model::code::service_does_not_exist);

  const model::installation* old = j.there ? &*j.there : nullptr;
  auto wanted = model::wanted_installation(asked, desk_.spec(), old, desk_.ours());
  if (!wanted) return failure{wanted.error()};
  j.wanted = *std::move(wanted);
  j.plan = model::plan_install(old, j.wanted, desk_.ours());
  return j;
}

WINSVC_INLINE std::uint32_t installer::rights_for(const job& j) {
  const auto restarts = [](const std::optional<model::config_level>& l) {
    if (!l) return false;
    for (const auto& action : std::get<model::recovery_plan>(*l).actions) {
      if (action.what == recovery_action::kind::restart) return true;
    }
    return false;
  };
  std::uint32_t rights = os::access::change_config | (j.plan.creates ? os::access::remove : 0);
  if (j.plan.has(model::item::recovery)) {  // who lets the SCM start it must be allowed to; the undoing included
    const auto old = j.there ? model::level_of(*j.there, model::level::failure_actions) : std::nullopt;
    if (restarts(model::level_of(j.wanted, model::level::failure_actions)) || restarts(old))
      rights |= os::access::start;
  }
  if (j.plan.has(model::item::control)) rights |= os::access::read_security | os::access::write_security;
  return rights;
}

/// Only now that the manager was opened with the rights that it takes: nobody types a password for an error 5.
WINSVC_INLINE result<void> installer::ask_password(job& j) {
  if (!j.wanted.account) return {};
  j.password = j.wanted.account->fixed_password();
  if (!j.wanted.new_password) return {};
  auto given = desk_.ask_password();
  if (!given) return failure{given.error()};
  j.password = *std::move(given);
  return {};
}

WINSVC_INLINE result<void> installer::create(job& j) {
  auto& scm = desk_.scm();
  const auto manager = desk_.open_manager(j.doing, os::access::manager_connect | os::access::manager_create);
  if (!manager) return failure{manager.error()};
  if (auto asked = ask_password(j); !asked) return asked;

  os::service_settings settings;
  settings.startup = j.wanted.startup;
  settings.binary = j.wanted.binary;
  settings.display_name = j.wanted.display_name;
  settings.account = j.wanted.account->name;
  settings.password = j.password;
  settings.dependencies = j.wanted.dependencies;
  const auto created = scm.create_service(manager->get(), desk_.name(), rights_for(j), settings);
  if (!created) return desk_.failed(j.doing, created.error());
  const os::service_handle service(scm, *created);

  undo_list trail;  // behind the handle, which it needs
  trail.add([&] { static_cast<void>(scm.delete_service(service.get())); });
  if (j.wanted.startup == startup::delayed) {
    if (auto done = change_level(j, service.get(), {}, model::delayed_start{true}, trail); !done) return done;
  }
  if (auto done = change_levels(j, service.get(), trail); !done) return done;
  if (auto done = change_surroundings(j, service.get(), trail); !done) return done;
  if (auto done = give_logon_right(j); !done) return done;
  trail.all_is_well();
  return {};
}

WINSVC_INLINE result<void> installer::change(job& j) {
  const auto service = desk_.open(j.doing, rights_for(j));
  if (!service) return failure{service.error()};
  if (auto asked = ask_password(j); !asked) return asked;

  undo_list trail;
  if (auto done = change_settings(j, service->get(), trail); !done) return done;
  if (auto done = change_levels(j, service->get(), trail); !done) return done;
  if (auto done = change_surroundings(j, service->get(), trail); !done) return done;
  // Last, because an old account that has a password cannot be put back, nor can the right to log on be taken away from
  // one that may have had it before.
  if (auto done = change_account(j, service->get(), trail); !done) return done;
  if (auto done = give_logon_right(j); !done) return done;
  trail.all_is_well();
  return {};
}

/// What one ChangeServiceConfigW changes, but for the account.
WINSVC_INLINE result<void> installer::change_settings(job& j, desk::raw_handle service, undo_list& trail) {
  auto& scm = desk_.scm();
  os::service_settings to, back;
  if (j.plan.has(model::item::startup)) to.startup = j.wanted.startup, back.startup = j.there->startup;
  if (j.plan.has(model::item::binary)) to.binary = j.wanted.binary, back.binary = j.there->binary;
  if (j.plan.has(model::item::display_name))
    to.display_name = j.wanted.display_name, back.display_name = j.there->display_name;
  if (!to.startup && !to.binary && !to.display_name && !j.plan.has(model::item::dependencies)) return {};
  back.dependencies = j.there->dependencies;
  to.dependencies = j.wanted.dependencies ? j.wanted.dependencies : j.there->dependencies;

  // A delay belongs to an automatic start: it is taken away while there still is one, and set when there is.
  const bool was_delayed = to.startup && j.there->startup == startup::delayed;
  if (was_delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, on, off, trail); !done) return done;
  }
  if (auto changed = scm.change_config(service, to); !changed) return desk_.failed(j.doing, changed.error());
  trail.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  if (to.startup == startup::delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, off, on, trail); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_account(const job& j, desk::raw_handle service, undo_list& trail) {
  if (!j.plan.has(model::item::account) && !j.plan.has(model::item::password)) return {};
  auto& scm = desk_.scm();
  os::service_settings to, back;
  to.account = j.wanted.account->name;
  to.password = j.password;
  to.dependencies = j.wanted.dependencies ? j.wanted.dependencies : j.there->dependencies;
  if (auto changed = scm.change_config(service, to); !changed) return desk_.failed(j.doing, changed.error());
  if (j.there->account->needs_password()) return {};
  back.account = j.there->account->name;
  back.password = j.there->account->fixed_password();
  back.dependencies = to.dependencies;
  trail.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  return {};
}

WINSVC_INLINE result<void> installer::change_levels(job& j, desk::raw_handle service, undo_list& trail) {
  for (const auto& [number, to] : j.wanted.levels) {
    const auto from = j.there ? model::level_of(*j.there, number) : std::nullopt;
    if (from && model::text_of(*from) == model::text_of(to)) continue;
    if (auto done = change_level(j, service, from, to, trail); !done) return done;
  }
  return {};
}

WINSVC_INLINE result<void> installer::change_level(job& j, desk::raw_handle service,
                                            const std::optional<model::config_level>& from,
                                            const model::config_level& to, undo_list& trail) {
  auto& scm = desk_.scm();
  const std::uint32_t number = model::number(to);
  if (auto done = scm.change_level(service, to); !done) {
    if (!model::is_unknown_level(done.error())) return desk_.failed("configure", done.error());
    desk_.warn("this system does not know setting " + std::to_string(number) + " (" + std::to_string(done.error()) +
               "): " + std::string(model::lost_without(number)));
    for (const auto& row : model::level_rows) {
      if (row.number == number) j.plan.drop(row.what);
    }
    return {};
  }
  if (from) trail.add([&scm, service, from] { static_cast<void>(scm.change_level(service, *from)); });
  return {};
}

/// What lies beside the SCM's own settings: environment, event source, the rights to the service itself.
WINSVC_INLINE result<void> installer::change_surroundings(const job& j, desk::raw_handle service, undo_list& trail) {
  auto& scm = desk_.scm();
  if (j.plan.has(model::item::environment)) {
    if (auto done = scm.change_environment(desk_.name(), *j.wanted.environment); !done)
      return desk_.failed("set the environment of", done.error());
    if (j.there) {  // of a new one it goes with the service
      trail.add([&scm, name = desk_.name(), back = *j.there->environment] {
        static_cast<void>(scm.change_environment(name, back));
      });
    }
  }
  if (j.plan.has(model::item::control)) {
    const auto security = scm.query_security(service);
    if (!security) return desk_.failed("read the rights of", security.error());
    std::string to = *security;
    for (const auto& [user, sid] : j.sids) to = model::with_entry(to, model::control_entry(sid));
    if (auto done = scm.change_security(service, to); !done) return desk_.failed("change the rights of", done.error());
    trail.add([&scm, service, back = *security] { static_cast<void>(scm.change_security(service, back)); });
  }
  // Added to an existing service as well, because it may have lost it; that is never undone.
  if (j.plan.creates) trail.add([&scm, name = desk_.name()] { static_cast<void>(scm.remove_event_source(name)); });
  if (auto done = scm.add_event_source(desk_.name()); !done)
    return desk_.failed("register the event source", done.error());
  return {};
}

/// Without it the start fails with 1069, and it is nothing that the Services window would show.
WINSVC_INLINE result<void> installer::give_logon_right(const job& j) {
  if (!j.plan.has(model::item::logon_right)) return {};
  const std::string& name = (j.wanted.account ? j.wanted.account : j.there->account)->name;
  const auto sid = desk_.scm().account_sid(model::name_to_look_up(name));
  if (!sid) return desk_.failed("find the account", name, sid.error());
  if (auto done = desk_.scm().add_logon_right(*sid); !done)
    return desk_.failed("give the right to log on as a service to", name, done.error());
  return {};
}

WINSVC_INLINE void installer::tell(const job& j) const {
  if (j.plan.creates) {
    desk_.say("installed " + desk_.quoted() + " (" + std::string(name(*j.wanted.startup)) + "): " + *j.wanted.binary);
  } else if (j.plan.changes.empty()) {
    desk_.say(desk_.quoted() + " is installed as far as this system can have it");
  } else {
    std::string text = "updated " + desk_.quoted() + ":\n" + model::changes_text(j.plan);
    text.pop_back();
    desk_.say(text);
  }
  const auto& account = j.wanted.account ? j.wanted.account : j.there->account;
  if (const auto given_up = account->gives_up(); !given_up.empty()) desk_.say("note: " + std::string(given_up));
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
