// Each allocation of a request, of an event channel and of other objects of HTTP fails once. Afterwards the engine
// serves the same request as if nothing had happened.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"
#include "../support/test_folder.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <doctest/doctest.h>

  #include <chrono>
  #include <cstddef>
  #include <filesystem>
  #include <memory>
  #include <new>
  #include <optional>
  #include <stdexcept>
  #include <string>
  #include <string_view>
  #include <system_error>
  #include <utility>

  #include <unistd.h>

using namespace std::chrono_literals;
using failing_allocations::descriptors;
using failing_allocations::each_failure;
using failing_allocations::fixed_sink;
using failing_allocations::fixed_time;
using failing_allocations::missing;
using failing_allocations::outcome;
using failing_allocations::sweep;
using winsvc::reply;
using winsvc::request;
using winsvc::testing::memory_transport;
using winsvc::detail::wire::opcode;
namespace http = winsvc::detail::http;
namespace os = winsvc::detail::os;

namespace {

/// A folder with files, for all servers.
const test_folder& static_files() {
  static const test_folder folder("static-sweep");
  static const bool is_filled = [] {
    std::filesystem::create_directories(folder.path / "css");
    bool done = true;
    for (const auto& [name, size] : {std::pair("index.html", 100), std::pair("digits.txt", 100'000),
                                     std::pair("css/site.css", 100), std::pair("css/site.css.gz", 30)})
      done = done && os::replace_file(folder.name(name), std::string(static_cast<std::size_t>(size), '7'));
    return done;
  }();
  REQUIRE(is_filled);
  return folder;
}

/// The WebSocket of the last handler, as another thread may keep it.
std::optional<winsvc::websocket> kept_websocket;

void describe(winsvc::service& svc) {
  svc.access_log();
  svc.get("/", [] { return std::string(100, 'x'); });
  svc.get("/large", [] { return std::string(20'000, 'x'); });
  svc.get("/items/{id}", [](const request& req, int id) { return std::to_string(id) + req.get_param_value("q"); });
  svc.post("/echo", [](const request& req) { return req.body; });
  svc.post("/form", [](const request& req) { return req.form.get_field("a") + req.get_param_value("a"); });
  svc.post("/upload", [](winsvc::upload files) { return std::to_string(files.files().size()); });
  svc.get("/failure", []() -> std::string { throw std::runtime_error("a reason that is longer than a short string"); });
  svc.get("/timeout", [] { return "in time"; }).timeout(1h);
  svc.get("/stream", [] {
    return reply::stream("text/plain", [](winsvc::stream& out) {
      for (int i = 0; i < 3 && out.write("a part of a stream\n"); ++i) {}
    });
  });
  svc.get("/own-stream", [](winsvc::response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
      try {
        sink.write("a part of a stream\n", 19);
        sink.done_with_trailer({{"X-End", std::string(18, 'x')}});  // the end needs memory
      } catch (const std::bad_alloc&) {  // the provider is called again
      }
      return true;
    });
  });
  svc.group("/session", [](winsvc::route_group& group) {
    group.use(winsvc::sessions(std::string(32, 'k')));
    group.use(winsvc::rate_limit(1e6, 1e6));
    group.get("", [](const request& req) {
      winsvc::session::of(req).set("a name", "a value");
      return "session";
    });
  });
  svc.files("/files", static_files().path.string());
  svc.get("/download", [] { return reply::file(static_files().name("digits.txt"), "a name of the file.txt"); });
  svc.websocket("/websocket", [](winsvc::websocket& ws) {
    kept_websocket = ws;
    while (const auto message = ws.receive()) ws.send(message->data);
  });
}

std::filesystem::path upload_folder() {
  return std::filesystem::temp_directory_path() / ("winsvc-upload-sweep-" + std::to_string(::getpid()));
}

/// An engine, and a connection in memory that has received `input`.
struct test_server {
  winsvc::detail::host::service_definition definition{fixed_time};
  winsvc::service svc{definition};
  std::shared_ptr<fixed_sink> log = std::make_shared<fixed_sink>();
  std::unique_ptr<winsvc::detail::server::engine> engine;
  memory_transport transport;
  std::string descriptors_before;

  explicit test_server(const std::string& input) : transport(input) {
    transport.output.reserve(256 * 1024);  // without an allocation in the transport
    describe(svc);
    definition.router.upload_folder = upload_folder().string();
    definition.freeze();
    definition.log.add_sink(log);
    engine = std::make_unique<winsvc::detail::server::engine>(definition.router, definition.limits, definition.log,
                                                              fixed_time);
    for (const auto& notify : definition.on_engine_created) notify(*engine);
    descriptors_before = descriptors();
  }
  /// The response to `input`, without random texts.
  [[nodiscard]] std::string respond(const std::string& input) {
    memory_transport next(input);
    engine->serve_transport(next);
    return without_random_texts(next.output);
  }
  [[nodiscard]] static std::string without_random_texts(std::string response) {
    constexpr std::size_t size = 16;
    const std::string_view boundary = "part-";
    for (auto at = response.find(boundary); at != response.npos; at = response.find(boundary, at + 1))
      response.erase(at + boundary.size(), size);
    const std::string_view member = "\"request_id\":\"";
    const auto id = response.find(member);
    if (id != response.npos) response.erase(id, response.find('"', id + member.size()) - id);
    return response;
  }
  /// A fault that the failure has left; empty: none.
  [[nodiscard]] std::string leftovers() const {
    if (engine->in_flight() != 0) return "a request is in flight";
    if (engine->websockets() != 0) return "a WebSocket is open";
    if (kept_websocket && kept_websocket->send("a message")) return "the WebSocket of a closed connection has sent";
    if (std::filesystem::exists(upload_folder()) && !std::filesystem::is_empty(upload_folder()))
      return "a file of an upload is left";
    if (descriptors() != descriptors_before) return "a descriptor is open";
    return {};
  }
};

std::string get(const std::string& target, const std::string& fields = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}
std::string post(const std::string& target, const std::string& type, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// A fault of a response that is not the complete one. It may be a 503 or incomplete: the client notices both.
std::string fault_of(const std::string& response, const std::string& complete) {
  const bool is_rejection = response.compare(0, 13, "HTTP/1.1 503 ") == 0;
  const bool is_part = complete.compare(0, response.size(), response) == 0;
  return is_rejection || is_part ? std::string() : "the response is '" + response + '\'';
}

const std::string multipart =
    "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nthe text of a field of the form\r\n"
    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a file.txt\"\r\n\r\n"
    "the bytes of a file\r\n--b--\r\n";

const std::string handshake = get("/websocket",
                                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");

/// Lets each allocation of a request fail, and sends it again.
void sweep_request(const std::string& input, std::string_view status) {
  const std::string complete = test_server(input).respond(input);
  REQUIRE_MESSAGE(complete.compare(0, 9 + status.size(), "HTTP/1.1 " + std::string(status)) == 0, complete);
  each_failure(input.substr(0, input.find("\r\n\r\n")), [&] { return std::make_unique<test_server>(input); },
               [](test_server& server) { server.engine->serve_transport(server.transport); },
               [&](test_server& server, outcome) {
                 std::string fault = fault_of(test_server::without_random_texts(server.transport.output), complete);
                 if (fault.empty()) fault = server.leftovers();
                 if (!fault.empty()) return fault;
                 const std::string again = server.respond(input);
                 return again == complete ? std::string() : "the next response is '" + again + '\'';
               });
}

}  // namespace

TEST_CASE("an engine serves a request again whose allocation failed") {
  const winsvc::scope_exit remove_files([]() noexcept {
    std::error_code ignored;
    std::filesystem::remove_all(upload_folder(), ignored);
  });
  const std::string boundary = "multipart/form-data; boundary=b";
  for (const auto& input :
       {get("/"), get("/large"), get("/large", "Range: bytes=0-9,20-29,100-199\r\n"),
        get("/large", "Range: bytes=5-\r\n"),
        get("/items/7?q=a+text+of+30+characters+in+it", "Cookie: a=b\r\nAccept: text/html\r\n"), get("/missing"),
        get("/items/x"), get("/failure"), get("/timeout"), get("/stream"), get("/session"),
        post("/echo", "text/plain", std::string(100, 'x')),
        post("/form", "application/x-www-form-urlencoded", "a=b&c=d"),
        post("/form", boundary, multipart), post("/upload", boundary, multipart),
        post("/upload", "text/plain", std::string(20'000, 'x')), std::string("GET / HTTP/9\r\n\r\n")}) {
    sweep_request(input, "");
  }
}

TEST_CASE("a static folder serves a file again whose allocation failed, and closes it") {
  for (const auto& [input, status] :
       {std::pair(get("/files/"), "200"), std::pair(get("/files/digits.txt", "Range: bytes=0-9\r\n"), "206"),
        std::pair(get("/files/digits.txt", "Range: bytes=0-9,20-29,90000-\r\n"), "206"),
        std::pair(get("/files/digits.txt", "Range: bytes=100000-\r\n"), "416"),
        std::pair(get("/files/digits.txt", "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\n"), "304"),
        std::pair(get("/files/css/site.css", "Accept-Encoding: gzip\r\n"), "200"), std::pair(get("/files/css"), "308"),
        std::pair(get("/files/missing"), "404"), std::pair(get("/download"), "200")})
    sweep_request(input, status);
}

TEST_CASE("a WebSocket whose allocation failed is closed, and a copy of it sends nothing") {
  const auto frame = [](opcode code, const std::string& text) { return winsvc::testing::masked_frame(code, text); };
  const std::string input = handshake + frame(opcode::text, std::string(100, 'x')) + frame(opcode::ping, "a ping") +
                            frame(opcode::text, std::string(20'000, 'y')) + frame(opcode::close, "");
  const std::string complete = test_server(input).respond(input);
  each_failure("a WebSocket",
               [&] {
                 kept_websocket.reset();
                 return std::make_unique<test_server>(input);
               },
               [](test_server& server) { server.engine->serve_transport(server.transport); },
               [&](test_server& server, outcome) {
                 if (auto fault = server.leftovers(); !fault.empty()) return fault;
                 return server.respond(input) == complete ? std::string() : std::string("another response");
               });
  kept_websocket.reset();
}

TEST_CASE("no response follows a stream without its end") {
  const std::string input = get("/own-stream") + get("/");
  each_failure("a stream", [&] { return std::make_unique<test_server>(input); },
               [](test_server& server) { server.engine->serve_transport(server.transport); },
               [](test_server& server, outcome) {
                 const std::string& output = server.transport.output;
                 const auto next = output.find("HTTP/1.1 ", 1);
                 const std::string end = "\r\n0\r\nX-End: " + std::string(18, 'x') + "\r\n\r\n";
                 const bool has_end =
                     next == output.npos || output.compare(next - end.size(), end.size(), end) == 0;
                 const bool is_stream = output.compare(0, 13, "HTTP/1.1 200 ") == 0;
                 return has_end || !is_stream ? std::string() : output;
               });
}

TEST_CASE("an event channel keeps its events and subscribers if an allocation fails") {
  struct test_channel {
    std::shared_ptr<http::channel> channel = std::make_shared<http::channel>(4);
    std::shared_ptr<http::event_subscription> subscription;
    memory_transport transport{std::string()};
    [[nodiscard]] std::string events() {
      if (!subscription) subscription = channel->subscribe({});
      channel->publish("last", {}, {});
      winsvc::detail::base::byte_block text;
      while (subscription->take(transport, text, 1000, true) == http::subscription_state::events) {}
      return std::to_string(channel->size()).append(text.view());
    }
  };
  const auto with_events = [] {
    auto made = std::make_unique<test_channel>();
    made->channel->publish_retry("retry: 10000000000000000000\n\n");
    made->channel->publish("an event that is longer than a short string", "name", "1");
    return made;
  };
  const auto events = [](test_channel& c) { return c.events(); };
  sweep("channel::subscribe", with_events, [](test_channel& c) { c.subscription = c.channel->subscribe("1"); }, events);
  const auto with_subscriber = [&] {
    auto made = with_events();
    made->subscription = made->channel->subscribe("0");
    return made;
  };
  sweep("channel::publish", with_subscriber,
        [](test_channel& c) { c.channel->publish("another event that is longer than a short string", "name", "2"); },
        events);
}

TEST_CASE("the statistics of requests work if there was no memory for their first second") {
  const auto at = [](std::chrono::seconds offset) { return std::chrono::steady_clock::time_point(1000s + offset); };
  each_failure("request_statistics::record", [] { return std::make_unique<http::request_statistics>(); },
               [&](http::request_statistics& s) {
                 for (int second = 0; second < 3; ++second) s.record(at(std::chrono::seconds(second)), 1ms, 200);
               },
               [&](http::request_statistics& s, outcome) {
                 s.record(at(3s), 1ms, 200);
                 s.record(at(4s), 1ms, 200);
                 const auto seconds = s.seconds(at(5s), 1002);
                 const auto total = s.last_minute(at(5s)).count;
                 return seconds.size() == 2 && total == 5 ? std::string() : std::to_string(total);
               });
}

TEST_CASE("a timeout of a handler is called although an allocation failed before") {
  struct test_timeouts {
    http::handler_timeouts timeouts{winsvc::clock::system()};
    winsvc::stop_source called;
  };
  sweep("scoped_timeout", [] { return std::make_unique<test_timeouts>(); },
        [](test_timeouts& t) {
          const http::handler_timeouts::scoped_timeout timeout(t.timeouts, winsvc::clock::system().now(), [] {});
        },
        [](test_timeouts& t) {
          const http::handler_timeouts::scoped_timeout timeout(t.timeouts, winsvc::clock::system().now(),
                                                               [&t] { t.called.request_stop(); });
          return std::string(t.called.token().wait_for(waiting::limit()) ? "called" : "not called");
        });
}

TEST_CASE("a client keeps its tokens of a rate limit if an allocation fails") {
  const auto now = winsvc::clock::time_point(1000s);
  const winsvc::ip_bytes address{10, 0, 0, 1};
  sweep("token_buckets::try_take", [] { return std::make_unique<winsvc::token_buckets>(1, 2); },
        [&](winsvc::token_buckets& b) { static_cast<void>(b.try_take(address, now)); },
        [&](winsvc::token_buckets& b) {
          const auto first = b.try_take(address, now), second = b.try_take(address, now);
          return std::to_string(first.count()) + ' ' + std::to_string(second.count());
        });
}

#endif
