// Settings file (.ini): parses and writes lines of the form `name = value`, with optional sections.
//
//   # name of the printer
//   printer = Main hall
//   [store]
//   path = C:\data            this is the setting 'store.path'
//
// A line that begins with '#' or ';' is a comment. A comment cannot follow a value, which may contain both characters.
// Names are not case-sensitive, and '-' equals '_' in them. Blanks around a value are removed; a text that begins or
// ends with blanks needs double quotes. The file is UTF-8, with or without a byte order mark. The parser reports all
// errors, each with its line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
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
namespace detail::settings {

/// Content of a settings file.
struct settings_file {
  struct setting_line {
    std::string name;      ///< normalized name with its section, such as `store.path`
    std::string value;     ///< text after '=', including quotes
    std::size_t line = 0;  ///< line number, from 1
    bool is_literal = false;  ///< double quotes around the value belong to it
  };
  struct syntax_error {
    std::size_t line = 0;  ///< line number, from 1
    std::string message, hint;
  };
  std::vector<setting_line> rows;    ///< in the order of the file, each name once
  std::vector<syntax_error> errors;  ///< in the order of the file
};

/// Parses a settings file. A line with an error is not in `rows`.
[[nodiscard]] settings_file parse_settings_file(std::string_view content);
/// Checks the rows of another parser: normalizes the names, and replaces a row whose name is invalid or occurs twice by
/// an error.
[[nodiscard]] settings_file check_settings_file(settings_file parsed);

/// Returns the normalized name: lower case, with '_' for '-'.
[[nodiscard]] std::string setting_name(std::string_view name);
/// True for names of letters, digits, '_' and '-', separated by dots: `greeting`, `store.path`.
[[nodiscard]] bool is_setting_name(std::string_view s) noexcept;
/// Returns the value without the double quotes around it, if it has no other double quote.
[[nodiscard]] std::string_view unquote(std::string_view value) noexcept;

/// A setting that `config --init` writes.
struct setting_template {
  std::string name, value, kind, help;
};
/// Returns the text of a settings file: `head` as comments, then each setting with its help. The settings are commented
/// out, so that the file has no effect until it is edited. `write` returns a value with its quotes; default: as in an
/// .ini file.
using value_writer = std::function<std::string(const std::string& value, const std::string& kind)>;
[[nodiscard]] std::string settings_file_text(const std::vector<std::string>& head,
                                             const std::vector<setting_template>& settings,
                                             const value_writer& write = {});

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SETTINGS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::settings {

WINSVC_INLINE std::string setting_name(std::string_view name) {
  std::string normalized = base::to_lower(name);
  std::replace(normalized.begin(), normalized.end(), '-', '_');
  return normalized;
}

WINSVC_INLINE bool is_setting_name(std::string_view s) noexcept {
  char previous = '.';
  for (const char c : s) {
    const bool is_letter = (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '_';
    if (previous == '.' ? !is_letter : !is_letter && !base::is_digit(c) && c != '-' && c != '.') return false;
    previous = c;
  }
  return previous != '.';
}

WINSVC_INLINE std::string_view unquote(std::string_view value) noexcept {
  const bool is_quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return is_quoted && value.find('"', 1) == value.size() - 1 ? value.substr(1, value.size() - 2) : value;
}

/// Returns the reason why the line is not valid UTF-8 text; empty if it is valid.
WINSVC_INLINE std::string invalid_utf8_error(std::string_view line) {
  if (line.find('\0') != line.npos) return "it contains a zero byte; the file is damaged or not a text file";
  for (std::size_t position = 0; position < line.size();) {
    const auto start = position;
    const bool is_replacement = base::next_code_point(line, position) == 0xFFFD;
    if (is_replacement && line.substr(start, 3) != "\xEF\xBF\xBD") return "it is not UTF-8";
  }
  return {};
}

/// Adds a row, or an error if its name is already set.
WINSVC_INLINE void add_row(settings_file& output, settings_file::setting_line row,
                           std::map<std::string, std::size_t>& names) {
  const auto [other, is_new] = names.emplace(row.name, row.line);
  if (is_new) return output.rows.push_back(std::move(row));
  const std::string other_line = std::to_string(other->second);
  output.errors.push_back(
      {row.line, '\'' + row.name + "' is already set in line " + other_line, "remove one of the lines"});
}

/// Parses one line. `section`: the prefix of the current section, which a section line replaces. `names`: the line of
/// each name so far.
WINSVC_INLINE void parse_settings_line(settings_file& output, std::string_view line, std::size_t number,
                                       std::string& section, std::map<std::string, std::size_t>& names) {
  const auto add_error = [&](std::string message, std::string hint) {
    output.errors.push_back({number, std::move(message), std::move(hint)});
  };
  if (auto reason = invalid_utf8_error(line); !reason.empty()) return add_error(std::move(reason), "save it as UTF-8");
  line = base::trim(line);
  if (line.empty() || line[0] == '#' || line[0] == ';') return;
  const auto quoted = [](std::string_view s) { return '\'' + std::string(base::truncate(s, 60)) + '\''; };

  if (line[0] == '[') {
    const auto inside = base::trim(line.substr(1, line.size() - 2));
    if (line.back() == ']' && is_setting_name(inside)) {
      section = setting_name(inside) + '.';
      return;
    }
    return add_error(quoted(line) + " is not a section", "write [name] with letters, digits, '_' and '-'");
  }
  const auto equals = line.find('=');
  // The message does not contain the line, which may be the second line of a secret.
  if (equals == line.npos) return add_error("the line has no '='", "write name = value, or '#' before a comment");
  const auto name = base::trim(line.substr(0, equals));
  if (!is_setting_name(name))
    return add_error(quoted(name) + " is not a setting name", "use letters, digits, '_' and '-'");

  const auto value = base::trim(line.substr(equals + 1));
  add_row(output, {section + setting_name(name), std::string(value), number}, names);
}

WINSVC_INLINE settings_file parse_settings_file(std::string_view content) {
  settings_file out;
  if (content.substr(0, 2) == "\xFF\xFE" || content.substr(0, 2) == "\xFE\xFF") {
    out.errors.push_back({1, "it is UTF-16", "save it as UTF-8"});
    return out;
  }
  if (content.substr(0, 3) == "\xEF\xBB\xBF") content.remove_prefix(3);
  std::string section;
  std::map<std::string, std::size_t> names;  // with their lines
  std::size_t number = 1;
  for (auto line : base::split(content, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    parse_settings_line(out, line, number++, section, names);
  }
  return out;
}

WINSVC_INLINE settings_file check_settings_file(settings_file parsed) {
  settings_file checked;
  checked.errors = std::move(parsed.errors);
  std::map<std::string, std::size_t> names;
  for (auto& row : parsed.rows) {
    if (is_setting_name(row.name)) {
      row.name = setting_name(row.name);
      add_row(checked, std::move(row), names);
    } else {
      checked.errors.push_back({row.line, '\'' + std::string(base::truncate(row.name, 60)) + "' is not a setting name",
                                "use letters, digits, '_' and '-'"});
    }
  }
  std::sort(checked.errors.begin(), checked.errors.end(),
            [](const auto& a, const auto& b) { return a.line < b.line; });
  return checked;
}

/// True if the value fits on one line.
WINSVC_INLINE bool is_representable(std::string_view value) noexcept {
  return std::none_of(value.begin(), value.end(), [](char c) { return c == '\n' || c == '\r' || c == '\0'; });
}
/// Returns the value, in double quotes if it begins or ends with blanks.
WINSVC_INLINE std::string format_value(const std::string& value) {
  return base::trim(value) == value ? value : '"' + value + '"';
}

WINSVC_INLINE std::string settings_file_text(const std::vector<std::string>& head,
                                             const std::vector<setting_template>& settings,
                                             const value_writer& write) {
  std::string out;
  const auto add_comment = [&out](std::string_view text) {
    for (const auto line : base::split(text, '\n')) out += "# " + std::string(line) + '\n';
  };
  for (const auto& line : head) add_comment(line);

  const auto section_of = [](const std::string& name) {
    const auto dot = name.rfind('.');
    return dot == name.npos ? std::string() : name.substr(0, dot);
  };
  std::vector<std::string> sections{""};  // settings without a section come first, because a section cannot be closed
  for (const auto& s : settings) {
    if (std::find(sections.begin(), sections.end(), section_of(s.name)) == sections.end())
      sections.push_back(section_of(s.name));
  }
  for (const auto& section : sections) {
    if (!section.empty()) out += "\n[" + section + "]\n";
    for (const auto& s : settings) {
      if (section_of(s.name) != section) continue;
      out += '\n';
      add_comment(s.help.empty() ? s.kind : s.help + " (" + s.kind + ')');
      if (!is_representable(s.value)) add_comment("The default cannot be written on one line.");
      const std::string value = !is_representable(s.value) ? std::string()
                                : write                    ? write(s.value, s.kind)
                                                           : format_value(s.value);
      out += '#' + s.name.substr(section.empty() ? 0 : section.size() + 1) + " = " + value + '\n';
    }
  }
  return out;
}

}  // namespace detail::settings
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SETTINGS
