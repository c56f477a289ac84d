// test_folder: an empty folder for the files of a test, which is deleted with them.
//
//   const test_folder folder("static-files");   // the name: a word of the test file
//   os::replace_file(folder.name("a.txt"), "hello");
#pragma once

#include <winsvc/testing.hpp>

#include <filesystem>
#include <string>
#include <system_error>

struct test_folder {
  std::filesystem::path path;

  explicit test_folder(const std::string& word)
      : path(std::filesystem::temp_directory_path() /
             ("winsvc-" + word + '-' + std::to_string(winsvc::detail::os::process_id()))) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~test_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  test_folder(const test_folder&) = delete;
  test_folder& operator=(const test_folder&) = delete;

  [[nodiscard]] std::string name(const std::string& file) const { return (path / file).string(); }
  /// The content of a file; "" if it cannot be read.
  [[nodiscard]] std::string content(const std::string& file) const {
    return winsvc::detail::os::read_file(name(file)).value_or(std::string());
  }
};
