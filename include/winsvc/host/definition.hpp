// Service definition: the names, settings, routes, hooks and limits of a service, as a value. `service`
// (api/service.hpp) fills it; the runtime and the verbs read it.
//
//   service_definition definition;
//   service svc(definition);
//   App(svc);                             // definition has what App registered
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/app.hpp"
#include "winsvc/api/hooks.hpp"
#include "winsvc/api/settings_format.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/log/async_sink.hpp"
#include "winsvc/log/ring_sink.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/server/tls_identity.hpp"
#include "winsvc/settings/registry.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/state.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

struct worker {
  std::string name;
  std::function<void(stop_token)> run;
};
struct readiness_check {
  std::string name;
  std::function<bool()> is_ready;
};

/// Why the log file cannot be written.
struct log_file_failure {
  std::string path;
  std::string reason;           ///< message of the system
  std::uint64_t lost_lines = 0;
  clock::system_time since;

  /// A sentence without the path, which a client of the service need not know.
  [[nodiscard]] std::string text() const { return begin() + reason; }
  [[nodiscard]] std::string text_with_path() const { return begin() + path + ": " + reason; }

 private:
  [[nodiscard]] std::string begin() const {
    return "the log file cannot be written since " + iso_time(since) + " (" + base::counted(lost_lines, "line") +
           " lost): ";
  }
};

/// Result of a custom control.
struct control_result {
  std::uint64_t count = 0;  ///< completed calls of the hook
  std::uint32_t code = 0;   ///< result of the last one
};

/// Last result of each custom control, for the control channel. Thread-safe.
class control_results {
 public:
  void add(std::uint32_t control, std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    auto& last = entries_[control];
    ++last.count;
    last.code = code;
  }
  [[nodiscard]] control_result last(std::uint32_t control) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(control);
    return found == entries_.end() ? control_result() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint32_t, control_result> entries_;
};

/// Receives svc.stop() and svc.fail(): the runtime while it runs, nothing before and after. Thread-safe.
class stop_target {
 public:
  using function = std::function<void(const std::string& reason, const std::optional<error>& failure)>;
  void set(function target) {
    const std::lock_guard lock(mutex_);
    target_ = std::move(target);
  }
  /// False if the service does not run.
  bool call(const std::string& reason, const std::optional<error>& failure) const {
    const std::lock_guard lock(mutex_);
    if (target_) target_(reason, failure);
    return static_cast<bool>(target_);
  }

 private:
  mutable std::mutex mutex_;
  function target_;
};

struct service_definition {
  /// `run_time`: the clock of this run; it must outlive the definition.
  explicit service_definition(const clock& run_time = clock::system()) : time(&run_time), log(run_time) {}

  scm::service_spec spec;
  std::optional<std::string> instance;  ///< instance of this run; set before the app is called
  const clock* const time;              ///< of the engine, the log, the hooks and the limits of the host
  std::string version;
  std::string data_folder;              ///< data folder of this run, if the host sets it; see resolve_data_folder()
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::chrono::milliseconds start_limit = std::chrono::seconds(30), stop_limit = std::chrono::seconds(20);
  /// Time to wait for the address at the start of the service; less than `start` waits, so that it receives the reason.
  std::chrono::seconds bind_timeout{45};
  std::vector<std::string> allowed_hosts;  ///< the setting
  std::string live_path = "/livez", ready_path = "/readyz";
  wire::limits limits;
  std::optional<api::tls_files> tls;
  http::router router;
  bool access_log = false;          ///< write a log line for each response
  std::string dashboard_path = {};  ///< path of the dashboard; its requests are not in the access log
  std::string dashboard_token = {};  ///< shows the log in the dashboard; empty if its guard protects the page
  std::vector<std::function<void(server::engine&)>>
      on_engine_created;  ///< called before the engine accepts connections
  std::vector<api::hook> hooks;
  std::vector<api::named_hook> pause_hooks, continue_hooks, reload_hooks, time_hooks;
  std::vector<api::event_hook<session_change>> session_hooks;
  std::vector<api::event_hook<power_event>> power_hooks;
  std::vector<api::control_hook> control_hooks;
  std::vector<worker> workers;
  std::vector<readiness_check> ready_checks;
  logger log;
  log_file_options log_file;
  std::optional<winsvc::log_level> event_log_level;      ///< entries of this level and above are also events
  std::vector<std::shared_ptr<log_sink>> log_sinks;      ///< sinks of the app, until attach_log_sinks
  std::vector<std::shared_ptr<log::async_sink>>
      async_sinks;  ///< in front of the sinks of the app, after attach_log_sinks
  settings::setting_registry settings;
  std::optional<winsvc::settings_format> settings_format;  ///< of the app; default: .ini
  bool reload_on_change = false;  ///< reload when the settings file changes
  std::shared_ptr<settings::typed_setting<winsvc::log_level>> log_level;  ///< null until it is declared
  /// The newest log entries. Added to the log together with the first sink.
  std::shared_ptr<log::ring_sink> recent_entries = std::make_shared<log::ring_sink>();
  std::function<std::optional<log_file_failure>()> log_failure;  ///< set by a host that writes a log file
  control_results last_control_results;
  stop_target stopping;

  /// Calls the app, which fills this definition, and checks what it has registered. Each start and each verb calls the
  /// app here. Returns the object of the app, which may be null. Throws setup_error, and what the app throws.
  [[nodiscard]] std::shared_ptr<void> call_app(const api::app_factory& app, service& svc) const {
    std::shared_ptr<void> object = app(svc);
    router.check_objects();
    return object;
  }
  /// Ends the registration: after this, `service` rejects changes, and routes are read without a lock.
  void freeze() noexcept { router.freeze(); }
  [[nodiscard]] bool is_frozen() const noexcept { return router.is_frozen(); }

  /// Returns the path of the data folder, which may not exist yet; "" if the system does not provide one.
  [[nodiscard]] std::string resolve_data_folder() const {
    if (!data_folder.empty()) return data_folder;
    const auto default_folder = os::data_folder(instance ? scm::instance_name(spec.name, *instance) : spec.name);
    return default_folder ? *default_folder : std::string();
  }
  /// Returns the address of the dashboard with its token; "" without a dashboard. `url`: that of the listener.
  [[nodiscard]] std::string dashboard_url(const std::string& url) const {
    if (dashboard_path.empty()) return {};
    return url + dashboard_path + (dashboard_token.empty() ? "" : "?token=" + dashboard_token);
  }
  /// True if the pattern belongs to the dashboard, which sends a request per second.
  [[nodiscard]] bool is_dashboard_route(std::string_view pattern) const noexcept {
    return !dashboard_path.empty() && base::starts_with(pattern, dashboard_path) &&
           (pattern.size() == dashboard_path.size() || pattern[dashboard_path.size()] == '/');
  }
  /// Adds the sinks of the app to the log, each with its own queue, so that a slow sink does not delay the others.
  void attach_log_sinks() {
    log::async_sink::async_sink_options options;
    options.flush_timeout = std::chrono::seconds(1);
    for (const auto& sink : std::exchange(log_sinks, {})) {
      async_sinks.push_back(std::make_shared<log::async_sink>(options));
      async_sinks.back()->add_sink(sink);
      log.add_sink(async_sinks.back());
    }
  }
  /// True if an async sink is still writing after a flush that timed out. The caller must not wait for it.
  [[nodiscard]] bool is_flush_overdue() const {
    return std::any_of(async_sinks.begin(), async_sinks.end(), [](const auto& q) { return q->is_flush_overdue(); });
  }
  /// Returns the controls that the SCM may send: those that have a hook or another effect.
  [[nodiscard]] scm::handled_controls handled_controls() const {
    scm::handled_controls controls;
    controls.pause_continue = !pause_hooks.empty() || !continue_hooks.empty();
    controls.param_change = !reload_hooks.empty() || tls.has_value() || !settings.empty();
    controls.power_event = !power_hooks.empty();
    controls.session_change = !session_hooks.empty();
    controls.time_change = !time_hooks.empty();
    controls.preshutdown = spec.preshutdown.has_value();
    for (const auto& hook : control_hooks) controls.custom.set(hook.code - 128);
    return controls;
  }
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
