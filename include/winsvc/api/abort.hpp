// abort: ends a handler or a middleware with an error response.
//
//   if (id < 0) winsvc::abort(400, "ids start at 0");
//
// It throws an exception, so destructors run. It does not end the process; std::abort does.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The exception that `abort` throws. If you catch it, rethrow it.
class abort_error : public std::exception {
 public:
  /// `errors`: a JSON array that describes each error, for the member "errors" of the response; empty: none.
  abort_error(int status, std::string message, std::string errors = {})
      : status_(status), message_(std::move(message)), errors_(std::move(errors)) {}
  /// Status of the response.
  [[nodiscard]] int status() const noexcept { return status_; }
  /// Message for the client.
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  /// JSON array of the errors; empty: none.
  [[nodiscard]] const std::string& errors() const noexcept { return errors_; }

 private:
  int status_;
  std::string message_, errors_;
};

/// Ends the handler with this error status. The response contains `message`; the message of any other exception is only
/// logged. Default message: none. Headers that were set before remain in the response. Call it on the thread that
/// handles the request.
[[noreturn]] void abort(int status, std::string message = {});

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE void abort(int status, std::string message) { throw abort_error(status, std::move(message)); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
