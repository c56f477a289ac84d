// A value or the reason there is none. What an operation on the world returns instead of throwing.
//
//   result<config> read(const path&);
//   if (auto got = read(p)) use(*got); else complain(got.error().sentence());
//
// `result<T, std::uint32_t>` is the same with a bare system code: the form the thin operating-system layer uses, whose
// callers know the sentence.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The failing side of a result: `return failure{error{...}};`
template <class E>
struct failure {
  E error;
};
template <class E>
failure(E) -> failure<E>;

template <class T, class E = winsvc::error>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::in_place_index<0>, std::move(value)) {}
  result(failure<E> cause) : value_(std::in_place_index<1>, std::move(cause.error)) {}

  explicit operator bool() const noexcept { return value_.index() == 0; }

  /// The value. Asking a failed result for it is a bug of the caller (asserted).
  T& operator*() & { return *assert_held(std::get_if<0>(&value_)); }
  const T& operator*() const& { return *assert_held(std::get_if<0>(&value_)); }
  T operator*() && { return std::move(*assert_held(std::get_if<0>(&value_))); }  // no reference into what is about to go
  T* operator->() { return assert_held(std::get_if<0>(&value_)); }
  const T* operator->() const { return assert_held(std::get_if<0>(&value_)); }

  /// The reason. Asking a result that succeeded for it is a bug of the caller (asserted).
  [[nodiscard]] const E& error() const { return *assert_held(std::get_if<1>(&value_)); }

 private:
  template <class P>
  static P* assert_held(P* held) {
    WINSVC_ASSERT(held != nullptr && "winsvc::result: asked for the side it does not hold");
    return held;
  }
  std::variant<T, E> value_;
};

/// Nothing, or the reason it failed: `return {};` is success.
template <class E>
class [[nodiscard]] result<void, E> {
 public:
  result() = default;
  result(failure<E> cause) : error_(std::move(cause.error)), ok_(false) {}

  explicit operator bool() const noexcept { return ok_; }
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!ok_ && "winsvc::result: asked for the error of a success");
    return error_;
  }

 private:
  E error_{};
  bool ok_ = true;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
