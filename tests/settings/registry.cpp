// What settings hold, how a file of them is read, and which of several values counts.
#include "winsvc/settings/registry.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using namespace winsvc::model;
using winsvc::byte_size;
using winsvc::file_path;

namespace {

template <class T>
std::optional<std::string> there_and_back(std::string_view s) {
  const auto value = setting_type<T>::parse(s);
  return value ? std::optional(setting_type<T>::text(*value)) : std::nullopt;
}

std::shared_ptr<typed_setting<int>> number(const std::string& name, int standard) {
  return std::make_shared<typed_setting<int>>(name, standard, "");
}
std::shared_ptr<typed_setting<std::string>> words(const std::string& name, const std::string& standard) {
  return std::make_shared<typed_setting<std::string>>(name, standard, "");
}

/// Sources with a file `hello.ini` of this content.
setting_sources with_file(std::string_view content) {
  setting_sources from;
  from.prefix = "HELLO";
  from.path = "/etc/hello.ini";
  from.file_name = "hello.ini";
  from.file = parse_settings_file(content);
  return from;
}

std::string sentences(const std::vector<winsvc::error>& all) {
  std::string out;
  for (const auto& one : all) out += one.to_string() + '\n';
  return out;
}
using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("values are read as they are written, and what does not fit is refused") {
  CHECK(there_and_back<bool>("yes") == "yes");
  CHECK(there_and_back<bool>("True") == "yes");
  CHECK(there_and_back<bool>("off") == "no");
  CHECK(there_and_back<bool>("0") == "no");
  CHECK_FALSE(there_and_back<bool>(""));
  CHECK_FALSE(there_and_back<bool>("maybe"));

  CHECK(there_and_back<int>("-7") == "-7");
  CHECK(there_and_back<std::uint16_t>("65535") == "65535");
  CHECK(there_and_back<std::uint8_t>("255") == "255");
  CHECK(there_and_back<std::int64_t>("-9223372036854775808") == "-9223372036854775808");
  for (const auto bad : {"", "+1", " 1", "1 ", "1x", "0x10", "1.0", "2147483648", "1_000"})
    CHECK_FALSE(there_and_back<int>(bad));
  CHECK_FALSE(there_and_back<std::uint16_t>("65536"));
  CHECK_FALSE(there_and_back<unsigned>("-1"));
  CHECK_FALSE(there_and_back<std::uint8_t>("256"));

  CHECK(there_and_back<double>("0.1") == "0.1");
  CHECK(there_and_back<double>("-2.5e3") == "-2500");
  CHECK(setting_type<double>::parse("0.30000000000000004") == 0.30000000000000004);
  CHECK(there_and_back<double>("0.30000000000000004") == "0.30000000000000004");
  for (const auto bad : {"", "nan", "inf", "1,5", "1.5x", "1e999", "0x1p3", "--1", "1 2"}) CHECK_FALSE(there_and_back<double>(bad));

  CHECK(there_and_back<std::string>("") == "");
  CHECK(there_and_back<std::string>("  a \"b\" ") == "  a \"b\" ");

  CHECK(there_and_back<std::chrono::milliseconds>("90s") == "90s");
  CHECK(there_and_back<std::chrono::milliseconds>("1m30s") == "90s");
  CHECK(there_and_back<std::chrono::milliseconds>("250ms") == "250ms");
  CHECK(there_and_back<std::chrono::seconds>("5") == "5s");
  CHECK(there_and_back<std::chrono::hours>("2d") == "2d");
  CHECK_FALSE(there_and_back<std::chrono::seconds>("250ms"));  // which would be none
  CHECK_FALSE(there_and_back<std::chrono::seconds>("soon"));

  CHECK(there_and_back<byte_size>("512") == "512");
  CHECK(there_and_back<byte_size>("64k") == "64k");
  CHECK(there_and_back<byte_size>("10 MiB") == "10M");
  CHECK(there_and_back<byte_size>("1GB") == "1G");
  CHECK(there_and_back<byte_size>("1536k") == "1536k");
  CHECK(there_and_back<byte_size>("0") == "0");
  for (const auto bad : {"", "k", "-1", "1.5M", "10X", "10 Mi", "99999999999T"}) CHECK_FALSE(there_and_back<byte_size>(bad));

  CHECK(there_and_back<file_path>("C:\\data dir") == "C:\\data dir");
  CHECK_FALSE(there_and_back<file_path>(""));
}

TEST_CASE("a list has commas between its pieces, and quotes around what needs them") {
  using list = std::vector<std::string>;
  const auto parse = [](std::string_view s) { return setting_type<list>::parse(s); };

  CHECK(parse("") == list{});
  CHECK(parse(" a , b,c ") == list{"a", "b", "c"});
  CHECK(parse("\"a, b\", c") == list{"a, b", "c"});
  CHECK(parse("\"say \"\"hi\"\"\"") == list{"say \"hi\""});
  CHECK(parse("\"\"") == list{""});
  for (const auto bad : {",", "a,", ",a", "a,,b", "\"a", "\"a\"b"}) CHECK_FALSE(parse(bad));
  for (const list& all : {list{}, list{"a"}, list{"a", "b c"}, list{" a", "b,c", "d\"e", ""}})
    CHECK(parse(setting_type<list>::text(all)) == all);
}

TEST_CASE("a settings file has names and values, sections, and comments in lines of their own") {
  const auto file = parse_settings_file(
      "\xEF\xBB\xBF# what to say\r\n"
      "greeting = hi # there; all of it\r\n"
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
  CHECK(rows == lines{"greeting|hi # there; all of it|2", "log_level|debug|4", "empty||6", "store.path|C:\\data|8",
                      "store.quoted|\"  two blanks  \"|9", "store.last|\xC3\xBC|10"});
}

TEST_CASE("whatever is wrong in a settings file has its line, and does not hide what is wrong behind it") {
  const auto file = parse_settings_file(
      "greeting\n"
      "a b = c\n"
      "= d\n"
      "[store\n"
      "[]\n"
      "a = 1\n"
      "A = 2\n" +
      std::string("torn = \0\0\0\n", 11) + "bad = \xFF\n.x = 1\nx. = 1\n1x = 1\nok = 1\n");

  lines reply;
  for (const auto& f : file.errors) reply.push_back(std::to_string(f.line) + ": " + f.message);
  CHECK(reply == lines{"1: there is no '=' in it", "2: 'a b' is no name of a setting", "3: '' is no name of a setting",
                      "4: '[store' is no section", "5: '[]' is no section", "7: 'a' is said in line 6 already",
                      "8: there is a zero byte: the file is damaged, or no text", "9: it is not UTF-8",
                      "10: '.x' is no name of a setting", "11: 'x.' is no name of a setting",
                      "12: '1x' is no name of a setting"});
  CHECK(file.rows.size() == 2);

  CHECK(parse_settings_file("\xFF\xFE" "a").errors.at(0).message == "it is UTF-16");
  CHECK(parse_settings_file("").rows.empty());
  CHECK(parse_settings_file("[").errors.size() == 1);
  CHECK(parse_settings_file("]").errors.size() == 1);
}

TEST_CASE("the file that 'config --init' writes changes nothing, and is what it says once the marks are gone") {
  const std::string text = settings_file_text(
      {"Settings of hello."}, {{"greeting", "hello", "a text", "what to say"},
                               {"store.path", "data", "a path", "where it lies,\nand grows"},
                               {"port", "8080", "a whole number", ""}});
  CHECK(text ==
        "# Settings of hello.\n\n# what to say (a text)\n#greeting = hello\n\n# a whole number\n#port = 8080\n\n"
        "[store]\n\n# where it lies,\n# and grows (a path)\n#path = data\n");
  CHECK(parse_settings_file(text).rows.empty());
  CHECK(parse_settings_file(text).errors.empty());

  std::string awake;
  for (const auto line : winsvc::strings::split(text, '\n'))
    awake += std::string(line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + '\n';
  CHECK(parse_settings_file(awake).rows.size() == 3);
}

TEST_CASE("a default that has blanks at its ends, or several lines, makes no file that cannot be read") {
  const std::string text = settings_file_text({}, {{"between", " - ", "a text", ""}, {"poem", "a\nb", "a text", ""}});
  CHECK(text.find("#between = \" - \"\n") != std::string::npos);
  CHECK(text.find("# Its default cannot be written in a line.\n#poem = \n") != std::string::npos);
  CHECK(parse_settings_file(text).errors.empty());
}

TEST_CASE("a line without a name is not shown: it may be the second half of a secret") {
  const auto file = parse_settings_file("token = abc\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n");
  REQUIRE(file.errors.size() == 1);
  CHECK(file.errors[0].message.find("MII") == std::string::npos);
}

TEST_CASE("the command line is stronger than the environment, that than the file, that than the default") {
  auto from = with_file("a = 1\nb = 1\nc = 1\n");
  from.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HELLO_A" || name == "HELLO_B") return "2";
    return std::nullopt;
  };
  from.command_line = {{"a", "3", "--set a"}, {"A", "4", "--set a"}};
  setting_registry registry;
  registry.set_sources(from);
  const auto a = number("a", 0), b = number("b", 0), c = number("c", 0), d = number("d", 0);
  for (const auto& setting : {a, b, c, d}) registry.declare(setting);

  CHECK(registry.errors().empty());
  CHECK(a->get() == 4);
  CHECK(b->get() == 2);
  CHECK(c->get() == 1);
  CHECK(d->get() == 0);
  lines origins;
  for (const auto& s : registry.views()) origins.push_back(s.origin);
  CHECK(origins == lines{"--set a", "HELLO_B", "hello.ini:3", "default"});
}

TEST_CASE("variables are called by service and setting, in capitals") {
  setting_sources from;
  from.prefix = variable_prefix("my-service 2");
  CHECK(from.variable("store.max_size") == "MY_SERVICE_2_STORE_MAX_SIZE");
}

TEST_CASE("a value that cannot be taken is told with its place, and the default holds") {
  auto from = with_file("count = many\nspeed = 99\ngreting = hi\n[x]\nno equals\n");
  from.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HELLO_PLACE" ? std::optional<std::string>("") : std::nullopt;
  };
  from.command_line = {{"colour", "red", "--set colour"}, {"limit", "x", "--set limit"}};
  setting_registry registry;
  registry.set_sources(from);
  const auto count = number("count", 7), speed = number("speed", 3), limit = number("limit", 1);
  speed->range = "from 1 to 10";
  speed->rules.push_back({[](int n) { return n >= 1 && n <= 10; }, "lie between 1 and 10"});
  for (const auto& setting : {count, speed, limit}) registry.declare(setting);
  registry.declare(words("greeting", "hello"));
  registry.declare(std::make_shared<typed_setting<file_path>>("place", "data", ""));

  CHECK(count->get() == 7);
  CHECK(speed->get() == 3);
  CHECK(sentences(registry.errors()) ==
        "--set colour: there is no setting 'colour'; 'config' lists them\n"
        "read 'hello.ini:1': 'count' takes a whole number, and 'many' is none (13)\n"
        "read 'hello.ini:2': 'speed' must lie between 1 and 10, and '99' does not (13)\n"
        "--set limit: 'limit' takes a whole number, and 'x' is none\n"
        "read 'HELLO_PLACE': 'place' takes a path, and '' is none (13)\n"
        "read 'hello.ini:5': there is no '=' in it (13); write name = value, or '#' before a comment\n"
        "read 'hello.ini:3': there is no setting 'greting' (13); did you mean 'greeting'?\n");
}

TEST_CASE("one of several is chosen by its name") {
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
  CHECK(sentences(registry.errors()) ==
        "read 'hello.ini:2': 'other' takes fast or safe, and 'slow' is none (13)\n");
}

TEST_CASE("quotes in the file keep the blanks of a text, and are letters everywhere else") {
  auto from = with_file("a = \" x \"\nb = \"x\nc = \"p, q\", r\n");
  from.command_line = {{"d", "\"x\"", "--set d"}};
  setting_registry registry;
  registry.set_sources(from);
  const auto a = words("a", ""), b = words("b", ""), d = words("d", "");
  const auto c = std::make_shared<typed_setting<std::vector<std::string>>>("c", std::vector<std::string>{}, "");
  for (const auto& setting : {a, b, d}) registry.declare(setting);
  registry.declare(c);

  CHECK(a->get() == " x ");
  CHECK(b->get() == "\"x");
  CHECK(c->get() == lines{"p, q", "r"});
  CHECK(d->get() == "\"x\"");
}

TEST_CASE("a secret is stars, is not quoted in what is wrong with it, and does not come from a command line") {
  auto from = with_file("token = s3cret\npin = s3cret\n");
  from.command_line = {{"key", "s3cret", "--set key"}};
  setting_registry registry;
  registry.set_sources(from);
  const auto token = words("token", ""), key = words("key", ""), empty = words("empty", "");
  const auto pin = number("pin", 0);
  token->secret = key->secret = empty->secret = pin->secret = true;
  for (const auto& setting : {token, key, empty}) registry.declare(setting);
  registry.declare(pin);

  CHECK(token->get() == "s3cret");
  CHECK(key->get() == "");
  std::string reported;
  for (const auto& s : registry.views()) reported += s.value + '/' + s.default_text + ' ';
  reported += sentences(registry.errors());
  CHECK(reported.find("s3cret") == reported.npos);
  CHECK(registry.views()[0].value == setting_base::masked);
  CHECK(registry.views()[2].value == "");  // that none is set is no secret
  CHECK(reported.find("write it into the settings file") != reported.npos);
}

TEST_CASE("a reload takes all new values or none, and says what has changed") {
  setting_registry registry;
  registry.set_sources(with_file("a = 1\nb = 1\nfixed = 1\n"));
  const auto a = number("a", 0), b = number("b", 0), fixed = number("fixed", 0);
  const auto hidden = words("hidden", "");
  fixed->needs_restart = true;
  hidden->secret = true;
  for (const auto& setting : {a, b, fixed}) registry.declare(setting);
  registry.declare(hidden);

  SUBCASE("all are good") {
    const auto report = registry.reload(parse_settings_file("\na = 2\nfixed = 2\nhidden = x\n"));
    CHECK(report.faults.empty());
    CHECK(report.changes ==
          lines{"a: '2', was '1' (hello.ini:2)", "b: '0', was '1' (default)", "hidden (hello.ini:4)"});
    CHECK(report.changes_after_restart == lines{"fixed: '2', was '1' (hello.ini:3)"});
    CHECK(a->get() == 2);
    CHECK(b->get() == 0);
    CHECK(fixed->get() == 1);
    CHECK(registry.views()[0].origin == "hello.ini:2");
    CHECK(registry.views()[2].origin == "hello.ini:3");
  }
  SUBCASE("one is not") {
    const auto report = registry.reload(parse_settings_file("a = 2\nb = x\n"));
    CHECK(sentences(report.faults) ==
        "read 'hello.ini:2': 'b' takes a whole number, and 'x' is none (13)\n");
    CHECK(report.changes.empty());
    CHECK(a->get() == 1);
    CHECK(b->get() == 1);
    CHECK(registry.errors().empty());  // of what holds
    CHECK(registry.reload(parse_settings_file("a = 3\nb = 1\nfixed = 1")).changes ==
          lines{"a: '3', was '1' (hello.ini:1)"});
  }
  SUBCASE("the file is torn") {
    CHECK(registry.reload(parse_settings_file("a = 2\nb")).faults.size() == 1);
    CHECK(a->get() == 1);
  }
  SUBCASE("the file cannot be read") {
    const auto report = registry.reload(std::nullopt, winsvc::error{5, "read the settings", "hello.ini", "access denied", ""});
    CHECK(report.faults.size() == 1);
    CHECK(a->get() == 1);
  }
  SUBCASE("nothing has changed") {
    const auto report = registry.reload(parse_settings_file("# more\na = 1\nb = 1\nfixed = 1\n"));
    CHECK(report.changes.empty());
    CHECK(report.changes_after_restart.empty());
    CHECK(registry.views()[0].origin == "hello.ini:2");
  }
}

TEST_CASE("a name is declared once, and is a name") {
  setting_registry registry;
  registry.declare(number("a-b.c", 0));
  CHECK_THROWS_WITH(registry.declare(number("A_B.C", 0)), "setting 'a_b.c' (:0): it is declared at :0 already");
  for (const auto bad : {"", "a b", ".a", "a.", "a..b", "1a", "a=b"})
    CHECK_THROWS_AS(registry.declare(number(bad, 0)), winsvc::setup_error);
}

TEST_CASE("names are what there is of a value also where its type knows others") {
  typed_setting<int> speed("speed", 1, "");
  speed.enum_names = {{"slow", 1}, {"fast", 9}};
  CHECK(speed.kind() == "slow or fast");
  CHECK(speed.stage("fast", true) == std::nullopt);
  CHECK(speed.staged_text() == "fast");
  CHECK(*speed.stage("77", true) == "takes slow or fast, and '77' is none");
  CHECK(speed.has_text_form(9));
  CHECK_FALSE(speed.has_text_form(2));
}

TEST_CASE("a number that is too large is said to be that; a default that could not be written is none") {
  typed_setting<int> number("n", 1, "");
  CHECK(*number.stage("99999999999", true) == "takes a whole number, and '99999999999' is beyond what it can hold");
  CHECK(*number.stage("nine", true) == "takes a whole number, and 'nine' is none");
  typed_setting<std::chrono::milliseconds> time("t", std::chrono::milliseconds(1), "");
  CHECK(time.has_text_form(std::chrono::minutes(90)));
  CHECK_FALSE(time.has_text_form(std::chrono::milliseconds(-1)));
}

TEST_CASE("two settings that would have one variable are none") {
  setting_registry registry;
  registry.declare(number("store.path", 0));
  CHECK_THROWS_AS(registry.declare(number("store_path", 0)), winsvc::setup_error);
}

TEST_CASE("a file of very many lines is read in no time") {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "name" + std::to_string(i) + " = 1\n";
  const auto began = std::chrono::steady_clock::now();
  CHECK(parse_settings_file(content).rows.size() == 100'000);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
}
