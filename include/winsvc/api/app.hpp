// App factory: converts an app (a function, a callable object or a type) to one function type.
//
//   void App(winsvc::service& svc);                          // a function
//   const auto App = [](winsvc::service& svc) { ... };       // a global callable object
//   struct App { explicit App(winsvc::service& svc); };      // a type; its object exists until the service ends
#pragma once

#include <functional>
#include <memory>
#include <type_traits>

#include "winsvc/api/service.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// Calls the app. The returned object, which may be null, must exist until the run has ended.
using app_factory = std::function<std::shared_ptr<void>(service&)>;

template <class T>
app_factory app_of_type() {
  static_assert(
      std::is_constructible_v<T, service&>,
      "winsvc: App must be a function void(winsvc::service&), a global object that can be called with "
      "winsvc::service&, or a type with a constructor that takes winsvc::service&");
  return [](service& svc) -> std::shared_ptr<void> { return std::make_shared<T>(svc); };
}

template <class F>
app_factory app_of_callable(F& f) {
  static_assert(
      std::is_invocable_v<F&, service&>,
      "winsvc: App must be a function void(winsvc::service&), a global object that can be called with "
      "winsvc::service&, or a type with a constructor that takes winsvc::service&");
  return [&f](service& svc) -> std::shared_ptr<void> {
    f(svc);
    return nullptr;
  };
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
