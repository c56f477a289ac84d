// Control channel on Windows (os/control_channel.hpp): a service receives the requests of an operator on a named pipe,
// with one instance of the pipe for each client.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/control_channel.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/connection_threads.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// One end of a named pipe. Each operation ends after its timeout, or when `stop_event` is set (null: never).
class overlapped_pipe {
 public:
  overlapped_pipe() = default;
  overlapped_pipe(unique_handle pipe, HANDLE stop_event) : pipe_(std::move(pipe)), stop_event_(stop_event) {
    event_ = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  }
  [[nodiscard]] bool is_open() const noexcept { return pipe_ && event_; }

  /// Waits for a client. Returns false after an error, or when `stop_event` is set.
  bool connect() noexcept {
    return run_overlapped(INFINITE, [this](OVERLAPPED* o) { return ::ConnectNamedPipe(pipe_.get(), o); }) ||
           ::GetLastError() == ERROR_PIPE_CONNECTED;
  }
  bool write(std::string_view bytes, DWORD timeout) noexcept {
    while (!bytes.empty()) {
      const auto chunk_size = static_cast<DWORD>((std::min)(bytes.size(), std::size_t{16'384}));
      const bool done = run_overlapped(
          timeout, [&](OVERLAPPED* o) { return ::WriteFile(pipe_.get(), bytes.data(), chunk_size, nullptr, o); });
      if (!done || transferred_ == 0) return false;
      bytes.remove_prefix(transferred_);
    }
    return true;
  }
  /// Returns the number of bytes received; 0 at the end of the stream, and after `timeout` (`timed_out` is then true).
  std::size_t read(char* buffer, std::size_t capacity, DWORD timeout, bool& timed_out) noexcept {
    const bool done = run_overlapped(timeout, [&](OVERLAPPED* o) {
      return ::ReadFile(pipe_.get(), buffer, static_cast<DWORD>(capacity), nullptr, o);
    });
    timed_out = timed_out_;
    return done ? transferred_ : 0;
  }
  /// True if the other end of the pipe is open.
  [[nodiscard]] bool is_peer_connected() const noexcept {
    return ::PeekNamedPipe(pipe_.get(), nullptr, 0, nullptr, nullptr, nullptr) != 0;
  }
  [[nodiscard]] HANDLE get() const noexcept { return pipe_.get(); }

 private:
  template <class Operation>
  bool run_overlapped(DWORD timeout, Operation begin) noexcept {
    // Without this check, operations that complete at once would continue after stop_event is set.
    if (stop_event_ && ::WaitForSingleObject(stop_event_, 0) == WAIT_OBJECT_0) return false;
    OVERLAPPED operation{};
    operation.hEvent = event_.get();
    transferred_ = 0;
    timed_out_ = false;
    if (!begin(&operation) && ::GetLastError() != ERROR_IO_PENDING) return false;
    const HANDLE handles[] = {event_.get(), stop_event_};
    const DWORD count = stop_event_ ? 2 : 1;
    const DWORD result = ::WaitForMultipleObjects(count, handles, FALSE, timeout);
    if (result != WAIT_OBJECT_0) {
      timed_out_ = result == WAIT_TIMEOUT;
      ::CancelIoEx(pipe_.get(), &operation);
    }
    return ::GetOverlappedResult(pipe_.get(), &operation, &transferred_, TRUE) != 0;
  }
  unique_handle pipe_, event_;
  HANDLE stop_event_ = nullptr;
  DWORD transferred_ = 0;
  bool timed_out_ = false;
};

struct control_channel::implementation {
  std::wstring name;
  local_memory security{nullptr};
  control_channel::request_handler handler;
  unique_handle stop_event;
  connection_threads threads{max_connections};
  std::thread accept_thread;

  /// Creates a pipe instance. `first`: fail if the pipe exists, so that no other process can serve under this name.
  sys_result<overlapped_pipe> create_instance(bool first) {
    SECURITY_ATTRIBUTES attributes{sizeof attributes, security.get(), FALSE};
    unique_handle pipe(::CreateNamedPipeW(
        name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0u),
        PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, PIPE_UNLIMITED_INSTANCES, 16'384, 4096, 0,
        &attributes));
    if (!pipe) return sys_failure(::GetLastError());
    return overlapped_pipe(std::move(pipe), stop_event.get());
  }
  void accept_loop(overlapped_pipe next) noexcept;
  void serve_connection(overlapped_pipe& client) noexcept;
};

std::string control_channel_address(const std::string& service_name, const std::string&);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE void control_channel::implementation::serve_connection(overlapped_pipe& client) noexcept {
  constexpr auto limit = static_cast<DWORD>(control_channel::io_timeout.count());
  try {
    std::string request;
    char buffer[512];
    const auto deadline = clock::system().now() + control_channel::io_timeout;
    while (request.find('\n') == request.npos && request.size() <= max_request_bytes) {
      const auto remaining =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::system().now()).count();
      if (remaining <= 0) break;
      bool timed_out = false;
      const auto received = client.read(buffer, sizeof buffer, static_cast<DWORD>(remaining), timed_out);
      if (received == 0) break;
      request.append(buffer, received);
    }
    const auto end = request.find('\n');
    if (end != request.npos)
      handler(request.substr(0, end), [this, &client](std::string_view chunk) {
        if (!chunk.empty()) return client.write(chunk, limit);
        return ::WaitForSingleObject(stop_event.get(), 0) != WAIT_OBJECT_0 && client.is_peer_connected();
      });
  } catch (const std::exception&) {  // out of memory: the response ends here
  }
}

WINSVC_INLINE void control_channel::implementation::accept_loop(overlapped_pipe next) noexcept {
  for (;;) {
    const bool is_connected = next.is_open() && next.connect();
    if (::WaitForSingleObject(stop_event.get(), 0) == WAIT_OBJECT_0) return;
    // Create the next instance before the connected instance can close: a pipe without an instance does not exist.
    auto another = create_instance(false);
    try {
      if (is_connected) {
        threads.run([this, client = std::make_shared<overlapped_pipe>(std::move(next))] {
          serve_connection(*client);
          *client = overlapped_pipe();
        });
      }
    } catch (const std::exception&) {  // out of memory: the connection closes
    }
    next = another ? *std::move(another) : overlapped_pipe();
    if (!next.is_open() && ::WaitForSingleObject(stop_event.get(), 1000) == WAIT_OBJECT_0) return;
  }
}

WINSVC_INLINE control_channel::control_channel(std::unique_ptr<implementation> new_server)
    : implementation_(std::move(new_server)) {}

WINSVC_INLINE control_channel::~control_channel() {
  ::SetEvent(implementation_->stop_event.get());
  if (implementation_->accept_thread.joinable()) implementation_->accept_thread.join();
  implementation_->threads.wait_for_all();
}

WINSVC_INLINE sys_result<std::unique_ptr<control_channel>> control_channel::open(const std::string& address,
                                                                                 request_handler handler) {
  auto sid = current_user_sid();
  if (!sid) return sys_failure(sid.error());
  if (*sid == "S-1-5-19" || *sid == "S-1-5-20") {  // LocalService, NetworkService: shared accounts, use the service SID
    const std::string service_name = address.substr(address.find("winsvc-") + 7);
    if (auto service_sid = sid_of_account("NT SERVICE\\" + service_name)) sid = std::move(service_sid);
  }
  auto security = descriptor_of("D:P(A;;GA;;;SY)(A;;GRGW;;;BA)(A;;GA;;;" + *sid + ")");
  if (!security) return sys_failure(security.error());
  auto new_server = std::make_unique<implementation>();
  new_server->name = to_wide(address);
  new_server->security = *std::move(security);
  new_server->handler = std::move(handler);
  new_server->stop_event = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!new_server->stop_event) return sys_failure(::GetLastError());
  auto first = new_server->create_instance(true);
  if (!first) return sys_failure(first.error());
  auto channel = std::unique_ptr<control_channel>(new control_channel(std::move(new_server)));
  implementation* const server = channel->implementation_.get();
  try {
    server->accept_thread = start_thread([server, pipe = std::make_shared<overlapped_pipe>(*std::move(first))] {
      server->accept_loop(std::move(*pipe));
    });
  } catch (const std::exception&) {
    return sys_failure(ERROR_NOT_ENOUGH_MEMORY);
  }
  return channel;
}

WINSVC_INLINE std::string control_channel_address(const std::string& service_name, const std::string&) {
  std::string name = service_name;
  for (char& c : name) {
    if (c == '\\') c = '_';
  }
  return "\\\\.\\pipe\\winsvc-" + name;
}

WINSVC_INLINE sys_result<void> send_channel_request(const std::string& address, const std::string& request,
                                                    std::uint32_t pid,
                                                    const std::function<bool(std::string_view)>& on_chunk) {
  constexpr auto limit = static_cast<DWORD>(control_channel::io_timeout.count());
  if (pid == 0) return sys_failure(ERROR_SERVICE_NOT_ACTIVE);  // a pipe of this name would belong to another process
  const std::wstring name = to_wide(address);
  unique_handle handle;
  for (;;) {
    handle = unique_handle(::CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                                         FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, nullptr));
    if (handle) break;
    const DWORD code = ::GetLastError();
    if (code != ERROR_PIPE_BUSY || !::WaitNamedPipeW(name.c_str(), limit)) return sys_failure(code);
  }
  ULONG server = 0;
  if (!::GetNamedPipeServerProcessId(handle.get(), &server) || server != pid)
    return sys_failure(ERROR_ACCESS_DENIED);
  overlapped_pipe pipe(std::move(handle), nullptr);
  if (!pipe.is_open() || !pipe.write(request + '\n', limit)) return sys_failure(ERROR_BROKEN_PIPE);
  char buffer[4096];
  for (;;) {
    bool timed_out = false;
    const std::size_t received = pipe.read(buffer, sizeof buffer, 200, timed_out);
    if (received == 0 && !timed_out) return {};
    if (!on_chunk(std::string_view(buffer, received))) return {};
  }
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
