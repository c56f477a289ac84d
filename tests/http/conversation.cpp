// HTTP/1.1 over memory: bytes of requests in, bytes of responses out, without a socket.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client_response;
using winsvc::testing::client;
using winsvc::testing::memory_transport;
using winsvc::testing::parse_response;

namespace {

void app(service& svc) {
  svc.limits().body_bytes = 1000;
  svc.get("/", [] { return "hello"; });
  svc.get("/big", [] { return std::string(300'000, 'x'); });
  svc.post("/echo", [](const request& req) { return req.body; });
  svc.put("/echo", [](const request& req) { return req.body; });
  svc.del("/echo", [](const request& req) { return "deleted " + req.body; });
  svc.any("/body", [](const request& req) { return req.method + ' ' + req.body; });
  svc.get("/no-content", [] { return reply(204); });
  svc.get("/not-modified", [] { return reply(304).header("ETag", "\"1\""); });
  svc.get("/agent", [](const request& req) { return req.get_header_value("User-Agent"); });
  svc.get("/query", [](const request& req) { return req.get_param_value("q"); });
  svc.get("/header/{v}", [](std::string v) { return reply::text("x").header("X-V", v); });
  svc.get("/raw-header/{v}", [](response& res, std::string v) { res.set_header("X-V", v); });
  svc.post("/form", [](const request& req) { return req.get_param_value("a") + '|' + req.get_param_value("b"); });
  svc.post("/upload", [](const request& req) {
    return req.form.get_field("note") + '|' + req.form.get_file("file").filename + '|' +
           req.form.get_file("file").content;
  });
  svc.get("/stream", [](response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
      sink.write("one ", 4);
      sink.write("two", 3);
      sink.done();
      return true;
    });
  });
  svc.get("/sized-stream", [](response& res) {
    res.set_content_provider(6, "text/plain", [](std::size_t position, std::size_t length, httplib::DataSink& sink) {
      return sink.write(&"abcdef"[position], (std::min)(length, std::size_t{2}));
    });
  });
  svc.get("/broken-stream", [](response& res) {
    res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) -> bool {
      sink.write("one", 3);
      throw std::runtime_error("the source failed");
    });
  });
}

/// Parses all responses in `bytes`; the last one has status 0 if it is incomplete.
std::vector<client_response> parse_responses(std::string bytes) {
  std::vector<client_response> responses;
  while (!bytes.empty()) {
    responses.push_back(parse_response(bytes));
    if (responses.back().status == 0) break;
  }
  return responses;
}

/// A GET request for `target`; `fields` follow the Host field.
std::string get(std::string_view target, std::string_view fields = "", std::string_view version = "1.1") {
  return "GET " + std::string(target) + " HTTP/" + std::string(version) + "\r\nHost: t\r\n" + std::string(fields) +
         "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
std::string chunked(std::string_view body, std::string_view target = "/echo") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" +
         std::string(body);
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (auto position = text.find(part); position != std::string::npos;
       position = text.find(part, position + part.size()))
    ++n;
  return n;
}

}  // namespace

TEST_CASE("requests that arrive together receive their responses in order") {
  client c(app);

  const auto responses = parse_responses(c.raw(
      get("/") + post("/echo", "one") + get("/nowhere") + chunked("3\r\ntwo\r\n0\r\n\r\n") +
      post("/nowhere", "small") + "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n" + get("/")));

  REQUIRE(responses.size() == 7);
  CHECK(responses[0].body == "hello");
  CHECK(responses[1].body == "one");
  CHECK(responses[2].status == 404);
  CHECK(responses[3].body == "two");
  CHECK(responses[4].status == 404);
  CHECK(responses[5].status == 204);
  CHECK(responses[6].body == "hello");
}

TEST_CASE("packet boundaries do not change the responses") {
  client c(app);
  const std::string bytes =
      get("/") + post("/echo", "body") + chunked("2;x=y\r\nch\r\n5\r\nunked\r\n0\r\nTrailer: t\r\n\r\n") + get("/");

  for (std::size_t chunk_size = 1; chunk_size < 40; ++chunk_size) {
    CAPTURE(chunk_size);
    memory_transport transport(bytes, chunk_size);
    c.engine().serve_transport(transport);
    const auto responses = parse_responses(transport.output);
    REQUIRE(responses.size() == 4);
    CHECK(responses[1].body == "body");
    CHECK(responses[2].body == "chunked");
    CHECK(responses[3].body == "hello");
  }
}

TEST_CASE("HEAD has the headers of GET and no body") {
  client c(app);

  for (const char* target : {"/", "/big", "/stream", "/sized-stream", "/nowhere", "/not-modified", "/no-content"}) {
    CAPTURE(target);
    const auto result = c.get(target);
    const std::string output = c.raw("HEAD " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n" + get("/"));
    const auto end = output.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    CHECK(output.compare(end + 4, 12, "HTTP/1.1 200") == 0);  // the next response follows the head directly

    std::string head_alone = output.substr(0, end + 4);
    const auto head = parse_response(head_alone, true);
    CHECK(head.status == result.status);
    for (const char* name : {"Content-Length", "Content-Type", "Transfer-Encoding", "ETag"})
      CHECK(head.header(name) == result.header(name));
  }
}

TEST_CASE("an unknown path is 404, a method without a route is 405 with Allow, and OPTIONS lists the methods") {
  client c(app);

  CHECK(c.get("/nowhere").status == 404);
  CHECK(c.get("/nowhere").body == "{\"title\":\"Not Found\",\"status\":404}\n");
  CHECK(c.get("/nowhere").header("Content-Type") == "application/problem+json");
  CHECK(c.get("/%zz").status == 400);
  CHECK(c.get("/echo").status == 405);
  CHECK(c.get("/echo").header("Allow") == "POST, PUT, DELETE, OPTIONS");
  CHECK(c.patch("/", "x").header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(c.options("/echo").status == 204);
  CHECK(c.options("/echo").header("Allow") == "POST, PUT, DELETE, OPTIONS");
  CHECK(c.options("*").status == 204);
  CHECK(c.options("*").header("Allow").find("GET") != std::string::npos);
  CHECK(c.options("/nowhere").status == 404);
}

TEST_CASE("a trailing slash is a different path, and a percent-encoded path equals the decoded one") {
  client c(app);

  CHECK(c.get("/agent/").status == 404);
  CHECK(c.get("/%61gent", {{"User-Agent", "x"}}).body == "x");
  CHECK(c.get("/query?q=a%20b+c%26").body == "a b c&");
  CHECK(c.get("http://test/query?q=1").body == "1");
}

TEST_CASE("the HTTP version and the Connection header decide whether a connection is kept alive") {
  struct { const char* version; const char* connection; bool keep_alive; } const cases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: keep-alive\r\n", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "connection: keep-alive, Close\r\n", false},
      {"1.1", "Connection: x ,\tclose\r\n", false},
      {"1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
      {"1.0", "Connection: x, keep-alive\r\n", true},
  };
  client c(app);
  for (const auto& test : cases) {
    CAPTURE(test.version);
    CAPTURE(test.connection);
    const std::string first = get("/", test.connection, test.version);
    const auto responses = parse_responses(c.raw(first + get("/", "Connection: close\r\n")));
    REQUIRE(responses.size() == (test.keep_alive ? 2 : 1));
    CHECK(responses[0].status == 200);
    const bool is_http_1_0 = std::string_view(test.version) == "1.0";
    const char* const expected = test.keep_alive ? (is_http_1_0 ? "keep-alive" : "") : "close";
    CHECK(responses[0].header("Connection") == expected);
    CHECK(responses[0].header("Keep-Alive").empty());
  }
}

TEST_CASE("every response has one Date, and a Date that the handler set stays") {
  auto dated = [](service& svc) {
    svc.get("/", [] { return reply::text("x").header("Date", "Sat, 31 Jan 2026 08:05:09 GMT"); });
  };
  client c(app), d(dated);

  for (const std::string& bytes : {get("/"), get("/nowhere"), get("/no-content"), std::string("BAD\r\n\r\n")}) {
    const std::string output = c.raw(bytes);
    CAPTURE(output);
    CHECK(count(output, "\r\nDate: ") == 1);
    CHECK(count(output, " GMT\r\n") == 1);
  }
  CHECK(count(d.raw(get("/")), "Date: Sat, 31 Jan 2026 08:05:09 GMT\r\n") == 1);
  CHECK(count(d.raw(get("/")), "Date: ") == 1);
}

TEST_CASE("204 and 304 have neither a body nor a Content-Length") {
  client c(app);

  for (const char* target : {"/no-content", "/not-modified"}) {
    CAPTURE(target);
    const std::string output = c.raw(get(target));
    CHECK(output.find("Content-Length") == std::string::npos);
    CHECK(output.find("Transfer-Encoding") == std::string::npos);
    CHECK(output.substr(output.size() - 4) == "\r\n\r\n");
    CHECK(count(output, "\r\n\r\n") == 1);
  }
  CHECK(c.get("/not-modified").header("ETag") == "\"1\"");
}

TEST_CASE("head and body of a response without a stream leave in one send") {
  client c(app);

  for (const char* target : {"/", "/nowhere", "/no-content"}) {
    CAPTURE(target);
    memory_transport transport(get(target));
    c.engine().serve_transport(transport);
    CHECK(transport.sends == 1);
  }
  memory_transport streamed(get("/stream"));
  c.engine().serve_transport(streamed);
  CHECK(streamed.sends > 2);
}

TEST_CASE("a large response arrives complete") {
  client c(app);

  CHECK(c.get("/big").body == std::string(300'000, 'x'));
}

TEST_CASE("a chunked body is decoded, wherever packets divide it") {
  client c(app);
  const std::string bytes =
      chunked("5\r\nhello\r\n1;ext=\"v\"\r\n \r\nA\r\n0123456789\r\n00\r\nX-Trailer: 1\r\n\r\n") + get("/");

  for (std::size_t chunk_size = 1; chunk_size <= bytes.size(); ++chunk_size) {
    CAPTURE(chunk_size);
    memory_transport transport(bytes, chunk_size);
    c.engine().serve_transport(transport);
    const auto responses = parse_responses(transport.output);
    REQUIRE(responses.size() == 2);
    CHECK(responses[0].body == "hello 0123456789");
    CHECK(responses[1].body == "hello");
  }
}

TEST_CASE("a body with invalid framing is 400, and the connection ends") {
  struct { const char* body; int status; } const cases[] = {
      {"x\r\nhello\r\n0\r\n\r\n", 400},
      {"-2\r\nhi\r\n0\r\n\r\n", 400},
      {"0x2\r\nhi\r\n0\r\n\r\n", 400},
      {"2 \r\nhi\r\n0\r\n\r\n", 400},
      {"2\nhi\n0\n\n", 400},
      {"2\r\nhi!\r\n0\r\n\r\n", 400},
      {"123456789\r\nhi\r\n0\r\n\r\n", 400},
      {"3E9\r\n", 413},
      {"FFFFFFFF\r\n", 413},
  };
  client c(app);
  for (const auto& test : cases) {
    CAPTURE(test.body);
    const std::string output = c.raw(chunked(test.body) + get("/"));
    const auto responses = parse_responses(output);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == test.status);
    CHECK(responses[0].header("Connection") == "close");
    CHECK(responses[0].header("Content-Type") == "application/problem+json");
  }
}

TEST_CASE("a body over the limit is 413 before a byte of it is read, a body at the limit is served") {
  client c(app);

  const auto exact = parse_responses(c.raw(post("/echo", std::string(1000, 'x')) + get("/")));
  const std::string over =
      c.raw("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1001\r\n\r\n");
  const std::string over_waiting =
      c.raw("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
  const auto in_chunks =
      parse_responses(c.raw(chunked("3E8\r\n" + std::string(1000, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n") + get("/")));

  CHECK(exact.size() == 2);
  CHECK(exact[0].body.size() == 1000);
  CHECK(parse_responses(over).size() == 1);
  CHECK(parse_responses(over)[0].status == 413);
  CHECK(parse_responses(over)[0].header("Connection") == "close");
  CHECK(over_waiting.find("100 Continue") == std::string::npos);
  CHECK(parse_responses(over_waiting)[0].status == 413);
  REQUIRE(in_chunks.size() == 1);
  CHECK(in_chunks[0].status == 413);
}

TEST_CASE("100 Continue is sent only when a handler reads the body") {
  client c(app);
  const auto post_expecting_continue = [](const char* target) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n";
  };

  // In one packet, the body arrives before it is requested, so 100 Continue is not necessary.
  memory_transport separate(post_expecting_continue("/echo") + "body" + get("/"), 1);
  c.engine().serve_transport(separate);
  const std::string together = c.raw(post_expecting_continue("/echo") + "body");
  const std::string nowhere = c.raw(post_expecting_continue("/nowhere"));
  const std::string wrong = c.raw(post_expecting_continue("/big"));

  CHECK(separate.output.compare(0, 25, "HTTP/1.1 100 Continue\r\n\r\n") == 0);
  CHECK(count(separate.output, "100 Continue") == 1);
  REQUIRE(parse_responses(separate.output).size() == 2);
  CHECK(parse_responses(separate.output)[0].body == "body");
  CHECK(count(together, "100 Continue") == 0);
  CHECK(parse_responses(together)[0].body == "body");
  CHECK(count(nowhere, "100 Continue") == 0);
  CHECK(parse_responses(nowhere)[0].status == 404);
  CHECK(parse_responses(nowhere)[0].header("Connection") == "close");
  CHECK(count(wrong, "100 Continue") == 0);
  CHECK(parse_responses(wrong)[0].status == 405);
}

TEST_CASE("a small body that no handler reads is dropped, a large one ends the connection") {
  client c(app);

  const auto small = parse_responses(c.raw(post("/nowhere", std::string(500, 'x')) + get("/")));
  const auto small_wrong = parse_responses(c.raw(post("/", std::string(500, 'x')) + get("/")));
  const auto large = parse_responses(c.raw(post("/nowhere", std::string(100'000, 'x')) + get("/")));

  REQUIRE(small.size() == 2);
  CHECK(small[0].status == 404);
  CHECK(small[0].header("Connection").empty());
  CHECK(small[1].body == "hello");
  REQUIRE(small_wrong.size() == 2);
  CHECK(small_wrong[0].status == 405);
  REQUIRE(large.size() == 1);
  CHECK(large[0].status == 404);
  CHECK(large[0].header("Connection") == "close");
}

TEST_CASE("percent signs in header values arrive as they were sent") {
  client c(app);

  for (const char* value : {"100%", "%0d%0aX-Evil: 1", "%25", "a%20b", "%zz", "%u0041"}) {
    CAPTURE(value);
    CHECK(c.get("/agent", {{"User-Agent", value}}).body == value);
  }
}

TEST_CASE("a head that the parser rejects is problem+json, and the connection ends before the next request") {
  struct { const char* bytes; int status; } const cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: t\n\n", 400},
      {"GET / HTTP/1.1\r\nHost : t\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: t\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: t\r\n\r\n", 505},
      {"BREW / HTTP/1.1\r\nHost: t\r\n\r\n", 501},
      {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400},
  };
  client c(app);
  for (const auto& test : cases) {
    CAPTURE(test.bytes);
    const auto responses = parse_responses(c.raw(test.bytes + get("/")));
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == test.status);
    CHECK(responses[0].header("Connection") == "close");
    CHECK(responses[0].header("Content-Type") == "application/problem+json");
    CHECK(responses[0].body.find("\"detail\":\"") != std::string::npos);
  }
  CHECK(parse_responses(c.raw(get("/" + std::string(9000, 'x'))))[0].status == 414);
  CHECK(parse_responses(c.raw(get("/", "X: " + std::string(40'000, 'x') + "\r\n")))[0].status == 431);
}

TEST_CASE("a request that ends early has no response or 400") {
  client c(app);

  CHECK(c.raw("").empty());
  CHECK(c.raw("GET / HT").empty());
  CHECK(parse_responses(c.raw(get("/") + "GET / HTTP/1.1\r\n")).size() == 1);
  for (const auto& bytes : {post("/echo", "whole").substr(0, post("/echo", "whole").size() - 1), chunked("5\r\nhel")}) {
    const auto responses = parse_responses(c.raw(bytes));
    CHECK(responses.size() <= 1);
    if (!responses.empty()) {
      CHECK(responses[0].status == 400);
      CHECK(responses[0].header("Connection") == "close");
    }
  }
}

TEST_CASE("a streamed response is chunked for HTTP/1.1, and ends with the connection for HTTP/1.0") {
  client c(app);

  const auto modern = parse_responses(c.raw(get("/stream") + get("/")));
  const std::string old = c.raw(get("/stream", "Connection: keep-alive\r\n", "1.0") + get("/"));

  REQUIRE(modern.size() == 2);
  CHECK(modern[0].header("Transfer-Encoding") == "chunked");
  CHECK(modern[0].body == "one two");
  CHECK(old.find("Transfer-Encoding") == std::string::npos);
  CHECK(old.find("Connection: close\r\n") != std::string::npos);
  CHECK(old.substr(old.find("\r\n\r\n")) == "\r\n\r\none two");
  CHECK(c.get("/sized-stream").body == "abcdef");
  CHECK(c.get("/sized-stream").header("Content-Length") == "6");
}

TEST_CASE("a stream that throws ends its connection and is logged, and the service continues") {
  client c(app);

  const std::string output = c.raw(get("/broken-stream") + get("/"));

  CHECK(count(output, "HTTP/1.1 ") == 1);
  CHECK(output.find("0\r\n\r\n") == std::string::npos);  // the client must detect that the body is incomplete
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text.find("the source failed") != std::string::npos);
  CHECK(c.get("/").body == "hello");
}

TEST_CASE("a Range header does not change the response to another method than GET") {
  client c(app);

  for (const char* range : {"bytes=0-1", "bytes=-1", "bytes=100-", "bytes=0-0,2-3"}) {
    CAPTURE(range);
    const auto posted = c.request("POST", "/echo", {{"Range", range}}, "body");
    CHECK(posted.status == 200);
    CHECK(posted.body == "body");
  }
}

TEST_CASE("URL-encoded and multipart forms reach the handler") {
  client c(app);
  const std::string parts =
      "--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n"
      "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: "
      "text/plain\r\n\r\nline\r\n--B--\r\n";

  CHECK(c.post("/form", "a=1%202&b=x+y", "application/x-www-form-urlencoded").body == "1 2|x y");
  CHECK(c.post("/upload", parts, "multipart/form-data; boundary=B").body == "hi|a.txt|line");
}

TEST_CASE("any method can have a body") {
  client c(app);

  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CAPTURE(method);
    std::string output =
        c.raw(std::string(method) + " /body HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody" + get("/"));
    CHECK(parse_response(output).body == std::string(method) + " body");
    CHECK(parse_response(output).body == "hello");
  }
}

TEST_CASE("a request without a length has no body, and the next request is served") {
  client c(app);

  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    CAPTURE(method);
    std::string output = c.raw(std::string(method) + " /body HTTP/1.1\r\nHost: t\r\n\r\n" + get("/"));
    CHECK(parse_response(output).body == std::string(method) + " ");
    CHECK(parse_response(output).body == "hello");
  }
}

TEST_CASE("a line break in a header value of a handler does not create another header") {
  client c(app);

  for (const char* target :
       {"/header/a%0D%0AX-Evil:%201", "/raw-header/a%0D%0AX-Evil:%201", "/header/a%0AX-Evil:%201"}) {
    CAPTURE(target);
    const std::string output = c.raw(get(target) + get("/"));
    std::string remaining = output;
    CHECK(parse_response(remaining).header("X-Evil").empty());
    CHECK(parse_response(remaining).body == "hello");
  }
}

TEST_CASE("the response parser of the tests skips interim responses and joins chunks") {
  std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

  CHECK(parse_response(bytes).body == "abc");
  CHECK(parse_response(bytes).status == 204);
  CHECK(parse_response(bytes).status == 0);
}
