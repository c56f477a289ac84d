// A database of services in memory, behind the seam that the verbs use: every call is recorded with its arguments, any
// of them can be told to fail, and a started service moves through the states it is given.
//
//   winsvc::testing::service_database scm;
//   scm.refuse["change_description"] = 5;
//   … run a verb …
//   CHECK(scm.calls == std::vector<std::string>{"open_manager(0x1)", …});
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "winsvc.hpp"

namespace winsvc {
namespace testing {

class service_database final : public os::service_manager {
 public:
  struct entry {
    os::service_config config;
    std::map<std::uint32_t, model::config_level> levels;
    std::vector<std::string> dependents;  ///< active ones
    std::string security = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)";
    os::service_process process;
    bool marked_for_delete = false;
    int handles = 0;
    std::deque<os::service_process> next;  ///< one is taken at each query_status
  };

  std::map<std::string, entry> services;
  std::vector<std::string> event_sources;
  std::vector<std::string> calls;
  std::map<std::string, std::uint32_t> refuse;      ///< by function: the code it answers
  std::map<std::uint32_t, std::uint32_t> refuse_level;  ///< by level of ChangeServiceConfig2W
  std::map<std::string, std::vector<std::string>> environment;  ///< by service
  std::map<std::string, std::string> folders;                   ///< their DACLs in SDDL
  std::deque<os::service_process> after_start;      ///< what a started service goes through
  std::deque<os::service_process> after_stop;       ///< and a stopped one

  [[nodiscard]] static os::service_process at(model::state s, std::uint32_t pid = 42, std::uint32_t checkpoint = 0,
                                              model::exit_status exit = {}) {
    os::service_process p;
    p.status.current = s;
    p.status.checkpoint = checkpoint;
    p.status.exit = exit;
    p.pid = s == model::state::stopped ? 0 : pid;
    return p;
  }
  /// A service that is there already.
  entry& add(const std::string& name, const std::string& binary, model::state s = model::state::stopped) {
    entry& e = services[name];
    e.config.binary = binary;
    e.config.display_name = name;
    e.process = at(s);
    return e;
  }

  os::sys_result<raw_handle> open_manager(std::uint32_t rights) override {
    if (const auto code = call("open_manager", hex(rights))) return os::sys_failure(code);
    return this;
  }
  os::sys_result<raw_handle> create_service(raw_handle, const std::string& name, std::uint32_t rights,
                                            const os::service_settings& s) override {
    if (const auto code = call("create_service", name + ", " + hex(rights) + settings(s))) return os::sys_failure(code);
    if (const auto found = services.find(name); found != services.end()) {
      return os::sys_failure(found->second.marked_for_delete ? 1072u : 1073u);
    }
    entry& e = add(name, s.binary.value_or(""));
    apply(e, s);
    return hold(e, rights);
  }
  os::sys_result<raw_handle> open_service(raw_handle, const std::string& name, std::uint32_t rights) override {
    if (const auto code = call("open_service", name + ", " + hex(rights))) return os::sys_failure(code);
    const auto found = services.find(name);
    if (found == services.end()) return os::sys_failure(1060);
    return hold(found->second, rights);
  }
  os::sys_result<void> change_config(raw_handle h, const os::service_settings& s) override {
    if (const auto code = call("change_config", settings(s))) return os::sys_failure(code);
    if (!may(h, os::access::change_config)) return os::sys_failure(model::code::access_denied);
    apply(of(h), s);
    return {};
  }
  os::sys_result<void> change_level(raw_handle h, const model::config_level& value) override {
    const std::uint32_t level = model::number(value);
    if (const auto code = call("change_level", std::to_string(level) + ", " + model::text_of(value)))
      return os::sys_failure(code);
    if (const auto refused = refuse_level.find(level); refused != refuse_level.end())
      return os::sys_failure(refused->second);
    if (!may(h, os::access::change_config)) return os::sys_failure(model::code::access_denied);
    of(h).levels[level] = value;
    return {};
  }
  os::sys_result<model::config_level> query_level(raw_handle h, std::uint32_t level) override {
    if (const auto code = call("query_level", std::to_string(level))) return os::sys_failure(code);
    if (const auto refused = refuse_level.find(level); refused != refuse_level.end())
      return os::sys_failure(refused->second);
    if (!may(h, os::access::query_config)) return os::sys_failure(model::code::access_denied);
    const auto found = of(h).levels.find(level);
    if (found == of(h).levels.end()) return os::sys_failure(122);
    return found->second;
  }
  os::sys_result<std::vector<std::string>> active_dependents(raw_handle h) override {
    if (const auto code = call("active_dependents", "")) return os::sys_failure(code);
    if (!may(h, os::access::enumerate_dependents)) return os::sys_failure(model::code::access_denied);
    return of(h).dependents;
  }
  os::sys_result<std::string> query_security(raw_handle h) override {
    if (const auto code = call("query_security", "")) return os::sys_failure(code);
    if (!may(h, os::access::read_security)) return os::sys_failure(model::code::access_denied);
    return of(h).security;
  }
  os::sys_result<void> change_security(raw_handle h, const std::string& sddl) override {
    if (const auto code = call("change_security", sddl)) return os::sys_failure(code);
    if (!may(h, os::access::write_security)) return os::sys_failure(model::code::access_denied);
    of(h).security = sddl;
    return {};
  }
  os::sys_result<std::vector<std::string>> query_environment(const std::string& name) override {
    if (const auto code = call("query_environment", name)) return os::sys_failure(code);
    return environment[name];
  }
  os::sys_result<void> change_environment(const std::string& name, const std::vector<std::string>& all) override {
    if (const auto code = call("change_environment", name + ", " + text::join(all, " "))) return os::sys_failure(code);
    environment[name] = all;
    return {};
  }
  os::sys_result<std::string> account_sid(const std::string& account) override {
    if (const auto code = call("account_sid", account)) return os::sys_failure(code);
    return "S-1-5-" + account;
  }
  os::sys_result<void> add_logon_right(const std::string& sid) override {
    if (const auto code = call("add_logon_right", sid)) return os::sys_failure(code);
    return {};
  }
  os::sys_result<std::string> query_folder_security(const std::string& path) override {
    if (const auto code = call("query_folder_security", path)) return os::sys_failure(code);
    return folders[path];
  }
  os::sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) override {
    if (const auto code = call("change_folder_security", path + ", " + sddl)) return os::sys_failure(code);
    folders[path] = sddl;
    return {};
  }
  os::sys_result<os::service_config> query_config(raw_handle h) override {
    if (const auto code = call("query_config", "")) return os::sys_failure(code);
    if (!may(h, os::access::query_config)) return os::sys_failure(model::code::access_denied);
    return of(h).config;
  }
  os::sys_result<os::service_process> query_status(raw_handle h) override {
    if (const auto code = call("query_status", "")) return os::sys_failure(code);
    if (!may(h, os::access::query_status)) return os::sys_failure(model::code::access_denied);
    entry& e = of(h);
    if (!e.next.empty()) {
      e.process = e.next.front();
      e.next.pop_front();
    }
    return e.process;
  }
  os::sys_result<void> start_service(raw_handle h, const std::vector<std::string>& arguments) override {
    if (const auto code = call("start_service", text::join(arguments, " "))) return os::sys_failure(code);
    if (!may(h, os::access::start)) return os::sys_failure(model::code::access_denied);
    entry& e = of(h);
    if (e.process.status.current != model::state::stopped) return os::sys_failure(1056);
    if (e.config.startup == startup::disabled) return os::sys_failure(1058);
    e.process = at(model::state::start_pending);
    e.next = after_start;
    return {};
  }
  os::sys_result<void> control_service(raw_handle h, std::uint32_t control) override {
    if (const auto code = call("control_service", std::to_string(control))) return os::sys_failure(code);
    if (control == static_cast<std::uint32_t>(model::control::stop) && !may(h, os::access::stop))
      return os::sys_failure(model::code::access_denied);
    entry& e = of(h);
    if (e.process.status.current == model::state::stopped) return os::sys_failure(1062);
    if (model::is_pending(e.process.status.current)) return os::sys_failure(1061);
    e.next = after_stop;
    return {};
  }
  os::sys_result<void> delete_service(raw_handle h) override {
    if (const auto code = call("delete_service", "")) return os::sys_failure(code);
    if (!may(h, os::access::remove)) return os::sys_failure(model::code::access_denied);
    if (of(h).marked_for_delete) return os::sys_failure(1072);
    of(h).marked_for_delete = true;
    return {};
  }
  void close(raw_handle h) noexcept override {
    if (h == this) return;
    entry* e = &of(h);
    open_.remove_if([h](const handle& one) { return &one == h; });
    if (--e->handles > 0 || !e->marked_for_delete) return;
    for (auto it = services.begin(); it != services.end(); ++it) {
      if (&it->second == e) return static_cast<void>(services.erase(it));
    }
  }
  os::sys_result<void> add_event_source(const std::string& source) override {
    if (const auto code = call("add_event_source", source)) return os::sys_failure(code);
    event_sources.push_back(source);
    return {};
  }
  os::sys_result<void> remove_event_source(const std::string& source) override {
    if (const auto code = call("remove_event_source", source)) return os::sys_failure(code);
    event_sources.clear();
    return {};
  }

 private:
  struct handle {
    entry* to;
    std::uint32_t rights;
  };
  raw_handle hold(entry& e, std::uint32_t rights) {
    ++e.handles;
    open_.push_back({&e, rights});
    return &open_.back();
  }
  static entry& of(raw_handle h) noexcept { return *static_cast<handle*>(h)->to; }
  static bool may(raw_handle h, std::uint32_t right) noexcept { return (static_cast<handle*>(h)->rights & right) != 0; }
  static std::string hex(std::uint32_t v) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (; v != 0 || out.empty(); v >>= 4) out.insert(out.begin(), digits[v & 15]);
    return "0x" + out;
  }
  static std::string settings(const os::service_settings& s) {
    std::string out;
    if (s.startup) out += ", startup " + std::string(name(*s.startup));
    if (s.binary) out += ", binary " + *s.binary;
    if (s.display_name) out += ", display name " + *s.display_name;
    return out;
  }
  static void apply(entry& e, const os::service_settings& s) {
    if (s.startup) e.config.startup = *s.startup;
    if (s.binary) e.config.binary = *s.binary;
    if (s.display_name) e.config.display_name = *s.display_name;
  }
  std::uint32_t call(const std::string& function, const std::string& arguments) {
    calls.push_back(function + '(' + arguments + ')');
    const auto refused = refuse.find(function);
    return refused == refuse.end() ? 0 : refused->second;
  }

  std::list<handle> open_;  // a list: handles are addresses
};

}  // namespace testing
}  // namespace winsvc