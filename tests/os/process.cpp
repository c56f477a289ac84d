// This process and its surroundings.
#include "winsvc/base/scope.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>

using namespace winsvc;

namespace {

bool absolute(const std::string& path) {
#if defined(_WIN32)
  return path.size() > 2 && path[1] == ':' && path[2] == '\\';
#else
  return !path.empty() && path[0] == '/';
#endif
}

}  // namespace

TEST_CASE("the executable's path is absolute, and there is a file") {
  const std::string path = os::executable_path();
  CHECK(absolute(path));
  const auto content = os::read_file(path);
  REQUIRE(content);
  CHECK(content->size() > 1000);
}

TEST_CASE("a path's folder is what stands before the last separator") {
  struct row { const char* path; const char* folder; };
  const row rows[] = {
      {"/opt/hello/app", "/opt/hello"}, {"/app", "/"},   {"app", "."}, {"", "."}, {"C:\\tools\\app.exe", "C:\\tools"},
      {"C:\\My tools/app.exe", "C:\\My tools"},          {"a/b/", "a/b"},
  };
  for (const auto& r : rows) CHECK(os::folder_of(r.path) == r.folder);
}

TEST_CASE("the folder of a file in a drive's root is the root, not the drive's current folder") {
  CHECK(os::folder_of("C:\\app.exe") == "C:\\");
  CHECK(os::folder_of("C:/app.exe") == "C:/");
}

TEST_CASE("a program's name is what a person types") {
  struct row { const char* path; const char* name; };
  const row rows[] = {
      {"/opt/hello/app", "app"}, {"C:\\My tools\\app.exe", "app"}, {"APP.EXE", "APP"},     {"app", "app"},
      {"a/b.c.exe", "b.c"},      {".exe", ".exe"},                 {"C:\\x\\.exe", ".exe"}, {"app.exe.exe", "app.exe"},
      {"", ""},                  {"folder/", ""},                  {"exe", "exe"},
  };
  for (const auto& r : rows) CHECK(os::program_name(r.path) == r.name);
}

TEST_CASE("the process has a number, and another folder can be made the current one") {
  CHECK(os::process_id() != 0);
  CHECK_FALSE(os::change_directory(os::path_join(os::folder_of(os::executable_path()), "there-is-none")));
  CHECK(os::change_directory(os::folder_of(os::executable_path())));
  CHECK(os::read_file(std::string(os::executable_path()).substr(os::folder_of(os::executable_path()).size() + 1)));
}

#if !defined(_WIN32)

TEST_CASE("the words after the program's name are handed on as they are") {
  char program[] = "app", one[] = "install", two[] = "Z\xC3\xBCrich b";
  char* argv[] = {program, one, two, nullptr};
  CHECK(os::arguments(3, argv) == std::vector<std::string>{"install", "Z\xC3\xBCrich b"});
  CHECK(os::arguments(1, argv).empty());
  CHECK(os::arguments(0, argv).empty());
}

TEST_CASE("data is kept in $XDG_STATE_HOME, else below the home folder; who asks where does not make it") {
  const auto remembered = [](const char* name) {
    const char* value = std::getenv(name);
    return std::pair(value != nullptr, std::string(value ? value : ""));
  };
  const auto back = [](const char* name, const std::pair<bool, std::string>& value) {
    value.first ? ::setenv(name, value.second.c_str(), 1) : ::unsetenv(name);
  };
  const auto state = remembered("XDG_STATE_HOME"), home = remembered("HOME");
  const scope_exit restore([&] {
    back("XDG_STATE_HOME", state);
    back("HOME", home);
  });
  const std::string root =
      os::path_join(os::folder_of(os::executable_path()), "test-state-" + std::to_string(os::process_id()));

  ::setenv("XDG_STATE_HOME", root.c_str(), 1);
  const auto here = os::data_folder("hello service");
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", root.c_str(), 1);
  const auto at_home = os::data_folder("hello");

  REQUIRE(here);
  CHECK(*here == root + "/hello service");
  REQUIRE(at_home);
  CHECK(*at_home == root + "/.local/state/hello");
  CHECK(!os::append_file::open(*here + "/x"));
  CHECK(!os::append_file::open(*at_home + "/x"));
}

#else

TEST_CASE("the words of the command line come from Windows, not from argv") {
  char nothing[] = "x";
  char* argv[] = {nothing, nothing, nothing, nullptr};
  for (const auto& word : os::arguments(3, argv)) CHECK(word != "x");
}

TEST_CASE("data is kept in a folder of its own that everybody's programs share, and the folder is made") {
  const std::string name = "winsvc-test-" + std::to_string(os::process_id());
  const auto folder = os::data_folder(name);
  REQUIRE(folder);
  CHECK(absolute(*folder));
  CHECK(os::program_name(*folder) == name);
  REQUIRE(os::make_folders(*folder));
  const std::string file = os::path_join(*folder, "state.json");
  CHECK(os::replace_file(file, "{}"));
  CHECK(os::remove_file(file));
  CHECK(::RemoveDirectoryW(os::to_wide(*folder).c_str()) != 0);
}

#endif

TEST_CASE("the system's words are one line without a dot at its end") {
  for (const std::uint32_t code : {2u, 5u, 13u, 4711u, 0xFFFFFFFFu}) {
    const std::string message = os::system_error_message(code);
    CAPTURE(message);
    CHECK_FALSE(message.empty());
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.back() != '.');
    CHECK(message.back() != ' ');
  }
}

TEST_CASE("nobody debugs the tests") { CHECK(!winsvc::os::debugger_attached()); }

TEST_CASE("a process knows since when it runs, how much memory it has, and how long it has worked") {
  using namespace std::chrono;
  const auto before = os::query_process_usage();
  std::string memory(32u << 20, 'x');
  for (int round = 0; os::query_process_usage().cpu < before.cpu + milliseconds(30); ++round) {
    for (char& c : memory) c = static_cast<char>(c + round);
  }
  const auto after = os::query_process_usage();
  const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());

  CHECK(before.started <= now);
  CHECK(before.started > now - hours(1));
  CHECK(after.started - before.started < milliseconds(50));  // two clocks are compared
  CHECK(before.started - after.started < milliseconds(50));
  CHECK(before.resident > (1u << 20));
  CHECK(after.resident > before.resident + (16u << 20));
  CHECK(after.cpu < minutes(10));
}
