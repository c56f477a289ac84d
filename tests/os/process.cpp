// Process functions: executable path, arguments, data folder, resource usage, error messages.
#include "winsvc/base/scope.hpp"
#include "winsvc/os/native.hpp"

#include "../support/part.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>

using namespace winsvc;
using namespace winsvc::detail::base;

namespace {

bool is_absolute_path(const std::string& path) {
#if defined(_WIN32)
  return path.size() > 2 && path[1] == ':' && path[2] == '\\';
#else
  return !path.empty() && path[0] == '/';
#endif
}

}  // namespace

TEST_CASE("executable_path is absolute and leads to a file") {
  const std::string path = detail::os::executable_path();
  CHECK(is_absolute_path(path));
  const auto content = detail::os::read_file(path);
  REQUIRE(content);
  CHECK(content->size() > 1000);
}

TEST_CASE("folder_of returns the path before the last separator") {
  struct row { const char* path; const char* folder; };
  const row rows[] = {
      {"/opt/hello/app", "/opt/hello"}, {"/app", "/"},   {"app", "."}, {"", "."}, {"C:\\tools\\app.exe", "C:\\tools"},
      {"C:\\My tools/app.exe", "C:\\My tools"},          {"a/b/", "a/b"},
  };
  for (const auto& r : rows) CHECK(detail::os::folder_of(r.path) == r.folder);
}

TEST_CASE("the folder of a file in the root of a drive is the root, not the current folder of the drive") {
  CHECK(detail::os::folder_of("C:\\app.exe") == "C:\\");
  CHECK(detail::os::folder_of("C:/app.exe") == "C:/");
}

TEST_CASE("program_name is the last component without .exe") {
  struct row { const char* path; const char* name; };
  const row rows[] = {
      {"/opt/hello/app", "app"}, {"C:\\My tools\\app.exe", "app"}, {"APP.EXE", "APP"},     {"app", "app"},
      {"a/b.c.exe", "b.c"},      {".exe", ".exe"},                 {"C:\\x\\.exe", ".exe"}, {"app.exe.exe", "app.exe"},
      {"", ""},                  {"folder/", ""},                  {"exe", "exe"},
  };
  for (const auto& r : rows) CHECK(detail::os::program_name(r.path) == r.name);
}

TEST_CASE("the process has an ID, and change_directory changes the current folder") {
  CHECK(detail::os::process_id() != 0);
  CHECK_FALSE(detail::os::change_directory(
      detail::os::path_join(detail::os::folder_of(detail::os::executable_path()), "missing-folder")));
  CHECK(detail::os::change_directory(detail::os::folder_of(detail::os::executable_path())));
  CHECK(detail::os::read_file(std::string(detail::os::executable_path())
                                  .substr(detail::os::folder_of(detail::os::executable_path()).size() + 1)));
}

#if !defined(_WIN32)

TEST_CASE("arguments returns argv without the program name") {
  char program[] = "app", first[] = "install", second[] = "Z\xC3\xBCrich b";
  char* argv[] = {program, first, second, nullptr};
  CHECK(detail::os::arguments(3, argv) == std::vector<std::string>{"install", "Z\xC3\xBCrich b"});
  CHECK(detail::os::arguments(1, argv).empty());
  CHECK(detail::os::arguments(0, argv).empty());
}

TEST_CASE("the data folder is in $XDG_STATE_HOME or below $HOME, and data_folder does not create it") {
  const auto save = [](const char* name) {
    const char* value = std::getenv(name);
    return std::pair(value != nullptr, std::string(value ? value : ""));
  };
  const auto restore_variable = [](const char* name, const std::pair<bool, std::string>& value) {
    value.first ? ::setenv(name, value.second.c_str(), 1) : ::unsetenv(name);
  };
  const auto state_home = save("XDG_STATE_HOME"), home = save("HOME");
  const scope_exit restore([&] {
    restore_variable("XDG_STATE_HOME", state_home);
    restore_variable("HOME", home);
  });
  const std::string root = detail::os::path_join(detail::os::folder_of(detail::os::executable_path()),
                                                 "test-state-" + std::to_string(detail::os::process_id()));

  ::setenv("XDG_STATE_HOME", root.c_str(), 1);
  const auto in_state_home = detail::os::data_folder("hello service");
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", root.c_str(), 1);
  const auto in_home = detail::os::data_folder("hello");

  REQUIRE(in_state_home);
  CHECK(*in_state_home == root + "/hello service");
  REQUIRE(in_home);
  CHECK(*in_home == root + "/.local/state/hello");
  CHECK(!detail::os::append_file::open(*in_state_home + "/x"));
  CHECK(!detail::os::append_file::open(*in_home + "/x"));
}

#else

TEST_CASE("arguments come from GetCommandLineW, not from argv") {
  char ignored[] = "x";
  char* argv[] = {ignored, ignored, ignored, nullptr};
  for (const auto& argument : detail::os::arguments(3, argv)) CHECK(argument != "x");
}

TEST_CASE("the data folder of a service is in ProgramData and can be created") {
  const std::string name = "winsvc-test-" + std::to_string(detail::os::process_id());
  const auto folder = detail::os::data_folder(name);
  REQUIRE(folder);
  CHECK(is_absolute_path(*folder));
  CHECK(detail::os::program_name(*folder) == name);
  REQUIRE(detail::os::make_folders(*folder));
  const std::string file = detail::os::path_join(*folder, "state.json");
  CHECK(detail::os::replace_file(file, "{}"));
  CHECK(detail::os::remove_file(file));
  CHECK(::RemoveDirectoryW(detail::os::to_wide(*folder).c_str()) != 0);
}

#endif

TEST_CASE("a system error message is one line without a final period") {
  for (const std::uint32_t code : {2u, 5u, 13u, 4711u, 0xFFFFFFFFu}) {
    const std::string message = detail::os::system_error_message(code);
    CAPTURE(message);
    CHECK_FALSE(message.empty());
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.back() != '.');
    CHECK(message.back() != ' ');
  }
}

TEST_CASE("debugger_attached is false without a debugger") { CHECK(!winsvc::detail::os::debugger_attached()); }

TEST_CASE("query_process_usage returns start time, memory and CPU time") {
  using namespace std::chrono;
  const auto before = detail::os::query_process_usage();
  std::string memory(32u << 20, 'x');
  for (int round = 0; detail::os::query_process_usage().cpu < before.cpu + milliseconds(30); ++round) {
    for (char& c : memory) c = static_cast<char>(c + round);
  }
  const auto after = detail::os::query_process_usage();
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());

  CHECK(before.started <= now);
  CHECK(before.started > now - hours(1));
  CHECK(after.started - before.started < milliseconds(50));  // two clocks are compared
  CHECK(before.started - after.started < milliseconds(50));
  CHECK(before.resident > (1u << 20));
  CHECK(after.resident > before.resident + (16u << 20));
  CHECK(after.cpu < minutes(10));
}

#if defined(_WIN32)
namespace {
const part data_folder_loads_no_window_library("data folder", [] {
  const bool was_loaded = ::GetModuleHandleW(L"user32.dll") != nullptr;  // by the C runtime
  if (!detail::os::data_folder("hello")) return 2;
  if (was_loaded) return 0;
  return ::GetModuleHandleW(L"user32.dll") || ::GetModuleHandleW(L"shell32.dll") ? 1 : 0;
});
}  // namespace

TEST_CASE("the query of the data folder does not load user32.dll, which disables console events") {
  CHECK(run_part("data folder") == 0);
  const auto folder = detail::os::data_folder("hello");
  REQUIRE(folder);
  CHECK(folder->find(":\\ProgramData\\hello") == 1);
}
#endif
