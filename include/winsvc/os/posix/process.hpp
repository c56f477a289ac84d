// Process functions on POSIX (os/process.hpp). Also the functions of the event log, the Service Control Manager and the
// dispatcher, which POSIX lacks: events are dropped, and all other calls fail with 50 (not supported).
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/os/dispatcher.hpp"
#include "winsvc/os/event_log.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/posix/headers.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Reads the first `capacity` bytes of a file in /proc; empty after an error.
std::string_view read_proc(const char* path, char* buffer, std::size_t capacity) noexcept;

/// Returns the number in the n-th field of a text (fields are separated by spaces, n starts at 0); 0 if it is not a
/// number.
std::uint64_t parse_number_at(std::string_view text, int n) noexcept;

void report_event(const std::string&, scm::event_level, std::uint32_t, std::string_view) noexcept;

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t) override { return sys_failure(not_supported); }
  sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                        const service_config_change&) override {
    return sys_failure(not_supported);
  }
  sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return sys_failure(not_supported);
  }
  sys_result<void> change_config(raw_handle, const service_config_change&) override {
    return sys_failure(not_supported);
  }
  sys_result<void> change_level(raw_handle, const scm::config_level&) override { return sys_failure(not_supported); }
  sys_result<scm::config_level> query_level(raw_handle, std::uint32_t) override { return sys_failure(not_supported); }
  sys_result<service_config> query_config(raw_handle) override { return sys_failure(not_supported); }
  sys_result<service_process_status> query_status(raw_handle) override { return sys_failure(not_supported); }
  sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override {
    return sys_failure(not_supported);
  }
  sys_result<void> control_service(raw_handle, std::uint32_t) override { return sys_failure(not_supported); }
  sys_result<void> delete_service(raw_handle) override { return sys_failure(not_supported); }
  sys_result<std::vector<std::string>> list_services(raw_handle) override { return sys_failure(not_supported); }
  void close(raw_handle) noexcept override {}
  sys_result<void> add_event_source(const std::string&) override { return sys_failure(not_supported); }
  sys_result<void> remove_event_source(const std::string&) override { return sys_failure(not_supported); }
  sys_result<bool> query_event_source(const std::string&) override { return sys_failure(not_supported); }
  sys_result<bool> query_delete_mark(const std::string&) override { return sys_failure(not_supported); }
  sys_result<std::vector<std::string>> active_dependents(raw_handle) override { return sys_failure(not_supported); }
  sys_result<std::string> query_security(raw_handle) override { return sys_failure(not_supported); }
  sys_result<void> change_security(raw_handle, const std::string&) override { return sys_failure(not_supported); }
  sys_result<std::vector<std::string>> query_environment(const std::string&) override {
    return sys_failure(not_supported);
  }
  sys_result<void> change_environment(const std::string&, const std::vector<std::string>&) override {
    return sys_failure(not_supported);
  }
  sys_result<std::string> account_sid(const std::string&) override { return sys_failure(not_supported); }
  sys_result<std::string> account_name(const std::string&) override { return sys_failure(not_supported); }
  sys_result<void> add_logon_right(const std::string&) override { return sys_failure(not_supported); }
  sys_result<bool> query_logon_right(const std::string&) override { return sys_failure(not_supported); }
  sys_result<std::string> query_folder_security(const std::string&) override { return sys_failure(not_supported); }
  sys_result<void> change_folder_security(const std::string&, const std::string&) override {
    return sys_failure(not_supported);
  }
  sys_result<void> create_folder(const std::string&, const std::string&) override { return sys_failure(not_supported); }
  sys_result<void> remove_empty_folder(const std::string&) override { return sys_failure(not_supported); }
  sys_result<void> rename_folder(const std::string&, const std::string&) override { return sys_failure(not_supported); }

 private:
  static constexpr std::uint32_t not_supported = base::win32_error::not_supported;
};

class native_dispatcher final : public dispatcher {
 public:
  std::uint32_t run(service_main) override { return base::win32_error::failed_controller_connect; }
  std::uint32_t register_handler(const std::string&, control_handler) override {
    return base::win32_error::not_supported;
  }
  std::uint32_t set_status(const scm::service_status&) noexcept override { return base::win32_error::not_supported; }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string executable_path() {
  std::string path(256, '\0');
  for (;;) {
    const auto length = ::readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) return {};
    if (static_cast<std::size_t>(length) < path.size()) {
      path.resize(static_cast<std::size_t>(length));
      return path;
    }
    path.resize(path.size() * 2);
  }
}

WINSVC_INLINE std::vector<std::string> arguments(int argc, char** argv) {
  return argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>();
}

WINSVC_INLINE bool set_environment_variable(const std::string& name, const std::string& value) {
  return ::setenv(name.c_str(), value.c_str(), 1) == 0;
}

WINSVC_INLINE std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : std::string();
}

WINSVC_INLINE bool set_process_priority(scm::process_priority priority) noexcept {
  constexpr int nice_values[] = {19, 10, 0, -5, -10};
  return ::setpriority(PRIO_PROCESS, 0, nice_values[static_cast<int>(priority)]) == 0;
}

WINSVC_INLINE bool is_wine() noexcept { return false; }

WINSVC_INLINE std::uint32_t process_id() noexcept { return static_cast<std::uint32_t>(::getpid()); }

WINSVC_INLINE std::size_t processor_count() noexcept {
  #if WINSVC_OS_LINUX
  cpu_set_t affinity;
  if (::sched_getaffinity(0, sizeof affinity, &affinity) == 0)
    return static_cast<std::size_t>((std::max)(CPU_COUNT(&affinity), 1));
  #endif
  return (std::max)(std::size_t{std::thread::hardware_concurrency()}, std::size_t{1});
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_OS_LINUX
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }
WINSVC_INLINE void thread_clock::attach() noexcept {
  clockid_t id{};
  if (::pthread_getcpuclockid(::pthread_self(), &id) != 0) return;
  native_.store(static_cast<std::intptr_t>(id));
  attached_.store(true, std::memory_order_release);
}
WINSVC_INLINE std::optional<std::chrono::nanoseconds> thread_clock::cpu_time() const noexcept {
  timespec time{};
  if (!attached_.load(std::memory_order_acquire) ||
      ::clock_gettime(static_cast<clockid_t>(native_.load(std::memory_order_relaxed)), &time) != 0)
    return std::nullopt;
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#else
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::uint32_t thread_id() noexcept { return 0; }
WINSVC_INLINE void thread_clock::attach() noexcept {}
WINSVC_INLINE std::optional<std::chrono::nanoseconds> thread_clock::cpu_time() const noexcept { return std::nullopt; }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE thread_clock::~thread_clock() = default;

WINSVC_INLINE std::size_t raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  }
  return limit.rlim_cur == RLIM_INFINITY ? 0 : static_cast<std::size_t>(limit.rlim_cur);
}
WINSVC_INLINE void release_free_memory() noexcept {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}
WINSVC_INLINE void ignore_broken_pipes() noexcept {
  struct sigaction current {};
  if (::sigaction(SIGPIPE, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) return;
  current = {};
  current.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &current, nullptr);
}
WINSVC_INLINE bool is_resource_shortage(std::uint32_t code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOMEM || code == EAGAIN || code == ENOBUFS;
}

WINSVC_INLINE std::string_view read_proc(const char* path, char* buffer, std::size_t capacity) noexcept {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const auto count = ::read(file, buffer, capacity);
  ::close(file);
  return count <= 0 ? std::string_view() : std::string_view(buffer, static_cast<std::size_t>(count));
}
WINSVC_INLINE std::uint64_t parse_number_at(std::string_view text, int n) noexcept {
  for (; n > 0 && !text.empty(); --n) text.remove_prefix((std::min)(text.find(' '), text.size() - 1) + 1);
  std::uint64_t value = 0;
  static_cast<void>(base::parse_number(text.substr(0, text.find_first_of(" \n")), ~std::uint64_t{0}, value));
  return value;
}

WINSVC_INLINE process_usage query_process_usage() noexcept {
  using namespace std::chrono;
  const auto read_clock = [](clockid_t clock) {
    timespec time{};
    return ::clock_gettime(clock, &time) == 0 ? seconds(time.tv_sec) + nanoseconds(time.tv_nsec) : nanoseconds(0);
  };
  process_usage usage;
  usage.cpu = duration_cast<microseconds>(read_clock(CLOCK_PROCESS_CPUTIME_ID));
  char buffer[4096];
  usage.resident = parse_number_at(read_proc("/proc/self/statm", buffer, sizeof buffer), 1) *
                   static_cast<std::uint64_t>((std::max)(::sysconf(_SC_PAGESIZE), 0L));
#if defined(__linux__)
  // proc(5): field 22 is the start time in ticks since boot. Field 2 is the name, which may contain spaces and
  // brackets.
  const std::string_view stat = read_proc("/proc/self/stat", buffer, sizeof buffer);
  const auto ticks_per_second = static_cast<std::uint64_t>((std::max)(::sysconf(_SC_CLK_TCK), 1L));
  if (const auto name_end = stat.rfind(") "); name_end != stat.npos) {
    const std::uint64_t ticks = parse_number_at(stat.substr(name_end + 2), 19);
    const auto boot = duration_cast<milliseconds>(read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME));
    usage.started = boot + milliseconds(ticks * 1000 / ticks_per_second);
  }
#endif
  return usage;
}

WINSVC_INLINE std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

WINSVC_INLINE std::string absolute_path(const std::string& path) {
  if (is_absolute(path)) return path;
  char folder[4096];
  return ::getcwd(folder, sizeof folder) ? path_join(folder, path) : path;
}

WINSVC_INLINE void end_process(int code) noexcept { std::_Exit(code); }

WINSVC_INLINE bool debugger_attached() noexcept {
  char buffer[4096];
  const std::string_view status = read_proc("/proc/self/status", buffer, sizeof buffer);
  constexpr std::string_view field = "TracerPid:\t";
  const auto position = status.find(field);
  return position != status.npos && status.substr(position + field.size(), 1) != "0";
}

WINSVC_INLINE bool change_directory(const std::string& folder) noexcept { return ::chdir(folder.c_str()) == 0; }

WINSVC_INLINE sys_result<std::string> data_folder(const std::string& service_name) {
  const char* state_home = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root = state_home && *state_home ? std::string(state_home)
                                                     : (home && *home ? std::string(home) : "/tmp") + "/.local/state";
  return path_join(root, scm::folder_name(service_name));
}

WINSVC_INLINE std::string system_error_message(std::uint32_t code) { return std::strerror(static_cast<int>(code)); }

WINSVC_INLINE void report_event(const std::string&, scm::event_level, std::uint32_t, std::string_view) noexcept {}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
