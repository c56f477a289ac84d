// Windows has no argument list, only one command line that each program cuts for itself. These two functions are the
// rules of CommandLineToArgvW and the Microsoft C runtime, in both directions. What is quoted here both read the same;
// they differ about `""` within quotes, where CommandLineToArgvW ends the quotes: there we cut as the runtime does.
//
//   quote_argument(R"(C:\My tools\app.exe)")     // "C:\My tools\app.exe"  with quotes
//   split_command_line(whole)                    // back again
//
// An unquoted path with a blank in a service's ImagePath lets `C:\My.exe` run in its place (CWE-428), so the executable
// is quoted always.
// Source: "Parsing C command-line arguments" and CommandLineToArgvW in the Win32 documentation.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// When quotes are put around an argument: only where the rules demand them, or always.
enum class quoting { needed, always };

/// One argument, so that it comes out of `split_command_line` unchanged. It must not hold a NUL.
[[nodiscard]] std::string quote_argument(std::string_view argument, quoting when = quoting::needed);

/// `program` quoted always, then each argument quoted where needed: the form for an ImagePath.
[[nodiscard]] std::string command_line(std::string_view program, const std::vector<std::string>& arguments);

/// Cuts a command line by those rules. The first piece, the program, has rules of its own: a quote ends
/// only at the next quote, and backslashes are plain. An empty line gives an empty list.
[[nodiscard]] std::vector<std::string> split_command_line(std::string_view line);

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::string quote_argument(std::string_view argument, quoting when) {
  const bool plain = !argument.empty() && argument.find_first_of(" \t\n\v\"") == std::string_view::npos;
  if (plain && when == quoting::needed) return std::string(argument);

  std::string out = "\"";
  std::size_t backslashes = 0;
  for (const char c : argument) {
    if (c == '\\') {
      ++backslashes;
      continue;
    }
    // Backslashes are plain characters except before a quote: there each counts double, and one more escapes the quote.
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
  std::vector<std::string> pieces;
  if (line.empty()) return pieces;
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
  pieces.push_back(std::move(program));

  for (;;) {
    while (position < line.size() && blank(line[position])) ++position;
    if (position >= line.size()) return pieces;

    std::string chunk;
    bool quoted = false;
    while (position < line.size() && (quoted || !blank(line[position]))) {
      std::size_t backslashes = 0;
      while (position < line.size() && line[position] == '\\') {
        ++backslashes;
        ++position;
      }
      if (position < line.size() && line[position] == '"') {
        chunk.append(backslashes / 2, '\\');
        if (backslashes % 2 == 1) {
          chunk += '"';
        } else if (quoted && position + 1 < line.size() && line[position + 1] == '"') {
          chunk += '"';  // "" inside quotes is one quote, and the quotes go on
          ++position;
        } else {
          quoted = !quoted;
        }
        ++position;
        continue;
      }
      chunk.append(backslashes, '\\');
      if (backslashes == 0) chunk += line[position++];
    }
    pieces.push_back(std::move(chunk));
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
