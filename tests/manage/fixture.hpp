// A service 'hello' in a database in memory, and all that the verbs stand on.
#pragma once

#include <winsvc/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct bench {
  using calls = std::vector<std::string>;

  winsvc::testing::service_database scm;
  winsvc::testing::manual_clock time;
  std::string said;
  std::optional<winsvc::model::saved_state> left;           // what the service left in its data folder
  std::optional<winsvc::model::saved_state> left_by_start;  // there as soon as a start was asked for
  std::optional<winsvc::model::saved_state> left_by_stop;
  winsvc::model::service_spec spec;
  winsvc::model::install_defaults ours{"C:\\apps\\hello.exe", "C:\\apps", "C:\\ProgramData\\hello",
                                       std::chrono::seconds(25)};
  std::optional<std::string> password;
  bool denied = false;

  bench() {
    spec.name = "hello";
    scm.folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)";
  }

  winsvc::testing::service_database::entry& installed(winsvc::model::state s = winsvc::model::state::stopped) {
    return scm.add("hello", "\"C:\\apps\\hello.exe\" run-service --port 5001", s);
  }
  bool called(const std::string& function) const {
    return std::any_of(scm.calls.begin(), scm.calls.end(),
                       [&](const std::string& c) { return c.compare(0, function.size() + 1, function + '(') == 0; });
  }

  /// Does something at a desk of this bench.
  template <class Verb>
  auto run(Verb verb) {
    winsvc::host::verb_context context(spec, {scm, time, [this](const std::string& line) { said += line + '\n'; },
                                 [this] { return state(); }, ours, [this] { return ask(); }});
    auto done = verb(context);
    denied = context.denied();
    return done;
  }
  winsvc::result<void> install(winsvc::model::command c = {}) {
    c.verb = winsvc::model::verb::install;
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::installer(context).run(c); });
  }
  winsvc::result<void> update(winsvc::model::command c = {}) {
    c.verb = winsvc::model::verb::update;
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::installer(context).run(c); });
  }
  winsvc::result<void> remove(const winsvc::model::command& c = {}) {
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::remove(context, c); });
  }
  winsvc::result<void> start(const winsvc::model::command& c = {}) {
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::service_controller(context).start(c); });
  }
  winsvc::result<void> stop(const winsvc::model::command& c = {}) {
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::service_controller(context).stop(c); });
  }
  winsvc::result<void> restart(const winsvc::model::command& c = {}) {
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::service_controller(context).restart(c); });
  }
  winsvc::result<winsvc::host::service_report> status() {
    return run([&](winsvc::host::verb_context& context) { return winsvc::host::service_controller(context).status(); });
  }

 private:
  std::optional<winsvc::model::saved_state> state() const {
    if (left_by_start && called("start_service")) return left_by_start;
    if (left_by_stop && called("control_service")) return left_by_stop;
    return left;
  }
  winsvc::result<std::string> ask() const {
    if (password) return *password;
    return winsvc::failure{winsvc::error{1223, "ask", {}, "nobody answers", {}}};
  }
};

/// A command with this patience.
inline winsvc::model::command patient(std::chrono::milliseconds wait) {
  winsvc::model::command c;
  c.wait = wait;
  return c;
}

template <class Result>
std::string sentence(const Result& r) {
  return r ? "done" : r.error().to_string();
}
