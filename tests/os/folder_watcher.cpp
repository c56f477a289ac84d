// Folder watcher: changes in a folder end the wait.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

using namespace std::chrono_literals;
namespace os = winsvc::detail::os;
using watch_event = os::folder_watcher::watch_event;

namespace {

std::string new_folder() {
  static std::atomic<int> next{0};
  const auto name = "winsvc-watch-" + std::to_string(os::process_id()) + "-" + std::to_string(++next);
  const std::string folder = os::path_join(os::temporary_folder(), name);
  REQUIRE(os::make_folders(folder));
  return folder;
}

}  // namespace

TEST_CASE("creating, writing, renaming and deleting a file are changes") {
  const std::string folder = new_folder();
  const std::string file = os::path_join(folder, "a"), other = os::path_join(folder, "b");
  os::folder_watcher watcher;
  REQUIRE(watcher.open(folder));
  CHECK(watcher.wait(20ms) == watch_event::timed_out);

  REQUIRE(os::replace_file(file, "1"));
  CHECK(watcher.wait(5s) == watch_event::change);
  while (watcher.wait(100ms) == watch_event::change) {}
  REQUIRE(os::replace_file(file, "22"));
  CHECK(watcher.wait(5s) == watch_event::change);
  while (watcher.wait(100ms) == watch_event::change) {}
  REQUIRE(os::rename_file(file, other));
  CHECK(watcher.wait(5s) == watch_event::change);
  while (watcher.wait(100ms) == watch_event::change) {}
  REQUIRE(os::remove_file(other));
  CHECK(watcher.wait(5s) == watch_event::change);
}

TEST_CASE("a change between two waits is reported by the next wait") {
  const std::string folder = new_folder();
  os::folder_watcher watcher;
  REQUIRE(watcher.open(folder));

  REQUIRE(os::replace_file(os::path_join(folder, "a"), "1"));
  std::this_thread::sleep_for(50ms);

  CHECK(watcher.wait(5s) == watch_event::change);
}

TEST_CASE("stop() ends the current wait and each later wait") {
  const std::string folder = new_folder();
  os::folder_watcher watcher;
  REQUIRE(watcher.open(folder));
  waiting::scoped_thread other("the thread that calls stop()", [&] {
    std::this_thread::sleep_for(30ms);
    watcher.stop();
  });

  CHECK(waiting::call_within_deadline("wait()", [&] { return watcher.wait(); }) == watch_event::stopped);
  CHECK(watcher.wait(5s) == watch_event::stopped);
  other.join();
}

TEST_CASE("open fails with 'not found' if the folder does not exist") {
  os::folder_watcher watcher;
  const auto opened = watcher.open(os::path_join(new_folder(), "nowhere"));

  REQUIRE_FALSE(opened);
  CHECK((opened.error() == 2 || opened.error() == 3));
}
