// Test service for tests/scm: the name of the executable selects its behavior, because a service has no other input
// before it starts. Copied as `throws.exe` it is the service 'throws', and its start hook throws.
#include <winsvc.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include <process.h>
#include <windows.h>

using namespace std::chrono_literals;

namespace {

std::filesystem::path executable() {
  wchar_t path[1024] = {};
  ::GetModuleFileNameW(nullptr, path, 1023);
  return path;
}

const std::string stem = executable().stem().u8string();

bool has_behavior(const char* word) { return stem.find(word) != std::string::npos; }

/// Overflows the stack, with frames that are smaller than a page.
int recurse(int depth) {
  volatile char part_of_page[1000];
  part_of_page[0] = static_cast<char>(depth);
  return depth == -1 ? 0 : recurse(depth + 1) + part_of_page[0];
}

DWORD WINAPI throw_in_thread(void*) { throw std::runtime_error("the cellar is wet"); }

struct incomplete {
  incomplete() { call(); }
  virtual ~incomplete() = default;
  void call() { missing(); }
  virtual void missing() = 0;
};
struct complete : incomplete {
  void missing() override {}
};

/// An invalid parameter, which the C runtime of mingw does not report: the test calls the handler as it would.
void pass_invalid_parameter() {
#if defined(_MSC_VER)
  char text[4];
  ::strcpy_s(text, 0, "x");
#else
  if (const auto report = ::_set_invalid_parameter_handler(nullptr)) report(L"size > 0", L"strcpy_s", nullptr, 0, 0);
#endif
}

std::string hexadecimal(const std::string& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {digits[byte / 16], digits[byte % 16]};
  }
  return text;
}

/// Registers a hook for each control; each hook writes to the log.
void hook_all_controls(winsvc::service& svc) {
  svc.on_pause([&svc] {
    svc.log().info("pause hook");
    if (has_behavior("unwilling")) throw std::runtime_error("not now");
  });
  svc.on_continue([&svc] { svc.log().info("continue hook"); });
  svc.on_reload([&svc] { svc.log().info("reload hook"); });
  svc.on_time_change([&svc] { svc.log().info("time hook"); });
  svc.on_session_change([&svc](const winsvc::session_change& change) {
    svc.log().info("session hook: " + std::string(winsvc::name(change.kind_of_change)) + " in " +
                   std::to_string(change.session));
  });
  svc.on_power([&svc](const winsvc::power_event& power) {
    svc.log().info("power hook: " + std::string(winsvc::name(power.kind_of_event)) + ' ' + power.setting + ' ' +
                   hexadecimal(power.data));
  });
  svc.on_control(200, [&svc] { svc.log().info("control hook"); });
  svc.on_control(201, [](std::uint32_t code) { return code + 1000; });
  svc.on_control(202, [&svc] {
    std::this_thread::sleep_for(1500ms);
    svc.log().info("slow control hook");
  });
  svc.on_control(203, [] { throw std::runtime_error("the spoon is bent"); });
}

}  // namespace

void App(winsvc::service& svc) {
  svc.name(stem).listen("127.0.0.1", 0);

  svc.get("/", [] { return "hello from " + stem; });
  svc.get("/folder", [] { return std::filesystem::current_path().u8string(); });
  svc.get("/variable", [] {
    const char* const value = std::getenv("KITCHEN");
    return std::string(value ? value : "(not set)");
  });
  svc.get("/slow", [] {
    std::this_thread::sleep_for(2s);
    return std::string(100'000, 'x') + " and that is all";
  });
  svc.get("/longer", [] {
    std::this_thread::sleep_for(4s);
    return "too late";
  });
  svc.get("/longest", [] {
    std::this_thread::sleep_for(8s);
    return "much too late";
  });
  svc.get("/crash", [] { __builtin_trap(); });  // not a null pointer: Wine maps memory at address 0 for old programs
  svc.get("/terminate", [] { std::thread([] { throw std::runtime_error("the roof is down"); }).join(); });
  svc.get("/write-null", [] { *reinterpret_cast<volatile int*>(std::uintptr_t{8}) = 1; });
  svc.get("/raw-thread", [] {
    ::CreateThread(nullptr, 0, throw_in_thread, nullptr, 0, nullptr);
    std::this_thread::sleep_for(1h);
  });
  svc.get("/abort", [] { std::abort(); });
  svc.get("/overflow", [] { return std::to_string(recurse(1)); });
  svc.get("/pure", [] { delete new complete; });
  svc.get("/invalid", [] { pass_invalid_parameter(); });
  svc.get("/heap", [] { ::RaiseException(0xC0000374, EXCEPTION_NONCONTINUABLE, 0, nullptr); });
  svc.get("/overflow-thread", [] { std::thread([] { recurse(1); }).join(); });
  svc.get("/exit", [] { std::exit(3); });
#if defined(_MSC_VER)
  svc.get("/quick-exit", [] { std::quick_exit(4); });
#endif
  svc.get("/exit-now", [] { ::_exit(5); });

  svc.on_start([&svc] {
    svc.log().info("first hook");
    return [&svc] { svc.log().info("first hook undone"); };
  });
  svc.on_stop([&svc] { svc.log().info("stop hook"); });
  svc.on_start([&svc](winsvc::start_context& start) {
    std::string arguments;
    for (const auto& argument : start.arguments()) arguments += " [" + argument + "]";
    svc.log().info("second hook" + arguments);
    if (has_behavior("steps")) {
      for (unsigned step = 1; step <= 4; ++step) {
        std::this_thread::sleep_for(250ms);
        start.progress("laying the table", step, 4);
      }
    }
    if (has_behavior("exits")) std::exit(3);
    if (has_behavior("dives")) recurse(1);
    if (has_behavior("lingers")) std::this_thread::sleep_for(20s);
    if (has_behavior("throws")) throw std::runtime_error("the cupboard is bare");
    return [&svc] { svc.log().info("second hook undone"); };
  });

  if (has_behavior("worker")) {
    svc.worker("cook", [](winsvc::stop_token stop) {
      if (!stop.wait_for(200ms)) throw std::runtime_error("the soup is cold");
    });
  }
  if (has_behavior("overflows"))
    svc.worker("spiral", [](winsvc::stop_token stop) {
      if (!stop.wait_for(200ms)) recurse(1);
    });
  if (has_behavior("hooked")) hook_all_controls(svc);
  if (has_behavior("preshutdown")) svc.preshutdown(30s);
  if (has_behavior("stuck")) svc.stop_limit(500ms);
}
WINSVC_MAIN(App)
