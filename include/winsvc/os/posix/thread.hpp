// start_thread on POSIX (os/thread.hpp): each thread has an alternate signal stack, on which the crash handler runs
// after a stack overflow.
//
// Source: sigaltstack(2).
#pragma once

#include <cstddef>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/thread.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if !WINSVC_OS_WINDOWS
#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

inline constexpr std::size_t signal_stack_size = 64 * 1024;

WINSVC_INLINE reserved_stack::reserved_stack() noexcept {
  stack_t current = {};
  // A sanitizer or the app may have installed a signal stack.
  if (::sigaltstack(nullptr, &current) != 0 || (current.ss_flags & SS_DISABLE) == 0) return;
  void* const memory =
      ::mmap(nullptr, signal_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t reserve = {};
  reserve.ss_sp = memory;
  reserve.ss_size = signal_stack_size;
  if (::sigaltstack(&reserve, nullptr) == 0) memory_ = memory;
  else ::munmap(memory, signal_stack_size);
}

WINSVC_INLINE reserved_stack::~reserved_stack() {
  if (!memory_) return;
  stack_t current = {};
  // On another thread, or after other code has replaced it: the memory may still be in use.
  if (::sigaltstack(nullptr, &current) != 0 || current.ss_sp != memory_) return;
  stack_t disabled = {};
  disabled.ss_flags = SS_DISABLE;
  if (::sigaltstack(&disabled, nullptr) == 0) ::munmap(memory_, signal_stack_size);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
#endif  // !WINSVC_OS_WINDOWS
