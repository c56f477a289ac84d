// Streams: responses that are written while the client reads, as bytes or as server-sent events.
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
// A stream occupies a thread until its function returns; `limits().streams` counts it, `limits().threads` and the queue
// of requests do not. `wait_for` returns false early when the client has disconnected or the service stops; return
// then. For events that many clients receive, use api/event_channel.hpp, which needs no thread for a client.
// Source: WHATWG HTML standard, section "Server-sent events".
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

namespace detail::http {
struct exchange;
}
namespace detail::api {
/// A server-sent event with its empty line. Line breaks end a line of `data`; in `name` and `id` they are removed.
[[nodiscard]] std::string format_event(std::string_view data, std::string_view name, std::string_view id);
}

/// A response body that the app writes. Use it only on the thread that runs the function.
class stream {
 public:
  stream(httplib::DataSink& sink, detail::http::exchange& exchange) noexcept : sink_(sink), exchange_(exchange) {}

  /// Sends bytes. Waits while the client does not read, at most `limits().write_timeout`. Returns false if the client
  /// has disconnected.
  bool write(std::string_view bytes);
  /// Waits for `duration` and returns true. Returns false at once if the client has disconnected, or if the service
  /// stops; when the service stops, a final write is still possible.
  bool wait_for(std::chrono::milliseconds duration);
  /// True until the client has disconnected or the service stops.
  [[nodiscard]] bool is_open() const noexcept;

 private:
  friend class reply;
  /// The header Last-Event-ID of the request; empty without one.
  [[nodiscard]] std::string last_event_id() const;

  httplib::DataSink& sink_;
  detail::http::exchange& exchange_;
  bool open_ = true;
};

/// Server-sent events, which the class EventSource of a browser receives. Use it only on the thread that runs the
/// function.
class event_stream {
 public:
  explicit event_stream(stream& out, std::string last_event_id) : out_(out), last_event_id_(std::move(last_event_id)) {}

  /// Sends an event. `name` is its type; default: "message". The client sends `id` as Last-Event-ID when it reconnects.
  /// Returns false if the client has disconnected.
  bool send(std::string_view data, std::string_view name = {}, std::string_view id = {});
  /// Sets the time that the client waits before it reconnects. Returns false if the client has disconnected.
  bool retry_after(std::chrono::milliseconds pause) {
    return out_.write("retry: " + std::to_string(pause.count()) + "\n\n");
  }
  /// Waits as stream::wait_for does. Sends a comment every 15 s, so that proxies keep the connection open and a client
  /// that has disconnected is detected.
  bool wait_for(std::chrono::milliseconds duration);
  /// True until the client has disconnected or the service stops.
  [[nodiscard]] bool is_open() const noexcept { return out_.is_open(); }
  /// ID of the last event that the client received before it reconnected; empty on the first connection.
  [[nodiscard]] const std::string& last_event_id() const noexcept { return last_event_id_; }

 private:
  stream& out_;
  std::string last_event_id_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE std::string detail::api::format_event(std::string_view data, std::string_view name, std::string_view id) {
  const auto single_line_field = [](std::string_view field, std::string_view value) {
    std::string line(field);
    for (const char c : value) {
      if (c != '\n' && c != '\r' && c != '\0') line += c;
    }
    return line + '\n';
  };
  const auto ends_line = [](char c) { return c == '\n' || c == '\r'; };
  std::string text;
  if (!id.empty()) text += single_line_field("id: ", id);
  if (!name.empty()) text += single_line_field("event: ", name);
  for (;;) {  // each line of the data is a separate field; \n, \r and \r\n end a line
    const auto length = static_cast<std::size_t>(std::find_if(data.begin(), data.end(), ends_line) - data.begin());
    text.append("data: ").append(data.substr(0, length)) += '\n';
    if (length == data.size()) break;
    data.remove_prefix(length + (data.substr(length, 2) == "\r\n" ? 2 : 1));
  }
  return text + '\n';
}

WINSVC_INLINE bool event_stream::send(std::string_view data, std::string_view name, std::string_view id) {
  return out_.write(detail::api::format_event(data, name, id));
}

WINSVC_INLINE bool event_stream::wait_for(std::chrono::milliseconds duration) {
  constexpr std::chrono::milliseconds comment_interval{15'000};
  for (; duration > comment_interval; duration -= comment_interval) {
    if (!out_.wait_for(comment_interval) || !out_.write(": keep-alive\n\n")) return false;
  }
  return out_.wait_for(duration);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
