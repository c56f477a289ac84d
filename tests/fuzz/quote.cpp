// Fuzz test of the quoting of command lines. The input has an argument in each line. A command line that is built from
// arguments is split into the same arguments.
#include "winsvc/base/quote.hpp"

#include <cstdint>

#include "winsvc/base/text.hpp"

#include "require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.find('\0') != std::string_view::npos) return 0;  // an argument cannot contain NUL

  const auto lines = winsvc::detail::base::split(bytes, '\n');
  std::vector<std::string> arguments(lines.begin(), lines.end());

  // The program is a path, which contains no quote and does not end with a backslash.
  const std::string program = "C:\\My tools\\app.exe";
  auto expected = arguments;
  expected.insert(expected.begin(), program);
  require(winsvc::detail::base::split_command_line(winsvc::detail::base::command_line(program, arguments)) == expected,
          "a command line is split into its arguments");

  std::string always = "app";
  for (const auto& a : arguments)
    always += ' ' + winsvc::detail::base::quote_argument(a, winsvc::detail::base::quoting::always);
  expected[0] = "app";
  require(winsvc::detail::base::split_command_line(always) == expected,
          "a command line with quotes around each argument is split into its arguments");

  // Each text can be split, and the result can be written as a command line.
  auto parts = winsvc::detail::base::split_command_line(bytes);
  require(parts.empty() == bytes.empty(), "a command line has a program");
  if (parts.empty()) return 0;
  parts[0] = program;
  const std::vector<std::string> split_arguments(parts.begin() + 1, parts.end());
  require(
      winsvc::detail::base::split_command_line(winsvc::detail::base::command_line(program, split_arguments)) == parts,
      "arguments do not change when they are quoted and split");
  return 0;
}
