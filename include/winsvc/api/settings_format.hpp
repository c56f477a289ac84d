// settings_format: another format of the settings file, for `service::settings_format`. TOML: adapters/winsvc/toml.hpp.
//
//   svc.settings_format({"conf", [](std::string_view content) { return parse_conf(content); }, {}});
//
// The parser returns each setting with the text that an .ini file would have: `yes` for a boolean, `a, b` for a list.
// Sections become prefixes: `store.path`.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/settings/settings_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The content of a settings file: `rows` with name, value and line, and `errors` with line, message and hint. Set
/// `is_literal` in a row whose value has no quotes around it that belong to the syntax.
using settings_file = detail::settings::settings_file;

/// A format of the settings file.
struct settings_format {
  /// Extension of the settings file next to the executable, without the period: "toml" for `hello.toml`.
  std::string extension;
  /// Returns the settings and all syntax errors of a file. It must not throw.
  std::function<settings_file(std::string_view content)> parse;
  /// Returns a default as `config --init` writes it after `=`. `kind` is the description of the valid values, such as
  /// "a text" or "a whole number from 1 to 64". Empty: as in an .ini file.
  std::function<std::string(const std::string& value, const std::string& kind)> write;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
