// Checks of `prove`: they hold for a service that does what winsvc states, and each planted fault is found.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../manage/fixture.hpp"

using winsvc::detail::diagnose::proof;
using winsvc::detail::diagnose::prove_machine;
using winsvc::detail::diagnose::verdict;
using state = winsvc::detail::scm::state;

namespace {

/// A simulated throw-away service: its responses follow the state in the service database.
struct prove_test {
  bench b;
  std::string name = "hello$winsvc-prove-1";
  prove_machine machine;
  std::function<void()> after_install;

  prove_test() {
    b.spec.name = name;
    b.spec.preshutdown = std::chrono::seconds(30);
    using database = winsvc::testing::service_database;
    b.scm.after_start = {database::at(state::running)};
    b.scm.after_stop = {database::at(state::stopped)};
    b.scm.after_pause = {database::at(state::paused)};
    b.scm.after_continue = {database::at(state::running)};
    machine.wine = "8.0";  // recovery and crashes need a real process
    machine.get = [this](std::uint16_t, const std::string& path) -> winsvc::detail::diagnose::prove_response {
      if (path == "/slow") return {200, "complete", {}};  // in flight when the stop begins
      if (current() == state::paused) return {503, {}, {}};
      if (current() != state::running) return {0, {}, "connection refused"};
      return {200, path == "/control" ? "1" : "hello", {}};
    };
    machine.can_listen = [this](std::uint16_t) { return current() == state::stopped; };
  }
  state current() {
    const auto found = b.scm.services.find(name);
    return found == b.scm.services.end() ? state::stopped : found->second.process.status.current;
  }
  std::vector<proof> run() {
    return b.run([this](winsvc::detail::manage::verb_context& context) {
      bool installed = false;
      return winsvc::detail::diagnose::prover(context, "C:\\ProgramData\\hello", 5001, machine)
          .run([&](const proof&) {
            if (!installed && after_install) after_install();
            installed = true;
          });
    });
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
  const char* name;
  const char* claim;  // the claim that does not hold
  std::function<void(prove_test&)> plant;
};

/// Replaces the response to a path.
std::function<void(prove_test&)> respond(const std::string& to, winsvc::detail::diagnose::prove_response response) {
  return [to, response](prove_test& p) {
    const auto get = p.machine.get;
    p.machine.get = [get, to, response](std::uint16_t port, const std::string& path) {
      return path == to ? response : get(port, path);
    };
  };
}

}  // namespace

TEST_CASE("each claim of a correct service holds, or has a reason why it cannot be seen") {
  prove_test p;

  const auto proofs = p.run();

  CHECK(proofs.size() == 24);
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
       [](prove_test& p) { p.machine.can_listen = [](std::uint16_t) { return true; }; }},
      {"a lost control", "a custom control reaches its hook", respond("/control", {200, "0", {}})},
      {"a pause without effect", "a paused service sends 503", respond("/", {200, "hello", {}})},
      {"requests cut by a stop", "a stop completes the requests in flight", respond("/slow", {0, {}, "reset"})},
      {"a truncated response", "a stop completes the requests in flight", respond("/slow", {200, "comp", {}})},
      {"a listener that stays open", "STOPPED means that nothing accepts connections",
       [](prove_test& p) { p.machine.can_listen = [](std::uint16_t) { return false; }; }},
      {"the system account", "the account is a virtual account, and the path is quoted",
       [](prove_test& p) {
         p.after_install = [&p] { p.b.scm.services.at(p.name).config.account = "LocalSystem"; };
       }},
      {"an unquoted path", "the account is a virtual account, and the path is quoted",
       [](prove_test& p) {
         p.after_install = [&p] { p.b.scm.services.at(p.name).config.binary = "C:\\apps\\hello.exe run-service"; };
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
