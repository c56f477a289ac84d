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
#include "winsvc/http/errors.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/httplib.hpp"
#include "winsvc/http/reply.hpp"
#include "winsvc/http/router.hpp"
#include "winsvc/http/upload.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class guard {
 public:
  guard(const router& routes, logger& log) : routes_(routes), log_(log) {}

  /// Calls it. After an exception the headers are as they were before the call, and the answer is the exception's:
  /// abort's own, the page's of that type of exception, or a logged 500. Headers that were set before an abort stay:
  /// `WWW-Authenticate` goes with a 401.
  template <class F>
  void run(exchange& x, const request& req, response& res, const char* what, const F& call) const;

  /// An error of ours: problem+json, or text for a client that asked for it, or the app's page for this status.
  void refuse(const exchange& x, const request& req, response& res, int status, std::string_view detail,
              std::string_view id = {}) const;

  /// A status that no answer can have becomes a logged 500.
  void check_status(const exchange& x, const request& req, response& res) const;

 private:
  void answer(const exchange& x, const request& req, response& res, const char* what) const;
  void failed(const exchange& x, const request& req, response& res, const char* what, std::string_view words) const;
  void log(const exchange& x, const char* what, std::string_view words) const;

  const router& routes_;
  logger& log_;
};

/// The words of the exception that is being handled.
[[nodiscard]] std::string words_of_exception();

// ---------------------------------------------------------------------------------------------------------------------

inline std::string words_of_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

/// Is the exception that is being handled, if any, an upload's that found the disk full?
inline bool no_room_is_thrown() {
  if (!std::current_exception()) return false;
  try {
    throw;
  } catch (const upload_error& e) {
    return e.no_room();
  } catch (...) {
    return false;
  }
}

template <class F>
void guard::run(exchange& x, const request& req, response& res, const char* what, const F& call) const {
  const httplib::Headers before = res.headers;
  try {
    call();
  } catch (const abort_error& e) {
    refuse(x, req, res, e.status(), e.what());
  } catch (...) {
    response empty;  // what was begun goes, its content provider's clean-up included
    empty.headers = before;
    std::swap(res, empty);
    answer(x, req, res, what);
  }
}

/// In a handler of the exception.
inline void guard::answer(const exchange& x, const request& req, response& res, const char* what) const {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (!routes_.pages.answer(thrown, req, res)) return failed(x, req, res, what, words_of_exception());
    // A page that says nothing of its own leaves it to the common shape.
    if (res.status >= 400 && res.body.empty() && !res.content_provider_) refuse(x, req, res, res.status, {});
  } catch (const abort_error& e) {
    refuse(x, req, res, e.status(), e.what());
  } catch (...) {
    failed(x, req, res, "page for an exception", words_of_exception());
  }
}

inline void guard::refuse(const exchange& x, const request& req, response& res, int status, std::string_view detail,
                          std::string_view id) const {
  const auto plain = [&] {
    if (asks_for_text(req)) write_text_problem(res, status, detail, id);
    else write_problem(res, status, detail, id);
  };
  plain();
  try {
    routes_.pages.answer(req, res);
  } catch (...) {
    log(x, "page for an error", words_of_exception());
    plain();
  }
}

inline void guard::check_status(const exchange& x, const request& req, response& res) const {
  const bool upgrades = res.status == 101 && x.upgraded;
  if (res.status == -1 || upgrades || (res.status >= 200 && res.status <= 599)) return;
  failed(x, req, res, "handler", "it answered with status " + std::to_string(res.status) + ", which is none");
}

inline void guard::failed(const exchange& x, const request& req, response& res, const char* what,
                          std::string_view words) const {
  // The text is for the log: it may hold a path, a query, a password. The client gets the id to ask about.
  log(x, what, words);
  if (no_room_is_thrown()) refuse(x, req, res, 507, "there is no room to keep what was sent", x.id);
  else refuse(x, req, res, 500, "the request failed; the log has the reason under this id", x.id);
}

inline void guard::log(const exchange& x, const char* what, std::string_view words) const {
  const std::string place =
      x.match.what == route::outcome::found ? " at " + routes_.entry(x.match.id).where.text() : std::string();
  log_.error("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) + ": " + what +
             place + " threw: " + std::string(words));
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
