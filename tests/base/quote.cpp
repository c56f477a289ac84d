// Command lines, in both directions, and on Windows against Windows' own function.
#include "winsvc/base/quote.hpp"

#include <doctest/doctest.h>

#if defined(_WIN32)
  #include <windows.h>
#endif

using winsvc::command_line;
using winsvc::quote_argument;
using winsvc::quoting;
using winsvc::split_command_line;
using words = std::vector<std::string>;

namespace {

/// Calls `with` for every string over `letters` up to that length, the empty one included.
template <class F>
void every_string(std::string_view letters, std::size_t longest, F options) {
  words now{""};
  for (std::size_t length = 0;; ++length) {
    for (const auto& s : now) options(s);
    if (length == longest) return;
    words longer;
    for (const auto& s : now) {
      for (const char c : letters) longer.push_back(s + c);
    }
    now = std::move(longer);
  }
}

}  // namespace

TEST_CASE("an argument, whatever it holds, comes out of the command line as it went in") {
  const std::string program = "C:\\My tools\\app.exe";
  std::size_t tried = 0, wrong = 0;
  every_string("a\\\" \t", 5, [&](const std::string& s) {
    ++tried;
    if (split_command_line(command_line(program, {s})) != words{program, s}) ++wrong;
    // Between others, so that nothing leaks into a neighbour.
    if (split_command_line(command_line(program, {"x\\", s, "y"})) != words{program, "x\\", s, "y"}) ++wrong;
    if (split_command_line("app " + quote_argument(s, quoting::always)) != words{"app", s}) ++wrong;
  });
  CHECK(tried == 1 + 5 + 25 + 125 + 625 + 3125);
  CHECK(wrong == 0);
}

TEST_CASE("two arguments never become one, nor one two") {
  std::size_t wrong = 0;
  every_string("a\\\" ", 3, [&](const std::string& left) {
    every_string("\\\" ", 2, [&](const std::string& right) {
      if (split_command_line(command_line("app", {left, right})) != words{"app", left, right}) ++wrong;
    });
  });
  CHECK(wrong == 0);
}

TEST_CASE("quotes are put where the rules demand them, or always when asked") {
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

TEST_CASE("the program is quoted always, so that no C:\\My.exe runs in its place") {
  CHECK(command_line("C:\\My tools\\app.exe", {"run-service", "--port", "5001"}) ==
        R"("C:\My tools\app.exe" run-service --port 5001)");
  CHECK(command_line("app.exe", {}) == R"("app.exe")");
}

TEST_CASE("lines are cut as the Win32 documentation shows") {
  struct row { const char* line; words pieces; };
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
    CHECK(split_command_line(r.line) == r.pieces);
  }
}

TEST_CASE("within quotes a doubled quote is one quote, and the quotes go on") {
  CHECK(split_command_line(R"(app "a""b c" d)") == words{"app", R"(a"b c)", "d"});
}

TEST_CASE("the program's own piece ends at its quote or blank, and its backslashes are plain") {
  struct row { const char* line; words pieces; };
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
    CHECK(split_command_line(r.line) == r.pieces);
  }
  CHECK(split_command_line("").empty());
}

#if defined(_WIN32)

namespace {

/// What Windows itself makes of a line. ASCII only.
words cut_by_windows(const std::string& line) {
  using cut = wchar_t**(WINAPI*)(const wchar_t*, int*);
  static const auto function = reinterpret_cast<cut>(reinterpret_cast<void*>(
      ::GetProcAddress(::LoadLibraryW(L"shell32.dll"), "CommandLineToArgvW")));
  REQUIRE((function != nullptr));

  int count = 0;
  wchar_t** const pieces = function(std::wstring(line.begin(), line.end()).c_str(), &count);
  REQUIRE((pieces != nullptr));
  words out;
  for (int i = 0; i < count; ++i) {
    std::string chunk;
    for (const wchar_t* c = pieces[i]; *c != 0; ++c) chunk += static_cast<char>(*c);
    out.push_back(chunk);
  }
  ::LocalFree(pieces);
  return out;
}

}  // namespace

TEST_CASE("CommandLineToArgvW reads what we write") {
  std::size_t wrong = 0;
  every_string("a\\\" \t", 4, [&](const std::string& s) {
    if (cut_by_windows(command_line("C:\\My tools\\app.exe", {s, "y"})) != words{"C:\\My tools\\app.exe", s, "y"})
      ++wrong;
  });
  CHECK(wrong == 0);
}

TEST_CASE("any line without doubled quotes is cut as CommandLineToArgvW cuts it") {
  std::size_t wrong = 0;
  every_string("a\\\" ", 6, [&](const std::string& s) {
    if (s.find("\"\"") != std::string::npos)
      return;  // there the C runtime differs from it, and we are with the runtime
    const std::string line = "app " + s;
    if (split_command_line(line) != cut_by_windows(line)) ++wrong;
    if (!s.empty() && split_command_line(s) != cut_by_windows(s)) ++wrong;
  });
  CHECK(wrong == 0);
}

#endif  // _WIN32
