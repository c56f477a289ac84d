// Control channel of a running service: status, log level, log lines and the reason of a stop.
#include "support.hpp"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

using namespace support;
using winsvc::service;
namespace scm = winsvc::detail::scm;
namespace os = winsvc::detail::os;

namespace {

struct channel_test {
  folder data;
  simulated_scm scm;
  std::string address = os::control_channel_address("simulated", data.path);
  channel_test() { scm.data_folder = data.path; }

  std::string query(const std::string& request) {
    return winsvc::detail::diagnose::query_service(address, request, os::process_id()).value_or("(no response)");
  }
  winsvc::detail::base::flat_object status() {
    return winsvc::detail::base::parse_flat_object(query("status")).value_or(winsvc::detail::base::flat_object());
  }
};

const auto app = [](service& svc) {
  svc.version("1.2").on_pause([] {});
  svc.get("/", [] { return "hello"; });
  svc.get("/broken", []() -> std::string { throw std::runtime_error("no"); });
  svc.get("/log/{word}", [&svc](const std::string& word) {
    svc.log().debug("debug " + word);
    svc.log().warn("warn " + word);
    return "";
  });
};

}  // namespace

TEST_CASE("a running service returns its name, version, state and request counters") {
  channel_test test;
  test.scm.start(app);
  for (int i = 0; i < 9; ++i) CHECK(get(test.scm, "/").status == 200);
  CHECK(get(test.scm, "/broken").status == 500);
  std::this_thread::sleep_for(1100ms);  // the counters have complete seconds only

  const auto now = test.status();
  CHECK(winsvc::detail::base::number_of(now, "pid") == os::process_id());
  CHECK(winsvc::detail::base::text_of(now, "name") == "simulated");
  CHECK(winsvc::detail::base::text_of(now, "version") == "1.2");
  CHECK(winsvc::detail::base::text_of(now, "state") == "running");
  CHECK(winsvc::detail::base::text_of(now, "url") == test.scm.url());
  CHECK(winsvc::detail::base::number_of(now, "answered") == 10);
  CHECK(winsvc::detail::base::number_of(now, "answered_in_minute") == 10);
  CHECK(winsvc::detail::base::number_of(now, "failed_in_minute") == 1);
  CHECK(winsvc::detail::base::number_of(now, "p99_us") >= winsvc::detail::base::number_of(now, "p50_us"));
  CHECK(winsvc::detail::base::number_of(now, "threads") >= 1);
  CHECK(winsvc::detail::base::number_of(now, "resident_bytes") > 0);
  CHECK(test.scm.pause() == 0);
  REQUIRE(test.scm.wait_for(scm::state::paused));
  CHECK(winsvc::detail::base::text_of(test.status(), "state") == "paused");
  CHECK(test.query("what?") == "unknown request");
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
  CHECK(test.query("status") == "(no response)");
  CHECK(test.scm.violations().empty());
}

TEST_CASE("the operator changes the log level, and the log records it") {
  channel_test test;
  test.scm.start(app);
  get(test.scm, "/log/one");
  CHECK(test.query("level debug") == "ok");
  get(test.scm, "/log/two");
  CHECK(test.query("level error") == "ok");
  get(test.scm, "/log/three");
  CHECK(test.query("level loud") == "unknown request");
  CHECK(winsvc::detail::base::text_of(test.status(), "log_level") == "error");
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);

  const std::string log = test.data.log();
  CHECK(log.find("debug one") == log.npos);
  CHECK(log.find("debug two") != log.npos);
  CHECK(log.find("warn three") == log.npos);
  CHECK(log.find("log level set to error by the operator") != log.npos);
}

TEST_CASE("a log follower receives new log lines until the service ends") {
  channel_test test;
  test.scm.start(app);
  std::string result;
  std::mutex mutex;
  const auto has = [&](std::string_view text) {
    const std::lock_guard lock(mutex);
    return result.find(text) != result.npos;
  };
  scoped_thread reader("the client that follows the log", [&] {
    static_cast<void>(os::send_channel_request(test.address, "log warn", os::process_id(), [&](std::string_view chunk) {
      const std::lock_guard lock(mutex);
      result += chunk;
      return true;
    }));
  });
  CHECK(eventually([&] {
    get(test.scm, "/log/again");
    return has("warn again");
  }));
  CHECK_FALSE(has("debug again"));
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
  reader.join();  // its response has ended
}

TEST_CASE("the log has the reason that the operator gave for a stop") {
  channel_test test;
  test.scm.start(app);
  CHECK(test.query("why a new disk") == "ok");
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
  CHECK(test.data.log().find(" INFO  stopping: requested by the service control manager: a new disk") !=
        std::string::npos);
  CHECK(test.data.left().stop_reason == "a new disk");
}

TEST_CASE("the reason of a stop is logged at any level, and is not a warning of the event log") {
  channel_test test;
  test.scm.launch.settings = {{"log_level", "error"}};
  auto logs_events = [](service& svc) { svc.log_to_event_log(); };
  test.scm.start(logs_events);
  CHECK(test.query("why a new disk") == "ok");
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
  CHECK(test.data.log().find(": a new disk") != std::string::npos);
  for (const auto& event : test.scm.events()) CHECK(event.find("a new disk") == std::string::npos);
}

TEST_CASE("the reason of a stop that did not happen is not logged for a failure") {
  channel_test test;
  winsvc::stop_source fault;
  auto failing = [&](service& svc) {
    svc.worker("w", [&fault](const winsvc::stop_token& stop) {
      while (!stop.wait_for(5ms)) {
        if (fault.token().stop_requested()) throw std::runtime_error("it broke");
      }
    });
  };
  test.scm.start(failing);
  CHECK(test.query("why maintenance") == "ok");
  fault.request_stop();
  CHECK(test.scm.wait() != 0);
  CHECK(test.data.log().find("maintenance") == std::string::npos);
}

TEST_CASE("a log follower that is too slow receives the number of lines that it misses") {
  channel_test test;
  constexpr int lines = 5000;
  auto verbose = [](service& svc) {
    svc.get("/one", [&svc] { svc.log().warn("first"); return ""; });
    svc.get("/many", [&svc] {  // 5 MB: more than the buffers of the channel hold
      for (int i = 0; i < lines; ++i) svc.log().warn("line " + std::to_string(i) + ' ' + std::string(1000, 'x'));
      svc.log().warn("last");
      return "";
    });
  };
  test.scm.start(verbose);
  std::string result;  // used by the reader until it has ended
  std::atomic<bool> follows{false};
  winsvc::stop_source logged;
  scoped_thread reader("the client that follows the log", [&] {
    static_cast<void>(os::send_channel_request(test.address, "log warn", os::process_id(), [&](std::string_view chunk) {
      result += chunk;
      if (!follows.exchange(true)) wait_for_stop(logged, "all lines to be logged");
      return result.find("last\n", result.size() < 8192 ? 0 : result.size() - 8192) == result.npos;
    }));
  });
  wait_until([&] {
        get(test.scm, "/one");
        return follows.load();
  }, "the client to follow the log");
  CHECK(get(test.scm, "/many").status == 200);
  logged.request_stop();
  reader.join();
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);

  const std::string message = " lines are not shown; see the log file";
  int missed = 0, shown = 0;
  for (auto position = result.find("... "); position != result.npos; position = result.find("... ", position + 1)) {
    const int count = std::stoi(result.substr(position + 4));
    CHECK(result.compare(position + 4 + std::to_string(count).size(), message.size(), message) == 0);
    missed += count;
  }
  for (auto position = result.find(" line "); position != result.npos; position = result.find(" line ", position + 1))
    ++shown;
  CHECK(missed > 0);
  CHECK(missed + shown >= lines);
}

TEST_CASE("log followers leave connections free for other requests") {
  channel_test test;
  test.scm.start(app);
  std::vector<scoped_thread> followers;
  std::atomic<int> refused{0};
  for (std::size_t i = 0; i < os::control_channel::max_connections; ++i) {
    followers.emplace_back("a client that follows the log", [&] {
      std::string result;
      static_cast<void>(
          os::send_channel_request(test.address, "log warn", os::process_id(), [&](std::string_view chunk) {
            result += chunk;
            return true;
          }));
      if (result.find("too many log followers (limit 4)") == 0) ++refused;
    });
  }
  CHECK(eventually([&] { return refused == 4; }));
  const auto before = test.status();
  CHECK(winsvc::detail::base::number_of(before, "pid") == os::process_id());
  std::this_thread::sleep_for(500ms);
  const auto used = winsvc::detail::base::number_of(test.status(), "cpu_ms");
  CHECK(used > 0);
  CHECK(used < winsvc::detail::base::number_of(before, "cpu_ms") + 60);  // the followers wait for lines
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
  for (auto& follower : followers) follower.join();
  CHECK(refused == 4);
}

TEST_CASE("a query times out if the service does not respond, and an invalid response is rejected") {
  channel_test test;
  const auto channel = os::control_channel::open(
      test.address, [](const std::string& request, const os::control_channel::response_writer& write) {
        if (request == "level debug") return static_cast<void>(write("unknown request\n"));
        if (request == "status" && !write("half a res")) return;
        wait_until([&] { return !write({}); }, "the client to disconnect");
      });
  REQUIRE(channel);
  CHECK_FALSE(winsvc::detail::diagnose::command_service(test.address, "level debug", os::process_id()));
  const auto start = std::chrono::steady_clock::now();
  CHECK(winsvc::detail::diagnose::query_live_status(test.address, os::process_id()).empty());
  CHECK(std::chrono::steady_clock::now() - start < os::control_channel::io_timeout + 3s);
}

TEST_CASE("a service that cannot open its channel serves without it") {
  channel_test test;
  const auto channel = os::control_channel::open(
      test.address, [](const std::string&, const os::control_channel::response_writer& write) { write("other"); });
  REQUIRE(channel);
  test.scm.start(app);
  CHECK(get(test.scm, "/").status == 200);
  CHECK(test.scm.stop() == 0);
  CHECK(test.scm.wait() == 0);
#ifndef _WIN32
  CHECK(test.data.log().find("the control channel " + test.address + " cannot be opened: ") != std::string::npos);
#endif
}
