// Log files: names, and the numbers of rotated files.
#include "winsvc/log/log_files.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <initializer_list>
#include <string>

#include "log_folder.hpp"

using namespace log_test;
using winsvc::detail::log::delete_oldest_log_file;
using winsvc::detail::log::log_path;
using winsvc::detail::log::number_pending_rotation;
using winsvc::detail::log::pending_rotation_name;

namespace {

void write_files(const folder& f, std::initializer_list<const char*> names) {
  for (const char* name : names) std::ofstream(f / name, std::ios::binary) << name;
}

}  // namespace

TEST_CASE("the newest file has no number, and an older one has its age") {
  CHECK(log_file_name("logs/hello", 0) == "logs/hello.log");
  CHECK(log_file_name("logs/hello", 12) == "logs/hello.12.log");
  using winsvc::detail::os::path_join;
  CHECK(log_path("data", "hello") == path_join(path_join("data", "logs"), "hello"));
}

TEST_CASE("without a pending rotation, no file is renamed") {
  folder f;
  write_files(f, {"hello.log", "hello.1.log"});

  CHECK(number_pending_rotation(f / "hello", 5));

  CHECK(f.read("hello.1.log") == "hello.1.log");
  CHECK(f.files() == 2);
}

TEST_CASE("the pending rotation gets number 1, and each older file the next number") {
  folder f;
  write_files(f, {"hello.pending.log", "hello.1.log", "hello.2.log"});

  CHECK(number_pending_rotation(f / "hello", 5));

  CHECK(f.read("hello.1.log") == "hello.pending.log");
  CHECK(f.read("hello.2.log") == "hello.1.log");
  CHECK(f.read("hello.3.log") == "hello.2.log");
  CHECK(f.files() == 3);
}

TEST_CASE("if only the current file is kept, the pending rotation is deleted") {
  folder f;
  write_files(f, {"hello.pending.log"});

  CHECK(number_pending_rotation(f / "hello", 1));
  CHECK(f.files() == 0);
}

TEST_CASE("the oldest file is deleted first, and number 1 is kept") {
  folder f;
  write_files(f, {"hello.log", "hello.1.log", "hello.2.log", "hello.3.log"});

  CHECK(delete_oldest_log_file(f / "hello"));
  CHECK(f.read("hello.3.log") == "(none)");
  CHECK(delete_oldest_log_file(f / "hello"));
  CHECK_FALSE(delete_oldest_log_file(f / "hello"));
  CHECK(f.files() == 2);
}

TEST_CASE("surplus numbered files are deleted, and a pending rotation of an earlier run is completed") {
  folder f;
  for (const char* name :
       {"hello.pending.log", "hello.1.log", "hello.2.log", "hello.3.log", "hello.4.log", "hello.x.log"})
    std::ofstream(f / name, std::ios::binary) << name;

  test_log log(f / "hello", {90, 3});

  CHECK(f.read("hello.1.log") == "hello.pending.log");
  CHECK(f.read("hello.2.log") == "hello.1.log");
  CHECK(f.files() == 4);  // includes the new file, and a file of another program
}

TEST_CASE("if a number is free, the older files keep their numbers") {
  folder f;
  for (const char* name : {"hello.1.log", "hello.3.log"}) std::ofstream(f / name, std::ios::binary) << name;
  test_log log(f / "hello", {90, 4});
  for (const char* text : {"one", "two", "three"}) log.write(entry(text));

  CHECK(f.read("hello.1.log") == line("one") + line("two"));
  CHECK(f.read("hello.2.log") == "hello.1.log");
  CHECK(f.read("hello.3.log") == "hello.3.log");
}
