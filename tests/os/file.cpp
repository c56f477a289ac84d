// File functions: append, replace, rename, list, create folders; long paths and Unicode names.
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#if defined(__linux__)
  #include <sys/syscall.h>
#endif

using namespace winsvc;

namespace {

/// The calls that the current thread made while it recorded: "flush SIZE" with the size of the file, "rename NAME".
thread_local std::vector<std::string>* recorded_calls = nullptr;

void record(const std::string& call) {
  if (recorded_calls) recorded_calls->push_back(call);
}
std::string name_in(const std::string& path) { return path.substr(path.find_last_of("/\\") + 1); }

#if defined(_WIN32)
/// Replaces an entry in the import table of this program.
template <class Function>
class replaced_import {
 public:
  replaced_import(Function& entry, Function replacement) : entry_(entry), original_(entry) { set(replacement); }
  ~replaced_import() { set(original_); }
  replaced_import(const replaced_import&) = delete;
  replaced_import& operator=(const replaced_import&) = delete;

 private:
  void set(Function function) {
    DWORD previous = 0;
    REQUIRE(::VirtualProtect(&entry_, sizeof entry_, PAGE_READWRITE, &previous));
    entry_ = function;
  }
  Function& entry_;
  const Function original_;
};
BOOL WINAPI flush_and_record(HANDLE file) {
  LARGE_INTEGER size{};
  ::GetFileSizeEx(file, &size);
  record("flush " + std::to_string(size.QuadPart));
  return TRUE;
}
BOOL WINAPI rename_and_record(const wchar_t* from, const wchar_t* to, DWORD) {
  record("rename " + name_in(detail::os::to_utf8(from)));
  return ::MoveFileWithProgressW(from, to, nullptr, nullptr, MOVEFILE_REPLACE_EXISTING);
}
#endif

/// A folder next to the test program; the destructor deletes it and the files and folders that were registered.
class temporary_folder {
 public:
  temporary_folder() {
    static std::atomic<int> next{0};
    root_ = detail::os::path_join(
        detail::os::folder_of(detail::os::executable_path()),
        "temporary folder " + std::to_string(detail::os::process_id()) + "-" + std::to_string(next++));
    REQUIRE(detail::os::make_folders(root_));
  }
  ~temporary_folder() {
    for (const auto& f : files_) detail::os::remove_file(f);
    for (auto f = folders_.rbegin(); f != folders_.rend(); ++f) remove_folder(*f);
    remove_folder(root_);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  std::string file(const std::string& name) {
    files_.push_back(detail::os::path_join(root_, name));
    files_.push_back(files_.back() + ".new");
    return files_[files_.size() - 2];
  }
  /// Registers the path of a folder; `parent` empty: below the root.
  std::string folder(const std::string& parent, const std::string& name) {
    folders_.push_back(detail::os::path_join(parent.empty() ? root_ : parent, name));
    return folders_.back();
  }
  [[nodiscard]] const std::string& root() const { return root_; }
  void register_file(const std::string& path) { files_.push_back(path); }

 private:
  static void remove_folder(const std::string& path) {
#if defined(_WIN32)
    ::RemoveDirectoryW(detail::os::wide_path(path).c_str());
#else
    ::rmdir(path.c_str());
#endif
  }
  std::string root_;
  std::vector<std::string> files_, folders_;
};

}  // namespace

// The functions of the system that this program calls.
#if defined(_WIN32)
extern "C" {
extern decltype(&::FlushFileBuffers) __imp_FlushFileBuffers;
extern decltype(&::MoveFileExW) __imp_MoveFileExW;
}
#elif defined(__linux__)
extern "C" int fsync(int file) {
  struct stat info = {};
  if (recorded_calls && ::fstat(file, &info) == 0) record("flush " + std::to_string(info.st_size));
  return static_cast<int>(::syscall(SYS_fsync, file));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  record("rename " + name_in(from));
  return ::renameat(AT_FDCWD, from, AT_FDCWD, to);
}
#endif

TEST_CASE("append_file appends to the existing content and counts the bytes") {
  temporary_folder s;
  const std::string path = s.file("a.log");
  {
    auto opened = detail::os::append_file::open(path);
    REQUIRE(opened);
    detail::os::append_file log = std::move(*opened);
    CHECK(log.is_open());
    CHECK(log.size() == 0);
    CHECK(log.write("one\n"));
    CHECK(log.write(""));
    CHECK(log.size() == 4);
    CHECK(detail::os::read_file(path) == "one\n");  // a file that is open for appending can be read
  }
  auto again = detail::os::append_file::open(path);
  REQUIRE(again);
  CHECK(again->size() == 4);
  CHECK(again->write("two\n"));
  CHECK(again->size() == 8);
  again->close();
  again->close();
  CHECK_FALSE(again->is_open());
  CHECK(detail::os::read_file(path) == "one\ntwo\n");
}

TEST_CASE("two writers that append to the same file do not overwrite each other") {
  temporary_folder s;
  const std::string path = s.file("a.log");
  auto first = detail::os::append_file::open(path), second = detail::os::append_file::open(path);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->write("1"));
  CHECK(second->write("2"));
  CHECK(first->write("3"));
  CHECK(detail::os::read_file(path) == "123");
}

TEST_CASE("a file can be renamed while it is open for appending") {
  temporary_folder s;
  const std::string path = s.file("a.log"), old = s.file("a.1.log");
  auto log = detail::os::append_file::open(path);
  REQUIRE(log);
  CHECK(log->write("one"));
  CHECK(detail::os::rename_file(path, old));
  CHECK(log->write(" two"));
  log->close();
  CHECK(detail::os::read_file(old) == "one two");
  CHECK_FALSE(detail::os::read_file(path));
}

TEST_CASE("an append_file can be moved, also to itself") {
  temporary_folder s;
  auto opened = detail::os::append_file::open(s.file("a.log"));
  REQUIRE(opened);
  detail::os::append_file first = std::move(*opened);
  detail::os::append_file second = std::move(first);
  CHECK(second.is_open());
  auto& same = second;
  second = std::move(same);
  CHECK(second.is_open());
  CHECK(second.write("still there"));
  CHECK_FALSE(detail::os::append_file().is_open());
  CHECK_FALSE(detail::os::append_file().write("x"));
}

TEST_CASE("replace_file replaces the content and leaves no temporary file") {
  temporary_folder s;
  const std::string path = s.file("state.json");
  CHECK(detail::os::replace_file(path, "first, and long"));
  CHECK(detail::os::read_file(path) == "first, and long");
  CHECK(detail::os::replace_file(path, "second"));
  CHECK(detail::os::read_file(path) == "second");
  CHECK(detail::os::replace_file(path, ""));
  CHECK(detail::os::read_file(path) == "");
  CHECK_FALSE(detail::os::read_file(path + ".new"));
}

#if defined(_WIN32) || defined(__linux__)
TEST_CASE("replace_file flushes all data to the disk before it renames the file") {
  temporary_folder s;
#if defined(_WIN32)
  const replaced_import flush(__imp_FlushFileBuffers, &flush_and_record);
  const replaced_import rename(__imp_MoveFileExW, &rename_and_record);
#endif
  std::vector<std::string> calls;
  recorded_calls = &calls;
  const auto replaced = detail::os::replace_file(s.file("state.json"), std::string(100'000, 'x'));
  recorded_calls = nullptr;
  CHECK(replaced);
  CHECK(calls == std::vector<std::string>{"flush 100000", "rename state.json.new"});
}
#endif

TEST_CASE("a reader sees the old text or the new text while a file is replaced") {
  temporary_folder s;
  const std::string path = s.file("state.json");
  const std::string a(20'000, 'a'), b(30'000, 'b');
  REQUIRE(detail::os::replace_file(path, a));
  std::atomic<bool> stopping{false};
  std::atomic<int> partial_count{0}, read_count{0};
  waiting::scoped_thread reader("the reader", [&] {
    while (!stopping) {
      const auto content = detail::os::read_file(path);
      if (!content) continue;  // Windows may reject the open during the rename
      ++read_count;
      if (*content != a && *content != b) ++partial_count;
    }
  });
  for (int i = 0; i < 60; ++i) static_cast<void>(detail::os::replace_file(path, i % 2 == 0 ? b : a));
  const winsvc::scope_exit end([&]() noexcept { stopping = true; });
  waiting::wait_until([&] { return read_count >= 3; }, "three reads");
  stopping = true;
  reader.join();
  CHECK(partial_count.load() == 0);
}

TEST_CASE("rename_file replaces an existing target and fails if the source does not exist") {
  temporary_folder s;
  const std::string from = s.file("new"), to = s.file("old");
  REQUIRE(detail::os::replace_file(from, "new"));
  REQUIRE(detail::os::replace_file(to, "old"));
  CHECK(detail::os::rename_file(from, to));
  CHECK(detail::os::read_file(to) == "new");
  CHECK_FALSE(detail::os::read_file(from));
  CHECK_FALSE(detail::os::rename_file(from, to));
  CHECK(detail::os::remove_file(to));
  CHECK_FALSE(detail::os::remove_file(to));
}

TEST_CASE("make_folders creates all parents and succeeds if the folder exists") {
  temporary_folder s;
  const std::string outer = s.folder("", "outer"), middle = s.folder(outer, "mid dle"),
                    inner = s.folder(middle, "inner");
  CHECK(detail::os::make_folders(inner));
  CHECK(detail::os::make_folders(inner));
  CHECK(detail::os::make_folders(outer));
  const std::string file = detail::os::path_join(inner, "f");
  s.register_file(file);
  CHECK(detail::os::replace_file(file, "x"));
  CHECK(detail::os::read_file(file) == "x");
}

TEST_CASE("list_files returns the files of a folder in order, without subfolders") {
  temporary_folder s;
  CHECK(detail::os::list_files(s.root())->empty());
  for (const char* name : {"b.dmp", "a.dmp", "Z\xC3\xBCrich", "a b"})
    CHECK(detail::os::replace_file(s.file(name), "x"));
  CHECK(detail::os::make_folders(s.folder("", "folder")));
  CHECK(*detail::os::list_files(s.root()) == std::vector<std::string>{"Z\xC3\xBCrich", "a b", "a.dmp", "b.dmp"});
  CHECK(detail::os::list_files(detail::os::path_join(s.root(), "none")).error() != 0);
  CHECK_FALSE(detail::os::list_files(detail::os::path_join(s.root(), "a.dmp")));
}

TEST_CASE("make_folders fails if the path or a parent is a file") {
  temporary_folder s;
  const std::string path = s.file("taken");
  REQUIRE(detail::os::replace_file(path, "x"));
  CHECK_FALSE(detail::os::make_folders(path));
  CHECK_FALSE(detail::os::make_folders(detail::os::path_join(path, "below")));
}

TEST_CASE("functions fail with a code if the folder of the file does not exist") {
  temporary_folder s;
  const std::string missing = detail::os::path_join(detail::os::path_join(s.root(), "none"), "f");
  CHECK_FALSE(detail::os::read_file(missing));
  CHECK_FALSE(detail::os::remove_file(missing));
  const auto opened = detail::os::append_file::open(missing);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() != 0);
  const auto replaced = detail::os::replace_file(missing, "x");
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error() != 0);
}

TEST_CASE("Unicode names and paths of more than 330 characters work") {
  temporary_folder s;
  const std::string umlaut = s.file("Z\xC3\xBCrich \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80.txt");
  CHECK(detail::os::replace_file(umlaut, "x"));
  CHECK(detail::os::read_file(umlaut) == "x");

  std::string deep = s.root();
  for (int i = 0; i < 4; ++i) {
    std::string part = "\xC3\xBC" + std::string(80, 'a');
    deep = s.folder(deep, part);
  }
  REQUIRE(deep.size() > 330);
  CHECK(detail::os::make_folders(deep));
  CHECK(detail::os::make_folders(deep));
  const std::string file = detail::os::path_join(deep, "f");
  s.register_file(file);
  CHECK(detail::os::replace_file(file, "deep"));
  CHECK(detail::os::replace_file(file, "deeper"));
  CHECK(detail::os::read_file(file) == "deeper");
  auto log = detail::os::append_file::open(file);
  REQUIRE(log);
  CHECK(log->write("!"));
  log->close();
  CHECK(detail::os::read_file(file) == "deeper!");
}

TEST_CASE("a file of 100 kB is read back unchanged, with line ends and all byte values") {
  temporary_folder s;
  const std::string path = s.file("bytes");
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += static_cast<char>(i * 7 % 256);
  bytes += "\r\n\n\x1A";
  CHECK(detail::os::replace_file(path, bytes));
  CHECK(detail::os::read_file(path) == bytes);
}
