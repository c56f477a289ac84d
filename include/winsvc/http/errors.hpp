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
#include "winsvc/http/handler.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

using error_page = std::function<void(const request&, response&)>;
/// True: it was of the type, and is answered.
using exception_page = std::function<bool(std::exception_ptr, const request&, response&)>;

struct error_pages {
  std::map<int, error_page> by_status;
  std::vector<exception_page> by_exception;  ///< the first that knows the type answers

  /// Lets the exception's page answer; false where there is none.
  bool answer(const std::exception_ptr& thrown, const request& req, response& res) const {
    for (const auto& page : by_exception) {
      if (page(thrown, req, res)) return true;
    }
    return false;
  }
  /// Lets the status' page answer.
  void answer(const request& req, response& res) const {
    const auto page = by_status.find(res.status);
    if (page != by_status.end()) page->second(req, res);
  }
};

template <class E, class F>
exception_page make_exception_page(F f) {
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
          res.status = 500;
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
