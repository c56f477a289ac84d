// Files and folders, with names of every kind.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace winsvc;

namespace {

/// A folder beside the test program, gone with all that was put into it.
class scratch {
 public:
  scratch() {
    static std::atomic<int> next{0};
    root_ = os::path_join(os::folder_of(os::executable_path()),
                          "scratch " + std::to_string(os::process_id()) + "-" + std::to_string(next++));
    REQUIRE(os::make_folders(root_));
  }
  ~scratch() {
    for (const auto& f : files_) os::remove_file(f);
    for (auto f = folders_.rbegin(); f != folders_.rend(); ++f) remove_folder(*f);
    remove_folder(root_);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::string file(const std::string& name) {
    files_.push_back(os::path_join(root_, name));
    files_.push_back(files_.back() + ".new");
    return files_[files_.size() - 2];
  }
  /// A folder below another, which is to be removed before that one.
  std::string folder(const std::string& above, const std::string& name) {
    folders_.push_back(os::path_join(above.empty() ? root_ : above, name));
    return folders_.back();
  }
  [[nodiscard]] const std::string& root() const { return root_; }
  void also(const std::string& file) { files_.push_back(file); }

 private:
  static void remove_folder(const std::string& path) {
#if defined(_WIN32)
    ::RemoveDirectoryW(os::wide_path(path).c_str());
#else
    ::rmdir(path.c_str());
#endif
  }
  std::string root_;
  std::vector<std::string> files_, folders_;
};

}  // namespace

TEST_CASE("an appended file grows, and is found again as it was left") {
  scratch s;
  const std::string path = s.file("a.log");
  {
    auto opened = os::append_file::open(path);
    REQUIRE(opened);
    os::append_file log = std::move(*opened);
    CHECK(log.is_open());
    CHECK(log.size() == 0);
    CHECK(log.write("one\n"));
    CHECK(log.write(""));
    CHECK(log.size() == 4);
    CHECK(os::read_file(path) == "one\n");  // others may read meanwhile
  }
  auto again = os::append_file::open(path);
  REQUIRE(again);
  CHECK(again->size() == 4);
  CHECK(again->write("two\n"));
  CHECK(again->size() == 8);
  again->close();
  again->close();
  CHECK_FALSE(again->is_open());
  CHECK(os::read_file(path) == "one\ntwo\n");
}

TEST_CASE("two who append to one file do not overwrite each other") {
  scratch s;
  const std::string path = s.file("a.log");
  auto one = os::append_file::open(path), other = os::append_file::open(path);
  REQUIRE(one);
  REQUIRE(other);
  CHECK(one->write("1"));
  CHECK(other->write("2"));
  CHECK(one->write("3"));
  CHECK(os::read_file(path) == "123");
}

TEST_CASE("a file that is appended to can be renamed away under its writer") {
  scratch s;
  const std::string path = s.file("a.log"), old = s.file("a.1.log");
  auto log = os::append_file::open(path);
  REQUIRE(log);
  CHECK(log->write("one"));
  CHECK(os::rename_file(path, old));
  CHECK(log->write(" two"));
  log->close();
  CHECK(os::read_file(old) == "one two");
  CHECK_FALSE(os::read_file(path));
}

TEST_CASE("a moved file is open once, and moving a file onto itself keeps it") {
  scratch s;
  auto opened = os::append_file::open(s.file("a.log"));
  REQUIRE(opened);
  os::append_file first = std::move(*opened);
  os::append_file second = std::move(first);
  CHECK(second.is_open());
  auto& same = second;
  second = std::move(same);
  CHECK(second.is_open());
  CHECK(second.write("still there"));
  CHECK_FALSE(os::append_file().is_open());
  CHECK_FALSE(os::append_file().write("x"));
}

TEST_CASE("a file is replaced whole, and nothing is left beside it") {
  scratch s;
  const std::string path = s.file("state.json");
  CHECK(os::replace_file(path, "first, and long"));
  CHECK(os::read_file(path) == "first, and long");
  CHECK(os::replace_file(path, "second"));
  CHECK(os::read_file(path) == "second");
  CHECK(os::replace_file(path, ""));
  CHECK(os::read_file(path) == "");
  CHECK_FALSE(os::read_file(path + ".new"));
}

TEST_CASE("who reads while a file is replaced reads the old text or the new") {
  scratch s;
  const std::string path = s.file("state.json");
  const std::string a(20'000, 'a'), b(30'000, 'b');
  REQUIRE(os::replace_file(path, a));
  std::atomic<bool> over{false};
  std::atomic<int> partial{0}, seen{0};
  waiting::scoped_thread reader("the reader", [&] {
    while (!over) {
      const auto content = os::read_file(path);
      if (!content) continue;  // Windows may refuse the open during the rename: no file, but never half of one
      ++seen;
      if (*content != a && *content != b) ++partial;
    }
  });
  for (int i = 0; i < 60; ++i) static_cast<void>(os::replace_file(path, i % 2 == 0 ? b : a));
  const winsvc::scope_exit end([&]() noexcept { over = true; });
  waiting::wait_until([&] { return seen >= 3; }, "three reads");
  over = true;
  reader.join();
  CHECK(partial.load() == 0);
}

TEST_CASE("a rename goes over an existing file, and fails for one that is not there") {
  scratch s;
  const std::string from = s.file("new"), to = s.file("old");
  REQUIRE(os::replace_file(from, "new"));
  REQUIRE(os::replace_file(to, "old"));
  CHECK(os::rename_file(from, to));
  CHECK(os::read_file(to) == "new");
  CHECK_FALSE(os::read_file(from));
  CHECK_FALSE(os::rename_file(from, to));
  CHECK(os::remove_file(to));
  CHECK_FALSE(os::remove_file(to));
}

TEST_CASE("folders are made with all their parents, and one that exists is success") {
  scratch s;
  const std::string outer = s.folder("", "outer"), middle = s.folder(outer, "mid dle"),
                    inner = s.folder(middle, "inner");
  CHECK(os::make_folders(inner));
  CHECK(os::make_folders(inner));
  CHECK(os::make_folders(outer));
  const std::string file = os::path_join(inner, "f");
  s.also(file);
  CHECK(os::replace_file(file, "x"));
  CHECK(os::read_file(file) == "x");
}

TEST_CASE("a folder's files are listed in order, and its folders are not") {
  scratch s;
  CHECK(os::list_files(s.root())->empty());
  for (const char* name : {"b.dmp", "a.dmp", "Z\xC3\xBCrich", "a b"}) CHECK(os::replace_file(s.file(name), "x"));
  CHECK(os::make_folders(s.folder("", "folder")));
  CHECK(*os::list_files(s.root()) == std::vector<std::string>{"Z\xC3\xBCrich", "a b", "a.dmp", "b.dmp"});
  CHECK(os::list_files(os::path_join(s.root(), "none")).error() != 0);
  CHECK_FALSE(os::list_files(os::path_join(s.root(), "a.dmp")));
}

TEST_CASE("a file where a folder should be is a failure, not a folder") {
  scratch s;
  const std::string path = s.file("taken");
  REQUIRE(os::replace_file(path, "x"));
  CHECK_FALSE(os::make_folders(path));
  CHECK_FALSE(os::make_folders(os::path_join(path, "below")));
}

TEST_CASE("what cannot be opened is a failure with a code, and leaves nothing behind") {
  scratch s;
  const std::string nowhere = os::path_join(os::path_join(s.root(), "none"), "f");
  CHECK_FALSE(os::read_file(nowhere));
  CHECK_FALSE(os::remove_file(nowhere));
  const auto opened = os::append_file::open(nowhere);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() != 0);
  const auto replaced = os::replace_file(nowhere, "x");
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error() != 0);
}

TEST_CASE("names of any script and long paths are no trouble") {
  scratch s;
  const std::string umlaut = s.file("Z\xC3\xBCrich \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80.txt");
  CHECK(os::replace_file(umlaut, "x"));
  CHECK(os::read_file(umlaut) == "x");

  std::string deep = s.root();
  for (int i = 0; i < 4; ++i) {
    std::string part = "\xC3\xBC" + std::string(80, 'a');
    deep = s.folder(deep, part);
  }
  REQUIRE(deep.size() > 330);
  CHECK(os::make_folders(deep));
  CHECK(os::make_folders(deep));
  const std::string file = os::path_join(deep, "f");
  s.also(file);
  CHECK(os::replace_file(file, "deep"));
  CHECK(os::replace_file(file, "deeper"));
  CHECK(os::read_file(file) == "deeper");
  auto log = os::append_file::open(file);
  REQUIRE(log);
  CHECK(log->write("!"));
  log->close();
  CHECK(os::read_file(file) == "deeper!");
}

TEST_CASE("bytes are bytes: nothing is translated, and a big file comes back whole") {
  scratch s;
  const std::string path = s.file("bytes");
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7 % 256);
  bytes += "\r\n\n\x1A";
  CHECK(os::replace_file(path, bytes));
  CHECK(os::read_file(path) == bytes);
}
