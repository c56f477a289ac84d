// A folder that is watched.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

using namespace std::chrono_literals;
namespace os = winsvc::os;
using seen = os::folder_watcher::watch_event;

namespace {

std::string a_folder() {
  static std::atomic<int> next{0};
  const auto name = "winsvc-watch-" + std::to_string(os::process_id()) + "-" + std::to_string(++next);
  const std::string folder = os::path_join(os::temporary_folder(), name);
  REQUIRE(os::make_folders(folder));
  return folder;
}

}  // namespace

TEST_CASE("a file that is made, written, renamed or deleted in a watched folder is a change") {
  const std::string folder = a_folder();
  const std::string file = os::path_join(folder, "a"), other = os::path_join(folder, "b");
  os::folder_watcher watch;
  REQUIRE(watch.open(folder));
  CHECK(watch.wait(20ms) == seen::timed_out);

  REQUIRE(os::replace_file(file, "1"));
  CHECK(watch.wait(5s) == seen::change);
  while (watch.wait(100ms) == seen::change) {}
  REQUIRE(os::replace_file(file, "22"));
  CHECK(watch.wait(5s) == seen::change);
  while (watch.wait(100ms) == seen::change) {}
  REQUIRE(os::rename_file(file, other));
  CHECK(watch.wait(5s) == seen::change);
  while (watch.wait(100ms) == seen::change) {}
  REQUIRE(os::remove_file(other));
  CHECK(watch.wait(5s) == seen::change);
}

TEST_CASE("what changes between two waits is not missed") {
  const std::string folder = a_folder();
  os::folder_watcher watch;
  REQUIRE(watch.open(folder));

  REQUIRE(os::replace_file(os::path_join(folder, "a"), "1"));
  std::this_thread::sleep_for(50ms);

  CHECK(watch.wait(5s) == seen::change);
}

TEST_CASE("end wakes whoever waits, and whoever would wait later") {
  const std::string folder = a_folder();
  os::folder_watcher watch;
  REQUIRE(watch.open(folder));
  waiting::scoped_thread other("the thread that calls end()", [&] {
    std::this_thread::sleep_for(30ms);
    watch.stop();
  });

  CHECK(waiting::call_within_deadline("wait()", [&] { return watch.wait(); }) == seen::stopped);
  CHECK(watch.wait(5s) == seen::stopped);
  other.join();
}

TEST_CASE("a folder that is not there cannot be watched, and the code says so") {
  os::folder_watcher watch;
  const auto opened = watch.open(os::path_join(a_folder(), "nowhere"));

  REQUIRE_FALSE(opened);
  CHECK((opened.error() == 2 || opened.error() == 3));
}
