// os/process.hpp, os/event_log.hpp and the service side of the seam on POSIX, where there is no Service Control
// Manager: its calls answer 50 (not supported).
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/dispatcher.hpp"
#include "winsvc/os/event_log.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/posix/door.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline std::string executable_path() {
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

inline std::vector<std::string> arguments(int argc, char** argv) {
  return argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>();
}

inline std::uint32_t process_id() noexcept { return static_cast<std::uint32_t>(::getpid()); }

inline void end_process(int code) noexcept { std::_Exit(code); }

inline bool debugger_attached() noexcept {
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[4096];
  const auto count = ::read(file, text, sizeof text);
  ::close(file);
  if (count <= 0) return false;
  const std::string_view status(text, static_cast<std::size_t>(count));
  constexpr std::string_view field = "TracerPid:\t";
  const auto at = status.find(field);
  return at != status.npos && status.substr(at + field.size(), 1) != "0";
}

inline bool change_directory(const std::string& folder) noexcept { return ::chdir(folder.c_str()) == 0; }

inline sys_result<std::string> data_folder(const std::string& service_name) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root =
      state && *state ? std::string(state) : (home && *home ? std::string(home) : "/tmp") + "/.local/state";
  return path_join(root, model::folder_name(service_name));
}

inline std::string system_words(std::uint32_t code) { return std::strerror(static_cast<int>(code)); }

inline void report_event(const std::string&, model::event_level, std::uint32_t, std::string_view) noexcept {}

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t) override { return sys_failure(none); }
  sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                        const service_settings&) override {
    return sys_failure(none);
  }
  sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return sys_failure(none);
  }
  sys_result<void> change_config(raw_handle, const service_settings&) override { return sys_failure(none); }
  sys_result<void> change_level(raw_handle, const model::config_level&) override { return sys_failure(none); }
  sys_result<model::config_level> query_level(raw_handle, std::uint32_t) override { return sys_failure(none); }
  sys_result<service_config> query_config(raw_handle) override { return sys_failure(none); }
  sys_result<service_process> query_status(raw_handle) override { return sys_failure(none); }
  sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return sys_failure(none); }
  sys_result<void> control_service(raw_handle, std::uint32_t) override { return sys_failure(none); }
  sys_result<void> delete_service(raw_handle) override { return sys_failure(none); }
  void close(raw_handle) noexcept override {}
  sys_result<void> add_event_source(const std::string&) override { return sys_failure(none); }
  sys_result<void> remove_event_source(const std::string&) override { return sys_failure(none); }
  sys_result<std::vector<std::string>> active_dependents(raw_handle) override { return sys_failure(none); }
  sys_result<std::string> query_security(raw_handle) override { return sys_failure(none); }
  sys_result<void> change_security(raw_handle, const std::string&) override { return sys_failure(none); }
  sys_result<std::vector<std::string>> query_environment(const std::string&) override { return sys_failure(none); }
  sys_result<void> change_environment(const std::string&, const std::vector<std::string>&) override {
    return sys_failure(none);
  }
  sys_result<std::string> account_sid(const std::string&) override { return sys_failure(none); }
  sys_result<void> add_logon_right(const std::string&) override { return sys_failure(none); }
  sys_result<std::string> query_folder_security(const std::string&) override { return sys_failure(none); }
  sys_result<void> change_folder_security(const std::string&, const std::string&) override { return sys_failure(none); }

 private:
  static constexpr std::uint32_t none = 50;  // ERROR_NOT_SUPPORTED
};

class native_dispatcher final : public dispatcher {
 public:
  std::uint32_t run(service_main) override { return model::code::failed_controller_connect; }
  std::uint32_t register_handler(const std::string&, control_handler) override { return 50; }
  std::uint32_t set_status(const model::service_status&) noexcept override { return 50; }
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS
