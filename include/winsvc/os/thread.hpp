// start_thread: starts a std::thread that keeps some stack for the crash handler, so that a stack overflow is reported.
//
//   std::thread reader = start_thread([this] { read(); });
//
// A thread that has overflowed its stack has almost no stack left for the crash handler (os/crash.hpp). So each thread
// reserves some before it runs other code. On Windows, threads of an app reserve some too (os/win/thread.hpp).
//
// Source: SetThreadStackGuarantee in the Win32 documentation; sigaltstack(2).
#pragma once

#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Reserves stack for the crash handler on the calling thread. Destroy it on the same thread.
class reserved_stack {
 public:
  reserved_stack() noexcept;
  ~reserved_stack();
  reserved_stack(const reserved_stack&) = delete;
  reserved_stack& operator=(const reserved_stack&) = delete;

 private:
  void* memory_ = nullptr;  // POSIX: the alternate signal stack; null if the thread already had one
};

/// Starts a thread that runs `run` with a reserved stack. Throws std::system_error, as std::thread does.
template <class Function>
[[nodiscard]] std::thread start_thread(Function run) {
  return std::thread([run = std::move(run)]() mutable {
    const reserved_stack reserve;
    run();
  });
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
