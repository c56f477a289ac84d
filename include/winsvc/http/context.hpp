// What travels with a request: its id, and values that middleware leaves for whoever comes behind it.
//
//   winsvc::context(req).set(user{"anna"});              // in a middleware
//   const user* who = winsvc::context(req).get<user>();  // in the handler; null when nobody left one
//   winsvc::context(req).id()                            // as the log and a 500 have it
//
// One value of each type. On the request's own thread, while it is handled.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

class context {
 public:
  /// Throws setup_error for a request that is not the one this thread handles.
  explicit context(const request& req) : exchange_(http::current_exchange()) {
    if (!exchange_ || exchange_->req != &req)
      throw setup_error("context: it belongs to the thread that handles the request, while it does");
  }

  [[nodiscard]] const std::string& id() const noexcept { return exchange_->id; }
  /// Did it come over TLS? To this process, that is: a proxy before it may have had TLS, and ended it.
  [[nodiscard]] bool encrypted() const noexcept { return exchange_->stream.wire().encrypted(); }

  template <class T>
  void set(T value) const {
    exchange_->values[key<T>()] = std::make_shared<T>(std::move(value));
  }
  template <class T>
  [[nodiscard]] T* get() const noexcept {
    const auto found = exchange_->values.find(key<T>());
    return found == exchange_->values.end() ? nullptr : static_cast<T*>(found->second.get());
  }

  /// Has its route's time-out passed? The client has its 503 then, and whatever the handler still does is for nobody.
  [[nodiscard]] bool timed_out() const noexcept { return exchange_->stream.answered_in_place(); }

  /// The most bytes of a body that are read for this request, when that is less than the app's limit.
  void limit_body(std::uint64_t bytes) const noexcept {
    if (bytes < exchange_->body_limit) exchange_->body_limit = bytes;
  }

 private:
  /// An address a type: no RTTI is needed. Not const: linkers may put equal constants into one place (MSVC's /OPT:ICF).
  template <class T>
  static const void* key() noexcept {
    static char one = 0;
    return &one;
  }
  http::exchange* exchange_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
