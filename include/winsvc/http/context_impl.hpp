// Implementation of api/context.hpp: finds the context of a request, and the client address behind a trusted proxy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "winsvc/api/context.hpp"
#include "winsvc/api/cookies.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/wire/forwarded.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE context::context(const request& req) : exchange_(&detail::http::exchange_of(req, "context")) {}

WINSVC_INLINE const std::string& context::id() const { return exchange_->id(); }
WINSVC_INLINE bool context::is_encrypted() const noexcept {
  return exchange_->stream.connection_transport().is_encrypted();
}
WINSVC_INLINE bool context::timed_out() const noexcept { return exchange_->stream.was_sent_instead(); }

WINSVC_INLINE void context::limit_body(std::uint64_t bytes) const noexcept {
  if (bytes < exchange_->body.limit) exchange_->body.limit = bytes;
}

WINSVC_INLINE void context::before_handler(std::function<void()> f) const {
  exchange_->use_extras().before_handler.push_back(std::move(f));
}

WINSVC_INLINE void context::put(const void* key, std::shared_ptr<void> value) const {
  exchange_->use_extras().values[key] = std::move(value);
}

WINSVC_INLINE void* context::find(const void* key) const noexcept {
  const auto* const extras = exchange_->extras();
  if (!extras) return nullptr;
  const auto found = extras->values.find(key);
  return found == extras->values.end() ? nullptr : found->second.get();
}

WINSVC_INLINE std::string context::scheme() const {
  const std::string& reported = exchange_->forwarded().scheme;
  return !reported.empty() ? reported : is_encrypted() ? "https" : "http";
}
WINSVC_INLINE std::string context::host() const {
  const std::string& reported = exchange_->forwarded().host;
  return reported.empty() ? std::string(exchange_->head.host) : reported;
}
WINSVC_INLINE const clock& context::time() const noexcept { return exchange_->stream.time(); }
WINSVC_INLINE const std::string& context::path_prefix() const noexcept { return exchange_->forwarded().path_prefix; }

namespace detail::api {

WINSVC_INLINE void set_forwarding(const request& req, wire::forwarding_report&& report, std::string id) {
  // Handlers receive the request as const, but the object is not const; removing the const is well defined.
  auto& target = const_cast<request&>(req);
  http::exchange* const handling = http::find_exchange(req);
  if (report.client != target.remote_addr) {
    target.remote_addr = report.client;
    target.remote_port = -1;  // only the port of the proxy is known
    if (handling) handling->use_extras().forwarded.client = std::move(report.client);
  }
  if (!handling) return;  // a request that the app has made
  http::forwarded_origin& forwarded = handling->use_extras().forwarded;
  forwarded.scheme = std::move(report.scheme);
  forwarded.host = std::move(report.host);
  forwarded.path_prefix = std::move(report.prefix);
  if (!id.empty()) handling->set_id(std::move(id));
}

WINSVC_INLINE bool is_for_https(const response& res) noexcept {
  const auto* const exchange = res.link.exchange();
  if (!exchange) return false;
  const std::string& reported = exchange->forwarded().scheme;
  if (!reported.empty()) return reported == "https";
  return exchange->stream.connection_transport().is_encrypted();
}

}  // namespace detail::api

// Here and not in api/cookies.hpp, because <random> is a large header that a file of the app does not need.
WINSVC_INLINE std::string detail::api::random_bytes(std::size_t count) {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < count) bytes += static_cast<char>(random() & 0xFF);
  return bytes;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
