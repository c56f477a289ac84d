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

namespace detail::base {

/// A base class that makes a class movable only, unless `copyable`.
template <bool copyable>
struct copy_guard {};
template <>
struct copy_guard<false> {
  copy_guard() = default;
  copy_guard(const copy_guard&) = delete;
  copy_guard(copy_guard&&) = default;
  copy_guard& operator=(const copy_guard&) = delete;
  copy_guard& operator=(copy_guard&&) = default;
};

/// A value, or an error. If moving the value throws, the target of an assignment has an error without text.
// Not a std::variant: with it, an object that is compiled without optimization has about 80 more functions for each
// type of result.
template <class T, class E>
struct result_storage {
  explicit result_storage(T&& initial) : value(std::move(initial)), has_value(true) {}
  explicit result_storage(failure<E>&& cause) : error(std::move(cause.error)) {}
  result_storage(const result_storage& other) : error(other.error) { set_value(other); }
  result_storage(result_storage&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : error(std::move(other.error)) {
    set_value(std::move(other));
  }
  result_storage& operator=(const result_storage& other) { return *this = result_storage(other); }
  result_storage& operator=(result_storage&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this == &other) return *this;
    destroy_value();
    error = std::move(other.error);
    set_value(std::move(other));
    return *this;
  }
  ~result_storage() { destroy_value(); }

  template <class Other>
  void set_value(Other&& other) {
    if (!other.has_value) return;
    new (std::addressof(value)) T(std::forward<Other>(other).value);
    has_value = true;
  }
  void destroy_value() noexcept {
    if (std::exchange(has_value, false)) value.~T();
  }

  E error{};
  union {
    T value;  // exists if has_value
  };
  bool has_value = false;
};

}  // namespace detail::base

/// A value or an error. It can be copied if its value can.
template <class T, class E = winsvc::error>
class [[nodiscard]] result : detail::base::copy_guard<std::is_copy_constructible_v<T>> {
 public:
  result(T value) : storage_(std::move(value)) {}
  result(failure<E> cause) : storage_(std::move(cause)) {}

  explicit operator bool() const noexcept { return storage_.has_value; }

  /// The value. Precondition: the result has a value (asserted; without assertions, the program crashes).
  T& operator*() & { return *operator->(); }
  const T& operator*() const& { return *operator->(); }
  T operator*() && { return std::move(*operator->()); }  // by value: *this is a temporary
  T* operator->() { return const_cast<T*>(std::as_const(*this).operator->()); }
  const T* operator->() const {
    WINSVC_ASSERT(storage_.has_value && "winsvc::result: a value was read from an error");
    return storage_.has_value ? std::addressof(storage_.value) : nullptr;
  }

  /// The error. Precondition: the result has an error (asserted; without assertions, it is an error without text).
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!storage_.has_value && "winsvc::result: an error was read from a success");
    return storage_.error;
  }

 private:
  detail::base::result_storage<T, E> storage_;
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
