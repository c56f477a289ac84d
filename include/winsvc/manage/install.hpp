// `install` and `update` verbs: read the installed configuration (manage/query_installed.hpp), make a plan
// (manage/install_plan.hpp) and execute its steps with the minimum rights. If a required step fails, the completed
// steps are rolled back.
//
//   installer(context).run(command.install, command.control);     // result<void>
//
// Required: the service itself, the options of the command line, the event source, the logon right. Only warnings:
// configuration levels that the system does not support, and the folder access of the service.
//
// Source: "Installing, Removing, and Enumerating Services" and "Service Security and Access Rights" in the Win32
// documentation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/manage/folder_access.hpp"
#include "winsvc/manage/pending_restart.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/query_installed.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// Reverts the completed steps, last first, unless commit() was called; also after an exception in the next step.
class rollback {
 public:
  rollback() = default;
  rollback(const rollback&) = delete;
  rollback& operator=(const rollback&) = delete;
  ~rollback() {
    for (auto last = steps_.rbegin(); last != steps_.rend(); ++last) {
      if (last->is_completed) base::attempt(last->revert);  // out of memory: the other steps are reverted
    }
  }
  /// Called before a step, because it needs memory, which may not be there after the step.
  void prepare(std::function<void()> revert) { steps_.push_back({std::move(revert), false}); }
  /// Called after the step that was prepared last.
  void completed() noexcept { steps_.back().is_completed = true; }
  void commit() noexcept { steps_.clear(); }

 private:
  struct step {
    std::function<void()> revert;
    bool is_completed;
  };
  std::vector<step> steps_;
};

/// Executes `install` and `update`.
class installer {
 public:
  explicit installer(verb_context& context) noexcept : context_(context) {}

  /// Installs or updates the service, then starts it if `options` request that; `start` has the options of the start.
  result<void> run(const commandline::install_options& options, const commandline::control_options& start = {});
  /// True if `run` would request a password, as far as can be read without rights. Called before elevation.
  bool needs_password(const commandline::install_options& options);

 private:
  /// State of one install.
  struct install_job {
    std::string operation;
    std::optional<manage::installation> installation;
    std::map<std::string, std::string> sids;  ///< SIDs of the users of --allow-control
    manage::installation desired;
    manage::install_plan plan;
    std::optional<std::string> password;
  };

  result<install_job> plan(const commandline::install_options& options);
  result<void> read_password(install_job& job);
  result<void> create(install_job& job);
  result<void> change(install_job& job);
  // The steps of both verbs. A completed step adds a function that reverts it to the rollback.
  result<void> change_settings(install_job& job, verb_context::raw_handle service, rollback& rollback);
  result<void> change_account(const install_job& job, verb_context::raw_handle service, rollback& rollback);
  result<void> change_levels(install_job& job, verb_context::raw_handle service, rollback& rollback);
  result<void> change_level(install_job& job, verb_context::raw_handle service,
                            const std::optional<scm::config_level>& from, const scm::config_level& to,
                            rollback& rollback);
  result<void> change_related_objects(const install_job& job, verb_context::raw_handle service, rollback& rollback);
  result<void> grant_logon_right(const install_job& job);
  void print_result(const install_job& job) const;
  void note_pending_restart(const install_job& job, bool restarts) const;
  result<void> restart_if_running(const commandline::control_options& start);
  [[nodiscard]] result<void> check_request(const scm::install_request& request, const install_job& job);
  void warn_of_readable_secrets(const scm::install_request& request);
  [[nodiscard]] result<void> check_dependencies(const std::vector<std::string>& dependencies,
                                                const std::string& source, const std::string& operation);

  /// Rights on the service handle that the plan requires.
  [[nodiscard]] static std::uint32_t rights_for(const install_job& job);

  verb_context& context_;
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE result<void> installer::run(const commandline::install_options& options,
                                           const commandline::control_options& start) {
  auto planned = plan(options);
  if (!planned) return failure{planned.error()};
  install_job& job = *planned;
  if (options.plan) {
    std::string text = options.json ? manage::plan_json(context_.name(), job.plan)
                                    : manage::format_plan(context_.name(), job.plan);
    text.pop_back();
    context_.print(text);
    return {};
  }

  if (!job.plan.creates_service && job.plan.changes.empty()) {
    context_.print(context_.quoted_name() + " is up to date");
  } else {
    if (auto done = job.plan.creates_service ? create(job) : change(job); !done) return done;
    grant_folder_access(context_, job.plan, job.installation);
    print_result(job);
    context_.warn_of_wine();
  }
  if (!job.plan.creates_service) note_pending_restart(job, options.restart_after);
  if (options.restart_after) return restart_if_running(start);
  if (!options.start_after) return {};
  return service_controller(context_).start(start);
}

WINSVC_INLINE bool installer::needs_password(const commandline::install_options& options) {
  if (const auto planned = plan(options)) return planned->desired.new_password;
  // As for a new service.
  const auto desired = manage::desired_installation(options.request, context_.spec(), nullptr, context_.defaults());
  return desired && desired->new_password;
}

WINSVC_INLINE result<installer::install_job> installer::plan(const commandline::install_options& options) {
  install_job job;
  job.operation = options.must_exist ? "update" : "install";
  auto found = query_installed(context_, options.request, job.operation);
  if (!found) return failure{found.error()};
  job.installation = std::move(found->installation);
  job.sids = std::move(found->sids);
  if (!job.installation && options.must_exist)
    return context_.make_error(job.operation, base::win32_error::service_does_not_exist);

  const manage::installation* old = job.installation ? &*job.installation : nullptr;
  auto desired = manage::desired_installation(options.request, context_.spec(), old, context_.defaults());
  if (!desired) return failure{desired.error()};
  job.desired = *std::move(desired);
  job.plan = manage::plan_install(old, job.desired, context_.defaults());
  if (auto checked = check_request(options.request, job); !checked) return failure{checked.error()};
  const bool is_same_folder = old && old->binary && base::equal_nocase(folder_of_binary(*old->binary),
                                                                       context_.defaults().program_folder);
  if (!is_same_folder && !options.allow_writable_folder) {
    if (auto checked = check_program_folder(context_); !checked) return failure{checked.error()};
  }
  return job;
}

/// Records and reports the changes that a running process does not use yet.
WINSVC_INLINE void installer::note_pending_restart(const install_job& job, bool restarts) const {
  const std::uint32_t pid = context_.running_pid();
  if (pid == 0) return;
  std::vector<std::string> names;
  for (const auto& change : job.plan.changes) {
    if (needs_restart(change.item)) names.push_back(change.name);
  }
  if (!names.empty()) add_pending_restart(context_, pid, names);
  const auto all = pending_restart(context_, pid, context_.query_channel("status").value_or(std::string()));
  if (!all.empty() && !restarts)
    context_.warn(context_.quoted_name() + " runs with the old values until it is restarted: " +
                  base::join(all, ", ") + "; run 'restart', or use 'update --restart'");
}

WINSVC_INLINE result<void> installer::restart_if_running(const commandline::control_options& start) {
  if (context_.running_pid() != 0) return service_controller(context_).restart(start);
  context_.print(context_.quoted_name() + " is not running; 'start' starts it");
  return {};
}

WINSVC_INLINE std::uint32_t installer::rights_for(const install_job& job) {
  const auto restarts = [](const std::optional<scm::config_level>& l) {
    if (!l) return false;
    for (const auto& action : std::get<scm::recovery_options>(*l).actions) {
      if (action.kind_of_action == recovery_action::kind::restart) return true;
    }
    return false;
  };
  std::uint32_t rights = os::access_rights::change_config | (job.plan.creates_service ? os::access_rights::remove : 0);
  // To configure a restart, the caller needs the right to start the service; a rollback may need it too.
  if (job.plan.has(manage::config_item::recovery)) {
    const auto old =
        job.installation ? manage::level_of(*job.installation, scm::config_level_id::failure_actions) : std::nullopt;
    if (restarts(manage::level_of(job.desired, scm::config_level_id::failure_actions)) || restarts(old))
      rights |= os::access_rights::start;
  }
  if (job.plan.has(manage::config_item::control))
    rights |= os::access_rights::read_security | os::access_rights::write_security;
  return rights;
}

/// Called after the manager was opened with the required rights, so that the password prompt does not precede error 5.
WINSVC_INLINE result<void> installer::read_password(install_job& job) {
  if (!job.desired.account) return {};
  job.password = job.desired.account->fixed_password();
  if (!job.desired.new_password) return {};
  auto password = context_.read_password();
  if (!password) return failure{password.error()};
  job.password = *std::move(password);
  return {};
}

WINSVC_INLINE result<void> installer::create(install_job& job) {
  auto& scm = context_.scm();
  const auto manager =
      context_.open_manager(job.operation, os::access_rights::manager_connect | os::access_rights::manager_create);
  if (!manager) return failure{manager.error()};
  if (auto read = read_password(job); !read) return read;

  // The data folder comes first: from the creation of the service on, a start could create it with inherited rights.
  prepared_data_folder prepared;
  rollback folder_rollback;
  folder_rollback.prepare([&] { restore_data_folder(context_, prepared); });
  folder_rollback.completed();  // `prepared` has what is to be restored
  if (auto done = prepare_data_folder(context_, prepared); !done) return done;

  os::service_config_change config;
  config.startup = job.desired.startup;
  config.binary = job.desired.binary;
  config.display_name = job.desired.display_name;
  config.account = job.desired.account->name;
  config.password = job.password;
  config.dependencies = job.desired.dependencies;
  os::service_handle service(scm, nullptr);
  rollback rollback;  // after the handle, which it uses
  rollback.prepare([&] { static_cast<void>(scm.delete_service(service.get())); });
  const auto created = scm.create_service(manager->get(), context_.name(), rights_for(job), config);
  if (!created) return context_.make_error(job.operation, created.error());
  service = os::service_handle(scm, *created);
  rollback.completed();
  if (job.desired.startup == startup::delayed) {
    if (auto done = change_level(job, service.get(), {}, scm::delayed_start{true}, rollback); !done) return done;
  }
  if (auto done = change_levels(job, service.get(), rollback); !done) return done;
  if (auto done = change_related_objects(job, service.get(), rollback); !done) return done;
  if (auto done = grant_logon_right(job); !done) return done;
  rollback.commit();
  folder_rollback.commit();
  for (const auto& new_path : prepared.renamed)
    context_.warn("other users could change the data folder '" + context_.defaults().data_folder + "'; it is now '" +
                  new_path + "'; move back the files that are yours");
  return {};
}

WINSVC_INLINE result<void> installer::change(install_job& job) {
  const auto service = context_.open(job.operation, rights_for(job));
  if (!service) return failure{service.error()};
  if (auto read = read_password(job); !read) return read;

  rollback rollback;
  if (auto done = change_settings(job, service->get(), rollback); !done) return done;
  if (auto done = change_levels(job, service->get(), rollback); !done) return done;
  if (auto done = change_related_objects(job, service->get(), rollback); !done) return done;
  // Last, because the rollback cannot restore an account that has a password, and cannot know whether to remove the
  // logon right.
  if (auto done = change_account(job, service->get(), rollback); !done) return done;
  if (auto done = grant_logon_right(job); !done) return done;
  rollback.commit();
  return {};
}

WINSVC_INLINE void installer::print_result(const install_job& job) const {
  if (job.plan.creates_service) {
    context_.print("installed " + context_.quoted_name() + " (" + std::string(name(*job.desired.startup)) +
                   "): " + scm::shown_binary(*job.desired.binary));
  } else if (job.plan.changes.empty()) {
    context_.print(context_.quoted_name() + " is installed; this system does not support the remaining changes");
  } else {
    std::string text = "updated " + context_.quoted_name() + ":\n" + manage::format_changes(job.plan);
    text.pop_back();
    context_.print(text);
  }
  const auto& account = job.desired.account ? job.desired.account : job.installation->account;
  if (const auto warning = account->losing_rights_warning(); !warning.empty())
    context_.print("note: " + std::string(warning));
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
