// Tests of the log of a running service under the simulated SCM: sinks, and failures to write the log.
#include "support.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace support;
using winsvc::log_entry;
using winsvc::log_level;
using winsvc::service;
using winsvc::detail::scm::state;

namespace {

/// A custom sink that records the entries as text.
class recording_sink final : public winsvc::log_sink {
 public:
  void write(const log_entry& e) noexcept override {
    if (blocked) wait_until([this] { return !blocked; }, "the release of the sink");
    d.note(std::string(name(e.level)) + ':' + e.text);
  }
  std::atomic<bool> blocked{false};  ///< `write` does not return while it is true
  diary d;
};

}  // namespace

TEST_CASE("a custom sink gets all log entries, and no request waits for it") {
  const auto sink = std::make_shared<recording_sink>();
  auto app = [&](service& svc) {
    svc.log_to(sink);
    svc.on_start([&svc] { svc.log().warn("starting"); });
    svc.get("/", [&svc] {
      for (int i = 0; i < 100; ++i) svc.log().info("line");
      return "hello";
    });
  };
  simulated_scm scm;
  scm.start(app);
  CHECK(eventually([&] { return sink->d.text().find("info:listening on") != std::string::npos; }));
  sink->blocked = true;
  CHECK(get(scm, "/").body == "hello");  // while the sink is blocked in its first line
  CHECK(sink->d.text().find("info:line") == std::string::npos);
  sink->blocked = false;

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(sink->d.text().find("warn:starting") == 0);
  CHECK(sink->d.text().rfind("info:stopped") == sink->d.text().size() - 12);
}

TEST_CASE("with log_to_event_log, warnings and errors are written to the event log with their own IDs") {
  folder data;
  auto app = [](service& svc) {
    svc.log_to_event_log();
    svc.on_start([&svc] {
      svc.log().info("quiet");
      svc.log().warn("the store is slow");
      svc.log().error("the store is gone");
    });
  };
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);

  CHECK(has(scm.events(), "11 the store is slow"));
  CHECK(has(scm.events(), "10 the store is gone"));
  CHECK_FALSE(has(scm.events(), "quiet"));
  CHECK(has(scm.events(), "1 simulated listens on "));
}

TEST_CASE("log_to_event_log accepts a level; without it no log entry is written to the event log") {
  auto verbose = [](service& svc) { svc.log_to_event_log(log_level::info); };
  simulated_scm scm;
  scm.start(verbose);
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(has(scm.events(), "12 listening on "));

  auto quiet = [](service& svc) {
    svc.on_start([&svc] { svc.log().error("the store is gone"); });
  };
  simulated_scm other;
  other.start(quiet);
  CHECK(other.stop() == 0);
  CHECK(other.wait() == 0);
  CHECK_FALSE(has(other.events(), "the store is gone"));
}

TEST_CASE("if the data folder is not writable, the service runs and the event log has the reason") {
  folder data;
  std::ofstream(data.path + "/file") << "not a folder";
  auto app = [](service& svc) {
    svc.get("/", [] { return "hello"; });
  };
  simulated_scm scm;
  scm.data_folder = data.path + "/file";
  scm.start(app);

  CHECK(scm.state() == state::running);
  CHECK(get(scm, "/").body == "hello");
  CHECK(has(scm.events(), "4 the log file cannot be written: "));
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("a log file that was moved is created again, and a failure is reported in the event log") {
  folder data;
  auto app = [](service& svc) {
    svc.get("/{text}", [&svc](std::string text) {
      svc.log().info(text);
      return "hello";
    });
  };
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.start(app);
  CHECK(eventually([&] { return data.log().find("listening") != std::string::npos; }));

  const std::string log = data.path + "/logs/simulated.log";
  std::filesystem::rename(log, data.path + "/taken.log");
  CHECK(eventually([&] {
    return get(scm, "/after").body == "hello" &&
           data.log().find("moved or deleted by another program") != std::string::npos;
  }));

#ifndef _WIN32  // Windows does not allow moving a folder that contains an open file
  std::filesystem::rename(data.path + "/logs", data.path + "/logs.away");
  std::ofstream(data.path + "/logs") << "not a folder";
  CHECK(eventually([&] {
    return get(scm, "/later").body == "hello" && has(scm.events(), "4 the log file cannot be written: ");
  }));
  std::filesystem::remove(data.path + "/logs");
  std::filesystem::rename(data.path + "/logs.away", data.path + "/logs");
  CHECK(eventually([&] {
    return get(scm, "/back").body == "hello" && data.log().find("could not be written: ") != std::string::npos;
  }));
#endif
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a blocked sink does not prevent the stop of the service; the failure is reported") {
  struct blocked_sink final : winsvc::log_sink {
    std::atomic<bool> released{false};
    void write(const log_entry& e) noexcept override {
      if (e.level == log_level::error) wait_until([this] { return released.load(); }, "the release of the sink");
    }
  };
  const auto sink = std::make_shared<blocked_sink>();
  folder data;
  {
    auto app = [&](service& svc) {
      svc.log_to(sink);
      svc.get("/", [&svc] {
        svc.log().error("sink blocks");
        return "hello";
      });
    };
    simulated_scm scm;
    scm.data_folder = data.path;
    scm.start(app);
    CHECK(get(scm, "/").body == "hello");
    const auto stop_time = std::chrono::steady_clock::now();

    CHECK(scm.stop() == 0);
    static_cast<void>(scm.wait());

    CHECK(std::chrono::steady_clock::now() - stop_time < 8s);
    CHECK(scm.state() == state::stopped);
    CHECK(scm.violations() == std::vector<std::string>{
                                "a hook, handler or worker did not return; the host would end the process"});
    CHECK(data.left().failure.find("a log sink did not write its last lines in time") != std::string::npos);
    CHECK(data.log().find("sink blocks") != std::string::npos);  // the file sink is not affected
    sink->released = true;
  }
}

TEST_CASE("log files of an earlier run are not deleted before the app has set max_files") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  for (int age = 0; age < 12; ++age)
    std::ofstream(data.path + "/logs/simulated" + (age == 0 ? "" : "." + std::to_string(age)) + ".log") << "old\n";
  std::ofstream(data.path + "/logs/simulated.pending.log") << "pending\n";
  std::ofstream(data.path + "/hello.ini") << "nothing = known\n";
  auto app = [](service& svc) {
    svc.log_file().max_files = 20;
    svc.log().info("written in the app");
  };
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.config = data.path + "/hello.ini";
  scm.start(app);
  CHECK(scm.wait() != 0);

  int files = 0;
  for ([[maybe_unused]] const auto& f : std::filesystem::directory_iterator(data.path + "/logs")) ++files;
  CHECK(files == 13);
}

TEST_CASE("a JSON log is JSON from its first line, and a custom sink gets the reason of a failed start") {
  folder data;
  std::ofstream(data.path + "/hello.ini") << "log_format = json\nnothing = known\n";
  const auto sink = std::make_shared<recording_sink>();
  auto app = [&](service& svc) {
    svc.log().info("written in the app");
    svc.log_to(sink);
  };
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.config = data.path + "/hello.ini";
  scm.start(app);
  CHECK(scm.wait() != 0);

  CHECK(data.log().find("{\"time\":") == 0);
  CHECK(data.log().find("\n2") == std::string::npos);
  CHECK(sink->d.text().find("there is no setting 'nothing'") != std::string::npos);
}

TEST_CASE("an installed setting that no longer exists fails the start with code 13 and a remedy") {
  folder data;
  auto app = [](service&) {};
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.settings.push_back({"gone", "1"});
  scm.start(app);
  CHECK(scm.wait() != 0);
  CHECK(data.log().find(
            "there is no setting 'gone' (13); 'config' lists the settings; use 'update --unset NAME' to remove it "
            "from the installed service") != std::string::npos);
  CHECK(scm.history().back().status.exit.code() == 13);
}
