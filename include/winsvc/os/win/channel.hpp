// os/channel.hpp on Windows: a named pipe, an instance for each who asks.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/channel.hpp"
#include "winsvc/os/visitors.hpp"
#include "winsvc/os/win/door.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// One end of a pipe, whose every operation ends after `patience` or when `over` is set.
class pipe_end {
 public:
  pipe_end() = default;
  pipe_end(unique_handle pipe, HANDLE over) : pipe_(std::move(pipe)), over_(over) {
    event_ = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  }
  [[nodiscard]] bool is_open() const noexcept { return pipe_ && event_; }

  /// True: somebody has come.
  bool connect() noexcept {
    return finished(INFINITE, [this](OVERLAPPED* o) { return ::ConnectNamedPipe(pipe_.get(), o); }) ||
           ::GetLastError() == ERROR_PIPE_CONNECTED;
  }
  bool write(std::string_view bytes, DWORD patience) noexcept {
    while (!bytes.empty()) {
      const auto piece = static_cast<DWORD>((std::min)(bytes.size(), std::size_t{16'384}));
      const bool done = finished(
          patience, [&](OVERLAPPED* o) { return ::WriteFile(pipe_.get(), bytes.data(), piece, nullptr, o); });
      if (!done || moved_ == 0) return false;
      bytes.remove_prefix(moved_);
    }
    return true;
  }
  /// How much came; 0 at the end, and when nothing came in time (`late`).
  std::size_t read(char* into, std::size_t room, DWORD patience, bool& late) noexcept {
    const bool done = finished(patience, [&](OVERLAPPED* o) {
      return ::ReadFile(pipe_.get(), into, static_cast<DWORD>(room), nullptr, o);
    });
    late = late_;
    return done ? moved_ : 0;
  }
  /// Is whoever asked still there?
  [[nodiscard]] bool has_peer() const noexcept {
    return ::PeekNamedPipe(pipe_.get(), nullptr, 0, nullptr, nullptr, nullptr) != 0;
  }
  [[nodiscard]] HANDLE get() const noexcept { return pipe_.get(); }

 private:
  template <class Call>
  bool finished(DWORD patience, Call begin) noexcept {
    if (over_ && ::WaitForSingleObject(over_, 0) == WAIT_OBJECT_0) return false;  // also where nothing has to be waited for
    OVERLAPPED operation{};
    operation.hEvent = event_.get();
    moved_ = 0;
    late_ = false;
    if (!begin(&operation) && ::GetLastError() != ERROR_IO_PENDING) return false;
    const HANDLE either[] = {event_.get(), over_};
    const DWORD count = over_ ? 2 : 1;
    const DWORD which = ::WaitForMultipleObjects(count, either, FALSE, patience);
    if (which != WAIT_OBJECT_0) {
      late_ = which == WAIT_TIMEOUT;
      ::CancelIoEx(pipe_.get(), &operation);
    }
    return ::GetOverlappedResult(pipe_.get(), &operation, &moved_, TRUE) != 0;
  }
  unique_handle pipe_, event_;
  HANDLE over_ = nullptr;
  DWORD moved_ = 0;
  bool late_ = false;
};

struct channel::body {
  std::wstring name;
  local_memory security{nullptr};
  channel::answerer answer;
  unique_handle over;
  visitors guests{at_once};
  std::thread door;

  /// The first instance must be the first of that name: nobody else answers for us.
  sys_result<pipe_end> instance(bool first) {
    SECURITY_ATTRIBUTES attributes{sizeof attributes, security.get(), FALSE};
    unique_handle made(::CreateNamedPipeW(
        name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0u),
        PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, PIPE_UNLIMITED_INSTANCES, 16'384, 4096, 0,
        &attributes));
    if (!made) return sys_failure(::GetLastError());
    return pipe_end(std::move(made), over.get());
  }
  void serve(pipe_end next) noexcept;
  void talk(pipe_end& with) noexcept;
};

std::string channel_address(const std::string& service_name, const std::string&);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE void channel::body::talk(pipe_end& with) noexcept {
  constexpr auto limit = static_cast<DWORD>(channel::patience.count());
  try {
    std::string asked;
    char piece[512];
    const auto until = std::chrono::steady_clock::now() + channel::patience;
    while (asked.find('\n') == asked.npos && asked.size() <= longest_line) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
      bool late = false;
      const std::size_t got = left > 0 ? with.read(piece, sizeof piece, static_cast<DWORD>(left), late) : 0;
      if (got == 0) break;
      asked.append(piece, got);
    }
    const auto end = asked.find('\n');
    if (end != asked.npos)
      answer(asked.substr(0, end), [this, &with](std::string_view text) {
        if (!text.empty()) return with.write(text, limit);
        return ::WaitForSingleObject(over.get(), 0) != WAIT_OBJECT_0 && with.has_peer();
      });
  } catch (const std::exception&) {  // no memory: the answer ends here
  }
}

WINSVC_INLINE void channel::body::serve(pipe_end next) noexcept {
  for (;;) {
    const bool come = next.is_open() && next.connect();
    if (::WaitForSingleObject(over.get(), 0) == WAIT_OBJECT_0) return;
    // Before the one that is taken can end: while there is none, the pipe would seem not to exist.
    auto another = instance(false);
    try {
      if (come) {
        guests.admit([this, with = std::make_shared<pipe_end>(std::move(next))] {
          talk(*with);
          *with = pipe_end();
        });
      }
    } catch (const std::exception&) {  // no memory: whoever asked sees the end of it
    }
    next = another ? *std::move(another) : pipe_end();
    if (!next.is_open() && ::WaitForSingleObject(over.get(), 1000) == WAIT_OBJECT_0) return;
  }
}

WINSVC_INLINE channel::channel(std::unique_ptr<body> made) : body_(std::move(made)) {}

WINSVC_INLINE channel::~channel() {
  ::SetEvent(body_->over.get());
  if (body_->door.joinable()) body_->door.join();
  body_->guests.wait_for_all();
}

WINSVC_INLINE sys_result<std::unique_ptr<channel>> channel::open(const std::string& address, answerer answer) {
  auto me = own_sid();
  if (!me) return sys_failure(me.error());
  if (*me == "S-1-5-19" || *me == "S-1-5-20") {  // many services' account: this one has a SID of its own beside it
    if (auto own = sid_of_account("NT SERVICE\\" + address.substr(address.find("winsvc-") + 7))) me = std::move(own);
  }
  auto security = descriptor_of("D:P(A;;GA;;;SY)(A;;GRGW;;;BA)(A;;GA;;;" + *me + ")");
  if (!security) return sys_failure(security.error());
  auto made = std::make_unique<body>();
  made->name = wide(address);
  made->security = *std::move(security);
  made->answer = std::move(answer);
  made->over = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!made->over) return sys_failure(::GetLastError());
  auto first = made->instance(true);
  if (!first) return sys_failure(first.error());
  auto whole = std::unique_ptr<channel>(new channel(std::move(made)));
  body* const b = whole->body_.get();
  try {
    b->door = std::thread([b, with = std::make_shared<pipe_end>(*std::move(first))] { b->serve(std::move(*with)); });
  } catch (const std::exception&) {
    return sys_failure(ERROR_NOT_ENOUGH_MEMORY);
  }
  return whole;
}

WINSVC_INLINE std::string channel_address(const std::string& service_name, const std::string&) {
  std::string name = service_name;
  for (char& c : name) {
    if (c == '\\') c = '_';
  }
  return "\\\\.\\pipe\\winsvc-" + name;
}

WINSVC_INLINE sys_result<void> ask_channel(const std::string& address, const std::string& question, std::uint32_t pid,
                                    const std::function<bool(std::string_view)>& on_piece) {
  constexpr auto limit = static_cast<DWORD>(channel::patience.count());
  if (pid == 0) return sys_failure(ERROR_SERVICE_NOT_ACTIVE);  // whoever answers for it is somebody else
  const std::wstring name = wide(address);
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
  pipe_end pipe(std::move(handle), nullptr);
  if (!pipe.is_open() || !pipe.write(question + '\n', limit)) return sys_failure(ERROR_BROKEN_PIPE);
  char piece[4096];
  for (;;) {
    bool late = false;
    const std::size_t got = pipe.read(piece, sizeof piece, 200, late);
    if (got == 0 && !late) return {};
    if (!on_piece(std::string_view(piece, got))) return {};
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
