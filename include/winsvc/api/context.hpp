// What travels with a request: its id, and values that middleware leaves for whoever comes behind it.
//
//   winsvc::context(req).set(user{"anna"});              // in a middleware
//   const user* who = winsvc::context(req).get<user>();  // in the handler; null when nobody left one
//   winsvc::context(req).id()                            // as the log and a 500 have it
//
// One value of each type. On the request's own thread, while it is handled.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

namespace http {
struct exchange;
}

class context {
 public:
  /// Throws setup_error for a request that is not the one this thread handles.
  explicit context(const request& req);

  [[nodiscard]] const std::string& id() const noexcept;
  /// Did it come over TLS? To this process, that is: a proxy before it may have had TLS, and ended it.
  [[nodiscard]] bool is_encrypted() const noexcept;

  template <class T>
  void set(T value) const {
    put(key<T>(), std::make_shared<T>(std::move(value)));
  }
  template <class T>
  [[nodiscard]] T* get() const noexcept {
    return static_cast<T*>(find(key<T>()));
  }

  /// Has its route's time-out passed? The client has its 503 then, and whatever the handler still does is for nobody.
  [[nodiscard]] bool timed_out() const noexcept;

  /// The most bytes of a body that are read for this request, when that is less than the app's limit.
  void limit_body(std::uint64_t bytes) const noexcept;

 private:
  /// An address a type: no RTTI is needed. Not const: linkers may put equal constants into one place (MSVC's /OPT:ICF).
  template <class T>
  static const void* key() noexcept {
    static char character = 0;
    return &character;
  }
  void put(const void* key, std::shared_ptr<void> value) const;
  [[nodiscard]] void* find(const void* key) const noexcept;

  http::exchange* exchange_;
};

namespace http {
/// Names the client that a trusted proxy reports, in the place of the proxy: for handlers and for the access log.
void set_client(const request& req, std::string client);
}  // namespace http

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
