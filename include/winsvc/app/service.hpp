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

#include "winsvc/app/blueprint.hpp"
#include "winsvc/app/hooks.hpp"
#include "winsvc/app/setting.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/source.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/config/version.hpp"
#include "winsvc/http/group.hpp"
#include "winsvc/model/account.hpp"
#include "winsvc/model/control_event.hpp"
#include "winsvc/model/recovery.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/process.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class service : public http::route_registrar<service> {
 public:
  explicit service(host::blueprint& plan)
      : route_registrar(plan.router, {}, std::make_shared<http::chain>()), plan_(plan) {}
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
  [[nodiscard]] std::string instance() const { return plan_.instance.value_or(std::string()); }

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
  /// read at start, which fails when they cannot be used, and again at `reload`. See http/tls.hpp.
  template <bool Built = http::has_tls>
  service& tls(std::string certificate, std::string key, tls_options options = {}) {
    static_assert(Built,
                  "winsvc: tls needs cpp-httplib built with a TLS library: compile with -DCPPHTTPLIB_OPENSSL_SUPPORT "
                  "and link -lssl -lcrypto");
    set_tls({std::move(certificate), std::move(key), std::move(options.client_authorities)});
    return *this;
  }
  /// Sizes and time-outs of the wire, each with its default in wire/limits.hpp.
  [[nodiscard]] wire::limits& limits() noexcept { return plan_.limits; }

  // -- routes: see http/group.hpp for all of them, route/pattern.hpp for patterns, http/handler.hpp for handlers --

  /// What an answer of winsvc's own with this status looks like (404, 405, 413, 500, `abort`...).
  service& on_error(int status, http::error_page page, source where = source::here());
  /// 404, said your way.
  service& not_found(http::error_page page, source where = source::here()) {
    return on_error(404, std::move(page), where);
  }
  /// What becomes of an exception of this type that leaves a handler or a middleware: `f(const E&)`, which returns what
  /// a handler may return, or `f(const E&, const request&, response&)`. It is not logged then. The first that fits.
  template <class E, class F>
  service& on_exception(F f) {
    check_open("on_exception");
    plan_.router.pages.by_exception.push_back(http::make_exception_page<E>(std::move(f)));
    return *this;
  }

  /// Answers GET at this path with the OpenAPI 3.1 document of the routes (web/openapi.hpp), with the middleware that
  /// was added before. Default: there is none.
  service& openapi(std::string_view path = "/openapi.json", source where = source::here());
  /// Answers GET at this path with counts of requests in Prometheus' text format (web/metrics.hpp), also while the
  /// service is paused, with the middleware that was added before. Default: there is none, and nothing is counted.
  service& metrics(std::string_view path = "/metrics", source where = source::here());
  /// A page of the service at this path: what it is doing now, its last five minutes, its slowest routes, its log, its
  /// settings without secrets. It answers clients on this machine alone, by its own addresses and names, unless `guard`
  /// decides who may see it: `svc.dashboard("/_service", winsvc::basic_auth("service", users))`. Default: there is
  /// none.
  service& dashboard(std::string_view path = "/_service", middleware guard = {}, source where = source::here());
  /// Writes a line to the log for every request that was answered, or refused before it had a route: peer, id, method
  /// and target, status, bytes, microseconds, the route's pattern. `debug` shows a shorter one in any case.
  service& access_log();

  // -- settings --

  /// A value that whoever runs the service may set: by `--set NAME=VALUE`, kept at install; by HELLO_NAME in the
  /// environment; in the settings file, `hello.ini` beside the executable. `standard` is the default, and its type the
  /// setting's, where none is named. What holds a value, and which rules can follow the help: app/setting.hpp. The
  /// handle may be read at once, also here in App. A value that cannot be taken fails the start, with its place; at a
  /// reload it leaves all as it was. `host`, `port`, `log_level` and
  /// `log_format` are winsvc's own.
  template <class T = void, class Default, class... Options>
  winsvc::setting<host::setting_value<T, Default>> setting(host::setting_words name, Default standard,
                                                           std::string help = {}, const Options&... options) {
    check_open("setting");
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
  service& on_start(F f, source where = source::here()) {
    return on_start(std::string(), std::move(f), where);
  }
  template <class F>
  service& on_start(std::string name, F f, source where = source::here()) {
    check_open("on_start");
    plan_.hooks.push_back({host::start_hook(std::move(f)), {std::move(name), where, {}}});
    return *this;
  }
  /// After the last request was answered, in reverse order of registration, among what on_start hooks returned; only
  /// when all hooks registered before it have started. `f()` or `f(stop_context&)`. An exception is logged, and the
  /// other hooks still run; a hook that makes no progress for the stop limit is named in the log and given up, and the
  /// process ends. Not run when a handler or worker did not return in time, because it may still use what the hook
  /// would close.
  template <class F>
  service& on_stop(F f, source where = source::here()) {
    return on_stop(std::string(), std::move(f), where);
  }
  template <class F>
  service& on_stop(std::string name, F f, source where = source::here()) {
    check_open("on_stop");
    static_assert(host::is_stop_hook<F>,
                  "winsvc: on_stop takes a callable without arguments, or with winsvc::stop_context&");
    plan_.hooks.push_back({{}, {std::move(name), where, host::stop_hook(std::move(f))}});
    return *this;
  }
  /// Pause and continue, accepted when either is hooked. While it is paused the listener stays and requests get 503
  /// with Retry-After (`/livez` still answers); workers go on. Paused is reported when all pause hooks have returned.
  /// When one throws the service goes on running (or stays paused); hooks that had run before it are not called back.
  template <class F>
  service& on_pause(F f, source where = source::here()) {
    return add(plan_.pause_hooks, "on_pause", std::move(f), where);
  }
  template <class F>
  service& on_continue(F f, source where = source::here()) {
    return add(plan_.continue_hooks, "on_continue", std::move(f), where);
  }
  /// PARAMCHANGE (`reload`): read what has changed. An exception is logged; the service goes on as it was.
  template <class F>
  service& on_reload(F f, source where = source::here()) {
    return add(plan_.reload_hooks, "on_reload", std::move(f), where);
  }
  /// The machine's clock was set.
  template <class F>
  service& on_time_change(F f, source where = source::here()) {
    return add(plan_.time_hooks, "on_time_change", std::move(f), where);
  }
  /// A control of your own, 128 to 255 (`control 200`). `f()` or `f(code)`; it returns a Win32 code for the sender, or
  /// nothing, which is 0. The sender gets it when it comes within 500 ms, and 997 (still at work) otherwise, because
  /// the SCM serves no one else meanwhile; 1064 when the hook throws.
  template <class F>
  service& on_control(std::uint32_t code, F f, source where = source::here()) {
    auto made = host::make_control_hook(std::move(f));
    add_control({code, where, std::move(made)});
    return *this;
  }
  /// Somebody logged on, locked the screen, ...
  service& on_session_change(std::function<void(const session_change&)> f, source where = source::here());
  /// The machine suspends or resumes, its battery changed, ...
  service& on_power(std::function<void(const power_event&)> f, source where = source::here());

  /// How long a start hook may make no progress, up to a day. Default: 30 s.
  service& start_limit(std::chrono::milliseconds limit);
  /// How long a stop waits for requests in flight, and for a hook that makes no progress, up to a day. Default: 20 s;
  /// 3 s when the machine shuts down, which waits no longer.
  service& stop_limit(std::chrono::milliseconds limit);

  /// A thread of its own from RUNNING to the end of the drain: owned, and joined before the stop hooks run. An
  /// exception that escapes it stops the service as failed, with its text.
  service& worker(std::string name, std::function<void(stop_token)> body, source where = source::here());

  // -- health --

  /// Is the service ready for work? Asked, on a request's thread, whenever `/readyz` is; false or an exception makes
  /// it 503.
  service& ready(std::string name, std::function<bool()> is_ready);
  /// Where liveness and readiness are asked. Default: /livez, /readyz; empty switches one off.
  service& health_paths(std::string live, std::string ready, source where = source::here());

  /// Where the service keeps its data: `%ProgramData%\<name>`, which its own account and administrators may change;
  /// `$XDG_STATE_HOME/<name>` elsewhere. It is made here where it is not there yet, so ask in a hook or a handler; the
  /// verbs only describe the app. Throws std::runtime_error where it cannot be made.
  [[nodiscard]] std::string data_folder() const;
  /// The service's log: a file as a service, the terminal in debug.
  [[nodiscard]] logger& log() noexcept { return plan_.log; }
  /// How the log file looks (text or JSON lines), when it is set aside (10 MiB, and by day where asked), how many are
  /// kept (5). In App.
  [[nodiscard]] log_file_options& log_file() noexcept { return plan_.log_file; }
  /// Lines of this level and above go to the Windows event log as well, with the IDs 10 (error), 11 (warning) and 12;
  /// not in debug. What it says at its turns (started, stopped, failed...) stands there in any case.
  service& log_to_event_log(log_level least = log_level::warn);
  /// Hands the log to a sink of your own as well. It is called by one thread, which is none of the requests'; what
  /// comes faster than it can take is dropped, counted, and told of in a line.
  service& log_to(std::shared_ptr<log_sink> sink);

 private:
  template <class F>
  service& add(std::vector<host::named_hook>& list, const char* what, F f, source where) {
    check_open(what);
    static_assert(host::is_stop_hook<F>,
                  "winsvc: this hook takes a callable without arguments, or with winsvc::stop_context&");
    list.push_back({{}, where, host::stop_hook(std::move(f))});
    return *this;
  }
  void declare(std::shared_ptr<model::any_setting> one);
  void add_control(host::control_hook h);
  void set_tls(http::tls_files files);
  void check_open(std::string_view what) const;
  host::blueprint& plan_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void service::check_open(std::string_view what) const {
  if (plan_.frozen) {
    throw setup_error(std::string(what) +
                      ": the service has started; describe it in the app, not in a handler or hook");
  }
}

inline void service::set_tls(http::tls_files files) {
  check_open("tls");
  if (files.certificate.empty() || files.key.empty()) throw setup_error("tls: it takes two files, certificate and key");
  const auto folder = os::folder_of(os::executable_path());  // not the current one: a hook may change that
  for (auto* path : {&files.certificate, &files.key, &files.client_authorities}) {
    if (!path->empty() && !os::is_absolute(*path)) *path = os::path_join(folder, *path);
  }
  plan_.tls = std::move(files);
}
inline std::string service::data_folder() const {
  const std::string folder = plan_.folder();
  if (const auto made = os::make_folders(folder); !made)
    throw std::runtime_error(
        error{made.error(), "make the data folder", folder, os::system_words(made.error()), {}}.sentence());
  return folder;
}
inline void service::declare(std::shared_ptr<model::any_setting> one) {
  for (const std::string_view own : {"host", "port", "log_level", "log_format"}) {
    if (one->name() == own)
      throw setup_error("setting '" + one->name() + "' (" + one->where.text() +
                        "): every service has it; listen, log() and log_file() give its default");
  }
  plan_.settings.declare(std::move(one));
}
inline service& service::log_to_event_log(log_level least) {
  check_open("log_to_event_log");
  plan_.event_log_from = least;
  return *this;
}
inline service& service::reload_on_change() {
  check_open("reload_on_change");
  plan_.reloads_on_change = true;
  return *this;
}
inline service& service::log_to(std::shared_ptr<log_sink> sink) {
  check_open("log_to");
  plan_.log_sinks.push_back(std::move(sink));
  return *this;
}
inline service& service::name(std::string text) {
  check_open("name");
  if (!plan_.settings.empty())
    throw setup_error("name '" + text + "': say it before the first setting, whose variable in the environment is "
                      "called by it");
  if (const auto good = model::check_name(text); !good) throw setup_error(good.error().sentence());
  plan_.spec.name = std::move(text);
  plan_.settings.called(plan_.spec.name);
  return *this;
}
inline service& service::display_name(std::string text) {
  check_open("display_name");
  if (const auto good = model::check_display_name(text); !good) throw setup_error(good.error().sentence());
  plan_.spec.display_name = std::move(text);
  return *this;
}
inline service& service::description(std::string text) {
  check_open("description");
  plan_.spec.description = std::move(text);
  return *this;
}
inline service& service::version(std::string text) {
  check_open("version");
  plan_.version = std::move(text);
  return *this;
}
inline service& service::startup(winsvc::startup when) {
  check_open("startup");
  plan_.spec.startup = when;
  return *this;
}
inline service& service::listen(std::string host, std::uint16_t port) {
  check_open("listen");
  plan_.host = std::move(host);
  plan_.port = port;
  return *this;
}
inline std::chrono::milliseconds up_to_a_day(std::chrono::milliseconds limit) {
  return std::clamp(limit, std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(24)));
}
inline service& service::start_limit(std::chrono::milliseconds limit) {
  check_open("start_limit");
  plan_.start_limit = up_to_a_day(limit);
  return *this;
}
inline service& service::stop_limit(std::chrono::milliseconds limit) {
  check_open("stop_limit");
  plan_.stop_limit = up_to_a_day(limit);
  return *this;
}
inline service& service::account(std::string text) {
  check_open("account");
  if (const auto good = model::parse_account(text, plan_.spec.name); !good) throw setup_error(good.error().sentence());
  plan_.spec.account = std::move(text);
  return *this;
}
inline service& service::depends_on(std::vector<std::string> services) {
  check_open("depends_on");
  plan_.spec.depends_on = std::move(services);
  return *this;
}
inline service& service::recovery(std::vector<recovery_action> actions, std::chrono::seconds reset) {
  check_open("recovery");
  plan_.spec.recovery = model::recovery_plan{std::move(actions), reset};
  return *this;
}
inline service& service::preshutdown(std::chrono::milliseconds limit) {
  check_open("preshutdown");
  plan_.spec.preshutdown = up_to_a_day(limit);
  return *this;
}
inline service& service::privileges(std::vector<std::string> names) {
  check_open("privileges");
  plan_.spec.privileges = std::move(names);
  return *this;
}
inline service& service::on_session_change(std::function<void(const session_change&)> f, source where) {
  check_open("on_session_change");
  plan_.session_hooks.push_back({where, std::move(f)});
  return *this;
}
inline service& service::on_power(std::function<void(const power_event&)> f, source where) {
  check_open("on_power");
  plan_.power_hooks.push_back({where, std::move(f)});
  return *this;
}
inline void service::add_control(host::control_hook h) {
  check_open("on_control");
  const std::string what = "on_control " + std::to_string(h.code) + " (" + h.where.text() + "): ";
  if (h.code < 128 || h.code > 255) throw setup_error(what + "controls of your own are 128 to 255");
  for (const auto& other : plan_.control_hooks) {
    if (other.code == h.code)
      throw setup_error(what + "it is hooked at " + other.where.text() + ", and has one result only");
  }
  plan_.control_hooks.push_back(std::move(h));
}
inline service& service::worker(std::string name, std::function<void(stop_token)> body, source where) {
  check_open("worker");
  for (const auto& w : plan_.workers) {
    if (w.name == name)
      throw setup_error("worker '" + name + "' (" + where.text() +
                        "): there is one of that name; the log could not tell them apart");
  }
  plan_.workers.push_back({std::move(name), std::move(body)});
  return *this;
}
inline service& service::on_error(int status, http::error_page page, source where) {
  check_open("on_error");
  if (!plan_.router.pages.by_status.emplace(status, std::move(page)).second)
    throw setup_error("on_error " + std::to_string(status) + " (" + where.text() + "): it is said already");
  return *this;
}
inline service& service::ready(std::string name, std::function<bool()> is_ready) {
  check_open("ready");
  plan_.ready_checks.push_back({std::move(name), std::move(is_ready)});
  return *this;
}
inline service& service::health_paths(std::string live, std::string ready, source where) {
  check_open("health_paths");
  for (const auto& path : {live, ready}) {
    if (!path.empty() && !route::parse_pattern(path).names.empty()) {
      throw setup_error("health path " + path + " (" + where.text() +
                        "): it has a parameter, which nothing would read");
    }
  }
  plan_.live_path = std::move(live);
  plan_.ready_path = std::move(ready);
  return *this;
}
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
