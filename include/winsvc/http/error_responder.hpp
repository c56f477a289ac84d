// Error responder: turns exceptions and error statuses into responses with one format, and logs unexpected exceptions.
//
//   responder.run_guarded(exchange, res, "handler", [&] { ... });   // an exception becomes a response
//   responder.send_error(exchange, res, 405, {});                   // an error of winsvc
//
// The format is problem details in JSON (RFC 9457), text or a page if the client prefers them, or the app's error
// handler. No exception leaves the class: cpp-httplib would send a response in another format and log nothing.
#pragma once

#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/error_handlers.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/http/problem.hpp"
#include "winsvc/http/request_fields.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/api/upload.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Thrown if something is missing only for now, for example a descriptor: 503 and a log line.
class shortage_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class error_responder {
 public:
  error_responder(const router& router, logger& log) : router_(router), log_(log) {}

  /// Calls `call`. If it throws, the response comes from the exception: the status of abort, the app's exception
  /// handler for this type, or a logged 500. After abort, headers that were set before stay, so that `WWW-Authenticate`
  /// reaches the client with a 401; other exceptions restore the headers. `source` names the caller in the log.
  template <class F>
  void run_guarded(exchange& exchange, response& res, const char* source, const F& call) const;
  /// The same for code that changes a complete response: its headers stay, except those that describe its body. Returns
  /// false if an error response has replaced it.
  template <class F>
  bool run_guarded_change(exchange& exchange, response& res, const char* source, const F& call) const;

  /// Writes the error response for `status`: in the format that the client prefers, or by the app's error handler.
  void send_error(exchange& exchange, response& res, int status, std::string_view detail,
                  std::string_view id = {}, std::string_view errors = {}) const;

  /// Replaces a status that a response cannot have (for example 0 or 99) by a logged 500.
  void check_status(exchange& exchange, response& res) const;

 private:
  void respond_to_exception(exchange& exchange, response& res, const char* source) const;
  void send_internal_error(exchange& exchange, response& res, const char* source,
                           std::string_view message) const;
  void log(const exchange& exchange, const char* source, std::string_view message) const;

  const router& router_;
  logger& log_;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
void error_responder::run_guarded(exchange& exchange, response& res, const char* source, const F& call) const {
  std::optional<httplib::Headers> before;  // an empty container may have memory, whose copy is an allocation
  if (!res.headers.empty()) before.emplace(res.headers);
  try {
    call();
  } catch (const abort_error& e) {
    send_error(exchange, res, e.status(), e.what(), {}, e.errors());
  } catch (...) {
    response empty;  // discards the response so far and releases its content provider
    if (before) empty.headers = *std::move(before);
    std::swap(res, empty);
    respond_to_exception(exchange, res, source);
  }
}

template <class F>
bool error_responder::run_guarded_change(exchange& exchange, response& res, const char* source, const F& call) const {
  try {
    call();
    return true;
  } catch (const abort_error& e) {
    send_error(exchange, res, e.status(), e.what(), {}, e.errors());
  } catch (...) {
    response empty;
    empty.headers = std::move(res.headers);
    std::swap(res, empty);
    discard_body(res);
    for (const char* name : {"Accept-Ranges", "Content-Range"}) res.headers.erase(name);
    respond_to_exception(exchange, res, source);
  }
  return false;
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Status of the exception that is being handled: 507 for a full disk, 503 for a shortage of memory or descriptors.
WINSVC_INLINE int status_of_exception() {
  if (!std::current_exception()) return 500;
  try {
    throw;
  } catch (const upload_error& e) {
    return e.is_disk_full() ? 507 : 500;
  } catch (const shortage_error&) {
    return 503;
  } catch (const std::bad_alloc&) {
    return 503;
  } catch (...) {
    return 500;
  }
}

/// Call it in a catch block.
WINSVC_INLINE void error_responder::respond_to_exception(exchange& exchange, response& res,
                                                         const char* source) const {
  const std::exception_ptr thrown = std::current_exception();
  try {
    const auto& handlers = router_.error_handlers;
    if (handlers.by_exception.empty() || !handlers.handle(thrown, request_of(exchange), res))
      return send_internal_error(exchange, res, source, base::exception_message());
    // An exception handler that sets only a status leaves the body to the common format.
    if (res.status >= 400 && res.body.empty() && !res.content_provider_) send_error(exchange, res, res.status, {});
  } catch (const abort_error& e) {
    send_error(exchange, res, e.status(), e.what(), {}, e.errors());
  } catch (...) {
    send_internal_error(exchange, res, "exception handler", base::exception_message());
  }
}

WINSVC_INLINE void error_responder::send_error(exchange& exchange, response& res, int status,
                                               std::string_view detail, std::string_view id,
                                               std::string_view errors) const {
  const auto write_default = [&] {
    write_error(res, {status, detail, id, errors},
                preferred_error_format(wire::normalized_value(exchange.head, "Accept").value_or(std::string())));
    add_vary(res, "Accept");
  };
  write_default();
  const auto& handlers = router_.error_handlers;
  if (handlers.by_status.count(res.status) == 0) return;
  try {
    handlers.handle(request_of(exchange), res);
    reject_invalid_headers(res);
  } catch (...) {
    log(exchange, "error handler", base::exception_message());
    write_default();
  }
}

WINSVC_INLINE void error_responder::check_status(exchange& exchange, response& res) const {
  const bool upgrades = res.status == 101 && exchange.extras() && exchange.extras()->serve_upgraded;
  if (res.status == -1 || upgrades || (res.status >= 200 && res.status <= 599)) return;
  send_internal_error(exchange, res, "handler",
                      "status " + std::to_string(res.status) + " is not a valid status of a response (200 to 599)");
}

WINSVC_INLINE void error_responder::send_internal_error(exchange& exchange, response& res,
                                                        const char* source, std::string_view message) const {
  // The message goes to the log only, because it may contain a path, a query or a password. The client gets the id.
  log(exchange, source, message);
  const int status = status_of_exception();
  const char* const detail = status == 507   ? "the disk is full"
                             : status == 503 ? "the service is short of memory or files; try again later"
                                             : "the request failed; the log has the reason under this id";
  if (status == 503) add_retry_after(res);
  send_error(exchange, res, status, detail, exchange.id());
}

WINSVC_INLINE void error_responder::log(const exchange& exchange, const char* source, std::string_view message) const {
  const std::string location = exchange.match.outcome == route::match_outcome::matched
                                   ? " at " + router_.entry(exchange.match.route_id).location.to_string()
                                   : std::string();
  log_.error("request " + exchange.id() + ": " + std::string(exchange.head.method) + ' ' +
             std::string(exchange.head.path) + ": " + source + location + " failed: " + std::string(message));
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
