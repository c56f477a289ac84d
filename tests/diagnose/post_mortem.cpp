// Post-mortem of `why`: the text, and the data that it collects.
#include "../host/support.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace support;
using winsvc::detail::diagnose::post_mortem;
using winsvc::detail::host::service_report;
using winsvc::detail::scm::state;

namespace {

service_report report(state current, std::uint32_t code = 0, const std::string& failure = {}) {
  service_report report;
  report.name = "hello";
  report.installed = true;
  report.process.status.current = current;
  report.process.status.exit.win32 = code;
  report.saved_state.failure = failure;
  return report;
}
std::string text_of(service_report report) {
  post_mortem data;
  data.report = std::move(report);
  return format_post_mortem(data);
}

}  // namespace

TEST_CASE("the state is explained in sentences, with the failure that the service saved") {
  CHECK(text_of({}).find("is not installed.") != std::string::npos);
  CHECK(text_of(report(state::running)) == "'hello' is running.\n");
  CHECK(text_of(report(state::stopped)) ==
        "'hello' is stopped. It was stopped on request, or it has not been started since boot. It did not fail.\n");
  CHECK(text_of(report(state::stopped, 10048, "listen on '127.0.0.1:80': the port is taken")) ==
        "'hello' is stopped. It ended with 10048: the port is taken.\nIt reported: listen on '127.0.0.1:80': the port "
        "is taken\n");
  CHECK(text_of(report(state::stopped, 1067)) ==
        "'hello' is stopped. It ended with 1067: the process ended unexpectedly. Try this: read its log and the event "
        "log.\n");
}

TEST_CASE("the last log lines, the last problems and the newest minidump are read from the data folder") {
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

  const auto result =  winsvc::detail::diagnose::collect_post_mortem(report(state::stopped, 1067), data.path);

  CHECK(result.dump.find("hello-20260201-080509-8.dmp") != std::string::npos);
  CHECK(format_post_mortem(result).find("An earlier crash wrote a minidump: ") != std::string::npos);
  auto crashed = report(state::stopped, 1067, "crashed: an access violation; dump: " + result.dump);
  CHECK(format_post_mortem(winsvc::detail::diagnose::collect_post_mortem(std::move(crashed), data.path))
            .find("This crash wrote a minidump: " + result.dump) != std::string::npos);
  CHECK(result.last_problems.find("the store is gone") != std::string::npos);
  CHECK(result.last_log_lines.find("line 3") != std::string::npos);
  CHECK(result.last_log_lines.find("line 2") == std::string::npos);
  CHECK(format_post_mortem(result).find(
            "Last warnings and errors in its log:\n  2026-01-31T08:05:09.250+00:00 ERROR the store is gone\n") !=
        std::string::npos);
  CHECK(winsvc::detail::diagnose::collect_post_mortem(report(state::running), data.path + "/none")
            .last_log_lines.empty());
}

TEST_CASE("a warning in the last log lines is shown once, and the failure of an earlier run is not shown") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  std::string log;
  for (const char* text : {"WARN  one", "INFO  two", "WARN  three"})
    log += "2026-01-31T08:05:09.250+00:00 " + std::string(text) + '\n';
  std::ofstream(data.path + "/logs/hello.log", std::ios::binary) << log;
  std::ofstream(data.path + "/logs/hello-20260131-080509-7.dmp") << "x";
  auto running = report(state::running, 0, "the port was taken");
  running.process.pid = 7;
  running.saved_state.pid = 5;

  const std::string reported = format_post_mortem(winsvc::detail::diagnose::collect_post_mortem(running, data.path));

  CHECK(reported.find("Last warnings") == std::string::npos);
  CHECK(reported.find("the port was taken") == std::string::npos);
  CHECK(reported.find("An earlier crash wrote a minidump: ") != std::string::npos);
}

TEST_CASE("the JSON of why is one object with the members of status, also if the service runs") {
  auto running = report(state::running);
  running.live_status = "{\"pid\":7,\"state\":\"running\"}";
  for (const auto& described : {running, report(state::stopped, 1067)}) {
    post_mortem data;
    data.report = described;
    data.last_log_lines = "a {brace}\nb\n";
    const auto json = winsvc::json::parse(post_mortem_json(data));
    CHECK(json.at("name") == "hello");
    CHECK(json.at("log") == winsvc::json{"a {brace}", "b"});
    CHECK(json.at("text") == format_post_mortem(data));
    CHECK(json.at("live").is_object() == (json.at("state") == "running"));
  }
}

TEST_CASE("the newest three events of the service control manager are shown, oldest first") {
  winsvc::detail::diagnose::system_probe probe;
  probe.system_events = [] {
    std::vector<winsvc::detail::scm::event_record> events;
    for (int i = 5; i > 0; --i) {
      winsvc::detail::scm::event_record event;
      event.id = 7034;
      event.source = "Service Control Manager";
      event.insertion_strings = {i == 4 ? "Other service" : "Hello service", std::to_string(i)};
      events.push_back(event);
    }
    return winsvc::detail::os::sys_result<std::vector<winsvc::detail::scm::event_record>>(events);
  };
  auto stopped = report(state::stopped, 1067);
  stopped.config.display_name = "Hello service";

  const auto data =  winsvc::detail::diagnose::collect_post_mortem(stopped, "/nowhere", probe);

  REQUIRE(data.scm_events.size() == 3);
  CHECK(data.scm_events[0].find("it ended unexpectedly, 2 time(s) so far") != std::string::npos);
  CHECK(data.scm_events[2].find("it ended unexpectedly, 5 time(s) so far") != std::string::npos);
  CHECK(format_post_mortem(data).find("Events of the service control manager:\n  1970-01-01T") != std::string::npos);
}

TEST_CASE("a stop with a reason is explained with its time and user") {
  auto stopped = report(state::stopped);
  const auto saved = winsvc::detail::scm::parse_saved_state(
      R"~({"pid":7,"when":"2026-01-31T08:05:09.250Z","stop_reason":"maintenance (by CORP\\anna)"})~");
  REQUIRE(saved);
  stopped.saved_state = *saved;
  CHECK(text_of(stopped) ==
        "'hello' is stopped. It was stopped at 2026-01-31T08:05:09.250Z: maintenance (by CORP\\anna).\n");
  post_mortem data;
  data.report = stopped;
  CHECK(winsvc::json::parse(post_mortem_json(data)).at("stop_reason") == "maintenance (by CORP\\anna)");
}

TEST_CASE("a warning of the app that begins with stopping is among the last problems") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs");
  std::ofstream log(data.path + "/logs/hello.log", std::ios::binary);
  log << "2026-01-31T08:05:09.250+00:00 WARN  stopping: the belt\n";
  for (int i = 0; i < 5; ++i) log << "2026-01-31T08:05:09.250+00:00 INFO  line\n";
  log.close();
  const auto result = winsvc::detail::diagnose::collect_post_mortem(report(state::running), data.path);
  CHECK(result.last_problems == "2026-01-31T08:05:09.250+00:00 WARN  stopping: the belt\n");
}

TEST_CASE("a log that a running service cannot write is reported") {
  auto running = report(state::running);
  running.live_status = R"({"pid":7,"log_failure":"the log file cannot be written since 08:05: the disk is full"})";
  CHECK(text_of(running) ==
        "'hello' is running.\nIts log: the log file cannot be written since 08:05: the disk is full\n");
}

#ifndef _WIN32
TEST_CASE("a file in place of the folder of the log is reported") {
  folder data;
  std::ofstream(data.path + "/logs") << "x";
  const std::string reported =
      format_post_mortem(winsvc::detail::diagnose::collect_post_mortem(report(state::stopped), data.path));
  CHECK(reported.find("Its log cannot be read: ") != std::string::npos);
}

TEST_CASE("a log that exists but cannot be read is reported") {
  folder data;
  std::filesystem::create_directories(data.path + "/logs/hello.log");  // a folder with the name of the file
  const std::string reported =
      format_post_mortem(winsvc::detail::diagnose::collect_post_mortem(report(state::stopped), data.path));
  CHECK(reported.find("Its log cannot be read: ") != std::string::npos);
}
#endif
