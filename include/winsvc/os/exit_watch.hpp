// Exit watch: calls a function when code of the program ends the process with exit, quick_exit or _exit, which no
// destructor and no hook notices.
//
//   const exit_watch watch([](int code) { save("the process called exit(" + std::to_string(code) + ")"); });
//
// On Windows it replaces the import of ExitProcess in the executable and in the C runtime, because an atexit function
// does not receive the exit code. On Linux it uses on_exit(3), which _exit does not call. There is no call after
// TerminateProcess or a signal; os/activity.hpp has what was running then.
// Source: "PE Format", Import Address Table; ExitProcess in the Win32 documentation; on_exit(3).
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Watches while it exists. One object at a time. `on_exit` runs on the thread that ends the process and must return.
class exit_watch {
 public:
  explicit exit_watch(std::function<void(int code)> on_exit);
  ~exit_watch();
  exit_watch(const exit_watch&) = delete;
  exit_watch& operator=(const exit_watch&) = delete;

  /// Calls the function of the current watch once, if there is one.
  static void notify(int code) noexcept;

 private:
  // Exchanged with acquire and release: the thread that takes the function reads what the constructor wrote.
  static std::atomic<std::function<void(int)>*>& current() noexcept {
    static std::atomic<std::function<void(int)>*> instance{nullptr};
    return instance;
  }
};

/// Makes the system call exit_watch::notify. Called once in a process.
void install_exit_notification() noexcept;

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE exit_watch::exit_watch(std::function<void(int code)> on_exit) {
  static const bool is_installed = [] {
    install_exit_notification();
    return true;
  }();
  static_cast<void>(is_installed);
  delete current().exchange(new std::function<void(int)>(std::move(on_exit)), std::memory_order_acq_rel);
}

WINSVC_INLINE exit_watch::~exit_watch() { delete current().exchange(nullptr, std::memory_order_acq_rel); }

WINSVC_INLINE void exit_watch::notify(int code) noexcept {
  // Not deleted: the process ends, and another thread may hold the lock of the heap.
  const auto* const on_exit = current().exchange(nullptr, std::memory_order_acq_rel);
  if (!on_exit) return;
  try {
    (*on_exit)(code);
  } catch (...) {  // the process ends in any case
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
