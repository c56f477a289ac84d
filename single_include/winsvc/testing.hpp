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
//     29  testing/client.hpp    A client without a socket.
//    281  testing/clock.hpp     A clock that is moved by hand.
//    316  testing/judge.hpp     What is wrong with the statuses that a service reported, in the SCM's eyes.
//    374  testing/scm.hpp       A simulated Service Control Manager, on any platform.
//    672  testing/services.hpp  A database of services in memory, behind the seam that the verbs use.
//   1128  testing.hpp           For tests of your own services, on any platform.

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
//   CHECK(client.websocket("/echo", {"hello"}).messages == std::vector<std::string>{"hello"});
//
// The app is described and its routes are frozen; start hooks and workers do not run (testing/scm.hpp runs them). The
// data folder is one below the system's temporary folder, made when it is asked for, and left there.

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
    if (a.status >= 200 || a.status == 101) break;  // what follows a 101 is another protocol's: the body, here
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

/// What a WebSocket said, until it was over.
struct talk {
  int status = 0;                     ///< 101, or what refused it
  std::vector<std::string> messages;  ///< of the server
  int close_code = 0;                 ///< the server's; 0: it ended without a goodbye
};

/// A frame as clients send it, with a mask of zeros.
[[nodiscard]] inline std::string masked_frame(wire::opcode what, std::string_view payload) {
  std::string out = wire::frame(what, payload);
  out[1] = static_cast<char>(out[1] | 0x80);
  return out.insert(out.size() - payload.size(), 4, '\0');
}
/// Takes the frames of a server apart.
[[nodiscard]] inline talk take_talk(int status, std::string_view bytes) {
  talk t;
  t.status = status;
  const auto number = [&bytes](std::size_t at, std::size_t count) {
    std::size_t value = 0;
    for (std::size_t i = at; i < at + count && i < bytes.size(); ++i)
      value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  };
  while (bytes.size() > 1) {
    const auto what = static_cast<wire::opcode>(bytes[0] & 0x0F);
    std::size_t length = number(1, 1);
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (more != 0) length = number(2, more);
    bytes.remove_prefix((std::min)(bytes.size(), 2 + more));
    if (what == wire::opcode::text || what == wire::opcode::binary) t.messages.emplace_back(bytes.substr(0, length));
    if (what == wire::opcode::close)
      t.close_code = length < 2 ? wire::close_code::none : static_cast<int>(number(0, 2));
    bytes.remove_prefix((std::min)(bytes.size(), length));
  }
  return t;
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
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return count == 0 ? os::transfer::done : send(from, count, {});
  }
  http::watched watch(std::chrono::milliseconds) noexcept override {
    return waits-- > 0 ? http::watched::quiet : http::watched::gone;
  }
  http::parting finish(http::parting how) noexcept override { return how; }
  [[nodiscard]] os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string output;
  int sends = 0;  ///< how many writes the output came in
  int waits = 3;  ///< how often whoever streams may wait before the client leaves; no time passes

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

  /// Opens a WebSocket, says these texts and then goodbye, and comes back when the handler has returned.
  [[nodiscard]] talk websocket(std::string_view target, const std::vector<std::string>& texts,
                               const headers& extra = {}) {
    std::string bytes = "GET " + std::string(target) +
                        " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    for (const auto& [name, value] : extra) bytes += name + ": " + value + "\r\n";
    bytes += "\r\n";
    for (const auto& text : texts) bytes += masked_frame(wire::opcode::text, text);
    bytes += masked_frame(wire::opcode::close, wire::close_payload(wire::close_code::normal, {}));
    std::string out = raw(std::move(bytes));
    const answer first = take_answer(out);
    return take_talk(first.status, first.status == 101 ? std::string_view(first.body) : std::string_view());
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
    plan_->data_folder = os::path_join(os::temporary_folder(), "winsvc-test-" + std::to_string(os::process_id()));
    plan_->log.add_sink(lines_);
    service_ = std::make_unique<service>(*plan_);  // kept: handlers may have caught it by reference
    object_ = app(*service_);
    host::add_health_routes(*plan_, phase_);
    plan_->frozen = true;
    plan_->router.freeze();
    engine_ = std::make_unique<http::engine>(plan_->router, plan_->limits, plan_->log);
    for (const auto& tell : plan_->on_engine) tell(*engine_);
  }

  std::unique_ptr<host::blueprint> plan_;
  std::shared_ptr<kept_log> lines_;
  std::unique_ptr<service> service_;
  std::shared_ptr<void> object_;
  std::atomic<host::phase> phase_{host::phase::serving};
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
// testing/judge.hpp
// =====================================================================================================================

// What is wrong with the statuses that a service reported, in the SCM's eyes: pure, over a record of them.

#include <chrono>
#include <string>
#include <vector>

namespace winsvc {
namespace testing {

/// One status as it was reported, and when.
struct reported {
  model::service_status status;
  std::chrono::steady_clock::time_point when;
};

/// What is wrong with a history of statuses, a sentence each; empty when nothing is.
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
//   CHECK(scm.pause() == 0);
//   CHECK(scm.wait_for(winsvc::model::state::paused));
//   CHECK(scm.stop() == 0);
//   CHECK(scm.wait() == 0);                               // the exit code
//   CHECK(scm.verdicts().empty());
//
// It is strict where the real one is silent: what would make Windows wait in vain, kill the service or show a wrong
// state is a verdict. `refuse` and `delay` make its calls fail and take long.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace winsvc {
namespace testing {

class simulated_scm {
 public:
  using milliseconds = std::chrono::milliseconds;

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

  // -- what it is like; set before start --

  /// Where the service's data goes; empty: nowhere, and the service is told so.
  std::string data_folder;
  /// `--host`, `--port` and the rest of its ImagePath. Default: a free port of 127.0.0.1.
  model::launch_options launch{{}, std::string("127.0.0.1"), std::uint16_t{0}, {}};
  /// The code that a call of the service's is answered with: "run" (StartServiceCtrlDispatcher), "register_handler",
  /// "set_status" (which is then not known to the SCM).
  std::map<std::string, std::uint32_t> refuse;
  /// How long it takes.
  std::map<std::string, milliseconds> delay;

  // -- start --

  /// Starts the service, once for each simulated_scm, and returns when it runs and `url` is known, or when it has
  /// stopped.
  template <class App>
  void start(App& app, std::vector<std::string> arguments = {}) {
    begin(app, std::move(arguments));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ || ended_; });
  }
  /// Starts the service and returns at once.
  template <class App>
  void begin(App& app, std::vector<std::string> arguments = {}) {
    start_app(host::app_of_callable(app), std::move(arguments));
  }
  /// Starts a service that is written over the dispatcher by hand; `port`: where it must answer from RUNNING on, or 0.
  void begin_program(std::function<void(os::dispatcher&)> program, std::uint16_t port = 0) {
    if (port != 0) address_ = os::endpoint{"127.0.0.1", port};
    judges_port_ = port != 0;
    launch_thread([this, program = std::move(program)] { program(line_); });
  }

  // -- controls: 0, or the code of the SCM's refusal (1052, 1061, 1062), or what the handler answered --

  std::uint32_t control(const model::control_event& event) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      if (history_.empty() || ended_) return 1062;
      const auto& now = history_.back().status;
      const auto what = static_cast<model::control>(event.control);
      if (now.current == model::state::stopped) return 1062;
      if (what != model::control::interrogate && model::is_pending(now.current)) return 1061;
      if (!model::is_accepted(now.accepted, what)) return 1052;
      handler = handler_;
    }
    return send(handler, event);
  }
  std::uint32_t control(model::control c) { return control(only(c)); }
  std::uint32_t custom(std::uint32_t code) { return control(static_cast<model::control>(code)); }
  std::uint32_t stop() { return control(model::control::stop); }
  std::uint32_t pause() { return control(model::control::pause); }
  std::uint32_t resume() { return control(model::control::resume); }
  std::uint32_t reload() { return control(model::control::param_change); }
  std::uint32_t session(session_change::kind what, std::uint32_t id) {
    return control({static_cast<std::uint32_t>(model::control::session_change), what, id, {}, {}});
  }
  std::uint32_t power(power_event::kind what) {
    return control({static_cast<std::uint32_t>(model::control::power_event), what, 0, {}, {}});
  }
  /// As the machine does when it shuts down: PRESHUTDOWN to who takes it, SHUTDOWN to the others.
  std::uint32_t shut_down() {
    const auto refused = control(model::control::preshutdown);
    return refused == 1052 ? control(model::control::shutdown) : refused;
  }
  /// Hands a control to the service whatever its state is and whatever it accepts.
  std::uint32_t force(const model::control_event& event) {
    os::dispatcher::control_handler handler;
    {
      const std::lock_guard lock(mutex_);
      handler = handler_;
    }
    return handler ? send(handler, event) : 1061;
  }
  std::uint32_t force(model::control c) { return force(only(c)); }

  // -- waiting --

  /// Waits until the service has stopped; its exit code.
  std::uint32_t wait() {
    if (service_.joinable()) service_.join();
    const std::lock_guard lock(mutex_);
    return history_.empty() ? 0 : history_.back().status.exit.code();
  }
  /// Waits until it has reported this state since `from` (a place in the history), or has ended without: false.
  bool wait_for(model::state s, std::size_t from = 0) {
    std::unique_lock lock(mutex_);
    const auto seen = [&] {
      for (std::size_t i = from; i < history_.size(); ++i) {
        if (history_[i].status.current == s) return true;
      }
      return false;
    };
    changed_.wait(lock, [&] { return seen() || ended_; });
    return seen();
  }
  /// The service is known to achieve nothing now, because the test holds it. A checkpoint within this time is blind: a
  /// timer's, and not the work's. That is a verdict.
  void watch_idle(milliseconds how_long) {
    std::unique_lock lock(mutex_);
    const std::size_t before = history_.size();
    changed_.wait_for(lock, how_long, [&] { return history_.size() != before; });
    if (history_.size() != before && model::is_pending(history_.back().status.current))
      own_verdicts_.push_back("the checkpoint rose while nothing was achieved: a timer raises it, and hides a hang");
  }

  // -- the record --

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
  /// Where the service listens; "" before that.
  [[nodiscard]] std::string url() const {
    const std::lock_guard lock(mutex_);
    return address_ ? address_->url() : std::string();
  }
  /// The judgement so far. Ask after the end.
  [[nodiscard]] std::vector<std::string> verdicts() const {
    const std::lock_guard lock(mutex_);
    auto all = judge(history_);
    all.insert(all.end(), own_verdicts_.begin(), own_verdicts_.end());
    return all;
  }

 private:
  struct line final : os::dispatcher {
    explicit line(simulated_scm& s) : scm(s) {}
    std::uint32_t run(service_main entry) override {
      if (const auto code = scm.answer_to("run")) return code;
      entry(scm.arguments_);
      return 0;
    }
    std::uint32_t register_handler(const std::string&, control_handler handler) override {
      if (const auto code = scm.answer_to("register_handler")) return code;
      const std::lock_guard lock(scm.mutex_);
      scm.handler_ = std::move(handler);
      scm.changed_.notify_all();
      return 0;
    }
    std::uint32_t set_status(const model::service_status& status) noexcept override {
      if (const auto code = scm.answer_to("set_status")) return code;
      scm.keep(status);
      return 0;
    }
    simulated_scm& scm;
  };

  static model::control_event only(model::control c) { return {static_cast<std::uint32_t>(c), 0, 0, {}, {}}; }

  std::uint32_t answer_to(const char* call) {
    if (const auto slow = delay.find(call); slow != delay.end()) std::this_thread::sleep_for(slow->second);
    const auto refused = refuse.find(call);
    return refused == refuse.end() ? 0 : refused->second;
  }

  void keep(const model::service_status& status) {
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    const bool first_running = status.current == model::state::running && !was_running_;
    if (first_running) {
      was_running_ = true;
      if (judges_port_ && !(address_ && os::tcp_socket::connect(*address_, std::chrono::seconds(5))))
        own_verdicts_.push_back("running: reported before the port answers: whoever waited for it finds nobody");
      if (!app_) running_ = true;
    }
    history_.push_back({status, now});
    changed_.notify_all();
  }

  void start_app(host::app_factory app, std::vector<std::string> arguments) {
    arguments_ = {"simulated"};
    arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
    host::service_surroundings around{line_};
    around.data_folder = [this](const std::string&) -> os::sys_result<std::string> {
      if (data_folder.empty()) return os::sys_failure(model::code::access_denied);
      return data_folder;
    };
    around.report_event = [this](const std::string&, model::event_level, std::uint32_t id, std::string_view what) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::to_string(id) + ' ' + std::string(what));
      if (id == static_cast<std::uint32_t>(model::event::started)) running_ = true;
      changed_.notify_all();
    };
    around.listening = [this](const os::endpoint& where) {
      const std::lock_guard lock(mutex_);
      address_ = where;
    };
    around.guards_crashes = false;
    around.end_process = [this](int) {
      const std::lock_guard lock(mutex_);
      own_verdicts_.push_back("a hook, handler or worker did not return, and the process would be ended over it");
    };
    app_ = std::make_unique<host::service_host>(std::move(app), launch, std::move(around));
    launch_thread([this] { app_->run(); });
  }

  void launch_thread(std::function<void()> body) {
    service_ = std::thread([this, body = std::move(body)] {
      body();
      const std::lock_guard lock(mutex_);
      ended_ = true;
      handler_ = nullptr;
      changed_.notify_all();
    });
  }

  /// One at a time, as the real one does.
  std::uint32_t send(const os::dispatcher::control_handler& handler, const model::control_event& event) {
    const std::lock_guard turn(sending_);
    const auto began = std::chrono::steady_clock::now();
    const std::uint32_t answered = handler(event);
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(1)) {
      const std::lock_guard lock(mutex_);
      own_verdicts_.push_back("control " + std::to_string(event.control) +
                              ": the handler took over 1 s, and every caller of the SCM waits for it");
    }
    return answered;
  }

  std::mutex sending_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<reported> history_;
  std::vector<std::string> events_, own_verdicts_, arguments_;
  std::optional<os::endpoint> address_;
  os::dispatcher::control_handler handler_;
  bool judges_port_ = true, was_running_ = false, running_ = false, ended_ = false;
  line line_{*this};
  std::unique_ptr<host::service_host> app_;  // until the end of all: a control may be on its way into it as it ends
  std::thread service_;
};

}  // namespace testing
}  // namespace winsvc

// =====================================================================================================================
// testing/services.hpp
// =====================================================================================================================

// A database of services in memory, behind the seam that the verbs use: every call is recorded with its arguments and
// checked for the rights of its handle, any of them can be told to fail, and a started service moves through the states
// it is given.
//
//   winsvc::testing::service_database scm;
//   scm.refuse["change_config"] = 5;         // by function; refuse_level by level, refuse_call by number
//   ... run a verb ...
//   CHECK(scm.calls == std::vector<std::string>{"open_manager(0x1)", ...});
//   CHECK(scm.picture() == before);

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
namespace testing {

class service_database final : public os::service_manager {
 public:
  /// One service.
  struct entry {
    os::service_config config;
    std::optional<std::string> password;  ///< as it was given at last; empty: NULL
    std::map<std::uint32_t, model::config_level> levels;
    std::vector<std::string> environment;
    std::vector<std::string> dependents;  ///< services that need it and run: while they do, it cannot be stopped (1051)
    std::string security = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)";
    std::map<std::uint32_t, std::uint32_t> answers;  ///< by control: what the service answers; 0 where nothing stands
    os::service_process process;
    std::deque<os::service_process> next;  ///< one is taken at each query_status
    bool marked_for_delete = false;
    int handles = 0;  ///< add one for a Services window that is open
  };

  std::map<std::string, entry> services;
  std::set<std::string> event_sources;
  std::set<std::string> logon_rights;           ///< SIDs that may log on as a service
  std::map<std::string, std::string> accounts;  ///< names to SIDs; a service's own is known while it is installed
  std::map<std::string, std::string> folders;   ///< paths to their DACLs in SDDL

  std::vector<std::string> calls;                       ///< as `function(arguments)`; passwords are not shown
  std::map<std::string, std::uint32_t> refuse;          ///< by function: the code that it answers
  std::map<std::uint32_t, std::uint32_t> refuse_level;  ///< by level: of change_level and query_level
  std::map<std::size_t, std::uint32_t> refuse_call;     ///< by number, counted from 0
  std::deque<os::service_process> after_start;          ///< what a started service goes through
  std::deque<os::service_process> after_stop;           ///< a stopped one
  std::deque<os::service_process> after_pause, after_continue;

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
    e.config.account = "LocalSystem";
    e.process = at(s);
    return e;
  }
  /// All that is there, as text: what two moments are compared by.
  [[nodiscard]] std::string picture() const;
  /// Handles that are open; 0 when a verb is done.
  [[nodiscard]] std::size_t open_handles() const noexcept { return open_.size(); }

  // -- the seam --

  os::sys_result<raw_handle> open_manager(std::uint32_t rights) override;
  os::sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                            const os::service_settings& s) override;
  os::sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) override;
  os::sys_result<void> change_config(raw_handle h, const os::service_settings& s) override;
  os::sys_result<void> change_level(raw_handle h, const model::config_level& value) override;
  os::sys_result<model::config_level> query_level(raw_handle h, std::uint32_t level) override;
  os::sys_result<os::service_config> query_config(raw_handle h) override;
  os::sys_result<os::service_process> query_status(raw_handle h) override;
  os::sys_result<void> start_service(raw_handle h, const std::vector<std::string>& arguments) override;
  os::sys_result<void> control_service(raw_handle h, std::uint32_t control) override;
  os::sys_result<std::vector<std::string>> active_dependents(raw_handle h) override;
  os::sys_result<std::string> query_security(raw_handle h) override;
  os::sys_result<void> change_security(raw_handle h, const std::string& sddl) override;
  os::sys_result<void> delete_service(raw_handle h) override;
  void close(raw_handle h) noexcept override;
  os::sys_result<void> add_event_source(const std::string& source) override;
  os::sys_result<void> remove_event_source(const std::string& source) override;
  os::sys_result<bool> query_event_source(const std::string& source) override;
  os::sys_result<bool> query_delete_mark(const std::string& name) override;
  os::sys_result<std::vector<std::string>> query_environment(const std::string& name) override;
  os::sys_result<void> change_environment(const std::string& name, const std::vector<std::string>& all) override;
  os::sys_result<std::string> account_sid(const std::string& account) override;
  os::sys_result<void> add_logon_right(const std::string& sid) override;
  os::sys_result<bool> query_logon_right(const std::string& sid) override;
  os::sys_result<std::string> query_folder_security(const std::string& path) override;
  os::sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) override;

 private:
  struct handle {
    entry* to;  // null: to the manager
    std::uint32_t rights;
  };

  /// Notes a call; the code it is to answer, or 0.
  std::uint32_t call(const std::string& function, const std::string& arguments) {
    calls.push_back(function + '(' + arguments + ')');
    if (const auto refused = refuse_call.find(calls.size() - 1); refused != refuse_call.end()) return refused->second;
    const auto refused = refuse.find(function);
    return refused == refuse.end() ? 0 : refused->second;
  }
  /// The same for a call on a handle, which needs these rights.
  std::uint32_t call(const std::string& function, const std::string& arguments, raw_handle h, std::uint32_t rights) {
    if (const auto code = call(function, arguments)) return code;
    if ((static_cast<handle*>(h)->rights & rights) != rights) return model::code::access_denied;
    return 0;
  }
  raw_handle hold(entry* e, std::uint32_t rights) {
    if (e) ++e->handles;
    open_.push_back({e, rights});
    return &open_.back();
  }
  static entry& of(raw_handle h) noexcept { return *static_cast<handle*>(h)->to; }
  static std::uint32_t right_for(std::uint32_t control) noexcept {
    if (control >= 128) return os::access::user_control;
    switch (static_cast<model::control>(control)) {
      case model::control::stop:
        return os::access::stop;
      case model::control::interrogate:
        return os::access::interrogate;
      default:
        return os::access::pause_continue;
    }
  }
  [[nodiscard]] bool is_display_name_taken(const os::service_settings& s, const entry* ours) const {
    for (const auto& [name, e] : services) {
      if (s.display_name && &e != ours && text::equal_nocase(e.config.display_name, *s.display_name)) return true;
    }
    return false;
  }
  static void apply(entry& e, const os::service_settings& s);
  /// As it was set, or as Windows has it in a service where nobody has.
  static std::optional<model::config_level> level_of(const entry& e, std::uint32_t level);
  static std::string text_of(const os::service_settings& s);
  static std::string hex(std::uint32_t v);
  static std::string list(const std::vector<std::string>& l) { return l.empty() ? "none" : text::join(l, " "); }

  std::list<handle> open_;  // a list: handles are addresses
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string service_database::hex(std::uint32_t v) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (; v != 0 || out.empty(); v >>= 4) out.insert(out.begin(), digits[v & 15]);
  return "0x" + out;
}

inline std::string service_database::text_of(const os::service_settings& s) {
  std::string out;
  const auto put = [&out](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  if (s.startup) put("startup " + std::string(name(*s.startup)));
  if (s.binary) put("binary " + *s.binary);
  if (s.display_name) put("display name " + *s.display_name);
  if (s.account) put("account " + *s.account);
  if (s.account || s.password)
    put(!s.password ? "password NULL" : s.password->empty() ? "password \"\"" : "password given");
  if (s.dependencies) put("depends on " + list(*s.dependencies));
  return out;
}

inline void service_database::apply(entry& e, const os::service_settings& s) {
  // CreateServiceW and ChangeServiceConfigW know no delayed start: that is level 3.
  if (s.startup) e.config.startup = *s.startup == startup::delayed ? startup::automatic : *s.startup;
  if (s.binary) e.config.binary = *s.binary;
  if (s.display_name) e.config.display_name = *s.display_name;
  if (s.account) e.config.account = *s.account, e.password = s.password;
  if (s.dependencies) e.config.dependencies = *s.dependencies;
}

inline std::optional<model::config_level> service_database::level_of(const entry& e, std::uint32_t level) {
  if (const auto found = e.levels.find(level); found != e.levels.end()) return found->second;
  switch (level) {
    case model::level::description:
      return model::description_text{};
    case model::level::failure_actions:
      return model::recovery_plan{{}, std::chrono::seconds(0)};
    case model::level::delayed_start:
      return model::delayed_start{};
    case model::level::failure_flag:
      return model::failure_flag{};
    case model::level::sid_type:
      return model::sid_type{};
    case model::level::required_privileges:
      return model::required_privileges{};
    case model::level::preshutdown:
      return model::preshutdown_timeout{std::chrono::minutes(3)};
    default:
      return std::nullopt;
  }
}

inline std::string service_database::picture() const {
  std::string out;
  for (const auto& [name, e] : services) {
    out += name + ": " + std::string(winsvc::name(e.config.startup)) + ", " + e.config.binary + ", " +
           e.config.display_name + ", " + e.config.account + ", depends on " + list(e.config.dependencies) +
           ", environment " + list(e.environment) + ", " + e.security + ", " +
           std::string(model::name(e.process.status.current)) + (e.marked_for_delete ? ", marked for delete" : "") +
           '\n';
    for (std::uint32_t number = 1; const auto level = level_of(e, number); ++number)
      out += "  " + std::to_string(number) + ": " + model::text_of(*level) + '\n';
  }
  for (const auto& source : event_sources) out += "event source " + source + '\n';
  for (const auto& sid : logon_rights) out += "log-on right of " + sid + '\n';
  for (const auto& [path, sddl] : folders) out += path + ": " + sddl + '\n';
  return out;
}

inline os::sys_result<os::service_manager::raw_handle> service_database::open_manager(std::uint32_t rights) {
  if (const auto code = call("open_manager", hex(rights))) return os::sys_failure(code);
  return hold(nullptr, rights);
}

inline os::sys_result<os::service_manager::raw_handle> service_database::create_service(raw_handle manager,
                                                                                        const std::string& name,
                                                                                        std::uint32_t rights,
                                                                                        const os::service_settings& s) {
  if (const auto code = call("create_service", name + ", " + hex(rights) + ", " + text_of(s), manager,
                             os::access::manager_connect | os::access::manager_create)) {
    return os::sys_failure(code);
  }
  if (const auto found = services.find(name); found != services.end())
    return os::sys_failure(found->second.marked_for_delete ? 1072u : 1073u);
  if (is_display_name_taken(s, nullptr)) return os::sys_failure(1078);
  entry& e = add(name, {});
  apply(e, s);
  return hold(&e, rights);
}

inline os::sys_result<os::service_manager::raw_handle> service_database::open_service(raw_handle manager,
                                                                                      const std::string& name,
                                                                                      std::uint32_t rights) {
  if (const auto code = call("open_service", name + ", " + hex(rights), manager, os::access::manager_connect))
    return os::sys_failure(code);
  const auto found = services.find(name);
  if (found == services.end()) return os::sys_failure(1060);
  return hold(&found->second, rights);
}

inline os::sys_result<void> service_database::change_config(raw_handle h, const os::service_settings& s) {
  if (const auto code = call("change_config", text_of(s), h, os::access::change_config)) return os::sys_failure(code);
  if (of(h).marked_for_delete) return os::sys_failure(1072);
  if (is_display_name_taken(s, &of(h))) return os::sys_failure(1078);
  apply(of(h), s);
  return {};
}

inline os::sys_result<void> service_database::change_level(raw_handle h, const model::config_level& value) {
  const std::uint32_t level = model::number(value);
  std::uint32_t rights = os::access::change_config;
  if (const auto* recovery = std::get_if<model::recovery_plan>(&value)) {
    for (const auto& a : recovery->actions) rights |= a.what == recovery_action::kind::restart ? os::access::start : 0;
  }
  if (const auto code = call("change_level", std::to_string(level) + ", " + model::text_of(value), h, rights))
    return os::sys_failure(code);
  if (const auto refused = refuse_level.find(level); refused != refuse_level.end())
    return os::sys_failure(refused->second);
  of(h).levels.insert_or_assign(level, value);
  return {};
}

inline os::sys_result<model::config_level> service_database::query_level(raw_handle h, std::uint32_t level) {
  if (const auto code = call("query_level", std::to_string(level), h, os::access::query_config))
    return os::sys_failure(code);
  if (const auto refused = refuse_level.find(level); refused != refuse_level.end())
    return os::sys_failure(refused->second);
  const auto value = level_of(of(h), level);
  if (!value) return os::sys_failure(model::code::invalid_level);
  return *value;
}

inline os::sys_result<os::service_config> service_database::query_config(raw_handle h) {
  if (const auto code = call("query_config", "", h, os::access::query_config)) return os::sys_failure(code);
  os::service_config config = of(h).config;
  const auto delayed = of(h).levels.find(model::level::delayed_start);
  if (config.startup == startup::automatic && delayed != of(h).levels.end() &&
      std::get<model::delayed_start>(delayed->second).on) {
    config.startup = startup::delayed;
  }
  return config;
}

inline os::sys_result<os::service_process> service_database::query_status(raw_handle h) {
  if (const auto code = call("query_status", "", h, os::access::query_status)) return os::sys_failure(code);
  entry& e = of(h);
  if (!e.next.empty()) {
    e.process = e.next.front();
    e.next.pop_front();
  }
  return e.process;
}

inline os::sys_result<void> service_database::start_service(raw_handle h, const std::vector<std::string>& arguments) {
  if (const auto code = call("start_service", text::join(arguments, " "), h, os::access::start))
    return os::sys_failure(code);
  entry& e = of(h);
  if (e.process.status.current != model::state::stopped) return os::sys_failure(1056);
  if (e.config.startup == startup::disabled) return os::sys_failure(1058);
  e.process = at(model::state::start_pending);
  e.next = after_start;
  return {};
}

inline os::sys_result<void> service_database::control_service(raw_handle h, std::uint32_t control) {
  if (const auto code = call("control_service", std::to_string(control), h, right_for(control)))
    return os::sys_failure(code);
  entry& e = of(h);
  const auto sent = static_cast<model::control>(control);
  if (e.process.status.current == model::state::stopped) return os::sys_failure(1062);
  if (model::is_pending(e.process.status.current)) return os::sys_failure(1061);
  if (sent == model::control::stop) {
    for (const auto& name : e.dependents) {
      const auto other = services.find(name);
      if (other != services.end() && other->second.process.status.current != model::state::stopped)
        return os::sys_failure(1051);
    }
  }
  if (const auto answer = e.answers.find(control); answer != e.answers.end() && answer->second != 0)
    return os::sys_failure(answer->second);
  if (sent == model::control::stop) e.next = after_stop;
  if (sent == model::control::pause) e.next = after_pause;
  if (sent == model::control::resume) e.next = after_continue;
  return {};
}

inline os::sys_result<std::vector<std::string>> service_database::active_dependents(raw_handle h) {
  if (const auto code = call("active_dependents", "", h, os::access::enumerate_dependents))
    return os::sys_failure(code);
  return of(h).dependents;
}

inline os::sys_result<std::string> service_database::query_security(raw_handle h) {
  if (const auto code = call("query_security", "", h, os::access::read_security)) return os::sys_failure(code);
  return of(h).security;
}

inline os::sys_result<void> service_database::change_security(raw_handle h, const std::string& sddl) {
  if (const auto code = call("change_security", sddl, h, os::access::write_security)) return os::sys_failure(code);
  of(h).security = sddl;
  return {};
}

inline os::sys_result<void> service_database::delete_service(raw_handle h) {
  if (const auto code = call("delete_service", "", h, os::access::remove)) return os::sys_failure(code);
  if (of(h).marked_for_delete) return os::sys_failure(1072);
  of(h).marked_for_delete = true;
  return {};
}

inline void service_database::close(raw_handle h) noexcept {
  entry* e = static_cast<handle*>(h)->to;
  open_.remove_if([h](const handle& one) { return &one == h; });
  if (!e || --e->handles > 0 || !e->marked_for_delete) return;
  for (auto it = services.begin(); it != services.end(); ++it) {
    if (&it->second == e) return static_cast<void>(services.erase(it));
  }
}

inline os::sys_result<void> service_database::add_event_source(const std::string& source) {
  if (const auto code = call("add_event_source", source)) return os::sys_failure(code);
  event_sources.insert(source);
  return {};
}

inline os::sys_result<bool> service_database::query_event_source(const std::string& source) {
  if (const auto code = call("query_event_source", source)) return os::sys_failure(code);
  return event_sources.count(source) != 0;
}
inline os::sys_result<bool> service_database::query_delete_mark(const std::string& name) {
  if (const auto code = call("query_delete_mark", name)) return os::sys_failure(code);
  const auto found = services.find(name);
  return found != services.end() && found->second.marked_for_delete;
}
inline os::sys_result<void> service_database::remove_event_source(const std::string& source) {
  if (const auto code = call("remove_event_source", source)) return os::sys_failure(code);
  event_sources.erase(source);
  return {};
}

inline os::sys_result<std::vector<std::string>> service_database::query_environment(const std::string& name) {
  if (const auto code = call("query_environment", name)) return os::sys_failure(code);
  const auto found = services.find(name);
  if (found == services.end()) return os::sys_failure(2);
  return found->second.environment;
}

inline os::sys_result<void> service_database::change_environment(const std::string& name,
                                                                 const std::vector<std::string>& all) {
  if (const auto code = call("change_environment", name + ", " + list(all))) return os::sys_failure(code);
  const auto found = services.find(name);
  if (found == services.end()) return os::sys_failure(2);
  found->second.environment = all;
  return {};
}

inline os::sys_result<std::string> service_database::account_sid(const std::string& account) {
  if (const auto code = call("account_sid", account)) return os::sys_failure(code);
  if (const auto found = accounts.find(account); found != accounts.end()) return found->second;
  const auto slash = account.find('\\');
  if (text::starts_with_nocase(account, "NT SERVICE\\") && services.count(account.substr(slash + 1)) != 0)
    return "S-1-5-80-" + account.substr(slash + 1);
  return os::sys_failure(1332);
}

inline os::sys_result<void> service_database::add_logon_right(const std::string& sid) {
  if (const auto code = call("add_logon_right", sid)) return os::sys_failure(code);
  logon_rights.insert(sid);
  return {};
}

inline os::sys_result<bool> service_database::query_logon_right(const std::string& sid) {
  if (const auto code = call("query_logon_right", sid)) return os::sys_failure(code);
  return logon_rights.count(sid) != 0;
}
inline os::sys_result<std::string> service_database::query_folder_security(const std::string& path) {
  if (const auto code = call("query_folder_security", path)) return os::sys_failure(code);
  const auto found = folders.find(path);
  if (found == folders.end()) return os::sys_failure(2);
  return found->second;
}

inline os::sys_result<void> service_database::change_folder_security(const std::string& path, const std::string& sddl) {
  if (const auto code = call("change_folder_security", path + ", " + sddl)) return os::sys_failure(code);
  folders[path] = sddl;
  return {};
}

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
