// client: sends requests to an app in memory, without a socket. The head parser, the router, the middleware and the
// handler process the bytes of a request as in production, on the calling thread.
//
//   winsvc::testing::client client(App);
//   auto r = client.get("/users/7");
//   CHECK(r.status == 200);
//   CHECK(r.body == R"({"id":7})");
//   CHECK(client.websocket("/echo", {"hello"}).messages == std::vector<std::string>{"hello"});
//
// App runs and its routes are frozen. Start hooks and worker threads do not run; testing/scm.hpp runs them. The data
// folder is below the system's folder for temporary files. It is created at the first use and not removed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

using headers = std::vector<std::pair<std::string, std::string>>;

/// A parsed response.
struct client_response {
  int status = 0;  ///< 0: the connection was closed without a response
  testing::headers headers;
  std::string body;  ///< without chunked framing

  /// The value of the first header with this name, in any case; "" if it is missing.
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [known, value] : headers) {
      if (detail::base::equal_nocase(known, name)) return value;
    }
    return {};
  }
};

/// Parses the first response in `bytes` and removes it from there. `to_head`: the request was HEAD, so there is no
/// body. Skips interim responses (100).
[[nodiscard]] inline client_response parse_response(std::string& bytes, bool to_head = false) {
  client_response response;
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (bytes.compare(0, 7, "HTTP/1.") != 0 || end == std::string::npos) return response;
    const std::string head = bytes.substr(0, end);
    bytes.erase(0, end + 4);
    response.status = std::stoi(head.substr(9, 3));
    for (std::size_t position = head.find("\r\n"); position != std::string::npos;) {
      const auto next = head.find("\r\n", position + 2);
      const std::string line = head.substr(position + 2, next == std::string::npos ? next : next - position - 2);
      const auto colon = line.find(':');
      if (colon != std::string::npos)
        response.headers.emplace_back(line.substr(0, colon),
                                      detail::base::trim(std::string_view(line).substr(colon + 1)));
      position = next;
    }
    if (response.status >= 200 || response.status == 101) break;  // the body of a 101 is the other protocol
    response.headers.clear();
  }
  if (to_head || response.status == 204 || response.status == 304) return response;

  if (detail::base::equal_nocase(response.header("Transfer-Encoding"), "chunked")) {
    detail::wire::chunked_decoder decoder({}, ~std::uint64_t{0});
    std::size_t consumed = 0;
    static_cast<void>(decoder.feed(bytes, consumed, response.body));
    bytes.erase(0, consumed);
  } else {
    const std::string length = response.header("Content-Length");
    const std::size_t count =
        length.empty() ? bytes.size() : (std::min)(bytes.size(), static_cast<std::size_t>(std::stoull(length)));
    response.body = bytes.substr(0, count);
    bytes.erase(0, count);
  }
  return response;
}

/// The messages of a WebSocket, until it was closed.
struct websocket_transcript {
  int status = 0;                     ///< 101, or the status of the error response
  std::vector<std::string> messages;  ///< messages of the server
  int close_code = 0;                 ///< close code of the server; 0: it sent no close frame
};

/// A frame of a client, with a mask of zeros.
[[nodiscard]] inline std::string masked_frame(detail::wire::opcode opcode, std::string_view payload) {
  std::string out = detail::wire::frame(opcode, payload);
  out[1] = static_cast<char>(out[1] | 0x80);
  return out.insert(out.size() - payload.size(), 4, '\0');
}
/// Parses the frames of a server.
[[nodiscard]] inline websocket_transcript parse_transcript(int status, std::string_view bytes) {
  websocket_transcript t;
  t.status = status;
  const auto number = [&bytes](std::size_t position, std::size_t count) {
    std::size_t value = 0;
    for (std::size_t i = position; i < position + count && i < bytes.size(); ++i)
      value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  };
  while (bytes.size() > 1) {
    const auto opcode = static_cast<detail::wire::opcode>(bytes[0] & 0x0F);
    std::size_t length = number(1, 1);
    const std::size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;  // RFC 6455 section 5.2
    if (length_bytes != 0) length = number(2, length_bytes);
    bytes.remove_prefix((std::min)(bytes.size(), 2 + length_bytes));
    if (opcode == detail::wire::opcode::text || opcode == detail::wire::opcode::binary)
      t.messages.emplace_back(bytes.substr(0, length));
    if (opcode == detail::wire::opcode::close)
      t.close_code = length < 2 ? detail::wire::close_code::none : static_cast<int>(number(0, 2));
    bytes.remove_prefix((std::min)(bytes.size(), length));
  }
  return t;
}

/// A transport that reads from memory and writes to memory. One `receive` returns at most `max_chunk` bytes; after the
/// input, the stream is closed.
class memory_transport final : public detail::http::transport {
 public:
  explicit memory_transport(std::string input, std::size_t max_chunk = ~std::size_t{0})
      : input_(std::move(input)), max_chunk_(max_chunk) {}

  detail::os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                       std::chrono::milliseconds) noexcept override {
    received = (std::min)({capacity, max_chunk_, input_.size() - position_});
    if (received == 0) return detail::os::transfer::closed;
    input_.copy(buffer, received, position_);
    position_ += received;
    return detail::os::transfer::done;
  }
  detail::os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds timeout) noexcept override {
    return receive(buffer, capacity, received, timeout);
  }
  detail::os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds) noexcept override {
    output.append(from, count);
    ++sends;
    return detail::os::transfer::done;
  }
  detail::os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return count == 0 ? detail::os::transfer::done : send(from, count, {});
  }
  detail::http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override {
    return receive_count-- > 0 ? detail::http::stream_event::timed_out : detail::http::stream_event::peer_closed;
  }
  detail::http::close_reason shutdown(detail::http::close_reason reason) noexcept override { return reason; }
  [[nodiscard]] detail::os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] detail::os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string output;
  int sends = 0;          ///< number of writes
  int receive_count = 3;  ///< number of waits of a streaming handler before the client disconnects; no time passes

 private:
  std::string input_;
  std::size_t max_chunk_;
  std::size_t position_ = 0;
};

/// A client of one app.
class client {
 public:
  /// `app`: a function or another callable; it must outlive the client. For an App that is a type, pass
  /// `std::in_place_type<T>`. `time`: the clock of the service; it must outlive the client.
  template <class App>
  explicit client(App& app, const clock& time = clock::system()) : client(detail::api::app_of_callable(app), time) {}
  template <class App>
  explicit client(std::in_place_type_t<App>, const clock& time = clock::system())
      : client(detail::api::app_of_type<App>(), time) {}
  template <class App>
  client(App&& app, const clock&& time) = delete;  ///< the clock would end before the client

  /// Requests by method. A body has the given Content-Type.
  client_response get(std::string_view target, const headers& extra = {}) { return request("GET", target, extra); }
  client_response head(std::string_view target, const headers& extra = {}) { return request("HEAD", target, extra); }
  client_response del(std::string_view target, const headers& extra = {}) { return request("DELETE", target, extra); }
  client_response options(std::string_view target, const headers& extra = {}) {
    return request("OPTIONS", target, extra);
  }
  client_response post(std::string_view target, std::string body, std::string type = "application/json") {
    return request("POST", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  client_response put(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PUT", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  client_response patch(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PATCH", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }

  /// Sends a request with any method. Adds `Host: test` if `extra` has no Host, and Content-Length if there is a body.
  client_response request(std::string_view method, std::string_view target, const headers& extra = {},
                          const std::string& body = {}) {
    std::string bytes = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\n" + fields_of(extra);
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    std::string out = raw(bytes + "\r\n" + body);
    return parse_response(out, method == "HEAD");
  }

  /// Opens a WebSocket, sends the texts and a close frame, and returns when the handler has returned.
  [[nodiscard]] websocket_transcript websocket(std::string_view target, const std::vector<std::string>& texts,
                                               const headers& extra = {}) {
    std::string bytes = "GET " + std::string(target) +
                        " HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
                        fields_of(extra) + "\r\n";
    for (const auto& text : texts) bytes += masked_frame(detail::wire::opcode::text, text);
    bytes +=
        masked_frame(detail::wire::opcode::close, detail::wire::close_payload(detail::wire::close_code::normal, {}));
    std::string out = raw(std::move(bytes));
    const client_response handshake = parse_response(out);
    return parse_transcript(handshake.status,
                            handshake.status == 101 ? std::string_view(handshake.body) : std::string_view());
  }

  /// Sends the bytes of one connection. Returns the bytes of all responses.
  [[nodiscard]] std::string raw(std::string bytes) {
    memory_transport transport(std::move(bytes));
    engine_->serve_transport(transport);
    return std::move(transport.output);
  }

  /// The log entries of the app, oldest first.
  [[nodiscard]] const std::vector<log_entry>& log() const noexcept { return log_sink_->entries; }
  [[nodiscard]] detail::server::engine& engine() noexcept { return *engine_; }

 private:
  /// The header lines of a request, with a Host field.
  [[nodiscard]] static std::string fields_of(const headers& extra) {
    std::string lines;
    bool has_host = false;
    for (const auto& [name, value] : extra) {
      has_host = has_host || detail::base::equal_nocase(name, "Host");
      lines += name + ": " + value + "\r\n";
    }
    return (has_host ? "" : "Host: test\r\n") + lines;
  }

  struct memory_sink final : log_sink {
    void write(const log_entry& entry) noexcept override { entries.push_back(entry); }
    std::vector<log_entry> entries;
  };

  client(const detail::api::app_factory& app, const clock& time)
      : definition_(std::make_unique<detail::host::service_definition>(time)),
        log_sink_(std::make_shared<memory_sink>()) {
    definition_->spec.name = "test";
    definition_->data_folder = detail::os::path_join(detail::os::temporary_folder(),
                                                     "winsvc-test-" + std::to_string(detail::os::process_id()));
    definition_->log.add_sink(log_sink_);
    service_ = std::make_unique<service>(*definition_);  // a member, because handlers may have captured it by reference
    object_ = definition_->call_app(app, *service_);
    detail::host::add_health_routes(*definition_, [] { return detail::host::run_phase::serving; });
    definition_->freeze();
    engine_ = std::make_unique<detail::server::engine>(definition_->router, definition_->limits, definition_->log,
                                                        *definition_->time);
    for (const auto& notify : definition_->on_engine_created) notify(*engine_);
  }

  std::unique_ptr<detail::host::service_definition> definition_;
  std::shared_ptr<memory_sink> log_sink_;
  std::unique_ptr<service> service_;
  std::shared_ptr<void> object_;
  std::unique_ptr<detail::server::engine> engine_;
};

}  // namespace testing
}  // namespace winsvc
