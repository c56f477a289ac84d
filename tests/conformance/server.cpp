// Server for the conformance tests: a router and an engine on 127.0.0.1, without a service host.
//
//   server [--file PATH] [--body-bytes N] [--head-ms N] [--body-ms N] [--idle-ms N] [--write-ms N]
//
// It prints its port, serves until its standard input is closed, and then drains. The exit code is 0 if no request was
// aborted. The numbers replace the limits of wire/limits.hpp, so that a test can wait for a timeout. --file is the file
// that /file sends.
#include <winsvc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

using winsvc::reply;
using winsvc::detail::http::router;

namespace {

struct settings {
  winsvc::detail::wire::limits limits;
  std::string file;
};

/// Throws std::invalid_argument for an unknown option.
settings parse_arguments(int count, char** arguments) {
  settings s;
  const auto value = [&](int& index) -> std::string {
    if (index + 1 == count) throw std::invalid_argument(std::string(arguments[index]) + " requires a value");
    return arguments[++index];
  };
  for (int i = 1; i < count; ++i) {
    const std::string_view option = arguments[i];
    if (option == "--file") s.file = value(i);
    else if (option == "--body-bytes") s.limits.body_bytes = std::stoull(value(i));
    else if (option == "--head-ms") s.limits.head_timeout = std::chrono::milliseconds(std::stol(value(i)));
    else if (option == "--body-ms") s.limits.body_timeout = std::chrono::milliseconds(std::stol(value(i)));
    else if (option == "--idle-ms") s.limits.keep_alive_timeout = std::chrono::milliseconds(std::stol(value(i)));
    else if (option == "--write-ms") s.limits.write_timeout = std::chrono::milliseconds(std::stol(value(i)));
    else throw std::invalid_argument("unknown option '" + std::string(option) + "'");
  }
  return s;
}

/// Adds a route for each kind of response. /echo accepts each method and returns the body of the request.
void add_routes(router& routes, const std::string& file) {
  using winsvc::request;
  using winsvc::detail::route::method;
  const auto location = winsvc::source_location::current();
  const auto echo = [](const request& req) { return req.body; };

  routes.add(method::get, "/", [] { return "hello"; }, location);
  routes.add(method::post, "/", echo, location);
  routes.add(method::any, "/echo", echo, location);
  routes.add(method::get, "/json", [] { return reply::with("{\"hello\":\"world\"}", "application/json"); }, location);
  routes.add(method::get, "/users/{id}", [](std::string id) { return "user " + id; }, location);
  routes.add(method::put, "/things/{id}",
             [](const request& req, std::string id) {
               return reply::text(req.body, 201).header("Location", "/things/" + id);
             },
             location);
  routes.add(method::del, "/things/{id}", [](std::string) { return reply(204); }, location);

  routes.add(method::get, "/header", [](const request& req) { return req.get_header_value("X-Said"); }, location);
  routes.add(method::get, "/redirect", [] { return reply::redirect("/"); }, location);
  routes.add(method::get, "/nothing", [] { return reply::text("a body that must not be sent", 204); }, location);
  routes.add(method::get, "/unchanged", [] { return reply::text("a body that must not be sent", 304); }, location);
  routes.add(method::get, "/goodbye", [] { return reply::text("bye").header("Connection", "close"); }, location);
  routes.add(method::get, "/says/{value}",
             [](std::string value) { return reply::text("said").header("X-Said", value); }, location);
  routes.add(method::get, "/fails", []() -> std::string { throw std::runtime_error("test failure"); }, location);
  routes.add(method::get, "/large", [] { return std::string(1024 * 1024, 'x'); }, location);
  routes.add(method::get, "/file", [file] { return reply::file(file); }, location);
  routes.add(method::get, "/sleep/{ms}",
             [](int ms) {
               std::this_thread::sleep_for(std::chrono::milliseconds((std::min)(ms, 2000)));
               return "slept";
             },
             location);

  routes.add(method::get, "/stream",
             [] {
               return reply::stream("text/plain", [](winsvc::stream& out) {
                 for (const char* word : {"one ", "two ", "three"}) out.write(word);
               });
             },
             location);
  routes.add(method::get, "/stream/breaks",
             [] {
               return reply::stream("text/plain", [](winsvc::stream& out) {
                 out.write("one ");
                 throw std::runtime_error("failure within a response");
               });
             },
             location);
  routes.add(method::get, "/events",
             [] {
               return reply::events([](winsvc::event_stream& out) {
                 out.send("first");
                 out.send("second\nof two lines", "news", "2");
                 out.send("last");
               });
             },
             location);

  // For tests/bench/crowds.py.
  static winsvc::event_channel ticks;
  routes.add(method::get, "/livez", [] { return "live"; }, location);
  routes.add(method::get, "/ticks", [] { return reply::events(ticks); }, location);
  routes.add(method::post, "/size", [](const request& req) { return std::to_string(req.body.size()); }, location);

  // The reports of a trusted proxy, for proxy.py.
  const auto chain = std::make_shared<winsvc::detail::api::middleware_chain>();
  chain->push_back(std::make_shared<const winsvc::middleware>(winsvc::request_id()));
  chain->push_back(std::make_shared<const winsvc::middleware>(winsvc::trusted_proxies({"127.0.0.1"})));
  const auto report = [](const request& req, int id) {
    const std::string path = winsvc::url_for(req, "report", id);
    return reply::text(req.remote_addr + '\n' + path + '\n' + winsvc::absolute_url(req, path) + '\n' +
                       winsvc::context(req).id() + '\n' + winsvc::header_text(req, "traceparent"))
        .cookie(winsvc::cookie("a", "1"));
  };
  const auto id = routes.add(method::get, "/report/{id}", report, location, chain);
  routes.mutable_table(id, "name").name_routes(id, id + 1, "report");
  routes.add(method::get, "/login", [] { return reply::redirect("/report/7"); }, location, chain);
  routes.freeze();
}

int serve(const settings& options) {
  router routes;
  add_routes(routes, options.file);
  winsvc::logger log;
  winsvc::detail::server::engine engine(routes, options.limits, log);
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
