// Tests of setting_type: values and their text form.
#include "winsvc/settings/setting_value.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <locale>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::detail::settings;
using winsvc::byte_size;
using winsvc::file_path;

namespace {

template <class T>
std::optional<std::string> round_trip(std::string_view s) {
  const auto value = setting_type<T>::parse(s);
  return value ? std::optional(setting_type<T>::text(*value)) : std::nullopt;
}

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
  CHECK(round_trip<double>("1000000") == "1e+06");
  CHECK(setting_type<double>::parse("0.30000000000000004") == 0.30000000000000004);
  CHECK(round_trip<double>("0.30000000000000004") == "0.30000000000000004");
  for (const auto invalid : {"", "nan", "inf", "1,5", "1.5x", "1e999", "0x1p3", "--1", "1 2", "1-2",
                             "1.2.3", "1e5e5", "-", "1e", " 1", "1 ", "\t1"})
    CHECK_FALSE(round_trip<double>(invalid));

  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(setting_type<double>::text(infinity) == "inf");  // a default; it cannot be written

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
  CHECK(round_trip<byte_size>("512b") == "512");
  CHECK(round_trip<byte_size>("512 B") == "512");
  CHECK(round_trip<byte_size>("1025") == "1025");
  CHECK(round_trip<byte_size>("64k") == "64k");
  CHECK(round_trip<byte_size>("64KB") == "64k");
  CHECK(round_trip<byte_size>("3t") == "3T");
  CHECK(byte_size().bytes == 0);
  CHECK(round_trip<byte_size>("10 MiB") == "10M");
  CHECK(round_trip<byte_size>("1GB") == "1G");
  CHECK(round_trip<byte_size>("1536k") == "1536k");
  CHECK(round_trip<byte_size>("0") == "0");
  CHECK(round_trip<byte_size>("1024T") == "1024T");  // there is no larger unit
  CHECK(round_trip<byte_size>("17179869183G") == "17179869183G");  // the largest
  CHECK_FALSE(round_trip<byte_size>("17179869184G"));
  for (const auto invalid : {"", "k", "-1", "1.5M", "10X", "10 Mi", "10Mbb", "1 2", "99999999999T"})
    CHECK_FALSE(round_trip<byte_size>(invalid));

  CHECK(round_trip<file_path>("C:\\data dir") == "C:\\data dir");
  for (const auto invalid : {std::string_view(), std::string_view("a\0b", 3)}) {
    CHECK_FALSE(round_trip<file_path>(invalid));
    CHECK_FALSE(setting_type<std::filesystem::path>::parse(invalid));
  }
}

TEST_CASE("a character, and an enumeration without names, have no text form") {
  enum class mode { fast };
  CHECK_FALSE(setting_type<char>::is_supported);
  CHECK_FALSE(setting_type<mode>::is_supported);
  CHECK(setting_type<signed char>::is_supported);
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

  for (const auto* empty : {"", " ", " \t"}) CHECK(parse(empty) == list{});
  CHECK(parse(" a , b,c ") == list{"a", "b", "c"});
  CHECK(parse("\"a, b\", c") == list{"a, b", "c"});
  CHECK(parse("\"a \"\"b\"\"\"") == list{"a \"b\""});
  CHECK(parse("\"\"") == list{""});
  CHECK(parse(" \"a\" , \"\",b c") == list{"a", "", "b c"});
  CHECK(parse(std::string_view("\"a\"\"", 3)) == list{"a"});  // the quote after the end does not belong to it
  for (const auto invalid : {",", "a,", ",a", "a,,b", "\"", "\"a", "\"a\"\"", "\"a\"b", "\"a\",", "\"a\" b"})
    CHECK_FALSE(parse(invalid));
  for (const list& items : {list{}, list{"a"}, list{"a", "b c"}, list{" a", "b,c", "d\"e", ""}})
    CHECK(parse(setting_type<list>::text(items)) == items);
  CHECK(setting_type<list>::text({"a", "b c", "d,e", " f", "", "g\"h"}) == R"(a, b c, "d,e", " f", "", "g""h")");
}

TEST_CASE("paths are equal if their texts are") {
  CHECK(file_path("a") == file_path("a"));
  CHECK_FALSE(file_path("a") == file_path("b"));
  CHECK(file_path("a") != file_path("b"));
  CHECK_FALSE(file_path("a") != file_path("a"));
}
