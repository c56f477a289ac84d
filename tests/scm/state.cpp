// States, controls and exit codes of a service.
#include "winsvc/scm/control_event.hpp"
#include "winsvc/scm/state.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::scm;

TEST_CASE("states have the numbers of Win32 and a name") {
  struct row { state s; std::uint32_t number; const char* name; bool pending; };
  const row rows[] = {
      {state::none, 0, "none", false},
      {state::stopped, 1, "stopped", false},
      {state::start_pending, 2, "start pending", true},
      {state::stop_pending, 3, "stop pending", true},
      {state::running, 4, "running", false},
      {state::continue_pending, 5, "continue pending", true},
      {state::pause_pending, 6, "pause pending", true},
      {state::paused, 7, "paused", false},
  };
  for (const auto& r : rows) {
    CHECK(static_cast<std::uint32_t>(r.s) == r.number);
    CHECK(name(r.s) == r.name);
    CHECK(is_pending(r.s) == r.pending);
  }
  CHECK(name(static_cast<state>(8)) == "unknown");
  CHECK(name(static_cast<state>(0xFFFFFFFF)) == "unknown");
}

TEST_CASE("controls have the numbers of Win32") {
  const control controls[] = {control::stop, control::pause, control::continue_control, control::interrogate,
                              control::shutdown, control::param_change};
  for (std::uint32_t i = 0; i < 6; ++i) CHECK(static_cast<std::uint32_t>(controls[i]) == i + 1);
  const control later[] = {control::device_event, control::hardware_profile_change, control::power_event,
                           control::session_change, control::preshutdown, control::time_change};
  for (std::uint32_t i = 0; i < 6; ++i) CHECK(static_cast<std::uint32_t>(later[i]) == i + 11);
}

TEST_CASE("session changes and power events have the numbers of Win32 and a name") {
  using winsvc::power_event;
  using winsvc::session_change;
  const char* const names[] = {"console connect", "console disconnect", "remote connect", "remote disconnect", "logon",
                               "logoff", "lock", "unlock", "remote control", "created", "terminated"};
  const session_change::kind kinds[] = {
      session_change::console_connect, session_change::console_disconnect, session_change::remote_connect,
      session_change::remote_disconnect, session_change::logon, session_change::logoff, session_change::lock,
      session_change::unlock, session_change::remote_control, session_change::created, session_change::terminated};
  for (std::uint32_t i = 0; i < 11; ++i) {
    CHECK(static_cast<std::uint32_t>(kinds[i]) == i + 1);
    CHECK(winsvc::name(kinds[i]) == names[i]);
  }
  for (const std::uint32_t other : {0u, 12u, 99u})
    CHECK(winsvc::name(static_cast<session_change::kind>(other)) == "unknown");
  struct { power_event::kind kind; std::uint32_t number; const char* name; } const events[] = {
      {power_event::suspend, 4, "suspend"}, {power_event::resume, 7, "resume"},
      {power_event::status_changed, 10, "status changed"}, {power_event::resume_automatic, 18, "resume automatic"},
      {power_event::setting_changed, 0x8013, "setting changed"}};
  for (const auto& event : events) {
    CHECK(static_cast<std::uint32_t>(event.kind) == event.number);
    CHECK(winsvc::name(event.kind) == event.name);
  }
  CHECK(winsvc::name(static_cast<power_event::kind>(5)) == "unknown");
  CHECK(session_change().kind_of_change == session_change::logon);
  CHECK(session_change().session == 0);
  CHECK(power_event().kind_of_event == power_event::status_changed);
  const control_event none;
  CHECK((none.control == 0 && none.type == 0 && none.session == 0));
}

TEST_CASE("no control is accepted in a pending state, before the first report and after STOPPED") {
  handled_controls all_hooks;
  all_hooks.pause_continue = all_hooks.param_change = all_hooks.power_event = all_hooks.session_change =
      all_hooks.time_change = all_hooks.preshutdown = true;
  for (const state s : {state::none, state::stopped, state::start_pending, state::stop_pending, state::continue_pending,
                        state::pause_pending}) {
    CHECK(accepted_controls(s, all_hooks) == 0);
    CHECK(accepted_controls(s, {}) == 0);
  }
}

TEST_CASE("only controls with a hook are accepted") {
  struct row { bool handled_controls::*hook; std::uint32_t bit; };
  const row rows[] = {
      {&handled_controls::pause_continue, 0x2},  {&handled_controls::param_change, 0x8},
      {&handled_controls::power_event, 0x40},    {&handled_controls::session_change, 0x80},
      {&handled_controls::time_change, 0x200},
  };
  for (const state s : {state::running, state::paused}) {
    CHECK(accepted_controls(s, {}) == 0x5);  // STOP and SHUTDOWN
    for (const auto& r : rows) {
      handled_controls hooks;
      hooks.*r.hook = true;
      CHECK(accepted_controls(s, hooks) == (0x5 | r.bit));
    }
    handled_controls all_hooks;
    all_hooks.preshutdown = true;
    for (const auto& r : rows) all_hooks.*r.hook = true;
    CHECK(accepted_controls(s, all_hooks) == 0x3CB);
  }
}

TEST_CASE("only a custom control with a hook is handled") {
  handled_controls hooks;
  hooks.custom.set(0);
  hooks.custom.set(127);
  for (std::uint32_t number = 0; number < 300; ++number)
    CHECK(hooks.has_custom(number) == (number == 128 || number == 255));
  const service_status status;
  CHECK(status.current == state::none);
  CHECK((status.accepted == 0 && status.checkpoint == 0 && status.wait_hint.count() == 0 && !status.exit.failed()));
}

TEST_CASE("either PRESHUTDOWN or SHUTDOWN is accepted") {
  handled_controls hooks;
  CHECK((accepted_controls(state::running, hooks) & 0x104) == 0x4);
  hooks.preshutdown = true;
  CHECK((accepted_controls(state::running, hooks) & 0x104) == 0x100);
}

TEST_CASE("a control needs its bit in the mask; INTERROGATE and custom controls are always sent") {
  struct row { std::uint32_t control; std::uint32_t bit; };
  const row rows[] = {{1, 0x1},   {2, 0x2},   {3, 0x2},    {5, 0x4},   {6, 0x8},
                      {13, 0x40}, {14, 0x80}, {15, 0x100}, {16, 0x200}};
  for (const auto& r : rows) {
    CAPTURE(r.control);
    CHECK(is_accepted(r.bit, static_cast<control>(r.control)));
    CHECK(is_accepted(0xFFFFFFFF, static_cast<control>(r.control)));
    CHECK_FALSE(is_accepted(~r.bit, static_cast<control>(r.control)));
    CHECK_FALSE(is_accepted(0, static_cast<control>(r.control)));
  }
  CHECK(is_accepted(0, control::interrogate));
  for (std::uint32_t c = 0; c < 300; ++c) {
    const bool is_custom = c >= 128 && c <= 255;
    const bool is_system_control = c != 0 && c <= 16;
    if (!is_system_control) CHECK(is_accepted(0xFFFFFFFF, static_cast<control>(c)) == is_custom);
  }
}

TEST_CASE("a failure never has the code 0, or 1066 without a specific code") {
  CHECK(failure_status(0).win32 == 1064);
  CHECK(failure_status(1066).win32 == 1064);
  CHECK(failure_status(1077).win32 == 1064);
  for (const std::uint32_t code : {0u, 5u, 1066u}) CHECK(failure_status(code).specific == 0);
  for (const std::uint32_t code : {1u, 5u, 1053u, 1064u, 1067u, 10048u, 0xFFFFFFFFu, 0x80004005u}) {
    CHECK(failure_status(code).win32 == code);
    CHECK(failure_status(code).code() == code);
  }
  for (std::uint32_t code = 0; code < 20'000; ++code) {
    const exit_status s = failure_status(code);
    REQUIRE(s.failed());
    REQUIRE(s.code() != 0);
    REQUIRE_FALSE((s.win32 == 1066 && s.specific == 0));
  }
}

TEST_CASE("the exit code is the service-specific code, if there is one") {
  CHECK(exit_status{}.code() == 0);
  CHECK_FALSE(exit_status{}.failed());
  CHECK(exit_status{1066, 7}.code() == 7);
  CHECK(exit_status{1066, 7}.failed());
  CHECK(exit_status{5, 7}.code() == 5);
  CHECK_FALSE(exit_status{1077, 0}.failed());  // it has not been started since boot
}
