// Tests of command lines: quoting, splitting and, on Windows, comparison with CommandLineToArgvW.
#include "winsvc/base/quote.hpp"

#include <doctest/doctest.h>

#if defined(_WIN32)
  #include <windows.h>
#endif

using winsvc::detail::base::command_line;
using winsvc::detail::base::quote_argument;
using winsvc::detail::base::quoting;
using winsvc::detail::base::split_command_line;
using arguments = std::vector<std::string>;

namespace {

/// Calls `check` for each string of these characters with at most `max_length` characters, including "".
template <class F>
void for_each_string(std::string_view characters, std::size_t max_length, F check) {
  arguments current{""};
  for (std::size_t length = 0;; ++length) {
    for (const auto& s : current) check(s);
    if (length == max_length) return;
    arguments longer;
    for (const auto& s : current) {
      for (const char c : characters) longer.push_back(s + c);
    }
    current = std::move(longer);
  }
}

}  // namespace

TEST_CASE("quoting and splitting returns each argument unchanged") {
  const std::string program = "C:\\My tools\\app.exe";
  std::size_t tried = 0, wrong = 0;
  for_each_string("a\\\" \t", 5, [&](const std::string& s) {
    ++tried;
    if (split_command_line(command_line(program, {s})) != arguments{program, s}) ++wrong;
    // Between two other arguments, which must stay unchanged too.
    if (split_command_line(command_line(program, {"x\\", s, "y"})) != arguments{program, "x\\", s, "y"}) ++wrong;
    if (split_command_line("app " + quote_argument(s, quoting::always)) != arguments{"app", s}) ++wrong;
  });
  CHECK(tried == 1 + 5 + 25 + 125 + 625 + 3125);
  CHECK(wrong == 0);
}

TEST_CASE("two arguments stay two arguments") {
  std::size_t wrong = 0;
  for_each_string("a\\\" ", 3, [&](const std::string& left) {
    for_each_string("\\\" ", 2, [&](const std::string& right) {
      if (split_command_line(command_line("app", {left, right})) != arguments{"app", left, right}) ++wrong;
    });
  });
  CHECK(wrong == 0);
}

TEST_CASE("an argument is quoted only if needed, or always on request") {
  struct row { const char* argument; const char* needed; const char* always; };
  const row rows[] = {
      {"", R"("")", R"("")"},
      {"a", "a", R"("a")"},
      {"a b", R"("a b")", R"("a b")"},
      {R"(a\b)", R"(a\b)", R"("a\b")"},
      {R"(a\)", R"(a\)", R"("a\\")"},
      {R"(a b\)", R"("a b\\")", R"("a b\\")"},
      {R"(a b\\)", R"("a b\\\\")", R"("a b\\\\")"},
      {R"(a"b)", R"("a\"b")", R"("a\"b")"},
      {R"(a\"b)", R"("a\\\"b")", R"("a\\\"b")"},
      {R"(a\\b c)", R"("a\\b c")", R"("a\\b c")"},
      {"--port=5001", "--port=5001", R"("--port=5001")"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.argument);
    CHECK(quote_argument(r.argument) == r.needed);
    CHECK(quote_argument(r.argument, quoting::always) == r.always);
  }
}

TEST_CASE("the program is always quoted, so that Windows does not run C:\\My.exe instead") {
  CHECK(command_line("C:\\My tools\\app.exe", {"run-service", "--port", "5001"}) ==
        R"("C:\My tools\app.exe" run-service --port 5001)");
  CHECK(command_line("app.exe", {}) == R"("app.exe")");
}

TEST_CASE("command lines are split as the Win32 documentation shows") {
  struct row { const char* line; arguments expected; };
  const row rows[] = {
      {R"(app "a b c" d e)", {"app", "a b c", "d", "e"}},
      {R"(app "ab\"c" "\\" d)", {"app", R"(ab"c)", R"(\)", "d"}},
      {R"(app a\\\b d"e f"g h)", {"app", R"(a\\\b)", "de fg", "h"}},
      {R"(app a\\\"b c d)", {"app", R"(a\"b)", "c", "d"}},
      {R"(app a\\\\"b c" d e)", {"app", R"(a\\b c)", "d", "e"}},
      {R"(app "" x)", {"app", "", "x"}},
      {R"(app a"" b)", {"app", "a", "b"}},
      {"app  a\t\tb  ", {"app", "a", "b"}},
      {R"(app "open end)", {"app", "open end"}},
      {R"(app a\)", {"app", R"(a\)"}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.line);
    CHECK(split_command_line(r.line) == r.expected);
  }
}

TEST_CASE("a doubled quote within quotes is one quote, and the quoted part continues") {
  CHECK(split_command_line(R"(app "a""b c" d)") == arguments{"app", R"(a"b c)", "d"});
}

TEST_CASE("the program ends at its quote or at a space, and its backslashes have no special meaning") {
  struct row { const char* line; arguments expected; };
  const row rows[] = {
      {R"("C:\My tools\" a)", {R"(C:\My tools\)", "a"}},
      {R"(C:\tools\app.exe a)", {R"(C:\tools\app.exe)", "a"}},
      {R"(C:\My tools\app.exe)", {R"(C:\My)", R"(tools\app.exe)"}},
      {R"(a"b c)", {R"(a"b)", "c"}},
      {R"("app"a b)", {"app", "a", "b"}},
      {R"("app)", {"app"}},
      {" app", {"", "app"}},
      {"app", {"app"}},
      {R"("")", {""}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.line);
    CHECK(split_command_line(r.line) == r.expected);
  }
  CHECK(split_command_line("").empty());
}

#if defined(_WIN32)

namespace {

/// The arguments that CommandLineToArgvW returns for an ASCII command line.
arguments split_by_windows(const std::string& line) {
  using function_type = wchar_t**(WINAPI*)(const wchar_t*, int*);
  static const auto function = reinterpret_cast<function_type>(reinterpret_cast<void*>(
      ::GetProcAddress(::LoadLibraryW(L"shell32.dll"), "CommandLineToArgvW")));
  REQUIRE((function != nullptr));

  int count = 0;
  wchar_t** const split = function(std::wstring(line.begin(), line.end()).c_str(), &count);
  REQUIRE((split != nullptr));
  arguments result;
  for (int i = 0; i < count; ++i) {
    std::string argument;
    for (const wchar_t* c = split[i]; *c != 0; ++c) argument += static_cast<char>(*c);
    result.push_back(argument);
  }
  ::LocalFree(split);
  return result;
}

}  // namespace

TEST_CASE("CommandLineToArgvW returns the arguments of command_line") {
  std::size_t wrong = 0;
  for_each_string("a\\\" \t", 4, [&](const std::string& s) {
    if (split_by_windows(command_line("C:\\My tools\\app.exe", {s, "y"})) != arguments{"C:\\My tools\\app.exe", s, "y"})
      ++wrong;
  });
  CHECK(wrong == 0);
}

TEST_CASE("a command line without doubled quotes is split as CommandLineToArgvW splits it") {
  std::size_t wrong = 0;
  for_each_string("a\\\" ", 6, [&](const std::string& s) {
    if (s.find("\"\"") != std::string::npos)
      return;  // here the C runtime differs from CommandLineToArgvW, and winsvc follows the C runtime
    const std::string line = "app " + s;
    if (split_command_line(line) != split_by_windows(line)) ++wrong;
    if (!s.empty() && split_command_line(s) != split_by_windows(s)) ++wrong;
  });
  CHECK(wrong == 0);
}

#endif  // _WIN32
