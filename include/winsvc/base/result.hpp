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

/// A result can be moved, not copied. If moving the value throws, the target has an error without text.
// Not a std::variant: with it, an object that is compiled without optimization has about 80 more functions for each
// type of result.
template <class T, class E = winsvc::error>
class [[nodiscard]] result {
 public:
  result(T value) : value_(std::move(value)), has_value_(true) {}
  result(failure<E> cause) : error_(std::move(cause.error)) {}
  result(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : error_(std::move(other.error_)) {
    move_value_from(other);
  }
  result& operator=(result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this == &other) return *this;
    destroy_value();
    error_ = std::move(other.error_);
    move_value_from(other);
    return *this;
  }
  ~result() { destroy_value(); }

  explicit operator bool() const noexcept { return has_value_; }

  /// The value. Precondition: the result has a value (asserted; without assertions, the program crashes).
  T& operator*() & { return *operator->(); }
  const T& operator*() const& { return *operator->(); }
  T operator*() && { return std::move(*operator->()); }  // by value: *this is a temporary
  T* operator->() { return const_cast<T*>(std::as_const(*this).operator->()); }
  const T* operator->() const {
    WINSVC_ASSERT(has_value_ && "winsvc::result: a value was read from an error");
    return has_value_ ? std::addressof(value_) : nullptr;
  }

  /// The error. Precondition: the result has an error (asserted; without assertions, it is an error without text).
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!has_value_ && "winsvc::result: an error was read from a success");
    return error_;
  }

 private:
  void move_value_from(result& other) {
    if (!other.has_value_) return;
    new (std::addressof(value_)) T(std::move(other.value_));
    has_value_ = true;
  }
  void destroy_value() noexcept {
    if (std::exchange(has_value_, false)) value_.~T();
  }

  E error_{};
  union {
    T value_;  // exists if has_value_
  };
  bool has_value_ = false;
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
