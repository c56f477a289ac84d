// cpp-httplib at work for one request: the subclass that reaches its parser and writer, and the hooks that put our
// router in the place of its own.
//
// cpp-httplib parses, frames, compresses and writes; this decides what is called, and what an answer must and must not
// carry. It uses what a subclass is offered (process_request, svr_sock_) and public hooks, and never calls listen() or
// stop().
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/httplib.hpp"
#include "winsvc/http/router.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class core final : public httplib::Server {
 public:
  core(const router& routes, const wire::limits& bounds, logger& log);

  /// Runs one request that the gate has let through. False: the connection is of no further use.
  bool process(exchange& x, const os::endpoint& peer, const os::endpoint& local);

  /// Serves a connection whose request was answered with 101, until it is over.
  void process_upgraded(exchange& x) { x.upgraded(log_); }

  /// The routes, for whoever matches before the body is read.
  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// A request id: short, and unlike those of the run before.
  [[nodiscard]] std::string next_id();

 private:
  void route(exchange& x, request& req, response& res);
  void dispatch(exchange& x, request& req, response& res);
  void call_handler(exchange& x, request& req, response& res);
  void problem(const request& req, response& res, int status, std::string_view detail, std::string_view id = {});
  void drop_late_body(exchange& x);
  template <class F>
  void guarded(exchange& x, request& req, response& res, const char* what, F call);
  void before_write(exchange& x, const request& req, response& res);

  const router& routes_;
  const wire::limits& bounds_;
  logger& log_;
  std::uint32_t salt_;
  std::atomic<std::uint64_t> count_{0};  // relaxed: only its uniqueness matters
};

/// What was wrong with a body, by the status it got.
[[nodiscard]] constexpr std::string_view body_problem(int status) noexcept {
  return status == 408   ? "the body did not arrive in time"
         : status == 413 ? "the body is too large"
         : status == 415 ? "the body is in a coding that is not known here"
                         : "the body is not framed as it says";
}

/// An answer without cpp-httplib, for what the gate refuses: the whole response, connection closing.
[[nodiscard]] std::string refusal(int status, std::string_view reason);

// ---------------------------------------------------------------------------------------------------------------------

inline core::core(const router& routes, const wire::limits& bounds, logger& log)
    : routes_(routes), bounds_(bounds), log_(log), salt_(std::random_device{}() & 0xFFFFFFu) {
  // Content providers stop as soon as this is INVALID_SOCKET, which to cpp-httplib means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  set_payload_max_length(static_cast<std::size_t>(routes.largest_body(bounds.body_bytes)));  // ours are at most that

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib hands out its own non-const objects as const; casting that away is well defined.
    auto& r = const_cast<request&>(req);
    exchange& x = *current_exchange();
    x.req = &req;
    r.is_connection_closed = [&x] { return x.stream.watch(std::chrono::milliseconds(0)) == watched::gone; };
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();  // a range is defined for GET alone (RFC 9110 §14.2)

    const bool has_body = !x.stream.body_done();
    if (x.match.what == route::outcome::found && has_body) {
      const std::uint64_t most = routes_.body_limit(x.match, bounds_.body_bytes);
      if (x.head.framing == wire::framing::length && x.head.content_length > most) {
        x.closing = true;
        x.ours = true;
        x.stream.refuse_body();
        write_problem(res, 413, "the body is larger than " + std::to_string(most) + " bytes");
        return HandlerResponse::Handled;
      }
      x.path = std::exchange(r.path, "/_");  // on to the handlers below, called once cpp-httplib has read the body
      return HandlerResponse::Unhandled;
    }
    route(x, r, res);
    return HandlerResponse::Handled;
  });

  const auto go_on = [this](const request& req, response& res, std::function<bool()> read_body) {
    exchange& x = *current_exchange();
    auto& r = const_cast<request&>(req);
    r.path = std::move(x.path);
    r.path_params.clear();
    x.read_body = std::move(read_body);
    route(x, r, res);
    x.read_body = nullptr;
  };
  // With a reader cpp-httplib lets us say when the body is read: after the middleware, before the handler.
  const HandlerWithContentReader late = [this, go_on](const request& req, response& res,
                                                      const httplib::ContentReader& read) {
    go_on(req, res, [this, &req, &read] {
      exchange& x = *current_exchange();
      const std::uint64_t most = routes_.body_limit(x.match, bounds_.body_bytes);
      return http::read_body(const_cast<request&>(req), read, (std::min)(most, x.body_limit), x.body_too_large);
    });
  };
  Post("/:_", late).Put("/:_", late).Patch("/:_", late).Delete("/:_", late);
  // For these it has none, and has read it already.
  const Handler read_already = [go_on](const request& req, response& res) { go_on(req, res, nullptr); };
  Get("/:_", read_already).Options("/:_", read_already);

  set_error_handler([](const request&, response& res) {
    exchange& x = *current_exchange();
    const int fault = x.stream.body_fault();
    if (fault <= 0) {
      if (x.ours || !res.body.empty()) return HandlerResponse::Unhandled;
      write_problem(res, res.status, "the request could not be read");  // cpp-httplib's own refusals have no text
      return HandlerResponse::Handled;
    }
    x.closing = true;
    write_problem(res, fault, body_problem(fault));
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([this](const request& req, response& res) { before_write(*current_exchange(), req, res); });
}

inline std::string core::next_id() {
  char text[32];
  std::snprintf(text, sizeof text, "%06x-%llu", salt_,
                static_cast<unsigned long long>(count_.fetch_add(1, std::memory_order_relaxed) + 1));
  return text;
}

inline bool core::process(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  current_exchange() = &x;
  bool ok = false;
  try {
    ok = process_request(x.stream, peer.host, peer.port, local.host, local.port, x.closing, x.closed, nullptr);
  } catch (const std::exception& e) {
    // Content providers, hooks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + x.id + ": the answer failed while it was written: " + e.what());
  } catch (...) {
    log_.error("request " + x.id + ": the answer failed while it was written");
  }
  current_exchange() = nullptr;
  return ok && x.stream.flush() && !x.closing && x.stream.body_done();
}

/// The middleware, and in its middle the handler or the refusal.
inline void core::route(exchange& x, request& req, response& res) {
  x.ours = true;
  const chain& links = routes_.around(x.match);
  if (links.empty()) return dispatch(x, req, res);
  guarded(x, req, res, "middleware", [&] {
    run_chain(links, 0, req, res, [&] { dispatch(x, req, res); });
  });
  if (res.status == -1) res.status = 200;
  drop_late_body(x);
}

/// A body that has arrived with its head is dropped, and the connection lives on. One that would have to be waited for
/// is not worth it: the answer leaves now, and the connection ends.
inline void core::drop_late_body(exchange& x) {
  if (x.stream.body_here()) return;
  x.closing = true;
  x.stream.refuse_body();
}

inline void core::dispatch(exchange& x, request& req, response& res) {
  const auto reject = [&](int status, std::string_view detail) {
    drop_late_body(x);
    problem(req, res, status, detail);
  };

  switch (x.match.what) {
    case route::outcome::found: return call_handler(x, req, res);
    case route::outcome::bad_path: return reject(400, "the path is not well formed");
    case route::outcome::not_found: return reject(404, {});
    case route::outcome::paused:
      reject(503, "the service is paused");
      return replace_header(res, "Retry-After", "10");
    case route::outcome::method_not_allowed:
      if (x.head.verb == route::method::options) {
        res.status = 204;
      } else {
        reject(405, {});
      }
      replace_header(res, "Allow", x.match.allowed.allow());
  }
}

/// An error of ours, in the form that the app wants it, or that the client asked for.
inline void core::problem(const request& req, response& res, int status, std::string_view detail, std::string_view id) {
  if (asks_for_text(req)) write_text_problem(res, status, detail, id);
  else write_problem(res, status, detail, id);
  routes_.pages.answer(req, res);
}

/// Whatever `call` throws becomes an answer.
template <class F>
void core::guarded(exchange& x, request& req, response& res, const char* what, F call) {
  const auto failed = [&](const std::string& words) {
    // The text is for the log: it may hold a path, a query, a password. The client gets the id to ask about.
    const std::string place =
        x.match.what == route::outcome::found ? " at " + routes_.entry(x.match.id).where.text() : std::string();
    log_.error("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) + ": " + what +
               place + " threw: " + words);
    problem(req, res, 500, "the request failed; the log has the reason under this id", x.id);
  };
  const httplib::Headers before = res.headers;
  const auto blank = [&] {  // what was begun goes, its content provider's clean-up included; not what was there before
    response empty;
    empty.headers = before;
    std::swap(res, empty);
  };
  try {
    call();
  } catch (const abort_error& e) {
    problem(req, res, e.status(), e.what());
  } catch (...) {
    blank();
    const std::exception_ptr thrown = std::current_exception();
    try {
      if (routes_.pages.answer(thrown, req, res)) return;
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      failed(e.what());
    } catch (...) {
      failed("something that is no std::exception");
    }
  }
}

inline void core::call_handler(exchange& x, request& req, response& res) {
  x.pattern = routes_.entry(x.match.id).path.text;
  guarded(x, req, res, "handler", [&] {
    if (x.read_body && !x.read_body()) {
      const int fault = x.stream.body_fault();
      const int status = x.body_too_large ? 413 : fault > 0 ? fault : res.status >= 400 ? res.status : 400;
      x.closing = true;
      return problem(req, res, status, body_problem(status));
    }
    routes_.call(x.match, req, res);
    if (text::equal_nocase(res.get_header_value("Connection"), "close")) x.closing = true;  // the handler's own wish
    if (res.status == -1) res.status = 200;  // left at -1, a Range would turn it into 206
    if (res.status != 206) req.ranges.clear();  // cpp-httplib would make it 416 where they reach past the answer's end
  });
}

/// Runs when cpp-httplib has put the headers together and before it writes them.
inline void core::before_write(exchange& x, const request& req, response& res) {
  x.status = res.status;
  if (res.is_chunked_content_provider_ && x.head.minor == 0) {  // HTTP/1.0 knows no chunks: the end is the end
    res.is_chunked_content_provider_ = false;
    res.headers.erase("Transfer-Encoding");
    x.closing = true;
  }
  // Looked at now and not when the request came: the drain may have begun while the handler ran.
  if (x.draining.load() || x.closed || (!x.stream.body_done() && x.stream.body_fault() != 0)) x.closing = true;
  if (res.content_provider_) x.stream.unbuffered();

  const bool bodiless = res.status < 200 || res.status == 204 || res.status == 304;
  if (bodiless) {  // RFC 9110 §8.6: no Content-Length in a 1xx or 204; a 304's would be that of the answer it stands for
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status != 304) res.headers.erase("Content-Type");
  }
  if (req.method == "HEAD") res.headers.erase("Accept-Ranges");  // cpp-httplib promises ranges on HEAD alone
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  const bool switches = res.has_header("Upgrade");  // or tells what to switch to: 101 and 426
  if (x.closing && res.status != 101) {
    res.set_header("Connection", switches ? "Upgrade, close" : "close");
  } else if (switches) {
    res.set_header("Connection", "Upgrade");
  } else if (x.head.minor == 0) {
    res.set_header("Connection", "keep-alive");
  }
  if (!res.has_header("Date")) res.set_header("Date", http_date(clock::system().wall()));
}

inline std::string refusal(int status, std::string_view reason) {
  response res;
  write_problem(res, status, reason);
  return "HTTP/1.1 " + std::to_string(status) + ' ' + httplib::status_message(status) +
         "\r\nDate: " + http_date(clock::system().wall()) +
         "\r\nContent-Type: application/problem+json\r\nContent-Length: " + std::to_string(res.body.size()) +
         "\r\nConnection: close\r\n\r\n" + res.body;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
