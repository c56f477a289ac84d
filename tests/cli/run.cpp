// From words to what is printed and the exit code. What goes to the standard streams is caught by descriptor, which is
// POSIX; what a Windows program says is tested end to end.
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

using winsvc::service;

namespace {

/// What the process writes to a descriptor while this lives.
class caught {
 public:
  explicit caught(int fd) : fd_(fd), file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    saved_ = ::dup(fd_);
    ::dup2(::fileno(file_), fd_);
  }
  ~caught() {
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
    std::string all;
    char buffer[4096];
    for (off_t at = 0;;) {
      const auto n = ::pread(::fileno(file_), buffer, sizeof buffer, at);
      if (n <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(n));
      at += n;
    }
  }

 private:
  int fd_;
  std::FILE* file_;
  int saved_ = -1;
};

struct outcome {
  int code = 0;
  std::string out, err;
};

template <class App>
outcome run(App& app, const std::vector<std::string>& arguments) {
  outcome o;
  caught out(1), err(2);
  o.code = winsvc::host::run(winsvc::host::app_of_callable(app), arguments);
  out.release();
  err.release();
  o.out = out.text();
  o.err = err.text();
  return o;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string program() { return winsvc::os::program_name(winsvc::os::executable_path()); }

void app(service& svc) {
  svc.name("hello").display_name("Hello service").description("says hello").version("1.2.3").listen("127.0.0.1", 0);
  svc.get("/", [] { return "hello"; }, {"src/app.cpp", 7});
  svc.post("/users/{id}", [](int) { return "x"; }, {"src/app.cpp", 8});
}

}  // namespace

TEST_CASE("help is printed for no words, for help, and for every spelling of it, with exit code 0") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}, {"HELP"}, {"/?"}}) {
    const auto o = run(app, arguments);
    CHECK(o.code == 0);
    CHECK(o.err.empty());
    CHECK(o.out.find("Hello service: says hello\n\nusage: " + program() + " VERB [options]\n") == 0);
    CHECK(has(o.out, "install"));
    CHECK(!has(o.out, "run-service"));
  }
  CHECK(has(run(app, {"help", "install"}).out, "--startup auto|delayed|manual|disabled"));
  CHECK(has(run(app, {"install", "--help"}).out, "--startup auto|delayed|manual|disabled"));
}

TEST_CASE("version names the program, winsvc and cpp-httplib") {
  const auto o = run(app, {"version"});

  CHECK(o.code == 0);
  CHECK(o.out == "hello 1.2.3, winsvc " WINSVC_VERSION_STRING ", cpp-httplib " CPPHTTPLIB_VERSION "\n");
}

TEST_CASE("routes are listed with method, pattern and source line, and as JSON") {
  const auto o = run(app, {"routes"});
  const auto j = run(app, {"routes", "--json"});

  CHECK(o.code == 0);
  CHECK(o.out == "GET     /            app.cpp:7\nPOST    /users/{id}  app.cpp:8\n");
  CHECK(j.out ==
        "[{\"method\":\"GET\",\"pattern\":\"/\",\"name\":null,\"source\":\"app.cpp:7\"},\n "
        "{\"method\":\"POST\",\"pattern\":\"/users/{id}\",\"name\":null,\"source\":\"app.cpp:8\"}]\n");
  CHECK(winsvc::json::parse(j.out).size() == 2);
}

TEST_CASE("routes shows the names of those that have one") {
  auto named = [](service& svc) {
    svc.get("/", [] { return ""; }, {"app.cpp", 7});
    svc.get("/users/{id}", [](int) { return ""; }, {"app.cpp", 8}).name("user");
  };

  CHECK(run(named, {"routes"}).out == "GET     /                  app.cpp:7\nGET     /users/{id}  user  app.cpp:8\n");
  CHECK(winsvc::json::parse(run(named, {"routes", "--json"}).out)[1]["name"] == "user");
}

TEST_CASE("a usage error is one line with a suggestion, and exit code 2") {
  struct { std::vector<std::string> words; const char* said; } const cases[] = {
      {{"instal"}, "unknown verb 'instal'; did you mean 'install'?"},
      {{"start", "--prot", "1"}, "--prot"},
      {{"install", "--port", "70000"}, "a port is a number from 0 to 65535"},
      {{"install", "--port"}, "--port needs a value"},
      {{"status", "now"}, "'status' does not accept the argument 'now'"},
      {{"help", "fly"}, "unknown verb 'fly'"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.said);
    const auto o = run(app, one.words);
    CHECK(o.code == 2);
    CHECK(o.out.empty());
    CHECK(o.err.find(program() + ": ") == 0);
    CHECK(has(o.err, one.said));
    CHECK(o.err.find('\n') == o.err.size() - 1);
  }
}

TEST_CASE("a mistake in the app is shown for every verb, and so is what the app throws") {
  auto twice = [](service& svc) {
    svc.get("/", [] { return ""; }, {"a.cpp", 1});
    svc.get("/", [] { return ""; }, {"a.cpp", 2});
  };
  auto throws = [](service&) { throw std::runtime_error("no device"); };

  const auto t = run(twice, {"routes"});
  CHECK(t.code == 2);
  CHECK(has(t.err, "a.cpp:1"));
  CHECK(has(t.err, "a.cpp:2"));
  const auto x = run(throws, {"help"});
  CHECK(x.code == winsvc::os::exit_code(1064));
  CHECK(has(x.err, "no device (1064); open things in on_start: the app is described for every verb"));
}

TEST_CASE("the verbs of the SCM say where there is none what there is instead") {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"install"}, {"update"}, {"remove"}, {"start"}, {"stop"}, {"restart"},
                                             {"pause"}, {"continue"}, {"reload"}, {"control", "200"}, {"status"}}) {
    CAPTURE(arguments[0]);
    const auto o = run(app, arguments);
    CHECK(o.code == 50);
    CHECK(o.out.empty());
    CHECK(has(o.err, "'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"));
  }
  CHECK(has(run(app, {"run-service"}).err, "was not started by the service control manager"));
}

namespace {

/// A machine of one's own: its services, what is printed, and what an elevated process would be told.
struct machine {
  std::shared_ptr<winsvc::testing::service_database> scm = std::make_shared<winsvc::testing::service_database>();
  winsvc::testing::manual_clock time;
  std::string out, err;
  std::vector<std::string> elevated_with;  // the words
  std::string given;                       // and the input
  int elevations = 0, prompts = 0;
  winsvc::os::sys_result<std::uint32_t> elevation = std::uint32_t{0};
  std::optional<std::string> typed, piped;
  std::string from_parent;

  machine() { scm->folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)"; }

  int run(const std::vector<std::string>& arguments) { return run(app, arguments); }
  template <class App>
  int run(App& described, const std::vector<std::string>& arguments) {
    out.clear();
    err.clear();
    winsvc::host::program_dependencies dependencies;
    dependencies.scm = scm;
    dependencies.executable = "C:\\apps\\hello.exe";
    dependencies.out = [this](std::string_view text) { out += text; };
    dependencies.err = [this](std::string_view text) { err += text; };
    dependencies.data_folder = [](const std::string& name) -> winsvc::os::sys_result<std::string> {
      return "C:\\ProgramData\\" + name;
    };
    dependencies.read_secret = [this](std::string_view prompt) -> winsvc::os::sys_result<std::string> {
      ++prompts;
      err += prompt;
      if (!typed) return winsvc::os::sys_failure(1223);
      return *typed;
    };
    dependencies.read_input_line = [this] { return piped; };
    dependencies.run_elevated = [this](std::vector<std::string> w, const std::string& input,
                                 const std::function<void(std::string_view)>& on_output) {
      ++elevations;
      elevated_with = std::move(w);
      given = input;
      on_output("said by the child\n");
      return elevation;
    };
    dependencies.join_parent = [this](const std::string& pipe) -> winsvc::os::sys_result<std::string> {
      if (pipe != "pipe") return winsvc::os::sys_failure(123);
      return from_parent;
    };
    return winsvc::host::run(winsvc::host::app_of_callable(described), arguments, dependencies);
  }
};

const std::vector<std::string> as_anna{"install", "--username", "CORP\\anna"};
std::vector<std::string> with(std::vector<std::string> arguments, std::vector<std::string> more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("the verbs manage the service that App names, and exit with 0 or the system's code") {
  machine m;
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::model::state::running)};
  m.scm->after_stop = {winsvc::testing::service_database::at(winsvc::model::state::stopped)};

  CHECK(m.run({"status"}) == 4);
  CHECK(m.run({"update"}) == winsvc::os::exit_code(1060));
  CHECK(m.err == "hello: update 'hello': it is not installed (1060); install it first\n");
  CHECK(m.run({"install", "--start"}) == 0);
  CHECK(m.out == "installed 'hello' (auto): \"C:\\apps\\hello.exe\" run-service\nstarted 'hello'\n");
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

TEST_CASE("settings that are given at install stay with the service, and config shows what it has") {
  machine m;
  auto greets = [](service& svc) {
    svc.name("hello");
    svc.setting("greeting", "hello", "what to say");
    svc.setting("count", 1, "how often");
    svc.setting("token", "", "of the store", winsvc::secret);
  };
  const auto binary = [&m] { return m.scm->services.at("hello").config.binary; };
  const std::string exe = "\"C:\\apps\\hello.exe\" run-service";

  CHECK(m.run(greets, {"install", "--set", "greeting=hi you", "--set", "count=2", "--port", "5001"}) == 0);
  CHECK(binary() == exe + " --port 5001 --set \"greeting=hi you\" --set count=2");
  CHECK(m.run(greets, {"update", "--set", "COUNT=3"}) == 0);
  CHECK(binary() == exe + " --port 5001 --set \"greeting=hi you\" --set COUNT=3");
  m.scm->services.at("hello").environment = {"HELLO_TOKEN=s3cret", "HELLO_COUNT=9"};

  CHECK(m.run(greets, {"config"}) == 0);
  CHECK(has(m.out, "greeting = hi you   --set greeting\n    what to say: a text; default: hello\n"));
  CHECK(has(m.out, "count = 3           --set COUNT\n"));
  CHECK(has(m.out, "HELLO_TOKEN\n"));
  CHECK(has(m.out, "port = 5001         --port\n"));
  CHECK_FALSE(has(m.out, "s3cret"));
  CHECK(m.run(greets, {"config", "--json", "--set", "count=7"}) == 0);
  const auto all = winsvc::json::parse(m.out);
  CHECK(all[1]["value"] == "7");
  CHECK(all[2]["value"] == nullptr);
  CHECK(all[2]["source"] == "HELLO_TOKEN");
  CHECK_FALSE(has(m.out, "s3cret"));

  CHECK(m.run(greets, {"update", "--unset", "greeting", "--unset", "count"}) == 0);
  CHECK(binary() == exe + " --port 5001");
  m.scm->socket_api.clear();
  CHECK(m.run(greets, {"install", "--set", "greting=hi"}) == 2);
  CHECK(m.err == "hello: --set greting: there is no setting 'greting'; did you mean 'greeting'?\n");
  CHECK(m.run(greets, {"install", "--set", "count=many"}) == 2);
  CHECK(m.run(greets, {"install", "--set", "token=s3cret"}) == 2);
  CHECK(has(m.err, "is a secret and is not accepted on a command line"));
  CHECK(m.run(greets, {"install", "--env", "hello_token=s3cret"}) == 2);
  CHECK(has(m.err, "--env HELLO_TOKEN: 'token' is a secret"));
  CHECK_FALSE(has(m.err, "s3cret"));
  CHECK(m.run(greets, {"install", "--set", "count"}) == 2);
  CHECK(has(m.err, "write NAME=VALUE"));
  CHECK(m.scm->socket_api.empty());
}

TEST_CASE("reload looks at the settings file first, and does not send the service what it would refuse") {
  machine m;
  auto counts = [](service& svc) { svc.name("hello"); svc.setting("count", 1, "how often"); };
  const std::string path = winsvc::os::path_join(winsvc::os::temporary_folder(),
                                                 "winsvc-reload-" + std::to_string(winsvc::os::process_id()) + ".ini");
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::model::state::running)};
  CHECK(winsvc::os::replace_file(path, "count = 2\n"));
  CHECK(m.run(counts, {"install", "--config", path, "--start"}) == 0);
  CHECK(m.run(counts, {"reload"}) == 0);
  CHECK(m.out == "told 'hello' to reload\n");

  CHECK(winsvc::os::replace_file(path, "count = many\n"));
  CHECK(m.run(counts, {"reload"}) == 13);
  winsvc::os::remove_file(path);
  CHECK(m.out.empty());
  CHECK(has(m.err, ".ini:1': 'count' must be a whole number, but is 'many' (13); the service was not told to reload\n"));
}

TEST_CASE("config --init writes the settings file, once") {
  auto greets = [](service& svc) { svc.setting("greeting", "hello", "what to say"); };
  const std::string path = winsvc::os::path_join(winsvc::os::temporary_folder(),
                                                 "winsvc-init-" + std::to_string(winsvc::os::process_id()) + ".ini");
  const auto first = run(greets, {"config", "--init", "--config", path});
  const auto second = run(greets, {"config", "--init", "--config", path});
  const std::string written = winsvc::os::read_file(path).value_or("");
  winsvc::os::remove_file(path);

  CHECK(first.code == 0);
  CHECK(first.out == "wrote " + path + '\n');
  CHECK(has(written, "\n# what to say (a text)\n#greeting = hello\n"));
  CHECK(second.code != 0);
  CHECK(has(second.err, "it is there already: move it away, or name another with --config"));
}

TEST_CASE("the preshutdown time-out is the app's, or its stop limit and 5 s") {
  machine m;
  CHECK(m.run({"install"}) == 0);
  CHECK(winsvc::model::format_config_level(m.scm->services.at("hello").levels.at(7)) == "25s");
}

TEST_CASE("an instance is another service, with a name and a data folder of its own, for every verb") {
  machine m;
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::model::state::running)};

  CHECK(m.run({"install", "--instance", "blue", "--port", "5002"}) == 0);
  CHECK(m.run({"start", "--instance", "blue"}) == 0);
  CHECK(m.run({"status", "--instance", "blue"}) == 0);
  CHECK(m.run({"status"}) == 4);

  const auto& e = m.scm->services.at("hello$blue");
  CHECK(e.config.display_name == "Hello service (blue)");
  CHECK(e.config.binary == "\"C:\\apps\\hello.exe\" run-service --instance blue --port 5002");
  CHECK(m.scm->folders.count("C:\\ProgramData\\hello$blue") == 1);
  CHECK(m.run({"remove", "--instance", "green"}) == 0);
  CHECK(m.out == "'hello$green' is not installed\n");
  CHECK(m.run({"start", "--instance", "a/b"}) == 2);
}

TEST_CASE("App knows which instance it describes") {
  std::string seen = "none";
  auto tells = [&seen](service& svc) { seen = svc.instance(); };
  CHECK(run(tells, {"status", "--instance", "blue"}).code == 50);
  CHECK(seen == "blue");
  run(tells, {"status"});
  CHECK(seen.empty());
}

TEST_CASE("where Windows says no, the same is done elevated: output and exit code are the child's") {
  machine m;
  m.scm->fail_with["open_manager"] = 5;
  m.elevation = std::uint32_t{77};

  CHECK(m.run({"install", "--port", "80", "--start"}) == 77);

  CHECK(m.elevations == 1);
  CHECK(m.elevated_with == std::vector<std::string>{"install", "--port", "80", "--start"});
  CHECK(m.given.empty());
  CHECK(m.out == "said by the child\n");
  CHECK(m.err.empty());
}

TEST_CASE("every verb that manages is done elevated once, and neither a plan nor a status ever is") {
  machine m;
  m.scm->fail_with["open_manager"] = 5;
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"install"}, {"update"}, {"remove"}, {"start"}, {"stop"}, {"restart"},
                                             {"pause"}, {"continue"}, {"reload"}, {"control", "200"}}) {
    CAPTURE(arguments[0]);
    m.elevations = 0;
    CHECK(m.run(arguments) == 0);
    CHECK(m.elevations == 1);
    CHECK(m.run(with(arguments, {"--no-elevate"})) == 5);
    CHECK(has(m.err, "access denied (5); run from an elevated prompt\n"));
    CHECK(m.run(with(arguments, {"--elevated", "pipe"})) == 5);  // it is elevated, and Windows says no all the same
    CHECK(m.elevations == 1);
  }
  CHECK(m.run({"install", "--plan"}) == 5);
  CHECK(m.run({"status"}) == 5);
  CHECK(m.elevations == 1);
}

TEST_CASE("start arguments reach the elevated process") {
  machine m;
  m.scm->fail_with["open_service"] = 5;
  CHECK(m.run({"start", "--", "--fast", "a b"}) == 0);
  CHECK(m.elevated_with == std::vector<std::string>{"start", "--argument=--fast", "--argument=a b"});
  m.scm->fail_with.clear();
  m.scm->add("hello", "\"C:\\apps\\hello.exe\" run-service");
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::model::state::running)};
  m.scm->socket_api.clear();
  CHECK(m.run(with(m.elevated_with, {"--elevated", "pipe"})) == 0);
  CHECK(m.scm->socket_api[2] == "start_service(--fast a b)");
}

TEST_CASE("who refuses the elevation is told so, and one that cannot be had leaves the first error") {
  machine m;
  m.scm->fail_with["open_manager"] = 5;
  m.elevation = winsvc::os::sys_failure(1223);
  CHECK(m.run({"install"}) == winsvc::os::exit_code(1223));
  CHECK(m.err ==
        "hello: install 'hello': the elevation was refused (1223); accept the elevation request, or run from an "
        "elevated prompt\n");
  m.elevation = winsvc::os::sys_failure(50);
  CHECK(m.run({"install"}) == 5);
  CHECK(m.err == "hello: install 'hello': access denied (5); run from an elevated prompt\n");
}

TEST_CASE("a 5 that is not Windows' is no reason to elevate") {
  machine m;
  m.scm->add("hello", "\"C:\\apps\\hello.exe\" run-service", winsvc::model::state::running).replies_to_controls[200] = 5;
  CHECK(m.run({"control", "200"}) == 5);
  m.scm->services.at("hello").process = winsvc::testing::service_database::at(winsvc::model::state::stopped);
  m.scm->after_start = {winsvc::testing::service_database::at(winsvc::model::state::stopped, 0, 0, {5, 0})};
  CHECK(m.run({"start"}) == 5);
  CHECK(m.elevations == 0);
}

TEST_CASE("a password is typed at a prompt, or piped in, and never shown") {
  machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  m.typed = "se cret";
  CHECK(m.run(as_anna) == 0);
  CHECK(m.err == "password of CORP\\anna: ");
  CHECK(m.scm->services.at("hello").password == "se cret");
  CHECK(!has(m.out, "se cret"));

  machine p;
  p.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  p.piped = "piped";
  CHECK(p.run(with(as_anna, {"--password-stdin"})) == 0);
  CHECK(p.scm->services.at("hello").password == "piped");
  CHECK(p.prompts == 0);
}

TEST_CASE("a password that nobody gives is one sentence, and nothing is installed") {
  machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  CHECK(m.run(as_anna) == winsvc::os::exit_code(1223));
  CHECK(has(m.err, "hello: ask for the password of 'CORP\\anna': there is nobody who gives it: "));
  CHECK(has(m.err, "type it, or pipe it in with --password-stdin\n"));
  CHECK(m.run(with(as_anna, {"--password-stdin"})) == 2);
  CHECK(has(m.err, "read the password of 'CORP\\anna': standard input is at its end; pipe it in, as a line\n"));
  CHECK(m.scm->services.empty());
  CHECK(m.run({"install", "--password", "secret"}) == 2);
  CHECK(has(m.err, "there is no --password: "));
}

TEST_CASE("the parent asks for the password, once, and hands it to the elevated process") {
  machine m;
  m.scm->accounts["CORP\\anna"] = "S-1-5-21-7";
  m.typed = "secret";
  m.scm->fail_call_with = {{2, 5}};  // to look is allowed, to create is not
  CHECK(m.run(as_anna) == 0);
  CHECK(m.elevations == 1);
  CHECK(m.prompts == 1);
  CHECK(m.given == "secret");
  CHECK(m.elevated_with == as_anna);

  machine blind;  // it may not even look
  blind.typed = "secret";
  blind.scm->fail_with["open_manager"] = 5;
  CHECK(blind.run(as_anna) == 0);
  CHECK(blind.given == "secret");

  m.scm->fail_call_with.clear();
  CHECK(m.run(with(as_anna, {"--elevated", "pipe"})) == winsvc::os::exit_code(1223));
  CHECK(has(m.err, "the elevated process was given none"));
  m.from_parent = "secret";
  CHECK(m.run(with(as_anna, {"--elevated", "pipe"})) == 0);
  CHECK(m.prompts == 1);
  CHECK(m.scm->services.at("hello").password == "secret");
}

TEST_CASE("an elevated process that cannot join its parent does nothing") {
  machine m;
  CHECK(m.run({"install", "--elevated", "\\\\elsewhere\\pipe"}) == 123);
  CHECK(m.scm->socket_api.empty());
}

TEST_CASE("debug serves until it is interrupted, shows routes, requests and log, and drains") {
  char before[4096];
  REQUIRE(::getcwd(before, sizeof before) != nullptr);
  int answered = 0;
  auto served = [&](service& svc) {
    app(svc);
    svc.worker("client", [&](winsvc::stop_token stop) {
      std::raise(SIGINT);
      if (stop.wait_for(std::chrono::seconds(5))) ++answered;
    });
  };

  const auto o = run(served, {"debug", "--port", "0"});

  CHECK(o.code == 0);
  CHECK(answered == 1);
  CHECK(has(o.err, "GET     /            app.cpp:7\n"));
  CHECK(has(o.err, "hello: http://127.0.0.1:"));
  CHECK(has(o.err, "stopping: Ctrl-C"));
  CHECK(has(o.err, "stopped\n"));
  CHECK(::chdir(before) == 0);
}

TEST_CASE("debug on a taken port ends with its code and a sentence") {
  auto taken = winsvc::os::tcp_socket::listen("127.0.0.1", 0);
  REQUIRE(taken);
  const auto port = std::to_string(taken->local().port);

  const auto o = run(app, {"debug", "--port", port});

  CHECK(o.code == 10048);
  CHECK(has(o.err, "listen on '127.0.0.1:" + port + "': the port is taken"));
}

#endif
