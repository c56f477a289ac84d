// Elevation: arguments and input reach the child; its output and its exit code return.
#include "../support/part.hpp"

#include <doctest/doctest.h>

using namespace winsvc;

TEST_CASE("the texts of a child keep their order and their streams, however the bytes arrive") {
  using detail::os::output_stream;
  const std::string out = "installed\n", err(70'000, 'w');
  const std::string sent = detail::os::output_header(output_stream::standard, out.size()) + out +
                           detail::os::output_header(output_stream::error, err.size()) + err +
                           detail::os::output_header(output_stream::standard, 0) +
                           detail::os::output_header(output_stream::standard, 99) + "half";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{16'384}, sent.size()}) {
    CAPTURE(step);
    std::vector<std::pair<output_stream, std::string>> texts;
    const detail::os::output_receiver receive = [&texts](output_stream stream, std::string_view text) {
      texts.emplace_back(stream, text);
    };
    detail::os::output_decoder decoder(receive);
    for (std::size_t i = 0; i < sent.size(); i += step) decoder.add(std::string_view(sent).substr(i, step));
    CHECK(texts.size() == 3);
    decoder.finish();
    REQUIRE(texts.size() == 4);
    CHECK(texts[0] == std::pair(output_stream::standard, out));
    CHECK(texts[1] == std::pair(output_stream::error, err));
    CHECK(texts[2].second.empty());
    CHECK(texts[3] == std::pair(output_stream::standard, std::string("half")));
  }
}

#if !defined(_WIN32)

TEST_CASE("elevation is not supported on POSIX") {
  CHECK(detail::os::run_elevated({"install"}, "", [](detail::os::output_stream, std::string_view) {}).error() == 50);
  CHECK(detail::os::connect_to_parent("winsvc-0").error() == 50);
}

#else

namespace {

/// The value of the option --elevated, the last argument; empty without the option.
std::string own_pipe() {
  const auto arguments = program_arguments();
  return arguments.size() > 2 && arguments[arguments.size() - 2] == detail::os::elevated_option ? arguments.back() : "";
}

const part echo("echo", [] {
  const auto input = detail::os::connect_to_parent(own_pipe());
  if (!input) return 99;
  std::string text;
  for (const auto& argument : program_arguments()) text += "[" + argument + "]";
  detail::os::write_stdout(text.substr(0, text.find("[--elevated]")) + "\n");
  detail::os::write_stderr("input: " + *input + "\n");
  return 7;
});

const part not_connecting("not connecting", [] { return 9; });

const part crashing("crashing", [] {
  if (!detail::os::connect_to_parent(own_pipe())) return 99;
  detail::os::write_stdout("half of w");
  ::TerminateProcess(::GetCurrentProcess(), 13);
  return 0;
});

const part much_output("much output", [] {
  if (!detail::os::connect_to_parent(own_pipe())) return 99;
  std::string line;
  for (int i = 0; i < 333; ++i) line += "\xE2\x82\xAC";
  for (int i = 0; i < 1000; ++i) detail::os::write_stdout(line);
  return 0;
});

const part print_folder("print folder", [] {
  if (!detail::os::connect_to_parent(own_pipe())) return 99;
  std::wstring folder(1024, L'\0');
  folder.resize(::GetCurrentDirectoryW(1024, folder.data()));
  detail::os::write_stdout(detail::os::to_utf8(folder));
  return 0;
});

/// The tests run only with administrator rights, because UAC would show a consent prompt otherwise.
bool is_elevated() {
  HANDLE opened = nullptr;
  REQUIRE(::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened));
  const detail::os::unique_handle token(opened);
  TOKEN_ELEVATION elevation{};
  DWORD size = 0;
  return ::GetTokenInformation(token.get(), TokenElevation, &elevation, sizeof elevation, &size) &&
         elevation.TokenIsElevated != 0;
}

struct child_result {
  detail::os::sys_result<std::uint32_t> code = detail::os::sys_failure(0xBAD);
  std::string output, errors;
};
child_result run(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "--part");
  child_result result;
  const auto receive = [&](detail::os::output_stream stream, std::string_view text) {
    (stream == detail::os::output_stream::error ? result.errors : result.output) += text;
  };
  result.code = detail::os::run_elevated(std::move(arguments), input, receive);
  return result;
}

}  // namespace

TEST_CASE("arguments and input reach the elevated child unchanged, and its output and exit code return") {
  if (!is_elevated()) return;
  const child_result child = run({"echo", "C:\\My tools\\", "a \"quoted\"", "", "Z\xC3\xBCrich"}, "pass w\xC3\xB6rd");
  REQUIRE(child.code);
  CHECK(*child.code == 7);
  CHECK(child.output ==
        "[--part][echo][C:\\My tools\\][a \"quoted\"][][Z\xC3\xBCrich]\n");
  CHECK(child.errors == "input: pass w\xC3\xB6rd\n");
}

TEST_CASE("input may be empty, and input above the limit fails before the child starts") {
  if (!is_elevated()) return;
  CHECK(run({"echo"}).errors == "input: \n");
  const std::string limit(detail::os::elevated_input_limit, 'x');
  CHECK(run({"echo"}, limit).errors == "input: " + limit + "\n");
  CHECK(run({"echo"}, limit + "x").code.error() == 87);
}

TEST_CASE("the exit code of a child that does not connect to its parent is returned") {
  if (!is_elevated()) return;
  const child_result child = run({"not connecting"});
  REQUIRE(child.code);
  CHECK(*child.code == 9);
  CHECK(child.output.empty());
}

TEST_CASE("the output of a child that is terminated is returned") {
  if (!is_elevated()) return;
  const child_result child = run({"crashing"});
  REQUIRE(child.code);
  CHECK(*child.code == 13);
  CHECK(child.output == "half of w");
}

TEST_CASE("1 MB of output returns completely, in its texts") {
  if (!is_elevated()) return;
  std::size_t bytes = 0, texts = 0;
  const auto receive = [&](detail::os::output_stream, std::string_view text) {
    bytes += text.size();
    ++texts;
  };
  const auto code = detail::os::run_elevated({"--part", "much output"}, "", receive);
  REQUIRE(code);
  CHECK(*code == 0);
  CHECK(bytes == 999'000);
  CHECK(texts == 1000);
}

TEST_CASE("the child has the current folder of its parent") {
  if (!is_elevated()) return;
  std::wstring folder(1024, L'\0');
  folder.resize(::GetCurrentDirectoryW(1024, folder.data()));
  CHECK(run({"print folder"}).output == detail::os::to_utf8(folder));
}

TEST_CASE("a child connects only to a pipe whose name a parent has generated") {
  CHECK(detail::os::is_pipe_name(detail::os::random_pipe_name()));
  CHECK(detail::os::random_pipe_name() != detail::os::random_pipe_name());
  for (const char* other : {"", "spoolss", "winsvc-", "winsvc-0123456789abcdef0123456789abcde\\",
                            "winsvc-0123456789ABCDEF0123456789ABCDEF", "\\\\server\\pipe\\winsvc-0000000000000000000"})
    CHECK(detail::os::connect_to_parent(other).error() == 123);
  CHECK(detail::os::connect_to_parent(detail::os::random_pipe_name()).error() == 2);
}

#endif
