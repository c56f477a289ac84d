// Implementation of host/runtime.hpp: the steps of a start, which are the start hooks, the listener, the control
// channel, RUNNING and the workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "winsvc/addons/allowed_hosts.hpp"
#include "winsvc/base/attempt.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/control_channel_server.hpp"
#include "winsvc/host/engine_setup.hpp"
#include "winsvc/host/health.hpp"
#include "winsvc/host/run_options.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/host/settings_watcher.hpp"
#include "winsvc/host/worker_pool.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/scm/lifecycle.hpp"
#include "winsvc/scm/state.hpp"
#include "winsvc/wire/host_name.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Starts the service: true if it is RUNNING, false if a hook or the bind failed or a stop was requested.
WINSVC_INLINE bool runtime::start() {
  if (wire::is_loopback_host(definition_.host) || !definition_.allowed_hosts.empty())
    definition_.router.check_hosts(addons::host_names, definition_.allowed_hosts);
  add_health_routes(definition_, [this] { return current_phase(); });
  prepare_upload_folder(definition_);
  definition_.freeze();
  status_reporter_.set_handled_controls(definition_.handled_controls());
  report_progress();  // the app has run: its own limit counts now

  if (!run_start_hooks() || !open_listener()) return false;
  open_channel();
  if (!report_running()) return false;
  engine_->start();
  start_workers();
  start_settings_watcher();
  return true;
}

WINSVC_INLINE bool runtime::run_start_hooks() {
  const auto started = lifecycle_hooks_.start(stop_.token(), options_.arguments);
  if (!started) fail(started.error());
  return started && *started && !stop_.token().stop_requested();
}

WINSVC_INLINE bool runtime::open_listener() {
  auto engine = make_engine(definition_);
  if (!engine) {
    fail(engine.error());
    return false;
  }
  engine_ = *std::move(engine);
  const auto bound =
      bind_listener(*engine_, definition_, options_, stop_.token(), [this] { report_progress(); });
  if (!bound) fail(bound.error());
  return bound && *bound;
}

/// Reports RUNNING. False if a stop was requested in the meantime: STOP_PENDING is published then.
WINSVC_INLINE bool runtime::report_running() {
  if (options_.on_response) engine_->on_response(options_.on_response);
  const os::endpoint address = engine_->address();
  // Before RUNNING: a client may connect as soon as it sees RUNNING.
  if (options_.on_listening) options_.on_listening(address);
  if (!status_reporter_.apply(scm::lifecycle_event::ready)) return false;
  base::attempt([&] {
    definition_.log.info(std::string("listening on ") + (address.tls ? "https://" : "http://") + address.text());
  });
  if (options_.on_running) options_.on_running(address);
  return true;
}

/// Opens the control channel. Without it the service runs, but 'status', 'logs' and 'level' cannot query it.
WINSVC_INLINE void runtime::open_channel() {
  control_channel_ =
      std::make_unique<control_channel_server>(definition_, *engine_, [this] { return current_phase(); });
  if (options_.control_channel.empty()) return;
  if (const auto opened = control_channel_->open(options_.control_channel); !opened) {
    definition_.log.info("the control channel " + options_.control_channel + " cannot be opened: " +
                         os::system_error_text(opened.error()) + "; 'status' and 'logs' cannot query this run");
  }
}

WINSVC_INLINE void runtime::start_workers() {
  workers_ = std::make_unique<worker_pool>([this](const worker& failed, const std::string& message) {
    error reason{scm::win32_error::exception_in_service, "run worker", {}, {}, {}};
    std::string text;
    base::attempt([&] {
      reason.subject = failed.name;
      reason.message = "threw: " + message;
      text = "worker '" + failed.name + "' failed";
    });
    fail(std::move(reason));
    request_stop(text);
  }, *definition_.time);
  for (const auto& worker : definition_.workers) workers_->start(worker);
}

WINSVC_INLINE void runtime::start_settings_watcher() {
  if (!definition_.reload_on_change) return;
  settings_watcher_ = watch_settings_file(definition_, [this] {
    return control({static_cast<std::uint32_t>(scm::control::param_change), 0, 0, {}, {}}) == 0;
  });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
