// Runs a callable when a scope is left, on every path out of it.
//
//   const scope_exit close([&] { ::fclose(file); });
//
// The callable must not throw. There is no `release`: a scope that may keep what it opened returns an owning type.
#pragma once

#include <type_traits>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

template <class F>
class [[nodiscard]] scope_exit {
 public:
  explicit scope_exit(F at_exit) noexcept(std::is_nothrow_move_constructible_v<F>) : function_(std::move(at_exit)) {}
  ~scope_exit() { function_(); }
  scope_exit(const scope_exit&) = delete;
  scope_exit& operator=(const scope_exit&) = delete;

 private:
  F function_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
