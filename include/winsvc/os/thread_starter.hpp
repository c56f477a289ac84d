// Thread starter: creates the threads of a component, so that a test can make the creation fail or replace the threads.
//
//   std::thread thread = starter.start([this] { run(); });   // throws std::system_error if the system has no thread
//
// A component receives it together with its clock. It does not join threads.
#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/thread.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Safe to use from any thread.
class thread_starter {
 public:
  virtual ~thread_starter() = default;
  /// Starts a thread that runs `body`. Throws std::system_error if the system cannot create it.
  [[nodiscard]] virtual std::thread start(std::function<void()> body) { return start_thread(std::move(body)); }

  /// The system's threads. It exists until the program ends.
  static thread_starter& system() {
    static thread_starter instance;
    return instance;
  }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
