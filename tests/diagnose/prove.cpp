// Checks of `prove`: they hold for a service that does what winsvc states, and each planted fault is found.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "../manage/fixture.hpp"
#include "../support/test_folder.hpp"

using winsvc::detail::diagnose::proof;
using winsvc::detail::diagnose::prove_probe;
using winsvc::detail::diagnose::verdict;
using state = winsvc::detail::scm::state;

namespace {

/// A simulated temporary service: its responses follow the state in the service database.
struct prove_test {
  bench b;
  std::string name = "hello$winsvc-prove-1";
  prove_probe probe;
  std::function<void()> after_install;
  std::vector<std::string> dumps;  // the newest three
  std::vector<winsvc::detail::scm::event_record> events;
  std::string start_failure = winsvc::detail::diagnose::prove_failure.data();  // of the start that must fail
  std::uint32_t start_exit_code = 1064;

  prove_test() {
    b.spec.name = name;
    b.spec.preshutdown = std::chrono::seconds(30);
    using database = winsvc::testing::service_database;
    b.scm.after_start = {database::at(state::running)};
    b.scm.after_stop = {database::at(state::stopped)};
    b.scm.after_pause = {database::at(state::paused)};
    b.scm.after_continue = {database::at(state::running)};
    probe.wine = "8.0";  // recovery needs a real process
    b.defaults.program_folder = "C:\\apps";
    probe.list_dumps = [this](const std::string&) { return dumps; };
    probe.application_events = [this] {
      return winsvc::detail::os::sys_result<std::vector<winsvc::detail::scm::event_record>>(events);
    };
    add_event(1, name + " listens on http://127.0.0.1:5001");
    // The prover calls it on a separate std::thread for each request that is in flight during a stop.
    probe.get = [this](std::uint16_t, const std::string& path) -> winsvc::detail::diagnose::prove_response {
      if (path == "/folder") return {200, "C:\\apps", {}};
      if (path == "/fail") {
        b.scm.services.at(name).process = winsvc::testing::service_database::at(state::stopped, 0, 0, {1066, 1064});
        return {200, "failing", {}};
      }
      if (path.compare(0, 7, "/crash/") == 0) {
        dumps.push_back("hello-" + path.substr(7) + ".dmp");
        if (dumps.size() > 3) dumps.erase(dumps.begin());
        b.scm.ended_processes[42] = 0xC0000005;
        b.saved = winsvc::detail::scm::saved_state{};
        b.saved->failure = "crashed: " + path.substr(7);
        return {0, {}, "the connection failed"};
      }
      if (path == "/slow") return {200, "complete", {}};  // in flight when the stop begins
      if (current() == state::paused) return {503, {}, {}};
      if (current() != state::running) return {0, {}, "connection refused"};
      return {200, path == "/control" ? "1" : "hello", {}};
    };
    probe.can_listen = [this](std::uint16_t) { return current() == state::stopped; };
  }
  void add_event(std::uint32_t id, const std::string& text) {
    winsvc::detail::scm::event_record event;
    event.id = id;
    event.source = name;
    event.insertion_strings = {text};
    events.push_back(event);
  }
  state current() {
    const auto found = b.scm.services.find(name);
    return found == b.scm.services.end() ? state::stopped : found->second.process.status.current;
  }
  std::vector<proof> run() {
    return b.run([this](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::diagnose::prover(context, "C:\\ProgramData\\hello", 5001, probe)
          .run([&](const proof& seen) {
            if (seen.topic == "install" && after_install) after_install();
            prepare_next_start(seen.claim);
          });
    });
  }
  /// After the claims about a stop, one start fails.
  void prepare_next_start(const std::string& claim) {
    using database = winsvc::testing::service_database;
    const bool fails = claim == "STOPPED means that nothing accepts connections";
    const winsvc::detail::scm::exit_status exit{start_exit_code == 0 ? 0U : 1066U, start_exit_code};
    b.scm.after_start = {fails ? database::at(state::stopped, 0, 0, exit) : database::at(state::running)};
    b.saved_by_start.reset();
    if (!fails) return;
    b.saved_by_start = winsvc::detail::scm::saved_state{};
    b.saved_by_start->pid = 43;
    b.saved_by_start->failure = start_failure;
    b.scm.calls.clear();  // the state appears with the next call of start_service
  }
  /// The claims that do not hold, each with what was seen.
  std::string failures() {
    std::string text;
    for (const auto& p : run()) {
      if (p.verdict == verdict::no) text += p.claim + ": " + p.observed + '\n';
    }
    return text;
  }
};

struct fault {
  std::string name;
  std::string claim;  // the claim that does not hold
  std::function<void(prove_test&)> plant;
};

/// Replaces the response to a path.
std::function<void(prove_test&)> respond(const std::string& to, winsvc::detail::diagnose::prove_response response) {
  return [to, response](prove_test& p) {
    const auto get = p.probe.get;
    p.probe.get = [get, to, response](std::uint16_t port, const std::string& path) {
      return path == to ? response : get(port, path);
    };
  };
}

}  // namespace

TEST_CASE("each claim of a correct service holds, or has a reason why it cannot be seen") {
  prove_test p;

  const auto proofs = p.run();

  CHECK(proofs.size() == 29);
  for (const auto& seen : proofs) {
    CAPTURE(seen.claim);
    CAPTURE(seen.observed);
    CHECK(seen.verdict != verdict::no);
    CHECK(seen.reason.empty() == (seen.verdict == verdict::yes));
  }
  CHECK(p.b.scm.services.empty());
}

TEST_CASE("each planted fault is found, and the service is removed nevertheless") {
  const fault faults[] = {
      {"RUNNING before the port is bound", "RUNNING means serving", respond("/", {0, {}, "connection refused"})},
      {"another program serves the port", "RUNNING means serving", respond("/", {200, "another program", {}})},
      {"a shared port", "no second program can bind the port",
       [](prove_test& p) { p.probe.can_listen = [](std::uint16_t) { return true; }; }},
      {"a lost control", "a custom control reaches its hook", respond("/control", {200, "0", {}})},
      {"a pause without effect", "a paused service sends 503", respond("/", {200, "hello", {}})},
      {"requests cut by a stop", "a stop completes the requests in flight", respond("/slow", {0, {}, "reset"})},
      {"a truncated response", "a stop completes the requests in flight", respond("/slow", {200, "comp", {}})},
      {"a listener that stays open", "STOPPED means that nothing accepts connections",
       [](prove_test& p) { p.probe.can_listen = [](std::uint16_t) { return false; }; }},
      {"the system account", "the account is a virtual account, and the path is quoted",
       [](prove_test& p) {
         p.after_install = [&p] { p.b.scm.services.at(p.name).config.account = "LocalSystem"; };
       }},
      {"an unquoted path", "the account is a virtual account, and the path is quoted",
       [](prove_test& p) {
         p.after_install = [&p] { p.b.scm.services.at(p.name).config.binary = "C:\\apps\\hello.exe run-service"; };
       }},
      {"a missing event source", "the event source is registered",
       [](prove_test& p) { p.after_install = [&p] { p.b.scm.event_sources.clear(); }; }},
      {"missing recovery actions", "the recovery actions are stored",
       [](prove_test& p) {
         p.probe.wine.clear();
         p.after_install = [&p] { p.b.scm.services.at(p.name).levels[2] = winsvc::detail::scm::recovery_options{}; };
       }},
      {"the system folder as current directory", "the current directory is the folder of the program",
       respond("/folder", {200, "C:\\windows\\system32", {}})},
      {"a failed start without its reason", "a start that fails returns its reason and an exit code",
       [](prove_test& p) { p.start_failure = "something failed"; }},
      {"a failed start with exit code 0", "a start that fails returns its reason and an exit code",
       [](prove_test& p) { p.start_exit_code = 0; }},
      {"a failure with exit code 0", "a service that fails stops with an exit code other than 0",
       [](prove_test& p) {
         const auto get = p.probe.get;
         p.probe.get = [get, &p](std::uint16_t port, const std::string& path) {
           const auto response = get(port, path);
           if (path == "/fail")
             p.b.scm.services.at(p.name).process = winsvc::testing::service_database::at(state::stopped);
           return response;
         };
       }},
      {"a crash without a minidump", "a crash writes a minidump and its reason, and ends the process: abort",
       [](prove_test& p) { p.probe.list_dumps = [](const std::string&) { return std::vector<std::string>(); }; }},
      {"three old minidumps", "a crash writes a minidump and its reason, and ends the process: abort",
       [](prove_test& p) {
         p.probe.list_dumps = [](const std::string&) { return std::vector<std::string>{"1.dmp", "2.dmp", "3.dmp"}; };
       }},
      {"an event of another kind", "the start is an event that can be read back",
       [](prove_test& p) {
         p.probe.wine.clear();
         p.events.front().id = 2;
       }},
      {"an event with another text", "the start is an event that can be read back",
       [](prove_test& p) {
         p.probe.wine.clear();
         p.events.front().insertion_strings = {p.name + " listens on http://127.0.0.1:1"};
       }},
      {"a crash without its reason", "a crash writes a minidump and its reason, and ends the process: abort",
       [](prove_test& p) {
         const auto get = p.probe.get;
         p.probe.get = [get, &p](std::uint16_t port, const std::string& path) {
           const auto response = get(port, path);
           if (path.compare(0, 7, "/crash/") == 0) p.b.saved->failure.clear();
           return response;
         };
       }},
  };
  for (const auto& fault : faults) {
    CAPTURE(fault.name);
    prove_test p;
    fault.plant(p);

    const std::string failures = p.failures();

    CAPTURE(failures);
    CHECK(failures.find(fault.claim) != std::string::npos);
    CHECK(p.b.scm.services.empty());
  }
}

TEST_CASE("if the service cannot be installed, no other claim is checked") {
  prove_test p;
  p.b.scm.fail_with["create_service"] = 1073;

  const auto proofs = p.run();

  REQUIRE(proofs.size() == 1);
  CHECK(proofs[0].verdict == verdict::no);
  CHECK(proofs[0].observed.find("(1073)") != std::string::npos);
}

TEST_CASE("a request in flight that throws is a claim that does not hold, and the process continues") {
  prove_test p;
  const auto get = p.probe.get;
  p.probe.get = [get](std::uint16_t port, const std::string& path) {
    if (path == "/slow") throw std::bad_alloc();
    return get(port, path);
  };

  CHECK(p.failures() ==
        "a stop completes the requests in flight: 0 of 8 requests in flight were completed: no memory\n");
}

TEST_CASE("prove removes its service and its logs also after an exception") {
  const test_folder data("prove");
  REQUIRE(std::filesystem::create_directory(data.path / "logs"));
  REQUIRE(winsvc::detail::os::replace_file(data.name("logs/1.log"), "a line"));
  const auto scm = std::make_shared<winsvc::testing::service_database>();
  scm->folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)";
  winsvc::detail::cli::program_dependencies dependencies;
  dependencies.scm = scm;
  dependencies.executable = "C:\\apps\\hello.exe";
  dependencies.err = [](std::string_view) { throw std::bad_alloc(); };  // out of memory at the first line
  dependencies.data_folder = [&](const std::string&) -> winsvc::detail::os::sys_result<std::string> {
    return data.path.string();
  };

  CHECK_THROWS_AS(static_cast<void>(winsvc::detail::cli::prove({}, dependencies)), std::bad_alloc);

  CHECK(scm->event_sources.empty());
  CHECK(scm->services.empty());
  CHECK(data.content("logs/1.log").empty());
  CHECK(std::any_of(scm->calls.begin(), scm->calls.end(), [](const std::string& call) {
    return call.compare(0, 15, "create_service(") == 0;
  }));
}
