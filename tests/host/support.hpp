// What the tests of the host share: a diary of what happened, a data folder, requests to a service that runs.
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

/// What happened, in its order, from any thread.
class diary {
 public:
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    if (!text_.empty()) text_ += ' ';
    text_ += what;
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

/// The states that were reported, one after the other, without repetitions.
inline std::string states(const simulated_scm& scm) {
  std::string out;
  auto last = winsvc::model::state::none;
  for (const auto& h : scm.history()) {
    if (h.status.current == last) continue;
    last = h.status.current;
    if (!out.empty()) out += ", ";
    out += name(last);
  }
  return out;
}

inline int count_of(const simulated_scm& scm, winsvc::model::state s) {
  int n = 0;
  for (const auto& h : scm.history()) n += h.status.current == s ? 1 : 0;
  return n;
}

inline winsvc::os::tcp_socket connected(const simulated_scm& scm) {
  const std::string url = scm.url();
  REQUIRE(url.find("http://127.0.0.1:") == 0);
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(17)));
  auto made = winsvc::os::tcp_socket::connect({"127.0.0.1", port}, waiting::limit());
  REQUIRE(made);
  return std::move(*made);
}
inline void ask(winsvc::os::tcp_socket& to, std::string_view target) {
  const std::string bytes = "GET " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n";
  CHECK(to.send(bytes.data(), bytes.size(), waiting::limit()) == winsvc::os::transfer::done);
}
inline client_response hear(winsvc::os::tcp_socket& from) {
  std::string result;
  for (;;) {
    const auto end = result.find("\r\n\r\n");
    if (end != std::string::npos) {
      std::string head = result.substr(0, end + 4);
      if (result.size() >= end + 4 + std::stoul("0" + winsvc::testing::parse_response(head, true).header("Content-Length")))
        return winsvc::testing::parse_response(result);
    }
    char buffer[4096];
    std::size_t count = 0;
    if (from.receive(buffer, sizeof buffer, count, waiting::limit()) != winsvc::os::transfer::done) return {};
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
  wait_until([port] { return !winsvc::os::tcp_socket::connect({"127.0.0.1", port}, 1s); }, "the listener to close");
}

inline bool has(const std::vector<std::string>& lines, std::string_view part) {
  return std::any_of(lines.begin(), lines.end(), [&](const auto& l) { return l.find(part) != std::string::npos; });
}

/// A data folder of its own, gone at the end.
struct folder {
  std::string path;
  folder() {
    static std::atomic<int> next{0};
    path = (std::filesystem::temp_directory_path() /
            ("winsvc-service-" + std::to_string(winsvc::os::process_id()) + "-" + std::to_string(++next)))
               .string();
    std::filesystem::create_directories(path);
  }
  /// What a service that was given up still holds open stays on Windows; libstdc++'s remove_all would try it for ever.
  ~folder() {
    std::error_code ignored;
    std::vector<std::filesystem::path> inside{path};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, ignored)) inside.push_back(entry);
    for (auto each = inside.rbegin(); each != inside.rend(); ++each) std::filesystem::remove(*each, ignored);
  }
  std::string read(const char* name) const {
    return winsvc::os::read_file(winsvc::os::path_join(path, name)).value_or("");
  }
  std::string log() const { return read("logs/simulated.log"); }
  winsvc::model::saved_state left() const {
    return winsvc::model::parse_saved_state(read("state.json")).value_or(winsvc::model::saved_state{});
  }
};

/// Waits until the predicate is true. Returns false if it is still false at the limit of a wait.
template <class F>
bool eventually(F holds) {
  for (const auto deadline = waiting::steady::now() + waiting::limit(); !holds(); std::this_thread::sleep_for(1ms)) {
    if (waiting::steady::now() >= deadline) return holds();
  }
  return true;
}

}  // namespace support
