// Windows command lines: quotes and splits arguments by the rules of CommandLineToArgvW and the Microsoft C runtime.
// Windows passes one command line to a program, not a list of arguments.
//
//   quote_argument(R"(C:\My tools\app.exe)")     // "C:\My tools\app.exe"  with quotes
//   split_command_line(line)                     // the arguments again
//
// Both parsers read the output of quote_argument in the same way. They differ in `""` within quotes, where
// CommandLineToArgvW ends the quotes; split_command_line follows the runtime.
//
// If an unquoted ImagePath of a service contains a space, Windows may run `C:\My.exe` instead (CWE-428). Therefore the
// executable is always quoted.
// Source: "Parsing C command-line arguments" and CommandLineToArgvW in the Win32 documentation.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// `needed` quotes an argument only if the rules require it; `always` quotes each argument.
enum class quoting { needed, always };

/// Quotes an argument so that `split_command_line` returns it unchanged. It must not contain a NUL.
[[nodiscard]] std::string quote_argument(std::string_view argument, quoting mode = quoting::needed);

/// `program`, always quoted, then the arguments, quoted if needed. This is the form of an ImagePath.
[[nodiscard]] std::string command_line(std::string_view program, const std::vector<std::string>& arguments);

/// Splits a command line. The first argument, the program, has other rules: a quoted part ends at the next quote, and
/// backslashes have no special meaning. An empty line gives an empty list.
[[nodiscard]] std::vector<std::string> split_command_line(std::string_view line);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE std::string quote_argument(std::string_view argument, quoting mode) {
  const bool plain = !argument.empty() && argument.find_first_of(" \t\n\v\"") == std::string_view::npos;
  if (plain && mode == quoting::needed) return std::string(argument);

  std::string out = "\"";
  std::size_t backslashes = 0;
  for (const char c : argument) {
    if (c == '\\') {
      ++backslashes;
      continue;
    }
    // A backslash is special only before a quote: there each one is doubled, and one more escapes the quote.
    out.append(c == '"' ? backslashes * 2 + 1 : backslashes, '\\');
    backslashes = 0;
    out += c;
  }
  out.append(backslashes * 2, '\\');  // the closing quote follows
  return out + '"';
}

WINSVC_INLINE std::string command_line(std::string_view program, const std::vector<std::string>& arguments) {
  std::string line = quote_argument(program, quoting::always);
  for (const auto& argument : arguments) line += ' ' + quote_argument(argument);
  return line;
}

WINSVC_INLINE std::vector<std::string> split_command_line(std::string_view line) {
  std::vector<std::string> arguments;
  if (line.empty()) return arguments;
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  std::size_t position = 0;

  std::string program;
  if (line[0] == '"') {
    const auto end = line.find('"', 1);
    program = line.substr(1, end == std::string_view::npos ? end : end - 1);
    position = end == std::string_view::npos ? line.size() : end + 1;
  } else {
    while (position < line.size() && !blank(line[position])) program += line[position++];
  }
  arguments.push_back(std::move(program));

  for (;;) {
    while (position < line.size() && blank(line[position])) ++position;
    if (position >= line.size()) return arguments;

    std::string current;
    bool quoted = false;
    while (position < line.size() && (quoted || !blank(line[position]))) {
      std::size_t backslashes = 0;
      while (position < line.size() && line[position] == '\\') {
        ++backslashes;
        ++position;
      }
      if (position < line.size() && line[position] == '"') {
        current.append(backslashes / 2, '\\');
        if (backslashes % 2 == 1) {
          current += '"';
        } else if (quoted && position + 1 < line.size() && line[position + 1] == '"') {
          current += '"';  // "" inside quotes is one quote, and the quoted part continues
          ++position;
        } else {
          quoted = !quoted;
        }
        ++position;
        continue;
      }
      current.append(backslashes, '\\');
      if (backslashes == 0) current += line[position++];
    }
    arguments.push_back(std::move(current));
  }
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
