// service: the object with which an app describes its service: names, settings, routes, hooks, limits.
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
//     svc.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
//     svc.on_start([] { open_store(); return [] { close_store(); }; });
//     svc.worker("poller", [](winsvc::stop_token stop) { while (!stop.wait_for(5s)) poll(); });
//   }
//
// The app only describes: no port is opened and no hook runs until a verb starts the service. The app runs for each
// verb, `help` included, so code that takes time or can fail belongs in `on_start`.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/hooks.hpp"
#include "winsvc/api/setting.hpp"
#include "winsvc/api/settings_format.hpp"
#include "winsvc/api/tls_options.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/api/app_objects.hpp"
#include "winsvc/api/templates.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/api/group.hpp"
#include "winsvc/api/trailing_slash.hpp"
#include "winsvc/scm/control_event.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::host {
struct service_definition;
}

/// Limits and timeouts of connections and requests: `winsvc::server_limits& limits = svc.limits()`.
using server_limits = detail::wire::limits;

/// The description of a service. Call its functions in the app. The functions that change the description throw
/// setup_error for a mistake, for example two identical routes, and after the service has started.
class service : public detail::api::route_registrar<service> {
 public:
  explicit service(detail::host::service_definition& definition);
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  // -- identity and installation --

  /// Name of the service in the SCM, 1 to 256 characters, no slashes (Win32: CreateServiceW). The data folder and the
  /// event source have the same name. Default: the name of the executable. Call it before the first `setting`.
  service& name(std::string text);
  /// Name in the Services window. Default: the name.
  service& display_name(std::string text);
  /// Description in the Services window. Default: none.
  service& description(std::string text);
  /// Version of the app, shown by the verb `version`. Default: WINSVC_APP_VERSION, which winsvc_add_service (CMake)
  /// defines as the version of the project; without it, none.
  service& version(std::string text);
  /// The instance of this run (`--instance blue`); empty for the only or first instance. The SCM knows an instance as
  /// `name$instance`.
  [[nodiscard]] std::string instance() const;

  /// When the SCM starts the service. Default: automatic.
  service& startup(winsvc::startup when);
  /// Account of the service: `virtual`, `system`, `local-service`, `network-service` or `DOMAIN\name`. Default:
  /// virtual, an account that belongs to this service only and has no password. For an account with a password, the
  /// verb `install` reads the password from the terminal.
  service& account(std::string text);
  /// Services that the SCM starts before this service. A name that starts with '+' is a load-order group.
  /// Default: none.
  service& depends_on(std::vector<std::string> services);
  /// Actions of the SCM after a failure: the first action after the first failure, the second after the second, the
  /// last after each further failure. After `reset` without a failure, the count starts again. Default: restart after
  /// 5 s, 30 s and 2 min; reset after 1 day. An empty list: no action. Source: Win32, SERVICE_FAILURE_ACTIONSW.
  service& recovery(std::vector<recovery_action> actions, std::chrono::seconds reset = std::chrono::hours(24));
  /// Command line that the action `run_command_after` starts, with the account of the service. Default: none.
  service& recovery_command(std::string command_line);
  /// Maximum number of restarts until the time of `recovery` has passed without a failure. Default: no maximum.
  service& restart_limit(unsigned limit);
  /// Accepts PRESHUTDOWN instead of SHUTDOWN: before it shuts down, Windows waits up to `limit` for the service; a
  /// longer time counts as 1 day. Default: SHUTDOWN, which leaves about 5 s. Source: Win32, SERVICE_PRESHUTDOWN_INFO.
  service& preshutdown(std::chrono::milliseconds limit);
  /// Privileges that the process keeps in addition to SeChangeNotifyPrivilege, for example "SeImpersonatePrivilege".
  /// The SCM removes all other privileges from the token. A privilege that the account does not have makes the start
  /// fail. Default: no additional privileges. Source: Win32, SERVICE_REQUIRED_PRIVILEGES_INFOW.
  service& privileges(std::vector<std::string> names);

  // -- listener --

  /// Address and port to listen on. Default: 127.0.0.1 and 8080. `--host` and `--port` override them. Port 0 selects a
  /// free port, which the verb `status` shows. "0.0.0.0" listens on all IPv4 addresses, "::" on all addresses of
  /// both families, "localhost" on 127.0.0.1 and ::1. A family that the machine lacks is skipped.
  service& listen(std::string host, std::uint16_t port);
  /// Serves HTTPS instead of HTTP (server/tls.hpp). `certificate` and `key` are PEM files; a relative path starts at
  /// the folder of the executable. The files are read at start and again at each reload. If they are invalid, the start
  /// fails, and a reload keeps the previous certificate.
  template <bool Built = detail::api::has_tls>
  service& tls(std::string certificate, std::string key, tls_options options = {}) {
    static_assert(Built,
                  "winsvc: tls() requires cpp-httplib with a TLS library: compile with -DCPPHTTPLIB_OPENSSL_SUPPORT "
                  "and link with -lssl -lcrypto");
    set_tls({std::move(certificate), std::move(key), std::move(options.client_authorities)});
    return *this;
  }
  /// Limits and timeouts of connections and requests; wire/limits.hpp has the defaults. Change them in the app.
  [[nodiscard]] detail::wire::limits& limits() noexcept;

  // -- routes: api/group.hpp has get, post, group ...; route/pattern.hpp has patterns, api/handler.hpp handlers --

  /// Sets the rule for a final slash of a path (api/trailing_slash.hpp). Default: strict.
  service& trailing_slash(winsvc::trailing_slash rule);

  /// Provides an object to the handlers that have a parameter `T&` (api/app_objects.hpp). An object that is passed by
  /// reference must live as long as the service: make it a member of the app, or pass a std::shared_ptr. A temporary is
  /// moved. Throws setup_error for a second object of the type. If a handler takes an object that the app does not
  /// provide, the start fails.
  template <class T>
  service& provide(std::shared_ptr<T> object) {
    add_object(detail::api::type_key<T>(), detail::api::type_name<T>(), std::move(object));
    return *this;
  }
  template <class T>
  service& provide(T&& object) {
    static_assert(std::is_class_v<std::decay_t<T>> && !std::is_const_v<std::remove_reference_t<T>>,
                  "winsvc: provide() takes an object of a class that is not const, or a std::shared_ptr to it");
    using object_type = std::decay_t<T>;
    if constexpr (std::is_lvalue_reference_v<T>)
      return provide(std::shared_ptr<object_type>(&object, [](object_type*) {}));  // not deleted: the app owns it
    else
      return provide(std::make_shared<object_type>(std::move(object)));
  }

  /// Provides a template engine to the handlers with a parameter `template_engine&` (api/templates.hpp), and checks its
  /// templates at start: the start fails if one is malformed.
  service& templates(std::shared_ptr<template_engine> engine, source_location location = source_location::current());

  /// Sets the handler for error responses that winsvc generates with this status: 404, 405, 413, 500, `abort` ... It
  /// does not run for a status that a handler returns. It runs on the thread of the request (api/error_handlers.hpp).
  service& on_error(int status, detail::api::error_handler page, source_location location = source_location::current());
  /// Short form of `on_error(404, page)`.
  service& not_found(detail::api::error_handler page, source_location location = source_location::current()) {
    return on_error(404, std::move(page), location);
  }
  /// Handles exceptions of type E that leave a handler or a middleware. `f` is `f(const E&)`, which returns a value as
  /// a handler does (void: status 500), or `f(const E&, const request&, response&)`. The first registered function
  /// whose type matches runs, on the thread of the request, and the exception is not logged. Without a match, the
  /// exception is logged and the response is 500.
  template <class E, class F>
  service& on_exception(F f) {
    check_not_frozen("on_exception");
    add_exception_page(detail::api::make_exception_handler<E>(std::move(f)));
    return *this;
  }

  /// Serves the OpenAPI 3.1 document of the routes at this path (addons/openapi.hpp), and a page to read and try the
  /// API at the path without `.json`, or at `path` + "/page". The middleware that was added before applies. Default: no
  /// document.
  service& openapi(std::string_view path = "/openapi.json", source_location location = source_location::current());
  /// Serves request counts and durations in the Prometheus text format at this path (addons/metrics.hpp), also while
  /// the service is paused. The middleware that was added before applies. Default: no page and no counting.
  service& metrics(std::string_view path = "/metrics", source_location location = source_location::current());
  /// Serves a dashboard at this path: current requests, the last five minutes, the slowest routes, the log, and the
  /// settings without secrets. `guard` controls access. Without `guard`, only clients on this machine have access, and
  /// only through an address or a name of this machine. Default: no dashboard.
  /// Example: `svc.dashboard("/_service", winsvc::basic_auth("service", users))`.
  service& dashboard(std::string_view path = "/_service", middleware guard = {},
                     source_location location = source_location::current());
  /// Logs a line for each response, error responses included: client address, request ID, method and target, status,
  /// bytes, microseconds, pattern of the route. Requests of the dashboard and connections that are rejected before a
  /// request have no line. Default: no access log; `debug` then shows a shorter line.
  service& access_log();

  // -- settings --

  /// Declares a setting, a value that an operator can change. Its sources, the first has precedence:
  ///
  ///   command line    `--set NAME=VALUE`; `install` stores it
  ///   environment     HELLO_NAME for the service `hello`
  ///   settings file   `hello.ini` in the folder of the executable
  ///   default         `standard`, which also determines the type unless T is given
  ///
  /// api/setting.hpp lists the types and the `options`. The returned handle can be read at once, also in the app, from
  /// any thread. An invalid value makes the start fail, with its source in the message; at a reload it leaves all
  /// settings unchanged. Throws setup_error for the names of the built-in settings: `host`, `port`, `bind_timeout`,
  /// `allowed_hosts`, `log_level`, `log_format`, and for a name with the same environment variable, such as
  /// `log.level`.
  template <class T = void, class Default = T, class... Options>  // Default = T for a braced list
  winsvc::setting<detail::api::setting_value<T, Default>> setting(detail::api::setting_name_at name, Default standard,
                                                           std::string help = {}, const Options&... options) {
    check_not_frozen("setting");
    using value = detail::api::setting_value<T, Default>;
    auto declared = detail::api::make_setting<value>(
        std::move(name), detail::api::to_default<value>(std::move(standard)), std::move(help), options...);
    declare(declared);
    return winsvc::setting<value>(std::move(declared));
  }

  /// Reads the settings file in another format, from `hello.toml` for the extension "toml". Call it before the first
  /// `setting`; throws setup_error otherwise. Default: `hello.ini`.
  service& settings_format(winsvc::settings_format format);

  /// Reloads when the content of the settings file changes, as the verb `reload` does. A dedicated thread watches the
  /// folder of the file. A reload applies all new values, or no value if one is invalid; the log has the result. If the
  /// folder cannot be watched, the log has a warning. Default: only the verb `reload` reloads.
  service& reload_on_change();

  // -- lifecycle: all hooks run on one thread, one after the other; this thread never serves requests --

  /// Registers a start hook: `f()` or `f(start_context&)`. Start hooks run in the order of registration, before the
  /// port is bound. A start hook may return a cleanup function; cleanup functions and stop hooks run at stop, in
  /// reverse order. The start fails if a hook throws, or if it makes no progress for `start_limit`. `name` identifies
  /// the hook in the log; default: its source location.
  template <class F>
  service& on_start(F f, source_location location = source_location::current()) {
    return on_start(std::string(), std::move(f), location);
  }
  template <class F>
  service& on_start(std::string name, F f, source_location location = source_location::current()) {
    check_not_frozen("on_start");
    add_hook({detail::api::start_callback(std::move(f)), {std::move(name), location, {}}});
    return *this;
  }
  /// Registers a stop hook: `f()` or `f(stop_context&)`. Stop hooks and cleanup functions run in reverse order of
  /// registration, after the last request is complete. A stop hook runs only if all start hooks registered before it
  /// have succeeded. An exception is logged, and the other hooks still run. If a hook makes no progress for
  /// `stop_limit`, the log names it and the process ends. If a handler or a worker does not return in time, no stop
  /// hook runs, because that thread may still use the objects that a hook would close.
  template <class F>
  service& on_stop(F f, source_location location = source_location::current()) {
    return on_stop(std::string(), std::move(f), location);
  }
  template <class F>
  service& on_stop(std::string name, F f, source_location location = source_location::current()) {
    check_not_frozen("on_stop");
    static_assert(detail::api::is_stop_callback<F>,
                  "winsvc: an on_stop hook must be callable without arguments or with winsvc::stop_context&");
    add_hook({{}, {std::move(name), location, detail::api::stop_callback(std::move(f))}});
    return *this;
  }
  /// Registers a pause hook: `f()` or `f(stop_context&)`. The service accepts pause and continue if it has a pause hook
  /// or a continue hook. While it is paused, the listener stays open, requests get 503 with Retry-After, `/livez` still
  /// responds, and workers keep running. PAUSED is reported after all pause hooks have returned. If a hook throws, the
  /// service keeps running; the hooks that ran before are not reverted.
  template <class F>
  service& on_pause(F f, source_location location = source_location::current()) {
    return add(hook_list::on_pause, "on_pause", std::move(f), location);
  }
  /// Registers a continue hook: `f()` or `f(stop_context&)`. If a hook throws, the service stays paused.
  template <class F>
  service& on_continue(F f, source_location location = source_location::current()) {
    return add(hook_list::on_continue, "on_continue", std::move(f), location);
  }
  /// Registers a reload hook: `f()` or `f(stop_context&)`. It runs at a reload (PARAMCHANGE), after the settings file
  /// was applied and before the certificate is read. An exception is logged and ends the reload; the service continues.
  template <class F>
  service& on_reload(F f, source_location location = source_location::current()) {
    return add(hook_list::on_reload, "on_reload", std::move(f), location);
  }
  /// Registers a hook for changes of the system clock (TIMECHANGE): `f()` or `f(stop_context&)`.
  template <class F>
  service& on_time_change(F f, source_location location = source_location::current()) {
    return add(hook_list::on_time_change, "on_time_change", std::move(f), location);
  }
  /// Registers the hook for a custom control, 128 to 255 (verb: `control 200`): `f()` or `f(std::uint32_t code)`. It
  /// returns void (0) or a Win32 error code for the sender. The sender receives the code if the hook returns within
  /// 500 ms, otherwise 997 (ERROR_IO_PENDING), because the SCM handles no other control during that time. If the hook
  /// throws, the sender receives 1064 (ERROR_EXCEPTION_IN_SERVICE). Source: Win32, ControlService.
  template <class F>
  service& on_control(std::uint32_t code, F f, source_location location = source_location::current()) {
    auto callback = detail::api::control_callback(std::move(f));
    add_control({code, location, std::move(callback)});
    return *this;
  }
  /// Registers a hook for session changes: logon, logoff, lock, unlock ... Source: Win32, WM_WTSSESSION_CHANGE.
  service& on_session_change(std::function<void(const session_change&)> f,
                             source_location location = source_location::current());
  /// Registers a hook for power events: suspend, resume, battery ... Source: Win32, WM_POWERBROADCAST.
  service& on_power(std::function<void(const power_event&)> f, source_location location = source_location::current());

  /// Ends the service in order, as the verb `stop` does: requests in flight complete, then the stop hooks run. `reason`
  /// is in the log, in `status` and in `why`. Returns at once. Call it from a hook, a worker or a handler, on any
  /// thread. Returns false before the start and after the end.
  bool stop(std::string_view reason);
  /// Ends the service in the same way, but as a failure with this Win32 error code, on which the recovery acts; 0
  /// counts as 1064 (ERROR_EXCEPTION_IN_SERVICE). Returns false before the start and after the end.
  bool fail(std::uint32_t code, std::string_view reason);

  /// Time that a start hook may take without progress; a longer time counts as 1 day. Default: 30 s.
  service& start_limit(std::chrono::milliseconds limit);
  /// Time that a stop waits for requests in flight, and time that a hook may take without progress; a longer time
  /// counts as 1 day. Default: 20 s; at most 3 s at SHUTDOWN, three fifths of the preshutdown limit at PRESHUTDOWN.
  service& stop_limit(std::chrono::milliseconds limit);

  /// Registers a worker, a function with its own thread. The thread starts when the service is RUNNING; at stop the
  /// token is signaled, and the thread is joined before the stop hooks run. An exception that leaves `body` stops the
  /// service as failed, with its message. `name` must be unique.
  service& worker(std::string name, std::function<void(stop_token)> body,
                  source_location location = source_location::current());

  // -- health --

  /// Registers a readiness check. `is_ready` runs for each request to `/readyz`, on the thread of that request. If it
  /// returns false or throws, the response is 503.
  service& ready(std::string name, std::function<bool()> is_ready);
  /// Paths of the liveness check and the readiness check. Default: /livez and /readyz. An empty path disables a check.
  service& health_paths(std::string live, std::string ready, source_location location = source_location::current());

  // -- data and log --

  /// Path of the data folder, which is created if necessary: `%ProgramData%\<name>`, writable by the account of the
  /// service and by administrators; on other systems `$XDG_STATE_HOME/<name>`. Call it in a hook or a handler, because
  /// the app also runs for verbs. Throws std::runtime_error if the folder cannot be created.
  [[nodiscard]] std::string data_folder() const;
  /// The log of the service: a file under the SCM, the terminal in `debug`. Use it from any thread.
  [[nodiscard]] logger& log() noexcept;
  /// Options of the log file: format (text or JSON lines), rotation (at 10 MiB; daily if enabled), number of files (5).
  /// Change them in the app.
  [[nodiscard]] log_file_options& log_file() noexcept;
  /// Writes log lines of this level and above to the Windows event log as well, with the event IDs 10 (error),
  /// 11 (warning) and 12 (other levels); not in `debug`. Lifecycle events (started, stopped, failed ...) are always
  /// written.
  service& log_to_event_log(log_level min_level = log_level::warn);
  /// Adds a custom log sink. One thread calls it, which never serves requests. Lines that do not fit into its queue are
  /// dropped and counted, and the log reports their number.
  service& log_to(std::shared_ptr<log_sink> sink);

 private:
  enum class hook_list { on_pause, on_continue, on_reload, on_time_change };

  template <class F>
  service& add(hook_list list, const char* function_name, F f, source_location location) {
    check_not_frozen(function_name);
    static_assert(detail::api::is_stop_callback<F>,
                  "winsvc: this hook must be callable without arguments or with winsvc::stop_context&");
    add_named(list, {{}, location, detail::api::stop_callback(std::move(f))});
    return *this;
  }
  void add_exception_page(detail::api::exception_handler page);
  void add_object(const void* key, const std::string& type, std::shared_ptr<void> object);
  void add_hook(detail::api::hook h);
  void add_named(hook_list list, detail::api::named_hook h);
  void declare(std::shared_ptr<detail::settings::setting_base> setting);
  void add_control(detail::api::control_hook h);
  void set_tls(detail::api::tls_files files);
  void check_not_frozen(std::string_view function_name) const;
  /// The definition, for a registration call. Throws setup_error after the start.
  [[nodiscard]] detail::host::service_definition& open_definition(std::string_view function_name) const;
  detail::host::service_definition& definition_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
