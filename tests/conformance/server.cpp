// The server that the conformance tests speak to: a router and an engine on 127.0.0.1, without a host around them.
//
//   server [--canonical] [--file PATH] [--body-bytes N] [--head-ms N] [--body-ms N] [--idle-ms N] [--write-ms N]
//
// Its first line is the port it got. It serves until its standard input closes, drains, and ends with 0 when nothing was
// cut. The numbers take the place of those in wire/limits.hpp, so that a deadline can be waited for; --file is what
// /file answers with.
//
// --canonical keeps every request off the engine's direct path: both have to give the same bytes.
#include <winsvc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using winsvc::reply;
using winsvc::http::router;
using winsvc::wire::limits;

namespace {

struct settings {
  limits bounds;
  std::string file;
};

/// Throws std::invalid_argument for what it does not know.
settings parse_arguments(int count, char** arguments) {
  settings s;
  const auto next = [&](int& at) -> std::string {
    if (at + 1 == count) throw std::invalid_argument(std::string(arguments[at]) + " wants a value");
    return arguments[++at];
  };
  for (int at = 1; at < count; ++at) {
    const std::string_view option = arguments[at];
    if (option == "--canonical") s.bounds.fast_path = false;
    else if (option == "--file") s.file = next(at);
    else if (option == "--body-bytes") s.bounds.body_bytes = std::stoull(next(at));
    else if (option == "--head-ms") s.bounds.head_timeout = std::chrono::milliseconds(std::stol(next(at)));
    else if (option == "--body-ms") s.bounds.body_timeout = std::chrono::milliseconds(std::stol(next(at)));
    else if (option == "--idle-ms") s.bounds.keep_alive_timeout = std::chrono::milliseconds(std::stol(next(at)));
    else if (option == "--write-ms") s.bounds.write_timeout = std::chrono::milliseconds(std::stol(next(at)));
    else throw std::invalid_argument("unknown option '" + std::string(option) + "'");
  }
  return s;
}

/// One route for each kind of answer. /echo takes every method, and gives back what it was sent.
void add_routes(router& routes, const std::string& file) {
  using winsvc::request;
  using winsvc::route::method;
  const auto here = winsvc::source_location::current();
  const auto echo = [](const request& req) { return req.body; };

  routes.add(method::get, "/", [] { return "hello"; }, here);
  routes.add(method::post, "/", echo, here);
  routes.add(method::any, "/echo", echo, here);
  routes.add(method::get, "/json", [] { return reply::with("{\"hello\":\"world\"}", "application/json"); }, here);
  routes.add(method::get, "/users/{id}", [](std::string id) { return "user " + id; }, here);
  routes.add(method::put, "/things/{id}",
             [](const request& req, std::string id) {
               return reply::text(req.body, 201).header("Location", "/things/" + id);
             },
             here);
  routes.add(method::del, "/things/{id}", [](std::string) { return reply(204); }, here);

  routes.add(method::get, "/header", [](const request& req) { return req.get_header_value("X-Said"); }, here);
  routes.add(method::get, "/redirect", [] { return reply::redirect("/"); }, here);
  routes.add(method::get, "/nothing", [] { return reply::text("a body that must not be sent", 204); }, here);
  routes.add(method::get, "/unchanged", [] { return reply::text("a body that must not be sent", 304); }, here);
  routes.add(method::get, "/goodbye", [] { return reply::text("bye").header("Connection", "close"); }, here);
  routes.add(method::get, "/says/{value}",
             [](std::string value) { return reply::text("said").header("X-Said", value); }, here);
  routes.add(method::get, "/fails", []() -> std::string { throw std::runtime_error("as it was asked to"); }, here);
  routes.add(method::get, "/large", [] { return std::string(1024 * 1024, 'x'); }, here);
  routes.add(method::get, "/file", [file] { return reply::file(file); }, here);
  routes.add(method::get, "/sleep/{ms}",
             [](int ms) {
               std::this_thread::sleep_for(std::chrono::milliseconds((std::min)(ms, 2000)));
               return "slept";
             },
             here);

  routes.add(method::get, "/stream",
             [] {
               return reply::stream("text/plain", [](winsvc::stream& out) {
                 for (const char* word : {"one ", "two ", "three"}) out.write(word);
               });
             },
             here);
  routes.add(method::get, "/stream/breaks",
             [] {
               return reply::stream("text/plain", [](winsvc::stream& out) {
                 out.write("one ");
                 throw std::runtime_error("in the middle of an answer");
               });
             },
             here);
  routes.add(method::get, "/events",
             [] {
               return reply::events([](winsvc::event_stream& out) {
                 out.send("first");
                 out.send("second\nof two lines", "news", "2");
                 out.send("last");
               });
             },
             here);
  routes.freeze();
}

int serve(const settings& options) {
  router routes;
  add_routes(routes, options.file);
  winsvc::logger log;
  winsvc::http::engine engine(routes, options.bounds, log);
  if (const auto bound = engine.bind("127.0.0.1", 0); !bound) throw std::runtime_error(bound.error().to_string());
  engine.start();
  std::printf("%d\n", static_cast<int>(engine.address().port));
  std::fflush(stdout);

  while (std::getchar() != EOF) {}
  const auto report = engine.drain(std::chrono::seconds(2));
  return report.aborted == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return serve(parse_arguments(count, arguments));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "server: %s\n", e.what());
    return 2;
  }
}
