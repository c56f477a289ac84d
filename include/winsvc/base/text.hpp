// Text functions: UTF-8 and UTF-16, ASCII case folding, splitting, numbers, closest match. winsvc stores all text as
// UTF-8 in std::string; UTF-16 is used only to call Windows. Case is folded for ASCII only, because verbs, options and
// header names are ASCII.
//
//   base::to_utf16("Z\u00FCrich")      base::equal_nocase("Content-Type", "content-type")
//   base::closest_match("instal", verbs)                                    // "install"
//
// It does not use locales, Unicode normalization or Unicode case.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// UTF-8 to UTF-16. A malformed byte becomes U+FFFD: the conversion never fails, and the error stays visible.
[[nodiscard]] std::u16string to_utf16(std::string_view utf8);
/// UTF-16 to UTF-8. A lone surrogate becomes U+FFFD.
[[nodiscard]] std::string to_utf8(std::u16string_view utf16);

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] constexpr char to_upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] std::string to_lower(std::string_view s);
[[nodiscard]] bool equal_nocase(std::string_view a, std::string_view b) noexcept;
/// True if `s` is this literal. Faster than ==, because the compiler knows the size.
template <std::size_t N>
[[nodiscard]] bool is_literal(std::string_view s, const char (&literal)[N]) noexcept {
  return s.size() == N - 1 && std::memcmp(s.data(), literal, N - 1) == 0;
}
[[nodiscard]] bool starts_with(std::string_view s, std::string_view prefix) noexcept;

/// The first bytes of `s`, at most `limit`. The end is moved to the left so that no character is split.
[[nodiscard]] std::string_view truncate(std::string_view s, std::size_t limit) noexcept;
/// `s` without the spaces and tabs at both ends.
[[nodiscard]] constexpr std::string_view trim(std::string_view s) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}
/// The parts of `s` between separators. "" has one empty part; "a," has two parts.
[[nodiscard]] std::vector<std::string_view> split(std::string_view s, char separator);
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// Parses `s` as a decimal number of at most `limit`. Returns false and leaves `out` unchanged if `s` is anything else.
[[nodiscard]] bool parse_number(std::string_view s, std::uint64_t limit, std::uint64_t& out) noexcept;

/// Number of bytes to change, add, remove or swap with the next byte in order to turn one word into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// The known word with the smallest edit distance to `word`, for "did you mean". A known word matches only if the
/// distance is at most a third of its length, or 1. Empty if no word matches.
[[nodiscard]] std::string_view closest_match(std::string_view word, const std::vector<std::string_view>& known);

/// `s` as a JSON string with its quotes (RFC 8259 section 7). Malformed UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_quoted(std::string_view s);
/// Appends what json_quoted(s) returns.
void append_json_quoted(std::string& out, std::string_view s);

/// Returns the code point at `position` and advances `position`. A malformed byte is one U+FFFD.
[[nodiscard]] char32_t next_code_point(std::string_view s, std::size_t& position) noexcept;
void append_utf8(std::string& out, char32_t code_point);
/// Returns the number of code points. A malformed byte counts as one.
[[nodiscard]] std::size_t character_count(std::string_view s) noexcept;

[[nodiscard]] bool starts_with_nocase(std::string_view s, std::string_view prefix) noexcept;

/// True if the value of a setting or variable with this name is probably secret: a part of the name ends with
/// `password`, `token` or similar, or is `key`: `DB_PASSWORD`, `store.key`. False if the name ends with `file`, `count`
/// or similar: the value is a path, a name or a number: `key_file`, `token_count`.
[[nodiscard]] bool names_secret(std::string_view name);
/// Shown in place of a secret value.
inline constexpr std::string_view secret_stars = "******";

/// Returns `s` with blanks up to `width` columns; with one blank if `s` is as long or longer.
[[nodiscard]] std::string pad_right(std::string_view s, std::size_t width);

/// `1 line`, `2 lines`.
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view noun);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE char32_t next_code_point(std::string_view s, std::size_t& position) noexcept {
  constexpr char32_t malformed = 0xFFFD;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(position++);
  if (first < 0x80) return first;

  const int more = first >= 0xF0 && first <= 0xF4  ? 3
                   : first >= 0xE0 && first < 0xF0 ? 2
                   : first >= 0xC2 && first < 0xE0 ? 1
                                                   : 0;
  if (more == 0 || position + static_cast<std::size_t>(more) > s.size()) return malformed;

  char32_t value = first & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    const unsigned char next = byte(position + static_cast<std::size_t>(i));
    if ((next & 0xC0u) != 0x80u) return malformed;
    value = (value << 6) | (next & 0x3Fu);
  }
  constexpr char32_t minimum[] = {0, 0x80, 0x800, 0x10000};  // a smaller value is an overlong form
  if (value < minimum[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return malformed;
  position += static_cast<std::size_t>(more);
  return value;
}

WINSVC_INLINE std::size_t character_count(std::string_view s) noexcept {
  std::size_t count = 0;
  for (std::size_t position = 0; position < s.size(); ++count) static_cast<void>(next_code_point(s, position));
  return count;
}

WINSVC_INLINE void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

WINSVC_INLINE std::u16string to_utf16(std::string_view utf8) {
  std::u16string out;
  out.reserve(utf8.size());
  for (std::size_t position = 0; position < utf8.size();) {
    const char32_t c = next_code_point(utf8, position);
    if (c < 0x10000) {
      out += static_cast<char16_t>(c);
    } else {
      out += static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10));
      out += static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  return out;
}

WINSVC_INLINE std::string to_utf8(std::u16string_view utf16) {
  std::string out;
  out.reserve(utf16.size());
  for (std::size_t i = 0; i < utf16.size(); ++i) {
    char32_t c = utf16[i];
    const bool high = c >= 0xD800 && c < 0xDC00;
    if (high && i + 1 < utf16.size() && utf16[i + 1] >= 0xDC00 && utf16[i + 1] < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (utf16[++i] - 0xDC00u);
    } else if (c >= 0xD800 && c < 0xE000) {
      c = 0xFFFD;
    }
    append_utf8(out, c);
  }
  return out;
}

WINSVC_INLINE std::string to_lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = to_lower(c);
  return out;
}

WINSVC_INLINE bool names_secret(std::string_view name) {
  constexpr std::string_view endings[] = {"password", "passwords", "passwd", "passphrase", "passcode", "secret",
                                          "secrets", "credentials", "authorization", "token", "apikey", "accesskey",
                                          "secretkey", "privatekey"};
  constexpr std::string_view harmless[] = {"file", "path", "folder", "directory", "dir", "name", "count", "size",
                                           "length", "limit", "timeout"};
  constexpr std::string_view separators = "_.- ";
  const bool has_words = name.find_first_of(separators) != name.npos;  // `PWD` alone is the current folder
  bool is_secret = false;
  std::string_view previous;
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find_first_of(separators));
    name.remove_prefix((std::min)(word.size() + 1, name.size()));
    const auto is_word = [word](std::string_view other) { return equal_nocase(word, other); };
    const auto ends_word = [word](std::string_view ending) {
      return word.size() >= ending.size() && equal_nocase(word.substr(word.size() - ending.size()), ending);
    };
    if (name.empty() && std::any_of(std::begin(harmless), std::end(harmless), is_word)) return false;
    is_secret = is_secret || is_word("key") || (has_words && is_word("pwd")) || is_word("connectionstring") ||
                (is_word("string") && equal_nocase(previous, "connection")) ||
                std::any_of(std::begin(endings), std::end(endings), ends_word);
    previous = word;
  }
  return is_secret;
}
WINSVC_INLINE bool equal_nocase(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

WINSVC_INLINE bool starts_with(std::string_view s, std::string_view prefix) noexcept {
  return s.substr(0, prefix.size()) == prefix;
}

WINSVC_INLINE bool starts_with_nocase(std::string_view s, std::string_view prefix) noexcept {
  return equal_nocase(s.substr(0, prefix.size()), prefix);
}

WINSVC_INLINE std::string_view truncate(std::string_view s, std::size_t limit) noexcept {
  if (s.size() <= limit) return s;
  std::size_t end = limit;
  while (end > 0 && limit - end < 4 && (static_cast<unsigned char>(s[end]) & 0xC0u) == 0x80u) --end;
  return s.substr(0, end);
}

WINSVC_INLINE std::vector<std::string_view> split(std::string_view s, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = s.find(separator);
    parts.push_back(s.substr(0, end));
    if (end == std::string_view::npos) return parts;
    s.remove_prefix(end + 1);
  }
}

WINSVC_INLINE std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

WINSVC_INLINE bool parse_number(std::string_view s, std::uint64_t limit, std::uint64_t& out) noexcept {
  if (s.empty()) return false;
  std::uint64_t value = 0;
  for (const char c : s) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (digit > limit || value > (limit - digit) / 10) return false;
    value = value * 10 + digit;
  }
  out = value;
  return true;
}

WINSVC_INLINE std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table of the algorithm (optimal string alignment). A swap needs the row before the last row.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = (std::min)({change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = (std::min)(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

WINSVC_INLINE std::string_view closest_match(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string low = to_lower(word);
  std::string_view best;
  std::size_t best_distance = 0;
  for (const auto& candidate : known) {
    const std::size_t distance = edit_distance(low, to_lower(candidate));
    if (distance > (std::max)(std::size_t{1}, candidate.size() / 3)) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

WINSVC_INLINE std::string json_quoted(std::string_view s) {
  std::string out;
  append_json_quoted(out, s);
  return out;
}
WINSVC_INLINE void append_json_quoted(std::string& out, std::string_view s) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t position = 0; position < s.size();) {
    const char32_t c = next_code_point(s, position);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c < 0x20) {
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
        } else {
          append_utf8(out, c);
        }
    }
  }
  out += '"';
}

WINSVC_INLINE std::string counted(std::uint64_t number, std::string_view noun) {
  return std::to_string(number).append(1, ' ').append(noun).append(number == 1 ? "" : "s");
}

WINSVC_INLINE std::string pad_right(std::string_view s, std::size_t width) {
  return std::string(s) + std::string(s.size() < width ? width - s.size() : 1, ' ');
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
