// For tests of your own services, on any platform: a client without a socket, a simulated Service Control Manager, a
// database of services in memory, a clock that is moved by hand.
//
//   #include <winsvc/testing.hpp>
//
//   winsvc::testing::client client(App);
//   CHECK(client.get("/").body == "hello world");
//
// Opt-in: it is no part of <winsvc.hpp>, which it includes.
//
// winsvc 0.1.0. Copyright 2026 the winsvc authors. SPDX-License-Identifier: MIT (in full at the end)
//
// This file is made by tools/amalgamate out of include/: change it there, where each part below is a file.
//
// Contents, lower floors first; a part uses those above it alone:
//
//     28  testing/client.hpp    A client without a socket.
//    215  testing/clock.hpp     A clock that is moved by hand.
//    250  testing/scm.hpp       A simulated Service Control Manager, on any platform.
//    507  testing/services.hpp  A database of services in memory, behind the seam that the verbs use.
//    709  testing.hpp           For tests of your own services, on any platform.

#pragma once

#include "winsvc.hpp"

// =====================================================================================================================
// testing/client.hpp
// =====================================================================================================================

// A client without a socket: a request's bytes go through the gate, the router, cpp-httplib and the handler exactly as
// in production, on the calling thread.
//
//   winsvc::testing::client client(App);
//   auto r = client.get("/users/7");
//   CHECK(r.status == 200);
//   CHECK(r.body == R"({"id":7})");
//
// The app is described and its routes are frozen; start hooks and workers do not run (testing/scm.hpp runs them).

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
namespace testing {

using headers = std::vector<std::pair<std::string, std::string>>;

/// An answer, taken apart.
struct answer {
  int status = 0;  ///< 0: the connection ended without one
  testing::headers headers;
  std::string body;  ///< chunks put together

  /// The first header of this name in any case, or "".
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [known, value] : headers) {
      if (text::equal_nocase(known, name)) return value;
    }
    return {};
  }
};

/// Takes the answer to a request off the front of `bytes`. `to_head`: it was a HEAD, so no body follows.
/// Interim answers (100) are passed over.
[[nodiscard]] inline answer take_answer(std::string& bytes, bool to_head = false) {
  answer a;
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (bytes.compare(0, 7, "HTTP/1.") != 0 || end == std::string::npos) return a;
    const std::string head = bytes.substr(0, end);
    bytes.erase(0, end + 4);
    a.status = std::stoi(head.substr(9, 3));
    for (std::size_t at = head.find("\r\n"); at != std::string::npos;) {
      const auto next = head.find("\r\n", at + 2);
      const std::string line = head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
      const auto colon = line.find(':');
      if (colon != std::string::npos)
        a.headers.emplace_back(line.substr(0, colon), text::trimmed(std::string_view(line).substr(colon + 1)));
      at = next;
    }
    if (a.status >= 200) break;
    a.headers.clear();
  }
  if (to_head || a.status == 204 || a.status == 304) return a;

  if (text::equal_nocase(a.header("Transfer-Encoding"), "chunked")) {
    wire::chunked_decoder decoder({}, ~std::uint64_t{0});
    std::size_t consumed = 0;
    static_cast<void>(decoder.feed(bytes, consumed, a.body));
    bytes.erase(0, consumed);
  } else {
    const std::string length = a.header("Content-Length");
    const std::size_t count =
        length.empty() ? bytes.size() : (std::min)(bytes.size(), static_cast<std::size_t>(std::stoull(length)));
    a.body = bytes.substr(0, count);
    bytes.erase(0, count);
  }
  return a;
}

/// Bytes from memory, bytes to memory. Gives its input in pieces of at most `piece`, then the end of the stream.
class memory_transport final : public http::transport {
 public:
  explicit memory_transport(std::string input, std::size_t piece = ~std::size_t{0})
      : input_(std::move(input)), piece_(piece) {}

  os::transfer receive(char* into, std::size_t room, std::size_t& got, std::chrono::milliseconds) noexcept override {
    got = (std::min)({room, piece_, input_.size() - at_});
    if (got == 0) return os::transfer::closed;
    input_.copy(into, got, at_);
    at_ += got;
    return os::transfer::done;
  }
  os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                            std::chrono::milliseconds limit) noexcept override {
    return receive(into, room, got, limit);
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds) noexcept override {
    output.append(from, count);
    ++sends;
    return os::transfer::done;
  }
  void finish(http::parting) noexcept override {}
  [[nodiscard]] os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string output;
  int sends = 0;  ///< how many writes the output came in

 private:
  std::string input_;
  std::size_t piece_;
  std::size_t at_ = 0;
};

class client {
 public:
  /// A function or callable App; it must outlive the client. `std::in_place_type<T>` for an App that is a type.
  template <class App>
  explicit client(App& app) : client(host::app_of_callable(app)) {}
  template <class App>
  explicit client(std::in_place_type_t<App>) : client(host::app_of_type<App>()) {}

  answer get(std::string_view target, const headers& extra = {}) { return request("GET", target, extra); }
  answer head(std::string_view target, const headers& extra = {}) { return request("HEAD", target, extra); }
  answer del(std::string_view target, const headers& extra = {}) { return request("DELETE", target, extra); }
  answer options(std::string_view target, const headers& extra = {}) { return request("OPTIONS", target, extra); }
  answer post(std::string_view target, std::string body, std::string type = "application/json") {
    return request("POST", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  answer put(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PUT", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  answer patch(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PATCH", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }

  /// Any request. Host is added, and Content-Length where there is a body.
  answer request(std::string_view method, std::string_view target, const headers& extra = {},
                 const std::string& body = {}) {
    std::string bytes = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
    for (const auto& [name, value] : extra) bytes += name + ": " + value + "\r\n";
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    std::string out = raw(bytes + "\r\n" + body);
    return take_answer(out, method == "HEAD");
  }

  /// The bytes of one connection in, all bytes of its answers out.
  [[nodiscard]] std::string raw(std::string bytes) {
    memory_transport wire(std::move(bytes));
    engine_->serve(wire);
    return std::move(wire.output);
  }

  /// What the app logged, newest last.
  [[nodiscard]] const std::vector<log_entry>& log() const noexcept { return lines_->entries; }
  [[nodiscard]] http::engine& engine() noexcept { return *engine_; }

 private:
  struct kept_log final : log_sink {
    void write(const log_entry& entry) noexcept override { entries.push_back(entry); }
    std::vector<log_entry> entries;
  };

  explicit client(const host::app_factory& app)
      : plan_(std::make_unique<host::blueprint>()), lines_(std::make_shared<kept_log>()) {
    plan_->spec.name = "test";
    plan_->log.add_sink(lines_);
    service svc(*plan_);
    object_ = app(svc);
    host::add_health_routes(*plan_, serving_);
    plan_->frozen = true;
    plan_->router.freeze();
    engine_ = std::make_unique<http::engine>(plan_->router, plan_->limits, plan_->log);
  }

  std::unique_ptr<host::blueprint> plan_;
  std::shared_ptr<kept_log> lines_;
  std::shared_ptr<void> object_;
  std::atomic<bool> serving_{true};
  std::unique_ptr<http::engine> engine_;
};

}  // namespace testing
}  // namespace winsvc

// =====================================================================================================================
// testing/clock.hpp
// =====================================================================================================================

// A clock that is moved by hand: whoever sleeps on it moves it, so waiting costs nothing and is exact.

#include <chrono>
#include <mutex>

namespace winsvc {
namespace testing {

class manual_clock final : public clock {
 public:
  [[nodiscard]] time_point now() const noexcept override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  [[nodiscard]] wall_point wall() const noexcept override {
    return wall_point(std::chrono::duration_cast<wall_point::duration>(now().time_since_epoch()));
  }
  void sleep(duration d) override { advance(d); }
  void advance(duration d) {
    const std::lock_guard lock(mutex_);
    now_ += d;
  }

 private:
  mutable std::mutex mutex_;
  time_point now_{std::chrono::hours(24)};  // not zero: a subtraction must not look like a special case
};

}  // namespace testing
}  // namespace winsvc

// =====================================================================================================================
// testing/scm.hpp
// =====================================================================================================================

// A simulated Service Control Manager, on any platform: it starts a service in this process, plays controls to it,
// keeps every status, and judges them as the real one would.
//
//   winsvc::testing::simulated_scm scm;
//   scm.start(App);                                       // returns when it runs, or has stopped
//   CHECK(scm.state() == winsvc::model::state::running);
//   scm.control(winsvc::model::control::stop);
//   CHECK(scm.wait() == 0);                               // the exit code
//   CHECK(scm.verdicts().empty());
//
// It is strict where the real one is silent: what would make Windows wait in vain, kill the service or show a wrong
// state is a verdict.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace winsvc {
namespace testing {

/// One status as it was reported, and when.
struct reported {
  model::service_status status;
  std::chrono::steady_clock::time_point when;
};

/// What is wrong with a history of statuses; empty when nothing is. Pure.
[[nodiscard]] inline std::vector<std::string> judge(const std::vector<reported>& history) {
  using model::state;
  std::vector<std::string> verdicts;
  const model::service_status* last = nullptr;
  std::chrono::steady_clock::time_point last_when;
  for (const auto& [status, when] : history) {
    const auto say = [&verdicts, &status = status](const std::string& what) {
      verdicts.push_back(std::string(model::name(status.current)) + ": " + what);
    };
    const bool pending = model::is_pending(status.current);
    if (last && model::is_pending(last->current) && last->wait_hint.count() != 0 &&
        when - last_when > last->wait_hint) {
      verdicts.push_back(std::string(model::name(last->current)) +
                         ": silent for longer than its wait hint: the SCM takes it for hung");
    }
    if (last && last->current == state::stopped) say("reported after STOPPED, when the process may be gone");
    if (!last && status.current != state::start_pending) say("the first status is not START_PENDING");
    if ((pending || status.current == state::stopped) && status.accepted != 0)
      say("controls are accepted in this state");
    if (pending && status.wait_hint.count() == 0) say("no wait hint: the SCM gives up after 2 s");
    if (pending && status.checkpoint == 0) say("no checkpoint in a pending state");
    if (!pending && status.checkpoint != 0) say("a checkpoint outside a pending state");
    if (last && last->current == status.current && pending && status.checkpoint <= last->checkpoint)
      say("the checkpoint did not rise");
    if (last && last->current == status.current && !pending) say("reported twice");
    if (status.exit.win32 == 1066 && status.exit.specific == 0)
      say("exit code 1066 with 0 reads 'completed successfully'");
    if (status.current != state::stopped && status.exit.win32 != 0) say("an exit code before STOPPED");
    last = &status;
    last_when = when;
  }
  if (last && last->current != state::stopped) verdicts.push_back("the service never reported STOPPED");
  return verdicts;
}

class simulated_scm {
 public:
  simulated_scm() = default;
  /// Asks a service that still runs, or starts, to stop, and waits for it.
  ~simulated_scm() {
    if (!service_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return handler_ || ended_; });
    }
    static_cast<void>(force(model::control::stop));
    service_.join();
  }
  simulated_scm(const simulated_scm&) = delete;
  simulated_scm& operator=(const simulated_scm&) = delete;

  /// Where the service's data goes; empty: nowhere, and the service is told so. Set before start.
  std::string data_folder;
  /// `--host` and `--port` of its ImagePath. Default: a free port of 127.0.0.1.
  model::listen_options listen{std::string("127.0.0.1"), std::uint16_t{0}};

  /// Starts the service, once for each simulated_scm, and returns when it runs and `url` is known, or when it has
  /// stopped.
  template <class App>
  void start(App& app, std::vector<std::string> arguments = {}) {
    start_app(host::app_of_callable(app), std::move(arguments));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !url_.empty() || ended_; });
  }
  /// Starts the service and returns at once.
  template <class App>
  void begin(App& app, std::vector<std::string> arguments = {}) {
    start_app(host::app_of_callable(app), std::move(arguments));
  }

  /// Sends a control as ControlService does: 0, or the code of the refusal (1052, 1061, 1062), or what the handler
  /// answered.
  std::uint32_t control(model::control c) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      if (history_.empty() || ended_) return 1062;
      const auto& now = history_.back().status;
      if (now.current == model::state::stopped) return 1062;
      const bool always = c == model::control::interrogate;
      if (!always && (now.current == model::state::start_pending || now.current == model::state::stop_pending))
        return 1061;
      if (!model::is_accepted(now.accepted, c)) return 1052;
      handler = handler_;
    }
    return send(handler, c);
  }
  /// Hands a control to the service whatever its state is: what a shutdown in START_PENDING does.
  std::uint32_t force(model::control c) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      handler = handler_;
    }
    return handler ? send(handler, c) : 1061;
  }

  /// Waits until the service has stopped; its exit code.
  std::uint32_t wait() {
    if (service_.joinable()) service_.join();
    const std::lock_guard lock(mutex_);
    return history_.empty() ? 0 : history_.back().status.exit.code();
  }
  /// Waits until it has reported this state, or has ended without: false.
  bool wait_for(model::state s) {
    std::unique_lock lock(mutex_);
    const auto seen = [&] {
      for (const auto& h : history_) {
        if (h.status.current == s) return true;
      }
      return false;
    };
    changed_.wait(lock, [&] { return seen() || ended_; });
    return seen();
  }

  [[nodiscard]] model::state state() const {
    const std::lock_guard lock(mutex_);
    return history_.empty() ? model::state::none : history_.back().status.current;
  }
  [[nodiscard]] std::vector<reported> history() const {
    const std::lock_guard lock(mutex_);
    return history_;
  }
  /// What went to the event log: `id text`.
  [[nodiscard]] std::vector<std::string> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// Where the service listens, from its event; "" before that.
  [[nodiscard]] std::string url() const {
    const std::lock_guard lock(mutex_);
    return url_;
  }
  /// The judgement so far, slow control handlers included. Ask after the end.
  [[nodiscard]] std::vector<std::string> verdicts() const {
    const std::lock_guard lock(mutex_);
    auto all = judge(history_);
    all.insert(all.end(), handler_verdicts_.begin(), handler_verdicts_.end());
    return all;
  }

 private:
  struct line final : os::dispatcher {
    explicit line(simulated_scm& s) : scm(s) {}
    std::uint32_t run(service_main entry) override {
      entry(scm.arguments_);
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler handler) override {
      const std::lock_guard lock(scm.mutex_);
      scm.handler_ = std::move(handler);
      scm.changed_.notify_all();
      return 0;
    }
    std::uint32_t set_status(const model::service_status& status) noexcept override {
      const std::lock_guard lock(scm.mutex_);
      scm.history_.push_back({status, std::chrono::steady_clock::now()});
      scm.changed_.notify_all();
      return 0;
    }
    simulated_scm& scm;
  };

  void start_app(host::app_factory app, std::vector<std::string> arguments) {
    arguments_ = {"simulated"};
    arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
    host::service_surroundings around{
        line_,
        [this](const std::string&) -> os::sys_result<std::string> {
          if (data_folder.empty()) return os::sys_failure(model::code::access_denied);
          return data_folder;
        },
        [this](const std::string&, os::event_level, std::uint32_t id, std::string_view what) {
          const std::lock_guard lock(mutex_);
          events_.push_back(std::to_string(id) + ' ' + std::string(what));
          if (const auto at = what.find("http://"); id == os::event_id::started && at != what.npos)
            url_ = what.substr(at);
          changed_.notify_all();
        },
        [this](int) {
          const std::lock_guard lock(mutex_);
          handler_verdicts_.push_back("a handler or worker did not return, and the process would be ended over it");
        }};
    host_ = std::make_unique<host::service_host>(std::move(app), listen, std::move(around));
    service_ = std::thread([this] {
      host_->run();
      const std::lock_guard lock(mutex_);
      ended_ = true;
      handler_ = nullptr;
      changed_.notify_all();
    });
  }

  std::uint32_t send(const os::dispatcher::control_handler& handler, model::control c) {
    const auto began = std::chrono::steady_clock::now();
    const std::uint32_t answered = handler(static_cast<std::uint32_t>(c), 0);
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(1)) {
      const std::lock_guard lock(mutex_);
      handler_verdicts_.push_back("control " + std::to_string(static_cast<unsigned>(c)) +
                                  ": the handler took over 1 s, and every caller of the SCM waits for it");
    }
    return answered;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<reported> history_;
  std::vector<std::string> events_, handler_verdicts_, arguments_;
  std::string url_;
  os::dispatcher::control_handler handler_;
  bool ended_ = false;
  line line_{*this};
  std::unique_ptr<host::service_host> host_;  // until the end of all: a control may be on its way into it as it ends
  std::thread service_;
};

}  // namespace testing
}  // namespace winsvc

// =====================================================================================================================
// testing/services.hpp
// =====================================================================================================================

// A database of services in memory, behind the seam that the verbs use: every call is recorded with its arguments, any
// of them can be told to fail, and a started service moves through the states it is given.
//
//   winsvc::testing::service_database scm;
//   scm.refuse["change_description"] = 5;
//   … run a verb …
//   CHECK(scm.calls == std::vector<std::string>{"open_manager(0x1)", …});

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
namespace testing {

class service_database final : public os::service_manager {
 public:
  struct entry {
    os::service_config config;
    std::string description;
    bool delayed = false;
    os::service_process process;
    bool marked_for_delete = false;
    int handles = 0;
    std::deque<os::service_process> next;  ///< one is taken at each query_status
  };

  std::map<std::string, entry> services;
  std::vector<std::string> event_sources;
  std::vector<std::string> calls;
  std::map<std::string, std::uint32_t> refuse;      ///< by function: the code it answers
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
  os::sys_result<void> change_description(raw_handle h, const std::string& description) override {
    if (const auto code = call("change_description", description)) return os::sys_failure(code);
    if (!may(h, os::access::change_config)) return os::sys_failure(model::code::access_denied);
    of(h).description = description;
    return {};
  }
  os::sys_result<void> change_delayed_start(raw_handle h, bool delayed) override {
    if (const auto code = call("change_delayed_start", delayed ? "true" : "false")) return os::sys_failure(code);
    if (!may(h, os::access::change_config)) return os::sys_failure(model::code::access_denied);
    of(h).delayed = delayed;
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

// =====================================================================================================================
// testing.hpp
// =====================================================================================================================

// For tests of your own services, on any platform: a client without a socket, a simulated Service Control Manager, a
// database of services in memory, a clock that is moved by hand.
//
//   #include <winsvc/testing.hpp>
//
//   winsvc::testing::client client(App);
//   CHECK(client.get("/").body == "hello world");
//
// Opt-in: it is no part of <winsvc.hpp>, which it includes.

// =====================================================================================================================
// MIT License
//
// Copyright (c) 2026 the winsvc authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy
// of this software and associated documentation files (the "Software"), to deal
// in the Software without restriction, including without limitation the rights
// to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
// copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all
// copies or substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
// IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
// FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
// AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
// SOFTWARE.
// =====================================================================================================================
