// A simulated machine for the tests of the command line: its services, its output, and the elevated process.
//
//   test_machine m;
//   CHECK(m.run({"install", "--port", "80"}) == 0);
//   CHECK(m.out == "installed ...");
#pragma once

#include <winsvc/testing.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

inline bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

inline void app(winsvc::service& svc) {
  svc.name("hello").display_name("Hello service").description("says hello").version("1.2.3").listen("127.0.0.1", 0);
  svc.get("/", [] { return "hello"; }, {"src/app.cpp", 7});
  svc.post("/users/{id}", [](int) { return "x"; }, {"src/app.cpp", 8});
}

/// A simulated machine: its services, the output, and the input of an elevated process.
struct test_machine {
  std::shared_ptr<winsvc::testing::service_database> scm = std::make_shared<winsvc::testing::service_database>();
  winsvc::testing::manual_clock time;
  std::string out, err;
  std::vector<std::string> elevated_with;  // the arguments
  std::string elevated_input;                       // the input
  int elevations = 0, prompts = 0;
  winsvc::detail::os::sys_result<std::uint32_t> elevation = std::uint32_t{0};
  std::optional<std::string> typed, piped;
  std::string from_parent;
  std::string data_root = "C:\\ProgramData\\", executable = "C:\\apps\\hello.exe";
  std::set<std::string> missing_files;

  test_machine() { scm->folders["C:\\apps"] = "D:AI(A;OICIID;FA;;;BA)"; }

  int run(const std::vector<std::string>& arguments) { return run(app, arguments); }
  template <class App>
  int run(App& described, const std::vector<std::string>& arguments) {
    out.clear();
    err.clear();
    winsvc::detail::cli::program_dependencies dependencies;
    dependencies.scm = scm;
    dependencies.executable = executable;
    dependencies.out = [this](std::string_view text) { out += text; };
    dependencies.err = [this](std::string_view text) { err += text; };
    dependencies.data_folder = [this](const std::string& name) -> winsvc::detail::os::sys_result<std::string> {
      return data_root + name;
    };
    dependencies.probe.lacks_file = [this](const std::string& path) { return missing_files.count(path) != 0; };
    dependencies.read_secret = [this](std::string_view prompt) -> winsvc::detail::os::sys_result<std::string> {
      ++prompts;
      err += prompt;
      if (!typed) return winsvc::detail::os::sys_failure(1223);
      return *typed;
    };
    dependencies.read_input_line = [this] { return piped; };
    dependencies.run_elevated = [this](std::vector<std::string> command_line, const std::string& input,
                                       const winsvc::detail::os::output_receiver& on_output) {
      ++elevations;
      elevated_with = std::move(command_line);
      elevated_input = input;
      if (!elevation) return elevation;
      on_output(winsvc::detail::os::output_stream::standard, "output of the child\n");
      on_output(winsvc::detail::os::output_stream::error, "warning of the child\n");
      return elevation;
    };
    dependencies.join_parent = [this](const std::string& pipe) -> winsvc::detail::os::sys_result<std::string> {
      if (pipe != "pipe") return winsvc::detail::os::sys_failure(123);
      return from_parent;
    };
    return winsvc::detail::cli::run(winsvc::detail::api::app_of_callable(described), arguments, dependencies);
  }
};
