// Requests the live status of a running service, or sends it a command, on its control channel
// (os/control_channel.hpp, host/control_channel_server.hpp).
//
//   command_service(channel, "level debug", pid_of(scm, "hello"))    // false: the service did not execute it
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Process ID of a service; 0 if it does not run or services are not available. A query checks that this process
/// responds, because on Windows any process may create a pipe with that name while the service does not run.
std::uint32_t pid_of(os::service_manager& scm, const std::string& name);

/// False if no service of this name is installed; true also if this is unknown.
bool is_installed(os::service_manager& scm, const std::string& name);

/// Response of a running service without its last line end. nullopt if there is no service, if access is denied, or if
/// it does not respond in time (for example because a debugger stopped it).
std::optional<std::string> query_service(const std::string& channel, const std::string& request,
                                              std::uint32_t pid);
/// Sends a command. False if the service did not execute it.
bool command_service(const std::string& channel, const std::string& request, std::uint32_t pid);
/// Live status, a flat JSON object; "" if the response is anything else.
std::string query_live_status(const std::string& channel, std::uint32_t pid);

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::uint32_t pid_of(os::service_manager& scm, const std::string& name) {
  const auto manager = scm.open_manager(os::access_rights::manager_connect);
  if (!manager) return 0;
  const os::service_handle manager_handle(scm, *manager);
  const auto opened = scm.open_service(*manager, name, os::access_rights::query_status);
  if (!opened) return 0;
  const os::service_handle service(scm, *opened);
  const auto process = scm.query_status(service.get());
  return process ? process->pid : 0;
}
WINSVC_INLINE bool is_installed(os::service_manager& scm, const std::string& name) {
  const auto manager = scm.open_manager(os::access_rights::manager_connect);
  if (!manager) return true;
  const os::service_handle manager_handle(scm, *manager);
  const auto opened = scm.open_service(*manager, name, os::access_rights::query_status);
  if (!opened) return opened.error() != base::win32_error::service_does_not_exist;
  const os::service_handle service(scm, *opened);
  return true;
}
WINSVC_INLINE std::optional<std::string> query_service(const std::string& channel, const std::string& request,
                                                       std::uint32_t pid) {
  std::string response;
  constexpr std::size_t max_bytes = 1024 * 1024;
  const auto deadline = clock::system().now() + os::control_channel::io_timeout;
  bool in_time = true;
  const auto done = os::send_channel_request(channel, request, pid, [&](std::string_view chunk) {
    response += chunk;
    in_time = response.size() < max_bytes && clock::system().now() < deadline;
    return in_time;
  });
  if (!done || !in_time || response.empty() || response.back() != '\n') return std::nullopt;
  response.pop_back();
  return response;
}
WINSVC_INLINE bool command_service(const std::string& channel, const std::string& request, std::uint32_t pid) {
  return query_service(channel, request, pid) == "ok";
}
WINSVC_INLINE std::string query_live_status(const std::string& channel, std::uint32_t pid) {
  auto response = query_service(channel, "status", pid);
  return response && base::parse_flat_object(*response) ? *std::move(response) : std::string();
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
