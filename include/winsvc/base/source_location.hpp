// Where in the user's program a call was written. Registration functions take one as their last, defaulted argument, so
// that a conflict can show both lines. (std::source_location is C++20; the built-ins below are in g++, clang and cl.)
//
//   void get(std::string pattern, F handler, source where = source::here());
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

  /// `main.cpp:12`: the file's last component, which is what a person recognises.
  [[nodiscard]] std::string to_string() const {
    const std::string_view path = file;
    const auto slash = path.find_last_of("/\\");
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ':' + std::to_string(line);
  }
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
