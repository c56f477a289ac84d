// error, setup_error: an error value with the operation, its subject, the system's message, its code and a hint.
//
//   error{5, "install", "hello", "access denied", "run from an elevated prompt"}.to_string()
//   // install 'hello': access denied (5); run from an elevated prompt
//
// Operations on the system return `result<T>` (base/result.hpp) with an `error` in it. Mistakes of the programmer are
// thrown as `setup_error`. A request fails with a status (winsvc::abort in api/abort.hpp). There is no fourth way.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A failed operation on the system. A value: copy it, store it, print it.
struct error {
  std::uint32_t code = 0;  ///< code of the system: a Win32 code, or errno on POSIX; becomes the exit code
  std::string operation;   ///< a verb: "install", "listen on"
  std::string subject;     ///< the object of the operation, unquoted: the service, the address, the file
  std::string message;     ///< message of the system
  std::string hint;        ///< remedy; empty if none is known
  /// Where the mistake is. Only an error of the system has a code; the others end a verb with exit code 2.
  enum class origin_kind { system, command_line, app };
  origin_kind origin = origin_kind::system;

  /// One line: `operation 'subject': message (code); hint`. Empty parts are omitted with their punctuation. The code is
  /// omitted if it is 0 or if `message` already contains it.
  [[nodiscard]] std::string to_string() const;
};

/// A mistake in the registration calls of an app: a duplicate route, a parameter that the lambda does not take, a call
/// after start. Thrown at registration or at start, on the calling thread. The text of a conflict names both locations.
class setup_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail::base {

/// Error of the command line.
[[nodiscard]] winsvc::error usage_error(std::string message, std::string hint = {});
/// Error of the app, for example a setup_error.
[[nodiscard]] winsvc::error app_error(std::string message);

/// Returns the text of the exception that is being handled. Call it only in a catch block. Without memory for the text:
/// "out of memory".
[[nodiscard]] std::string exception_message() noexcept;

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::string error::to_string() const {
  std::string line = operation;
  if (!subject.empty()) {
    if (!line.empty()) line += ' ';
    line += '\'' + subject + '\'';
  }
  if (!message.empty()) {
    if (!line.empty()) line += ": ";
    line += message;
  }
  const std::string number = "(" + std::to_string(code) + ")";
  if (code != 0 && message.find(number) == std::string::npos) line += (line.empty() ? "" : " ") + number;
  if (!hint.empty()) line += (line.empty() ? "" : "; ") + hint;
  return line;
}

namespace detail::base {

WINSVC_INLINE winsvc::error usage_error(std::string message, std::string hint) {
  return {0, {}, {}, std::move(message), std::move(hint), error::origin_kind::command_line};
}

WINSVC_INLINE winsvc::error app_error(std::string message) {
  return {0, {}, {}, std::move(message), {}, error::origin_kind::app};
}

WINSVC_INLINE std::string exception_message() noexcept {
  try {
    try {
      throw;
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "unknown exception (not derived from std::exception)";
    }
  } catch (...) {
    return "out of memory";  // short enough for the string itself
  }
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
