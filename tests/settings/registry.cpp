// Settings: types, settings file, sources and reload.
#include "winsvc/base/text.hpp"
#include "winsvc/settings/registry.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <locale>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using namespace winsvc::detail::settings;
using winsvc::byte_size;
using winsvc::file_path;

namespace {

template <class T>
std::optional<std::string> round_trip(std::string_view s) {
  const auto value = setting_type<T>::parse(s);
  return value ? std::optional(setting_type<T>::text(*value)) : std::nullopt;
}

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

TEST_CASE("values are parsed from their text form, and invalid texts are rejected") {
  CHECK(round_trip<bool>("yes") == "yes");
  CHECK(round_trip<bool>("True") == "yes");
  CHECK(round_trip<bool>("off") == "no");
  CHECK(round_trip<bool>("0") == "no");
  CHECK_FALSE(round_trip<bool>(""));
  CHECK_FALSE(round_trip<bool>("maybe"));

  CHECK(round_trip<int>("-7") == "-7");
  CHECK(round_trip<std::uint16_t>("65535") == "65535");
  CHECK(round_trip<std::uint8_t>("255") == "255");
  CHECK(round_trip<std::int64_t>("-9223372036854775808") == "-9223372036854775808");
  for (const auto invalid : {"", "+1", " 1", "1 ", "1x", "0x10", "1.0", "2147483648", "1_000"})
    CHECK_FALSE(round_trip<int>(invalid));
  CHECK_FALSE(round_trip<std::uint16_t>("65536"));
  CHECK_FALSE(round_trip<unsigned>("-1"));
  CHECK_FALSE(round_trip<std::uint8_t>("256"));

  CHECK(round_trip<double>("0.1") == "0.1");
  CHECK(round_trip<double>("-2.5e3") == "-2500");
  CHECK(setting_type<double>::parse("0.30000000000000004") == 0.30000000000000004);
  CHECK(round_trip<double>("0.30000000000000004") == "0.30000000000000004");
  for (const auto invalid : {"", "nan", "inf", "1,5", "1.5x", "1e999", "0x1p3", "--1", "1 2"})
    CHECK_FALSE(round_trip<double>(invalid));

  CHECK(round_trip<std::string>("") == "");
  CHECK(round_trip<std::string>("  a \"b\" ") == "  a \"b\" ");

  CHECK(round_trip<std::chrono::milliseconds>("90s") == "90s");
  CHECK(round_trip<std::chrono::milliseconds>("1m30s") == "90s");
  CHECK(round_trip<std::chrono::milliseconds>("250ms") == "250ms");
  CHECK(round_trip<std::chrono::seconds>("5") == "5s");
  CHECK(round_trip<std::chrono::hours>("2d") == "2d");
  CHECK_FALSE(round_trip<std::chrono::seconds>("250ms"));  // not a whole number of seconds
  CHECK_FALSE(round_trip<std::chrono::seconds>("soon"));

  CHECK(round_trip<byte_size>("512") == "512");
  CHECK(round_trip<byte_size>("64k") == "64k");
  CHECK(round_trip<byte_size>("10 MiB") == "10M");
  CHECK(round_trip<byte_size>("1GB") == "1G");
  CHECK(round_trip<byte_size>("1536k") == "1536k");
  CHECK(round_trip<byte_size>("0") == "0");
  for (const auto invalid : {"", "k", "-1", "1.5M", "10X", "10 Mi", "99999999999T"})
    CHECK_FALSE(round_trip<byte_size>(invalid));

  CHECK(round_trip<file_path>("C:\\data dir") == "C:\\data dir");
  CHECK_FALSE(round_trip<file_path>(""));
}

TEST_CASE("a fraction has a point in its text form, whatever the locale of the program") {
  struct comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new comma));
  const auto value = setting_type<double>::parse("1.5");
  const std::string text = setting_type<double>::text(2.5);
  std::locale::global(before);
  CHECK(value == 1.5);
  CHECK(text == "2.5");
}

TEST_CASE("a list is separated by commas, and an item may have quotes") {
  using list = std::vector<std::string>;
  const auto parse = [](std::string_view s) { return setting_type<list>::parse(s); };

  CHECK(parse("") == list{});
  CHECK(parse(" a , b,c ") == list{"a", "b", "c"});
  CHECK(parse("\"a, b\", c") == list{"a, b", "c"});
  CHECK(parse("\"a \"\"b\"\"\"") == list{"a \"b\""});
  CHECK(parse("\"\"") == list{""});
  for (const auto invalid : {",", "a,", ",a", "a,,b", "\"a", "\"a\"b"}) CHECK_FALSE(parse(invalid));
  for (const list& items : {list{}, list{"a"}, list{"a", "b c"}, list{" a", "b,c", "d\"e", ""}})
    CHECK(parse(setting_type<list>::text(items)) == items);
}

TEST_CASE("a settings file has values, sections and comment lines") {
  const auto file = parse_settings_file(
      "\xEF\xBB\xBF# text of the greeting\r\n"
      "greeting = hi # all; this too\r\n"
      "\r\n"
      "  Log-Level=debug\n"
      "; another comment\n"
      "empty =\n"
      "[store]\n"
      "path = C:\\data\n"
      "quoted = \"  two blanks  \"\n"
      "last = \xC3\xBC");

  CHECK(file.errors.empty());
  lines rows;
  for (const auto& r : file.rows) rows.push_back(r.name + '|' + r.value + '|' + std::to_string(r.line));
  CHECK(rows == lines{"greeting|hi # all; this too|2", "log_level|debug|4", "empty||6", "store.path|C:\\data|8",
                      "store.quoted|\"  two blanks  \"|9", "store.last|\xC3\xBC|10"});
}

TEST_CASE("the quotes around a value are removed, if there are no others") {
  CHECK(unquote("\"a b\"") == "a b");
  CHECK(unquote("\"\"") == "");
  CHECK(unquote("\"") == "\"");
  CHECK(unquote("\"a\" or \"b\"") == "\"a\" or \"b\"");
  CHECK(unquote("\"a") == "\"a");
}

TEST_CASE("all errors in a settings file are reported, each with its line") {
  const auto file = parse_settings_file(
      "greeting\n"
      "a b = c\n"
      "= d\n"
      "[store\n"
      "[]\n"
      "a = 1\n"
      "A = 2\n" +
      std::string("data = \0\0\0\n", 11) + "bad = \xFF\n.x = 1\nx. = 1\n1x = 1\nok = 1\n");

  lines errors;
  for (const auto& f : file.errors) errors.push_back(std::to_string(f.line) + ": " + f.message);
  CHECK(errors == lines{"1: the line has no '='", "2: 'a b' is not a setting name", "3: '' is not a setting name",
                      "4: '[store' is not a section", "5: '[]' is not a section", "7: 'a' is already set in line 6",
                      "8: it contains a zero byte; the file is damaged or not a text file", "9: it is not UTF-8",
                      "10: '.x' is not a setting name", "11: 'x.' is not a setting name",
                      "12: '1x' is not a setting name"});
  CHECK(file.rows.size() == 2);

  CHECK(parse_settings_file("\xFF\xFE" "a").errors.at(0).message == "it is UTF-16");
  CHECK(parse_settings_file("").rows.empty());
  CHECK(parse_settings_file("[").errors.size() == 1);
  CHECK(parse_settings_file("]").errors.size() == 1);
}

TEST_CASE("the file of 'config --init' has no effect until the '#' characters are removed") {
  const std::string text = settings_file_text(
      {"Settings of hello."}, {{"greeting", "hello", "a text", "text of the greeting"},
                               {"store.path", "data", "a path", "folder of the store,\nwhich grows"},
                               {"port", "8080", "a whole number", ""}});
  CHECK(text ==
        "# Settings of hello.\n\n# text of the greeting (a text)\n#greeting = hello\n\n"
        "# a whole number\n#port = 8080\n\n"
        "[store]\n\n# folder of the store,\n# which grows (a path)\n#path = data\n");
  CHECK(parse_settings_file(text).rows.empty());
  CHECK(parse_settings_file(text).errors.empty());

  std::string enabled;
  for (const auto line : winsvc::detail::base::split(text, '\n'))
    enabled += std::string(line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + '\n';
  CHECK(parse_settings_file(enabled).rows.size() == 3);
}

TEST_CASE("a default with blanks at its ends or with several lines still makes a valid file") {
  const std::string text = settings_file_text({}, {{"between", " - ", "a text", ""}, {"poem", "a\nb", "a text", ""}});
  CHECK(text.find("#between = \" - \"\n") != std::string::npos);
  CHECK(text.find("# The default cannot be written on one line.\n#poem = \n") != std::string::npos);
  CHECK(parse_settings_file(text).errors.empty());
}

TEST_CASE("the error for a line without '=' does not contain the line, which may be part of a secret") {
  const auto file = parse_settings_file("token = abc\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n");
  REQUIRE(file.errors.size() == 1);
  CHECK(file.errors[0].message.find("MII") == std::string::npos);
}

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

TEST_CASE("a setting may hold a std::filesystem::path, in UTF-8") {
  const auto folder = std::make_shared<typed_setting<std::filesystem::path>>("folder", "data", "");
  setting_registry registry;
  registry.set_sources(with_file("folder = \"D:/B\xC3\xBC\x63her\"\n"));
  registry.declare(folder);
  CHECK(folder->get().u8string() == "D:/B\xC3\xBC\x63her");
  CHECK(folder->text() == "D:/B\xC3\xBC\x63her");
  CHECK(folder->stage("", false) == "must be a path, but is ''");
}

TEST_CASE("an enumeration value is set by its name") {
  enum class mode { fast, safe };
  setting_registry registry;
  registry.set_sources(with_file("mode = SAFE\nother = slow\n"));
  const auto make = [](const char* name) {
    auto setting = std::make_shared<typed_setting<mode>>(name, mode::fast, "");
    setting->enum_names = {{"fast", mode::fast}, {"safe", mode::safe}};
    return setting;
  };
  const auto chosen = make("mode"), other = make("other");
  registry.declare(chosen);
  registry.declare(other);

  CHECK(chosen->get() == mode::safe);
  CHECK(chosen->text() == "safe");
  CHECK(chosen->kind() == "fast or safe");
  CHECK(error_texts(registry.errors()) ==
        "read 'hello.ini:2': 'other' must be fast or safe, but is 'slow' (13)\n");
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
    CHECK(registry.views()[0].source == "hello.ini:2");
    CHECK(registry.views()[2].source == "hello.ini:3");
  }
  SUBCASE("one value is invalid") {
    const auto report = registry.reload(parse_settings_file("a = 2\nb = x\n"));
    CHECK(error_texts(report.errors) ==
        "read 'hello.ini:2': 'b' must be a whole number, but is 'x' (13)\n");
    CHECK(report.changes.empty());
    CHECK(a->get() == 1);
    CHECK(b->get() == 1);
    CHECK(registry.errors().empty());  // the old file is still the source
    CHECK(registry.reload(parse_settings_file("a = 3\nb = 1\nfixed = 1")).changes ==
          lines{"a: '3', was '1' (hello.ini:1)"});
  }
  SUBCASE("the file is truncated") {
    CHECK(registry.reload(parse_settings_file("a = 2\nb")).errors.size() == 1);
    CHECK(a->get() == 1);
  }
  SUBCASE("the file cannot be read") {
    const winsvc::error file_error{5, "read the settings", "hello.ini", "access denied", ""};
    const auto report = registry.reload(std::nullopt, file_error);
    CHECK(report.errors.size() == 1);
    CHECK(a->get() == 1);
  }
  SUBCASE("nothing has changed") {
    const auto report = registry.reload(parse_settings_file("# more\na = 1\nb = 1\nfixed = 1\n"));
    CHECK(report.changes.empty());
    CHECK(report.changes_after_restart.empty());
    CHECK(registry.views()[0].source == "hello.ini:2");
  }
}

TEST_CASE("a setting needs a valid name that is not declared yet") {
  setting_registry registry;
  registry.declare(number("a-b.c", 0));
  CHECK_THROWS_WITH(registry.declare(number("A_B.C", 0)), "setting 'a_b.c' (:0): it is already declared at :0");
  for (const auto invalid : {"", "a b", ".a", "a.", "a..b", "1a", "a=b"})
    CHECK_THROWS_AS(registry.declare(number(invalid, 0)), winsvc::setup_error);
}

TEST_CASE("enum_names limit the valid values, even of a type with a text form") {
  typed_setting<int> speed("speed", 1, "");
  speed.enum_names = {{"slow", 1}, {"fast", 9}};
  CHECK(speed.kind() == "slow or fast");
  CHECK(speed.stage("fast", true) == std::nullopt);
  CHECK(speed.staged_text() == "fast");
  CHECK(*speed.stage("77", true) == "must be slow or fast, but is '77'");
  CHECK(speed.has_text_form(9));
  CHECK_FALSE(speed.has_text_form(2));
}

TEST_CASE("a number beyond the range of its type is 'too large'; a negative duration has no text form") {
  typed_setting<int> number("n", 1, "");
  CHECK(*number.stage("99999999999", true) == "must be a whole number, but '99999999999' is too large");
  CHECK(*number.stage("nine", true) == "must be a whole number, but is 'nine'");
  typed_setting<std::chrono::milliseconds> time("t", std::chrono::milliseconds(1), "");
  CHECK(time.has_text_form(std::chrono::minutes(90)));
  CHECK_FALSE(time.has_text_form(std::chrono::milliseconds(-1)));
}

TEST_CASE("two settings with the same environment variable are rejected") {
  setting_registry registry;
  registry.declare(number("store.path", 0));
  CHECK_THROWS_AS(registry.declare(number("store_path", 0)), winsvc::setup_error);
}

TEST_CASE("a file of 100,000 lines is parsed within 10 s") {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "name" + std::to_string(i) + " = 1\n";
  const auto start = std::chrono::steady_clock::now();
  CHECK(parse_settings_file(content).rows.size() == 100'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
