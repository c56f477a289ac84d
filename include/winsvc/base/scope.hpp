// scope_exit: runs a callable at the end of a scope, also when an exception is thrown.
//
//   const scope_exit close([&] { ::fclose(file); });
//
// The callable must not throw. There is no `release`. If a scope may pass on what it opened, use an owning type.
#pragma once

#include <type_traits>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

template <class F>
class [[nodiscard]] scope_exit {
 public:
  explicit scope_exit(F function) noexcept(std::is_nothrow_move_constructible_v<F>) : function_(std::move(function)) {}
  ~scope_exit() { function_(); }
  scope_exit(const scope_exit&) = delete;
  scope_exit& operator=(const scope_exit&) = delete;

 private:
  F function_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
