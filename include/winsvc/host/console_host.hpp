// `debug`: the service in a terminal. The same runtime in the same order as under the SCM; a stop is a Ctrl-C, the log
// is the screen, and what was answered is shown.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "winsvc/log/async_sink.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/console_keys.hpp"
#include "winsvc/log/console_sink.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/scm/stop_limits.hpp"
#include "winsvc/commandline/verbs.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// `GET    /users/{id}   user   main.cpp:12`, a line a route; the names are there where a route has one.
[[nodiscard]] std::string format_routes(const route::table& routes);

/// Serves until Ctrl-C, and drains; `app` is the app's object, which ends before this returns. The exit code of the
/// process.
int run_in_console(service_definition& plan, std::shared_ptr<void> app);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::string format_routes(const route::table& routes) {
  std::size_t path = 0, name = 0;
  for (const auto& e : routes.entries()) {
    path = (std::max)(path, e.path.text.size());
    name = (std::max)(name, e.metadata.name.size());
  }
  std::string out;
  for (const auto& e : routes.entries()) {
    out += model::pad_right(route::name(e.method_id), 8) + model::pad_right(e.path.text, path + 2) +
           (name != 0 ? model::pad_right(e.metadata.name, name + 2) : std::string()) + e.location.to_string() + '\n';
  }
  return out;
}
WINSVC_INLINE int run_in_console(service_definition& plan, std::shared_ptr<void> app) {
  auto screen = std::make_shared<async_sink>();  // a person who selects text in a console holds up who writes there
  const auto terminal = std::make_shared<console_sink>();
  screen->add_sink(terminal);
  plan.log.add_sink(screen);
  plan.log.add_sink(plan.recent_entries);
  plan.attach_log_sinks();
  os::write_stderr(format_routes(plan.router.routes()));

  run_options settings;
  std::unique_ptr<runtime> service;
  std::unique_ptr<console_keys> keys;
  settings.on_running = [&](const os::endpoint& address) {
    plan.log.flush();
    keys = std::make_unique<console_keys>(plan, *service, terminal);
    terminal->write_lines(plan.spec.name + ": " + address.url() + "   Ctrl-C stops\n" +
                  (keys->is_active() ? std::string(keys_help) + '\n' : ""));
  };
  const std::string folder = plan.resolve_data_folder();
  if (os::make_private_folder(folder)) settings.control_channel = os::control_channel_address(plan.spec.name, folder);
  if (!plan.access_log) settings.on_response = [&plan](const http::access_record& a) {
    if (!plan.is_dashboard_route(a.pattern)) plan.log.info(a.to_text());
  };
  status_reporter report({});
  report.apply(model::lifecycle_event::start);
  service = std::make_unique<runtime>(plan, report, std::move(settings));
  int code = 0;
  {
    // A closing console is held until this scope ends, so everything that must be undone is undone in it.
    const os::interrupts interrupts([&service](os::interruption why) {
      if (why == os::interruption::stop_requested) service->request_stop("Ctrl-C");
      else service->request_stop("the terminal is closed", model::shutdown_limit, model::shutdown_total);
    });
    const run_result ended = service->run();
    keys.reset();
    report.apply(model::lifecycle_event::finished, {}, ended.exit);
    code = os::exit_code(ended.exit.code());
    if (code == 0 && ended.incomplete_stop) code = os::exit_code(ended.incomplete_stop->code);
    if (ended.has_stuck_thread) os::end_process(code);  // a thread still runs user code: nothing may be pulled from under it
    app.reset();
    if (screen->is_flush_overdue()) os::end_process(code);  // nobody reads the terminal, and its thread waits for somebody
  }
  return code;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
