// Exclusively created files, moving a file, private folders.
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

/// A path in the temporary folder; the destructor deletes the file.
struct temporary_path {
  temporary_path() {
    static std::atomic<int> next{0};
    path = detail::os::path_join(detail::os::temporary_folder(),
                         "winsvc-test-" + std::to_string(detail::os::process_id()) + "-" + std::to_string(next++));
  }
  ~temporary_path() { detail::os::remove_file(path); }
  temporary_path(const temporary_path&) = delete;
  temporary_path& operator=(const temporary_path&) = delete;
  std::string path;
};

void create_file(const std::string& path, std::string_view content) {
  auto file = detail::os::exclusive_file::create(path);
  REQUIRE(file);
  CHECK(file->write(content));
  CHECK(file->close());
}

}  // namespace

TEST_CASE("create fails if the file exists, and keeps its content") {
  temporary_path p;
  create_file(p.path, "one");
  CHECK(detail::os::read_file(p.path) == "one");
  CHECK_FALSE(detail::os::exclusive_file::create(p.path));
  CHECK(detail::os::read_file(p.path) == "one");
}

TEST_CASE("move_file replaces an existing target") {
  temporary_path from, to;
  create_file(from.path, "new");
  create_file(to.path, "old");
  CHECK(detail::os::move_file(from.path, to.path));
  CHECK(detail::os::read_file(to.path) == "new");
  CHECK_FALSE(detail::os::read_file(from.path));
  CHECK_FALSE(detail::os::move_file(from.path, to.path));
}

TEST_CASE("process_exists is true for this process and false for an unused ID") {
  CHECK(detail::os::process_exists(detail::os::process_id()));
  CHECK_FALSE(detail::os::process_exists(0x7FFFFFFC));
}

#if !defined(_WIN32)
TEST_CASE("a new file has mode 0600 and a private folder 0700") {
  temporary_path file, folder;
  create_file(file.path, "x");
  struct stat info = {};
  REQUIRE(::stat(file.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(detail::os::make_private_folder(folder.path));
  REQUIRE(::stat(folder.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  ::rmdir(folder.path.c_str());
}

TEST_CASE("a move to another volume copies the file and leaves no temporary file") {
  struct stat target_volume = {}, source_volume = {};
  if (::stat("/dev/shm", &source_volume) != 0) return;
  if (::stat(detail::os::temporary_folder().c_str(), &target_volume) != 0) return;
  if (target_volume.st_dev == source_volume.st_dev || ::access("/dev/shm", W_OK) != 0) return;
  temporary_path to;
  const std::string from = "/dev/shm/winsvc-test-" + std::to_string(detail::os::process_id());
  const std::string content(200000, 'x');
  create_file(from, content);
  CHECK(detail::os::move_file(from, to.path));
  CHECK(detail::os::read_file(to.path) == content);
  CHECK_FALSE(detail::os::read_file(from));
  CHECK_FALSE(detail::os::read_file(detail::os::sibling_path(from, to.path)));
}

TEST_CASE("a write beyond the file size limit fails with a disk-full error") {
  temporary_path p;
  auto file = detail::os::exclusive_file::create(p.path);
  REQUIRE(file);
  const auto previous_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit previous_limit = {};
  ::getrlimit(RLIMIT_FSIZE, &previous_limit);
  rlimit limit = previous_limit;
  limit.rlim_cur = 1000;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto written = file->write(std::string(2000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &previous_limit);
  std::signal(SIGXFSZ, previous_handler);
  REQUIRE_FALSE(written);
  CHECK(detail::os::is_disk_full_error(written.error()));
}
#endif
