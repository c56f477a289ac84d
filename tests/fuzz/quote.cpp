// Lines of text: a program and its arguments. Whatever they are, a command line built of them is cut into them again.
#include "winsvc/base/quote.hpp"

#include <cstdint>

#include "winsvc/base/text.hpp"

#include "require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.find('\0') != std::string_view::npos) return 0;  // the promise is for text without NUL

  const auto lines = winsvc::strings::split(bytes, '\n');
  std::vector<std::string> arguments(lines.begin(), lines.end());

  // A program is a path, and no path holds a quote; neither does one end in a backslash.
  const std::string program = "C:\\My tools\\app.exe";
  auto expected = arguments;
  expected.insert(expected.begin(), program);
  require(winsvc::split_command_line(winsvc::command_line(program, arguments)) == expected, "quoted and cut again");

  std::string always = "app";
  for (const auto& a : arguments) always += ' ' + winsvc::quote_argument(a, winsvc::quoting::always);
  expected[0] = "app";
  require(winsvc::split_command_line(always) == expected, "quoted always and cut again");

  // Any line at all is cut into something, and what it is cut into can be written down.
  auto pieces = winsvc::split_command_line(bytes);
  require(pieces.empty() == bytes.empty(), "a line has a program");
  if (pieces.empty()) return 0;
  pieces[0] = program;
  const std::vector<std::string> rest(pieces.begin() + 1, pieces.end());
  require(winsvc::split_command_line(winsvc::command_line(program, rest)) == pieces, "cut, quoted and cut again");
  return 0;
}
