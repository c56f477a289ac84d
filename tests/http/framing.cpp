// Framing fields: the server alone decides Content-Length, Transfer-Encoding and Connection, for each kind of response.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>
#include <httplib.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>

using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

/// A file of 16 bytes in the temporary folder, removed at the end.
struct small_file {
  std::string path = winsvc::detail::os::path_join(winsvc::detail::os::temporary_folder(),
                                                   "framing-" + std::to_string(winsvc::detail::os::process_id()));
  small_file() { std::ofstream(path, std::ios::binary) << "0123456789abcdef"; }
  ~small_file() { winsvc::detail::os::remove_file(path); }
};

/// Sets each framing field to a value that is wrong for the response.
void set_framing(response& res) {
  for (const auto& [name, value] : {std::pair("Content-Length", "3"), std::pair("Transfer-Encoding", "chunked"),
                                    std::pair("Connection", "upgrade"), std::pair("Keep-Alive", "timeout=9"),
                                    std::pair("Trailer", "X"), std::pair("TE", "trailers")})
    res.set_header(name, value);
}

std::size_t count(const std::string& head, const std::string& name) {
  std::size_t found = 0;
  for (auto position = head.find("\r\n" + name + ":"); position != head.npos;
       position = head.find("\r\n" + name + ":", position + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("framing headers of a handler never reach the client, for all kinds of responses") {
  const small_file file;
  auto app = [&file](service& svc) {
    svc.get("/text", [](response& res) { set_framing(res); return "hello"; });
    svc.get("/long", [](response& res) { set_framing(res); return std::string(5000, 'x'); });
    svc.get("/json", [](response& res) { set_framing(res); return winsvc::json{{"a", 1}}; });
    svc.get("/reply", [](response& res) { set_framing(res); return reply::html("<p>"); });
    svc.get("/file", [&file](response& res) { set_framing(res); return reply::file(file.path); });
    svc.get("/file-content", [&file](response& res) {
      set_framing(res);
      res.set_file_content(file.path, "text/plain");
    });
    svc.get("/provider", [](response& res) {
      set_framing(res);
      res.set_content_provider(20, "text/plain", [](std::size_t, std::size_t length, httplib::DataSink& sink) {
        const std::string bytes(length, 'p');
        return sink.write(bytes.data(), bytes.size());
      });
    });
    svc.get("/empty", [](response& res) { set_framing(res); });
    svc.get("/redirect", [](response& res) { set_framing(res); return reply::redirect("/text"); });
    svc.get("/no-content", [](response& res) { set_framing(res); return reply(204); });
    svc.get("/abort", [](response& res) -> std::string { set_framing(res); winsvc::abort(409, "taken"); });
  };
  client c(app);
  for (const char* method : {"GET", "HEAD"}) {
    for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
      for (const char* coding : {"", "Accept-Encoding: gzip\r\n", "Range: bytes=0-1\r\n"}) {
        for (const char* path : {"/text", "/long", "/json", "/reply", "/file", "/file-content", "/provider", "/empty",
                                 "/redirect", "/no-content", "/abort"}) {
          const std::string request_line = std::string(method) + ' ' + path + ' ' + version;
          CAPTURE(request_line);
          CAPTURE(coding);
          const std::string out = c.raw(request_line + "\r\nHost: t\r\n" + coding + "\r\n");
          const auto end = out.find("\r\n\r\n");
          REQUIRE(end != out.npos);
          const std::string head = out.substr(0, end), body = out.substr(end + 4);
          CHECK(count(head, "Transfer-Encoding") == 0);
          CHECK(count(head, "Trailer") == 0);
          CHECK(count(head, "TE") == 0);
          CHECK(count(head, "Keep-Alive") == 0);
          CHECK(head.find("upgrade") == head.npos);
          CHECK(count(head, "Content-Type") <= 1);
          CHECK(count(head, "Content-Length") == (std::string(path) == "/no-content" ? 0 : 1));
          if (std::string(path) == "/no-content") continue;
          const auto length = std::stoul(head.substr(head.find("\r\nContent-Length: ") + 18));
          CHECK(body.size() == (std::string(method) == "HEAD" ? 0 : length));
        }
      }
    }
  }
}

TEST_CASE("framing headers of a handler never reach the client of a stream or of events") {
  const auto write = [](winsvc::stream& out) { out.write("hello"); };
  auto app = [&](service& svc) {
    svc.get("/stream", [&](response& res) { set_framing(res); res.headers.erase("Content-Length");
                                            return reply::stream("text/plain", write); });
    svc.get("/reply", [&] {
      return reply::stream("text/plain", write).header("Transfer-Encoding", "gzip").header("Trailer", "X")
          .header("Connection", "upgrade").header("Keep-Alive", "timeout=1");
    });
    svc.get("/events", [](response& res) {
      set_framing(res);
      res.headers.erase("Content-Length");
      return reply::events([](winsvc::event_stream& out) { out.send("hello"); });
    });
    svc.get("/provider", [](response& res) {
      set_framing(res);
      res.headers.erase("Content-Length");
      res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
        const bool ok = sink.write("hello", 5);
        sink.done();
        return ok;
      });
    });
  };
  client c(app);
  for (const char* path : {"/stream", "/reply", "/events", "/provider"}) {
    for (const char* method : {"GET", "HEAD"}) {
      for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
        for (const char* coding : {"", "Accept-Encoding: gzip\r\n", "Range: bytes=0-1\r\n"}) {
          const std::string request_line = std::string(method) + ' ' + path + ' ' + version;
          CAPTURE(request_line);
          CAPTURE(coding);
          const std::string out = c.raw(request_line + "\r\nHost: t\r\n" + coding + "\r\n");
          const auto end = out.find("\r\n\r\n");
          REQUIRE(end != out.npos);
          const std::string head = out.substr(0, end), body = out.substr(end + 4);
          const bool is_new = std::string(version) == "HTTP/1.1";
          CHECK(head.find(" 200 ") != head.npos);
          CHECK(count(head, "Transfer-Encoding") == (is_new ? 1 : 0));
          CHECK((head.find("\r\nTransfer-Encoding: chunked") != head.npos) == is_new);
          for (const char* name :
               {"Trailer", "TE", "Keep-Alive", "Content-Length", "Content-Encoding", "Content-Range"})
            CHECK(count(head, name) == 0);
          CHECK(head.find("upgrade") == head.npos);
          CHECK(count(head, "Content-Type") == 1);
          if (std::string(method) == "HEAD") CHECK(body.empty());
          else if (is_new) CHECK(body.substr(body.size() - 5) == "0\r\n\r\n");
          else CHECK(body.find("hello") != body.npos);
        }
      }
    }
  }
}

TEST_CASE("the option close in any list of Connection ends the connection") {
  auto app = [](service& svc) {
    svc.get("/{value}", [](response& res, std::string value) {
      res.set_header("Connection", value);
      return "x";
    });
    svc.get("/two-lines", [](response& res) {
      res.set_header("Connection", "keep-alive");
      res.set_header("Connection", "CLOSE");
      return "x";
    });
  };
  client c(app);
  for (const char* path : {"/close", "/Close,%20x", "/keep-alive,%20close", "/x,close,y", "/two-lines"}) {
    CAPTURE(path);
    const std::string rest = " HTTP/1.1\r\nHost: t\r\n\r\n";
    const auto out = c.raw("GET " + std::string(path) + rest + "GET /x" + rest);
    CHECK(count(out, "Connection") == 1);
    CHECK(out.find("\r\nConnection: close\r\n") != out.npos);
    CHECK(out.find("HTTP/1.1", 9) == out.npos);  // the second request is not served
  }
  for (const char* path : {"/keep-alive", "/closed", "/x"}) {
    CAPTURE(path);
    CHECK(c.get(path).header("Connection") == "");
  }
}

TEST_CASE("a header that a response has once is sent once, with its last value") {
  auto app = [](service& svc) {
    svc.get("/", [](response& res) {
      for (const char* name : {"Content-Disposition", "Access-Control-Allow-Origin", "X-Frame-Options", "Location"}) {
        res.set_header(name, "first");
        res.set_header(name, "last");
      }
      return "x";
    });
  };
  client c(app);
  const auto response = c.get("/");
  for (const char* name : {"Content-Disposition", "Access-Control-Allow-Origin", "X-Frame-Options", "Location"}) {
    CAPTURE(name);
    CHECK(response.header(name) == "last");
    std::size_t lines = 0;
    for (const auto& [known, value] : response.headers) lines += known == name ? 1 : 0;
    CHECK(lines == 1);
  }
}

TEST_CASE("a reply keeps several headers of a name of which a response may have several") {
  auto app = [](service& svc) {
    svc.get("/", [] {
      return reply(401).header("WWW-Authenticate", "Basic realm=\"a\"").header("WWW-Authenticate", "Bearer")
          .header("Server-Timing", "db;dur=1").header("Server-Timing", "app;dur=2")
          .header("Content-Security-Policy", "default-src 'none'").header("content-security-policy", "img-src *")
          .header("X-One", "1").header("X-One", "2");
    });
  };
  client c(app);
  std::string all;
  for (const auto& [name, value] : c.get("/").headers) {
    const auto lower = winsvc::detail::base::to_lower(name);
    for (const char* known : {"www-authenticate", "server-timing", "content-security-policy", "x-one"}) {
      if (lower == known) all += value + '|';
    }
  }
  for (const char* value :
       {"Basic realm=\"a\"|Bearer|", "db;dur=1|app;dur=2|", "img-src *|", "2|"}) {
    CAPTURE(value);
    CHECK_MESSAGE(all.find(value) != std::string::npos, all);
  }
  CHECK(all.find("1|2|") == std::string::npos);
  CHECK(all.find("default-src") == std::string::npos);  // browsers would enforce both
}

TEST_CASE("removed headers are logged once per route") {
  auto app = [](service& svc) {
    svc.get("/a", [](response& res) { set_framing(res); return "a"; });
    svc.get("/right", [](response& res) { res.set_header("Content-Length", "5"); return "right"; });
    svc.get("/close", [](response& res) { res.set_header("Connection", "close"); return "x"; });
  };
  client c(app);
  for (int i = 0; i < 3; ++i) CHECK(c.get("/a").status == 200);
  CHECK(c.get("/right").header("Content-Length") == "5");
  CHECK(c.get("/close").header("Connection") == "close");
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("Content-Length") != std::string::npos);
  CHECK(c.log()[0].text.find("framing.cpp") != std::string::npos);
}

TEST_CASE("an invalid header of a handler is a logged 500, for all kinds of responses") {
  const small_file file;
  const auto set_invalid = [](response& res, const request& req) {
    const std::string kind = winsvc::query<std::string>(req, "kind");
    if (kind == "empty-name") res.set_header("", "1");
    if (kind == "blank-in-name") res.set_header("X Bad", "1");
    if (kind == "colon-in-name") res.set_header("X:Bad", "1");
    if (kind == "line-in-name") res.set_header("X\r\nX-Evil", "1");
    if (kind == "cr") res.set_header("X-A", "a\rX-Evil: 1");
    if (kind == "lf") res.set_header("X-A", "a\nX-Evil: 1");
    if (kind == "crlf") res.set_header("Content-Type", "a\r\nX-Evil: 1");
    if (kind == "nul") res.set_header("X-A", std::string("a\0b", 3));
    if (kind == "delete") res.set_header("X-A", "a\x7f");
    if (kind == "redirect") res.set_redirect("/\r\nX-Evil: 1");
    if (kind == "type") res.set_content("text", "text/plain\r\nX-Evil: 1");
    if (kind == "moved-type") res.set_content(std::string("text"), "text/plain\n");
    if (kind == "provider-type") res.set_content_provider(3, "a\nb", [](auto, auto, auto&) { return true; });
    if (kind == "stream-type") res.set_chunked_content_provider("a\nb", [](auto, auto&) { return true; });
    if (kind == "file-type") res.set_file_content("missing", "a\nb");
    if (kind == "direct") res.headers.emplace("X-A", "a\r\nX-Evil: 1");
    if (kind == "direct-name") res.headers.emplace("X\r\nX-Evil: 1", "1");
  };
  auto app = [&](service& svc) {
    svc.get("/text", [&](const request& req, response& res) { set_invalid(res, req); return "hello"; });
    svc.get("/json", [&](const request& req, response& res) { set_invalid(res, req); return winsvc::json{{"a", 1}}; });
    svc.get("/reply", [&](const request& req, response& res) { set_invalid(res, req); return reply::html("<p>"); });
    svc.get("/file", [&](const request& req, response& res) { set_invalid(res, req); return reply::file(file.path); });
    svc.get("/stream", [&](const request& req, response& res) {
      set_invalid(res, req);
      return reply::stream("text/plain", [](winsvc::stream& out) { out.write("x"); });
    });
    svc.get("/empty", [&](const request& req, response& res) { set_invalid(res, req); });
    svc.get("/unchanged", [&](const request& req, response& res) {
      res.set_header("ETag", "\"1\"");
      set_invalid(res, req);
      return "hello";
    });
    svc.get("/cpp-httplib", [&](const httplib::Request&, httplib::Response& res) { res.set_header("X-A", "1"); });
    svc.group("/around", [&](winsvc::route_group& g) {
      g.use([&](const request& req, response& res, const winsvc::next_handler& next) {
        next();
        set_invalid(res, req);
      });
      g.get("/", [] { return "hello"; });
    });
  };
  client c(app);
  for (const char* kind : {"empty-name", "blank-in-name", "colon-in-name", "line-in-name", "cr", "lf", "crlf", "nul",
                           "delete", "redirect", "type", "moved-type", "provider-type", "stream-type", "file-type",
                           "direct", "direct-name"}) {
    for (const char* path : {"/text", "/json", "/reply", "/file", "/stream", "/empty", "/unchanged", "/around/"}) {
      for (const char* method : {"GET", "HEAD"}) {
        for (const char* fields : {"", "Range: bytes=0-1\r\nIf-None-Match: \"1\"\r\nAccept-Encoding: gzip\r\n"}) {
          const std::string request_line = std::string(method) + ' ' + path + "?kind=" + kind + " HTTP/1.1";
          CAPTURE(request_line);
          CAPTURE(fields);
          const auto lines_before = c.log().size();
          const std::string out = c.raw(request_line + "\r\nHost: t\r\n" + fields + "\r\n");
          CHECK(out.find("HTTP/1.1 500 ") == 0);
          CHECK(out.find("Evil") == out.npos);
          REQUIRE(c.log().size() == lines_before + 1);
          CHECK(c.log().back().level == winsvc::log_level::error);
          CHECK(c.log().back().text.find("set the response header") != std::string::npos);
        }
      }
    }
  }
  CHECK(c.get("/text?kind=none").body == "hello");
  CHECK(c.get("/cpp-httplib").header("X-A") == "1");
}

TEST_CASE("the error response for an invalid header has one framing, that of the server") {
  const small_file file;
  auto app = [&](service& svc) {
    svc.get("/chunked", [](response& res) {
      res.headers.emplace("Transfer-Encoding", "chunked");
      res.headers.emplace("Content-Length", "3");
      res.headers.emplace("X-A", "a\nb");
    });
    svc.get("/close", [](response& res) {
      res.headers.emplace("Connection", "close");
      res.headers.emplace("X-A", "a\nb");
    });
    svc.get("/missing-file", [](response& res) {
      res.headers.emplace("Transfer-Encoding", "chunked");
      res.set_file_content("no such file");
    });
    svc.get("/next", [] { return "next"; });
  };
  client c(app);
  const std::string get_next = "GET /next HTTP/1.1\r\nHost: t\r\n\r\n";
  for (const char* path : {"/chunked", "/missing-file"}) {
    CAPTURE(path);
    const auto out = c.raw("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n\r\n" + get_next);
    CHECK(out.find(std::string(path) == "/chunked" ? "HTTP/1.1 500 " : "HTTP/1.1 404 ") == 0);
    CHECK(out.find("Transfer-Encoding") == out.npos);
    CHECK(out.find("Content-Length: 3\r\n") == out.npos);
    CHECK(out.find("next") == out.size() - 4);
  }
  const auto closed = c.raw("GET /close HTTP/1.1\r\nHost: t\r\n\r\n" + get_next);
  CHECK(closed.find("Connection: close\r\n") != closed.npos);
  CHECK(closed.find("next") == closed.npos);

  auto with_pages = [&](service& svc) {
    const auto page = [&](const request&, response& res) {
      res.headers.emplace("Transfer-Encoding", "chunked");
      res.set_file_content(file.path, "text/plain");
    };
    svc.on_error(500, page).on_error(404, page);
    svc.on_error(416, [](const request&, response& res) {
      res.headers.emplace("Transfer-Encoding", "chunked");
      res.body = "no such range";
    });
    svc.get("/chunked", [](response& res) { res.headers.emplace("X-A", "a\nb"); });
    svc.get("/missing-file", [](response& res) { res.set_file_content("no such file"); });
    svc.get("/text", [] { return "hello"; });
  };
  client pages(with_pages);
  for (const char* path : {"/chunked", "/missing-file"}) {
    CAPTURE(path);
    const auto found = pages.get(path);
    CHECK(found.status == (std::string(path) == "/chunked" ? 500 : 404));
    CHECK(found.body == "0123456789abcdef");
    CHECK(found.header("Transfer-Encoding").empty());
  }
  const auto out = pages.raw("GET /text HTTP/1.1\r\nHost: t\r\nRange: bytes=90-99\r\n\r\n");
  CHECK(out.find("HTTP/1.1 416 ") == 0);
  CHECK(out.find("Transfer-Encoding") == out.npos);
  CHECK(out.find("no such range") != out.npos);
}

TEST_CASE("blanks around the value of a header are removed, other characters stay") {
  auto app = [](service& svc) {
    svc.get("/", [](response& res) {
      res.set_header("X-Blanks", " \ta b\t ");
      res.set_header("X-Empty", "");
      res.set_header("X-Text", "\xc3\xa4 \"q\"; a=b\t,");
    });
  };
  client c(app);
  const auto out = c.raw("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(out.find("\r\nX-Blanks: a b\r\n") != out.npos);
  CHECK(out.find("\r\nX-Empty: \r\n") != out.npos);
  CHECK(out.find("\r\nX-Text: \xc3\xa4 \"q\"; a=b\t,\r\n") != out.npos);
}

TEST_CASE("an invalid header of an error handler is logged, and the client receives the error without it") {
  auto app = [](service& svc) {
    svc.not_found([](const request& req, response& res) {
      if (winsvc::query<int>(req, "direct", 0)) res.headers.emplace("X-A", "a\r\nX-Evil: 1");
      else res.set_header("X Bad", "1");
    });
  };
  client c(app);
  for (const char* path : {"/missing", "/missing?direct=1"}) {
    const auto lines_before = c.log().size();
    const auto found = c.get(path);
    CHECK(found.status == 404);
    CHECK(found.header("X-Evil").empty());
    REQUIRE(c.log().size() == lines_before + 1);
    CHECK(c.log().back().text.find("set the response header") != std::string::npos);
  }
}

TEST_CASE("an invalid trailer is logged and ends the connection before the end of the body") {
  auto app = [](service& svc) {
    svc.get("/", [](response& res) {
      res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
        sink.write("text", 4);
        sink.done_with_trailer({{"X-A", "a\r\nX-Evil: 1"}});
        return true;
      });
    });
  };
  client c(app);
  const auto out = c.raw("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(out.find("Evil") == out.npos);
  CHECK(out.find("\r\n0\r\n") == out.npos);
  REQUIRE(c.log().size() == 1);
  CHECK(c.log()[0].text.find("set the response header 'X-A'") != std::string::npos);
}

TEST_CASE("a provider that catches the exception for an invalid trailer can end the body") {
  auto app = [](service& svc) {
    svc.get("/", [](response& res) {
      res.set_chunked_content_provider("text/plain", [](std::size_t, httplib::DataSink& sink) {
        try {
          sink.done_with_trailer({{"X-A", "a\nb"}});
        } catch (const std::invalid_argument&) {
          sink.done();
        }
        return true;
      });
    });
    svc.get("/next", [] { return "next"; });
  };
  client c(app);
  const auto out = c.raw("GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /next HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(out.find("\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK") != out.npos);
}

TEST_CASE("a Content-Length that a handler gives for a stream is its length") {
  auto stream = [](std::size_t bytes) {
    return reply::stream("text/plain", [bytes](winsvc::stream& out) { out.write(std::string(bytes, 's')); })
        .header("Content-Length", "10");
  };
  auto app = [&](service& svc) {
    svc.get("/exact", [&] { return stream(10); });
    svc.get("/short", [&] { return stream(4); });
    svc.get("/long", [&] { return stream(40); });
    svc.get("/next", [] { return "next"; });
  };
  client c(app);
  const std::string get_next = "GET /next HTTP/1.1\r\nHost: t\r\n\r\n";
  const auto exact = c.raw("GET /exact HTTP/1.1\r\nHost: t\r\n\r\n" + get_next);
  CHECK(exact.find("Content-Length: 10\r\n") != exact.npos);
  CHECK(exact.find("Transfer-Encoding") == exact.npos);
  CHECK(exact.find("\r\n\r\nssssssssssHTTP/1.1 200") != exact.npos);
  const auto too_short = c.raw("GET /short HTTP/1.1\r\nHost: t\r\n\r\n" + get_next);
  CHECK(too_short.substr(too_short.size() - 4) == "ssss");  // the connection ends, so that the client detects it
  const auto too_long = c.raw("GET /long HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(too_long.substr(too_long.find("\r\n\r\n") + 4) == std::string(10, 's'));
}

TEST_CASE("a body whose length is not the announced length is logged") {
  const auto provide = [](std::size_t count) {
    return [count](std::size_t offset, std::size_t, httplib::DataSink& sink) {
      if (offset >= count) return sink.done(), true;
      return sink.write(std::string(count, 'p').data(), count);
    };
  };
  auto app = [&provide](service& svc) {
    const auto add = [&svc, &provide](const std::string& name, std::size_t count) {
      svc.get("/stream/" + name, [count] {
        return reply::stream("text/plain", [count](winsvc::stream& out) { out.write(std::string(count, 's')); })
            .header("Content-Length", "10");
      });
      svc.get("/provider/" + name, [count, &provide](response& res) {
        res.set_content_provider(10, "text/plain", provide(count));
      });
    };
    add("exact", 10);
    add("short", 4);
    add("long", 40);
  };
  client c(app);
  const auto log_of = [&c](const std::string& path) {
    const auto before = c.log().size();
    static_cast<void>(c.raw("GET " + path + " HTTP/1.1\r\nHost: t\r\n\r\n"));
    return c.log().size() == before ? std::string() : c.log().back().text;
  };
  for (const std::string kind : {"/stream", "/provider"}) {
    CAPTURE(kind);
    CHECK(log_of(kind + "/exact").empty());
    CHECK(log_of(kind + "/short").find("framing.cpp:") != std::string::npos);
    CHECK(log_of(kind + "/short").find(" announced 10 bytes and wrote 4; the connection was closed") !=
          std::string::npos);
    CHECK(log_of(kind + "/long").find(" announced 10 bytes and wrote 40; the bytes after") != std::string::npos);
  }
}

TEST_CASE("a stream to an HTTP/1.0 client ends with the connection and is not compressed") {
  auto app = [](service& svc) {
    svc.get("/", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) {
        for (int i = 0; i < 3; ++i) out.write("line\n");
      });
    });
  };
  client c(app);
  const auto out = c.raw("GET / HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n");
  CHECK(out.find("Connection: close\r\n") != out.npos);
  CHECK(out.find("Transfer-Encoding") == out.npos);
  CHECK(out.find("Content-Encoding") == out.npos);
  CHECK(out.substr(out.find("\r\n\r\n") + 4) == "line\nline\nline\n");
}

TEST_CASE("the Content-Type that a handler sets is the only one") {
  auto app = [](service& svc) {
    svc.get("/text", [](response& res) { res.set_header("Content-Type", "application/xml"); return "<x/>"; });
    svc.get("/json", [](response& res) {
      res.set_header("Content-Type", "application/hal+json");
      return winsvc::json{{"a", 1}};
    });
    svc.get("/reply", [] { return reply::text("<x/>").header("Content-Type", "application/xml"); });
    svc.get("/stream", [] {
      return reply::stream("text/plain", [](winsvc::stream& out) { out.write("<x/>"); })
          .header("content-type", "application/xml");
    });
    svc.get("/provider", [](response& res) {
      res.set_header("Content-Type", "text/plain");
      res.set_content_provider(1, "application/xml", [](std::size_t, std::size_t, httplib::DataSink& sink) {
        return sink.write("x", 1);
      });
    });
  };
  client c(app);
  for (const char* path : {"/text", "/json", "/reply", "/stream", "/provider"}) {
    CAPTURE(path);
    const auto out = c.raw("GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    const auto lower = winsvc::detail::base::to_lower(out);
    CHECK(lower.find("content-type: application/") != lower.npos);
    CHECK(lower.find("content-type:", lower.find("content-type:") + 1) == lower.npos);
  }
}

TEST_CASE("a middleware sees the Content-Type of a result and can change it") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler& next) {
      next();
      CHECK(res.get_header_value("Content-Type") == "text/plain; charset=utf-8");
      CHECK(res.get_header_value_count("Content-Type") == 1);
      winsvc::detail::api::replace_header(res, "Content-Type", "application/xml");
    });
    svc.get("/", [] { return "<x/>"; });
  };
  client c(app);
  CHECK(c.get("/").header("Content-Type") == "application/xml");
}

TEST_CASE("the Content-Type of a result belongs to its body") {
  auto app = [](service& svc) {
    svc.get("/empty", [] { return ""; });
    svc.get("/204", [] { return std::pair(204, "x"); });
    svc.get("/json", [] { return std::pair(201, winsvc::json{{"a", 1}}); });
    svc.get("/invalid", [](response& res) {
      res.headers.emplace("X-A", "1\r\n2");
      return "x";
    });
  };
  client c(app);
  CHECK(c.get("/empty").header("Content-Type") == "text/plain; charset=utf-8");
  CHECK(c.get("/204").header("Content-Type") == "");
  CHECK(c.get("/json").header("Content-Type") == "application/json");
  CHECK(c.get("/invalid").header("Content-Type") == "application/problem+json");
}

TEST_CASE("headers of one name keep their order") {
  auto app = [](service& svc) {
    svc.get("/", [](response& res) {
      for (const char* value : {"1", "2", "3", "4"}) res.set_header("X-A", value);
      for (const char* name : {"a", "b", "c"}) winsvc::set_cookie(res, winsvc::cookie(name, "1"));
      return "x";
    });
    svc.get("/reply",
            [] { return reply::text("x").header("Link", "<a>").header("Link", "<b>").header("Link", "<c>"); });
  };
  client c(app);
  std::string values, cookies, links;
  for (const auto& [name, value] : c.get("/").headers) {
    if (name == "X-A") values += value;
    if (name == "Set-Cookie") cookies += value.substr(0, 1);
  }
  for (const auto& [name, value] : c.get("/reply").headers) {
    if (name == "Link") links += value;
  }
  CHECK(values == "1234");
  CHECK(cookies == "abc");
  CHECK(links == "<a><b><c>");
}

TEST_CASE("a reason phrase fits its status or is empty") {
  auto app = [](service& svc) {
    svc.get("/{status}", [](int status) { return std::pair(status, std::string("x")); });
  };
  client c(app);
  const auto line = [&](const std::string& status) {
    const auto out = c.raw("GET /" + status + " HTTP/1.1\r\nHost: t\r\n\r\n");
    return out.substr(0, out.find("\r\n"));
  };
  CHECK(line("200") == "HTTP/1.1 200 OK");
  CHECK(line("422") == "HTTP/1.1 422 Unprocessable Content");
  for (const char* unknown : {"299", "419", "450", "599"})
    CHECK(line(unknown) == "HTTP/1.1 " + std::string(unknown) + " ");
}

TEST_CASE("a header or a redirect with a line break is a logged 500, and nothing of it is sent") {
  auto app = [](service& svc) {
    svc.get("/header", [] { return reply::text("x").header("X-A", "1\r\nX-Evil: 1"); });
    svc.get("/name", [] { return reply::text("x").header("X A", "1"); });
    svc.get("/empty-name", [] { return reply::text("x").header("", "1"); });
    svc.get("/redirect", [] { return reply::redirect("/a\r\nX-Evil: 1"); });
  };
  client c(app);
  for (const char* path : {"/header", "/name", "/empty-name", "/redirect"}) {
    CAPTURE(path);
    const auto before = c.log().size();
    const auto response = c.get(path);
    CHECK(response.status == 500);
    CHECK(response.header("X-Evil").empty());
    CHECK(response.header("Location").empty());
    REQUIRE(c.log().size() == before + 1);
    CHECK(c.log().back().text.find("set the response header") != std::string::npos);
  }
}

TEST_CASE("the target of a redirect is percent-encoded") {
  auto app = [](service& svc) {
    svc.get("/reply", [] { return reply::redirect("/gr\xC3\xBC\xC3\x9F" "e x?q=\"%20\"#a"); });
    svc.get("/own", [](response& res) { res.set_redirect("/gr\xC3\xBC\xC3\x9F" "e x?q=\"%20\"#a"); });
    svc.get("/tab", [] { return reply::redirect("/\t/other.example"); });  // a browser removes a tab
  };
  client c(app);
  CHECK(c.get("/tab").header("Location") == "/%09/other.example");
  for (const char* path : {"/reply", "/own"})
    CHECK(c.get(path).header("Location") == "/gr%C3%BC%C3%9Fe%20x?q=%22%20%22#a");
}

TEST_CASE("a reply that is assigned to itself keeps its body") {
  auto app = [](service& svc) {
    svc.get("/", [] {
      reply r = reply::text("hello");
      r = std::move(r).header("X-A", "1").status(201);
      return r;
    });
  };
  client c(app);
  const auto response = c.get("/");
  CHECK(response.status == 201);
  CHECK(response.header("X-A") == "1");
  CHECK(response.body == "hello");
}

TEST_CASE("a head has its fields and its body for each length of a field and of the body") {
  auto app = [](service& svc) {
    svc.get("/{field}/{body}", [](response& res, const std::string& field, const std::string& body) {
      res.set_header("X-Long", std::string(static_cast<std::size_t>(std::stoi(field)), 'v'));
      return std::string(static_cast<std::size_t>(std::stoi(body)), 'b');
    });
  };
  client c(app);
  for (std::size_t field = 1; field < 1200; field += 1 + field / 300 * 7) {  // the writer's block has 512 bytes
    for (const std::size_t body : {std::size_t{0}, std::size_t{1}, 700 - (std::min)(field, std::size_t{700})}) {
      CAPTURE(field);
      CAPTURE(body);
      const auto response = c.get("/" + std::to_string(field) + "/" + std::to_string(body));
      CHECK(response.header("X-Long") == std::string(field, 'v'));
      CHECK(response.header("Content-Length") == std::to_string(body));
      CHECK(response.body == std::string(body, 'b'));
    }
  }
}
