// An error is a sentence for a tired person: what we were doing, to what, what the system said, what to try.
//
//   error{5, "install", "hello", "access denied", "run from an elevated prompt"}.sentence()
//   // install 'hello': access denied (5); run from an elevated prompt
//
// Operations on the world return `result<T>` (base/result.hpp) with an `error` in it. Mistakes of the programmer are
// thrown as `setup_error`. Requests fail with a status (winsvc::abort in api/reply.hpp). There is no fourth way.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// What went wrong with an operation on the world. A value: copy it, store it, print it.
struct error {
  std::uint32_t code = 0;  ///< the system's own number (a Win32 code; errno elsewhere); becomes the exit code
  std::string operation;       ///< the verb: "install", "listen on"
  std::string subject;     ///< what it was done to, unquoted: the service, the address, the file
  std::string message;        ///< what the system answered, in words
  std::string hint;        ///< what to try; empty when we do not know better

  /// One line: `doing 'subject': said (code); hint`. Parts that are empty are left out, punctuation and
  /// all; a code that stands in `message` already is not repeated.
  [[nodiscard]] std::string to_string() const;
};

/// A mistake in how the app is described: a duplicate route, a parameter that the lambda does not take, a call after
/// start. Thrown at registration or at start-up, on the thread that made the call, with both places in its text.
class setup_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

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

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
