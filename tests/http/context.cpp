// The state of a request: which request a function finds, and what happens outside a request.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

using winsvc::reply;
using winsvc::request;
using winsvc::response;
using winsvc::service;
using winsvc::testing::client;

namespace {

/// The message of the setup_error that `call` throws; empty without one.
std::string setup_error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const winsvc::setup_error& e) {
    return e.what();
  }
  return {};
}

/// The messages of all functions that need the state of `req`, a line each.
std::string messages_for(const request& req) {
  std::string text;
  text += setup_error_of([&] { static_cast<void>(winsvc::context(req).id()); }) + '\n';
  text += setup_error_of([&] { static_cast<void>(winsvc::url_for(req, "home")); }) + '\n';
  text += setup_error_of([&] { static_cast<void>(winsvc::absolute_url(req, "/")); }) + '\n';
  text += setup_error_of([&] { static_cast<void>(reply::to(req, "home")); }) + '\n';
  return text;
}

const std::string rule = ": use it only on the thread that handles the request, while the handler runs, and not with a "
                         "copy of the request\n";
const std::string rejected = "context" + rule + "url_for" + rule + "absolute_url" + rule + "url_for" + rule;
const std::string accepted = "\n\n\n\n";

}  // namespace

TEST_CASE("context and url_for accept the handler's request, and reject a copy and another thread") {
  auto app = [](service& svc) {
    svc.get("/", [](const request& req) { return messages_for(req); }).name("home");
    svc.get("/copy", [](const request& req) { return messages_for(request(req)); });
    svc.get("/made", [] { return messages_for(request()); });
    svc.get("/thread", [](const request& req) {
      std::string text;
      std::thread([&] { text = messages_for(req); }).join();
      return text;
    });
  };
  client c(app);

  CHECK(c.get("/").body == accepted);
  CHECK(c.get("/copy").body == rejected);
  CHECK(c.get("/made").body == rejected);
  CHECK(c.get("/thread").body == rejected);
}

TEST_CASE("a copy of a request that outlives it is rejected, also while another request is handled") {
  std::optional<request> kept;
  auto app = [&](service& svc) {
    svc.get("/", [&](const request& req) {
      const std::string text = kept ? messages_for(*kept) : std::string();
      kept = req;
      return text;
    }).name("home");
  };
  client c(app);

  CHECK(c.get("/").body.empty());
  CHECK(c.get("/").body == rejected);
  CHECK(messages_for(*kept) == rejected);
}

TEST_CASE("a handler that calls another app keeps its own request") {
  auto inner = [](service& svc) {
    svc.get("/inner", [](const request& req) { return winsvc::context(req).id(); });
  };
  auto outer = [&](service& svc) {
    svc.get("/", [&](const request& req) {
      const std::string before = winsvc::context(req).id();
      const std::string other = client(inner).get("/inner").body;
      CHECK(!other.empty());
      CHECK(other != before);
      return winsvc::context(req).id() == before ? "same" : "different";
    });
  };
  client c(outer);

  CHECK(c.get("/").body == "same");
}

TEST_CASE("a stream inside the content provider of a middleware works with the sink of the server") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler& next) {
      next();
      auto inner = std::move(res.content_provider_);
      res.content_provider_ = [inner](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
        sink.write("before ", 7);
        return inner(offset, length, sink);
      };
    });
    svc.get("/", [] { return reply::stream("text/plain", [](winsvc::stream& out) { out.write("stream"); }); });
    svc.get("/events", [] {
      return reply::events([](winsvc::event_stream& out) { out.send("after " + out.last_event_id()); });
    });
  };
  client c(app);

  CHECK(c.get("/").body == "before stream");
  CHECK(c.get("/events", {{"Last-Event-ID", "7"}}).body == "before data: after 7\n\n");
}

TEST_CASE("a stream that gets a sink of the app is a setup_error, and the response is incomplete") {
  auto app = [](service& svc) {
    svc.use([](const request&, response& res, const winsvc::next_handler& next) {
      next();
      auto inner = std::move(res.content_provider_);
      res.content_provider_ = [inner](std::size_t offset, std::size_t length, httplib::DataSink&) {
        httplib::DataSink own;
        own.write = [](const char*, std::size_t) { return true; };
        own.done = [] {};
        return inner(offset, length, own);
      };
    });
    svc.get("/", [] { return reply::stream("text/plain", [](winsvc::stream& out) { out.write("stream"); }); });
  };
  client c(app);

  CHECK(c.get("/").body.find("stream") == std::string::npos);
  CHECK(c.log().back().text.find("stream: the sink is not one of winsvc") != std::string::npos);
}

TEST_CASE("a file or a stream can be applied to the response of the request, and not to another response") {
  const auto apply_stream = [](response& target) {
    reply::stream("text/plain", [](winsvc::stream& out) { out.write("streamed"); }).apply(target);
  };
  auto app = [&](service& svc) {
    svc.get("/own", [&](response& res) { apply_stream(res); });
    svc.get("/made", [&] {
      response made;
      return setup_error_of([&] { apply_stream(made); });
    });
    svc.get("/copy", [&](response& res) {
      response copy = res;
      res.set_content(setup_error_of([&] { apply_stream(copy); }), "text/plain");
    });
    svc.get("/assigned", [&](response& res) {
      res = response();
      apply_stream(res);
    });
  };
  client c(app);

  const std::string message = "reply: apply a file or a stream only to the response of a request, not to a copy or to "
                              "another response";
  CHECK(c.get("/own").body == "streamed");
  CHECK(c.get("/made").body == message);
  CHECK(c.get("/copy").body == message);
  CHECK(c.get("/assigned").body == "streamed");
}

TEST_CASE("a cookie is Secure in the response to an HTTPS request, also in a reply that was made before") {
  const reply prepared = reply::text("hello").cookie(winsvc::cookie("theme", "dark"));
  auto app = [&](service& svc) {
    svc.use(winsvc::trusted_proxies({"127.0.0.1"}));
    svc.get("/prepared", [&] { return prepared; });
    svc.get("/made", [] { return reply::text("hello").cookie(winsvc::cookie("theme", "dark")); });
    svc.get("/set", [](response& res) { winsvc::set_cookie(res, winsvc::cookie("theme", "dark")); });
  };
  client c(app);

  for (const char* path : {"/prepared", "/made", "/set"}) {
    CAPTURE(path);
    CHECK(c.get(path).header("Set-Cookie") == "theme=dark; Path=/; HttpOnly; SameSite=Lax");
    CHECK(c.get(path, {{"X-Forwarded-Proto", "https"}}).header("Set-Cookie") ==
          "theme=dark; Path=/; Secure; HttpOnly; SameSite=Lax");
  }
}
