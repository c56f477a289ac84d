// Fuzz test of whole connections: the responses and the end of a connection do not depend on how the bytes of the
// client are split, nor on how many bytes of a response the client reads at a time.
//
// The first byte of the input is the seed of the sizes; the other bytes are those of the client, which then closes its
// side. They are delivered whole, and then in pieces. The clock does not advance, so no timeout passes.
#include <winsvc/testing.hpp>

#include "../support/memory_transport.hpp"
#include "require.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace detail = winsvc::detail;
using detail::http::close_reason;
using detail::os::transfer;
using detail::server::wait_reason;

namespace {

/// A client whose bytes arrive in pieces. A call that does not wait receives at most the rest of one piece and sends at
/// most one piece; then it times out until next_input() or allow_output(). A call that waits goes on at once.
class split_client final : public memory_transport {
 public:
  /// `seed`: nullopt for a client whose bytes arrive whole.
  split_client(std::string_view input, std::optional<std::uint32_t> seed) : input_(input), seed_(seed) {
    next_input();
    allow_output();
  }

  transfer receive(char* buffer, std::size_t capacity, std::size_t& received,
                   std::chrono::milliseconds limit) noexcept override {
    received = 0;
    if (position_ == available_ && limit.count() > 0) next_input();
    if (position_ == input_.size() && end_is_available_) return transfer::closed;
    received = input_.copy(buffer, (std::min)(capacity, available_ - position_), position_);
    position_ += received;
    return received == 0 ? transfer::timed_out : transfer::done;
  }
  transfer send_some(const char* bytes, std::size_t count, std::size_t& sent) noexcept override {
    sent = (std::min)(count, room_);
    room_ -= sent;
    output.append(bytes, sent);
    return sent == count ? transfer::done : transfer::timed_out;
  }
  bool wait_sendable(std::chrono::milliseconds) noexcept override {
    allow_output();
    return true;
  }
  detail::http::stream_event wait_stream_event(std::chrono::milliseconds) noexcept override {
    return detail::http::stream_event::timed_out;
  }
  close_reason shutdown(close_reason reason) noexcept override {
    if (!is_shut_down) received_before_end = position_;
    is_shut_down = true;
    return reason;
  }

  void next_input() noexcept {
    end_is_available_ = available_ == input_.size();
    available_ = (std::min)(input_.size(), available_ + next_size());
    if (!seed_) end_is_available_ = true;
  }
  void allow_output() noexcept { room_ = next_size(); }

  bool is_shut_down = false;
  std::size_t received_before_end = 0;  ///< bytes that the server had received when it ended the connection

 private:
  /// Small sizes are more frequent than large ones.
  std::size_t next_size() noexcept {
    if (!seed_) return ~std::size_t{0} / 2;
    *seed_ = *seed_ * 1664525u + 1013904223u;
    return std::size_t{1} + (*seed_ >> 24) % (std::size_t{1} << (*seed_ >> 16) % 11);
  }

  const std::string_view input_;
  std::optional<std::uint32_t> seed_;
  std::size_t position_ = 0, available_ = 0, room_ = 0;
  bool end_is_available_ = false;
};

winsvc::event_channel& events() {
  static winsvc::event_channel channel(2);
  return channel;
}

void add_routes(winsvc::service& svc) {
  svc.limits().body_bytes = 3000;
  svc.limits().head_bytes = 2000;
  svc.get("/", [] { return "hello"; });
  svc.get("/n/{id}", [](int id) { return std::to_string(id); });
  svc.get("/t/{path...}", [](std::string path) { return path; });
  svc.post("/echo", [](const winsvc::request& req) { return req.body; });
  svc.put("/json", [](winsvc::body<winsvc::json> b) { return b->dump(); });
  svc.post("/form", [](const winsvc::request& req) { return winsvc::find_form<std::string>(req, "a").value_or("-"); });
  svc.get("/q", [](const winsvc::request& req) { return winsvc::find_query<std::string>(req, "a").value_or("-"); });
  svc.get("/h", [](const winsvc::request& req) {
    return winsvc::header_text(req, "X-A") + winsvc::find_cookie(req, "c").value_or("-");
  });
  svc.get("/204", [] { return winsvc::reply(204); });
  svc.get("/304", [] { return winsvc::reply(304); });
  svc.get("/abort", []() -> std::string { winsvc::abort(409, "conflict"); });
  svc.get("/throw", []() -> std::string { throw std::runtime_error("failure"); });
  svc.get("/large", [] { return std::string(20'000, 'x'); });
  svc.get("/stream", [] {
    return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
      for (const char* word : {"one ", "two ", "three"}) out.write(word);
    });
  });
  svc.get("/events", [] { return winsvc::reply::events(events()); });
  svc.post("/upload", [](winsvc::upload files) {
    std::string text;
    for (const auto& file : files.files()) text += file.name() + '=' + std::to_string(file.size()) + '\n';
    return text;
  }).limit_body(3000);
  svc.websocket("/ws", [](winsvc::websocket& ws) {
    while (const auto message = ws.receive()) ws.send(message->data);
  });
}

/// The app; its event channel has two events and is closed, so that its streams end.
const detail::host::service_definition& app() {
  static const auto definition = [] {
    auto made = std::make_unique<detail::host::service_definition>();
    winsvc::service svc(*made);
    add_routes(svc);
    made->freeze();
    events().send("first");
    events().send("second");
    events().close();
    return made;
  }();
  return *definition;
}

struct result {
  std::string output;
  bool ended_by_server = false;
  std::size_t received_before_end = 0;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t i = 0; (i = text.find(from, i)) != text.npos; i += to.size()) text.replace(i, from.size(), to);
}

/// Serves one connection to its end.
result serve(std::string_view bytes, std::optional<std::uint32_t> seed) {
  winsvc::testing::manual_clock time;
  winsvc::logger log;
  detail::http::request_processor processor(app().router, app().limits, log, time);
  detail::http::engine_state state(time);
  detail::server::scratch_buffers buffers;
  split_client client(bytes, seed);
  {
    detail::server::connection connection(client, processor, state, app().limits);
    const std::size_t max_steps = 100'000;
    std::size_t steps = 0;
    for (auto wait = connection.initial_wait(); wait.reason != wait_reason::closed && steps < max_steps; ++steps) {
      if (wait.reason == wait_reason::readable && steps > 0) client.next_input();
      if (wait.reason == wait_reason::writable) client.allow_output();
      wait = connection.advance(buffers, {});
      require(wait.reason != wait_reason::blocking_thread && wait.reason != wait_reason::stream_thread,
              "no step waits for a thread, because this thread may run each handler");
    }
    require(steps < max_steps, "the connection ends");
  }
  require(state.requests.in_flight() == 0, "no request remains in flight");
  require(state.buffered_body_bytes.load() == 0 && state.unsent_bytes.load() == 0, "no memory remains counted");
  require(state.streams.load() == 0 && state.body_threads.load() == 0 && state.websockets.load() == 0,
          "no thread remains counted");
  result found{std::move(client.output), client.is_shut_down, client.received_before_end};
  replace_all(found.output, processor.ids().next().substr(0, 7), "salted-");
  return found;
}

/// Removes what may differ: the date, the random boundary of several ranges, and 100 Continue, which is not sent if the
/// body has arrived.
std::string comparable(std::string output) {
  replace_all(output, "HTTP/1.1 100 Continue\r\n\r\n", "");
  for (std::size_t i = 0; (i = output.find("\r\nDate: ", i)) != output.npos; ++i) output.erase(i, 37);
  constexpr std::string_view boundary = "part-";
  constexpr std::size_t random_digits = 16;
  for (std::size_t i = 0; (i = output.find(boundary, i)) != output.npos; i += boundary.size())
    output.erase(i + boundary.size(), random_digits);
  return output;
}

/// True if the bytes end in the body of a request.
bool ends_in_body(std::string_view bytes) {
  namespace wire = detail::wire;
  for (;;) {
    const auto parsed = wire::parse_head(bytes, app().limits);
    if (parsed.kind != wire::head_parse_result::complete) return false;
    bytes.remove_prefix(parsed.consumed);
    if (parsed.value.framing == wire::framing::length) {
      if (bytes.size() < parsed.value.content_length) return true;
      bytes.remove_prefix(static_cast<std::size_t>(parsed.value.content_length));
    } else if (parsed.value.framing == wire::framing::chunked) {
      wire::chunked_decoder decoder(app().limits, ~std::uint64_t{0});
      std::string body;
      std::size_t consumed = 0;
      const auto step = decoder.feed(bytes, consumed, body);
      if (step != wire::chunked_decoder::step::done) return step == wire::chunked_decoder::step::more;
      bytes.remove_prefix(consumed);
    }
  }
}

/// True if `split` ends early, with `Connection: close` in its last response, because the body of the last request was
/// not complete: the server does not wait for a body that no handler reads, but goes on with the next request if the
/// body has arrived already. The bytes that the server had received then end in a body, and they have the same
/// responses if they arrive whole.
bool ends_before_body(std::string_view bytes, const std::string& whole_output, const result& split) {
  constexpr std::string_view close = "Connection: close\r\n";
  const std::string split_output = comparable(split.output);
  std::string prefix = split_output;
  const auto found = prefix.rfind(close);
  if (found == prefix.npos || !split.ended_by_server) return false;
  prefix.erase(found, close.size());
  if (whole_output.compare(0, prefix.size(), prefix) != 0) return false;
  const auto received = bytes.substr(0, split.received_before_end);
  return ends_in_body(received) && comparable(serve(received, std::nullopt).output) == split_output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  const auto whole = serve(bytes, std::nullopt);
  const auto split = serve(bytes, data[0]);
  const auto expected = comparable(whole.output), found = comparable(split.output);
  if (expected != found && ends_before_body(bytes, expected, split)) return 0;
  if (expected != found) std::fprintf(stderr, "whole:\n%s\nsplit:\n%s\n", expected.c_str(), found.c_str());
  require(expected == found, "the responses do not depend on how the bytes are split");
  require(whole.ended_by_server == split.ended_by_server, "the end does not depend on how the bytes are split");
  return 0;
}
