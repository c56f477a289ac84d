// Error handlers: functions of the app that create error responses, by status or by exception type.
//
//   svc.on_error(404, [](const winsvc::request& req, winsvc::response& res) { res.set_content(...); });
//   svc.on_exception<no_such_user>([](const no_such_user& e) { return winsvc::reply::text(e.what(), 404); });
//
// `on_error` applies to error responses that winsvc generates (no route, 405, abort, 413, 500 ...), not to a status
// that a handler returns. The status does not change unless the function changes it. Without an error handler, the
// response has problem details (RFC 9457), or text if the client prefers text.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/handler.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Fills an error response. Runs on the thread of the request.
using error_handler = std::function<void(const request&, response&)>;
/// Returns true if the exception has the type of this handler; the response is then complete.
using exception_handler = std::function<bool(std::exception_ptr, const request&, response&)>;

/// The error handlers of an app.
struct error_handlers {
  std::map<int, error_handler> by_status;
  std::vector<exception_handler> by_exception;  ///< the first one with a matching type runs

  /// Runs the handler for the type of the exception. Returns false if there is no such handler.
  bool handle(const std::exception_ptr& thrown, const request& req, response& res) const;
  /// Runs the handler for the status of the response, if there is one.
  void handle(const request& req, response& res) const;
};

template <class E, class F>
exception_handler make_exception_handler(F f) {
  constexpr bool fills_response = std::is_invocable_v<const F&, const E&, const request&, response&>;
  static_assert(fills_response || std::is_invocable_v<const F&, const E&>,
                "winsvc: the function passed to on_exception<E>() must be callable with const E&, or with const E&, "
                "const request& and response&");
  return [f = std::move(f)](const std::exception_ptr& thrown, const request& req, response& res) {
    try {
      std::rethrow_exception(thrown);
    } catch (const E& e) {
      if constexpr (fills_response) {
        f(e, req, res);
      } else {
        using returned = std::invoke_result_t<const F&, const E&>;
        if constexpr (std::is_void_v<returned>) {
          f(e);
          set_status(res, 500);
        } else {
          write_result(res, f(e));
        }
      }
      return true;
    } catch (...) {
      return false;
    }
  };
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE bool error_handlers::handle(const std::exception_ptr& thrown, const request& req, response& res) const {
  for (const auto& handle_exception : by_exception) {
    if (handle_exception(thrown, req, res)) return true;
  }
  return false;
}

WINSVC_INLINE void error_handlers::handle(const request& req, response& res) const {
  const auto found = by_status.find(res.status);
  if (found != by_status.end()) found->second(req, res);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
