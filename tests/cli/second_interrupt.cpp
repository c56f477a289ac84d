// A second SIGTERM shortens the stop of `debug`, in a child process whose worker does not return.
#include <winsvc/testing.hpp>

#include "../support/part.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#if !defined(_WIN32)

  #include <chrono>
  #include <csignal>
  #include <cstdint>
  #include <cstdlib>
  #include <filesystem>
  #include <string>
  #include <system_error>
  #include <thread>

namespace {

using namespace std::chrono_literals;

/// The limit of the first stop; longer than the test waits.
constexpr auto stop_limit = 10min;

/// The argument of the part is the folder for its state.
int run_stuck_service() {
  ::setenv("XDG_STATE_HOME", program_arguments().at(2).c_str(), 1);
  const auto app = [](winsvc::service& svc) {
    svc.name("stuck").listen("127.0.0.1", 0).stop_limit(stop_limit);
    svc.worker("stuck", [](const winsvc::stop_token& stop) {
      const int signal = SIGTERM;
      ::raise(signal);
      stop.wait();
      ::raise(signal);
      std::this_thread::sleep_for(stop_limit);
    });
  };
  char name[] = "program", verb[] = "debug";
  char* arguments[] = {name, verb, nullptr};
  return winsvc::run(2, arguments, app);
}
const part stuck_service("stuck-service", run_stuck_service);

}  // namespace

TEST_CASE("a second SIGTERM ends the process within 30 s, although a worker does not return") {
  const auto folder =
      std::filesystem::temp_directory_path() / ("winsvc-stuck-" + std::to_string(winsvc::detail::os::process_id()));
  const winsvc::scope_exit remove([&]() noexcept {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  });

  const auto start = waiting::steady::now();
  const auto code = run_part("stuck-service", {folder.string()});
  CHECK(waiting::steady::now() - start < waiting::limit());  // 30 s

  constexpr std::uint32_t incomplete_stop = 1460, exit_code_bits = 0xFF;
  CHECK(code == (incomplete_stop & exit_code_bits));
}

#endif
