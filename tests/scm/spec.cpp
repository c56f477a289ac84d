// What is installed: names, start types, the ImagePath.
#include "winsvc/commandline/command.hpp"
#include "winsvc/scm/spec.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::model;
using words = std::vector<std::string>;

namespace {

std::string times(std::string_view s, std::size_t n) {
  std::string out;
  while (n-- > 0) out += s;
  return out;
}

/// Well-formed UTF-8, whatever was cut.
bool well_formed(const std::string& s) {
  return strings::to_utf8(strings::to_utf16(s)) == s && s.find("\xEF\xBF\xBD") == s.npos;
}

}  // namespace

TEST_CASE("the ImagePath quotes the executable, has the word, and keeps what was given") {
  struct row { const char* exe; launch_options listen; const char* path; };
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
  for (const auto& r : rows) CHECK(image_path(r.exe, r.listen) == r.path);
}

TEST_CASE("an ImagePath is read back as it was meant") {
  const std::string exe = "D:\\Z\xC3\xBCrich tools\\app.exe";
  CHECK(split_command_line(image_path(exe, {{}, "fe80::1%3", 80, {}})) ==
        words{exe, "run-service", "--host", "fe80::1%3", "--port", "80"});
  CHECK(split_command_line(image_path(exe, {{}, "", {}, {}})) == words{exe, "run-service", "--host", ""});
}

TEST_CASE("what a start is told: the newer word counts, the older fills the gaps") {
  const launch_options older{"blue", "0.0.0.0", 80, std::chrono::seconds(30)};
  CHECK(*launch_options{}.override_with(older).host == "0.0.0.0");
  CHECK(*launch_options{}.override_with(older).port == 80);
  CHECK(*launch_options{{}, "::1", {}, {}}.override_with(older).host == "::1");
  CHECK(*launch_options{{}, "::1", {}, {}}.override_with(older).port == 80);
  CHECK(*launch_options{{}, {}, 0, {}}.override_with(older).port == 0);
  CHECK(*launch_options{}.override_with(older).instance == "blue");
  CHECK(*launch_options{}.override_with(older).preshutdown == std::chrono::seconds(30));
  CHECK(*launch_options{{}, {}, {}, std::chrono::seconds(5)}.override_with(older).preshutdown == std::chrono::seconds(5));
  CHECK_FALSE(launch_options{}.override_with({}).host);
  CHECK_FALSE(launch_options{}.override_with({}).port);

  launch_options with_settings, newer;
  with_settings.config = "a.ini";
  with_settings.settings = {{"store-path", "a"}, {"greeting", "hi"}, {"old", "1"}};
  newer.settings = {{"Store_Path", "b"}};
  newer.unset_settings = {"old"};
  const auto now = newer.override_with(with_settings);
  CHECK(now.config == "a.ini");
  CHECK(now.settings == std::vector<std::pair<std::string, std::string>>{{"greeting", "hi"}, {"Store_Path", "b"}});
}

TEST_CASE("a service name has 1 to 256 UTF-16 units, no slash, no control character") {
  const std::string umlaut = "\xC3\xBC", smiley = "\xF0\x9F\x98\x80";
  struct row { std::string name; bool good; };
  const row rows[] = {
      {"hello", true},
      {"a", true},
      {"Hello service, 2nd (beta)", true},
      {"Z\xC3\xBCrich", true},
      {"", false},
      {times("a", 256), true},
      {times("a", 257), false},
      {times(umlaut, 256), true},
      {times(umlaut, 257), false},
      {times(smiley, 128), true},   // two units each
      {times(smiley, 128) + "a", false},
      {times(smiley, 127) + "ab", true},
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
    CHECK(static_cast<bool>(checked) == r.good);
    if (!checked) {
      CHECK(checked.error().code == 123);
      CHECK_FALSE(checked.error().hint.empty());
      CHECK_FALSE(checked.error().message.empty());
    }
  }
}

TEST_CASE("a display name has up to 256 UTF-16 units, and a refusal does not cut a character in two") {
  const std::string umlaut = "\xC3\xBC", smiley = "\xF0\x9F\x98\x80";
  CHECK(check_display_name(""));
  CHECK(check_display_name("A/B \\ service"));
  CHECK(check_display_name(times(umlaut, 256)));
  CHECK(check_display_name(times(smiley, 128)));
  for (const std::string& too_long :
       {times("a", 257), "a" + times(umlaut, 256), times(smiley, 129), "ab" + times(smiley, 200)}) {
    const auto checked = check_display_name(too_long);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == 123);
    CHECK(well_formed(checked.error().to_string()));
  }
}

TEST_CASE("start types are read case-blind, by their name or in full") {
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

TEST_CASE("a service name becomes a folder that stays where it is put and that Windows takes") {
  struct row { const char* name; const char* folder; };
  const row rows[] = {
      {"hello", "hello"},   {"Zürich 2", "Zürich 2"}, {"a:b*c?", "a_b_c_"}, {"<\"x\">|", "__x___"},
      {".", "_"},           {"..", "._"},             {"trailing. ", "trailing._"},   {"v1.2", "v1.2"},
  };
  for (const auto& r : rows) CHECK(folder_name(r.name) == r.folder);
}

TEST_CASE("an instance has a name that stays a service's and a folder's") {
  for (const std::string& good : words{"blue", "a", "B-2_x.9", times("a", 64)}) CHECK(check_instance(good));
  for (const std::string& bad : words{"", times("a", 65), "a b", "a$b", "a/b", "a\\b", "..\\x", "\xC3\xBC", "a\n", "a:b"}) {
    CAPTURE(bad);
    const auto checked = check_instance(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == 123);
    CHECK(well_formed(checked.error().to_string()));
  }
  CHECK(instance_name("hello", "blue") == "hello$blue");
  CHECK(folder_name(instance_name("hello", "blue")) == "hello$blue");
}

TEST_CASE("an instance is installed under another name, and its display name says which it is") {
  service_spec spec;
  spec.name = "hello";
  spec.description = "says hello";
  CHECK(spec_of_instance(spec, std::nullopt).name == "hello");
  CHECK_FALSE(spec_of_instance(spec, std::nullopt).display_name);
  CHECK(spec_of_instance(spec, "blue").name == "hello$blue");
  CHECK(spec_of_instance(spec, "blue").display_name == "hello (blue)");
  CHECK(spec_of_instance(spec, "blue").description == "says hello");
  spec.display_name = "Hello service";
  CHECK(spec_of_instance(spec, "blue").display_name == "Hello service (blue)");
}

TEST_CASE("host and port are kept in one place, by whatever word they were said, and --unset takes them out") {
  const auto requested = [](std::vector<std::string> options) {
    options.insert(options.begin(), "install");
    const auto parsed = winsvc::model::parse_command(options);
    REQUIRE(parsed);
    return parsed->launch;
  };
  const auto first = requested({"--set", "port=6000", "--set", "Host=0.0.0.0"});
  CHECK(first.port == 6000);
  CHECK(first.host == "0.0.0.0");
  CHECK(first.settings.empty());
  CHECK(requested({"--port", "7000"}).override_with(first).port == 7000);
  CHECK(requested({"--set", "port=7000"}).override_with(requested({"--port", "6000"})).port == 7000);
  const auto out = requested({"--unset", "port"}).override_with(first);
  CHECK_FALSE(out.port);
  CHECK(out.host == "0.0.0.0");
}
