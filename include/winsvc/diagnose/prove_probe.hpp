// Probe of the verb `prove`: functions that send requests to the temporary service and check ports, events and
// minidumps. Tests replace them.
//
//   prove_probe probe;
//   probe.get(8080, "/").status       // 200
//
// The verb queries services with os/service_manager.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/scm/event_record.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// A response to a request of `prove`; status 0 if there is no complete response.
struct prove_response {
  int status = 0;
  std::string body;
  std::string error;
};

struct prove_probe {
  std::function<prove_response(std::uint16_t port, const std::string& path)> get;
  std::function<bool(std::uint16_t port)> can_listen;
  std::function<os::sys_result<std::vector<scm::event_record>>()> application_events = os::application_events;
  std::function<std::vector<std::string>(const std::string& folder)> list_dumps;  ///< names of the minidumps
  std::string wine = os::wine_version();  ///< version of Wine; empty on Windows
  prove_probe();
};

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

/// Sends one GET on a new connection to this machine and reads until the service closes it.
WINSVC_INLINE prove_response get_once(std::uint16_t port, const std::string& path) {
  constexpr std::chrono::milliseconds limit{15'000};
  auto socket = os::tcp_socket::connect({"127.0.0.1", port, false}, limit);
  if (!socket) return {0, {}, "connect: error " + std::to_string(socket.error())};
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  if (socket->send(request.data(), request.size(), limit) != os::transfer::done) return {0, {}, "the send failed"};
  std::string text;
  for (;;) {
    char buffer[4096];
    std::size_t received = 0;
    const auto state = socket->receive(buffer, sizeof buffer, received, limit);
    text.append(buffer, received);
    if (state == os::transfer::done) continue;
    if (state != os::transfer::closed) return {0, text, "the connection failed"};
    break;
  }
  const auto head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos || text.compare(0, 9, "HTTP/1.1 ") != 0) return {0, text, "no complete response"};
  return {(text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0'), text.substr(head_end + 4), {}};
}

WINSVC_INLINE prove_probe::prove_probe()
    : get(get_once),
      can_listen([](std::uint16_t port) { return static_cast<bool>(os::tcp_socket::listen("127.0.0.1", port)); }),
      list_dumps([](const std::string& folder) {
        std::vector<std::string> dumps;
        if (const auto files = os::list_files(folder)) {
          for (const auto& file : *files) {
            if (file.size() > 4 && file.compare(file.size() - 4, 4, ".dmp") == 0) dumps.push_back(file);
          }
        }
        return dumps;
      }) {}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
