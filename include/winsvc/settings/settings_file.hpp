// The settings file: lines of `name = value`, by sections or not.
//
//   # what the printer is called
//   printer = Main hall
//   [store]
//   path = C:\data            the setting 'store.path'
//
// A line whose first character is '#' or ';' is a comment; there are none behind a value, which may hold both. Names are
// case-blind, and '-' is '_' in them. Blanks around a value do not count; a text that needs its own stands in double
// quotes. The file is UTF-8, with or without a byte order mark. Every fault has its line, and one fault is no reason to
// keep quiet of the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct settings_file {
  struct setting_line {
    std::string name;   ///< `store.path`, as setting_name has it
    std::string value;  ///< as it stands there, quotes and all
    std::size_t line = 0;
  };
  struct syntax_error {
    std::size_t line = 0;
    std::string message, hint;
  };
  std::vector<setting_line> rows;  ///< in the order of the file, each name once
  std::vector<syntax_error> errors;
};

[[nodiscard]] settings_file parse_settings_file(std::string_view content);

/// A name as it is compared: small letters, '_' for '-'.
[[nodiscard]] std::string setting_name(std::string_view written);
/// Letters, digits, '_' and '-', with dots between: `greeting`, `store.path`.
[[nodiscard]] bool is_setting_name(std::string_view s) noexcept;
/// Without the double quotes around it, where there are two and no third.
[[nodiscard]] std::string_view unquote(std::string_view value) noexcept;

/// A setting as `config --init` writes it.
struct setting_template {
  std::string name, value, kind, help;
};
/// A whole file: every setting with its help, commented out, so that it changes nothing until somebody writes in it.
/// `head` stands above them, as comments.
[[nodiscard]] std::string settings_file_text(const std::vector<std::string>& head,
                                             const std::vector<setting_template>& settings);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::string setting_name(std::string_view written) {
  std::string name = strings::to_lower(written);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

WINSVC_INLINE bool is_setting_name(std::string_view s) noexcept {
  char before = '.';
  for (const char c : s) {
    const bool letter = (strings::to_lower(c) >= 'a' && strings::to_lower(c) <= 'z') || c == '_';
    if (before == '.' ? !letter : !letter && !strings::is_digit(c) && c != '-' && c != '.') return false;
    before = c;
  }
  return before != '.';
}

WINSVC_INLINE std::string_view unquote(std::string_view value) noexcept {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted && value.find('"', 1) == value.size() - 1 ? value.substr(1, value.size() - 2) : value;
}

/// Why this is no text of ours; empty when it is.
WINSVC_INLINE std::string invalid_utf8_error(std::string_view line) {
  if (line.find('\0') != line.npos) return "there is a zero byte: the file is damaged, or no text";
  for (std::size_t position = 0; position < line.size();) {
    const auto before = position;
    const bool malformed = strings::next_code_point(line, position) == 0xFFFD;
    if (malformed && line.substr(before, 3) != "\xEF\xBF\xBD") return "it is not UTF-8";
  }
  return {};
}

/// One line of the file, in the section that was opened last.
WINSVC_INLINE void parse_settings_line(settings_file& output, std::string_view line, std::size_t number, std::string& section,
                               std::map<std::string, std::size_t>& names) {
  const auto complain = [&](std::string message, std::string hint) {
    output.errors.push_back({number, std::move(message), std::move(hint)});
  };
  if (auto reason = invalid_utf8_error(line); !reason.empty()) return complain(std::move(reason), "save it as UTF-8");
  line = strings::trim(line);
  if (line.empty() || line[0] == '#' || line[0] == ';') return;
  const auto shown = [](std::string_view s) { return '\'' + std::string(strings::truncate(s, 60)) + '\''; };

  if (line[0] == '[') {
    const auto inside = strings::trim(line.substr(1, line.size() - 2));
    if (line.back() == ']' && is_setting_name(inside)) {
      section = setting_name(inside) + '.';
      return;
    }
    return complain(shown(line) + " is no section", "write [name], of letters, digits, '_' and '-'");
  }
  const auto equals = line.find('=');
  // The line itself is not shown: it may be the second half of a secret.
  if (equals == line.npos) return complain("there is no '=' in it", "write name = value, or '#' before a comment");
  const auto name = strings::trim(line.substr(0, equals));
  if (!is_setting_name(name))
    return complain(shown(name) + " is no name of a setting", "use letters, digits, '_' and '-'");

  settings_file::setting_line row{section + setting_name(name), std::string(strings::trim(line.substr(equals + 1))), number};
  const auto [other, is_new] = names.emplace(row.name, number);
  if (!is_new) return complain('\'' + row.name + "' is said in line " + std::to_string(other->second) + " already", "take one out");
  output.rows.push_back(std::move(row));
}

WINSVC_INLINE settings_file parse_settings_file(std::string_view content) {
  settings_file out;
  if (content.substr(0, 2) == "\xFF\xFE" || content.substr(0, 2) == "\xFE\xFF") {
    out.errors.push_back({1, "it is UTF-16", "save it as UTF-8"});
    return out;
  }
  if (content.substr(0, 3) == "\xEF\xBB\xBF") content.remove_prefix(3);
  std::string section;
  std::map<std::string, std::size_t> names;  // and their lines
  std::size_t number = 1;
  for (auto line : strings::split(content, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    parse_settings_line(out, line, number++, section, names);
  }
  return out;
}

WINSVC_INLINE bool is_representable(std::string_view value) noexcept {
  return std::none_of(value.begin(), value.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; });
}
/// In quotes, where it has blanks at its ends.
WINSVC_INLINE std::string format_value(const std::string& value) {
  return strings::trim(value) == value ? value : '"' + value + '"';
}

WINSVC_INLINE std::string settings_file_text(const std::vector<std::string>& head, const std::vector<setting_template>& settings) {
  std::string out;
  const auto comment = [&out](std::string_view message) {
    for (const auto line : strings::split(message, '\n')) out += "# " + std::string(line) + '\n';
  };
  for (const auto& line : head) comment(line);

  const auto section_of = [](const std::string& name) {
    const auto dot = name.rfind('.');
    return dot == name.npos ? std::string() : name.substr(0, dot);
  };
  std::vector<std::string> sections{""};  // what has none stands first: there is no way out of a section
  for (const auto& s : settings) {
    if (std::find(sections.begin(), sections.end(), section_of(s.name)) == sections.end())
      sections.push_back(section_of(s.name));
  }
  for (const auto& section : sections) {
    if (!section.empty()) out += "\n[" + section + "]\n";
    for (const auto& s : settings) {
      if (section_of(s.name) != section) continue;
      out += '\n';
      comment(s.help.empty() ? s.kind : s.help + " (" + s.kind + ')');
      if (!is_representable(s.value)) comment("Its default cannot be written in a line.");
      const std::string value = is_representable(s.value) ? format_value(s.value) : std::string();
      out += '#' + s.name.substr(section.empty() ? 0 : section.size() + 1) + " = " + value + '\n';
    }
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
