// Support for the tests of the host: a record of calls, a data folder, and requests to a running service.
#pragma once

#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace support {

using namespace std::chrono_literals;
using waiting::scoped_thread;
using waiting::wait_for_stop;
using waiting::wait_until;
using winsvc::testing::client_response;
using winsvc::testing::simulated_scm;

/// Records calls in order. Safe to call from any thread.
class diary {
 public:
  void note(std::string call) {
    const std::lock_guard lock(mutex_);
    if (!text_.empty()) text_ += ' ';
    text_ += call;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

/// The reported states in order, without repetitions.
inline std::string states(const simulated_scm& scm) {
  std::string text;
  auto last = winsvc::detail::scm::state::none;
  for (const auto& entry : scm.history()) {
    if (entry.status.current == last) continue;
    last = entry.status.current;
    if (!text.empty()) text += ", ";
    text += name(last);
  }
  return text;
}

inline int count_of(const simulated_scm& scm, winsvc::detail::scm::state state) {
  int count = 0;
  for (const auto& entry : scm.history()) count += entry.status.current == state ? 1 : 0;
  return count;
}

inline winsvc::detail::os::tcp_socket connected(const simulated_scm& scm) {
  const std::string url = scm.url();
  REQUIRE(url.find("http://127.0.0.1:") == 0);
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(17)));
  auto socket = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  REQUIRE(socket);
  return std::move(*socket);
}
inline void ask(winsvc::detail::os::tcp_socket& socket, std::string_view target) {
  const std::string bytes = "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  CHECK(socket.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::detail::os::transfer::done);
}
inline client_response hear(winsvc::detail::os::tcp_socket& socket) {
  std::string result;
  for (;;) {
    const auto end = result.find("\r\n\r\n");
    if (end != std::string::npos) {
      std::string head = result.substr(0, end + 4);
      if (result.size() >=
          end + 4 + std::stoul("0" + winsvc::testing::parse_response(head, true).header("Content-Length")))
        return winsvc::testing::parse_response(result);
    }
    char buffer[4096];
    std::size_t count = 0;
    if (socket.receive(buffer, sizeof buffer, count, waiting::limit()) != winsvc::detail::os::transfer::done) return {};
    result.append(buffer, count);
  }
}
inline client_response get(const simulated_scm& scm, std::string_view target) {
  auto socket = connected(scm);
  ask(socket, target);
  return hear(socket);
}

/// Waits until the listener is closed.
inline void until_drain(const simulated_scm& scm) {
  const auto port = static_cast<std::uint16_t>(std::stoi(scm.url().substr(17)));
  wait_until(
      [port] {
        return !winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, 1s);
      },
      "the listener to close");
}

inline bool has(const std::vector<std::string>& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(part) != std::string::npos; });
}

/// A temporary data folder.
struct folder {
  std::string path;
  folder() {
    static std::atomic<int> next{0};
    path = (std::filesystem::temp_directory_path() /
            ("winsvc-service-" + std::to_string(winsvc::detail::os::process_id()) + "-" + std::to_string(++next)))
               .string();
    std::filesystem::create_directories(path);
  }
  /// On Windows a file that an abandoned service has open is not deleted; remove_all of libstdc++ would retry forever.
  ~folder() {
    std::error_code ignored;
    std::vector<std::filesystem::path> paths{path};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, ignored)) paths.push_back(entry);
    for (auto entry = paths.rbegin(); entry != paths.rend(); ++entry) std::filesystem::remove(*entry, ignored);
  }
  std::string read(const char* name) const {
    return winsvc::detail::os::read_file(winsvc::detail::os::path_join(path, name)).value_or("");
  }
  std::string log() const { return read("logs/simulated.log"); }
  winsvc::detail::scm::saved_state left() const {
    return winsvc::detail::scm::parse_saved_state(read("state.json")).value_or(winsvc::detail::scm::saved_state{});
  }
};

/// Waits until the predicate is true. Returns false if it is still false at the limit of a wait.
template <class F>
bool eventually(F predicate) {
  for (const auto deadline = waiting::steady::now() + waiting::limit(); !predicate();
       std::this_thread::sleep_for(1ms)) {
    if (waiting::steady::now() >= deadline) return predicate();
  }
  return true;
}

}  // namespace support
