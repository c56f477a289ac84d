// A class as a resource: which of its members are handlers, found at compile time.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/route/method.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// A const member function and its object, as a callable with exactly its parameters.
template <class Member>
struct member_call {
  static_assert(sizeof(Member) == 0,
                "winsvc: a resource's get, post, put, patch and del are const member functions, because they are called "
                "from many threads at once");
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

// For each name: is there one member of it, more than one, or none? A class that inherits a second one of the name is
// ambiguous exactly when the first is there, overloaded or not.
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
  void each_##word(const std::shared_ptr<T>& object, route::method verb, F& found) {                            \
    if constexpr (single_##word<T>::value) {                                                                    \
      found(verb, member_call<decltype(&T::word)>{object, &T::word});                                           \
    } else {                                                                                                    \
      static_assert(!named_##word<T>::value,                                                                    \
                    "winsvc: a resource's " #word " is one public member function, not overloaded and no template"); \
      static_cast<void>(object), static_cast<void>(verb), static_cast<void>(found);                             \
    }                                                                                                           \
  }
WINSVC_RESOURCE_MEMBER(get)
WINSVC_RESOURCE_MEMBER(post)
WINSVC_RESOURCE_MEMBER(put)
WINSVC_RESOURCE_MEMBER(patch)
WINSVC_RESOURCE_MEMBER(del)
#undef WINSVC_RESOURCE_MEMBER

template <class T>
inline constexpr bool is_resource = single_get<T>::value || single_post<T>::value || single_put<T>::value ||
                                    single_patch<T>::value || single_del<T>::value;

/// Calls `found(method, handler)` for each of them.
template <class T, class F>
void for_each_member(const std::shared_ptr<T>& object, F found) {
  static_assert(std::is_class_v<T> && !std::is_final_v<T>, "winsvc: a resource is a class that is not final");
  each_get(object, route::method::get, found);
  each_post(object, route::method::post, found);
  each_put(object, route::method::put, found);
  each_patch(object, route::method::patch, found);
  each_del(object, route::method::del, found);
  static_assert(is_resource<T>, "winsvc: a resource has at least one of the members get, post, put, patch, del");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
