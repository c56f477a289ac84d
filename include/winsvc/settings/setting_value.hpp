// Types of settings and their text form: one specialization of `setting_type` for each type.
//
//   setting_type<int>::parse("42")                    // 42
//   setting_type<byte_size>::parse("10 MiB")          // 10485760 bytes
//   setting_type<std::chrono::milliseconds>::text(90s)   // "1m30s"
//
// `parse` reads the text that `text` writes. Numbers are decimal, without blanks or thousands separators. A value that
// the type cannot represent is rejected.
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <locale>
#include <optional>
#include <ratio>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Number of bytes, written as `512`, `64k`, `10 MiB` or `1g`. A unit is a power of 1024, is not case-sensitive, and
/// may end with `b` or `ib`.
struct byte_size {
  std::uint64_t bytes = 0;
  constexpr byte_size() = default;
  constexpr byte_size(std::uint64_t count) noexcept : bytes(count) {}
  constexpr operator std::uint64_t() const noexcept { return bytes; }
};

/// Path of a file or folder in UTF-8. A relative path is relative to the folder of the executable, which is also the
/// current folder of a running service.
struct file_path {
  std::string text;
  file_path() = default;
  file_path(std::string path) : text(std::move(path)) {}
  file_path(const char* path) : text(path) {}
  operator const std::string&() const noexcept { return text; }
  friend bool operator==(const file_path& a, const file_path& b) noexcept { return a.text == b.text; }
  friend bool operator!=(const file_path& a, const file_path& b) noexcept { return a.text != b.text; }
};

/// Trait for a type of the app that has a text form: specialize it, and the type can be a setting, a path parameter, an
/// argument with a source (api/parameter.hpp), and a member of a described type: a JSON string. Members:
/// `static std::string kind()`, for messages: "a color"; `static std::optional<T> parse(std::string_view)`, nullopt for
/// invalid text; `static std::string text(const T&)`, which `parse` reads.
template <class T>
struct text_traits;

namespace detail::settings {

/// Primary template: a type that settings do not support. A specialization has `kind` (a description for messages),
/// `parse` (nullopt if the text is invalid) and `text`.
template <class T, class = void>
struct setting_type {
  static constexpr bool is_supported = false;
};

/// True for std::filesystem::path, whose header this file does not include because it is expensive.
template <class T, class = void>
inline constexpr bool is_path_setting = false;
template <class T>
inline constexpr bool is_path_setting<T, std::void_t<typename T::string_type, typename T::format,
                                                     decltype(std::declval<const T&>().lexically_normal())>> = true;

template <class T>
struct setting_type<T, std::void_t<decltype(text_traits<T>::parse(std::string_view()))>> : text_traits<T> {
  static constexpr bool is_supported = true;
};

template <class T>
inline constexpr bool is_integer_setting =
    std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

template <>
struct setting_type<bool> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "yes or no"; }
  static std::optional<bool> parse(std::string_view s);
  static std::string text(bool value) { return value ? "yes" : "no"; }
};

template <class T>
struct setting_type<T, std::enable_if_t<is_integer_setting<T>>> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a whole number"; }
  static std::optional<T> parse(std::string_view s) noexcept {
    T value{};
    const auto result = std::from_chars(s.data(), s.data() + s.size(), value);
    return result.ec == std::errc() && result.ptr == s.data() + s.size() ? std::optional(value) : std::nullopt;
  }
  static std::string text(T value) { return std::to_string(value); }
};

template <>
struct setting_type<double> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a number"; }
  static std::optional<double> parse(std::string_view s);
  static std::string text(double value);
};

template <>
struct setting_type<std::string> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a text"; }
  static std::optional<std::string> parse(std::string_view s) { return std::string(s); }
  static std::string text(const std::string& value) { return value; }
};

/// A std::chrono duration whose unit is a millisecond or longer. A value that the type cannot represent exactly is
/// rejected.
template <class Rep, class Period>
struct setting_type<std::chrono::duration<Rep, Period>,
                    std::enable_if_t<std::ratio_greater_equal_v<Period, std::milli>>> {
  using type = std::chrono::duration<Rep, Period>;
  static constexpr bool is_supported = true;
  static std::string kind() { return "a time, such as 250ms, 30s, 1m30s or 2h"; }
  static std::optional<type> parse(std::string_view s) {
    const auto duration = base::parse_duration(s);
    if (!duration) return std::nullopt;
    const auto value = std::chrono::duration_cast<type>(*duration);
    return value == *duration ? std::optional(value) : std::nullopt;
  }
  static std::string text(type value) {
    return base::exact_duration(std::chrono::duration_cast<std::chrono::milliseconds>(value));
  }
};

template <>
struct setting_type<byte_size> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a size, such as 512, 64k or 10M"; }
  static std::optional<byte_size> parse(std::string_view s);
  static std::string text(byte_size value);
};

/// `a, b, "c, d"`: items without the blanks around them. An item in double quotes keeps its commas and blanks; a double
/// quote in it is written twice. An empty text is an empty list.
template <>
struct setting_type<std::vector<std::string>> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a list separated by commas"; }
  static std::optional<std::vector<std::string>> parse(std::string_view s);
  static std::string text(const std::vector<std::string>& value);
};

template <>
struct setting_type<file_path> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a path"; }
  static std::optional<file_path> parse(std::string_view s) {
    return s.empty() || s.find('\0') != s.npos ? std::nullopt : std::optional(file_path(std::string(s)));
  }
  static std::string text(const file_path& value) { return value.text; }
};

/// std::filesystem::path. The text is UTF-8 on every system.
template <class T>
struct setting_type<T, std::enable_if_t<is_path_setting<T>>> {
  static constexpr bool is_supported = true;
  static std::string kind() { return "a path"; }
  static std::optional<T> parse(std::string_view s) {
    if (s.empty() || s.find('\0') != s.npos) return std::nullopt;
    if constexpr (sizeof(typename T::value_type) == 1) {
      return T(std::string(s));
    } else {
      const std::u16string wide = base::to_utf16(s);
      return T(typename T::string_type(wide.begin(), wide.end()));
    }
  }
  static std::string text(const T& value) {
    const auto& native = value.native();
    if constexpr (sizeof(typename T::value_type) == 1) return native;
    else return base::to_utf8(std::u16string(native.begin(), native.end()));
  }
};

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SETTINGS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

WINSVC_INLINE std::optional<bool> setting_type<bool>::parse(std::string_view s) {
  for (const auto yes : {"yes", "true", "on", "1"}) {
    if (base::equal_nocase(s, yes)) return true;
  }
  for (const auto no : {"no", "false", "off", "0"}) {
    if (base::equal_nocase(s, no)) return false;
  }
  return std::nullopt;
}

/// Uses a stream with the classic locale: libstdc++ has `from_chars` for double only since version 11, and strtod
/// depends on the locale of the program.
WINSVC_INLINE std::optional<double> setting_type<double>::parse(std::string_view s) {
  if (s.empty() || s.find_first_not_of("+-.0123456789eE") != s.npos) return std::nullopt;
  std::istringstream in{std::string(s)};
  in.imbue(std::locale::classic());
  double value = 0;
  in >> value;
  return in.fail() || in.peek() != std::istringstream::traits_type::eof() || !std::isfinite(value)
             ? std::nullopt
             : std::optional(value);
}

WINSVC_INLINE std::string setting_type<double>::text(double value) {
  for (int digits = 6; digits <= 17; ++digits) {  // the smallest precision that is parsed to the same value
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    if (digits == 17 || parse(out.str()) == value) return out.str();
  }
  return {};
}

WINSVC_INLINE std::optional<byte_size> setting_type<byte_size>::parse(std::string_view s) {
  const auto digits = (std::min)(s.find_first_not_of("0123456789"), s.size());
  std::uint64_t count = 0;
  constexpr auto max_count = (std::numeric_limits<std::uint64_t>::max)();
  if (!base::parse_number(s.substr(0, digits), max_count, count)) return std::nullopt;
  const std::string unit = base::to_lower(base::trim(s.substr(digits)));
  if (unit.empty() || unit == "b") return byte_size(count);
  const auto power = std::string_view("kmgt").find(unit[0]);
  const auto ending = unit.substr(1);
  if (power == std::string_view::npos || (!ending.empty() && ending != "b" && ending != "ib")) return std::nullopt;
  const auto shift = 10 * (power + 1);
  if (count > (max_count >> shift)) return std::nullopt;
  return byte_size(count << shift);
}

WINSVC_INLINE std::string setting_type<byte_size>::text(byte_size value) {
  std::uint64_t count = value.bytes;
  std::size_t power = 0;
  for (; power < 4 && count != 0 && count % 1024 == 0; ++power) count /= 1024;
  return std::to_string(count) + (power == 0 ? "" : std::string(1, "kMGT"[power - 1]));
}

WINSVC_INLINE std::optional<std::vector<std::string>> setting_type<std::vector<std::string>>::parse(
    std::string_view s) {
  std::vector<std::string> items;
  s = base::trim(s);
  while (!s.empty()) {
    std::string item;
    if (s.front() == '"') {
      std::size_t position = 1;
      for (;; ++position) {
        if (position == s.size()) return std::nullopt;
        if (s[position] == '"' && (position + 1 == s.size() || s[position + 1] != '"')) break;
        if (s[position] == '"') ++position;
        item += s[position];
      }
      s = base::trim(s.substr(position + 1));
      if (!s.empty() && s.front() != ',') return std::nullopt;
    } else {
      const auto comma = (std::min)(s.find(','), s.size());
      item = std::string(base::trim(s.substr(0, comma)));
      if (item.empty()) return std::nullopt;
      s.remove_prefix(comma);
    }
    items.push_back(std::move(item));
    if (s.empty()) break;
    s = base::trim(s.substr(1));
    if (s.empty()) return std::nullopt;  // a comma at the end
  }
  return items;
}

WINSVC_INLINE std::string setting_type<std::vector<std::string>>::text(const std::vector<std::string>& value) {
  std::string out;
  for (const auto& item : value) {
    if (!out.empty()) out += ", ";
    const bool needs_no_quotes = !item.empty() && item.find_first_of(",\"") == item.npos && base::trim(item) == item;
    if (needs_no_quotes) {
      out += item;
      continue;
    }
    out += '"';
    for (const char c : item) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    out += '"';
  }
  return out;
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SETTINGS
