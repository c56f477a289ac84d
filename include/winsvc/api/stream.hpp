// An answer that is written while it is made: a stream of bytes, and server-sent events over one.
//
//   svc.get("/numbers", [] {
//     return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
//       for (int i = 0; i < 1000 && out.write(std::to_string(i) + "\n"); ++i) {}
//     });
//   });
//   svc.get("/ticks", [] {
//     return winsvc::reply::events([](winsvc::event_stream& out) {
//       while (out.wait_for(1s)) out.send("tick");
//     });
//   });
//
// Both have a thread to themselves while they last, none of those that serve. `wait_for` ends early, and says so, when the client has left and
// when the service stops: return then.
// Source of the events' form: the HTML standard, section "Server-sent events".
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {
struct exchange;
}

/// Used on the thread that writes the answer.
class stream {
 public:
  stream(httplib::DataSink& sink, http::exchange& exchange) noexcept : sink_(sink), exchange_(exchange) {}

  /// False when the client is gone: there is nobody to write for.
  bool write(std::string_view bytes);
  /// Waits that long. False at once when the client has left or the service stops: then a last word may still be sent.
  bool wait_for(std::chrono::milliseconds how_long);
  /// Is there a reason to go on: a client, and a service that does not stop?
  [[nodiscard]] bool is_open() const noexcept;

 private:
  httplib::DataSink& sink_;
  http::exchange& exchange_;
  bool open_ = true;
};

/// Server-sent events: what an EventSource in a page reads.
class event_stream {
 public:
  explicit event_stream(stream& out, std::string last_event_id) : out_(out), last_id_(std::move(last_event_id)) {}

  /// One event. `name`: its type, default "message"; `id`: what the client sends as Last-Event-ID when it comes back.
  bool send(std::string_view data, std::string_view name = {}, std::string_view id = {});
  /// How long the client waits before it comes back after the connection was lost.
  bool retry_after(std::chrono::milliseconds pause) {
    return out_.write("retry: " + std::to_string(pause.count()) + "\n\n");
  }
  /// As stream's. A comment goes out every 15 s, so that proxies and vanished clients are not waited for.
  bool wait_for(std::chrono::milliseconds how_long);
  [[nodiscard]] bool is_open() const noexcept { return out_.is_open(); }
  /// Of the last event that the client got before it came back; "" at first.
  [[nodiscard]] const std::string& last_event_id() const noexcept { return last_id_; }

 private:
  stream& out_;
  std::string last_id_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE bool event_stream::send(std::string_view data, std::string_view name, std::string_view id) {
  const auto format_single_line = [](std::string_view field, std::string_view value) {
    std::string line(field);
    for (const char c : value) {
      if (c != '\n' && c != '\r' && c != '\0') line += c;
    }
    return line + '\n';
  };
  std::string text;
  if (!id.empty()) text += format_single_line("id: ", id);
  if (!name.empty()) text += format_single_line("event: ", name);
  for (;;) {  // each line of the data is a field; \n, \r and \r\n all end one
    const auto end = data.find_first_of("\r\n");
    text += "data: " + std::string(data.substr(0, end)) + '\n';
    if (end == data.npos) break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  return out_.write(text + '\n');
}

WINSVC_INLINE bool event_stream::wait_for(std::chrono::milliseconds how_long) {
  constexpr std::chrono::milliseconds quiet_for{15'000};
  for (; how_long > quiet_for; how_long -= quiet_for) {
    if (!out_.wait_for(quiet_for) || !out_.write(": still here\n\n")) return false;
  }
  return out_.wait_for(how_long);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
