// result: a value or an error, returned by operations that can fail.
//
//   result<config> read(const path&);
//   if (auto loaded = read(p)) use(*loaded); else print(loaded.error().to_string());
//
// `result<T, std::uint32_t>` has a system code as its error. The operating system layer returns it; the caller knows
// the operation and builds the `error`.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The error of a result, as a return value: `return failure{error{...}};`
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

  /// The value. Precondition: the result has a value (asserted).
  T& operator*() & { return *assert_held(std::get_if<0>(&value_)); }
  const T& operator*() const& { return *assert_held(std::get_if<0>(&value_)); }
  T operator*() && { return std::move(*assert_held(std::get_if<0>(&value_))); }  // by value: *this is a temporary
  T* operator->() { return assert_held(std::get_if<0>(&value_)); }
  const T* operator->() const { return assert_held(std::get_if<0>(&value_)); }

  /// The error. Precondition: the result has an error (asserted).
  [[nodiscard]] const E& error() const { return *assert_held(std::get_if<1>(&value_)); }

 private:
  template <class P>
  static P* assert_held(P* alternative) {
    WINSVC_ASSERT(alternative != nullptr && "winsvc::result: a value was read from an error, or an error from a value");
    return alternative;
  }
  std::variant<T, E> value_;
};

/// Success without a value, or an error. `return {};` is success.
template <class E>
class [[nodiscard]] result<void, E> {
 public:
  result() = default;
  result(failure<E> cause) : error_(std::move(cause.error)), ok_(false) {}

  explicit operator bool() const noexcept { return ok_; }
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!ok_ && "winsvc::result: an error was read from a success");
    return error_;
  }

 private:
  E error_{};
  bool ok_ = true;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
