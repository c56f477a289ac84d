// The same program once more, elevated: what goes to it and what comes back.
#include "part.hpp"

#include <doctest/doctest.h>

using namespace winsvc;

TEST_CASE("a character that the pipe cut waits for its end, and what is no character does not wait") {
  using os::complete_utf8_prefix;
  CHECK(complete_utf8_prefix("") == 0);
  CHECK(complete_utf8_prefix("abc") == 3);
  CHECK(complete_utf8_prefix("a\xC3\xBC") == 3);
  CHECK(complete_utf8_prefix("a\xC3") == 1);
  CHECK(complete_utf8_prefix("\xE2\x82") == 0);
  CHECK(complete_utf8_prefix("\xE2\x82\xAC") == 3);
  CHECK(complete_utf8_prefix("a\xF0\x9F\x99") == 1);
  CHECK(complete_utf8_prefix("a\xF0\x9F\x99\x82") == 5);
  CHECK(complete_utf8_prefix("\x80\x80\x80\x80") == 4);
  CHECK(complete_utf8_prefix("a\x80") == 2);
}

#if !defined(_WIN32)

TEST_CASE("where nobody can be asked, elevation is not supported") {
  CHECK(os::run_elevated({"install"}, "", [](std::string_view) {}).error() == 50);
  CHECK(os::connect_to_parent("winsvc-0").error() == 50);
}

#else

namespace {

/// What stands behind --elevated, as cli/run.hpp would find it.
std::string own_pipe() {
  const auto arguments = own_words();
  return arguments.size() > 2 && arguments[arguments.size() - 2] == os::elevated_option ? arguments.back() : "";
}

const part echo("echo", [] {
  const auto input = os::connect_to_parent(own_pipe());
  if (!input) return 99;
  std::string message;
  for (const auto& word : own_words()) message += "[" + word + "]";
  os::write_stdout(message.substr(0, message.find("[--elevated]")) + "\n");
  os::write_stderr("input: " + *input + "\n");
  return 7;
});

const part silent("silent", [] { return 9; });

const part crashing("crashing", [] {
  if (!os::connect_to_parent(own_pipe())) return 99;
  os::write_stdout("half of w");
  ::TerminateProcess(::GetCurrentProcess(), 13);
  return 0;
});

const part talkative("talkative", [] {
  if (!os::connect_to_parent(own_pipe())) return 99;
  std::string line;
  for (int i = 0; i < 333; ++i) line += "\xE2\x82\xAC";
  for (int i = 0; i < 1000; ++i) os::write_stdout(line);
  return 0;
});

const part where("where", [] {
  if (!os::connect_to_parent(own_pipe())) return 99;
  std::wstring folder(1024, L'\0');
  folder.resize(::GetCurrentDirectoryW(1024, folder.data()));
  os::write_stdout(os::to_utf8(folder));
  return 0;
});

/// An unelevated prompt would ask a person.
bool elevated() {
  HANDLE opened = nullptr;
  REQUIRE(::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened));
  const os::unique_handle token(opened);
  TOKEN_ELEVATION elevation{};
  DWORD size = 0;
  return ::GetTokenInformation(token.get(), TokenElevation, &elevation, sizeof elevation, &size) &&
         elevation.TokenIsElevated != 0;
}

struct ended {
  os::sys_result<std::uint32_t> code = os::sys_failure(0xBAD);
  std::string output;
};
ended run(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "--part");
  ended out;
  out.code = os::run_elevated(std::move(arguments), input, [&](std::string_view chunk) { out.output += chunk; });
  return out;
}

}  // namespace

TEST_CASE("the elevated child gets words and input as they were, and its output and exit code come back") {
  if (!elevated()) return;
  const ended child = run({"echo", "C:\\My tools\\", "say \"hello\"", "", "Z\xC3\xBCrich"}, "pass w\xC3\xB6rd");
  REQUIRE(child.code);
  CHECK(*child.code == 7);
  CHECK(child.output ==
        "[--part][echo][C:\\My tools\\][say \"hello\"][][Z\xC3\xBCrich]\ninput: pass w\xC3\xB6rd\n");
}

TEST_CASE("no input is no input, and too much is refused before anybody is asked") {
  if (!elevated()) return;
  CHECK(run({"echo"}).output == "[--part][echo]\ninput: \n");
  const std::string limit(os::elevated_input_limit, 'x');
  CHECK(run({"echo"}, limit).output == "[--part][echo]\ninput: " + limit + "\n");
  CHECK(run({"echo"}, limit + "x").code.error() == 87);
}

TEST_CASE("a child that never asks for its parent ends with its own code, and nobody waits for more") {
  if (!elevated()) return;
  const ended child = run({"silent"});
  REQUIRE(child.code);
  CHECK(*child.code == 9);
  CHECK(child.output.empty());
}

TEST_CASE("what a child wrote before it was killed comes back") {
  if (!elevated()) return;
  const ended child = run({"crashing"});
  REQUIRE(child.code);
  CHECK(*child.code == 13);
  CHECK(child.output == "half of w");
}

TEST_CASE("a megabyte comes back whole, and every piece of it in whole characters") {
  if (!elevated()) return;
  std::size_t bytes = 0, partial = 0, pieces = 0;
  const auto code = os::run_elevated({"--part", "talkative"}, "", [&](std::string_view chunk) {
    bytes += chunk.size();
    partial += chunk.size() % 3;
    ++pieces;
  });
  REQUIRE(code);
  CHECK(*code == 0);
  CHECK(bytes == 999'000);
  CHECK(partial == 0);
  CHECK(pieces > 1);
}

TEST_CASE("the child stands in the folder in which the parent stood") {
  if (!elevated()) return;
  std::wstring here(1024, L'\0');
  here.resize(::GetCurrentDirectoryW(1024, here.data()));
  CHECK(run({"where"}).output == os::to_utf8(here));
}

TEST_CASE("a child joins pipes of its own parents' making alone") {
  CHECK(os::is_pipe_name(os::random_pipe_name()));
  CHECK(os::random_pipe_name() != os::random_pipe_name());
  for (const char* other : {"", "spoolss", "winsvc-", "winsvc-0123456789abcdef0123456789abcde\\",
                            "winsvc-0123456789ABCDEF0123456789ABCDEF", "\\\\server\\pipe\\winsvc-0000000000000000000"})
    CHECK(os::connect_to_parent(other).error() == 123);
  CHECK(os::connect_to_parent(os::random_pipe_name()).error() == 2);
}

#endif
