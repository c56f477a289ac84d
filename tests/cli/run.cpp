// Command line of a program: output and exit code of each verb. The standard streams are captured by descriptor, which
// requires POSIX; the output of Windows programs is tested end to end.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#ifndef _WIN32

  #include <fcntl.h>
  #include <unistd.h>

  #include <csignal>
  #include <cstdio>
  #include <cstdlib>
  #include <functional>
  #include <memory>
  #include <optional>
  #include <stdexcept>
  #include <string>
  #include <thread>
  #include <vector>

  #include "machine.hpp"

using winsvc::service;

namespace {

/// Captures the output of the process to a descriptor while it exists.
class captured_output {
 public:
  explicit captured_output(int fd) : fd_(fd), file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    saved_ = ::dup(fd_);
    ::dup2(::fileno(file_), fd_);
  }
  ~captured_output() {
    release();
    std::fclose(file_);
  }
  void release() {
    if (saved_ == -1) return;
    ::dup2(saved_, fd_);
    ::close(saved_);
    saved_ = -1;
  }
  std::string text() const {
    std::string text;
    char buffer[4096];
    for (off_t offset = 0;;) {
      const auto count = ::pread(::fileno(file_), buffer, sizeof buffer, offset);
      if (count <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
      offset += count;
    }
  }

 private:
  int fd_;
  std::FILE* file_;
  int saved_ = -1;
};

struct run_result {
  int code = 0;
  std::string out, err;
};

template <class App>
run_result run(App& app, const std::vector<std::string>& arguments) {
  run_result result;
  captured_output out(1), err(2);
  result.code = winsvc::detail::cli::run(winsvc::detail::api::app_of_callable(app), arguments);
  out.release();
  err.release();
  result.out = out.text();
  result.err = err.text();
  return result;
}

std::string program() { return winsvc::detail::os::program_name(winsvc::detail::os::executable_path()); }

}  // namespace

TEST_CASE("help is printed without arguments and for each spelling of help, with exit code 0") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}, {"HELP"}, {"/?"}}) {
    const auto result = run(app, arguments);
    CHECK(result.code == 0);
    CHECK(result.err.empty());
    CHECK(result.out.find("Hello service: says hello\n\nusage: " + program() + " VERB [options]\n") == 0);
    CHECK(has(result.out, "install"));
    CHECK(!has(result.out, "run-service"));
  }
  CHECK(has(run(app, {"help", "install"}).out, "--startup auto|delayed|manual|disabled"));
  CHECK(has(run(app, {"install", "--help"}).out, "--startup auto|delayed|manual|disabled"));
}

TEST_CASE("version names the program, winsvc and cpp-httplib") {
  const auto result = run(app, {"version"});

  CHECK(result.code == 0);
  CHECK(result.out == "hello 1.2.3, winsvc " WINSVC_VERSION_STRING ", cpp-httplib " CPPHTTPLIB_VERSION "\n");
}

TEST_CASE("WINSVC_APP_VERSION is the version of an app that sets none") {
  const auto version_of = [](auto& app) {
    char name[] = "hello", verb[] = "version";
    char* arguments[] = {name, verb, nullptr};
    captured_output out(1);
    CHECK(winsvc::detail::api::run_program(winsvc::detail::api::app_of_callable(app), 2, arguments, "7.8.9") == 0);
    out.release();
    return out.text();
  };
  auto without_version = [](service& svc) { svc.name("hello"); };

  CHECK(version_of(without_version).find("hello 7.8.9, winsvc ") == 0);
  CHECK(version_of(app).find("hello 1.2.3, winsvc ") == 0);
}

TEST_CASE("routes are listed with method, pattern and source line, and as JSON") {
  const auto text = run(app, {"routes"});
  const auto json = run(app, {"routes", "--json"});

  CHECK(text.code == 0);
  CHECK(text.out == "GET     /            app.cpp:7\nPOST    /users/{id}  app.cpp:8\n");
  CHECK(json.out ==
        "[{\"method\":\"GET\",\"pattern\":\"/\",\"name\":null,\"source\":\"app.cpp:7\"},\n "
        "{\"method\":\"POST\",\"pattern\":\"/users/{id}\",\"name\":null,\"source\":\"app.cpp:8\"}]\n");
  CHECK(winsvc::json::parse(json.out).size() == 2);
}

TEST_CASE("routes shows the names of routes") {
  auto named = [](service& svc) {
    svc.get("/", [] { return ""; }, {"app.cpp", 7});
    svc.get("/users/{id}", [](int) { return ""; }, {"app.cpp", 8}).name("user");
  };

  CHECK(run(named, {"routes"}).out == "GET     /                  app.cpp:7\nGET     /users/{id}  user  app.cpp:8\n");
  CHECK(winsvc::json::parse(run(named, {"routes", "--json"}).out)[1]["name"] == "user");
}

TEST_CASE("a usage error is one line with a suggestion, and exit code 2") {
  struct { std::vector<std::string> arguments; const char* message; } const cases[] = {
      {{"instal"}, "unknown verb 'instal'; did you mean 'install'?"},
      {{"start", "--prot", "1"}, "--prot"},
      {{"install", "--port", "70000"}, "a port is a number from 0 to 65535"},
      {{"install", "--port"}, "--port needs a value"},
      {{"status", "now"}, "'status' does not accept the argument 'now'"},
      {{"help", "fly"}, "unknown verb 'fly'"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.message);
    const auto result = run(app, row.arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(result.err.find(program() + ": ") == 0);
    CHECK(has(result.err, row.message));
    CHECK(result.err.find('\n') == result.err.size() - 1);
  }
}

TEST_CASE("a setup error or an exception of the app is shown for each verb") {
  auto twice = [](service& svc) {
    svc.get("/", [] { return ""; }, {"a.cpp", 1});
    svc.get("/", [] { return ""; }, {"a.cpp", 2});
  };
  auto throws = [](service&) { throw std::runtime_error("no device"); };

  const auto setup = run(twice, {"routes"});
  CHECK(setup.code == 2);
  CHECK(has(setup.err, "a.cpp:1"));
  CHECK(has(setup.err, "a.cpp:2"));
  const auto exception = run(throws, {"help"});
  CHECK(exception.code == winsvc::detail::os::exit_code(1064));
  CHECK(
      has(exception.err, "no device (1064); open resources in on_start, because the app function runs for every verb"));
}

TEST_CASE("without an SCM the service verbs fail and name the alternative") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"install"}, {"update"}, {"remove"}, {"start"}, {"stop"}, {"restart"},
                                             {"pause"}, {"continue"}, {"reload"}, {"control", "200"}, {"status"}}) {
    CAPTURE(arguments[0]);
    const auto result = run(app, arguments);
    CHECK(result.code == 50);
    CHECK(result.out.empty());
    CHECK(has(result.err,
              "'hello': Windows services are not available on this system (50); use 'debug' to run in the terminal"));
  }
  CHECK(has(run(app, {"run-service"}).err, "was not started by the service control manager"));
}

namespace {

const std::vector<std::string> as_anna{"install", "--username", "CORP\\anna"};
std::vector<std::string> append(std::vector<std::string> arguments, std::vector<std::string> more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("the verbs manage the service of the app, and the exit code is 0 or the system's code") {
  test_machine m;
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::detail::scm::state::running)};
  m.scm->after_stop = {winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped)};

  CHECK(m.run({"status"}) == 4);
  CHECK(m.run({"update"}) == winsvc::detail::os::exit_code(1060));
  CHECK(m.err == "hello: update 'hello': it is not installed (1060); install it first\n");
  CHECK(m.run({"install", "--start"}) == 0);
  CHECK(m.out == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\n"
                 "starting 'hello': at the first start, Windows creates a profile for 'NT SERVICE\\hello', which may take "
                 "several seconds\nstarted 'hello'\n");
  CHECK(m.run({"status"}) == 0);
  CHECK(m.run({"control", "200"}) == 0);
  CHECK(m.run({"reload"}) == 0);
  CHECK(m.run({"stop"}) == 0);
  CHECK(m.run({"status"}) == 3);
  CHECK(m.run({"remove"}) == 0);
  CHECK(m.run({"status"}) == 4);
  CHECK(m.scm->services.empty());
  CHECK(m.elevations == 0);
}

TEST_CASE("settings that are set at install stay with the service, and config shows them") {
  test_machine m;
  auto greeter = [](service& svc) {
    svc.name("hello");
    svc.setting("greeting", "hello", "text of the response");
    svc.setting("count", 1, "how often");
    svc.setting("token", "", "of the store", winsvc::secret);
  };
  const auto binary = [&m] { return m.scm->services.at("hello").config.binary; };
  const std::string exe = "\"C:\\apps\\hello.exe\" run-service";

  CHECK(m.run(greeter, {"install", "--set", "greeting=hi you", "--set", "count=2", "--port", "5001"}) == 0);
  CHECK(binary() == exe + " --port 5001 --set \"greeting=hi you\" --set count=2");
  CHECK(m.run(greeter, {"update", "--set", "COUNT=3"}) == 0);
  CHECK(binary() == exe + " --port 5001 --set \"greeting=hi you\" --set COUNT=3");
  m.scm->services.at("hello").environment = {"HELLO_TOKEN=s3cret", "HELLO_COUNT=9"};

  CHECK(m.run(greeter, {"config"}) == 0);
  CHECK(has(m.out, "greeting = hi you    --set greeting\n    text of the response: a text; default: hello\n"));
  CHECK(has(m.out, "count = 3            --set COUNT\n"));
  CHECK(has(m.out, "HELLO_TOKEN\n"));
  CHECK(has(m.out, "port = 5001          --port\n"));
  CHECK_FALSE(has(m.out, "s3cret"));
  CHECK(m.run(greeter, {"config", "--json", "--set", "count=7"}) == 0);
  const auto settings = winsvc::json::parse(m.out);
  CHECK(settings[1]["value"] == "7");
  CHECK(settings[2]["value"] == nullptr);
  CHECK(settings[2]["source"] == "HELLO_TOKEN");
  CHECK_FALSE(has(m.out, "s3cret"));

  CHECK(m.run(greeter, {"update", "--unset", "greeting", "--unset", "count"}) == 0);
  CHECK(binary() == exe + " --port 5001");
  m.scm->calls.clear();
  CHECK(m.run(greeter, {"install", "--set", "greting=hi"}) == 2);
  CHECK(m.err == "hello: --set greting: there is no setting 'greting'; did you mean 'greeting'?\n");
  CHECK(m.run(greeter, {"install", "--set", "count=many"}) == 2);
  CHECK(m.run(greeter, {"install", "--set", "token=s3cret"}) == 2);
  CHECK(has(m.err, "is a secret and is not accepted on a command line"));
  CHECK(m.run(greeter, {"install", "--env", "hello_token=s3cret"}) == 2);
  CHECK(has(m.err, "--env HELLO_TOKEN: 'token' is a secret"));
  CHECK_FALSE(has(m.err, "s3cret"));
  CHECK(m.run(greeter, {"install", "--set", "count"}) == 2);
  CHECK(has(m.err, "write NAME=VALUE"));
  CHECK(m.scm->calls.empty());
}

TEST_CASE("reload checks the settings file first, and is not sent if the file is invalid") {
  test_machine m;
  auto counts = [](service& svc) { svc.name("hello"); svc.setting("count", 1, "how often"); };
  const std::string path =
      winsvc::detail::os::path_join(winsvc::detail::os::temporary_folder(),
                                    "winsvc-reload-" + std::to_string(winsvc::detail::os::process_id()) + ".ini");
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::detail::scm::state::running)};
  CHECK(winsvc::detail::os::replace_file(path, "count = 2\n"));
  CHECK(m.run(counts, {"install", "--config", path, "--start"}) == 0);
  CHECK(m.run(counts, {"reload"}) == 0);
  CHECK(m.out == "sent 'reload' to 'hello'\n");

  CHECK(winsvc::detail::os::replace_file(path, "count = many\n"));
  CHECK(m.run(counts, {"reload"}) == 13);
  winsvc::detail::os::remove_file(path);
  CHECK(m.out.empty());
  CHECK(has(m.err, ".ini:1': 'count' must be a whole number, but is 'many' (13)\n"));
  CHECK(has(m.err, ": the service was not reloaded; correct the settings and run 'reload' again\n"));
}

TEST_CASE("logs, config, reload and status reject a service of another program, and leave its options alone") {
  test_machine m;
  m.scm->add("hello", "C:\\Program Files\\other.exe --port 99", winsvc::detail::scm::state::stopped);
  for (const std::string verb : {"logs", "config", "reload", "status", "show"}) {
    CAPTURE(verb);
    CHECK(m.run({verb}) == winsvc::detail::os::exit_code(1073));
    CHECK(m.err.find("hello: " + verb + " 'hello': a service of another program has this name") == 0);
    CHECK(m.out.empty());
  }
  CHECK(m.run({"doctor"}) == 1);
  CHECK(m.out.find("99") == m.out.find("other.exe --port 99") + std::string("other.exe --port ").size());
}

TEST_CASE("config --init writes the settings file, once") {
  auto greeter = [](service& svc) {
    svc.setting("greeting", "hello", "text of the response");
    svc.setting("db_password", "s3cret", "password of the database");
  };
  const std::string path =
      winsvc::detail::os::path_join(winsvc::detail::os::temporary_folder(),
                                    "winsvc-init-" + std::to_string(winsvc::detail::os::process_id()) + ".ini");
  const auto first = run(greeter, {"config", "--init", "--config", path});
  const auto second = run(greeter, {"config", "--init", "--config", path});
  const std::string written = winsvc::detail::os::read_file(path).value_or("");
  winsvc::detail::os::remove_file(path);

  CHECK(first.code == 0);
  CHECK(first.out == "wrote " + path + '\n');
  CHECK(has(written, "\n# text of the response (a text)\n#greeting = hello\n"));
  CHECK(has(written, "\n#db_password ="));
  CHECK_FALSE(has(written, "s3cret"));
  CHECK(second.code != 0);
  CHECK(has(second.err, "move it, or choose another file with --config"));
}

TEST_CASE("the preshutdown timeout is the stop limit of the app plus 5 s") {
  test_machine m;
  CHECK(m.run({"install"}) == 0);
  CHECK(winsvc::detail::scm::format_config_level(m.scm->services.at("hello").levels.at(7)) == "25s");
}

TEST_CASE("for each verb an instance is a separate service with its own name and data folder") {
  test_machine m;
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::detail::scm::state::running)};

  CHECK(m.run({"install", "--instance", "blue", "--port", "5002"}) == 0);
  CHECK(m.run({"start", "--instance", "blue"}) == 0);
  CHECK(m.run({"status", "--instance", "blue"}) == 0);
  CHECK(m.run({"status"}) == 4);

  const auto& installed = m.scm->services.at("hello$blue");
  CHECK(installed.config.display_name == "Hello service (blue)");
  CHECK(installed.config.binary == "\"C:\\apps\\hello.exe\" run-service --instance blue --port 5002");
  CHECK(m.scm->folders.count("C:\\ProgramData\\hello$blue") == 1);
  CHECK(m.run({"remove", "--instance", "green"}) == 0);
  CHECK(m.out == "'hello$green' is not installed\n");
  CHECK(m.run({"start", "--instance", "a/b"}) == 2);
}

TEST_CASE("the app can read the name of its instance") {
  std::string instance = "none";
  auto reads_instance = [&instance](service& svc) { instance = svc.instance(); };
  CHECK(run(reads_instance, {"status", "--instance", "blue"}).code == 50);
  CHECK(instance == "blue");
  run(reads_instance, {"status"});
  CHECK(instance.empty());
}

TEST_CASE("if access is denied, the verb runs elevated, with the output and exit code of the child") {
  test_machine m;
  m.scm->fail_with["open_manager"] = 5;
  m.elevation = std::uint32_t{77};

  CHECK(m.run({"install", "--port", "80", "--start"}) == 77);

  CHECK(m.elevations == 1);
  CHECK(m.elevated_with == std::vector<std::string>{"install", "--port", "80", "--start"});
  CHECK(m.elevated_input.empty());
  CHECK(m.out == "output of the child\n");
  CHECK(m.err == "warning of the child\n");
}

TEST_CASE("each verb that changes a service is elevated once, --plan and status never") {
  test_machine m;
  m.scm->fail_with["open_manager"] = 5;
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"install"}, {"update"}, {"remove"}, {"start"}, {"stop"}, {"restart"},
                                             {"pause"}, {"continue"}, {"reload"}, {"control", "200"}}) {
    CAPTURE(arguments[0]);
    m.elevations = 0;
    CHECK(m.run(arguments) == 0);
    CHECK(m.elevations == 1);
    CHECK(m.run(append(arguments, {"--no-elevate"})) == 5);
    CHECK(has(m.err, "access denied (5); run from an elevated prompt\n"));
    CHECK(m.run(append(arguments, {"--elevated", "pipe"})) == 5);  // it is already elevated, and access is denied again
    CHECK(m.elevations == 1);
  }
  CHECK(m.run({"install", "--plan"}) == 5);
  CHECK(m.run({"status"}) == 5);
  CHECK(m.elevations == 1);
}

TEST_CASE("a stop reason that only the elevated process can deliver causes no warning") {
  test_machine m;
  m.scm->fail_with["open_service"] = 5;
  CHECK(m.run({"stop", "--why", "a new disk"}) == 0);
  CHECK(m.elevations == 1);
  CHECK(m.err == "warning of the child\n");
  CHECK(m.run({"stop", "--why", "a new disk", "--no-elevate"}) == 5);
  CHECK(has(m.err, "warning: the stop reason was not delivered"));
}

TEST_CASE("start arguments reach the elevated process") {
  test_machine m;
  m.scm->fail_with["open_service"] = 5;
  CHECK(m.run({"start", "--", "--fast", "a b"}) == 0);
  CHECK(m.elevated_with == std::vector<std::string>{"start", "--argument=--fast", "--argument=a b"});
  m.scm->fail_with.clear();
  m.scm->add("hello", "\"C:\\apps\\hello.exe\" run-service");
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::detail::scm::state::running)};
  m.scm->calls.clear();
  CHECK(m.run(append(m.elevated_with, {"--elevated", "pipe"})) == 0);
  CHECK(std::count(m.scm->calls.begin(), m.scm->calls.end(), "start_service(--fast a b)") == 1);
}

TEST_CASE("a refused elevation has its own error; if elevation is not available, the first error is shown") {
  test_machine m;
  m.scm->fail_with["open_manager"] = 5;
  m.elevation = winsvc::detail::os::sys_failure(1223);
  CHECK(m.run({"install"}) == winsvc::detail::os::exit_code(1223));
  CHECK(m.err ==
        "hello: install 'hello': the elevation was refused (1223); accept the elevation request, or run from an "
        "elevated prompt\n");
  m.elevation = winsvc::detail::os::sys_failure(50);
  CHECK(m.run({"install"}) == 5);
  CHECK(m.err == "hello: install 'hello': access denied (5); run from an elevated prompt\n");
}

TEST_CASE("error 5 of a service does not cause an elevation") {
  test_machine m;
  m.scm->add("hello", "\"C:\\apps\\hello.exe\" run-service", winsvc::detail::scm::state::running)
      .replies_to_controls[200] = 5;
  CHECK(m.run({"control", "200"}) == 5);
  m.scm->services.at("hello").process = winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped);
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::detail::scm::state::stopped, 0, 0, {5, 0})};
  CHECK(m.run({"start"}) == 5);
  CHECK(m.elevations == 0);
}

TEST_CASE("a password is typed at a prompt or piped, and never shown") {
  test_machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  m.typed = "se cret";
  CHECK(m.run(as_anna) == 0);
  CHECK(m.err == "password of CORP\\anna: ");
  CHECK(m.scm->services.at("hello").password == "se cret");
  CHECK(!has(m.out, "se cret"));

  test_machine piped_machine;
  piped_machine.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  piped_machine.piped = "piped";
  CHECK(piped_machine.run(append(as_anna, {"--password-stdin"})) == 0);
  CHECK(piped_machine.scm->services.at("hello").password == "piped");
  CHECK(piped_machine.prompts == 0);
}

TEST_CASE("a missing password is an error, and nothing is installed") {
  test_machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  CHECK(m.run(as_anna) == winsvc::detail::os::exit_code(1223));
  CHECK(has(m.err, "hello: read the password of 'CORP\\anna': it cannot be read from the terminal: "));
  CHECK(has(m.err, "type it, or pipe it with --password-stdin\n"));
  CHECK(m.run(append(as_anna, {"--password-stdin"})) == 2);
  CHECK(has(m.err, "read the password of 'CORP\\anna': standard input has ended; pipe it as one line\n"));
  CHECK(m.scm->services.empty());
  CHECK(m.run({"install", "--password", "secret"}) == 2);
  CHECK(has(m.err, "--password is not supported: "));
}

TEST_CASE("the parent reads the password once and passes it to the elevated process") {
  test_machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  m.typed = "secret";
  m.scm->fail_call_with = {{3, 5}};  // queries are allowed, create is not
  CHECK(m.run(as_anna) == 0);
  CHECK(m.elevations == 1);
  CHECK(m.prompts == 1);
  CHECK(m.elevated_input == "secret");
  CHECK(m.elevated_with == as_anna);

  test_machine restricted;  // queries are denied too
  restricted.typed = "secret";
  restricted.scm->fail_with["open_manager"] = 5;
  CHECK(restricted.run(as_anna) == 0);
  CHECK(restricted.elevated_input == "secret");

  m.scm->fail_call_with.clear();
  CHECK(m.run(append(as_anna, {"--elevated", "pipe"})) == winsvc::detail::os::exit_code(1223));
  CHECK(has(m.err, "the elevated process did not receive it"));
  m.from_parent = "secret";
  CHECK(m.run(append(as_anna, {"--elevated", "pipe"})) == 0);
  CHECK(m.prompts == 1);
  CHECK(m.scm->services.at("hello").password == "secret");
}

TEST_CASE("an elevated process that cannot connect to its parent does nothing") {
  test_machine m;
  CHECK(m.run({"install", "--elevated", "\\\\elsewhere\\pipe"}) == 123);
  CHECK(m.scm->calls.empty());
}

TEST_CASE("debug shows routes, requests and log, serves until it is interrupted, and drains") {
  char before[4096];
  REQUIRE(::getcwd(before, sizeof before) != nullptr);
  int stopped_workers = 0;
  auto with_worker = [&](service& svc) {
    app(svc);
    svc.worker("client", [&](winsvc::stop_token stop) {
      std::raise(SIGINT);
      if (stop.wait_for(std::chrono::seconds(5))) ++stopped_workers;
    });
  };

  const auto result = run(with_worker, {"debug", "--port", "0"});

  CHECK(result.code == 0);
  CHECK(stopped_workers == 1);
  CHECK(has(result.err, "GET     /            app.cpp:7\n"));
  CHECK(has(result.err, "hello: http://127.0.0.1:"));
  CHECK(has(result.err, "stopping: Ctrl-C"));
  CHECK(has(result.err, "stopped\n"));
  CHECK(::chdir(before) == 0);
}

TEST_CASE("debug has the name of its instance and runs in the folder of the program, other verbs do not change it") {
  const auto current = [] {
    char folder[4096] = "";
    return std::string(::getcwd(folder, sizeof folder) != nullptr ? folder : "");
  };
  const std::string before = current();
  std::string folder;
  auto with_worker = [&](service& svc) {
    app(svc);
    folder = current();
    svc.worker("client", [](const winsvc::stop_token&) { std::raise(SIGINT); });
  };
  REQUIRE(::chdir("/") == 0);
  run(with_worker, {"version"});
  CHECK(folder == "/");

  const auto result = run(with_worker, {"debug", "--instance", "blue", "--port", "0"});
  CHECK(::chdir(before.c_str()) == 0);

  CHECK(result.code == 0);
  CHECK(folder == winsvc::detail::os::folder_of(winsvc::detail::os::executable_path()));
  CHECK(has(result.err, "hello$blue: http://127.0.0.1:"));
}

TEST_CASE("debug on a taken port ends with its code and a sentence") {
  auto listener = winsvc::detail::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(listener);
  const auto port = std::to_string(listener->local().port);

  const auto result = run(app, {"debug", "--port", port});

  CHECK(result.code == 10048);
  CHECK(has(result.err, "listen on '127.0.0.1:" + port + "': the port is taken"));
}

#endif
