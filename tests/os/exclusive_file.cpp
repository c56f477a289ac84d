// Files that come into being, and get their place.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#if !defined(_WIN32)
  #include <csignal>
  #include <sys/resource.h>
  #include <sys/stat.h>
#endif

using namespace winsvc;

namespace {

/// A path in the system's temporary folder, removed at the end.
struct place {
  place() {
    static std::atomic<int> next{0};
    path = os::path_join(os::temporary_folder(),
                         "winsvc-test-" + std::to_string(os::process_id()) + "-" + std::to_string(next++));
  }
  ~place() { os::remove_file(path); }
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  std::string path;
};

void make(const std::string& path, std::string_view content) {
  auto file = os::exclusive_file::create(path);
  REQUIRE(file);
  CHECK(file->write(content));
  CHECK(file->close());
}

}  // namespace

TEST_CASE("a new file is made where there is none, and never over another") {
  place p;
  make(p.path, "one");
  CHECK(os::read_file(p.path) == "one");
  CHECK_FALSE(os::exclusive_file::create(p.path));
  CHECK(os::read_file(p.path) == "one");
}

TEST_CASE("a moved file replaces the one in its place") {
  place from, to;
  make(from.path, "new");
  make(to.path, "old");
  CHECK(os::move_file(from.path, to.path));
  CHECK(os::read_file(to.path) == "new");
  CHECK_FALSE(os::read_file(from.path));
  CHECK_FALSE(os::move_file(from.path, to.path));
}

TEST_CASE("this process exists, and one whose number was never given does not") {
  CHECK(os::process_exists(os::process_id()));
  CHECK_FALSE(os::process_exists(0x7FFFFFFC));
}

#if !defined(_WIN32)
TEST_CASE("a new file and a private folder are for their owner alone") {
  place file, folder;
  make(file.path, "x");
  struct stat info = {};
  REQUIRE(::stat(file.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(os::make_private_folder(folder.path));
  REQUIRE(::stat(folder.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  ::rmdir(folder.path.c_str());
}

TEST_CASE("a move to another volume copies, and leaves nothing beside the target") {
  struct stat here = {}, existing = {};
  if (::stat("/dev/shm", &existing) != 0 || ::stat(os::temporary_folder().c_str(), &here) != 0) return;
  if (here.st_dev == existing.st_dev || ::access("/dev/shm", W_OK) != 0) return;
  place to;
  const std::string from = "/dev/shm/winsvc-test-" + std::to_string(os::process_id());
  const std::string content(200000, 'x');
  make(from, content);
  CHECK(os::move_file(from, to.path));
  CHECK(os::read_file(to.path) == content);
  CHECK_FALSE(os::read_file(from));
  CHECK_FALSE(os::read_file(os::sibling_path(from, to.path)));
}

TEST_CASE("a file that may not grow says that there is no room") {
  place p;
  auto file = os::exclusive_file::create(p.path);
  REQUIRE(file);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old = {}, small = {};
  ::getrlimit(RLIMIT_FSIZE, &old);
  small = old;
  small.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto written = file->write(std::string(2000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  REQUIRE_FALSE(written);
  CHECK(os::is_disk_full_error(written.error()));
}
#endif
