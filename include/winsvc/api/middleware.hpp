// What runs around handlers: one shape for all of it.
//
//   svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next& next) {
//     const auto began = std::chrono::steady_clock::now();
//     next();                                   // the rest of the chain, and the handler
//     res.set_header("Server-Timing", ...);     // what it answered can be read and changed here
//   });
//
// A middleware that does not call `next_handler` has answered itself. One that calls it sees a finished answer afterwards, that
// of an exception or an abort behind it included. It runs before the body of the request is read, so that a refusal
// costs no upload; the body is there when the handler is. Middlewares run in the order of their registration, the app's
// before a group's, on the request's thread, many at once.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The rest of the chain. Call it at most once; valid during the middleware's call only.
class next_handler {
 public:
  void operator()() const { continue_(); }
  explicit next_handler(const std::function<void()>& go) noexcept : continue_(go) {}

 private:
  const std::function<void()>& continue_;
};

using middleware = std::function<void(const request&, response&, const next_handler&)>;

namespace http {

/// Middlewares in their order. Shared, because many routes have the same.
using middleware_chain = std::vector<std::shared_ptr<const middleware>>;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
