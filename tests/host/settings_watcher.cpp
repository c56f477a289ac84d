// Settings watcher: the end of the watch is reported although a callback has failed before.
#include <winsvc/testing.hpp>

#include "../support/test_folder.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#ifdef __linux__  // another system keeps a folder until its watcher is closed, or has no watcher

  #include <atomic>
  #include <filesystem>
  #include <functional>
  #include <memory>
  #include <new>
  #include <string>

using winsvc::detail::host::settings_watcher;
namespace os = winsvc::detail::os;

namespace {

/// A watcher of a settings file that has changed.
struct test_watcher {
  test_folder folder;
  std::atomic<int> reloads{0}, losses{0};
  std::unique_ptr<settings_watcher> watcher;

  test_watcher(const std::string& word, const std::function<bool()>& reload, const std::function<void()>& lost)
      : folder(word) {
    REQUIRE(os::replace_file(folder.name("hello.ini"), "new"));
    settings_watcher::callbacks functions;
    functions.reload = [this, reload] {
      ++reloads;
      return reload();
    };
    functions.watch_lost = [this, lost] {
      ++losses;
      lost();
    };
    watcher = std::make_unique<settings_watcher>(folder.name("hello.ini"), "old", std::move(functions),
                                                 winsvc::clock::system());
    REQUIRE(watcher->start());
  }
  void delete_folder() {
    waiting::wait_until([this] { return reloads > 0; }, "the reload");
    std::filesystem::remove_all(folder.path);
  }
};

}  // namespace

TEST_CASE("a deleted folder is reported once, also after a callback that fails") {
  const auto nothing = [] {};
  bool is_first = true;
  test_watcher lost("watcher-lost", [] { return true; }, [&is_first] {
    if (std::exchange(is_first, false)) throw std::bad_alloc();
  });
  test_watcher rejected("watcher-rejected", [] { return false; }, nothing);
  test_watcher failed("watcher-failed", []() -> bool { throw std::bad_alloc(); }, nothing);

  for (auto* each : {&lost, &rejected, &failed}) each->delete_folder();

  waiting::wait_until([&] { return lost.losses == 2; }, "the second report of the deleted folder");
  waiting::wait_until([&] { return rejected.losses == 1; }, "the report during a rejected reload");
  waiting::wait_until([&] { return failed.losses == 1; }, "the report after a failed reload");
  for (auto* each : {&lost, &rejected, &failed}) each->watcher.reset();
  CHECK(lost.losses == 2);
  CHECK(lost.reloads == 1);
  CHECK(rejected.losses == 1);
  CHECK(failed.losses == 1);
}

#endif
