// What became of a service, told from what it left.
#include "../host/support.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace support;
using winsvc::host::post_mortem;
using winsvc::host::service_report;
using winsvc::model::state;

namespace {

service_report report(state now, std::uint32_t code = 0, const std::string& failure = {}) {
  service_report r;
  r.name = "hello";
  r.installed = true;
  r.process.status.current = now;
  r.process.status.exit.win32 = code;
  r.saved_state.failure = failure;
  return r;
}
std::string told(service_report r) {
  post_mortem of;
  of.report = std::move(r);
  return format_post_mortem(of);
}

}  // namespace

TEST_CASE("what became of it is said in sentences, with its own words where it left some") {
  CHECK(told({}).find("is not installed.") != std::string::npos);
  CHECK(told(report(state::running)) == "'hello' is running.\n");
  CHECK(told(report(state::stopped)) ==
        "'hello' is stopped. It was stopped, or was not started since the machine was; it did not fail.\n");
  CHECK(told(report(state::stopped, 10048, "listen on '127.0.0.1:80': the port is taken")) ==
        "'hello' is stopped. It ended with 10048: the port is taken.\nIt said: listen on '127.0.0.1:80': the port is taken\n");
  CHECK(told(report(state::stopped, 1067)) ==
        "'hello' is stopped. It ended with 1067: the process ended unexpectedly. Try this: read its log and the event "
        "log.\n");
}

TEST_CASE("the end of the log, its last trouble and the newest minidump are gathered from the data folder") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  std::string log;
  const auto line = [&log](const std::string& level, const std::string& text) {
    log += "2026-01-31T08:05:09.250+00:00 " + level + ' ' + text + '\n';
  };
  line("ERROR", "the store is gone");
  for (int i = 0; i < 8; ++i) line("INFO ", "line " + std::to_string(i));
  std::ofstream(data.path + "/logs/hello.log", std::ios::binary) << log;
  for (const auto name : {"hello-20260131-080509-7.dmp", "hello-20260201-080509-8.dmp", "hello2-20270101-000000-1.dmp"})
    std::ofstream(data.path + "/logs/" + name) << "x";

  const auto of = winsvc::host::collect_post_mortem(report(state::stopped, 1067), data.path);

  CHECK(of.dump.find("hello-20260201-080509-8.dmp") != std::string::npos);
  CHECK(of.last_problems.find("the store is gone") != std::string::npos);
  CHECK(of.last_log_lines.find("line 3") != std::string::npos);
  CHECK(of.last_log_lines.find("line 2") == std::string::npos);
  CHECK(format_post_mortem(of).find("The last trouble in its log:\n  2026-01-31T08:05:09.250+00:00 ERROR the store is gone\n") !=
        std::string::npos);
  CHECK(winsvc::host::collect_post_mortem(report(state::running), data.path + "/none").last_log_lines.empty());
}

TEST_CASE("a warning at the end of the log is told once, and what is of an earlier run is not told of this one") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  std::string log;
  for (const char* text : {"WARN  one", "INFO  two", "WARN  three"}) log += "2026-01-31T08:05:09.250+00:00 " + std::string(text) + '\n';
  std::ofstream(data.path + "/logs/hello.log", std::ios::binary) << log;
  std::ofstream(data.path + "/logs/hello-20260131-080509-7.dmp") << "x";
  auto running = report(state::running, 0, "the port was taken");
  running.process.pid = 7;
  running.saved_state.pid = 5;

  const std::string reported = format_post_mortem(winsvc::host::collect_post_mortem(running, data.path));

  CHECK(reported.find("last trouble") == std::string::npos);
  CHECK(reported.find("the port was taken") == std::string::npos);
  CHECK(reported.find("An earlier crash left a minidump: ") != std::string::npos);
}

TEST_CASE("what the service control manager wrote into the event log is told, the newest three, oldest first") {
  winsvc::host::system_probe probe;
  probe.system_events = [] {
    std::vector<winsvc::model::event_record> all;
    for (int i = 5; i > 0; --i) {
      winsvc::model::event_record one;
      one.id = 7034;
      one.source = "Service Control Manager";
      one.insertion_strings = {i == 4 ? "Other service" : "Hello service", std::to_string(i)};
      all.push_back(one);
    }
    return winsvc::os::sys_result<std::vector<winsvc::model::event_record>>(all);
  };
  auto stopped = report(state::stopped, 1067);
  stopped.config.display_name = "Hello service";

  const auto of = winsvc::host::collect_post_mortem(stopped, "/nowhere", probe);

  REQUIRE(of.scm_events.size() == 3);
  CHECK(of.scm_events[0].find("it ended unexpectedly, 2 time(s) so far") != std::string::npos);
  CHECK(of.scm_events[2].find("it ended unexpectedly, 5 time(s) so far") != std::string::npos);
  CHECK(format_post_mortem(of).find("The service control manager wrote:\n  1970-01-01T") != std::string::npos);
}

#ifndef _WIN32
TEST_CASE("a log that is there and cannot be read is no reason to say nothing of it") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs/hello.log");  // a folder in its place
  const std::string reported = format_post_mortem(winsvc::host::collect_post_mortem(report(state::stopped), data.path));
  CHECK(reported.find("Its log cannot be read: ") != std::string::npos);
}
#endif
