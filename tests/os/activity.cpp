// Activities of a process in a mapped file, and the notification of an exit.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#ifndef _WIN32
  #include <sys/wait.h>
  #include <unistd.h>
#endif

using namespace winsvc::detail::os;

namespace {

std::string temporary_path(const std::string& name) {
  return path_join(temporary_folder(), "winsvc-" + name + "-" + std::to_string(process_id()));
}
std::vector<std::string> recorded(const std::string& path) {
  return read_activities(read_file(path).value_or(std::string()));
}

}  // namespace

TEST_CASE("the activity file has what each thread does, until the end of the scope") {
  const std::string path = temporary_path("activity");
  REQUIRE(open_activity_file(path));
  CHECK(running_activities().empty());
  {
    const activity outer("GET", "/orders/7");
    CHECK(recorded(path) == std::vector<std::string>{"GET /orders/7"});
    std::thread([&] {
      const activity other("worker", "'pump'");
      CHECK(running_activities() == "worker 'pump', GET /orders/7");  // that of the calling thread first
      CHECK(recorded(path).size() == 2);
    }).join();
    CHECK(running_activities() == "GET /orders/7");
  }
  CHECK(recorded(path).empty());
  remove_file(path);
}

TEST_CASE("a closed file has no further activities, and the system can delete it") {
  const std::string path = temporary_path("closed");
  REQUIRE(open_activity_file(path));
  { const activity before("GET", "/a"); }
  close_activity_file();
  {
    const activity after("GET", "/b");
    CHECK(running_activities().empty());
    CHECK(recorded(path).empty());
  }
  CHECK(remove_file(path));
  CHECK_FALSE(read_file(path));
}

TEST_CASE("an activity that runs while the file is closed ends without a fault") {
  const std::string path = temporary_path("abandoned");
  REQUIRE(open_activity_file(path));
  {
    const activity running("hook", "'slow'");
    close_activity_file();
    CHECK(recorded(path) == std::vector<std::string>{"hook 'slow'"});
  }
  CHECK(recorded(path).empty());
  remove_file(path);
}

TEST_CASE("a long text is shortened, and line ends become blanks") {
  const std::string path = temporary_path("long");
  REQUIRE(open_activity_file(path));
  {
    const activity running("a\r\nb", std::string(1000, 'x'));
    REQUIRE(recorded(path).size() == 1);
    CHECK(recorded(path)[0].substr(0, 6) == "a  b x");
    CHECK(recorded(path)[0].size() <= 200);
  }
  remove_file(path);
}

TEST_CASE("more threads than entries do no harm") {
  const std::string path = temporary_path("many");
  REQUIRE(open_activity_file(path));
  {
    std::vector<std::unique_ptr<activity>> running;
    for (std::size_t i = 0; i < max_activities + 5; ++i) running.push_back(std::make_unique<activity>("x"));
    CHECK(recorded(path).size() == max_activities);
  }
  CHECK(recorded(path).empty());
  remove_file(path);
}

TEST_CASE("a truncated or foreign file has no activities") {
  CHECK(read_activities("").empty());
  CHECK(read_activities("short").empty());
  CHECK(read_activities(std::string(activity_bytes, 'x')).empty());
}

TEST_CASE("a file that cannot be created is an error, and activities are not recorded") {
  CHECK_FALSE(open_activity_file(path_join(temporary_path("no-folder"), "activity")));
}

#ifdef __GLIBC__
namespace {
/// Runs a child process that ends in `end`, and returns the file that its exit watch wrote.
template <class End>
std::string exit_note(End end) {
  const std::string path = temporary_path("exit");
  remove_file(path);
  const pid_t child = ::fork();
  if (child == 0) {
    static const auto* const watch =
        new exit_watch([&path](int code) { static_cast<void>(replace_file(path, std::to_string(code))); });
    static_cast<void>(watch);  // static: LeakSanitizer reports no leak in the child
    end();
    ::_exit(99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const std::string note = read_file(path).value_or("nothing");
  remove_file(path);
  return note;
}
}  // namespace

TEST_CASE("exit notifies the watch with its code, once, and not after the watch has ended") {
  CHECK(exit_note([] { std::exit(3); }) == "3");
  CHECK(exit_note([] { std::exit(0); }) == "0");
  CHECK(exit_note([] {
          { const exit_watch other([](int) {}); }  // replaced the first watch and ended
          std::exit(4);
        }) == "nothing");
  CHECK(exit_note([] { ::_exit(5); }) == "nothing");  // not observable here; the activity file names what ran
}
#endif

TEST_CASE("a killed process leaves its activities in the file") {
#ifndef _WIN32
  const std::string path = temporary_path("killed");
  const pid_t child = ::fork();
  if (child == 0) {
    if (!open_activity_file(path)) ::_exit(1);
    const activity running("start", "hook 'open the database'");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(recorded(path) == std::vector<std::string>{"start hook 'open the database'"});
  remove_file(path);
#endif
}

TEST_CASE("a folder is removed with its content, and a link in it is not followed") {
  const std::string folder = temporary_path("tree"), outside = temporary_path("outside");
  REQUIRE(make_folders(path_join(folder, "a")));
  REQUIRE(make_folders(outside));
  CHECK(replace_file(path_join(path_join(folder, "a"), "file"), "x"));
  CHECK(replace_file(path_join(outside, "kept"), "x"));
#ifndef _WIN32
  CHECK(::symlink(outside.c_str(), path_join(folder, "link").c_str()) == 0);
#endif
  CHECK(remove_folder(folder));
  CHECK_FALSE(list_files(folder));
  CHECK(read_file(path_join(outside, "kept")) == "x");
  CHECK(remove_folder(outside));
  CHECK(remove_folder(outside));  // it does not exist any more
}
