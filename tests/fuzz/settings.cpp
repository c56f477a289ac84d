// Fuzz test of the settings file (.ini) and of the values of settings: each row is a valid name, a text that a type
// writes is parsed to the same value, and a template that was written is parsed without an error.
#include "winsvc/settings/setting_value.hpp"
#include "winsvc/settings/settings_file.hpp"

#include "require.hpp"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::detail::settings;

namespace {

/// A value that was parsed is written as a text that has the same value.
template <class T, class Same>
void check_round_trip(std::string_view text, const Same& same) {
  const auto value = setting_type<T>::parse(text);
  if (!value) return;
  const auto again = setting_type<T>::parse(setting_type<T>::text(*value));
  require(again && same(*value, *again), "the text of a value has the same value");
}
template <class T>
void check_round_trip(std::string_view text) {
  check_round_trip<T>(text, [](const T& a, const T& b) { return a == b; });
}

void check_file(std::string_view content) {
  const settings_file file = parse_settings_file(content);
  std::set<std::string> names;
  std::size_t last_line = 0;
  for (const auto& row : file.rows) {
    require(is_setting_name(row.name), "the name of a row is valid");
    require(setting_name(row.name) == row.name, "the name of a row is normalized");
    require(names.insert(row.name).second, "each name is there once");
    require(row.line > last_line, "the rows are in the order of the file");
    require(row.value.find('\n') == std::string::npos, "a value is on one line");
    last_line = row.line;
  }
  for (const auto& error : file.errors)
    require(error.line > 0 && !error.message.empty(), "an error has a line and a text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_file(text);
  check_round_trip<bool>(text);
  check_round_trip<int>(text);
  check_round_trip<std::uint64_t>(text);
  check_round_trip<double>(text);
  check_round_trip<std::chrono::milliseconds>(text);
  check_round_trip<std::vector<std::string>>(text);
  check_round_trip<winsvc::byte_size>(text, [](auto a, auto b) { return a.bytes == b.bytes; });

  // The template is commented out, whatever the texts are. A file that is not UTF-8, or has NUL, is an error.
  for (const char c : text) {
    if (static_cast<signed char>(c) <= 0) return 0;
  }
  const std::string half(text.substr(0, size / 2)), rest(text.substr(size / 2));
  const auto written = parse_settings_file(settings_file_text({half}, {{"name", half, rest, rest}}));
  require(written.rows.empty() && written.errors.empty(), "a new settings file has no effect");
  return 0;
}
