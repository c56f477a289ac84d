// What a running service tells its operator, by the channel that only the operator can reach.
#include "support.hpp"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

using namespace support;
using winsvc::service;
namespace model = winsvc::model;
namespace os = winsvc::os;

namespace {

struct asked {
  folder data;
  simulated_scm scm;
  std::string address = os::control_channel_address("simulated", data.path);
  asked() { scm.data_folder = data.path; }

  std::string ask(const std::string& question) {
    return winsvc::host::query_service(address, question, os::process_id()).value_or("(no answer)");
  }
  model::flat_object status() { return model::parse_flat_object(ask("status")).value_or(model::flat_object()); }
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

TEST_CASE("a running service says what it is, and how it has fared") {
  asked s;
  s.scm.start(app);
  for (int i = 0; i < 9; ++i) CHECK(get(s.scm, "/").status == 200);
  CHECK(get(s.scm, "/broken").status == 500);
  std::this_thread::sleep_for(1100ms);  // a second counts when it is over

  const auto now = s.status();
  CHECK(model::number_of(now, "pid") == os::process_id());
  CHECK(model::text_of(now, "name") == "simulated");
  CHECK(model::text_of(now, "version") == "1.2");
  CHECK(model::text_of(now, "state") == "running");
  CHECK(model::text_of(now, "url") == s.scm.url());
  CHECK(model::number_of(now, "answered") == 10);
  CHECK(model::number_of(now, "answered_in_minute") == 10);
  CHECK(model::number_of(now, "failed_in_minute") == 1);
  CHECK(model::number_of(now, "p99_us") >= model::number_of(now, "p50_us"));
  CHECK(model::number_of(now, "threads") >= 1);
  CHECK(s.scm.pause() == 0);
  REQUIRE(s.scm.wait_for(model::state::paused));
  CHECK(model::text_of(s.status(), "state") == "paused");
  CHECK(s.ask("what?") == "not understood");
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);
  CHECK(s.ask("status") == "(no answer)");
  CHECK(s.scm.violations().empty());
}

TEST_CASE("the operator changes how much is logged, and the log says so") {
  asked s;
  s.scm.start(app);
  get(s.scm, "/log/one");
  CHECK(s.ask("level debug") == "ok");
  get(s.scm, "/log/two");
  CHECK(s.ask("level error") == "ok");
  get(s.scm, "/log/three");
  CHECK(s.ask("level loud") == "not understood");
  CHECK(model::text_of(s.status(), "log_level") == "error");
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);

  const std::string log = s.data.log();
  CHECK(log.find("debug one") == log.npos);
  CHECK(log.find("debug two") != log.npos);
  CHECK(log.find("warn three") == log.npos);
  CHECK(log.find("the log keeps error and above: the operator asked for it") != log.npos);
}

TEST_CASE("whoever asks for the log gets what is logged from then on, until the service ends") {
  asked s;
  s.scm.start(app);
  std::string result;
  std::mutex mutex;
  const auto has = [&](std::string_view what) {
    const std::lock_guard lock(mutex);
    return result.find(what) != result.npos;
  };
  scoped_thread reader("the client that follows the log", [&] {
    static_cast<void>(os::send_channel_request(s.address, "log warn", os::process_id(), [&](std::string_view chunk) {
      const std::lock_guard lock(mutex);
      result += chunk;
      return true;
    }));
  });
  CHECK(eventually([&] {
    get(s.scm, "/log/again");
    return has("warn again");
  }));
  CHECK_FALSE(has("debug again"));
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);
  reader.join();  // its answer has ended
}

TEST_CASE("the reason that the operator gives for a stop is in the log") {
  asked s;
  s.scm.start(app);
  CHECK(s.ask("why a new disk") == "ok");
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);
  CHECK(s.data.log().find("stopping: the service control manager asked for it: a new disk") != std::string::npos);
}

TEST_CASE("a reason whose stop did not come is not that of a failure") {
  asked s;
  winsvc::stop_source now;
  auto failing = [&](service& svc) {
    svc.worker("w", [&now](const winsvc::stop_token& stop) {
      while (!stop.wait_for(5ms)) {
        if (now.token().stop_requested()) throw std::runtime_error("it broke");
      }
    });
  };
  s.scm.start(failing);
  CHECK(s.ask("why maintenance") == "ok");
  now.request_stop();
  CHECK(s.scm.wait() != 0);
  CHECK(s.data.log().find("maintenance") == std::string::npos);
}

TEST_CASE("of lines that come faster than they can be sent the follower is told how many he does not see") {
  asked s;
  constexpr int lines = 5000;
  auto wordy = [](service& svc) {
    svc.get("/one", [&svc] { svc.log().warn("first"); return ""; });
    svc.get("/many", [&svc] {  // 5 MB: more than the buffers of the channel hold
      for (int i = 0; i < lines; ++i) svc.log().warn("line " + std::to_string(i) + ' ' + std::string(1000, 'x'));
      svc.log().warn("last");
      return "";
    });
  };
  s.scm.start(wordy);
  std::string result;  // of the reader until it has ended
  std::atomic<bool> follows{false};
  winsvc::stop_source logged;
  scoped_thread reader("the client that follows the log", [&] {
    static_cast<void>(os::send_channel_request(s.address, "log warn", os::process_id(), [&](std::string_view chunk) {
      result += chunk;
      if (!follows.exchange(true)) wait_for_stop(logged, "all lines to be logged");
      return result.find("last\n", result.size() < 8192 ? 0 : result.size() - 8192) == result.npos;
    }));
  });
  wait_until([&] {
    get(s.scm, "/one");
    return follows.load();
  }, "the client to follow the log");
  CHECK(get(s.scm, "/many").status == 200);
  logged.request_stop();
  reader.join();
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);

  const std::string message = " lines are not shown: the log file has them";
  int missed = 0, shown = 0;
  for (auto position = result.find("... "); position != result.npos; position = result.find("... ", position + 1)) {
    const int count = std::stoi(result.substr(position + 4));
    CHECK(result.compare(position + 4 + std::to_string(count).size(), message.size(), message) == 0);
    missed += count;
  }
  for (auto position = result.find(" line "); position != result.npos; position = result.find(" line ", position + 1)) ++shown;
  CHECK(missed > 0);
  CHECK(missed + shown >= lines);
}

TEST_CASE("those who follow the log leave room for questions") {
  asked s;
  s.scm.start(app);
  std::vector<scoped_thread> followers;
  std::atomic<int> refused{0};
  for (std::size_t i = 0; i < os::control_channel::max_connections; ++i) {
    followers.emplace_back("a client that follows the log", [&] {
      std::string result;
      static_cast<void>(os::send_channel_request(s.address, "log warn", os::process_id(), [&](std::string_view chunk) {
        result += chunk;
        return true;
      }));
      if (result.find("so many follow the log already: 4") == 0) ++refused;
    });
  }
  CHECK(eventually([&] { return refused == 4; }));
  CHECK(model::number_of(s.status(), "pid") == os::process_id());
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);
  for (auto& one : followers) one.join();
  CHECK(refused == 4);
}

TEST_CASE("a service that does not answer, or something else than is asked, is not waited for and not believed") {
  asked s;
  const auto held = os::control_channel::open(s.address, [](const std::string& requested, const os::control_channel::response_writer& write) {
    if (requested == "level debug") return static_cast<void>(write("not understood\n"));
    if (requested == "status" && !write("half an ans")) return;
    wait_until([&] { return !write({}); }, "the client to leave");
  });
  REQUIRE(held);
  CHECK_FALSE(winsvc::host::command_service(s.address, "level debug", os::process_id()));
  const auto began = std::chrono::steady_clock::now();
  CHECK(winsvc::host::query_live_status(s.address, os::process_id()).empty());
  CHECK(std::chrono::steady_clock::now() - began < os::control_channel::io_timeout + 3s);
}

TEST_CASE("a service that cannot have its channel serves without") {
  asked s;
  const auto taken = os::control_channel::open(s.address, [](const std::string&, const os::control_channel::response_writer& write) { write("mine"); });
  REQUIRE(taken);
  s.scm.start(app);
  CHECK(get(s.scm, "/").status == 200);
  CHECK(s.scm.stop() == 0);
  CHECK(s.scm.wait() == 0);
#ifndef _WIN32
  CHECK(s.data.log().find("the operator's channel " + s.address + " cannot be opened: ") != std::string::npos);
#endif
}
