// A client without a socket: a request's bytes go through the gate, the router, cpp-httplib and the handler exactly as
// in production, on the calling thread.
//
//   winsvc::testing::client client(App);
//   auto r = client.get("/users/7");
//   CHECK(r.status == 200);
//   CHECK(r.body == R"({"id":7})");
//   CHECK(client.websocket("/echo", {"hello"}).messages == std::vector<std::string>{"hello"});
//
// The app is described and its routes are frozen; start hooks and workers do not run (testing/scm.hpp runs them). The
// data folder is one below the system's temporary folder, made when it is asked for, and left there.
#pragma once

#include <algorithm>
#include <atomic>
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

/// An answer, taken apart.
struct client_response {
  int status = 0;  ///< 0: the connection ended without one
  testing::headers headers;
  std::string body;  ///< chunks put together

  /// The first header of this name in any case, or "".
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [known, value] : headers) {
      if (strings::equal_nocase(known, name)) return value;
    }
    return {};
  }
};

/// Takes the answer to a request off the front of `bytes`. `to_head`: it was a HEAD, so no body follows.
/// Interim answers (100) are passed over.
[[nodiscard]] inline client_response parse_response(std::string& bytes, bool to_head = false) {
  client_response a;
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (bytes.compare(0, 7, "HTTP/1.") != 0 || end == std::string::npos) return a;
    const std::string head = bytes.substr(0, end);
    bytes.erase(0, end + 4);
    a.status = std::stoi(head.substr(9, 3));
    for (std::size_t position = head.find("\r\n"); position != std::string::npos;) {
      const auto next = head.find("\r\n", position + 2);
      const std::string line = head.substr(position + 2, next == std::string::npos ? next : next - position - 2);
      const auto colon = line.find(':');
      if (colon != std::string::npos)
        a.headers.emplace_back(line.substr(0, colon), strings::trim(std::string_view(line).substr(colon + 1)));
      position = next;
    }
    if (a.status >= 200 || a.status == 101) break;  // what follows a 101 is another protocol's: the body, here
    a.headers.clear();
  }
  if (to_head || a.status == 204 || a.status == 304) return a;

  if (strings::equal_nocase(a.header("Transfer-Encoding"), "chunked")) {
    wire::chunked_decoder decoder({}, ~std::uint64_t{0});
    std::size_t consumed = 0;
    static_cast<void>(decoder.feed(bytes, consumed, a.body));
    bytes.erase(0, consumed);
  } else {
    const std::string length = a.header("Content-Length");
    const std::size_t count =
        length.empty() ? bytes.size() : (std::min)(bytes.size(), static_cast<std::size_t>(std::stoull(length)));
    a.body = bytes.substr(0, count);
    bytes.erase(0, count);
  }
  return a;
}

/// What a WebSocket said, until it was over.
struct websocket_transcript {
  int status = 0;                     ///< 101, or what refused it
  std::vector<std::string> messages;  ///< of the server
  int close_code = 0;                 ///< the server's; 0: it ended without a goodbye
};

/// A frame as clients send it, with a mask of zeros.
[[nodiscard]] inline std::string masked_frame(wire::opcode what, std::string_view payload) {
  std::string out = wire::frame(what, payload);
  out[1] = static_cast<char>(out[1] | 0x80);
  return out.insert(out.size() - payload.size(), 4, '\0');
}
/// Takes the frames of a server apart.
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
    const auto what = static_cast<wire::opcode>(bytes[0] & 0x0F);
    std::size_t length = number(1, 1);
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (more != 0) length = number(2, more);
    bytes.remove_prefix((std::min)(bytes.size(), 2 + more));
    if (what == wire::opcode::text || what == wire::opcode::binary) t.messages.emplace_back(bytes.substr(0, length));
    if (what == wire::opcode::close)
      t.close_code = length < 2 ? wire::close_code::none : static_cast<int>(number(0, 2));
    bytes.remove_prefix((std::min)(bytes.size(), length));
  }
  return t;
}

/// Bytes from memory, bytes to memory. Gives its input in pieces of at most `piece`, then the end of the stream.
class memory_transport final : public http::transport {
 public:
  explicit memory_transport(std::string input, std::size_t chunk_size = ~std::size_t{0})
      : input_(std::move(input)), max_chunk_(chunk_size) {}

  os::transfer receive(char* buffer, std::size_t capacity, std::size_t& received, std::chrono::milliseconds) noexcept override {
    received = (std::min)({capacity, max_chunk_, input_.size() - position_});
    if (received == 0) return os::transfer::closed;
    input_.copy(buffer, received, position_);
    position_ += received;
    return os::transfer::done;
  }
  os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                            std::chrono::milliseconds limit) noexcept override {
    return receive(buffer, capacity, received, limit);
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds) noexcept override {
    output.append(from, count);
    ++sends;
    return os::transfer::done;
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    sent = count;
    return count == 0 ? os::transfer::done : send(from, count, {});
  }
  http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override {
    return receive_count-- > 0 ? http::stream_event::timed_out : http::stream_event::peer_closed;
  }
  http::close_reason shutdown(http::close_reason reason) noexcept override { return reason; }
  [[nodiscard]] os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string output;
  int sends = 0;  ///< how many writes the output came in
  int receive_count = 3;  ///< how often whoever streams may wait before the client leaves; no time passes

 private:
  std::string input_;
  std::size_t max_chunk_;
  std::size_t position_ = 0;
};

class client {
 public:
  /// A function or callable App; it must outlive the client. `std::in_place_type<T>` for an App that is a type.
  template <class App>
  explicit client(App& app) : client(host::app_of_callable(app)) {}
  template <class App>
  explicit client(std::in_place_type_t<App>) : client(host::app_of_type<App>()) {}

  client_response get(std::string_view target, const headers& extra = {}) { return request("GET", target, extra); }
  client_response head(std::string_view target, const headers& extra = {}) { return request("HEAD", target, extra); }
  client_response del(std::string_view target, const headers& extra = {}) { return request("DELETE", target, extra); }
  client_response options(std::string_view target, const headers& extra = {}) { return request("OPTIONS", target, extra); }
  client_response post(std::string_view target, std::string body, std::string type = "application/json") {
    return request("POST", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  client_response put(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PUT", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }
  client_response patch(std::string_view target, std::string body, std::string type = "application/json") {
    return request("PATCH", target, {{"Content-Type", std::move(type)}}, std::move(body));
  }

  /// Any request. Host is added, and Content-Length where there is a body.
  client_response request(std::string_view method, std::string_view target, const headers& extra = {},
                 const std::string& body = {}) {
    std::string bytes = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
    for (const auto& [name, value] : extra) bytes += name + ": " + value + "\r\n";
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    std::string out = raw(bytes + "\r\n" + body);
    return parse_response(out, method == "HEAD");
  }

  /// Opens a WebSocket, says these texts and then goodbye, and comes back when the handler has returned.
  [[nodiscard]] websocket_transcript websocket(std::string_view target, const std::vector<std::string>& texts,
                               const headers& extra = {}) {
    std::string bytes = "GET " + std::string(target) +
                        " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    for (const auto& [name, value] : extra) bytes += name + ": " + value + "\r\n";
    bytes += "\r\n";
    for (const auto& text : texts) bytes += masked_frame(wire::opcode::text, text);
    bytes += masked_frame(wire::opcode::close, wire::close_payload(wire::close_code::normal, {}));
    std::string out = raw(std::move(bytes));
    const client_response first = parse_response(out);
    return parse_transcript(first.status, first.status == 101 ? std::string_view(first.body) : std::string_view());
  }

  /// The bytes of one connection in, all bytes of its answers out.
  [[nodiscard]] std::string raw(std::string bytes) {
    memory_transport transport(std::move(bytes));
    engine_->serve(transport);
    return std::move(transport.output);
  }

  /// What the app logged, newest last.
  [[nodiscard]] const std::vector<log_entry>& log() const noexcept { return log_sink_->entries; }
  [[nodiscard]] http::engine& engine() noexcept { return *engine_; }

 private:
  struct memory_sink final : log_sink {
    void write(const log_entry& entry) noexcept override { entries.push_back(entry); }
    std::vector<log_entry> entries;
  };

  explicit client(const host::app_factory& app)
      : plan_(std::make_unique<host::service_definition>()), log_sink_(std::make_shared<memory_sink>()) {
    plan_->spec.name = "test";
    plan_->data_folder = os::path_join(os::temporary_folder(), "winsvc-test-" + std::to_string(os::process_id()));
    plan_->log.add_sink(log_sink_);
    service_ = std::make_unique<service>(*plan_);  // kept: handlers may have caught it by reference
    object_ = app(*service_);
    host::add_health_routes(*plan_, phase_);
    plan_->frozen = true;
    plan_->router.freeze();
    engine_ = std::make_unique<http::engine>(plan_->router, plan_->limits, plan_->log);
    for (const auto& notify : plan_->on_engine_created) notify(*engine_);
  }

  std::unique_ptr<host::service_definition> plan_;
  std::shared_ptr<memory_sink> log_sink_;
  std::unique_ptr<service> service_;
  std::shared_ptr<void> object_;
  std::atomic<host::run_phase> phase_{host::run_phase::serving};
  std::unique_ptr<http::engine> engine_;
};

}  // namespace testing
}  // namespace winsvc
