// cpp-httplib at work for one request: the subclass that reaches its parser and writer, and the hooks that put our
// router in the place of its own.
//
// cpp-httplib parses heads, compresses and writes; this reads bodies, decides what is called, and what an answer must and
// must not carry. It uses what a subclass is offered (process_request, svr_sock_) and public hooks, and never calls listen() or
// stop().
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/direct.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/guard.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/traffic.hpp"
#include "winsvc/http/upload_receiver.hpp"
#include "winsvc/http/watchdog.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class core final : public httplib::Server {
 public:
  core(const router& routes, const wire::limits& bounds, logger& log);

  /// Runs one request that the gate has let through, and leaves its answer in the stream's `out`, as far as that has
  /// not left already. False: the connection is of no further use behind it.
  bool process(exchange& x, const os::endpoint& peer, const os::endpoint& local);

  /// Serves a connection whose request was answered with 101, until it is over.
  void process_upgraded(exchange& x) { x.upgraded(log_); }

  /// How long requests like this take.
  [[nodiscard]] pace& pace_of(const route::match_result& m) noexcept {
    return paces_[m.what == route::outcome::found ? m.id : paces_.size() - 1];
  }
  [[nodiscard]] bool is_slow(const route::match_result& m) noexcept { return pace_of(m).is_slow(); }

  /// The routes, for whoever matches before the body is read.
  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// A request id: short, and unlike those of the run before.
  [[nodiscard]] std::string next_id();

 private:
  bool process_by_library(exchange& x, const os::endpoint& peer, const os::endpoint& local);
  bool process_directly(exchange& x, const os::endpoint& peer, const os::endpoint& local);
  void route(exchange& x, request& req, response& res);
  void dispatch(exchange& x, request& req, response& res);
  void call_handler(exchange& x, request& req, response& res);
  [[nodiscard]] bool takes_upload(const exchange& x) const { return routes_.receiver(x.match) != nullptr; }
  bool receive_body(exchange& x, request& req, const body_source& read) const;
  void run_link(exchange& x, std::size_t at, request& req, response& res);
  void drop_late_body(exchange& x);
  [[nodiscard]] std::uint64_t body_limit(const exchange& x) const noexcept {
    return (std::min)(routes_.body_limit(x.match, bounds_.body_bytes), x.body_limit);
  }
  void answer_late_handler(exchange& x, const request& req, std::chrono::milliseconds limit) noexcept;
  static parting_words last_words(exchange& x, const request& req, response& res);
  static void before_write(exchange& x, const request& req, response& res);

  const router& routes_;
  const wire::limits& bounds_;
  logger& log_;
  const guard guard_;
  watchdog watchdog_;
  std::vector<pace> paces_;  // by route, and the last for what has none
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

/// An answer that nobody else writes, the connection closing.
[[nodiscard]] std::string whole_answer(const response& res, bool with_body = true);
/// The same for what the gate refuses.
[[nodiscard]] std::string refusal(int status, std::string_view reason, bool with_body = true);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE core::core(const router& routes, const wire::limits& bounds, logger& log) : routes_(routes), bounds_(bounds), log_(log), guard_(routes, log), paces_(routes.routes().entries().size() + 1), salt_(std::random_device{}() & 0xFFFFFFu) {
  // Content providers stop as soon as this is INVALID_SOCKET, which to cpp-httplib means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  set_payload_max_length((std::numeric_limits<std::size_t>::max)());  // ours count; its own would blank our answer

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib hands out its own non-const objects as const; casting that away is well defined.
    auto& r = const_cast<request&>(req);
    exchange& x = *current_exchange();
    if (x.done) {  // it was made on the direct way; what is left to do is to write it
      res = std::move(*x.done);
      r.ranges.clear();
      return HandlerResponse::Handled;
    }
    x.req = &req;
    r.is_connection_closed = [&x] { return x.stream.watch(std::chrono::milliseconds(0)) == watched::gone; };
    // a range is defined for GET alone (RFC 9110 section 14.2)
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();

    if (x.match.what == route::outcome::found && !x.stream.body_done() && r.method != "HEAD") {
      const std::string coding = r.get_header_value("Content-Encoding");
      const bool plain = coding.empty() || text::equal_nocase(coding, "identity");
#if WINSVC_COMPRESSES
      if (!plain) {
        // On to the handler below, which cpp-httplib gives a reader that decompresses, as it does for some methods only.
        x.path = std::exchange(r.path, "/_");
        x.method = std::exchange(r.method, "POST");
        return HandlerResponse::Unhandled;
      }
#endif
      x.read_body = [this, &x, &r, &res, plain] {
        if (!plain) res.status = 415;
        return plain && receive_body(x, r, [&x](const body_receiver& take) { return x.stream.read_body(take); });
      };
    }
    route(x, r, res);
    x.read_body = nullptr;
    return HandlerResponse::Handled;
  });

#if WINSVC_COMPRESSES
  // With a reader cpp-httplib lets us say when the body is read: after the middleware, before the handler. A route of
  // cpp-httplib's brings its std::regex into the program, so there is none where nothing can be decompressed.
  const HandlerWithContentReader late = [this](const request& req, response& res, const httplib::ContentReader& read) {
    exchange& x = *current_exchange();
    auto& r = const_cast<request&>(req);
    r.path = std::move(x.path);
    r.method = std::move(x.method);
    r.path_params.clear();
    x.read_body = [this, &x, &r, &read] {
      return receive_body(x, r, [&r, &read](const body_receiver& take) {
        // With the type of a form, cpp-httplib would parse the body itself and hand out nothing.
        const auto type = r.headers.find("Content-Type");
        std::string hidden;
        if (type != r.headers.end()) hidden = std::exchange(type->second, std::string());
        const scope_exit show([&] {
          if (type != r.headers.end()) type->second = std::move(hidden);
        });
        return read(take);
      });
    };
    route(x, r, res);
    x.read_body = nullptr;
  };
  Post("/:_", late);
#endif

  set_error_handler([this](const request& req, response& res) {
    exchange& x = *current_exchange();
    if (x.ours || !res.body.empty()) return HandlerResponse::Unhandled;
    guard_.refuse(x, req, res, res.status, "the request could not be read");  // cpp-httplib's own refusals have no text
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([](const request& req, response& res) { before_write(*current_exchange(), req, res); });
}

WINSVC_INLINE std::string core::next_id() {
  char text[32];
  char* at = text;
  for (int shift = 20; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(salt_ >> shift) & 0xF];
  *at++ = '-';
  at = std::to_chars(at, text + sizeof text, count_.fetch_add(1, std::memory_order_relaxed) + 1).ptr;
  return std::string(text, at);
}

WINSVC_INLINE bool core::process(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  exchange* const outer = std::exchange(current_exchange(), &x);  // of a handler that asks another engine
  bool ok = false;
  try {
    const bool direct = bounds_.direct_path && !pace_of(x.match).streams() && is_plain(x.head, x.stream) &&
                        !(x.match.what == route::outcome::found && takes_upload(x));
    ok = (direct && process_directly(x, peer, local)) || process_by_library(x, peer, local);
  } catch (const std::exception& e) {
    // Content providers, hooks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + x.id + ": the answer failed while it was written: " + e.what());
  } catch (...) {
    log_.error("request " + x.id + ": the answer failed while it was written");
  }
  current_exchange() = outer;
  if (x.stream.answered_in_place()) x.status = 503;
  return x.stream.close() && ok && !x.closing && x.stream.body_done();
}

WINSVC_INLINE bool core::process_by_library(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  x.stream.hand_over(wire::canonical_head(x.head, httplib_decodes_headers));
  return process_request(x.stream, peer.host, peer.port, local.host, local.port, x.closing, x.closed, nullptr);
}

/// False: nothing has been answered, and the other way is the one.
WINSVC_INLINE bool core::process_directly(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  request req;
  if (!fill_request(req, x.head, peer, local)) return false;
  response res;
  x.req = &req;
  req.is_connection_closed = [&x] { return x.stream.watch(std::chrono::milliseconds(0)) == watched::gone; };
  struct here {
    const core& of;
    exchange& x;
    request& req;
  } all{*this, x, req};
  if (x.match.what == route::outcome::found && !x.stream.body_done() && req.method != "HEAD") {
    x.read_body = [&all] {
      const std::uint64_t most = all.of.body_limit(all.x);
      all.x.body_too_large = all.x.head.content_length > most;
      if (all.x.body_too_large) return false;
      all.x.stream.take_body(all.req.body);
      if (is_urlencoded(all.req)) take_urlencoded(all.req);
      return true;
    };
  }
  route(x, req, res);
  x.read_body = nullptr;
  if (!is_whole(res)) {  // from now on such requests go the other way at once
    pace_of(x.match).note_stream();
    x.done = &res;
    const bool ok = process_by_library(x, peer, local);
    x.done = nullptr;
    x.req = nullptr;
    return ok;
  }
  if (!x.stream.body_done() && x.stream.body_here()) {
    std::string unread;
    x.stream.take_body(unread);
  }
  write_answer(res, last_words(x, req, res), x.stream.out());
  x.req = nullptr;
  return true;
}

/// The middleware, and in its middle the handler or the refusal.
WINSVC_INLINE void core::route(exchange& x, request& req, response& res) {
  x.ours = true;
  if (x.match.what == route::outcome::found) x.pattern = routes_.entry(x.match.id).path.text;
  run_link(x, 0, req, res);
  guard_.check_status(x, req, res);
  const std::string* const wish = find_header(res, "Connection");  // somebody's own
  if (wish && text::equal_nocase(*wish, "close")) x.closing = true;
  if (res.status == -1) res.status = 200;     // left at -1, a Range would turn it into 206
  if (res.status != 206) req.ranges.clear();  // cpp-httplib would make it 416 where they reach past the answer's end
  if (find_header(res, "Content-Encoding")) req.headers.erase("Accept-Encoding");  // cpp-httplib would encode it again
  drop_late_body(x);
}

/// One middleware, which is given the rest as `next`; each in a guard of its own, so that whoever called `next` sees a
/// finished answer whatever went wrong behind it.
WINSVC_INLINE void core::run_link(exchange& x, std::size_t at, request& req, response& res) {
  const chain& links = routes_.around(x.match, x.head.verb);
  if (at == links.size()) return dispatch(x, req, res);
  bool called = false;
  const std::function<void()> rest = [&] {
    if (std::exchange(called, true)) throw std::logic_error("a middleware called next() a second time");
    run_link(x, at + 1, req, res);
    if (res.status == -1) res.status = 200;
  };
  guard_.run(x, req, res, "middleware", [&] { (*links[at])(req, res, next(rest)); });
}

/// A body that has arrived with its head is dropped, and the connection lives on. One that would have to be waited for
/// is not worth it: the answer leaves now, and the connection ends.
WINSVC_INLINE void core::drop_late_body(exchange& x) {
  if (x.stream.body_here() && x.stream.body_fault() == 0) return;
  x.closing = true;
  x.stream.refuse_body();
}

WINSVC_INLINE void core::dispatch(exchange& x, request& req, response& res) {
  switch (x.match.what) {
    case route::outcome::found: return call_handler(x, req, res);
    case route::outcome::bad_path: return guard_.refuse(x, req, res, 400, "the path is not well formed");
    case route::outcome::not_found: return guard_.refuse(x, req, res, 404, {});
    case route::outcome::paused:
      replace_header(res, "Retry-After", "10");
      return guard_.refuse(x, req, res, 503, "the service is paused");
    case route::outcome::method_not_allowed:
      replace_header(res, "Allow", x.match.allowed.allow());
      if (x.head.verb == route::method::options) res.status = 204;
      else guard_.refuse(x, req, res, 405, {});
  }
}

/// Into the request, or into files. False: it did not arrive whole, or is too large.
WINSVC_INLINE bool core::receive_body(exchange& x, request& req, const body_source& read) const {
  const std::uint64_t most = body_limit(x);
  x.body_too_large = x.head.framing == wire::framing::length && x.head.content_length > most;
  if (x.body_too_large) return false;
  const upload_receiver* const files = routes_.receiver(x.match);
  if (!files) return read_body(req, read, most, x.body_too_large);

  const bool closing = std::exchange(x.closing, true);  // unless it is read to its end, nothing can follow it
  const std::uint64_t of_file = routes_.entry(x.match.id).about.file_limit.value_or(most);
  if (!files->receive(x, req, read, {most, of_file, routes_.upload_folder})) return false;
  x.closing = closing;
  return true;
}

WINSVC_INLINE void core::call_handler(exchange& x, request& req, response& res) {
  guard_.run(x, req, res, "handler", [&] {
    if (x.read_body && !x.read_body()) {
      const int fault = x.stream.body_fault();
      const int status = x.body_too_large ? 413 : fault > 0 ? fault : res.status >= 400 ? res.status : 400;
      x.closing = true;
      winsvc::abort(status, x.body_too_large ? "the body is larger than " + std::to_string(body_limit(x)) + " bytes"
                                             : std::string(body_problem(status)));
    }
    std::optional<watchdog::watch> until;
    if (const auto limit = routes_.entry(x.match.id).about.time_limit)
      until.emplace(watchdog_, *limit, [this, &x, &req, limit = *limit] { answer_late_handler(x, req, limit); });
    routes_.call(x.match, req, res);
  });
}

/// On the watchdog's thread. The request is only read here, as it is in the handler.
WINSVC_INLINE void core::answer_late_handler(exchange& x, const request& req, std::chrono::milliseconds limit) noexcept {
  try {
    response res;
    const std::string detail = "no answer within " + duration_text(limit);
    if (asks_for_text(req)) write_text_problem(res, 503, detail, x.id);
    else write_problem(res, 503, detail, x.id);
    if (!x.stream.answer_in_place(whole_answer(res))) return;
    log_.warn("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) + ": handler at " +
              routes_.entry(x.match.id).where.text() + ": " + detail + "; the client was told so with 503, and the "
              "handler goes on");
  } catch (...) {  // no memory: the handler may still answer
  }
}

/// What is decided once the answer is there, and before it is written.
WINSVC_INLINE parting_words core::last_words(exchange& x, const request& req, response& res) {
  x.status = res.status;
  // Looked at now and not when the request came: the drain may have begun while the handler ran.
  if (x.draining.load() || x.closed || (!x.stream.body_done() && x.stream.body_fault() != 0)) x.closing = true;
  parting_words words;
  words.bodiless = res.status < 200 || res.status == 204 || res.status == 304;
  words.with_body = req.method != "HEAD";
  const bool switches = find_header(res, "Upgrade") != nullptr;  // or tells what to switch to: 101 and 426
  if (x.closing && res.status != 101) words.connection = switches ? "Upgrade, close" : "close";
  else if (switches) words.connection = "Upgrade";
  else if (x.head.minor_version == 0) words.connection = "keep-alive";
  return words;
}

/// Runs when cpp-httplib has put the headers together and before it writes them.
WINSVC_INLINE void core::before_write(exchange& x, const request& req, response& res) {
  if (res.is_chunked_content_provider_ && x.head.minor_version == 0) {  // HTTP/1.0 knows no chunks: the end is the end
    res.is_chunked_content_provider_ = false;
    res.headers.erase("Transfer-Encoding");
    x.closing = true;
  }
  const parting_words words = last_words(x, req, res);
  if (res.content_provider_ && (words.bodiless || !res.body.empty())) {  // a stream that was replaced
    drop_stream(res);
    replace_header(res, "Content-Length", std::to_string(res.body.size()));
  }
  if (res.content_provider_) x.stream.unbuffered();
  // RFC 9110 section 8.6: no Content-Length in a 1xx or 204; a 304's would be that of the answer it stands for.
  if (words.bodiless) {
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status != 304) res.headers.erase("Content-Type");
  }
  if (!words.with_body) res.headers.erase("Accept-Ranges");  // cpp-httplib promises ranges on HEAD alone
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  if (!words.connection.empty()) res.set_header("Connection", std::string(words.connection));
  if (!res.has_header("Date")) res.set_header("Date", std::string(date_of_now()));
}

WINSVC_INLINE std::string whole_answer(const response& res, bool with_body) {
  parting_words words;
  words.connection = "close";
  words.with_body = with_body;
  std::string out;
  write_answer(res, words, out);
  return out;
}

WINSVC_INLINE std::string refusal(int status, std::string_view reason, bool with_body) {
  response res;
  write_problem(res, status, reason);
  if (status == 503 || status == 429) replace_header(res, "Retry-After", "10");
  return whole_answer(res, with_body);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
