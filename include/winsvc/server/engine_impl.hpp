// Implementation of server/engine.hpp: an engine passes each call to its server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/engine.hpp"
#include "winsvc/server/server.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

// --- engine ----------------------------------------------------------------------------------------------------------

WINSVC_INLINE engine::engine(const http::router& router, const wire::limits& limits, logger& log, const clock& time,
                             os::thread_starter& starter)
    : server_(std::make_unique<server>(router, limits, log, time, starter)) {}
WINSVC_INLINE engine::~engine() = default;

WINSVC_INLINE result<void> engine::bind(const std::string& host, std::uint16_t port) {
  return server_->bind(host, port);
}

WINSVC_INLINE os::endpoint engine::address() const { return server_->address(); }
WINSVC_INLINE void engine::tls(std::shared_ptr<tls_identity> identity) { server_->tls(std::move(identity)); }

WINSVC_INLINE void engine::on_response(std::function<void(const http::access_record&)> f) {
  server_->on_response(std::move(f));
}

WINSVC_INLINE void engine::start() { server_->start(); }
WINSVC_INLINE void engine::pause(bool paused) noexcept { server_->pause(paused); }
WINSVC_INLINE bool engine::is_paused() const noexcept { return server_->is_paused(); }

WINSVC_INLINE drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  return server_->drain(limit, progress);
}

WINSVC_INLINE void engine::shorten_drain(std::chrono::milliseconds remaining) {
  server_->shorten_drain(remaining);
}

WINSVC_INLINE void engine::abandon_threads() { server_->abandon_threads(); }
WINSVC_INLINE std::size_t engine::in_flight() const noexcept { return server_->in_flight(); }
WINSVC_INLINE std::size_t engine::websockets() const noexcept { return server_->websockets(); }
WINSVC_INLINE std::size_t engine::connections() const noexcept { return server_->connections(); }
WINSVC_INLINE std::size_t engine::threads() const { return server_->threads(); }
WINSVC_INLINE std::uint64_t engine::response_count() const noexcept { return server_->response_count(); }
WINSVC_INLINE http::request_statistics& engine::statistics() noexcept { return server_->statistics(); }

WINSVC_INLINE std::vector<http::active_request> engine::active_requests(std::size_t limit) {
  return server_->active_requests(limit);
}

WINSVC_INLINE void engine::serve_transport(http::transport& transport) { server_->serve_transport(transport); }

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
