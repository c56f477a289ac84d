// Tests of settings: sources, errors, secrets and reload.
#include "winsvc/base/text.hpp"
#include "winsvc/settings/registry.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::detail::settings;
using winsvc::byte_size;
using winsvc::file_path;

namespace {

std::shared_ptr<typed_setting<int>> number(const std::string& name, int default_value) {
  return std::make_shared<typed_setting<int>>(name, default_value, "");
}
std::shared_ptr<typed_setting<std::string>> text(const std::string& name, const std::string& default_value) {
  return std::make_shared<typed_setting<std::string>>(name, default_value, "");
}

/// Returns sources with a settings file `hello.ini`.
setting_sources with_file(std::string_view content) {
  setting_sources sources;
  sources.prefix = "HELLO";
  sources.path = "/etc/hello.ini";
  sources.file_name = "hello.ini";
  sources.file = parse_settings_file(content);
  return sources;
}

std::string error_texts(const std::vector<winsvc::error>& errors) {
  std::string out;
  for (const auto& error : errors) out += error.to_string() + '\n';
  return out;
}
using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the command line overrides the environment, then the file, then the default") {
  auto sources = with_file("a = 1\nb = 1\nc = 1\n");
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HELLO_A" || name == "HELLO_B") return "2";
    return std::nullopt;
  };
  sources.command_line = {{"a", "3", "--set a"}, {"A", "4", "--set a"}};
  setting_registry registry;
  registry.set_sources(sources);
  const auto a = number("a", 0), b = number("b", 0), c = number("c", 0), d = number("d", 0);
  for (const auto& setting : {a, b, c, d}) registry.declare(setting);

  CHECK(registry.errors().empty());
  CHECK(a->get() == 4);
  CHECK(b->get() == 2);
  CHECK(c->get() == 1);
  CHECK(d->get() == 0);
  lines shown;
  for (const auto& s : registry.views()) shown.push_back(s.source);
  CHECK(shown == lines{"--set a", "HELLO_B", "hello.ini:3", "default"});
}

TEST_CASE("an environment variable has the service and the setting in its name, in capitals") {
  setting_sources sources;
  sources.prefix = variable_prefix("my-service 2");
  CHECK(sources.variable("store.max_size") == "MY_SERVICE_2_STORE_MAX_SIZE");
  CHECK(variable_prefix("az@AZ[09/:") == "AZ_AZ_09__");
  setting_registry registry;
  registry.set_service_name("my-service 2");
  CHECK(registry.sources().prefix == "MY_SERVICE_2");
}

TEST_CASE("errors have their location and the order of the file, and the default applies") {
  auto sources = with_file("count = many\nspeed = 99\ngreting = hi\n[x]\nno equals\n");
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HELLO_PLACE" ? std::optional<std::string>("") : std::nullopt;
  };
  sources.command_line = {{"banana", "red", "--set banana"}, {"limit", "x", "--set limit"}};
  setting_registry registry;
  registry.set_sources(sources);
  const auto count = number("count", 7), speed = number("speed", 3), limit = number("limit", 1);
  speed->range = "from 1 to 10";
  speed->rules.push_back({[](int n) { return n >= 1 && n <= 10; }, "lie between 1 and 10"});
  for (const auto& setting : {count, speed, limit}) registry.declare(setting);
  registry.declare(text("greeting", "hello"));
  registry.declare(std::make_shared<typed_setting<file_path>>("place", "data", ""));

  CHECK(count->get() == 7);
  CHECK(speed->get() == 3);
  CHECK(error_texts(registry.errors()) ==
        "--set banana: there is no setting 'banana'; 'config' lists the settings\n"
        "--set limit: 'limit' must be a whole number, but is 'x'\n"
        "read 'HELLO_PLACE': 'place' must be a path, but is '' (13)\n"
        "read 'hello.ini:1': 'count' must be a whole number, but is 'many' (13)\n"
        "read 'hello.ini:2': 'speed' must lie between 1 and 10, but is '99' (13)\n"
        "read 'hello.ini:3': there is no setting 'greting' (13); did you mean 'greeting'?\n"
        "read 'hello.ini:5': the line has no '=' (13); write name = value, or '#' before a comment\n");
}

TEST_CASE("other sources replace the errors of earlier ones") {
  setting_registry registry;
  registry.set_sources(with_file("count = many\n"));
  const auto count = number("count", 7);
  registry.declare(count);
  CHECK(registry.errors().size() == 1);
  registry.set_sources(with_file("count = 8\n"));
  CHECK(registry.errors().empty());
  CHECK(count->get() == 8);
  registry.set_sources(with_file("count = many\n"));
  CHECK(registry.errors().size() == 1);
  CHECK(registry.reload(parse_settings_file("count = 9\n")).errors.empty());
  CHECK(registry.errors().empty());
  CHECK(count->get() == 9);
  registry.set_sources(with_file(""));
  CHECK(count->get() == 7);
  CHECK(registry.views()[0].source == "default");
}

TEST_CASE("a message contains at most 80 bytes of a name or value, and 60 of a line") {
  const std::string name(100, 'n'), value(100, 'v');
  setting_registry registry;
  registry.set_sources(with_file(name + " = 1\ncount = " + value + "\n[" + std::string(100, '-') + "]\n"));
  registry.declare(number("count", 7));
  CHECK(error_texts(registry.errors()) ==
        "read 'hello.ini:1': there is no setting '" + std::string(80, 'n') + "' (13); 'config' lists the settings\n"
        "read 'hello.ini:2': 'count' must be a whole number, but is '" + std::string(80, 'v') + "' (13)\n"
        "read 'hello.ini:3': '[" + std::string(59, '-') + "' is not a section (13); write [name] with letters, digits, "
        "'_' and '-'\n");
}

TEST_CASE("quotes in the file keep the blanks of a text, and are part of the value elsewhere") {
  auto sources = with_file("a = \" x \"\nb = \"x\nc = \"p, q\", r\n");
  sources.command_line = {{"d", "\"x\"", "--set d"}};
  setting_registry registry;
  registry.set_sources(sources);
  const auto a = text("a", ""), b = text("b", ""), d = text("d", "");
  const auto c = std::make_shared<typed_setting<std::vector<std::string>>>("c", std::vector<std::string>{}, "");
  for (const auto& setting : {a, b, d}) registry.declare(setting);
  registry.declare(c);

  CHECK(a->get() == " x ");
  CHECK(b->get() == "\"x");
  CHECK(c->get() == lines{"p, q", "r"});
  CHECK(d->get() == "\"x\"");

  settings_file literal;  // of a parser whose syntax has other quotes
  literal.rows = {{"a", "\"x\"", 1, true}, {"b", "\"x\"", 2, false}};
  CHECK(registry.reload(literal).errors.empty());
  CHECK(a->get() == "\"x\"");
  CHECK(b->get() == "x");
}

TEST_CASE("a secret is shown as stars, is not in error messages, and is rejected on a command line") {
  auto sources = with_file("token = s3cret\npin = s3cret\n");
  sources.command_line = {{"key", "s3cret", "--set key"}};
  setting_registry registry;
  registry.set_sources(sources);
  const auto token = text("token", ""), key = text("key", ""), empty = text("empty", "");
  const auto pin = number("pin", 0);
  token->secret = key->secret = empty->secret = pin->secret = true;
  for (const auto& setting : {token, key, empty}) registry.declare(setting);
  registry.declare(pin);

  CHECK(token->get() == "s3cret");
  CHECK(key->get() == "");
  std::string reported;
  for (const auto& s : registry.views()) reported += s.value + '/' + s.default_text + ' ';
  reported += error_texts(registry.errors());
  CHECK(reported.find("s3cret") == reported.npos);
  CHECK(registry.views()[0].value == winsvc::detail::base::secret_stars);
  CHECK(registry.views()[2].value == "");  // an empty secret is not masked
  CHECK(reported.find("write it to the settings file") != reported.npos);
}

TEST_CASE("a setting with the name of a secret is not shown, but accepted on a command line") {
  auto sources = with_file("db_password = s3cret\n[store]\ntoken = s3cret\n");
  sources.command_line = {{"api_key", "s3cret", "--set api_key"}};
  setting_registry registry;
  registry.set_sources(sources);
  const auto password = text("db_password", ""), key = text("api_key", "");
  const auto token = number("store.token", 0);
  registry.declare(password);
  registry.declare(key);
  registry.declare(token);

  CHECK(password->get() == "s3cret");
  CHECK(key->get() == "s3cret");
  std::string reported;
  for (const auto& s : registry.views()) {
    CHECK(s.secret);
    reported += s.value + '/' + s.default_text + ' ';
  }
  reported += error_texts(registry.errors());
  for (const auto& line : registry.reload(parse_settings_file("db_password = s3cret2\n")).changes) reported += line;
  CHECK(reported.find("'store.token' must be a whole number") != reported.npos);
  CHECK(reported.find("db_password (hello.ini:1)") != reported.npos);
  CHECK(reported.find("s3cret") == reported.npos);
}

TEST_CASE("a reload applies all new values or no value, and lists the changes") {
  setting_registry registry;
  registry.set_sources(with_file("a = 1\nb = 1\nfixed = 1\n"));
  const auto a = number("a", 0), b = number("b", 0), fixed = number("fixed", 0);
  const auto hidden = text("hidden", "");
  fixed->needs_restart = true;
  hidden->secret = true;
  for (const auto& setting : {a, b, fixed}) registry.declare(setting);
  registry.declare(hidden);

  SUBCASE("all values are valid") {
    const auto report = registry.reload(parse_settings_file("\na = 2\nfixed = 2\nhidden = x\n"));
    CHECK(report.errors.empty());
    CHECK(report.changes ==
          lines{"a: '2', was '1' (hello.ini:2)", "b: '0', was '1' (default)", "hidden (hello.ini:4)"});
    CHECK(report.changes_after_restart == lines{"fixed: '2', was '1' (hello.ini:3)"});
    CHECK(a->get() == 2);
    CHECK(b->get() == 0);
    CHECK(fixed->get() == 1);
    CHECK(hidden->get() == "x");
    CHECK(registry.views()[0].source == "hello.ini:2");
    CHECK(registry.views()[2].source == "hello.ini:3");
    CHECK(registry.views()[3].source == "hello.ini:4");
    CHECK(registry.pending_names() == lines{"fixed"});
    CHECK(registry.reload(parse_settings_file("a = 3\nfixed = 1\n")).changes.size() == 2);
    CHECK(registry.pending_names().empty());
  }
  SUBCASE("only the last value has changed") {
    const auto report = registry.reload(parse_settings_file("a = 1\nb = 1\nfixed = 1\nhidden = x\n"));
    CHECK(report.changes == lines{"hidden (hello.ini:4)"});
    CHECK(hidden->get() == "x");
  }
  SUBCASE("one value is invalid") {
    const auto report = registry.reload(parse_settings_file("a = 2\nb = x\n"));
    CHECK(error_texts(report.errors) ==
        "read 'hello.ini:2': 'b' must be a whole number, but is 'x' (13)\n");
    CHECK(report.changes.empty());
    CHECK(registry.pending_names().empty());
    CHECK(a->get() == 1);
    CHECK(b->get() == 1);
    CHECK(registry.errors().empty());  // the old file is still the source
    CHECK(registry.reload(parse_settings_file("a = 2\nb")).errors.size() == 1);  // a truncated file
    CHECK(a->get() == 1);
    CHECK(registry.reload(parse_settings_file("a = 3\nb = 1\nfixed = 1")).changes ==
          lines{"a: '3', was '1' (hello.ini:1)"});
  }
  SUBCASE("the file cannot be read") {
    const winsvc::error file_error{5, "read the settings", "hello.ini", "access denied", ""};
    const auto report = registry.reload(std::nullopt, file_error);
    CHECK(report.errors.size() == 1);
    CHECK(a->get() == 1);
    CHECK(registry.errors().empty());
  }
  SUBCASE("nothing has changed") {
    const auto report = registry.reload(parse_settings_file("# more\na = 1\nb = 1\nfixed = 1\n"));
    CHECK(report.changes.empty());
    CHECK(report.changes_after_restart.empty());
    CHECK(registry.views()[0].source == "hello.ini:2");
  }
}

TEST_CASE("after a reload with errors, the old file is the source of settings that are declared later") {
  setting_registry registry;
  registry.set_sources(with_file("a = 1\nlate = 7\nother = 1\n"));
  const auto a = number("a", 0), late = number("late", 0);
  registry.declare(a);
  CHECK(registry.reload(parse_settings_file("a = x\n")).errors.size() == 1);
  registry.declare(late);
  CHECK(late->get() == 7);
  CHECK(registry.errors().size() == 1);
  CHECK(error_texts(registry.errors()).find("there is no setting 'other'") != std::string::npos);
}

TEST_CASE("a setting needs a valid name whose environment variable no other setting has") {
  setting_registry registry;
  CHECK(registry.empty());
  registry.declare(number("a-b.c", 0));
  CHECK_FALSE(registry.empty());
  CHECK(registry.find("a_b.c") == registry.settings()[0].get());
  CHECK(registry.find("a_b") == nullptr);
  CHECK_THROWS_WITH(registry.declare(number("A_B.C", 0)), "setting 'a_b.c' (:0): it is already declared at :0");
  const std::string rule = "a name consists of letters, digits, '_' and '-', separated by dots";
  for (const std::string invalid : {"", "a b", ".a", "a.", "a..b", "1a", "a=b"})
    CHECK_THROWS_WITH(registry.declare(number(invalid, 0)), ("setting '" + invalid + "' (:0): " + rule).c_str());
  CHECK_THROWS_WITH(registry.declare(number("a_b_c", 0)),
                    "setting 'a_b_c' (:0): it has the same environment variable as 'a_b.c' (:0)");
  CHECK(registry.settings().size() == 1);
}

TEST_CASE("the sources are empty, without a path from --config, until they are set") {
  const setting_registry registry;
  CHECK_FALSE(registry.sources().is_path_given);
  CHECK_FALSE(registry.sources().file);
  CHECK(registry.sources().parse("a = 1").rows.size() == 1);
  CHECK(setting_sources::command_line_value{"a", "1"}.option == "--set");
  CHECK(registry.errors().empty());
}

TEST_CASE("a setting can be read before it is declared, and has its default if its value is invalid") {
  setting_registry registry;
  registry.set_sources(with_file("a = 5\nb = many\n"));
  const auto a = number("a", 1), b = number("b", 2), c = number("c", 3);
  for (const auto& setting : {a, b, c}) registry.load_early(*setting);
  CHECK(a->get() == 5);
  CHECK(b->get() == 2);
  CHECK(c->get() == 3);
  CHECK(registry.empty());
  CHECK(error_texts(registry.errors()).find("there is no setting 'a'") != std::string::npos);
}

TEST_CASE("errors of the command line and the environment come before those of the first line, in their order") {
  auto sources = with_file("last = x\n");
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HELLO_SECOND" ? std::optional<std::string>("x") : std::nullopt;
  };
  sources.command_line = {{"first", "x", "--set first"}};
  sources.file_error = winsvc::error{5, "read the settings", "hello.ini", "access denied", ""};
  setting_registry registry;
  registry.set_sources(sources);
  const auto last = number("last", 0), first = number("first", 0), second = number("second", 0);
  first->secret = true;
  for (const auto& setting : {last, first, second}) registry.declare(setting);
  CHECK(error_texts(registry.errors()) ==
        "'first' is a secret and is not accepted on a command line, which every user of this machine can read; "
        "write it to the settings file\n"
        "read 'HELLO_SECOND': 'second' must be a whole number, but is 'x' (13)\n"
        "read the settings 'hello.ini': access denied (5)\n"
        "read 'hello.ini:1': 'last' must be a whole number, but is 'x' (13)\n");
}

TEST_CASE("a view shows all properties of a setting") {
  setting_registry registry;
  registry.set_sources(with_file("port = 81\n"));
  const auto port = std::make_shared<typed_setting<int>>("port", 80, "port to listen on");
  port->needs_restart = true;
  registry.declare(port);
  registry.declare(text("token", "abc"));
  const auto view = registry.views().at(0), token = registry.views().at(1);
  CHECK(lines{view.name, view.value, view.source, view.default_text, view.kind, view.help} ==
        lines{"port", "81", "hello.ini:1", "80", "a whole number", "port to listen on"});
  CHECK((view.needs_restart && !view.secret));
  CHECK((token.secret && !token.needs_restart));
  const setting_registry::setting_view empty;
  CHECK_FALSE((empty.secret || empty.needs_restart));
}
