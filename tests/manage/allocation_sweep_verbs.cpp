// Each allocation of a verb fails once. Afterwards the service is as before the verb or as after it, and the same verb
// completes the rest.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <doctest/doctest.h>

  #include <memory>
  #include <string>
  #include <utility>

  #include "fixture.hpp"

using failing_allocations::run_with_failures;
namespace commandline = winsvc::detail::commandline;
namespace scm = winsvc::detail::scm;

namespace {

commandline::install_options parsed_options() {
  const auto parsed = commandline::parse_command(
      {"install", "--startup", "delayed", "--description", "a description that is longer than a short string", "--env",
       "A=1", "--allow-control", "CORP\\ops", "--port", "5002"});
  REQUIRE(parsed);
  return parsed->install;
}

/// The service and its event source, without the rights of folders, which are granted when the service is complete.
std::string service_in(const bench& b) {
  const std::string text = b.scm.snapshot();
  return text.substr(0, text.find("\nC:\\"));
}

std::unique_ptr<bench> machine() {
  auto made = std::make_unique<bench>();
  made->scm.accounts["CORP\\ops"] = "S-1-5-21-1-2-3-1002";
  return made;
}

std::unique_ptr<bench> machine_with_service() {
  auto made = machine();
  auto& service = made->installed();
  service.config.startup = winsvc::startup::manual;
  service.config.account = "NT SERVICE\\hello";
  service.environment = {"OLD=a value that is longer than a short string"};
  service.levels[scm::config_level_id::description] = scm::description_text{"old"};
  return made;
}

/// Each allocation of `verb` fails once. The service is then as before or as after the verb, and the same verb
/// completes it. Then also the 29 after it fail, which can be those of the rollback: the process may not end.
template <class Make, class Verb>
void sweep_verb(const std::string& name, const Make& make, const Verb& verb) {
  const auto reference = make();
  const std::string before = service_in(*reference);
  REQUIRE(verb(*reference));
  const std::string after = reference->scm.snapshot(), service_after = service_in(*reference);
  for (const long count : {1L, 30L}) {
    bool reached = true;
    long number = 1;
    for (; reached && number < 10'000; ++number) {
      const auto b = make();
      static_cast<void>(run_with_failures(number, count, [&] { return static_cast<bool>(verb(*b)); }, reached));
      const std::string now = service_in(*b);
      INFO(name, ", ", count, " from allocation ", number, " on");
      CHECK(b->scm.open_handles() == 0);
      CHECK(sentence(verb(*b)) == "done");
      if (count > 1) continue;
      CHECK_MESSAGE((now == before || now == service_after), now);
      CHECK(b->scm.snapshot() == after);
    }
    CHECK(number > 100);
    CHECK_FALSE(reached);
  }
}

}  // namespace

TEST_CASE("an install or update whose allocation failed is reverted or complete") {
  const auto options = parsed_options();
  sweep_verb("install", machine, [&](bench& b) { return b.install(options); });
  sweep_verb("update", machine_with_service, [&](bench& b) { return b.update(options); });
}

TEST_CASE("a service that 'stop --hold' has disabled gets its start type back, also after a failed allocation") {
  commandline::control_options hold;
  hold.hold = true;
  bool reached = true;
  long number = 1;
  for (; reached; ++number) {
    const auto b = machine_with_service();
    static_cast<void>(run_with_failures(number, 1, [&] { return static_cast<bool>(b->stop(hold)); }, reached));
    CAPTURE(number);
    const bool is_disabled = b->scm.services["hello"].config.startup == winsvc::startup::disabled;
    CHECK(b->data.count("hold.json") == (is_disabled ? 1 : 0));
    b->scm.after_start = {winsvc::testing::service_database::at(scm::state::running)};
    CHECK(sentence(b->start()) == "done");
    CHECK(b->scm.services["hello"].config.startup == winsvc::startup::manual);
  }
  CHECK(number > 20);
}

TEST_CASE("a removed service has no access to the folder of its program, also after a failed allocation") {
  const auto installed = [] {
    auto made = machine();
    REQUIRE(made->install());
    REQUIRE(made->scm.folders["C:\\apps"].find("S-1-5-80-") != std::string::npos);
    return made;
  };
  const auto reference = installed();
  REQUIRE(reference->remove());
  bool reached = true;
  long number = 1;
  for (; reached; ++number) {
    const auto b = installed();
    static_cast<void>(run_with_failures(number, 1, [&] { return static_cast<bool>(b->remove()); }, reached));
    CAPTURE(number);
    CHECK(sentence(b->remove()) == "done");
    CHECK(b->scm.snapshot() == reference->scm.snapshot());
  }
  CHECK(number > 20);
}

#endif
