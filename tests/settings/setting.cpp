// Tests of a setting: its value, valid values, text form and messages.
#include "winsvc/settings/setting.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "temperature.hpp"

using namespace winsvc::detail::settings;
using winsvc::byte_size;
using winsvc::file_path;

namespace {

using lines = std::vector<std::string>;
using number_setting = typed_setting<int>;
using text_setting = typed_setting<std::string>;

}  // namespace

TEST_CASE("a setting describes its valid values") {
  CHECK(number_setting("count", 1, "").kind() == "a whole number");
  CHECK(typed_setting<std::uint8_t>("n", 1, "").kind() == "a whole number from 0 to 255");
  CHECK(typed_setting<std::uint16_t>("n", 1, "").kind() == "a whole number from 0 to 65535");
  CHECK(typed_setting<std::uint32_t>("n", 1, "").kind() == "a whole number, 0 or more");
  number_setting speed("speed", 3, "");
  speed.range = "from 1 to 10";
  CHECK(speed.kind() == "a whole number from 1 to 10");
  typed_setting<std::uint16_t> threads("threads", 1, "");
  threads.range = "from 1 to 64";
  CHECK(threads.kind() == "a whole number from 1 to 64");
  typed_setting<double> ratio("ratio", 0.5, "");
  CHECK(ratio.kind() == "a number");
  ratio.range = "between 0 and 1";
  CHECK(ratio.kind() == "a number, between 0 and 1");
  CHECK(typed_setting<bool>("on", false, "").kind() == "yes or no");
  CHECK(typed_setting<byte_size>("size", byte_size(1), "").kind() == "a size, such as 512, 64k or 10M");
  CHECK(text_setting("name", "", "").kind() == "a text");
  CHECK(typed_setting<file_path>("place", "", "").kind() == "a path");
  CHECK(typed_setting<lines>("list", {}, "").kind() == "a list separated by commas");
  number_setting color("color", 1, "");
  color.enum_names = {{"red", 1}, {"green", 2}, {"blue", 3}};
  CHECK(color.kind() == "red, green or blue");
}

TEST_CASE("a path may be empty by default, although no text of a path is") {
  CHECK(typed_setting<file_path>("place", "", "").has_text_form(file_path()));
  CHECK(typed_setting<std::filesystem::path>("folder", "", "").has_text_form({}));
  CHECK(text_setting("greeting", "", "").has_text_form("a b"));
}

TEST_CASE("enum_names limit the valid values, even of a type with a text form") {
  typed_setting<int> speed("speed", 1, "");
  speed.enum_names = {{"slow", 1}, {"fast", 9}};
  CHECK(speed.kind() == "slow or fast");
  CHECK(speed.stage("Fast", true) == std::nullopt);
  CHECK(speed.staged_text() == "fast");
  CHECK(*speed.stage("77", true) == "must be slow or fast, but is '77'");
  CHECK(speed.has_text_form(9));
  CHECK_FALSE(speed.has_text_form(2));
}

TEST_CASE("an enumeration value is set by its name, in any case") {
  enum class mode { fast, safe };
  typed_setting<mode> chosen("mode", mode::fast, "");
  chosen.enum_names = {{"fast", mode::fast}, {"safe", mode::safe}};
  CHECK(chosen.kind() == "fast or safe");
  CHECK(chosen.text() == "fast");
  CHECK(chosen.stage("SAFE", false) == std::nullopt);
  chosen.commit();
  CHECK(chosen.get() == mode::safe);
  CHECK(chosen.text() == "safe");
  CHECK(chosen.stage("slow", false) == "must be fast or safe, but is 'slow'");
  CHECK(chosen.has_text_form(mode::safe));
}

TEST_CASE("a number beyond the range of its type is 'too large'; a negative duration has no text form") {
  typed_setting<int> number("n", 1, "");
  CHECK(*number.stage("99999999999", true) == "must be a whole number, but '99999999999' is too large");
  CHECK(*number.stage("-99999999999", true) == "must be a whole number, but '-99999999999' is too large");
  for (const char* other : {"-", "9-9", "--9", "x9", "+9", "-9x", ""})
    CHECK(*number.stage(other, true) == "must be a whole number, but is '" + std::string(other) + "'");
  CHECK(*number.stage("nine", true) == "must be a whole number, but is 'nine'");
  typed_setting<std::chrono::milliseconds> time("t", std::chrono::milliseconds(1), "");
  CHECK(time.has_text_form(std::chrono::minutes(90)));
  CHECK_FALSE(time.has_text_form(std::chrono::milliseconds(-1)));
}

TEST_CASE("a path of a setting is UTF-8, and its text is not empty") {
  typed_setting<std::filesystem::path> folder("folder", "data", "");
  CHECK(folder.stage("D:/B\xC3\xBC\x63her", false) == std::nullopt);
  folder.commit();
  CHECK(folder.get().u8string() == "D:/B\xC3\xBC\x63her");
  CHECK(folder.text() == "D:/B\xC3\xBC\x63her");
  CHECK(folder.default_text() == "data");
  CHECK(folder.kind() == "a path");
  CHECK(folder.stage("", false) == "must be a path, but is ''");
}

TEST_CASE("a staged value has no effect until it is committed, and an invalid value is not staged") {
  number_setting count("Max-Count", 1, "number of items");
  CHECK(count.name() == "max_count");
  CHECK(count.help() == "number of items");
  CHECK(count.stage("5", false) == std::nullopt);
  CHECK(count.get() == 1);
  CHECK(count.staged_text() == "5");
  CHECK(count.stage("x", false) == "must be a whole number, but is 'x'");
  CHECK(count.staged_text() == "5");
  count.commit();
  CHECK(count.get() == 5);
  CHECK(count.text() == "5");
  CHECK(count.default_text() == "1");
  count.stage_default();
  CHECK(count.get() == 5);
  count.commit();
  CHECK(count.get() == 1);
}

TEST_CASE("a value must satisfy each rule, and the message has the first rule that it does not satisfy") {
  number_setting count("count", 1, "");
  count.rules.push_back({[](int n) { return n > 0; }, "be above 0"});
  count.rules.push_back({[](int n) { return n % 2 == 0; }, "be even"});
  CHECK(count.validate(2) == std::nullopt);
  CHECK(count.validate(-1) == "must be above 0");
  CHECK(count.stage("3", false) == "must be even, but is '3'");
  count.secret = true;
  CHECK(count.stage("3", false) == "must be even, but is not");
}

TEST_CASE("a rule that throws is not satisfied, and the message of a secret does not contain the exception") {
  text_setting name("name", "", "");
  const auto fail = [](const std::string& s) -> bool { throw std::runtime_error("no rule for " + s); };
  name.rules.push_back({fail, "be valid"});
  CHECK(name.validate("abc") == "must be valid (no rule for abc)");
  CHECK(name.stage("abc", false) == "must be valid (no rule for abc), but is 'abc'");
  name.secret = true;
  CHECK(name.stage("abc", false) == "must be valid, but is not");
}

TEST_CASE("a setting is hidden if it is a secret or has the name of a secret") {
  number_setting count("count", 1, ""), pin("api_token", 1, "");
  CHECK_FALSE(count.secret);
  CHECK_FALSE(count.needs_restart);
  CHECK_FALSE(count.is_hidden());
  CHECK(count.masked_value("5") == "5");
  CHECK(pin.is_hidden());
  CHECK(pin.masked_value("5") == "******");
  CHECK(pin.masked_value("") == "");
  CHECK(pin.stage("x", false) == "must be a whole number, but is not");
  CHECK(pin.stage("99999999999", false) == "must be a whole number, but is too large");
  count.secret = true;
  CHECK(count.is_hidden());
}

TEST_CASE("quotes of the settings file do not belong to a text or a path, but to a value of another type") {
  text_setting name("name", "", "");
  typed_setting<file_path> place("place", "", "");
  typed_setting<std::filesystem::path> folder("folder", "", "");
  number_setting count("count", 1, "");
  const auto staged = [](setting_base& setting, const char* text, bool may_have_quotes) {
    const auto reason = setting.stage(text, may_have_quotes);
    return reason ? *reason : setting.staged_text();
  };
  CHECK(staged(name, "\" a \"", true) == " a ");
  CHECK(staged(name, "\" a \"", false) == "\" a \"");
  CHECK(staged(place, "\"my data\"", true) == "my data");
  CHECK(staged(place, "\"my data\"", false) == "\"my data\"");
  CHECK(staged(folder, "\"my data\"", true) == "my data");
  CHECK(staged(folder, "\"my data\"", false) == "\"my data\"");
  CHECK(staged(count, "\"5\"", true) == "must be a whole number, but is '\"5\"'");
}

TEST_CASE("a type of the app with text_traits is a setting") {
  typed_setting<temperature> limit("limit", temperature(20), "");
  CHECK(limit.kind() == "a temperature, such as 20C");
  CHECK(limit.text() == "20C");
  CHECK(limit.stage("25", false) == "must be a temperature, such as 20C, but is '25'");
  CHECK(limit.stage("25C", false) == std::nullopt);
  limit.commit();
  CHECK(limit.get() == temperature(25));
  CHECK(limit.has_text_form(temperature(30)));
  CHECK_FALSE(limit.has_text_form(temperature(1001)));
}

TEST_CASE("a value without a name, and a value of a type without a text form, cannot be written") {
  enum class mode { fast, safe };
  typed_setting<mode> unnamed("mode", mode::fast, "");
  CHECK_FALSE(unnamed.has_text_form(mode::fast));
  CHECK(unnamed.text() == "");
  CHECK(unnamed.kind() == "");
  CHECK(unnamed.stage("fast", false) == "must be , but is 'fast'");
  number_setting level("level", 7, "");
  level.enum_names = {{"low", 1}};
  CHECK(level.text() == "7");
  CHECK_FALSE(typed_setting<double>("x", 0, "").has_text_form(std::numeric_limits<double>::infinity()));
}

TEST_CASE("a number, a yes or no and a duration are read without a lock, a larger value with a lock") {
  struct pair {
    std::int32_t a, b;
  };
  CHECK(typed_setting<bool>::is_lock_free);
  CHECK(number_setting::is_lock_free);
  CHECK(typed_setting<std::int64_t>::is_lock_free);
  CHECK(typed_setting<double>::is_lock_free);
  CHECK(typed_setting<std::chrono::milliseconds>::is_lock_free);
  CHECK_FALSE(typed_setting<temperature>::is_lock_free);
  CHECK_FALSE(typed_setting<pair>::is_lock_free);  // not aligned to its size
  CHECK_FALSE(text_setting::is_lock_free);
}

TEST_CASE("the source of a value is the default, until a location is set") {
  const setting_source source;
  CHECK(source.text() == "default");
  CHECK(source.line == 0);
  CHECK_FALSE(source.may_have_quotes);
  CHECK(setting_source{setting_source::kind::environment, "HELLO_A"}.text() == "HELLO_A");
}
