// What App may be: a function, a global callable object, or a type constructible from `winsvc::service&`, whose object
// then lives for the whole run. All three become one factory.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>

#include "winsvc/api/service.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Describes the service; what it returns lives until the run has ended.
using app_factory = std::function<std::shared_ptr<void>(service&)>;

template <class T>
app_factory app_of_type() {
  static_assert(
      std::is_constructible_v<T, service&>,
      "winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a "
      "constructor that takes winsvc::service&");
  return [](service& svc) -> std::shared_ptr<void> { return std::make_shared<T>(svc); };
}

template <class F>
app_factory app_of_callable(F& f) {
  static_assert(
      std::is_invocable_v<F&, service&>,
      "winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a "
      "constructor that takes winsvc::service&");
  return [&f](service& svc) -> std::shared_ptr<void> {
    f(svc);
    return nullptr;
  };
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
