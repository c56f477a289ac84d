// App of the temporary service of `prove`: its routes and hooks show each claim. The user's app does not run.
//
//   const auto app = is_prove_instance(instance) ? prove_app() : users_app;
//
// The instance name selects it, so the service that the SCM starts is this program with `run-service --instance NAME`.
// A person can manage it with `--instance`, for example to remove it after `prove` was killed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "winsvc/api/app.hpp"
#include "winsvc/api/service.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

inline constexpr std::string_view prove_instance_prefix = "winsvc-prove-";
/// True if an instance is the temporary service of `prove`.
[[nodiscard]] constexpr bool is_prove_instance(std::string_view instance) noexcept {
  return instance.substr(0, prove_instance_prefix.size()) == prove_instance_prefix;
}

/// The ways in which the service crashes on `/crash/WAY`.
inline constexpr std::string_view crash_ways[] = {"access-violation", "abort", "exception-in-thread", "stack-overflow"};

/// The start hook throws an exception with the text `prove_failure` if the service is started with this argument.
inline constexpr std::string_view prove_argument_fail = "fail", prove_failure = "failed on request of prove";

/// Returns the app of the temporary service.
[[nodiscard]] api::app_factory prove_app();

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Overflows the stack. The volatile buffer keeps the compiler from a loop.
WINSVC_INLINE int overflow_stack(int depth) {
  volatile char buffer[4096] = {};
  buffer[depth % 4096] = static_cast<char>(depth);
  return depth < 0 ? 0 : overflow_stack(depth + 1) + buffer[depth % 4096];
}

WINSVC_INLINE void crash(std::string_view way) {
  if (way == "access-violation") {
    const volatile std::uintptr_t unmapped = 0x10;  // volatile: g++ -O2 warns of a known address
    *reinterpret_cast<volatile int*>(unmapped) = 1;
  } else if (way == "abort") {
    std::abort();
  } else if (way == "exception-in-thread") {
    std::thread([] { throw std::runtime_error("thrown by prove"); }).join();
  } else if (way == "stack-overflow") {
    overflow_stack(0);
  }
}

WINSVC_INLINE api::app_factory prove_app() {
  return [](service& svc) -> std::shared_ptr<void> {
    using namespace std::chrono_literals;
    const auto fails = std::make_shared<std::atomic<bool>>(false);  // sequentially consistent: simple, and rarely used
    const auto control_received = std::make_shared<std::atomic<int>>(0);
    svc.description("Throw-away service of the verb prove").display_name(svc.instance());
    svc.on_start([](start_context& start) {
      for (const auto& argument : start.arguments()) {
        if (argument == prove_argument_fail) throw std::runtime_error(std::string(prove_failure));
      }
    });
    svc.get("/", [] { return "hello"; });
    svc.get("/folder", [] { return os::absolute_path("."); });
    svc.get("/slow", [] {
      std::this_thread::sleep_for(800ms);
      return "complete";
    });
    svc.get("/control", [control_received] { return std::to_string(control_received->load()); });
    svc.get("/fail", [fails] {
      *fails = true;
      return "failing";
    });
    svc.get("/end", [] {
      os::end_process(1);
      return "";
    });
    svc.get("/crash/{way}", [](std::string way) {
      crash(way);
      return "did not crash";
    });
    svc.on_pause([] {});
    svc.on_continue([] {});
    svc.on_control(200, [control_received] { control_received->fetch_add(1); });
    svc.worker("fail on request", [fails](stop_token stop) {
      while (!stop.wait_for(50ms)) {
        if (*fails) throw std::runtime_error(std::string(prove_failure));
      }
    });
    return nullptr;
  };
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
