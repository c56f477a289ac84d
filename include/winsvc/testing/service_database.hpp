// service_database: an in-memory replacement of the service_manager seam that the verbs use. It checks the rights of
// the handle, and moves a started service through a list of states. Its base (testing/related_objects.hpp) records each
// call with its arguments and can make it fail.
//
//   winsvc::testing::service_database scm;
//   scm.fail_with["change_config"] = 5;      // by function; fail_level_with by level, fail_call_with by number
//   ... run a verb ...
//   CHECK(scm.calls == std::vector<std::string>{"open_manager(0x1)", ...});
//   CHECK(scm.snapshot() == before);
//
// A call that throws, for want of memory, has no effect, as on Windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/testing/related_objects.hpp"
#include "winsvc/testing/service_entry.hpp"
#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

/// Not synchronized: one thread uses it.
class service_database final : public related_objects {
 public:
  using entry = service_entry;

  std::map<std::string, entry> services;
  std::map<std::uint32_t, std::uint32_t> ended_processes;  ///< exit codes of processes that have ended, by ID
  std::map<std::uint32_t, std::uint32_t> fail_level_with;  ///< error code of change_level and query_level, by level
  std::deque<detail::os::service_process_status> after_start;  ///< statuses of a service after start
  std::deque<detail::os::service_process_status> after_stop;   ///< statuses after STOP
  std::deque<detail::os::service_process_status> after_pause, after_continue;

  /// A status with this state. The process ID is 0 if the service is stopped.
  [[nodiscard]] static detail::os::service_process_status at(detail::scm::state s, std::uint32_t pid = 42,
                                                     std::uint32_t checkpoint = 0, detail::scm::exit_status exit = {}) {
    detail::os::service_process_status p;
    p.status.current = s;
    p.status.checkpoint = checkpoint;
    p.status.exit = exit;
    p.pid = s == detail::scm::state::stopped ? 0 : pid;
    return p;
  }
  /// Adds an installed service.
  entry& add(const std::string& name, const std::string& binary, detail::scm::state s = detail::scm::state::stopped) {
    entry e = entry_of(name, binary, s);
    entry& added = services[name];
    added.config = std::move(e.config);
    added.process = e.process;
    return added;
  }
  /// The whole content as text, to compare the state before and after a verb.
  [[nodiscard]] std::string snapshot() const;
  /// Number of open handles; 0 after a verb.
  [[nodiscard]] std::size_t open_handles() const noexcept { return open_.size(); }

  // -- the seam --

  detail::os::sys_result<raw_handle> open_manager(std::uint32_t rights) override;
  detail::os::sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                            const detail::os::service_config_change& s) override;
  detail::os::sys_result<raw_handle> open_service(raw_handle manager, const std::string& name,
                                                  std::uint32_t rights) override;
  detail::os::sys_result<void> change_config(raw_handle h, const detail::os::service_config_change& s) override;
  detail::os::sys_result<void> change_level(raw_handle h, const detail::scm::config_level& value) override;
  detail::os::sys_result<detail::scm::config_level> query_level(raw_handle h, std::uint32_t level) override;
  detail::os::sys_result<detail::os::service_config> query_config(raw_handle h) override;
  detail::os::sys_result<detail::os::service_process_status> query_status(raw_handle h) override;
  detail::os::sys_result<void> start_service(raw_handle h, const std::vector<std::string>& arguments) override;
  detail::os::sys_result<void> control_service(raw_handle h, std::uint32_t control) override;
  detail::os::sys_result<std::vector<std::string>> active_dependents(raw_handle h) override;
  detail::os::sys_result<std::string> query_security(raw_handle h) override;
  detail::os::sys_result<void> change_security(raw_handle h, const std::string& sddl) override;
  detail::os::sys_result<void> delete_service(raw_handle h) override;
  void close(raw_handle h) noexcept override;
  detail::os::sys_result<std::vector<std::string>> list_services(raw_handle manager) override;
  std::optional<std::uint32_t> exit_code_of(std::uint32_t pid) override {
    const auto found = ended_processes.find(pid);
    return found == ended_processes.end() ? std::nullopt : std::optional(found->second);
  }
  detail::os::sys_result<bool> query_delete_mark(const std::string& name) override;
  detail::os::sys_result<std::vector<std::string>> query_environment(const std::string& name) override;
  detail::os::sys_result<void> change_environment(const std::string& name,
                                                  const std::vector<std::string>& items) override;

 private:
  struct handle {
    entry* service;  // null: a handle of the manager
    std::uint32_t rights;
  };

  static entry entry_of(const std::string& name, const std::string& binary,
                        detail::scm::state s = detail::scm::state::stopped) {
    entry e;
    e.config.binary = binary;
    e.config.display_name = name;
    e.config.account = "LocalSystem";
    e.process = at(s);
    return e;
  }
  using related_objects::record_call;
  /// The same for a call with a handle. Returns 5 (access denied) if the handle lacks one of the rights.
  std::uint32_t record_call(const std::string& function, const std::string& arguments, raw_handle h,
                            std::uint32_t rights) {
    if (const auto code = record_call(function, arguments)) return code;
    if ((static_cast<handle*>(h)->rights & rights) != rights) return database::code::access_denied;
    return 0;
  }
  raw_handle add_handle(entry* e, std::uint32_t rights) {
    open_.push_back({e, rights});
    if (e) ++e->handles;
    return &open_.back();
  }
  static entry& service_of(raw_handle h) noexcept { return *static_cast<handle*>(h)->service; }
  static std::uint32_t right_for(std::uint32_t control) noexcept {
    if (control >= 128) return detail::os::access_rights::user_control;
    switch (static_cast<detail::scm::control>(control)) {
      case detail::scm::control::stop: return detail::os::access_rights::stop;
      case detail::scm::control::interrogate: return detail::os::access_rights::interrogate;
      default: return detail::os::access_rights::pause_continue;
    }
  }
  /// True if another service than `self` has the display name.
  [[nodiscard]] bool is_display_name_taken(const detail::os::service_config_change& s, const entry* self) const {
    for (const auto& [name, e] : services) {
      if (s.display_name && &e != self && detail::base::equal_nocase(e.config.display_name, *s.display_name))
        return true;
    }
    return false;
  }
  std::list<handle> open_;  // a list, because a handle is the address of its element
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string service_database::snapshot() const {
  std::string out;
  for (const auto& [name, e] : services) {
    out += name + ": " + std::string(winsvc::name(e.config.startup)) + ", " + e.config.binary + ", " +
           e.config.display_name + ", " + e.config.account + ", depends on " + database::list(e.config.dependencies) +
           ", environment " + database::list(e.environment) + ", " + e.security + ", " +
           std::string(detail::scm::name(e.process.status.current)) +
           (e.marked_for_delete ? ", marked for delete" : "") + '\n';
    for (std::uint32_t number = 1; const auto level = database::level_of(e, number); ++number)
      out += "  " + std::to_string(number) + ": " + detail::scm::format_config_level(*level) + '\n';
  }
  for (const auto& source : event_sources) out += "event source " + source + '\n';
  for (const auto& sid : logon_rights) out += "log-on right of " + sid + '\n';
  for (const auto& [path, sddl] : folders) out += path + ": " + sddl + '\n';
  return out;
}

inline detail::os::sys_result<detail::os::service_manager::raw_handle> service_database::open_manager(
    std::uint32_t rights) {
  if (const auto code = record_call("open_manager", database::hex(rights))) return detail::os::sys_failure(code);
  return add_handle(nullptr, rights);
}

inline detail::os::sys_result<detail::os::service_manager::raw_handle> service_database::create_service(
    raw_handle manager, const std::string& name, std::uint32_t rights, const detail::os::service_config_change& s) {
  if (const auto code =
          record_call("create_service", name + ", " + database::hex(rights) + ", " + database::text_of(s), manager,
                      detail::os::access_rights::manager_connect | detail::os::access_rights::manager_create)) {
    return detail::os::sys_failure(code);
  }
  if (const auto found = services.find(name); found != services.end())
    return detail::os::sys_failure(found->second.marked_for_delete ? database::code::service_marked_for_delete
                                                                   : database::code::service_exists);
  if (is_display_name_taken(s, nullptr)) return detail::os::sys_failure(database::code::duplicate_service_name);
  entry created = entry_of(name, {});
  database::apply(created, s);
  std::list<handle> opened(1, handle{nullptr, rights});
  entry& e = services.emplace(name, std::move(created)).first->second;
  opened.front().service = &e;
  e.handles = 1;
  open_.splice(open_.end(), opened);
  return &open_.back();
}

inline detail::os::sys_result<detail::os::service_manager::raw_handle> service_database::open_service(
    raw_handle manager, const std::string& name, std::uint32_t rights) {
  if (const auto code =
          record_call("open_service", name + ", " + database::hex(rights), manager,
                      detail::os::access_rights::manager_connect)) {
    return detail::os::sys_failure(code);
  }
  const auto found = services.find(name);
  if (found == services.end()) return detail::os::sys_failure(database::code::service_does_not_exist);
  return add_handle(&found->second, rights);
}

inline detail::os::sys_result<void> service_database::change_config(raw_handle h,
                                                                    const detail::os::service_config_change& s) {
  if (const auto code = record_call("change_config", database::text_of(s), h, detail::os::access_rights::change_config))
    return detail::os::sys_failure(code);
  if (service_of(h).marked_for_delete) return detail::os::sys_failure(database::code::service_marked_for_delete);
  if (is_display_name_taken(s, &service_of(h))) return detail::os::sys_failure(database::code::duplicate_service_name);
  entry changed = service_of(h);
  database::apply(changed, s);
  service_of(h) = std::move(changed);
  return {};
}

inline detail::os::sys_result<void> service_database::change_level(raw_handle h,
                                                                   const detail::scm::config_level& value) {
  const std::uint32_t level = detail::scm::number(value);
  std::uint32_t rights = detail::os::access_rights::change_config;
  if (const auto* recovery = std::get_if<detail::scm::recovery_options>(&value)) {
    for (const auto& action : recovery->actions)
      rights |= action.kind_of_action == recovery_action::kind::restart ? detail::os::access_rights::start : 0;
  }
  const std::string arguments = std::to_string(level) + ", " + detail::scm::format_config_level(value);
  if (const auto code = record_call("change_level", arguments, h, rights)) return detail::os::sys_failure(code);
  if (const auto failure = fail_level_with.find(level); failure != fail_level_with.end())
    return detail::os::sys_failure(failure->second);
  service_of(h).levels.insert_or_assign(level, value);
  return {};
}

inline detail::os::sys_result<detail::scm::config_level> service_database::query_level(raw_handle h,
                                                                                       std::uint32_t level) {
  if (const auto code = record_call("query_level", std::to_string(level), h, detail::os::access_rights::query_config))
    return detail::os::sys_failure(code);
  if (const auto failure = fail_level_with.find(level); failure != fail_level_with.end())
    return detail::os::sys_failure(failure->second);
  const auto value = database::level_of(service_of(h), level);
  if (!value) return detail::os::sys_failure(database::code::invalid_level);
  return *value;
}

inline detail::os::sys_result<detail::os::service_config> service_database::query_config(raw_handle h) {
  if (const auto code = record_call("query_config", "", h, detail::os::access_rights::query_config))
    return detail::os::sys_failure(code);
  detail::os::service_config config = service_of(h).config;
  const auto delayed = service_of(h).levels.find(detail::scm::config_level_id::delayed_start);
  if (config.startup == startup::automatic && delayed != service_of(h).levels.end() &&
      std::get<detail::scm::delayed_start>(delayed->second).on) {
    config.startup = startup::delayed;
  }
  return config;
}

inline detail::os::sys_result<detail::os::service_process_status> service_database::query_status(raw_handle h) {
  if (const auto code = record_call("query_status", "", h, detail::os::access_rights::query_status))
    return detail::os::sys_failure(code);
  entry& e = service_of(h);
  if (!e.next.empty()) {
    e.process = e.next.front();
    e.next.pop_front();
  }
  return e.process;
}

inline detail::os::sys_result<void> service_database::start_service(raw_handle h,
                                                                    const std::vector<std::string>& arguments) {
  if (const auto code =
          record_call("start_service", detail::base::join(arguments, " "), h, detail::os::access_rights::start))
    return detail::os::sys_failure(code);
  entry& e = service_of(h);
  if (e.process.status.current != detail::scm::state::stopped)
    return detail::os::sys_failure(database::code::service_already_running);
  if (e.config.startup == startup::disabled) return detail::os::sys_failure(database::code::service_disabled);
  e.process = at(detail::scm::state::start_pending);
  e.next = after_start;
  return {};
}

inline detail::os::sys_result<void> service_database::control_service(raw_handle h, std::uint32_t control) {
  if (const auto code = record_call("control_service", std::to_string(control), h, right_for(control)))
    return detail::os::sys_failure(code);
  entry& e = service_of(h);
  const auto sent = static_cast<detail::scm::control>(control);
  if (e.process.status.current == detail::scm::state::stopped)
    return detail::os::sys_failure(database::code::service_not_active);
  if (detail::scm::is_pending(e.process.status.current))
    return detail::os::sys_failure(database::code::service_cannot_accept_control);
  if (sent == detail::scm::control::stop) {
    for (const auto& name : e.dependents) {
      const auto other = services.find(name);
      if (other != services.end() && other->second.process.status.current != detail::scm::state::stopped)
        return detail::os::sys_failure(database::code::dependent_services_running);
    }
  }
  if (const auto reply = e.replies_to_controls.find(control);
      reply != e.replies_to_controls.end() && reply->second != 0) {
    return detail::os::sys_failure(reply->second);
  }
  if (sent == detail::scm::control::stop) e.next = after_stop;
  if (sent == detail::scm::control::pause) e.next = after_pause;
  if (sent == detail::scm::control::continue_control) e.next = after_continue;
  return {};
}

inline detail::os::sys_result<std::vector<std::string>> service_database::active_dependents(raw_handle h) {
  if (const auto code = record_call("active_dependents", "", h, detail::os::access_rights::enumerate_dependents))
    return detail::os::sys_failure(code);
  return service_of(h).dependents;
}

inline detail::os::sys_result<std::string> service_database::query_security(raw_handle h) {
  if (const auto code = record_call("query_security", "", h, detail::os::access_rights::read_security))
    return detail::os::sys_failure(code);
  return service_of(h).security;
}

inline detail::os::sys_result<void> service_database::change_security(raw_handle h, const std::string& sddl) {
  if (const auto code = record_call("change_security", sddl, h, detail::os::access_rights::write_security))
    return detail::os::sys_failure(code);
  service_of(h).security = sddl;
  return {};
}

inline detail::os::sys_result<void> service_database::delete_service(raw_handle h) {
  if (const auto code = record_call("delete_service", "", h, detail::os::access_rights::remove))
    return detail::os::sys_failure(code);
  if (service_of(h).marked_for_delete) return detail::os::sys_failure(database::code::service_marked_for_delete);
  service_of(h).marked_for_delete = true;
  return {};
}

inline void service_database::close(raw_handle h) noexcept {
  entry* e = static_cast<handle*>(h)->service;
  open_.remove_if([h](const handle& open) { return &open == h; });
  if (!e || --e->handles > 0 || !e->marked_for_delete) return;
  for (auto it = services.begin(); it != services.end(); ++it) {
    if (&it->second == e) return static_cast<void>(services.erase(it));
  }
}

inline detail::os::sys_result<std::vector<std::string>> service_database::list_services(raw_handle manager) {
  if (const auto code = record_call("list_services", "", manager, detail::os::access_rights::manager_enumerate))
    return detail::os::sys_failure(code);
  std::vector<std::string> names;
  for (const auto& [name, service] : services) names.push_back(name);
  return names;
}

inline detail::os::sys_result<bool> service_database::query_delete_mark(const std::string& name) {
  if (const auto code = record_call("query_delete_mark", name)) return detail::os::sys_failure(code);
  const auto found = services.find(name);
  return found != services.end() && found->second.marked_for_delete;
}
inline detail::os::sys_result<std::vector<std::string>> service_database::query_environment(const std::string& name) {
  if (const auto code = record_call("query_environment", name)) return detail::os::sys_failure(code);
  const auto found = services.find(name);
  if (found == services.end()) return detail::os::sys_failure(database::code::file_not_found);
  return found->second.environment;
}

inline detail::os::sys_result<void> service_database::change_environment(const std::string& name,
                                                                 const std::vector<std::string>& items) {
  if (const auto code = record_call("change_environment", name + ", " + database::list(items)))
    return detail::os::sys_failure(code);
  const auto found = services.find(name);
  if (found == services.end()) return detail::os::sys_failure(database::code::file_not_found);
  found->second.environment = std::vector<std::string>(items);
  return {};
}

}  // namespace testing
}  // namespace winsvc
