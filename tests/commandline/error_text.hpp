// The error message of a command line, for the tests of the parser.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "winsvc/commandline/parse_command.hpp"

using words = std::vector<std::string>;

/// Returns the error message, or "accepted".
inline std::string error_text(const words& arguments) {
  const auto result = winsvc::detail::commandline::parse_command(arguments);
  if (result) return "accepted";
  CHECK(result.error().origin == winsvc::error::origin_kind::command_line);
  return result.error().to_string();
}

inline bool contains(const std::string& s, std::string_view part) { return s.find(part) != std::string::npos; }
