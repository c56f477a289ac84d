// Middleware: functions that run before and after the handler.
//
//   svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
//     const auto start = std::chrono::steady_clock::now();
//     next();                                   // the rest of the middleware chain, and the handler
//     res.set_header("Server-Timing", ...);     // the response can be read and changed here
//   });
//
//   svc.use([](const winsvc::request& req) -> std::optional<winsvc::reply> {      // the short form
//     if (!is_allowed(req)) return winsvc::reply::to(req, "login");               // the response; nothing else runs
//     return {};                                                                  // continue
//   });
//
// If a middleware does not call `next`, its own response is sent. When `next` returns, the response is complete, also
// after an exception or an abort in the rest of the chain. Middleware runs before the body of the request is read, so a
// rejected request does not cost an upload. It runs in the order of registration, middleware of the app before
// middleware of a group, on the thread that handles the request, concurrently for different requests.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The rest of the middleware chain, and the handler. Call it at most once, before the middleware returns. It does not
/// throw exceptions of the handler: they are already converted to a response. A second call throws std::logic_error.
class next_handler {
 public:
  void operator()() const { continue_(); }
  explicit next_handler(const std::function<void()>& continuation) noexcept : continue_(continuation) {}

 private:
  const std::function<void()>& continue_;
};

/// A middleware function. An exception becomes an error response, as in a handler.
class middleware : public std::function<void(const request&, response&, const next_handler&)> {
 public:
  using function::function;
  /// Name of the authentication scheme in the OpenAPI document: "basic" or "bearer"; empty if the middleware does not
  /// authenticate clients.
  std::string security;
  /// True if the function only adds headers to the response, and calls `next` once. Then it also runs for error
  /// responses without a handler: a full queue, a limit, or the 503 of a timeout. It runs on an I/O thread or on the
  /// timeout thread, so it must be quick and must not wait for a lock that a handler holds. In a timeout it runs a
  /// second time for the request, while the handler still runs. It sees the head of the request, but no body, no values
  /// that other middleware stored in `context`, and the address of the proxy in place of the client's. If it throws an
  /// exception, the client receives the error without the headers, and the log has a line.
  bool adds_headers_only = false;
};

namespace detail::api {

/// The middleware of a function: itself, or for the short form a function that sends the returned reply.
template <class F>
middleware make_middleware(F f) {
  if constexpr (std::is_constructible_v<middleware, F>) {
    return middleware(std::move(f));
  } else {
    static_assert(std::is_invocable_r_v<std::optional<reply>, const F&, const request&>,
                  "winsvc: a middleware must be callable with const request&, response& and const next_handler&, or "
                  "with const request& alone and then return std::optional<winsvc::reply>");
    return [f = std::move(f)](const request& req, response& res, const next_handler& next) {
      std::optional<reply> early = f(req);
      if (early) std::move(*early).apply(res);
      else next();
    };
  }
}

/// The middleware of a route, outermost first. The pointers are shared because many routes use the same middleware.
using middleware_chain = std::vector<std::shared_ptr<const middleware>>;

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
