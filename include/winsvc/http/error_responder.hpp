// What becomes of everything that goes wrong between a request and its answer: one shape for errors, in the form that
// the client asked for, with the app's own page where it has one, and a line in the log for what nobody expected.
//
//   guard_.run(x, req, res, "handler", [&] { ... });     // whatever it throws becomes an answer
//   guard_.refuse(req, res, 405, {});                    // an error of ours
//
// Nothing leaves it as an exception: cpp-httplib's own handling would answer without our shape, and without a log line.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/api/upload.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class error_responder {
 public:
  error_responder(const router& routes, logger& log) : routes_(routes), log_(log) {}

  /// Calls it. After an exception the headers are as they were before the call, and the answer is the exception's:
  /// abort's own, the page's of that type of exception, or a logged 500. Headers that were set before an abort stay:
  /// `WWW-Authenticate` goes with a 401.
  template <class F>
  void run_guarded(exchange& exchange, const request& req, response& res, const char* what, const F& call) const;

  /// An error of ours: problem+json, or text for a client that asked for it, or the app's page for this status.
  void send_error(const exchange& exchange, const request& req, response& res, int status, std::string_view detail,
              std::string_view id = {}) const;

  /// A status that no answer can have becomes a logged 500.
  void check_status(const exchange& exchange, const request& req, response& res) const;

 private:
  void respond_to_exception(const exchange& exchange, const request& req, response& res, const char* what) const;
  void send_internal_error(const exchange& exchange, const request& req, response& res, const char* what, std::string_view message) const;
  void log(const exchange& exchange, const char* what, std::string_view message) const;

  const router& routes_;
  logger& log_;
};

/// The words of the exception that is being handled.
[[nodiscard]] std::string exception_message();

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void error_responder::run_guarded(exchange& exchange, const request& req, response& res, const char* what, const F& call) const {
  const httplib::Headers before = res.headers;
  try {
    call();
  } catch (const abort_error& e) {
    send_error(exchange, req, res, e.status(), e.what());
  } catch (...) {
    response empty;  // what was begun goes, its content provider's clean-up included
    empty.headers = before;
    std::swap(res, empty);
    respond_to_exception(exchange, req, res, what);
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE std::string exception_message() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

/// Is the exception that is being handled, if any, an upload's that found the disk full?
WINSVC_INLINE bool is_disk_full_exception() {
  if (!std::current_exception()) return false;
  try {
    throw;
  } catch (const upload_error& e) {
    return e.is_disk_full();
  } catch (...) {
    return false;
  }
}

/// In a handler of the exception.
WINSVC_INLINE void error_responder::respond_to_exception(const exchange& exchange, const request& req, response& res, const char* what) const {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (!routes_.error_handlers.handle(thrown, req, res)) return send_internal_error(exchange, req, res, what, exception_message());
    // A page that says nothing of its own leaves it to the common shape.
    if (res.status >= 400 && res.body.empty() && !res.content_provider_) send_error(exchange, req, res, res.status, {});
  } catch (const abort_error& e) {
    send_error(exchange, req, res, e.status(), e.what());
  } catch (...) {
    send_internal_error(exchange, req, res, "page for an exception", exception_message());
  }
}

WINSVC_INLINE void error_responder::send_error(const exchange& exchange, const request& req, response& res, int status, std::string_view detail,
                          std::string_view id) const {
  const auto plain = [&] {
    if (prefers_text(req)) write_text_problem(res, status, detail, id);
    else write_problem(res, status, detail, id);
  };
  plain();
  try {
    routes_.error_handlers.handle(req, res);
  } catch (...) {
    log(exchange, "page for an error", exception_message());
    plain();
  }
}

WINSVC_INLINE void error_responder::check_status(const exchange& exchange, const request& req, response& res) const {
  const bool upgrades = res.status == 101 && exchange.serve_upgraded;
  if (res.status == -1 || upgrades || (res.status >= 200 && res.status <= 599)) return;
  send_internal_error(exchange, req, res, "handler", "it answered with status " + std::to_string(res.status) + ", which is none");
}

WINSVC_INLINE void error_responder::send_internal_error(const exchange& exchange, const request& req, response& res, const char* what,
                          std::string_view message) const {
  // The text is for the log: it may hold a path, a query, a password. The client gets the id to ask about.
  log(exchange, what, message);
  if (is_disk_full_exception()) send_error(exchange, req, res, 507, "there is no room to keep what was sent", exchange.id);
  else send_error(exchange, req, res, 500, "the request failed; the log has the reason under this id", exchange.id);
}

WINSVC_INLINE void error_responder::log(const exchange& exchange, const char* what, std::string_view message) const {
  const std::string place =
      exchange.match.outcome == route::match_outcome::matched ? " at " + routes_.entry(exchange.match.route_id).location.to_string() : std::string();
  log_.error("request " + exchange.id + ": " + std::string(exchange.head.method) + ' ' + std::string(exchange.head.path) + ": " + what +
             place + " threw: " + std::string(message));
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
