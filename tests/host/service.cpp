// Tests of a service under the simulated SCM: lifecycle, hooks, workers, stop, failures.
#include <winsvc/testing.hpp>

#include "support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace support;
using winsvc::service;
using winsvc::start_context;
using winsvc::stop_token;
using winsvc::detail::scm::control;
using winsvc::detail::scm::state;
using winsvc::testing::parse_response;

using steady = std::chrono::steady_clock;

TEST_CASE("a service starts, serves and stops without a violation of the SCM rules") {
  auto app = [](service& svc) { svc.get("/", [] { return "hello"; }); };
  simulated_scm scm;

  scm.start(app);
  CHECK(scm.state() == state::running);
  CHECK(get(scm, "/").body == "hello");
  CHECK(get(scm, "/livez").body == "live\n");
  CHECK(get(scm, "/readyz").body == "ready\n");
  CHECK(scm.control(control::stop) == 0);

  CHECK(scm.wait() == 0);
  CHECK(states(scm) == "start pending, running, stop pending, stopped");
  CHECK(scm.violations().empty());
  CHECK(has(scm.events(), "1 simulated listens on http://127.0.0.1:"));
  CHECK(has(scm.events(), "2 simulated stopped"));
}

TEST_CASE("the port accepts connections when the service reports RUNNING") {
  auto app = [](service& svc) { svc.get("/", [] { return "hello"; }); };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start_async(app);
  REQUIRE(scm.wait_for(state::running));
  const auto saved =
      winsvc::detail::scm::parse_saved_state(winsvc::detail::os::read_file(data.path + "/state.json").value_or(""));
  REQUIRE(saved);
  const auto port = static_cast<std::uint16_t>(std::stoi(saved->url.substr(saved->url.rfind(':') + 1)));
  auto client = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, 5s);
  REQUIRE(client);
  ask(*client, "/");
  CHECK(hear(*client).body == "hello");
}

TEST_CASE("only progress in a start hook increases the checkpoint") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_start([&](start_context& start) {
      start.progress("opening the store", 1, 2);
      start.progress("reading it");
      d.note("started");
    });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);
  const auto history = scm.history();
  static_cast<void>(scm.control(control::stop));
  CHECK(scm.wait() == 0);

  REQUIRE(history.size() == 5);
  // The start, the end of the description, two calls of progress.
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(history[i].status.checkpoint == i + 1);
  CHECK(history[1].status.wait_hint == 35s);  // the start limit of the app plus a margin
  CHECK(history[4].status.current == state::running);
  CHECK(history[4].status.checkpoint == 0);
  CHECK(scm.violations().empty());
  const auto log = data.read("logs/simulated.log");
  CHECK(log.find("starting: opening the store (1 of 2)") != std::string::npos);
  CHECK(log.find("starting: reading it\n") != std::string::npos);
}

TEST_CASE("cleanup functions and stop hooks run in the reverse order of their registration") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_start([&] { d.note("a"); return [&] { d.note("-a"); }; });
    svc.on_stop([&] { d.note("-b"); });
    svc.on_start([&](start_context&) { d.note("c"); return std::function<void()>([&] { d.note("-c"); }); });
    svc.on_start([&] { d.note("d"); return std::function<void()>(); });
    svc.on_stop([&] { d.note("-e"); });
  };
  simulated_scm scm;

  scm.start(app);
  static_cast<void>(scm.control(control::stop));

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "a c d -e -c -b -a");
  CHECK(scm.violations().empty());
}

TEST_CASE("an exception in a stop hook is logged, the other hooks run, and the stop succeeds") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_stop([&] { d.note("first"); });
    svc.on_stop([&] { throw std::runtime_error("store is stuck"); });
    svc.on_stop([&] { throw 7; });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);
  static_cast<void>(scm.control(control::stop));

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "first");
  CHECK(data.read("logs/simulated.log").find("threw: store is stuck") != std::string::npos);
}

TEST_CASE("an exception in a start hook runs the earlier cleanup functions, and the service fails with its message") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_start([&] { d.note("a"); return [&] { d.note("-a"); }; });
    svc.on_stop([&] { d.note("-b"); });
    svc.on_start([&]() -> std::function<void()> { throw std::runtime_error("the store is locked"); });
    svc.on_stop([&] { d.note("-never"); });
    svc.on_start([&] { d.note("never"); });
    svc.worker("never", [&](stop_token) { d.note("never"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(scm.wait() == 1064);
  CHECK(d.text() == "a -b -a");
  CHECK(count_of(scm, state::running) == 0);
  CHECK(scm.violations().empty());
  CHECK(has(scm.events(), "3 start 'simulated': hook at service.cpp:"));
  CHECK(has(scm.events(), "threw: the store is locked"));
  CHECK(data.left().failure.find("threw: the store is locked") != std::string::npos);
  CHECK(data.read("logs/simulated.log").find("threw: the store is locked") != std::string::npos);
}

TEST_CASE("a port in use fails the start with 10048, and the cleanup functions run") {
  auto taken = winsvc::detail::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(taken);
  diary d;
  auto app = [&](service& svc) {
    svc.on_start([&] { d.note("a"); return [&] { d.note("-a"); }; });
    svc.on_stop([&] { d.note("-b"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.port = taken->local().port;

  scm.start(app);

  CHECK(scm.wait() == 10048);
  CHECK(states(scm) == "start pending, stop pending, stopped");
  CHECK(d.text() == "a -b -a");
  CHECK(scm.violations().empty());
  const std::string message = "listen on '127.0.0.1:" + std::to_string(*scm.launch.port) + "': the port is taken";
  CHECK(has(scm.events(), "3 " + message));
  CHECK(data.left().failure.find(message) == 0);
  CHECK(data.left().url.empty());
  CHECK(data.read("logs/simulated.log").find(message) != std::string::npos);
}

TEST_CASE("an exception of the app fails the start with its message") {
  folder data;
  auto throws_std = [](service&) { throw std::runtime_error("no such device"); };
  auto throws_int = [](service&) { throw 42; };
  auto twice = [](service& svc) {
    svc.get("/", [] { return ""; });
    svc.get("/", [] { return ""; });
  };
  auto missing_object = [](service& svc) { svc.get("/", [](folder&) { return ""; }); };

  struct { std::function<void(service&)> app; const char* message; } cases[] = {
      {throws_std, "no such device"}, {throws_int, "not derived from std::exception"}, {twice, "conflicts with"},
      {missing_object, "the app does not provide one; call svc.provide(object) in the app"}};
  for (auto& c : cases) {
    CAPTURE(c.message);
    simulated_scm scm;
    scm.data_folder = data.path;
    scm.start(c.app);
    CHECK(scm.wait() == 1064);
    CHECK(states(scm) == "start pending, stopped");
    CHECK(has(scm.events(), c.message));
    CHECK(scm.violations().empty());
  }
}

TEST_CASE("the saved state has the exception of an app for the start verb") {
  folder data;
  auto app = [](service&) { throw std::runtime_error("no such device"); };
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(scm.wait() == 1064);
  CHECK(data.left().failure.find("no such device") != std::string::npos);
}

TEST_CASE("an exception in a worker stops the service as failed, with its message") {
  auto app = [](service& svc) {
    svc.worker("poller", [](stop_token) { throw std::runtime_error("the device is gone"); });
    svc.worker("other", [](stop_token stop) { wait_for_stop(stop, "the stop"); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(scm.wait() == 1064);
  CHECK(states(scm) == "start pending, running, stop pending, stopped");
  CHECK(scm.violations().empty());
  CHECK(has(scm.events(), "3 run worker 'poller': threw: the device is gone"));
  CHECK(data.left().failure.find("threw: the device is gone") != std::string::npos);
}

TEST_CASE("a worker that throws an int fails the service, and a worker that returns does not") {
  auto throwing = [](service& svc) { svc.worker("throwing", [](stop_token) { throw 7; }); };
  auto returning = [](service& svc) { svc.worker("returning", [](stop_token) {}); };
  simulated_scm failed, running;

  failed.start(throwing);
  running.start(returning);

  CHECK(failed.wait() == 1064);
  CHECK(running.state() == state::running);
  static_cast<void>(running.control(control::stop));
  CHECK(running.wait() == 0);
}

TEST_CASE("workers start after the start hooks and are joined before the stop hooks") {
  diary d;
  auto app = [&](service& svc) {
    svc.on_start([&] { d.note("start"); });
    svc.on_stop([&] { d.note("stop"); });
    svc.worker("w", [&](stop_token stop) {
      d.note("work");
      wait_for_stop(stop, "the stop");
      std::this_thread::sleep_for(20ms);
      d.note("end");
    });
  };
  simulated_scm scm;

  scm.start(app);
  wait_until([&] { return d.text() == "start work"; }, "the worker thread to start");
  const auto begin = steady::now();
  static_cast<void>(scm.control(control::stop));

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "start work end stop");
  CHECK(steady::now() - begin < 15s);  // not at the limit of the stop
}

TEST_CASE("a start removes the files of uploads that an ended process has left") {
  namespace os = winsvc::detail::os;
  folder data;
  const std::string uploads = os::path_join(data.path, "uploads"), left = "upload-2147483644-abc-1.part";
  REQUIRE(os::make_folders(uploads));
  REQUIRE(os::replace_file(os::path_join(uploads, left), "a part of a file"));
  auto app = [](service& svc) {
    svc.post("/upload", [](winsvc::upload) { return "uploaded"; });
  };
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app);

  CHECK(os::list_files(uploads)->empty());
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a stop during the start cancels the start and is not a failure") {
  diary d;
  winsvc::stop_source begun;
  auto app = [&](service& svc) {
    svc.on_start([&] { return [&] { d.note("-a"); }; });
    svc.on_start([&](start_context& start) {
      begun.request_stop();
      wait_for_stop(start.stop(), "the stop");
      d.note(start.stop_requested() ? "canceled" : "not");
      start.progress("too late");
      return [&] { d.note("-b"); };
    });
    svc.on_start([&] { d.note("never"); });
  };
  simulated_scm scm;

  scm.start_async(app);
  wait_for_stop(begun, "the hook to start");
  CHECK(scm.control(control::stop) == 1061);  // Windows delivers only a shutdown in this state
  CHECK(scm.deliver_always(control::shutdown) == 0);

  CHECK(scm.wait() == 0);
  CHECK(d.text() == "canceled -b -a");
  CHECK(states(scm) == "start pending, stop pending, stopped");
  CHECK(scm.violations().empty());
}

TEST_CASE("a stop while the app describes the service is not lost") {
  winsvc::stop_source begun, release;
  diary d;
  auto app = [&](service& svc) {
    begun.request_stop();
    wait_for_stop(release, "the release of the hook");
    svc.on_start([&] { d.note("started"); return [&] { d.note("undone"); }; });
  };
  simulated_scm scm;

  scm.start_async(app);
  wait_for_stop(begun, "the hook to start");
  CHECK(scm.deliver_always(control::stop) == 0);
  release.request_stop();

  CHECK(scm.wait() == 0);
  CHECK(count_of(scm, state::running) == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("a request in flight completes before STOPPED, and the drain increases the checkpoint") {
  winsvc::stop_source begun, release;
  auto app = [&](service& svc) {
    svc.get("/slow", [&] {
      begun.request_stop();
      wait_for_stop(release, "the release of the handler");
      return "slow";
    });
  };
  simulated_scm scm;
  scm.start(app);
  auto slow = connected(scm);
  ask(slow, "/slow");
  wait_for_stop(begun, "the handler to start");

  CHECK(scm.control(control::stop) == 0);
  CHECK(scm.state() == state::stop_pending);
  CHECK(scm.control(control::stop) == 1061);
  CHECK(scm.deliver_always(control::stop) == 0);  // a second stop has no effect
  CHECK(scm.control(control::interrogate) == 0);
  CHECK(scm.state() == state::stop_pending);
  until_drain(scm);
  release.request_stop();
  const auto response = hear(slow);

  CHECK(scm.wait() == 0);
  CHECK(response.body == "slow");
  CHECK(response.header("Connection") == "close");
  CHECK(count_of(scm, state::stop_pending) >= 2);
  CHECK(count_of(scm, state::stopped) == 1);
  CHECK(scm.violations().empty());
}

TEST_CASE("the readiness check is 503 while the service stops, and the liveness check stays 200") {
  std::atomic<winsvc::detail::host::run_phase> phase{winsvc::detail::host::run_phase::serving};
  winsvc::detail::host::service_definition definition;
  winsvc::detail::host::add_health_routes(definition, [&phase] { return phase.load(); });
  definition.router.freeze();
  winsvc::detail::server::engine engine(definition.router, definition.limits, definition.log);
  const auto get_target = [&](const char* target) {
    winsvc::testing::memory_transport transport("GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n");
    engine.serve_transport(transport);
    return parse_response(transport.output);
  };

  CHECK(get_target("/readyz").status == 200);
  phase = winsvc::detail::host::run_phase::stopping;
  CHECK(get_target("/readyz").status == 503);
  CHECK(get_target("/readyz").body == "stopping\n");
  CHECK(get_target("/livez").body == "live\n");
}

TEST_CASE("a service on a loopback address accepts only loopback names in Host, unless the app sets others") {
  const auto status_of = [](const simulated_scm& scm, const std::string& host) {
    auto socket = connected(scm);
    const std::string bytes = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return hear(socket).status;
  };
  auto plain_app = [](service& svc) { svc.get("/", [] { return "hi"; }); };
  auto app_with_names = [](service& svc) {
    svc.use(winsvc::allowed_hosts({"hello.example"}));
    svc.get("/", [] { return "hi"; });
  };
  simulated_scm by_default;
  by_default.start(plain_app);
  REQUIRE(by_default.wait_for(state::running));
  CHECK(status_of(by_default, "localhost:8080") == 200);
  CHECK(status_of(by_default, "127.0.0.1") == 200);
  CHECK(status_of(by_default, "rebound.example") == 421);

  simulated_scm with_names;
  with_names.start(app_with_names);
  REQUIRE(with_names.wait_for(state::running));
  CHECK(status_of(with_names, "hello.example") == 200);
  CHECK(status_of(with_names, "rebound.example") == 421);
}

TEST_CASE("the setting allowed_hosts adds names: to the default check, to that of the app, and to the pages of winsvc") {
  const auto status_of = [](const simulated_scm& scm, const std::string& target, const std::string& host) {
    auto socket = connected(scm);
    const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return hear(socket).status;
  };
  const auto accept_all = [](const winsvc::request&, winsvc::response&, const winsvc::next_handler& next) { next(); };
  const auto describe = [&](service& svc) {
    svc.metrics("/metrics").openapi("/openapi.json").dashboard("/_service", accept_all);
    svc.get("/first", [] { return "hi"; });
  };
  auto plain_app = [&](service& svc) { describe(svc); };
  auto app_with_names = [&](service& svc) {
    describe(svc);
    svc.use(winsvc::allowed_hosts({"app.example"}));
    svc.get("/", [] { return "hi"; }).use(winsvc::allowed_hosts({"route.example"}));
  };
  const std::vector<std::string> pages{"/metrics", "/openapi.json", "/openapi", "/_service/data.json", "/livez"};
  const auto start = [](simulated_scm& scm, auto& app) {
    scm.launch.settings = {{"allowed_hosts", "set.example, *.set.example"}};
    scm.start(app);
    REQUIRE(scm.wait_for(state::running));
  };
  const auto check_pages = [&](simulated_scm& scm, const std::vector<std::string>& hosts) {
    for (const auto& page : pages) {
      CAPTURE(page);
      for (const auto& host : hosts) CHECK_MESSAGE(status_of(scm, page, host) == 200, host);
      CHECK(status_of(scm, page, "rebound.example") == 421);
    }
  };
  simulated_scm plain;
  start(plain, plain_app);
  check_pages(plain, {"set.example", "a.set.example:80"});
  simulated_scm with_names;
  start(with_names, app_with_names);
  check_pages(with_names, {"set.example", "app.example"});
  CHECK(status_of(with_names, "/", "set.example") == 200);
  CHECK(status_of(with_names, "/", "rebound.example") == 421);
  CHECK(status_of(with_names, "/first", "app.example") == 421);  // its middleware is the one before it
}

TEST_CASE("the names of the setting allowed_hosts apply to one service, also if several share a middleware") {
  const auto status_of = [](const simulated_scm& scm, const std::string& host) {
    auto socket = connected(scm);
    const std::string bytes = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return hear(socket).status;
  };
  const auto shared = winsvc::allowed_hosts({"app.example"});
  auto app = [&shared](service& svc) {
    svc.use(shared);
    svc.get("/", [] { return "hi"; });
  };
  const auto start = [&app](simulated_scm& scm, const std::string& names) {
    if (!names.empty()) scm.launch.settings = {{"allowed_hosts", names}};
    scm.start(app);
    REQUIRE(scm.wait_for(state::running));
  };
  simulated_scm first, second, next_run;
  start(first, "first.example");
  start(second, "second.example");
  CHECK(status_of(first, "first.example") == 200);
  CHECK(status_of(first, "second.example") == 421);
  CHECK(status_of(second, "second.example") == 200);
  CHECK(status_of(second, "first.example") == 421);
  start(next_run, "");
  CHECK(status_of(next_run, "app.example") == 200);
  CHECK(status_of(next_run, "first.example") == 421);
}

TEST_CASE("the setting allowed_hosts rejects a text that is not a host name") {
  simulated_scm scm;
  scm.launch.settings = {{"allowed_hosts", "https://set.example"}};
  auto app = [](service&) {};
  scm.start(app);
  CHECK(scm.wait() == 13);
}

TEST_CASE("the names that an app accepts also apply to the health checks, and while the service is paused") {
  const auto handler = [] { return "hi"; };
  auto with_names = [&](service& svc) {
    svc.use(winsvc::allowed_hosts({"hello.example"}));
    svc.get("/", handler);
    svc.on_pause([] {});
  };
  auto in_group = [&](service& svc) {
    svc.group("", [&](winsvc::route_group& g) {
      g.use(winsvc::allowed_hosts({"hello.example"}));
      g.get("/", handler);
    });
    svc.on_pause([] {});
  };
  auto at_route = [&](service& svc) {
    svc.get("/", handler).use(winsvc::allowed_hosts({"hello.example"}));
    svc.on_pause([] {});
  };
  const auto status_of = [](const simulated_scm& scm, const std::string& target, const std::string& host) {
    auto socket = connected(scm);
    const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return hear(socket).status;
  };
  const auto check = [&](auto& app, int health_status) {
    simulated_scm scm;
    scm.start(app);
    REQUIRE(scm.wait_for(state::running));
    CHECK(status_of(scm, "/livez", "hello.example") == health_status);
    CHECK(status_of(scm, "/readyz", "hello.example") == health_status);
    CHECK(status_of(scm, "/livez", "rebound.example") == 421);
    CHECK(scm.pause() == 0);
    REQUIRE(scm.wait_for(state::paused));
    CHECK(status_of(scm, "/", "hello.example") == 503);
    CHECK(status_of(scm, "/", "localhost") == 503);
    CHECK(status_of(scm, "/", "rebound.example") == 421);
    CHECK(status_of(scm, "/missing", "localhost") == 503);
    CHECK(status_of(scm, "/missing", "rebound.example") == 421);
  };
  check(with_names, 200);
  check(in_group, 421);  // the names of a group apply to its routes
  check(at_route, 421);
}

TEST_CASE("the check of the host precedes all middleware and applies to each path, WebSockets included") {
  auto app = [](service& svc) {
    svc.use([](const winsvc::request&, winsvc::response&, const winsvc::next_handler&) { winsvc::abort(418, "own"); });
    svc.get("/", [] { return "hi"; });
    svc.websocket("/socket", [](winsvc::websocket&) {});
    svc.group("/named", [](winsvc::route_group& g) {
      g.use(winsvc::allowed_hosts({"hello.example"}));
      g.get("/", [] { return "hi"; });
    });
  };
  simulated_scm scm;
  scm.start(app);
  REQUIRE(scm.wait_for(state::running));
  const auto status_of = [&scm](const std::string& target, const std::string& more = {}) {
    auto socket = connected(scm);
    const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: rebound.example\r\n" + more + "\r\n";
    CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return hear(socket).status;
  };
  for (const char* target : {"/", "/missing", "/livez", "/readyz", "/%zz", "http://rebound.example/"}) {
    CAPTURE(target);
    CHECK(status_of(target) == 421);
  }
  CHECK(status_of("http://localhost/") == 418);  // the host of the target applies
  CHECK(status_of("/named/") == 418);            // its own check decides, after the middleware before it
  CHECK(status_of("/socket", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") == 421);
}

TEST_CASE("a request for a handler that does not take it is not filled on a loopback address either") {
  auto app = [](service& svc) {
    svc.get("/", [](winsvc::response& res) { return res.link.exchange()->filled_request ? "filled" : "not filled"; });
    svc.get("/taken", [](const winsvc::request&, winsvc::response& res) {
      return res.link.exchange()->filled_request ? "filled" : "not filled";
    });
  };
  simulated_scm scm;
  scm.start(app);
  REQUIRE(scm.wait_for(state::running));
  CHECK(get(scm, "/").body == "not filled");
  CHECK(get(scm, "/taken").body == "filled");
}

TEST_CASE("the health routes of a service on a loopback address respond while all threads are in handlers") {
  winsvc::stop_source release;
  std::atomic<int> blocked{0};
  auto app = [&](service& svc) {
    svc.limits().threads = 1;  // the engine uses its minimum
    svc.get("/block", [&] {
      ++blocked;
      wait_for_stop(release, "the test to release the handlers");
      return "released";
    });
  };
  simulated_scm scm;
  scm.start(app);
  REQUIRE(scm.wait_for(state::running));
  std::vector<winsvc::detail::os::tcp_socket> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(connected(scm));
    ask(clients.back(), "/block");
  }
  wait_until([&] { return blocked >= 2; }, "the handlers to occupy the threads");
  for (int before = 0; before != blocked;) {  // until no thread takes another request
    before = blocked;
    std::this_thread::sleep_for(waiting::scaled(300ms));
  }
  CHECK(blocked < 30);
  CHECK(get(scm, "/livez").body == "live\n");
  CHECK(get(scm, "/readyz").body == "ready\n");
  CHECK(blocked < 30);
  release.request_stop();
  for (auto& client : clients) CHECK(hear(client).body == "released");
}

TEST_CASE("during the drain, /readyz responds with 503 and /livez with 200") {
  auto app = [](service&) {};
  simulated_scm scm;
  scm.start(app);
  // The heads of the requests arrive before the stop. The last byte of each body arrives after it.
  const auto send_head = [&scm](const std::string& target) {
    auto socket = connected(scm);
    const std::string head = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n";
    CHECK(socket.send(head.data(), head.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
    return socket;
  };
  auto ready = send_head("/readyz"), live = send_head("/livez");

  CHECK(scm.stop() == 0);
  until_drain(scm);
  for (auto* socket : {&ready, &live})
    CHECK(socket->send("x", 1, waiting::limit()) == winsvc::detail::os::transfer::done);
  const auto readiness = hear(ready), liveness = hear(live);

  CHECK(scm.wait() == 0);
  CHECK(readiness.status == 503);
  CHECK(readiness.body == "stopping\n");
  CHECK(liveness.status == 200);
  CHECK(scm.violations().empty());
}

TEST_CASE("a connection in the backlog is served when the service is stopped") {
  winsvc::stop_source begun;
  auto app = [&](service& svc) {
    svc.worker("w", [&](stop_token stop) { begun.request_stop(); wait_for_stop(stop, "the stop"); });
  };
  simulated_scm scm;
  scm.start(app);
  wait_for_stop(begun, "the worker to start");
  auto early = connected(scm);
  ask(early, "/livez");

  CHECK(scm.control(control::stop) == 0);
  CHECK(hear(early).body == "live\n");
  CHECK(scm.wait() == 0);
}

TEST_CASE("a readiness check that returns false or throws makes /readyz 503 with its name") {
  std::atomic<int> mode{0};
  auto app = [&](service& svc) {
    svc.ready("store", [] { return true; });
    svc.ready("device", [&] {
      if (mode == 1) throw std::runtime_error("unplugged");
      if (mode == 2) throw 7;
      return mode == 3;
    });
  };
  winsvc::testing::client c(app);

  for (mode = 0; mode < 3; ++mode) {
    CHECK(c.get("/readyz").status == 503);
    CHECK(c.get("/readyz").body == "not ready: device\n");
  }
  mode = 3;
  CHECK(c.get("/readyz").status == 200);
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text == "readiness check 'device' threw: unplugged");
}

TEST_CASE("the drain limit is three seconds at a system shutdown, and the app's stop limit at a stop") {
  auto app = [](service& svc) { svc.stop_limit(7s); };
  simulated_scm stopped, shut;

  stopped.start(app);
  shut.start(app);
  static_cast<void>(stopped.control(control::stop));
  static_cast<void>(shut.control(control::shutdown));
  CHECK(stopped.wait() == 0);
  CHECK(shut.wait() == 0);

  const auto hint = [](const simulated_scm& scm) {
    for (const auto& h : scm.history()) {
      if (h.status.current == state::stop_pending) return h.status.wait_hint;
    }
    return 0ms;
  };
  CHECK(hint(stopped) == 12s);  // the limit plus a margin for the hooks
  CHECK(hint(shut) == 8s);
}

TEST_CASE("controls without a hook are rejected by the SCM and by the control handler") {
  auto app = [](service&) {};
  simulated_scm scm;
  scm.start(app);

  CHECK(scm.control(control::pause) == 1052);
  CHECK(scm.control(control::preshutdown) == 1052);
  CHECK(scm.control(static_cast<control>(200)) == 120);
  CHECK(scm.deliver_always(control::pause) == 120);
  CHECK(scm.deliver_always(static_cast<control>(99)) == 120);
  CHECK(scm.control(control::interrogate) == 0);

  CHECK(scm.state() == state::running);
  CHECK(scm.history().size() == 3);
  static_cast<void>(scm.control(control::stop));
  CHECK(scm.wait() == 0);
  CHECK(scm.control(control::stop) == 1062);
}

TEST_CASE("the service uses its name in the SCM, and start hooks get the start arguments") {
  std::vector<std::string> arguments;
  auto app = [&](service& svc) {
    svc.name("other");
    svc.on_start([&](start_context& start) { arguments = start.arguments(); });
  };
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start(app, {"--fast", "a b"});
  static_cast<void>(scm.control(control::stop));
  CHECK(scm.wait() == 0);

  CHECK(arguments == std::vector<std::string>{"--fast", "a b"});
  CHECK(has(scm.events(), "1 simulated listens"));
  CHECK(!data.read("logs/simulated.log").empty());
}

TEST_CASE("the saved state has the address only while the service runs") {
  auto app = [](service&) {};
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;

  scm.start_async(app);
  REQUIRE(scm.wait_for(state::running));
  const auto running = data.left();
  static_cast<void>(scm.control(control::stop));
  CHECK(scm.wait() == 0);

  CHECK(running.url == scm.url());
  CHECK(running.pid == winsvc::detail::os::process_id());
  CHECK(!running.since.empty());
  CHECK(running.failure.empty());
  CHECK(data.left().url.empty());
  CHECK(data.left().failure.empty());
}

TEST_CASE("a service whose data folder is not available runs, and the event log reports the missing log") {
  auto app = [](service&) {};
  simulated_scm scm;
  scm.fail_with["data_folder"] = 5;

  scm.start(app);

  CHECK(scm.state() == state::running);
  CHECK(has(scm.events(), "4 the log file cannot be written: "));
}

TEST_CASE("the saved state has the failure of the previous run, including a run that was killed") {
  folder data;
  auto failing = [](service& svc) { svc.on_start([] { throw std::runtime_error("the store is gone"); }); };
  auto succeeding = [](service&) {};
  const auto run = [&](auto& app) {
    simulated_scm scm;
    scm.data_folder = data.path;
    scm.start(app);
    if (scm.state() == state::running) CHECK(scm.stop() == 0);
    scm.wait();
  };
  run(failing);
  CHECK(data.left().failure.find("the store is gone") != std::string::npos);
  CHECK(data.left().previous_failure.empty());
  {
    simulated_scm scm;
    scm.data_folder = data.path;
    scm.start(succeeding);
    CHECK(data.left().previous_failure.find("the store is gone") != std::string::npos);
    CHECK(data.left().running);
    CHECK(scm.stop() == 0);
    scm.wait();
  }
  CHECK(data.left().failure.empty());
  CHECK(data.left().previous_failure.empty());  // a clean stop ends the failure
  CHECK_FALSE(data.left().running);

  const winsvc::detail::scm::saved_state killed{7, "http://x", "yesterday", ""};
  std::ofstream(data.path + "/state.json") << format_saved_state(killed);
  simulated_scm after_kill;
  after_kill.data_folder = data.path;
  after_kill.start(succeeding);
  CHECK(data.left().previous_failure == "the run that began at yesterday (pid 7) ended without an exit code");
  CHECK(after_kill.stop() == 0);
  after_kill.wait();
}

TEST_CASE("an app can be started several times in one process") {
  std::atomic<int> starts{0};
  auto app = [&](service& svc) {
    svc.get("/", [] { return "hello"; });
    svc.on_start([&] { ++starts; });
  };
  for (int i = 0; i < 3; ++i) {
    simulated_scm scm;
    scm.start(app);
    CHECK(get(scm, "/").body == "hello");
    static_cast<void>(scm.control(control::stop));
    CHECK(scm.wait() == 0);
    CHECK(scm.violations().empty());
  }
  CHECK(starts == 3);
}

TEST_CASE("a route that is registered in a hook fails the start") {
  auto app = [](service& svc) {
    svc.on_start([&svc] { svc.get("/late", [] { return ""; }); });
  };
  simulated_scm scm;

  scm.start(app);

  CHECK(scm.wait() == 1064);
  CHECK(has(scm.events(), "the service has started; register routes in the app"));
}

TEST_CASE("start to RUNNING and stop to STOPPED take less than 300 ms each") {
  auto app = [](service& svc) { svc.worker("w", [](stop_token stop) { wait_for_stop(stop, "the stop"); }); };
  auto start = 10'000ms, stop = 10'000ms;  // the best of up to five attempts, because a busy machine may be slow
  for (int attempt = 0; attempt < 5 && (start >= 300ms || stop >= 300ms); ++attempt) {
    simulated_scm scm;
    const auto since = [](steady::time_point time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - time);
    };
    auto begin = steady::now();
    scm.start(app);
    start = (std::min)(start, since(begin));
    begin = steady::now();
    static_cast<void>(scm.control(control::stop));
    CHECK(scm.wait() == 0);
    stop = (std::min)(stop, since(begin));
  }
  CHECK(start.count() < 300);
  CHECK(stop.count() < 300);
}
