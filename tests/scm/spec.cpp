// Service specification: names, start types and the ImagePath.
#include "winsvc/commandline/parse_command.hpp"
#include "winsvc/scm/spec.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::detail::base;
using namespace winsvc::detail::scm;
using words = std::vector<std::string>;

namespace {

std::string repeated(std::string_view s, std::size_t count) {
  std::string out;
  while (count-- > 0) out += s;
  return out;
}

/// True if `s` is valid UTF-8 without a replacement character.
bool is_valid_utf8(const std::string& s) {
  return detail::base::to_utf8(detail::base::to_utf16(s)) == s && s.find("\xEF\xBF\xBD") == s.npos;
}

}  // namespace

TEST_CASE("the ImagePath has the quoted executable, run-service and the specified options") {
  struct row { const char* exe; launch_options options; const char* path; };
  const row rows[] = {
      {"C:\\app.exe", {}, R"("C:\app.exe" run-service)"},
      {"C:\\My tools\\app.exe", {{}, {}, 5001, {}}, R"("C:\My tools\app.exe" run-service --port 5001)"},
      {"C:\\My tools\\app.exe", {{}, "0.0.0.0", 0, {}}, R"("C:\My tools\app.exe" run-service --host 0.0.0.0 --port 0)"},
      {"C:\\app.exe", {{}, "::1", {}, {}}, R"("C:\app.exe" run-service --host ::1)"},
      {"C:\\app.exe", {{}, "a b", 65535, {}}, R"("C:\app.exe" run-service --host "a b" --port 65535)"},
      {"C:\\app.exe", {"blue", {}, {}, {}}, R"("C:\app.exe" run-service --instance blue)"},
      {"C:\\app.exe", {"blue", {}, 80, std::chrono::milliseconds(1500)},
       R"("C:\app.exe" run-service --instance blue --port 80 --preshutdown 1500ms)"},
  };
  for (const auto& r : rows) CHECK(image_path(r.exe, r.options) == r.path);
}

TEST_CASE("an ImagePath is split into the original arguments") {
  const std::string exe = "D:\\Z\xC3\xBCrich tools\\app.exe";
  CHECK(split_command_line(image_path(exe, {{}, "fe80::1%3", 80, {}})) ==
        words{exe, "run-service", "--host", "fe80::1%3", "--port", "80"});
  CHECK(split_command_line(image_path(exe, {{}, "", {}, {}})) == words{exe, "run-service", "--host", ""});
}

TEST_CASE("newer launch options override older ones, option by option") {
  const launch_options older{"blue", "0.0.0.0", 80, std::chrono::seconds(30)};
  CHECK(*launch_options{}.override_with(older).host == "0.0.0.0");
  CHECK(*launch_options{}.override_with(older).port == 80);
  CHECK(*launch_options{{}, "::1", {}, {}}.override_with(older).host == "::1");
  CHECK(*launch_options{{}, "::1", {}, {}}.override_with(older).port == 80);
  CHECK(*launch_options{{}, {}, 0, {}}.override_with(older).port == 0);
  CHECK(*launch_options{}.override_with(older).instance == "blue");
  CHECK(*launch_options{}.override_with(older).preshutdown == std::chrono::seconds(30));
  const launch_options with_preshutdown{{}, {}, {}, std::chrono::seconds(5)};
  CHECK(*with_preshutdown.override_with(older).preshutdown == std::chrono::seconds(5));
  CHECK_FALSE(launch_options{}.override_with({}).host);
  CHECK_FALSE(launch_options{}.override_with({}).port);

  launch_options with_settings, newer;
  with_settings.config = "a.ini";
  with_settings.settings = {{"store-path", "a"}, {"greeting", "hi"}, {"old", "1"}};
  newer.settings = {{"Store_Path", "b"}};
  newer.unset_settings = {"old"};
  const auto merged = newer.override_with(with_settings);
  CHECK(merged.config == "a.ini");
  CHECK(merged.settings == std::vector<std::pair<std::string, std::string>>{{"greeting", "hi"}, {"Store_Path", "b"}});
}

TEST_CASE("a service name has 1 to 256 UTF-16 units, no slash and no control character") {
  const std::string umlaut = "\xC3\xBC", smiley = "\xF0\x9F\x98\x80";
  struct row { std::string name; bool is_valid; };
  const row rows[] = {
      {"hello", true},
      {"a", true},
      {"Hello service, 2nd (beta)", true},
      {"Z\xC3\xBCrich", true},
      {"", false},
      {repeated("a", 256), true},
      {repeated("a", 257), false},
      {repeated(umlaut, 256), true},
      {repeated(umlaut, 257), false},
      {repeated(smiley, 128), true},   // two units each
      {repeated(smiley, 128) + "a", false},
      {repeated(smiley, 127) + "ab", true},
      {"a/b", false},
      {"a\\b", false},
      {"/", false},
      {"a\nb", false},
      {"a\tb", false},
      {std::string("a\0b", 3), false},
      {"\x1F", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.name);
    const auto checked = check_name(r.name);
    CHECK(static_cast<bool>(checked) == r.is_valid);
    if (!checked) {
      CHECK(checked.error().code == 123);
      CHECK_FALSE(checked.error().hint.empty());
      CHECK_FALSE(checked.error().message.empty());
    }
  }
}

TEST_CASE("a display name has up to 256 UTF-16 units, and the error does not truncate inside a character") {
  const std::string umlaut = "\xC3\xBC", smiley = "\xF0\x9F\x98\x80";
  CHECK(check_display_name(""));
  CHECK(check_display_name("A/B \\ service"));
  CHECK(check_display_name(repeated(umlaut, 256)));
  CHECK(check_display_name(repeated(smiley, 128)));
  for (const std::string& too_long :
       {repeated("a", 257), "a" + repeated(umlaut, 256), repeated(smiley, 129), "ab" + repeated(smiley, 200)}) {
    const auto checked = check_display_name(too_long);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == 123);
    CHECK(is_valid_utf8(checked.error().to_string()));
  }
  CHECK(check_display_name(repeated("a", 257)).error().subject == repeated("a", 40) + "...");
}

TEST_CASE("start types are parsed by name, not case-sensitive") {
  struct row { const char* s; std::optional<startup> value; };
  const row rows[] = {
      {"auto", startup::automatic},  {"AUTO", startup::automatic}, {"automatic", startup::automatic},
      {"delayed", startup::delayed}, {"Manual", startup::manual},  {"disabled", startup::disabled},
      {"", {}},                      {"boot", {}},                 {"auto ", {}},
  };
  for (const auto& r : rows) CHECK(parse_startup(r.s) == r.value);
  for (const startup s : {startup::automatic, startup::delayed, startup::manual, startup::disabled}) {
    CHECK(parse_startup(name(s)) == s);
  }
}

TEST_CASE("a service name becomes a folder name that Windows accepts") {
  struct row { const char* name; const char* folder; };
  const row rows[] = {
      {"hello", "hello"},   {"Z\xC3\xBCrich 2", "Z\xC3\xBCrich 2"}, {"a:b*c?", "a_b_c_"}, {"<\"x\">|", "__x___"},
      {".", "_"},           {"..", "._"},             {"trailing. ", "trailing._"},   {"v1.2", "v1.2"},
  };
  for (const auto& r : rows) CHECK(folder_name(r.name) == r.folder);
}

TEST_CASE("the name of an instance is valid in a service name and as a folder name") {
  for (const std::string& valid : words{"blue", "a", "zZA0", "B-2_x.9", repeated("a", 64)})
    CHECK(check_instance(valid));
  for (const std::string& invalid :
       words{"", repeated("a", 65), "a b", "a$b", "a/b", "a\\b", "..\\x", "\xC3\xBC", "a\n", "a:b",
             "a`", "a{", "a@", "a[", "a;"}) {
    CAPTURE(invalid);
    const auto checked = check_instance(invalid);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == 123);
    CHECK(is_valid_utf8(checked.error().to_string()));
  }
  CHECK(check_instance(repeated("x", 100)).error().subject == repeated("x", 80));
  CHECK(instance_name("hello", "blue") == "hello$blue");
  CHECK(folder_name(instance_name("hello", "blue")) == "hello$blue");
}

TEST_CASE("an instance has its own service name and display name") {
  service_spec spec;
  spec.name = "hello";
  spec.description = "greets";
  CHECK(spec_of_instance(spec, std::nullopt).name == "hello");
  CHECK_FALSE(spec_of_instance(spec, std::nullopt).display_name);
  CHECK(spec_of_instance(spec, "blue").name == "hello$blue");
  CHECK(spec_of_instance(spec, "blue").display_name == "hello (blue)");
  CHECK(spec_of_instance(spec, "blue").description == "greets");
  spec.display_name = "Hello service";
  CHECK(spec_of_instance(spec, "blue").display_name == "Hello service (blue)");
}

TEST_CASE("--set host and --host store the same value, and --unset removes it") {
  const auto launch_with = [](std::vector<std::string> options) {
    options.insert(options.begin(), "install");
    const auto parsed = winsvc::detail::commandline::parse_command(options);
    REQUIRE(parsed);
    return parsed->launch;
  };
  const auto first = launch_with({"--set", "port=6000", "--set", "Host=0.0.0.0"});
  CHECK(first.port == 6000);
  CHECK(first.host == "0.0.0.0");
  CHECK(first.settings.empty());
  CHECK(launch_with({"--port", "7000"}).override_with(first).port == 7000);
  CHECK(launch_with({"--set", "port=7000"}).override_with(launch_with({"--port", "6000"})).port == 7000);
  const auto without_port = launch_with({"--unset", "port"}).override_with(first);
  CHECK_FALSE(without_port.port);
  CHECK(without_port.host == "0.0.0.0");
}

TEST_CASE("an ImagePath without quotes around this executable gets them, and another one stays") {
  const std::string exe = "C:\\Program Files\\hello.exe";
  CHECK(quoted_binary(exe, exe) == '"' + exe + '"');
  CHECK(quoted_binary("c:\\program files\\HELLO.exe run-service", exe) ==
        "\"c:\\program files\\HELLO.exe\" run-service");
  CHECK(quoted_binary('"' + exe + "\" run-service", exe) == '"' + exe + "\" run-service");
  CHECK(quoted_binary("C:\\Program Files\\hello.exe.old", exe) == "C:\\Program Files\\hello.exe.old");
  CHECK(quoted_binary("C:\\other.exe", exe) == "C:\\other.exe");
  CHECK(quoted_binary("x", "") == "x");
  CHECK(quoted_binary("x run-service", "x") == "\"x\" run-service");
}

TEST_CASE("an ImagePath is shown with stars for the values of settings with the name of a secret") {
  using winsvc::detail::scm::shown_binary;
  const std::string program = "\"C:\\my app.exe\" run-service ";
  CHECK(shown_binary(program + "--set a=1 --set key_file=x") == program + "--set a=1 --set key_file=x");
  CHECK(shown_binary(program + "--set \"api_key=a b\" --set a=1") == program + "--set api_key=****** --set a=1");
  CHECK(shown_binary(program + "--set db.token=\"x\"y") == "\"C:\\my app.exe\" ...");
  CHECK(shown_binary(program + "--set api_key=") == program + "--set api_key=");
  CHECK(shown_binary("C:\\my app.exe run-service --set key=x") == "C:\\my app.exe run-service --set key=******");
  CHECK(shown_binary("svc.exe --set token=x") == "svc.exe --set token=******");  // of another tool
  CHECK(shown_binary("").empty());
}

TEST_CASE("an ImagePath without quotes around a program that was moved gets them before run-service") {
  const std::string exe = "C:\\apps\\hello.exe";
  struct row { const char *binary, *quoted; };
  const row rows[] = {
      {"C:\\Program Files\\old\\hello.exe run-service", "\"C:\\Program Files\\old\\hello.exe\" run-service"},
      {"C:\\My Apps\\HELLO.EXE run-service --port 81", "\"C:\\My Apps\\HELLO.EXE\" run-service --port 81"},
      {"C:\\My Apps\\hello.exe run-services", "C:\\My Apps\\hello.exe run-services"},
      {"C:\\My Apps\\hello.exe -k run-service", "C:\\My Apps\\hello.exe -k run-service"},
      {"C:\\My Apps\\other.exe D:\\hello.exe run-service", "C:\\My Apps\\other.exe D:\\hello.exe run-service"},
      {"\"C:\\My Apps\\hello.exe\" run-service", "\"C:\\My Apps\\hello.exe\" run-service"},
      {"\"C:\\My Apps\\hello.exe run-service", "\"C:\\My Apps\\hello.exe run-service"},
      {"C:\\My Apps\\hello.exe", "C:\\My Apps\\hello.exe"},
      {"", ""},
  };
  for (const auto& r : rows) CHECK(quoted_binary(r.binary, exe) == r.quoted);
}

TEST_CASE("the priority is a launch option: parsed, written to the ImagePath, and kept by an update") {
  CHECK(parse_priority("Below-Normal") == process_priority::below_normal);
  for (const auto p : {process_priority::idle, process_priority::below_normal, process_priority::normal,
                       process_priority::above_normal, process_priority::high})
    CHECK(parse_priority(name(p)) == p);
  CHECK_FALSE(install_request().reads_password);
  CHECK_FALSE(parse_priority("realtime"));
  launch_options launch;
  launch.priority = process_priority::high;
  CHECK(image_path("C:\\a.exe", launch) == "\"C:\\a.exe\" run-service --priority high");
  CHECK(launch_options{}.override_with(launch).priority == process_priority::high);
}
