// Tests of the settings file.
#include "winsvc/settings/settings_file.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace winsvc::detail::settings;
using lines = std::vector<std::string>;

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
  CHECK(unquote("ab\"") == "ab\"");
  CHECK(unquote("\"a\"b\"") == "\"a\"b\"");
  CHECK(unquote("a") == "a");
  CHECK(unquote("") == "");
}

TEST_CASE("blanks around a line have no effect") {
  const auto file = parse_settings_file("  # comment\n\t; comment\n \t \n  [ store ]\t\n\tpath\t=\tdata \n");
  CHECK(file.errors.empty());
  REQUIRE(file.rows.size() == 1);
  CHECK(file.rows[0].name == "store.path");
  CHECK(file.rows[0].value == "data");
}

TEST_CASE("a settings file may have replacement characters, lines of one character and CR within a line") {
  const auto file = parse_settings_file("a = \xEF\xBF\xBD" "b\n#\n;\nb=\rc\r\n\r\nc=1");
  CHECK(file.errors.empty());
  lines rows;
  for (const auto& r : file.rows) rows.push_back(r.name + '|' + r.value + '|' + std::to_string(r.line));
  CHECK(rows == lines{"a|\xEF\xBF\xBD" "b|1", "b|\rc|4", "c|1|6"});
  CHECK_FALSE(file.rows.at(0).is_literal);
}

TEST_CASE("a row and an error of another parser have no line until it is set") {
  CHECK(settings_file::setting_line().line == 0);
  CHECK(settings_file::syntax_error().line == 0);
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

  for (const char* utf16 : {"\xFF\xFE", "\xFE\xFF", "\xFF\xFE" "a", "\xFE\xFF" "a"}) {
    const auto errors_of_utf16 = parse_settings_file(utf16).errors;
    REQUIRE(errors_of_utf16.size() == 1);
    CHECK(errors_of_utf16[0].message == "it is UTF-16");
    CHECK(errors_of_utf16[0].line == 1);
  }
  CHECK(parse_settings_file("\xFF = 1").errors.at(0).message == "it is not UTF-8");
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

TEST_CASE("the settings of a section are together, and a section may have several parts") {
  CHECK(settings_file_text({"a", "b\nc"}, {{"x.y.b", "1", "k", ""}, {"x.a", "2", "k", ""}, {"x.y.c", "3", "k", "h"}}) ==
        "# a\n# b\n# c\n\n[x.y]\n\n# k\n#b = 1\n\n# h (k)\n#c = 3\n\n[x]\n\n# k\n#a = 2\n");
}

TEST_CASE("another format writes the values, except those that do not fit on a line") {
  const auto write = [](const std::string& value, const std::string& kind) { return '<' + kind + ':' + value + '>'; };
  const std::string text = settings_file_text({}, {{"a", " x ", "k", ""}, {"b", "1\r2", "k", ""}}, write);
  CHECK(text == "\n# k\n#a = <k: x >\n\n# k\n# The default cannot be written on one line.\n#b = \n");
}

TEST_CASE("a default with blanks at its ends or with several lines still makes a valid file") {
  const std::string text = settings_file_text({}, {{"between", " - ", "a text", ""}, {"poem", "a\nb", "a text", ""}});
  CHECK(text.find("#between = \" - \"\n") != std::string::npos);
  CHECK(text.find("# The default cannot be written on one line.\n#poem = \n") != std::string::npos);
  for (const char c : {'\n', '\r', '\0'}) {
    const std::string value = std::string("a") + c + 'b';
    CHECK(settings_file_text({}, {{"poem", value, "k", ""}}).find("#poem = \n") != std::string::npos);
  }
  CHECK(parse_settings_file(text).errors.empty());
}

TEST_CASE("the error for a line without '=' does not contain the line, which may be part of a secret") {
  const auto file = parse_settings_file("token = abc\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n");
  REQUIRE(file.errors.size() == 1);
  CHECK(file.errors[0].message.find("MII") == std::string::npos);
}

TEST_CASE("a name has letters, digits, '_' and '-', in parts that start with a letter or '_'") {
  for (const char* name : {"a", "z", "A", "Z", "_", "a0", "a9", "a-b", "a_b", "store.path", "a.b.c"}) {
    CAPTURE(name);
    CHECK(is_setting_name(name));
  }
  for (const char* name :
       {"", ".", "a.", ".a", "a..b", "0", "-a", "a.0", "a b", "@", "[", "`", "{", "a:", "a/", "\xC3\xBC"}) {
    CAPTURE(name);
    CHECK_FALSE(is_setting_name(name));
  }
}

TEST_CASE("the rows of another parser are checked") {
  settings_file parsed;
  parsed.rows = {
      {"Log-Level", "debug", 1}, {"a b", "1", 3}, {"x", "1", 4}, {"X", "2", 5}, {std::string(100, '-'), "", 6}};
  parsed.errors = {{2, "bad", "a hint"}};
  const auto checked = check_settings_file(parsed);
  lines rows, errors;
  for (const auto& row : checked.rows) rows.push_back(row.name + '|' + row.value + '|' + std::to_string(row.line));
  for (const auto& error : checked.errors) errors.push_back(std::to_string(error.line) + ": " + error.message);
  CHECK(rows == lines{"log_level|debug|1", "x|1|4"});
  CHECK(errors == lines{"2: bad", "3: 'a b' is not a setting name", "5: 'x' is already set in line 4",
                        "6: '" + std::string(60, '-') + "' is not a setting name"});
  parsed.rows.assign(1000, {"a b", "", 0});  // a parser without line numbers
  CHECK(check_settings_file(parsed).errors.size() == 1001);
}

TEST_CASE("a file of 100,000 lines is parsed within 10 s") {
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += "name" + std::to_string(i) + " = 1\n";
  const auto start = std::chrono::steady_clock::now();
  CHECK(parse_settings_file(content).rows.size() == 100'000);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
