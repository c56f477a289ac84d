// source_location: file and line of a call in the user's program. Registration functions take it as their last,
// defaulted argument, so that the message of a conflict shows both lines.
//
//   void get(std::string pattern, F handler, source_location location = source_location::current());
//
// std::source_location is C++20; g++, clang++ and cl have the built-in functions in C++17.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

struct source_location {
  const char* file = "";
  int line = 0;

  static constexpr source_location current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
    return {file, line};
  }

  /// `main.cpp:12`: the file name without its folder.
  [[nodiscard]] std::string to_string() const {
    const std::string_view path = file;
    const auto slash = path.find_last_of("/\\");
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ':' + std::to_string(line);
  }
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
