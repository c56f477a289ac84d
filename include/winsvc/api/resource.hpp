// Resource: a class whose member functions `get`, `put`, `del`, ... are the handlers of one pattern. This header finds
// these members at compile time for `svc.resource<T>(pattern)`.
//
//   struct todo {
//     winsvc::json get(int id) const;      // handler for GET
//     winsvc::reply del(int id) const;     // handler for DELETE
//   };
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A request method: `winsvc::http_method::get`, `http_method::del` ...
using http_method = detail::route::method;

namespace detail::api {

/// A const member function with its object, as a callable that has the parameters of the member function.
template <class Member>
struct member_call {
  static_assert(sizeof(Member) == 0,
                "winsvc: the members get, post, put, patch and del of a resource must be const member functions, "
                "because several threads call them at the same time");
};
template <class T, class R, class... A>
struct member_call<R (T::*)(A...) const> {
  std::shared_ptr<const T> object;
  R (T::*member)(A...) const;
  R operator()(A... arguments) const { return (object.get()->*member)(std::forward<A>(arguments)...); }
};
template <class T, class R, class... A>
struct member_call<R (T::*)(A...) const noexcept> {
  std::shared_ptr<const T> object;
  R (T::*member)(A...) const noexcept;
  R operator()(A... arguments) const { return (object.get()->*member)(std::forward<A>(arguments)...); }
};

// Determines for each name whether T has exactly one member function of this name (single_get), or any member of this
// name (named_get). If a class inherits from T and from a class with such a member, the name is ambiguous exactly if T
// has a member of this name, overloaded or not.
#define WINSVC_RESOURCE_MEMBER(word)                                                                            \
  template <class T, class = void>                                                                              \
  struct single_##word : std::false_type {};                                                                    \
  template <class T>                                                                                            \
  struct single_##word<T, std::void_t<decltype(&T::word)>> : std::true_type {};                                 \
  struct with_##word {                                                                                          \
    int word;                                                                                                   \
  };                                                                                                            \
  template <class T>                                                                                            \
  struct both_##word : T, with_##word {};                                                                       \
  template <class T, class = void>                                                                              \
  struct named_##word : std::true_type {};                                                                      \
  template <class T>                                                                                            \
  struct named_##word<T, std::void_t<decltype(&both_##word<T>::word)>> : std::false_type {};                    \
  template <class T, class F>                                                                                   \
  void each_##word(const std::shared_ptr<T>& object, route::method method, F& add) {                            \
    if constexpr (single_##word<T>::value) {                                                                    \
      add(method, member_call<decltype(&T::word)>{object, &T::word});                                           \
    } else {                                                                                                    \
      static_assert(!named_##word<T>::value,                                                                    \
                    "winsvc: the member " #word " of a resource must be one public member function, not "       \
                    "overloaded and not a template");                                                           \
      static_cast<void>(object);                                                                                \
      static_cast<void>(method);                                                                                \
      static_cast<void>(add);                                                                                   \
    }                                                                                                           \
  }
WINSVC_RESOURCE_MEMBER(get)
WINSVC_RESOURCE_MEMBER(post)
WINSVC_RESOURCE_MEMBER(put)
WINSVC_RESOURCE_MEMBER(patch)
WINSVC_RESOURCE_MEMBER(del)
#undef WINSVC_RESOURCE_MEMBER

/// True if T has a member that is a handler.
template <class T>
inline constexpr bool is_resource = single_get<T>::value || single_post<T>::value || single_put<T>::value ||
                                    single_patch<T>::value || single_del<T>::value;

/// Calls `add(method, handler)` for each member of T that is a handler.
template <class T, class F>
void for_each_member(const std::shared_ptr<T>& object, F add) {
  static_assert(std::is_class_v<T> && !std::is_final_v<T>, "winsvc: a resource must be a class that is not final");
  each_get(object, route::method::get, add);
  each_post(object, route::method::post, add);
  each_put(object, route::method::put, add);
  each_patch(object, route::method::patch, add);
  each_del(object, route::method::del, add);
  static_assert(is_resource<T>, "winsvc: a resource must have a member get, post, put, patch or del");
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
