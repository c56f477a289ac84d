// Console host: `debug` runs the service in a terminal, with the same runtime and the same order as under the SCM.
// Ctrl-C stops it, the terminal shows the log and each response.
//
//   return run_in_console(definition, std::move(app));    // until Ctrl-C; the exit code of the process
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/log/async_sink.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/access_log.hpp"
#include "winsvc/host/console_keys.hpp"
#include "winsvc/log/console_sink.hpp"
#include "winsvc/host/runtime.hpp"
#include "winsvc/scm/stop_limits.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Formats one line for each route: `GET    /users/{id}   user   main.cpp:12`. The name column is present if a route
/// has a name. Routes that winsvc adds (dashboard, health, API page) come last.
[[nodiscard]] std::string format_routes(const route::table& routes);

/// Runs the service until Ctrl-C, then drains. `app` is the app's object; it is destroyed before the return. Returns
/// the exit code of the process.
int run_in_console(service_definition& definition, std::shared_ptr<void> app);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE std::string format_routes(const route::table& routes) {
  std::size_t path_width = 0, name_width = 0;
  for (const auto& entry : routes.entries()) {
    path_width = (std::max)(path_width, entry.path.text.size());
    name_width = (std::max)(name_width, entry.metadata.name.size());
  }
  std::string lines, own_lines;
  for (const auto& entry : routes.entries()) {
    std::string& list = entry.metadata.hidden ? own_lines : lines;
    list += base::pad_right(entry.method_name(), 8) +
             base::pad_right(entry.path.text, path_width + 2) +
             (name_width != 0 ? base::pad_right(entry.metadata.name, name_width + 2) : std::string()) +
             entry.location.to_string() + '\n';
  }
  return lines + own_lines;
}

WINSVC_INLINE int run_in_console(service_definition& definition, std::shared_ptr<void> app) {
  auto console_queue = std::make_shared<log::async_sink>();  // a user who selects text in a console blocks its writer
  const auto terminal = std::make_shared<log::console_sink>();
  console_queue->add_sink(terminal);
  definition.log.add_sink(console_queue);
  definition.log.add_sink(definition.recent_entries);
  definition.attach_log_sinks();
  os::write_stderr(format_routes(definition.router.table()));

  run_options options;
  std::unique_ptr<runtime> service_runtime;
  std::unique_ptr<console_keys> keys;
  options.on_running = [&](const os::endpoint& address) {
    definition.log.flush();
    base::attempt([&] {  // out of memory: the service runs, without keys or without this text
      keys = std::make_unique<console_keys>(definition, *service_runtime, terminal);
      terminal->write_lines(definition.spec.name + ": " + address.url() + "   Ctrl-C stops\n" +
                            (definition.dashboard_path.empty()
                                 ? std::string()
                                 : "dashboard: " + definition.dashboard_url(address.url()) + '\n') +
                            (keys->is_active() ? std::string(keys_help) + '\n' : ""));
    });
  };
  const std::string folder = definition.resolve_data_folder();
  if (os::make_private_folder(folder))
    options.control_channel = os::control_channel_address(definition.spec.name, folder);
  if (!definition.access_log) options.on_response = [&definition](const http::access_record& record) {
      if (!definition.is_dashboard_route(record.pattern)) {
        log_response(definition.log, record, access_log_form::brief, log_format::json);
      }
    };
  status_reporter reporter({});
  reporter.apply(scm::lifecycle_event::start, definition.start_limit + control_task_runner::wait_hint_margin);
  service_runtime = std::make_unique<runtime>(definition, reporter, std::move(options));
  int code = 0;
  {
    // A console that closes waits until this scope ends, so all cleanup is done in the scope.
    const os::interrupts interrupts([&service_runtime](os::interruption reason) {
      if (reason != os::interruption::stop_requested)
        return static_cast<void>(
            service_runtime->request_stop("the terminal was closed", scm::shutdown_limit, scm::shutdown_total));
      if (service_runtime->request_stop("Ctrl-C")) return;
      service_runtime->request_stop("second Ctrl-C", scm::second_request_limit, scm::second_request_total);
      base::attempt([] {
        os::write_stderr("stopping now: requests, workers and hooks have at most " +
                         base::duration_text(scm::second_request_total) + " more\n");
      });
    });
    const run_result result = service_runtime->run();
    keys.reset();
    reporter.apply(scm::lifecycle_event::finished, {}, result.exit());
    code = os::exit_code(result.exit().code());
    if (code == 0 && result.incomplete_stop) code = os::exit_code(result.incomplete_stop->code);
    if (result.has_stuck_thread) os::end_process(code);  // it still runs user code, which uses these objects
    app.reset();
    if (console_queue->is_flush_overdue()) os::end_process(code);  // a paused terminal blocks the sink's thread
  }
  return code;
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
