// What an error looks like to the client, where the app wants to say it itself: by status, by type of exception.
//
//   svc.on_error(404, [](const winsvc::request& req, winsvc::response& res) { res.set_content(...); });
//   svc.on_exception<no_such_user>([](const no_such_user& e) { return winsvc::reply::text(e.what(), 404); });
//
// `on_error` is for answers that winsvc gives (no route, 405, abort, 413, 500 ...), not for a status that a handler
// returned on its own. The status stays what it was unless the function changes it.
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
namespace http {

using error_handler = std::function<void(const request&, response&)>;
/// True: it was of the type, and is answered.
using exception_handler = std::function<bool(std::exception_ptr, const request&, response&)>;

struct error_handlers {
  std::map<int, error_handler> by_status;
  std::vector<exception_handler> by_exception;  ///< the first that knows the type answers

  /// Lets the exception's page answer; false where there is none.
  bool handle(const std::exception_ptr& thrown, const request& req, response& res) const;
  /// Lets the status' page answer.
  void handle(const request& req, response& res) const;
};

template <class E, class F>
exception_handler make_exception_handler(F f) {
  constexpr bool whole = std::is_invocable_v<const F&, const E&, const request&, response&>;
  static_assert(whole || std::is_invocable_v<const F&, const E&>,
                "winsvc: on_exception<E> takes a callable with const E&, or with const E&, const request&, response&");
  return [f = std::move(f)](const std::exception_ptr& thrown, const request& req, response& res) {
    try {
      std::rethrow_exception(thrown);
    } catch (const E& e) {
      if constexpr (whole) {
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

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool error_handlers::handle(const std::exception_ptr& thrown, const request& req, response& res) const {
  for (const auto& page : by_exception) {
    if (page(thrown, req, res)) return true;
  }
  return false;
}

WINSVC_INLINE void error_handlers::handle(const request& req, response& res) const {
  const auto page = by_status.find(res.status);
  if (page != by_status.end()) page->second(req, res);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
