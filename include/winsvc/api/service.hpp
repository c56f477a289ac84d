// What App receives: the description of a service. App says what there is; nothing happens until a verb makes it
// happen.
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
//     svc.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
//     svc.on_start([] { open_store(); return [] { close_store(); }; });
//     svc.worker("poller", [](winsvc::stop_token stop) { while (!stop.wait_for(5s)) poll(); });
//   }
//
// App runs for every verb, `help` included: what takes time or can fail belongs in `on_start`.
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
#include "winsvc/api/tls_options.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/api/group.hpp"
#include "winsvc/scm/control_event.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace host {
struct service_definition;
}

class service : public http::route_registrar<service> {
 public:
  explicit service(host::service_definition& plan);
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  // -- identity, and what to install --

  /// The name the SCM knows, 1 to 256 characters without slashes; also of the data folder and the event source.
  /// Default: the executable's name.
  service& name(std::string text);
  /// What the Services window shows. Default: the name.
  service& display_name(std::string text);
  service& description(std::string text);
  /// The app's own version, for the `version` verb.
  service& version(std::string text);
  /// Which instance this is (`--instance blue`), or "". The SCM's name of one is `name$instance`.
  [[nodiscard]] std::string instance() const;

  /// When the system starts it. Default: automatic.
  service& startup(winsvc::startup when);
  /// Whom it runs as: `virtual`, `system`, `local-service`, `network-service`, `DOMAIN\name`. Default: virtual, an
  /// account of the service's own without a password. A password is asked for at install.
  service& account(std::string text);
  /// What has to run before it: service names, groups with a '+' before them. Default: nothing.
  service& depends_on(std::vector<std::string> services);
  /// What the SCM does after a failure, one action a failure, the last one for all that follow; after `reset` without
  /// a failure the first again. Default: restart after 5 s, 30 s, 2 min; 1 day. An empty list: nothing.
  service& recovery(std::vector<recovery_action> actions, std::chrono::seconds reset = std::chrono::hours(24));
  /// Takes PRESHUTDOWN in the place of SHUTDOWN: the machine waits this long for the service before it shuts down.
  /// Default: SHUTDOWN, for which the system leaves some 5 s.
  service& preshutdown(std::chrono::milliseconds limit);
  /// Privileges its process keeps beside SeChangeNotifyPrivilege ("SeImpersonatePrivilege", ...). The SCM takes all
  /// others out of its token; one that its account has not makes the start fail.
  service& privileges(std::vector<std::string> names);

  // -- listening --

  /// Default: 127.0.0.1:8080. Port 0 picks a free one, which `status` shows. The command line has the last word
  /// (`--host`, `--port`). "0.0.0.0" listens on all IPv4 addresses, "::" on all.
  service& listen(std::string host, std::uint16_t port);
  /// HTTPS, and no plain HTTP, with a certificate and its key: PEM files, relative to the executable's folder. They are
  /// read at start, which fails when they cannot be used, and again at `reload`. See server/tls.hpp.
  template <bool Built = http::has_tls>
  service& tls(std::string certificate, std::string key, tls_options options = {}) {
    static_assert(Built,
                  "winsvc: tls needs cpp-httplib built with a TLS library: compile with -DCPPHTTPLIB_OPENSSL_SUPPORT "
                  "and link -lssl -lcrypto");
    set_tls({std::move(certificate), std::move(key), std::move(options.client_authorities)});
    return *this;
  }
  /// Sizes and time-outs of the wire, each with its default in wire/limits.hpp.
  [[nodiscard]] wire::limits& limits() noexcept;

  // -- routes: see api/group.hpp for all of them, route/pattern.hpp for patterns, api/handler.hpp for handlers --

  /// What an answer of winsvc's own with this status looks like (404, 405, 413, 500, `abort`...).
  service& on_error(int status, http::error_handler page, source_location location = source_location::current());
  /// 404, said your way.
  service& not_found(http::error_handler page, source_location location = source_location::current()) {
    return on_error(404, std::move(page), location);
  }
  /// What becomes of an exception of this type that leaves a handler or a middleware: `f(const E&)`, which returns what
  /// a handler may return, or `f(const E&, const request&, response&)`. It is not logged then. The first that fits.
  template <class E, class F>
  service& on_exception(F f) {
    check_not_frozen("on_exception");
    add_exception_page(http::make_exception_handler<E>(std::move(f)));
    return *this;
  }

  /// Answers GET at this path with the OpenAPI 3.1 document of the routes (addons/openapi.hpp), with the middleware that
  /// was added before. Default: there is none.
  service& openapi(std::string_view path = "/openapi.json", source_location location = source_location::current());
  /// Answers GET at this path with counts of requests in Prometheus' text format (addons/metrics.hpp), also while the
  /// service is paused, with the middleware that was added before. Default: there is none, and nothing is counted.
  service& metrics(std::string_view path = "/metrics", source_location location = source_location::current());
  /// A page of the service at this path: what it is doing now, its last five minutes, its slowest routes, its log, its
  /// settings without secrets. It answers clients on this machine alone, by its own addresses and names, unless `guard`
  /// decides who may see it: `svc.dashboard("/_service", winsvc::basic_auth("service", users))`. Default: there is
  /// none.
  service& dashboard(std::string_view path = "/_service", middleware guard = {}, source_location location = source_location::current());
  /// Writes a line to the log for every request that was answered, or refused before it had a route: peer, id, method
  /// and target, status, bytes, microseconds, the route's pattern. `debug` shows a shorter one in any case.
  service& access_log();

  // -- settings --

  /// A value that whoever runs the service may set: by `--set NAME=VALUE`, kept at install; by HELLO_NAME in the
  /// environment; in the settings file, `hello.ini` beside the executable. `standard` is the default, and its type the
  /// setting's, where none is named. What holds a value, and which rules can follow the help: api/setting.hpp. The
  /// handle may be read at once, also here in App. A value that cannot be taken fails the start, with its place; at a
  /// reload it leaves all as it was. `host`, `port`, `log_level` and
  /// `log_format` are winsvc's own.
  template <class T = void, class Default, class... Options>
  winsvc::setting<host::setting_value<T, Default>> setting(host::setting_name_at name, Default standard,
                                                           std::string help = {}, const Options&... options) {
    check_not_frozen("setting");
    using value = host::setting_value<T, Default>;
    auto one = host::make_setting<value>(std::move(name), value(std::move(standard)), std::move(help), options...);
    declare(one);
    return winsvc::setting<value>(std::move(one));
  }

  /// Reloads when the settings file changes, as the verb `reload` does: the folder it is in is watched, by a thread.
  /// All new values are good and taken, or none is; the log says which. A folder that cannot be watched is a warning.
  /// Default: who changes the file says `reload`.
  service& reload_on_change();

  // -- lifecycle: all hooks on one thread, which is none of the requests', one at a time --

  /// Before the port is bound, in the order of registration. `f()` or `f(start_context&)`; what it returns, if
  /// anything, is called at stop, in reverse order, as on_stop's are. An exception fails the start with its text, and
  /// so does a hook that makes no progress for the start limit. `name`: what the log calls it; default: where it is
  /// written.
  template <class F>
  service& on_start(F f, source_location location = source_location::current()) {
    return on_start(std::string(), std::move(f), location);
  }
  template <class F>
  service& on_start(std::string name, F f, source_location location = source_location::current()) {
    check_not_frozen("on_start");
    add_hook({host::start_callback(std::move(f)), {std::move(name), location, {}}});
    return *this;
  }
  /// After the last request was answered, in reverse order of registration, among what on_start hooks returned; only
  /// when all hooks registered before it have started. `f()` or `f(stop_context&)`. An exception is logged, and the
  /// other hooks still run; a hook that makes no progress for the stop limit is named in the log and given up, and the
  /// process ends. Not run when a handler or worker did not return in time, because it may still use what the hook
  /// would close.
  template <class F>
  service& on_stop(F f, source_location location = source_location::current()) {
    return on_stop(std::string(), std::move(f), location);
  }
  template <class F>
  service& on_stop(std::string name, F f, source_location location = source_location::current()) {
    check_not_frozen("on_stop");
    static_assert(host::is_stop_callback<F>,
                  "winsvc: on_stop takes a callable without arguments, or with winsvc::stop_context&");
    add_hook({{}, {std::move(name), location, host::stop_callback(std::move(f))}});
    return *this;
  }
  /// Pause and continue, accepted when either is hooked. While it is paused the listener stays and requests get 503
  /// with Retry-After (`/livez` still answers); workers go on. Paused is reported when all pause hooks have returned.
  /// When one throws the service goes on running (or stays paused); hooks that had run before it are not called back.
  template <class F>
  service& on_pause(F f, source_location location = source_location::current()) {
    return add(hook_list::on_pause, "on_pause", std::move(f), location);
  }
  template <class F>
  service& on_continue(F f, source_location location = source_location::current()) {
    return add(hook_list::on_continue, "on_continue", std::move(f), location);
  }
  /// PARAMCHANGE (`reload`): read what has changed. An exception is logged; the service goes on as it was.
  template <class F>
  service& on_reload(F f, source_location location = source_location::current()) {
    return add(hook_list::on_reload, "on_reload", std::move(f), location);
  }
  /// The machine's clock was set.
  template <class F>
  service& on_time_change(F f, source_location location = source_location::current()) {
    return add(hook_list::on_time_change, "on_time_change", std::move(f), location);
  }
  /// A control of your own, 128 to 255 (`control 200`). `f()` or `f(code)`; it returns a Win32 code for the sender, or
  /// nothing, which is 0. The sender gets it when it comes within 500 ms, and 997 (still at work) otherwise, because
  /// the SCM serves no one else meanwhile; 1064 when the hook throws.
  template <class F>
  service& on_control(std::uint32_t code, F f, source_location location = source_location::current()) {
    auto made = host::control_callback(std::move(f));
    add_control({code, location, std::move(made)});
    return *this;
  }
  /// Somebody logged on, locked the screen, ...
  service& on_session_change(std::function<void(const session_change&)> f, source_location location = source_location::current());
  /// The machine suspends or resumes, its battery changed, ...
  service& on_power(std::function<void(const power_event&)> f, source_location location = source_location::current());

  /// How long a start hook may make no progress, up to a day. Default: 30 s.
  service& start_limit(std::chrono::milliseconds limit);
  /// How long a stop waits for requests in flight, and for a hook that makes no progress, up to a day. Default: 20 s;
  /// 3 s when the machine shuts down, which waits no longer.
  service& stop_limit(std::chrono::milliseconds limit);

  /// A thread of its own from RUNNING to the end of the drain: owned, and joined before the stop hooks run. An
  /// exception that escapes it stops the service as failed, with its text.
  service& worker(std::string name, std::function<void(stop_token)> body, source_location location = source_location::current());

  // -- health --

  /// Is the service ready for work? Asked, on a request's thread, whenever `/readyz` is; false or an exception makes
  /// it 503.
  service& ready(std::string name, std::function<bool()> is_ready);
  /// Where liveness and readiness are asked. Default: /livez, /readyz; empty switches one off.
  service& health_paths(std::string live, std::string ready, source_location location = source_location::current());

  /// Where the service keeps its data: `%ProgramData%\<name>`, which its own account and administrators may change;
  /// `$XDG_STATE_HOME/<name>` elsewhere. It is made here where it is not there yet, so ask in a hook or a handler; the
  /// verbs only describe the app. Throws std::runtime_error where it cannot be made.
  [[nodiscard]] std::string data_folder() const;
  /// The service's log: a file as a service, the terminal in debug.
  [[nodiscard]] logger& log() noexcept;
  /// How the log file looks (text or JSON lines), when it is set aside (10 MiB, and by day where asked), how many are
  /// kept (5). In App.
  [[nodiscard]] log_file_options& log_file() noexcept;
  /// Lines of this level and above go to the Windows event log as well, with the IDs 10 (error), 11 (warning) and 12;
  /// not in debug. What it says at its turns (started, stopped, failed...) stands there in any case.
  service& log_to_event_log(log_level min_level = log_level::warn);
  /// Hands the log to a sink of your own as well. It is called by one thread, which is none of the requests'; what
  /// comes faster than it can take is dropped, counted, and told of in a line.
  service& log_to(std::shared_ptr<log_sink> sink);

 private:
  enum class hook_list { on_pause, on_continue, on_reload, on_time_change };

  template <class F>
  service& add(hook_list list, const char* what, F f, source_location location) {
    check_not_frozen(what);
    static_assert(host::is_stop_callback<F>,
                  "winsvc: this hook takes a callable without arguments, or with winsvc::stop_context&");
    add_named(list, {{}, location, host::stop_callback(std::move(f))});
    return *this;
  }
  void add_exception_page(http::exception_handler page);
  void add_hook(host::hook h);
  void add_named(hook_list list, host::named_hook h);
  void declare(std::shared_ptr<model::setting_base> setting);
  void add_control(host::control_hook h);
  void set_tls(http::tls_files files);
  void check_not_frozen(std::string_view what) const;
  host::service_definition& plan_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
