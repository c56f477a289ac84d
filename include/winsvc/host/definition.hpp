// Everything App said, as a value: what the runtime and the verbs read. `service` (api/service.hpp) fills it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/hooks.hpp"
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
namespace host {

struct worker {
  std::string name;
  std::function<void(stop_token)> run;
};
struct readiness_check {
  std::string name;
  std::function<bool()> is_ready;
};

struct service_definition {
  model::service_spec spec;
  std::optional<std::string> instance;  ///< of this run; set before App is called
  std::string version;
  std::string data_folder;              ///< of this run, where its host knows; see folder()
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::chrono::milliseconds start_limit = std::chrono::seconds(30), stop_limit = std::chrono::seconds(20);
  std::string live_path = "/livez", ready_path = "/readyz";
  wire::limits limits;
  std::optional<http::tls_files> tls;
  http::router router;
  bool access_log = false;                                     ///< every request has a line
  std::string dashboard_path = {};                                   ///< the dashboard's path; what it asks for has none
  std::vector<std::function<void(http::engine&)>> on_engine_created;  ///< when the engine has been made, before it accepts
  std::vector<hook> hooks;
  std::vector<named_hook> pause_hooks, continue_hooks, reload_hooks, time_hooks;
  std::vector<event_hook<session_change>> session_hooks;
  std::vector<event_hook<power_event>> power_hooks;
  std::vector<control_hook> control_hooks;
  std::vector<worker> workers;
  std::vector<readiness_check> ready_checks;
  logger log;
  log_file_options log_file;
  std::optional<winsvc::log_level> event_log_level;   ///< lines of this level and above are events as well
  std::vector<std::shared_ptr<log_sink>> log_sinks;  ///< of the app's own
  std::vector<std::shared_ptr<async_sink>> async_sinks;  ///< before these, since attach_log_sinks
  model::setting_registry settings;
  bool reload_on_change = false;                    ///< when the settings file changes
  std::shared_ptr<model::typed_setting<winsvc::log_level>> log_level;  ///< once it is declared
  std::shared_ptr<ring_sink> recent_entries = std::make_shared<ring_sink>();  ///< gets the log as soon as it has a first sink
  bool frozen = false;

  /// Where it keeps its data. Nobody has made it yet, perhaps. "" where the system does not say.
  [[nodiscard]] std::string resolve_data_folder() const {
    if (!data_folder.empty()) return data_folder;
    const auto usual = os::data_folder(instance ? model::instance_name(spec.name, *instance) : spec.name);
    return usual ? *usual : std::string();
  }
  /// Is this pattern the dashboard's, which asks once a second?
  [[nodiscard]] bool is_dashboard_route(std::string_view pattern) const noexcept {
    return !dashboard_path.empty() && strings::starts_with(pattern, dashboard_path) &&
           (pattern.size() == dashboard_path.size() || pattern[dashboard_path.size()] == '/');
  }
  /// Hands the log to the app's own sinks, each with a queue of its own: none waits for another.
  void attach_log_sinks() {
    async_sink::async_sink_options options;
    options.flush_timeout = std::chrono::seconds(1);
    for (const auto& sink : std::exchange(log_sinks, {})) {
      async_sinks.push_back(std::make_shared<async_sink>(options));
      async_sinks.back()->add_sink(sink);
      log.add_sink(async_sinks.back());
    }
  }
  /// Is one of them still at work on lines after a flush that was given up? It must not be waited for.
  [[nodiscard]] bool is_flush_overdue() const {
    return std::any_of(async_sinks.begin(), async_sinks.end(), [](const auto& q) { return q->is_flush_overdue(); });
  }
  /// What the SCM may send: exactly what there is a hook for.
  [[nodiscard]] model::handled_controls handled_controls() const {
    model::handled_controls h;
    h.pause_continue = !pause_hooks.empty() || !continue_hooks.empty();
    h.param_change = !reload_hooks.empty() || tls.has_value() || !settings.empty();
    h.power_event = !power_hooks.empty();
    h.session_change = !session_hooks.empty();
    h.time_change = !time_hooks.empty();
    h.preshutdown = spec.preshutdown.has_value();
    for (const auto& c : control_hooks) h.custom.set(c.code - 128);
    return h;
  }
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
