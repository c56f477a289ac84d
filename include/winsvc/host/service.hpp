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
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/source.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// What a start hook is given. Used on the thread that runs the hook.
class start_context {
 public:
  /// "opening store", 2 of 5: goes to the log, and tells the SCM that the start is alive. Windows takes a start for
  /// hung after 30 s without one, so call it when something has been achieved, and only then.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  /// A stop was asked for meanwhile: return soon, the service will not run.
  [[nodiscard]] bool stop_requested() const { return stop_.stop_requested(); }
  [[nodiscard]] const stop_token& stop() const noexcept { return stop_; }
  /// What came with the start (`sc start NAME words…`), without the service's name. Empty in debug.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  using progress_function = std::function<void(std::string_view, unsigned, unsigned)>;
  start_context(progress_function progress, stop_token stop, std::vector<std::string> arguments)
      : progress_(std::move(progress)), stop_(std::move(stop)), arguments_(std::move(arguments)) {}

 private:
  progress_function progress_;
  stop_token stop_;
  std::vector<std::string> arguments_;
};

namespace host {

/// A start hook returns what undoes it, or nothing.
using undo = std::function<void()>;
/// One entry of the list that is walked forwards at start and backwards at stop: a start hook or a stop hook.
struct hook {
  std::function<undo(start_context&)> start;
  undo stop;
  source where;
};
struct worker {
  std::string name;
  std::function<void(stop_token)> body;
};
struct ready_check {
  std::string name;
  std::function<bool()> check;
};

/// Everything App said, as a value: what the runtime and the verbs read.
struct blueprint {
  model::service_spec spec;
  std::string version;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::chrono::milliseconds stop_limit = std::chrono::seconds(20);
  std::string live_path = "/livez", ready_path = "/readyz";
  wire::limits limits;
  http::router router;
  std::vector<hook> hooks;
  std::vector<worker> workers;
  std::vector<ready_check> ready_checks;
  logger log;
  bool frozen = false;
};

template <class R>
inline constexpr bool is_undo_or_void = std::is_void_v<R> || std::is_invocable_v<R>;

template <class F>
std::function<undo(start_context&)> start_hook(F f) {
  constexpr bool with_context = std::is_invocable_v<F&, start_context&>;
  static_assert(with_context || std::is_invocable_v<F&>,
                "winsvc: on_start takes a callable without arguments, or with winsvc::start_context&");
  return [f = std::move(f)](start_context& context) mutable -> undo {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_context) return f(context);
      else return static_cast<void>(context), f();
    };
    using returned = decltype(call());
    static_assert(is_undo_or_void<returned>,
                  "winsvc: an on_start hook returns nothing, or a callable that undoes it at stop");
    if constexpr (std::is_void_v<returned>) {
      call();
      return {};
    } else {
      return undo(call());
    }
  };
}

}  // namespace host

class service {
 public:
  explicit service(host::blueprint& plan) noexcept : plan_(plan) {}
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
  /// When the system starts it. Default: automatic.
  service& startup(winsvc::startup when);

  // -- listening --

  /// Default: 127.0.0.1:8080. Port 0 picks a free one, which `status` shows. The command line has the last word
  /// (`--host`, `--port`). "0.0.0.0" listens on all IPv4 addresses, "::" on all.
  service& listen(std::string host, std::uint16_t port);
  /// Sizes and time-outs of the wire, each with its default in wire/limits.hpp.
  [[nodiscard]] wire::limits& limits() noexcept { return plan_.limits; }

  // -- routes: patterns in route/pattern.hpp, handlers in http/handler.hpp --

  template <class F>
  service& get(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::get, pattern, std::move(handler), where);
  }
  template <class F>
  service& post(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::post, pattern, std::move(handler), where);
  }
  template <class F>
  service& put(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::put, pattern, std::move(handler), where);
  }
  template <class F>
  service& patch(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::patch, pattern, std::move(handler), where);
  }
  /// HTTP DELETE, a word that C++ and Windows' headers both have taken.
  template <class F>
  service& del(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::del, pattern, std::move(handler), where);
  }
  template <class F>
  service& options(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::options, pattern, std::move(handler), where);
  }
  /// Whatever the method is; a route for the method itself goes before it.
  template <class F>
  service& any(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::any, pattern, std::move(handler), where);
  }
  template <class F>
  service& route(route::method verb, std::string_view pattern, F handler, source where = source::here()) {
    plan_.router.add(verb, pattern, std::move(handler), where);
    return *this;
  }

  // -- lifecycle: all on the service's main thread, none of them at the same time --

  /// Before the port is bound, in the order of registration. `f()` or `f(start_context&)`; what it returns, if
  /// anything, is called at stop, in reverse order. An exception fails the start with its text.
  template <class F>
  service& on_start(F f, source where = source::here()) {
    add_hook("on_start", {host::start_hook(std::move(f)), {}, where});
    return *this;
  }
  /// After the last request was answered, in reverse order of registration, among what on_start hooks returned; only
  /// when all hooks registered before it have started. An exception is logged, and the other hooks still run. Not run
  /// when a handler or worker did not return in time, because it may still use what the hook would close.
  template <class F>
  service& on_stop(F f, source where = source::here()) {
    static_assert(std::is_invocable_v<F&>, "winsvc: on_stop takes a callable without arguments");
    add_hook("on_stop", {{}, std::move(f), where});
    return *this;
  }
  /// How long a stop waits for requests in flight, up to a day. Default: 20 s; 4 s when the machine shuts down, which
  /// waits no longer.
  service& stop_limit(std::chrono::milliseconds limit);

  /// A thread of its own from RUNNING to the end of the drain: owned, and joined before the stop hooks run. An
  /// exception that escapes it stops the service as failed, with its text.
  service& worker(std::string name, std::function<void(stop_token)> body, source where = source::here());

  // -- health --

  /// Is the service ready for work? Asked, on a request's thread, whenever `/readyz` is; false or an exception makes
  /// it 503.
  service& ready(std::string name, std::function<bool()> check);
  /// Where liveness and readiness are asked. Default: /livez, /readyz; empty switches one off.
  service& health_paths(std::string live, std::string ready, source where = source::here());

  /// The service's log: a file as a service, the terminal in debug.
  [[nodiscard]] logger& log() noexcept { return plan_.log; }

 private:
  void add_hook(std::string_view what, host::hook h);
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

inline service& service::name(std::string text) {
  check_open("name");
  if (const auto good = model::check_name(text); !good) throw setup_error(good.error().sentence());
  plan_.spec.name = std::move(text);
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
inline service& service::stop_limit(std::chrono::milliseconds limit) {
  check_open("stop_limit");
  plan_.stop_limit = std::clamp(limit, std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(24)));
  return *this;
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
inline service& service::ready(std::string name, std::function<bool()> check) {
  check_open("ready");
  plan_.ready_checks.push_back({std::move(name), std::move(check)});
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
inline void service::add_hook(std::string_view what, host::hook h) {
  check_open(what);
  plan_.hooks.push_back(std::move(h));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
