// A way out of the middle of a handler or a middleware.
//
//   if (id < 0) winsvc::abort(400, "ids start at 0");
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// What `abort` throws. Catch it only to rethrow.
class abort_error : public std::exception {
 public:
  abort_error(int status, std::string message) : status_(status), message_(std::move(message)) {}
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  std::string message_;
};

/// Leaves the handler with an error status; the client is shown the message, unlike that of any other exception.
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
