// trailing_slash: rule for a request whose path differs from a route only by a final slash (404, redirect, or serve).
//
//   svc.trailing_slash(winsvc::trailing_slash::redirect);      // GET /users/ is redirected to /users
#pragma once

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The rule for a final slash. It applies only if no route has the path as it was sent.
enum class trailing_slash {
  strict,    ///< 404: `/users` and `/users/` are two paths
  redirect,  ///< 308 to the path that has a route; the client repeats the request with the same method and body
  ignore,    ///< the route serves both paths
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
