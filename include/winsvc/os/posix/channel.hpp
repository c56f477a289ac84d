// os/channel.hpp on POSIX: a Unix socket.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/channel.hpp"
#include "winsvc/os/posix/door.hpp"
#include "winsvc/os/posix/file.hpp"
#include "winsvc/os/tcp.hpp"
#include "winsvc/os/visitors.hpp"

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A socket's address holds some hundred bytes. False: the path is longer.
bool unix_address(const std::string& path, sockaddr_un& into) noexcept;

/// EAGAIN: somebody listens there, and has not taken those who came before.
sys_result<tcp_socket> connect_unix(const std::string& path);

struct channel::body {
  std::string path;
  channel::answerer answer;
  tcp_socket listener;
  waker over;
  std::mutex mutex;
  bool closing = false;            // under mutex: who comes now is sent away
  std::list<tcp_socket*> talking;  // under mutex
  visitors guests{at_once};
  std::thread door;

  void serve() noexcept;
  void talk(tcp_socket& s) noexcept;
};

/// A line, without its end; nothing when it does not come in time.
bool read_question(tcp_socket& from, std::string& line);

std::string channel_address(const std::string&, const std::string& data_folder);

sys_result<void> ask_channel(const std::string& address, const std::string& question, std::uint32_t,
                                    const std::function<bool(std::string_view)>& on_piece);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE bool unix_address(const std::string& path, sockaddr_un& into) noexcept {
  into = {};
  into.sun_family = AF_UNIX;
  if (path.size() >= sizeof into.sun_path) return false;
  std::memcpy(into.sun_path, path.data(), path.size());
  return true;
}
WINSVC_INLINE sys_result<tcp_socket> connect_unix(const std::string& path) {
  sockaddr_un to{};
  if (!unix_address(path, to)) return sys_failure(ENAMETOOLONG);
  tcp_socket s(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!s.is_open()) return errno_failure();
  const int native = static_cast<int>(s.native());
  calls::no_inherit(native);
  calls::set_nonblocking(native);
  if (::connect(native, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return errno_failure();
  return s;
}
WINSVC_INLINE bool read_question(tcp_socket& from, std::string& line) {
  const auto until = std::chrono::steady_clock::now() + channel::patience;
  char piece[512];
  for (;;) {
    const auto end = line.find('\n');
    if (end != line.npos) return line.resize(end), true;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    std::size_t got = 0;
    if (line.size() > channel::longest_line || left.count() <= 0) return false;
    if (from.receive(piece, sizeof piece, got, left) != transfer::done) return false;
    line.append(piece, got);
  }
}

WINSVC_INLINE void channel::body::talk(tcp_socket& s) noexcept {
  try {
    std::string asked;
    {
      const std::lock_guard lock(mutex);
      if (closing) return s.close();
      talking.push_back(&s);
    }
    if (read_question(s, asked))
      answer(asked, [&s](std::string_view piece) {
        return (piece.empty() ? !s.peer_closed() : s.send(piece.data(), piece.size(), patience) == transfer::done);
      });
  } catch (const std::exception&) {  // no memory: the answer ends here
  }
  const std::lock_guard lock(mutex);
  talking.remove(&s);
  s.close();
}

WINSVC_INLINE void channel::body::serve() noexcept {
  for (;;) {
    const auto what = over.wait_for(listener, waker::no_limit);
    if (what == waker::outcome::woken || what == waker::outcome::failed) return;
    auto got = accept_from(listener.native());
    if (!got) {  // who comes is still there to be taken: without a pause we would only ask for him again
      const bool news = calls::would_block(got.error()) || got.error() == ECONNABORTED;
      if (!news) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    try {
      guests.admit([this, s = std::make_shared<tcp_socket>(*std::move(got))] { talk(*s); });
    } catch (const std::exception&) {  // no memory: whoever asked sees the end of it
    }
  }
}

WINSVC_INLINE channel::channel(std::unique_ptr<body> made) : body_(std::move(made)) {
  body_->door = std::thread([b = body_.get()] { b->serve(); });
}

WINSVC_INLINE channel::~channel() {
  body_->over.wake();
  const auto send_away = [this] {
    const std::lock_guard lock(body_->mutex);
    body_->closing = true;
    for (auto* s : body_->talking) s->shutdown_both();
  };
  send_away();  // the door may wait for one of them to end
  body_->door.join();
  send_away();
  body_->guests.wait_for_all();
  ::unlink(body_->path.c_str());
}

WINSVC_INLINE sys_result<std::unique_ptr<channel>> channel::open(const std::string& address, answerer answer) {
  sockaddr_un at{};
  if (!unix_address(address, at)) return sys_failure(ENAMETOOLONG);
  const auto there = connect_unix(address);
  if (there || there.error() == EAGAIN) return sys_failure(EADDRINUSE);
  struct stat what {};
  if (::lstat(address.c_str(), &what) == 0) {
    if (!S_ISSOCK(what.st_mode)) return sys_failure(EEXIST);  // a file of the app's, perhaps
    ::unlink(address.c_str());                                // what a process left that is no more
  }
  auto made = std::make_unique<body>();
  made->path = address;
  made->answer = std::move(answer);
  made->listener = tcp_socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  const int native = static_cast<int>(made->listener.native());
  if (native == -1 || !made->over.is_open()) return errno_failure();
  calls::no_inherit(native);
  calls::set_nonblocking(native);
  // Nobody can connect before it listens, and by then it is for its owner alone.
  if (::bind(native, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return errno_failure();
  if (::chmod(address.c_str(), 0600) != 0 || ::listen(native, 8) != 0) {
    const auto why = errno_failure();
    ::unlink(address.c_str());
    return why;
  }
  try {
    return std::unique_ptr<channel>(new channel(std::move(made)));
  } catch (const std::exception&) {
    ::unlink(address.c_str());
    return sys_failure(EAGAIN);
  }
}

WINSVC_INLINE std::string channel_address(const std::string&, const std::string& data_folder) {
  return path_join(data_folder, "control.sock");
}

WINSVC_INLINE sys_result<void> ask_channel(const std::string& address, const std::string& question, std::uint32_t,
                                    const std::function<bool(std::string_view)>& on_piece) {
  const auto until = std::chrono::steady_clock::now() + channel::patience;
  auto s = connect_unix(address);
  while (!s && s.error() == EAGAIN && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    s = connect_unix(address);
  }
  if (!s) return sys_failure(s.error());
  const std::string line = question + '\n';
  if (s->send(line.data(), line.size(), channel::patience) != transfer::done) return sys_failure(EPIPE);
  char piece[4096];
  for (;;) {
    std::size_t got = 0;
    const auto what = s->receive(piece, sizeof piece, got, std::chrono::milliseconds(200));
    if (what == transfer::closed) return {};
    if (what == transfer::failed) return sys_failure(EPIPE);
    if (!on_piece(std::string_view(piece, what == transfer::done ? got : 0))) return {};
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
