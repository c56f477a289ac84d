// Request context: the ID of a request, and values that middleware passes to later middleware and to the handler.
//
//   winsvc::context(req).set(user{"anna"});                // in a middleware
//   const user* user = winsvc::context(req).get<user>();   // in the handler; null if no middleware has set it
//   winsvc::context(req).id()                              // the ID in the log and in a 500 response
//
// A context holds one value of each type. It is valid on the thread that handles the request, until the request is
// complete.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/app_objects.hpp"
#include "winsvc/api/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {
struct exchange;
}

/// Access to the context of a request. A small handle; create it where you need it.
class context {
 public:
  /// Throws setup_error if the calling thread does not handle `req`.
  explicit context(const request& req);

  /// ID of the request: the log and a 500 response contain it. It is unique in this process, or the ID that a trusted
  /// proxy has sent.
  [[nodiscard]] const std::string& id() const;
  /// True if the connection to this process uses TLS. Behind a proxy that terminates TLS it is false; see scheme().
  [[nodiscard]] bool is_encrypted() const noexcept;
  /// "https" or "http", as the client sees it: a trusted proxy (addons/proxies.hpp) reports it.
  [[nodiscard]] std::string scheme() const;
  /// Host of the URL, with the port if the client sent one. A trusted proxy reports it.
  [[nodiscard]] std::string host() const;
  /// Path prefix that a trusted proxy removes (X-Forwarded-Prefix), for example "/app". Empty if the request has no
  /// such header. url_for and redirects add it.
  [[nodiscard]] const std::string& path_prefix() const noexcept;

  /// Stores the value of type T, and replaces an existing one.
  template <class T>
  void set(T value) const {
    put(detail::api::type_key<T>(), std::make_shared<T>(std::move(value)));
  }
  /// The stored value of type T; null if there is no such value.
  template <class T>
  [[nodiscard]] T* get() const noexcept {
    return static_cast<T*>(find(detail::api::type_key<T>()));
  }

  /// The clock of the service, which a test replaces. It exists as long as the service.
  [[nodiscard]] const clock& time() const noexcept;
  /// True if the timeout of the route has passed. The client has received 503, and the result of the handler is
  /// discarded.
  [[nodiscard]] bool timed_out() const noexcept;

  /// Calls `f` when the body of the request was read, directly before the handler; it may abort. Call it in a
  /// middleware, for a check of a form. Several functions run in the order of the calls.
  void before_handler(std::function<void()> f) const;

  /// Lowers the maximum size in bytes of the body of this request; a larger value than the current limit has no effect.
  /// Call it in a middleware, before the body is read.
  void limit_body(std::uint64_t bytes) const noexcept;

 private:
  void put(const void* key, std::shared_ptr<void> value) const;
  [[nodiscard]] void* find(const void* key) const noexcept;

  detail::http::exchange* exchange_;
};

namespace detail::wire {
struct forwarding_report;
}

namespace detail::api {
/// Stores what a trusted proxy reports about the request, for handlers and for the access log. `id` replaces the ID of
/// the request, unless it is empty.
void set_forwarding(const request& req, wire::forwarding_report&& report, std::string id);
}  // namespace detail::api

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
