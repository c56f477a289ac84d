// attempt: runs a callable and ends its exception, for work that is better lost than thrown: a log line or a text while
// memory is exhausted, in code that must continue, such as a stop.
//
//   base::attempt([&] { log.info("stopped: " + reason); });
#pragma once

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Returns false if `function` threw.
template <class F>
bool attempt(const F& function) noexcept {
  try {
    function();
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
