// What became of a service, told from what it left.
#include "../host/support.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace support;
using winsvc::host::evidence;
using winsvc::host::service_report;
using winsvc::model::state;

namespace {

service_report report(state now, std::uint32_t code = 0, const std::string& failure = {}) {
  service_report r;
  r.name = "hello";
  r.installed = true;
  r.process.status.current = now;
  r.process.status.exit.win32 = code;
  r.left.failure = failure;
  return r;
}
std::string told(service_report r) {
  evidence of;
  of.report = std::move(r);
  return why_text(of);
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

  const auto of = winsvc::host::gather(report(state::stopped, 1067), data.path);

  CHECK(of.dump.find("hello-20260201-080509-8.dmp") != std::string::npos);
  CHECK(of.trouble.find("the store is gone") != std::string::npos);
  CHECK(of.last_lines.find("line 3") != std::string::npos);
  CHECK(of.last_lines.find("line 2") == std::string::npos);
  CHECK(why_text(of).find("The last trouble in its log:\n  2026-01-31T08:05:09.250+00:00 ERROR the store is gone\n") !=
        std::string::npos);
  CHECK(winsvc::host::gather(report(state::running), data.path + "/none").last_lines.empty());
}
