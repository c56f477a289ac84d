// A type of an app with a text form. It is in a header, because a specialization is outside of the namespace of a test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/settings/setting_value.hpp"

/// Not trivially copyable, so it cannot be atomic, although it has eight bytes.
struct temperature {
  std::int64_t degrees = 0;
  explicit temperature(std::int64_t d) : degrees(d) {}
  temperature(const temperature& other) : degrees(other.degrees) {}
  temperature& operator=(const temperature&) = default;
  friend bool operator==(const temperature& a, const temperature& b) { return a.degrees == b.degrees; }
};

template <>
struct winsvc::text_traits<temperature> {
  static std::string kind() { return "a temperature, such as 20C"; }
  static std::optional<temperature> parse(std::string_view s) {
    std::uint64_t degrees = 0;
    const bool is_valid = !s.empty() && s.back() == 'C' &&
                          winsvc::detail::base::parse_number(s.substr(0, s.size() - 1), 1000, degrees);
    return is_valid ? std::optional(temperature(static_cast<std::int64_t>(degrees))) : std::nullopt;
  }
  static std::string text(const temperature& value) { return std::to_string(value.degrees) + 'C'; }
};
