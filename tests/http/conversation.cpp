// Bytes of a connection in, bytes of its answers out: what HTTP/1.1 promises, without a socket.
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
      throw std::runtime_error("the source dried up");
    });
  });
}

/// All answers in the bytes, until there is none.
std::vector<client_response> answers(std::string bytes) {
  std::vector<client_response> responses;
  while (!bytes.empty()) {
    responses.push_back(parse_response(bytes));
    if (responses.back().status == 0) break;
  }
  return responses;
}

/// `target` by GET, with fields after Host.
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
  for (auto position = text.find(part); position != std::string::npos; position = text.find(part, position + part.size())) ++n;
  return n;
}

}  // namespace

TEST_CASE("requests that arrive together are all answered, in their order") {
  client c(app);

  const auto responses = answers(c.raw(get("/") + post("/echo", "one") + get("/nowhere") + chunked("3\r\ntwo\r\n0\r\n\r\n") +
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

TEST_CASE("a conversation cut into packets anywhere is the same conversation") {
  client c(app);
  const std::string bytes =
      get("/") + post("/echo", "body") + chunked("2;x=y\r\nch\r\n5\r\nunked\r\n0\r\nTrailer: t\r\n\r\n") + get("/");

  for (std::size_t chunk_size = 1; chunk_size < 40; ++chunk_size) {
    CAPTURE(chunk_size);
    memory_transport transport(bytes, chunk_size);
    c.engine().serve(transport);
    const auto responses = answers(transport.output);
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
    const std::string out = c.raw("HEAD " + std::string(target) + " HTTP/1.1\r\nHost: t\r\n\r\n" + get("/"));
    const auto end = out.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    CHECK(out.compare(end + 4, 12, "HTTP/1.1 200") == 0);  // the next answer begins where the body would

    std::string head_alone = out.substr(0, end + 4);
    const auto head = parse_response(head_alone, true);
    CHECK(head.status == result.status);
    for (const char* name : {"Content-Length", "Content-Type", "Transfer-Encoding", "ETag"})
      CHECK(head.header(name) == result.header(name));
  }
}

TEST_CASE("what is not there is 404, what cannot be asked is 405 with Allow, and OPTIONS says what can") {
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

TEST_CASE("a path with a trailing slash is its own, and an encoded one is the same as its letters") {
  client c(app);

  CHECK(c.get("/agent/").status == 404);
  CHECK(c.get("/%61gent", {{"User-Agent", "x"}}).body == "x");
  CHECK(c.get("/query?q=a%20b+c%26").body == "a b c&");
  CHECK(c.get("http://test/query?q=1").body == "1");
}

TEST_CASE("a connection goes on or ends as the client's version and its Connection header say") {
  struct { const char* version; const char* connection; bool goes_on; } const cases[] = {
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
  for (const auto& one : cases) {
    CAPTURE(one.version);
    CAPTURE(one.connection);
    const std::string first = get("/", one.connection, one.version);
    const auto responses = answers(c.raw(first + get("/", "Connection: close\r\n")));
    REQUIRE(responses.size() == (one.goes_on ? 2 : 1));
    CHECK(responses[0].status == 200);
    const bool reply = std::string_view(one.version) == "1.0" && one.goes_on;
    CHECK(responses[0].header("Connection") == (one.goes_on ? (reply ? "keep-alive" : "") : "close"));
    CHECK(responses[0].header("Keep-Alive").empty());
  }
}

TEST_CASE("every answer has a Date, once, and one that the handler set stays") {
  auto dated = [](service& svc) {
    svc.get("/", [] { return reply::text("x").header("Date", "Sat, 31 Jan 2026 08:05:09 GMT"); });
  };
  client c(app), d(dated);

  for (const std::string& bytes : {get("/"), get("/nowhere"), get("/no-content"), std::string("BAD\r\n\r\n")}) {
    const std::string out = c.raw(bytes);
    CAPTURE(out);
    CHECK(count(out, "\r\nDate: ") == 1);
    CHECK(count(out, " GMT\r\n") == 1);
  }
  CHECK(count(d.raw(get("/")), "Date: Sat, 31 Jan 2026 08:05:09 GMT\r\n") == 1);
  CHECK(count(d.raw(get("/")), "Date: ") == 1);
}

TEST_CASE("204 and 304 have neither a body nor its length") {
  client c(app);

  for (const char* target : {"/no-content", "/not-modified"}) {
    CAPTURE(target);
    const std::string out = c.raw(get(target));
    CHECK(out.find("Content-Length") == std::string::npos);
    CHECK(out.find("Transfer-Encoding") == std::string::npos);
    CHECK(out.substr(out.size() - 4) == "\r\n\r\n");
    CHECK(count(out, "\r\n\r\n") == 1);
  }
  CHECK(c.get("/not-modified").header("ETag") == "\"1\"");
}

TEST_CASE("head and body of a plain answer leave in one send") {
  client c(app);

  for (const char* target : {"/", "/nowhere", "/no-content"}) {
    CAPTURE(target);
    memory_transport transport(get(target));
    c.engine().serve(transport);
    CHECK(transport.sends == 1);
  }
  memory_transport streamed(get("/stream"));
  c.engine().serve(streamed);
  CHECK(streamed.sends > 2);
}

TEST_CASE("a large answer arrives whole") {
  client c(app);

  CHECK(c.get("/big").body == std::string(300'000, 'x'));
}

TEST_CASE("a chunked body is put together, wherever it was cut") {
  client c(app);
  const std::string bytes =
      chunked("5\r\nhello\r\n1;ext=\"v\"\r\n \r\nA\r\n0123456789\r\n00\r\nX-Trailer: 1\r\n\r\n") + get("/");

  for (std::size_t chunk_size = 1; chunk_size <= bytes.size(); ++chunk_size) {
    CAPTURE(chunk_size);
    memory_transport transport(bytes, chunk_size);
    c.engine().serve(transport);
    const auto responses = answers(transport.output);
    REQUIRE(responses.size() == 2);
    CHECK(responses[0].body == "hello 0123456789");
    CHECK(responses[1].body == "hello");
  }
}

TEST_CASE("a body that is not framed as it says is 400, and the connection ends") {
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
  for (const auto& one : cases) {
    CAPTURE(one.body);
    const std::string out = c.raw(chunked(one.body) + get("/"));
    const auto responses = answers(out);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == one.status);
    CHECK(responses[0].header("Connection") == "close");
    CHECK(responses[0].header("Content-Type") == "application/problem+json");
  }
}

TEST_CASE("a body over the limit is 413 before a byte of it is read, one at the limit is served") {
  client c(app);

  const auto exact = answers(c.raw(post("/echo", std::string(1000, 'x')) + get("/")));
  const std::string over =
      c.raw("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1001\r\n\r\n");
  const std::string over_waiting =
      c.raw("POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
  const auto in_chunks =
      answers(c.raw(chunked("3E8\r\n" + std::string(1000, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n") + get("/")));

  CHECK(exact.size() == 2);
  CHECK(exact[0].body.size() == 1000);
  CHECK(answers(over).size() == 1);
  CHECK(answers(over)[0].status == 413);
  CHECK(answers(over)[0].header("Connection") == "close");
  CHECK(over_waiting.find("100 Continue") == std::string::npos);
  CHECK(answers(over_waiting)[0].status == 413);
  REQUIRE(in_chunks.size() == 1);
  CHECK(in_chunks[0].status == 413);
}

TEST_CASE("100 Continue leaves only when a handler wants the body") {
  client c(app);
  const auto asking = [](const char* target) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n";
  };

  // In one packet the body has come without being asked for, and 100 would only be noise.
  memory_transport apart(asking("/echo") + "body" + get("/"), 1);
  c.engine().serve(apart);
  const std::string together = c.raw(asking("/echo") + "body");
  const std::string nowhere = c.raw(asking("/nowhere"));
  const std::string wrong = c.raw(asking("/big"));

  CHECK(apart.output.compare(0, 25, "HTTP/1.1 100 Continue\r\n\r\n") == 0);
  CHECK(count(apart.output, "100 Continue") == 1);
  REQUIRE(answers(apart.output).size() == 2);
  CHECK(answers(apart.output)[0].body == "body");
  CHECK(count(together, "100 Continue") == 0);
  CHECK(answers(together)[0].body == "body");
  CHECK(count(nowhere, "100 Continue") == 0);
  CHECK(answers(nowhere)[0].status == 404);
  CHECK(answers(nowhere)[0].header("Connection") == "close");
  CHECK(count(wrong, "100 Continue") == 0);
  CHECK(answers(wrong)[0].status == 405);
}

TEST_CASE("a small body that nobody wants is read and dropped, a large one ends the connection") {
  client c(app);

  const auto small = answers(c.raw(post("/nowhere", std::string(500, 'x')) + get("/")));
  const auto small_wrong = answers(c.raw(post("/", std::string(500, 'x')) + get("/")));
  const auto large = answers(c.raw(post("/nowhere", std::string(100'000, 'x')) + get("/")));

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

TEST_CASE("what the gate refuses is a problem+json, and the connection ends before the next request") {
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
      {"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400},
  };
  client c(app);
  for (const auto& one : cases) {
    CAPTURE(one.bytes);
    const auto responses = answers(c.raw(one.bytes + get("/")));
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == one.status);
    CHECK(responses[0].header("Connection") == "close");
    CHECK(responses[0].header("Content-Type") == "application/problem+json");
    CHECK(responses[0].body.find("\"detail\":\"") != std::string::npos);
  }
  CHECK(answers(c.raw(get("/" + std::string(9000, 'x'))))[0].status == 414);
  CHECK(answers(c.raw(get("/", "X: " + std::string(40'000, 'x') + "\r\n")))[0].status == 431);
}

TEST_CASE("half a request and then the end is no request") {
  client c(app);

  CHECK(c.raw("").empty());
  CHECK(c.raw("GET / HT").empty());
  CHECK(answers(c.raw(get("/") + "GET / HTTP/1.1\r\n")).size() == 1);
  for (const auto& bytes : {post("/echo", "whole").substr(0, post("/echo", "whole").size() - 1), chunked("5\r\nhel")}) {
    const auto responses = answers(c.raw(bytes));
    CHECK(responses.size() <= 1);
    if (!responses.empty()) {
      CHECK(responses[0].status == 400);
      CHECK(responses[0].header("Connection") == "close");
    }
  }
}

TEST_CASE("a streamed answer is chunked to HTTP/1.1, and to 1.0 ends with the connection") {
  client c(app);

  const auto modern = answers(c.raw(get("/stream") + get("/")));
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

TEST_CASE("a stream whose source throws ends its connection, is logged, and costs nothing else") {
  client c(app);

  const std::string out = c.raw(get("/broken-stream") + get("/"));

  CHECK(count(out, "HTTP/1.1 ") == 1);
  CHECK(out.find("0\r\n\r\n") == std::string::npos);  // the client must see that it is not whole
  REQUIRE(!c.log().empty());
  CHECK(c.log()[0].text.find("the source dried up") != std::string::npos);
  CHECK(c.get("/").body == "hello");
}

TEST_CASE("a range, even one past the end, makes a handler's 200 neither 206 nor 416") {
  client c(app);

  for (const char* range : {"bytes=0-1", "bytes=-1", "bytes=100-", "bytes=0-0,2-3"}) {
    CAPTURE(range);
    CHECK(c.get("/", {{"Range", range}}).status == 200);
    CHECK(c.get("/", {{"Range", range}}).body == "hello");
    const auto posted = c.request("POST", "/echo", {{"Range", range}}, "body");
    CHECK(posted.status == 200);
    CHECK(posted.body == "body");
  }
}

TEST_CASE("forms reach the handler, urlencoded and multipart") {
  client c(app);
  const std::string parts =
      "--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n"
      "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: "
      "text/plain\r\n\r\nline\r\n--B--\r\n";

  CHECK(c.post("/form", "a=1%202&b=x+y", "application/x-www-form-urlencoded").body == "1 2|x y");
  CHECK(c.post("/upload", parts, "multipart/form-data; boundary=B").body == "hi|a.txt|line");
}

TEST_CASE("any method may have a body") {
  client c(app);

  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CAPTURE(method);
    std::string out =
        c.raw(std::string(method) + " /body HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody" + get("/"));
    CHECK(parse_response(out).body == std::string(method) + " body");
    CHECK(parse_response(out).body == "hello");
  }
}

TEST_CASE("a POST that says no length has no body, and swallows nothing that follows") {
  client c(app);

  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    CAPTURE(method);
    std::string out = c.raw(std::string(method) + " /body HTTP/1.1\r\nHost: t\r\n\r\n" + get("/"));
    CHECK(parse_response(out).body == std::string(method) + " ");
    CHECK(parse_response(out).body == "hello");
  }
}

TEST_CASE("a line break in a header value that a handler sets makes no header of its own") {
  client c(app);

  for (const char* target :
       {"/header/a%0D%0AX-Evil:%201", "/raw-header/a%0D%0AX-Evil:%201", "/header/a%0AX-Evil:%201"}) {
    CAPTURE(target);
    const std::string out = c.raw(get(target) + get("/"));
    std::string rest = out;
    CHECK(parse_response(rest).header("X-Evil").empty());
    CHECK(parse_response(rest).body == "hello");
  }
}

TEST_CASE("the client of the tests drops interim answers and puts chunks together") {
  std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

  CHECK(parse_response(bytes).body == "abc");
  CHECK(parse_response(bytes).status == 204);
  CHECK(parse_response(bytes).status == 0);
}

TEST_CASE("a stream whose head has been read buffers nothing, or cpp-httplib's line reader would spin on it") {
  winsvc::testing::memory_transport transport("");
  winsvc::http::receive_buffer buffer;
  const winsvc::wire::head head;
  const winsvc::wire::limits bounds;
  std::string out;
  winsvc::http::exchange_stream stream(transport, buffer, out, head, bounds);
  stream.set_normalized_head("ab");

  std::size_t size = 0;
  CHECK(stream.buffered_data(size) != nullptr);
  CHECK(size == 2);
  stream.consume_buffered(2);
  CHECK(stream.buffered_data(size) == nullptr);
  CHECK(size == 0);
}
