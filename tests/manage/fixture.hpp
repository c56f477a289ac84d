// Test bench of the verbs: a service 'hello' in an in-memory service database, with the dependencies of a verb.
#pragma once

#include <winsvc/testing.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct bench {
  using calls = std::vector<std::string>;

  winsvc::testing::service_database scm;
  winsvc::testing::manual_clock time;
  std::string output;
  std::optional<winsvc::detail::scm::saved_state> saved;           // the state file of the service
  std::optional<winsvc::detail::scm::saved_state> saved_by_start;  // replaces `saved` after start_service was called
  std::optional<winsvc::detail::scm::saved_state> saved_by_stop;
  winsvc::detail::scm::service_spec spec;
  winsvc::detail::manage::install_defaults defaults{"C:\\apps\\hello.exe", "C:\\apps", "C:\\ProgramData\\hello",
                                           std::chrono::seconds(25)};
  std::optional<std::string> password;
  std::string warnings;                     // the warnings of `output`, without their prefix
  std::map<std::string, std::string> data;  // files of the data folder
  std::uint32_t write_error = 0;            // of each attempt to write one
  std::uint32_t running_pid = 0;
  std::set<std::string> missing_services;
  std::function<std::optional<std::string>(const std::string&)> ask;  // the control channel
  bool is_state_readable = true;
  bool is_wine = false;
  bool denied = false;

  bench() {
    spec.name = "hello";
    scm.folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)";
  }

  winsvc::testing::service_database::entry& installed(
      winsvc::detail::scm::state state = winsvc::detail::scm::state::stopped) {
    return scm.add("hello", "\"C:\\apps\\hello.exe\" run-service --port 5001", state);
  }
  bool called(const std::string& function) const {
    return std::any_of(scm.calls.begin(), scm.calls.end(), [&](const std::string& call) {
      return call.compare(0, function.size() + 1, function + '(') == 0;
    });
  }

  /// Runs a verb with this bench as its context.
  template <class Verb>
  auto run(Verb verb) {
    winsvc::detail::manage::verb_context::verb_dependencies parts{
        scm, time, [this](const std::string& line) { output += line + '\n'; }, [this] { return state(); }, defaults,
        [this] { return read_password(); }};
    parts.warn = [this](const std::string& line) {
      warnings += line + '\n';
      output += "warning: " + line + '\n';
    };
    parts.query_channel = [this](const std::string& request) { return ask ? ask(request) : std::nullopt; };
    parts.running_pid = [this] { return running_pid; };
    parts.is_installed = [this](const std::string& name) { return missing_services.count(name) == 0; };
    parts.read_data = [this](const std::string& file) -> std::optional<std::string> {
      const auto found = data.find(file);
      return found == data.end() ? std::nullopt : std::optional(found->second);
    };
    parts.lacks_data = [this](const std::string& file) {
      return file == "state.json" ? !state() && is_state_readable : data.count(file) == 0;
    };
    parts.write_data = [this](const std::string& file,
                              const std::string& text) -> winsvc::detail::os::sys_result<void> {
      if (write_error != 0) return winsvc::detail::os::sys_failure(write_error);
      if (text.empty()) data.erase(file);
      else std::string(text).swap(data[file]);
      return {};
    };
    parts.is_wine = is_wine;
    winsvc::detail::manage::verb_context context(spec, std::move(parts));
    auto done = verb(context);
    denied = context.denied();
    return done;
  }
  winsvc::result<void> install(winsvc::detail::commandline::install_options c = {}) {
    c.must_exist = false;
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::installer(context).run(c);
    });
  }
  winsvc::result<void> update(winsvc::detail::commandline::install_options c = {}) {
    c.must_exist = true;
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::installer(context).run(c);
    });
  }
  winsvc::result<void> remove(const winsvc::detail::commandline::control_options& c = {}) {
    return run(
        [&](winsvc::detail::manage::verb_context& context) { return winsvc::detail::manage::remove(context, c); });
  }
  winsvc::result<void> start(const winsvc::detail::commandline::control_options& c = {}) {
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::service_controller(context).start(c);
    });
  }
  winsvc::result<void> stop(const winsvc::detail::commandline::control_options& c = {}) {
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::service_controller(context).stop(c);
    });
  }
  winsvc::result<void> restart(const winsvc::detail::commandline::control_options& c = {}) {
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::service_controller(context).restart(c);
    });
  }
  winsvc::result<winsvc::detail::host::service_report> status() {
    return run([&](winsvc::detail::manage::verb_context& context) {
      return winsvc::detail::manage::service_controller(context).status();
    });
  }

 private:
  std::optional<winsvc::detail::scm::saved_state> state() const {
    if (saved_by_start && called("start_service")) return saved_by_start;
    if (saved_by_stop && called("control_service")) return saved_by_stop;
    return saved;
  }
  winsvc::result<std::string> read_password() const {
    if (password) return *password;
    return winsvc::failure{winsvc::error{1223, "read the password", {}, "no password", {}}};
  }
};

/// A command with this --wait.
inline winsvc::detail::commandline::control_options with_wait(std::chrono::milliseconds wait) {
  winsvc::detail::commandline::control_options c;
  c.wait = wait;
  return c;
}

template <class Result>
std::string sentence(const Result& r) {
  return r ? "done" : r.error().to_string();
}
