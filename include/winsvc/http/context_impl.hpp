// The bodies of api/context.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "winsvc/api/context.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE context::context(const request& req) : exchange_(http::current_exchange()) {
  if (!exchange_ || exchange_->current_request != &req)
    throw setup_error("context: it belongs to the thread that handles the request, while it does");
}

WINSVC_INLINE const std::string& context::id() const noexcept { return exchange_->id; }
WINSVC_INLINE bool context::is_encrypted() const noexcept { return exchange_->stream.connection_transport().is_encrypted(); }
WINSVC_INLINE bool context::timed_out() const noexcept { return exchange_->stream.was_sent_instead(); }

WINSVC_INLINE void context::limit_body(std::uint64_t bytes) const noexcept {
  if (bytes < exchange_->body_limit) exchange_->body_limit = bytes;
}

WINSVC_INLINE void context::put(const void* key, std::shared_ptr<void> value) const {
  exchange_->values[key] = std::move(value);
}

WINSVC_INLINE void* context::find(const void* key) const noexcept {
  const auto found = exchange_->values.find(key);
  return found == exchange_->values.end() ? nullptr : found->second.get();
}

WINSVC_INLINE void http::set_client(const request& req, std::string client) {
  // cpp-httplib hands out its own non-const object as const; casting that away is well defined.
  auto& own = const_cast<request&>(req);
  own.remote_addr = client;
  own.remote_port = -1;  // the proxy's
  if (auto* exchange = current_exchange()) exchange->client = std::move(client);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
