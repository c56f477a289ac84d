// result: a value or an error, returned by operations that can fail.
//
//   result<config> read(const path&);
//   if (auto loaded = read(p)) use(*loaded); else print(loaded.error().to_string());
//
// `result<T, std::uint32_t>` has a system code as its error. The operating system layer returns it; the caller knows
// the operation and builds the `error`.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

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

// Not a std::variant: with it, an object that is compiled without optimization has about 80 more functions for each
// type of result.
template <class T, class E = winsvc::error>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::move(value)), has_value_(true) {}
  result(failure<E> cause) : error_(std::move(cause.error)), has_value_(false) {}
  result(const result& other) : has_value_(other.has_value_) { construct(other); }
  result(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : has_value_(other.has_value_) {
    construct(std::move(other));
  }
  result& operator=(result other) noexcept {
    static_assert(std::is_nothrow_move_constructible_v<T>, "after an exception there would be no value and no error");
    this->~result();
    return *new (this) result(std::move(other));
  }
  ~result() {
    if (has_value_) {
      value_.~T();
    } else {
      error_.~E();
    }
  }

  explicit operator bool() const noexcept { return has_value_; }

  /// The value. Precondition: the result has a value (asserted).
  T& operator*() & { return *operator->(); }
  const T& operator*() const& { return *operator->(); }
  T operator*() && { return std::move(*operator->()); }  // by value: *this is a temporary
  T* operator->() { return const_cast<T*>(std::as_const(*this).operator->()); }
  const T* operator->() const {
    WINSVC_ASSERT(has_value_ && "winsvc::result: a value was read from an error");
    return std::addressof(value_);
  }

  /// The error. Precondition: the result has an error (asserted).
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!has_value_ && "winsvc::result: an error was read from a success");
    return error_;
  }

 private:
  template <class Result>
  void construct(Result&& other) {
    if (has_value_) {
      new (&value_) T(std::forward<Result>(other).value_);
    } else {
      new (&error_) E(std::forward<Result>(other).error_);
    }
  }

  union {
    T value_;
    E error_;
  };
  bool has_value_;
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
