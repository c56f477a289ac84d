// The questions that verbs ask a running service on its channel (os/channel.hpp, host/inquiries.hpp).
//
//   command_service(channel, "level debug", pid_of(scm, "hello"))    // false: nobody did it
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/base/flat_json.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The process of a service, whom it must be who answers: on Windows anybody may have made a pipe of that name while the
/// service did not run. 0: it does not run, or there are no services.
std::uint32_t pid_of(os::service_manager& scm, const std::string& name);

/// What a running service answers, without its last line end; nothing where there is none, it is not for us to ask, or it
/// does not answer in time (a debugger holds it, say).
std::optional<std::string> query_service(const std::string& channel, const std::string& question,
                                              std::uint32_t pid);
/// The same, of what it is to do. False: it has not done it.
bool command_service(const std::string& channel, const std::string& what, std::uint32_t pid);
/// What it says of itself: a flat object, or "" where it says something else.
std::string query_live_status(const std::string& channel, std::uint32_t pid);

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE std::uint32_t pid_of(os::service_manager& scm, const std::string& name) {
  const auto manager = scm.open_manager(os::access_rights::manager_connect);
  if (!manager) return 0;
  const os::service_handle held(scm, *manager);
  const auto opened = scm.open_service(*manager, name, os::access_rights::query_status);
  if (!opened) return 0;
  const os::service_handle service(scm, *opened);
  const auto process = scm.query_status(service.get());
  return process ? process->pid : 0;
}
WINSVC_INLINE std::optional<std::string> query_service(const std::string& channel, const std::string& question,
                                              std::uint32_t pid) {
  std::string answer;
  constexpr std::size_t limit = 1024 * 1024;
  const auto deadline = std::chrono::steady_clock::now() + os::control_channel::io_timeout;
  bool in_time = true;
  const auto done = os::send_channel_request(channel, question, pid, [&](std::string_view chunk) {
    answer += chunk;
    in_time = answer.size() < limit && std::chrono::steady_clock::now() < deadline;
    return in_time;
  });
  if (!done || !in_time || answer.empty() || answer.back() != '\n') return std::nullopt;
  answer.pop_back();
  return answer;
}
WINSVC_INLINE bool command_service(const std::string& channel, const std::string& what, std::uint32_t pid) {
  return query_service(channel, what, pid) == "ok";
}
WINSVC_INLINE std::string query_live_status(const std::string& channel, std::uint32_t pid) {
  auto message = query_service(channel, "status", pid);
  return message && model::parse_flat_object(*message) ? *std::move(message) : std::string();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
