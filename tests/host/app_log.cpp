// The log of a service that runs, under the simulated SCM: its sinks, and what becomes of the service when the log cannot
// be written.
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
using winsvc::model::state;

namespace {

/// A sink that an app may have of its own.
class kept final : public winsvc::log_sink {
 public:
  void write(const log_entry& e) noexcept override {
    if (held) wait_until([this] { return !held; }, "the release of the sink");
    d.note(std::string(name(e.level)) + ':' + e.text);
  }
  std::atomic<bool> held{false};  ///< `write` does not return while it is true
  diary d;
};

}  // namespace

TEST_CASE("a sink of the app's own gets the log from the start to the end, and no request waits for it") {
  const auto sink = std::make_shared<kept>();
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
  sink->held = true;
  CHECK(get(scm, "/").body == "hello");  // while the sink holds the first of its lines
  CHECK(sink->d.text().find("info:line") == std::string::npos);
  sink->held = false;

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(sink->d.text().find("warn:starting") == 0);
  CHECK(sink->d.text().rfind("info:stopped") == sink->d.text().size() - 12);
}

TEST_CASE("with log_to_event_log warnings and errors are events as well, with IDs of their own") {
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

TEST_CASE("with a level the rest is as well; without the word nothing of the log is") {
  auto wordy = [](service& svc) { svc.log_to_event_log(log_level::info); };
  simulated_scm scm;
  scm.start(wordy);
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

TEST_CASE("a data folder that cannot be written to: the service goes on, and the event log says why it has no log") {
  folder data;
  std::ofstream(data.path + "/file") << "in the way";
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

TEST_CASE("a log file that is taken away while the service runs is made anew, and one that cannot be is told of in the event log") {
  folder data;
  auto app = [](service& svc) {
    svc.get("/{what}", [&svc](std::string what) {
      svc.log().info(what);
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
    return get(scm, "/after").body == "hello" && data.log().find("moved or deleted by somebody else") != std::string::npos;
  }));

#ifndef _WIN32  // where nobody moves a folder with an open file in it
  std::filesystem::rename(data.path + "/logs", data.path + "/logs.away");
  std::ofstream(data.path + "/logs") << "in the way";
  CHECK(eventually([&] {
    return get(scm, "/later").body == "hello" && has(scm.events(), "4 the log file cannot be written: ");
  }));
  std::filesystem::remove(data.path + "/logs");
  std::filesystem::rename(data.path + "/logs.away", data.path + "/logs");
  CHECK(eventually([&] {
    return get(scm, "/back").body == "hello" && data.log().find("could not be written since") != std::string::npos;
  }));
#endif
  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a sink that does not come back does not keep the service from stopping; the stop says so") {
  struct stuck final : winsvc::log_sink {
    std::atomic<bool> go{false};
    void write(const log_entry& e) noexcept override {
      if (e.level == log_level::error) wait_until([this] { return go.load(); }, "the release of the sink");
    }
  };
  const auto sink = std::make_shared<stuck>();
  folder data;
  {
    auto app = [&](service& svc) {
      svc.log_to(sink);
      svc.get("/", [&svc] {
        svc.log().error("it hangs");
        return "hello";
      });
    };
    simulated_scm scm;
    scm.data_folder = data.path;
    scm.start(app);
    CHECK(get(scm, "/").body == "hello");
    const auto requested = std::chrono::steady_clock::now();

    CHECK(scm.stop() == 0);
    static_cast<void>(scm.wait());

    CHECK(std::chrono::steady_clock::now() - requested < 8s);
    CHECK(scm.state() == state::stopped);
    CHECK(scm.violations() == std::vector<std::string>{
                                "a hook, handler or worker did not return; the host would end the process"});
    CHECK(data.left().failure.find("a sink of the log did not take its last lines") != std::string::npos);
    CHECK(data.log().find("it hangs") != std::string::npos);  // the file has it
    sink->go = true;
  }
}

TEST_CASE("what an earlier run left of its log is not cut to the default before the app has said how much it keeps") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  for (int age = 0; age < 12; ++age)
    std::ofstream(data.path + "/logs/simulated" + (age == 0 ? "" : "." + std::to_string(age)) + ".log") << "old\n";
  std::ofstream(data.path + "/logs/simulated.aside.log") << "aside\n";
  std::ofstream(data.path + "/hello.ini") << "nothing = known\n";
  auto app = [](service& svc) {
    svc.log_file().max_files = 20;
    svc.log().info("said in App");
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

TEST_CASE("a log of objects is one from its first line on, and the app's own sink hears why a start failed") {
  folder data;
  std::ofstream(data.path + "/hello.ini") << "log_format = json\nnothing = known\n";
  const auto sink = std::make_shared<kept>();
  auto app = [&](service& svc) {
    svc.log().info("said in App");
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

TEST_CASE("a setting that was installed and is none any more fails the start with a code of its own and a way out") {
  folder data;
  auto app = [](service&) {};
  simulated_scm scm;
  scm.data_folder = data.path;
  scm.launch.settings.push_back({"gone", "1"});
  scm.start(app);
  CHECK(scm.wait() != 0);
  CHECK(data.log().find("there is no setting 'gone' (13); 'config' lists the settings; 'update --unset NAME' takes out what was installed") !=
        std::string::npos);
  CHECK(scm.history().back().status.exit.code() == 13);
}
