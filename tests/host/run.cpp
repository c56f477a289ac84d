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
    char piece[4096];
    for (off_t at = 0;;) {
      const auto n = ::pread(::fileno(file_), piece, sizeof piece, at);
      if (n <= 0) return all;
      all.append(piece, static_cast<std::size_t>(n));
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
outcome run(App& app, const std::vector<std::string>& words) {
  outcome o;
  caught out(1), err(2);
  o.code = winsvc::host::run(winsvc::host::app_of_callable(app), words);
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
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}, {"HELP"}, {"/?"}}) {
    const auto o = run(app, words);
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
        "[{\"method\":\"GET\",\"pattern\":\"/\",\"source\":\"app.cpp:7\"},\n "
        "{\"method\":\"POST\",\"pattern\":\"/users/{id}\",\"source\":\"app.cpp:8\"}]\n");
  CHECK(winsvc::json::parse(j.out).size() == 2);
}

TEST_CASE("a usage error is one line with a suggestion, and exit code 2") {
  struct { std::vector<std::string> words; const char* said; } const cases[] = {
      {{"instal"}, "unknown verb 'instal'; did you mean 'install'?"},
      {{"start", "--prot", "1"}, "--prot"},
      {{"install", "--port", "70000"}, "a port is a number from 0 to 65535"},
      {{"install", "--port"}, "--port needs a value"},
      {{"status", "now"}, "'status' takes no argument 'now'"},
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
    svc.get("/", [] { return ""; }, {"a.cpp", 1}).get("/", [] { return ""; }, {"a.cpp", 2});
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
  for (const char* verb : {"install", "remove", "start", "stop", "restart", "status"}) {
    CAPTURE(verb);
    const auto o = run(app, {verb});
    CHECK(o.code == 50);
    CHECK(o.out.empty());
    CHECK(has(o.err, "'hello': services are a thing of Windows (50); 'debug' serves in the terminal on every system"));
  }
  CHECK(has(run(app, {"run-service"}).err, "was not started by the service control manager"));
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
