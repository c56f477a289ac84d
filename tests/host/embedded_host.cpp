// A service inside a program with its own loop (winsvc::host), and the ends that an app requests.
#include "support.hpp"

#include <filesystem>
#include <fstream>

using namespace support;
using winsvc::service;
using winsvc::detail::scm::state;

TEST_CASE("a host starts, serves, stops and waits, and the lambda may capture") {
  const std::string greeting = "hi";
  winsvc::host host([&](service& svc) {
    svc.listen("127.0.0.1", 0);
    svc.get("/", [&] { return greeting; });
  });
  CHECK(host.url().empty());
  CHECK(host.wait());  // not started: nothing to wait for
  host.start();
  host.start();
  REQUIRE(host.wait_until_serving(waiting::limit()));
  const auto port = static_cast<std::uint16_t>(std::stoi(host.url().substr(17)));
  auto socket = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  REQUIRE(socket);
  ask(*socket, "/");
  CHECK(hear(*socket).body == "hi");
  host.stop("the test is over");
  CHECK(host.wait());
  CHECK(host.url().empty());
  CHECK(host.wait());
}

TEST_CASE("a host that fails reports its failure and does not serve") {
  winsvc::host throws([](service& svc) {
    svc.listen("127.0.0.1", 0);
    svc.on_start([] { throw std::runtime_error("the store is gone"); });
  });
  throws.start();
  CHECK_FALSE(throws.wait_until_serving(waiting::limit()));
  const auto done = throws.wait();
  REQUIRE_FALSE(done);
  CHECK(done.error().to_string().find("the store is gone") != std::string::npos);

  winsvc::host wrong([](service&) { throw std::runtime_error("no config"); });
  wrong.start();
  const auto failed = wrong.wait();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().to_string().find("no config") != std::string::npos);

  winsvc::host incomplete([](service& svc) {
    svc.listen("127.0.0.1", 0);
    svc.get("/", [](folder&) { return ""; });
  });
  incomplete.start();
  CHECK_FALSE(incomplete.wait_until_serving(waiting::limit()));
  incomplete.stop();
  const auto rejected = incomplete.wait();
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().code == 1064);
  CHECK(rejected.error().to_string().find("but the app does not provide one") != std::string::npos);
}

TEST_CASE("the destructor of a host stops a running service, and a stop during the start counts") {
  {
    winsvc::host host([](service& svc) { svc.listen("127.0.0.1", 0); });
    host.start();
    REQUIRE(host.wait_until_serving(waiting::limit()));
  }
  winsvc::host slow([](service& svc) {
    svc.listen("127.0.0.1", 0);
    svc.on_start([](winsvc::start_context&) { std::this_thread::sleep_for(50ms); });
  });
  slow.start();
  slow.stop();
  CHECK(slow.wait());
}

TEST_CASE("svc.stop ends the service in order, and its reason is saved") {
  folder data;
  simulated_scm scm;
  scm.data_folder = data.path;
  diary calls;
  auto app = [&](service& svc) {
    CHECK_FALSE(svc.stop("too early"));
    svc.on_stop([&] { calls.note("stop"); });
    svc.get("/stop", [&svc] { return svc.stop("the license has expired") ? "stopping" : "not running"; });
  };
  scm.start(app);
  CHECK(get(scm, "/stop").body == "stopping");
  CHECK(scm.wait() == 0);
  CHECK(calls.text() == "stop");
  CHECK(data.left().stop_reason == "the license has expired");
  CHECK(data.left().failure.empty());
  CHECK(scm.violations().empty());
}

TEST_CASE("svc.fail ends the service as a failure with its code, from a worker too") {
  for (const std::uint32_t code : {1392u, 0u}) {
    folder data;
    simulated_scm scm;
    scm.data_folder = data.path;
    auto app = [code](service& svc) {
      svc.worker("watch", [&svc, code](winsvc::stop_token stop) {
        svc.fail(code, "the database is damaged");
        stop.wait();
      });
    };
    scm.start_async(app);
    CHECK(scm.wait() == static_cast<int>(winsvc::detail::os::exit_code(code == 0 ? 1064 : code)));
    CHECK(data.left().failure.find("the database is damaged (" + std::to_string(code == 0 ? 1064 : code) + ")") !=
          std::string::npos);
  }
}

TEST_CASE("the app's own environment variables are set before the app runs") {
  simulated_scm scm;
  scm.environment = {"WINSVC_TEST_LANES=7"};
  std::string seen;
  auto app = [&](service& svc) {
    const auto lanes = svc.setting("lanes", 2, "");
    static_cast<void>(lanes);
    seen = winsvc::detail::os::environment_variable("WINSVC_TEST_LANES").value_or("unset");
  };
  scm.start(app);
  CHECK(seen == "7");
  CHECK(scm.stop() == 0);
}

TEST_CASE("a log that cannot be written is in /readyz and in the live status") {
  folder data;
  std::filesystem::remove_all(data.path + "/logs");
  std::ofstream(data.path + "/logs") << "not a folder";
  simulated_scm scm;
  scm.data_folder = data.path;
  auto app = [](service& svc) { svc.get("/", [&svc] { svc.log().info("x"); return "hello"; }); };
  scm.start(app);
  CHECK(get(scm, "/").body == "hello");
  const std::string ready = get(scm, "/readyz").body;
  CHECK(ready.find("ready\nthe log file cannot be written since ") == 0);
  CHECK(ready.find(data.path) == std::string::npos);  // a client need not know the path, and the operator does
  const auto live = winsvc::detail::base::parse_flat_object(winsvc::detail::diagnose::query_live_status(
      winsvc::detail::os::control_channel_address("simulated", data.path), winsvc::detail::os::process_id()));
  REQUIRE(live);
  const std::string failure = winsvc::detail::base::text_of(*live, "log_failure");
  CHECK(failure.find(data.path) != std::string::npos);
  CHECK(failure.find("simulated.log: ") != std::string::npos);
  CHECK(scm.stop() == 0);
}
