// Engine setup: creates the engine of a service from its definition, and binds the listener. A bind is tried again
// while the reason of its failure is temporary.
//
//   auto engine = make_engine(definition);                                   // error: a certificate is invalid
//   const auto bound = bind_listener(**engine, definition, options, token, on_attempt);
//   // bound: true; a stop was requested in the meantime: false; otherwise an error
//
// Source: "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE" in the Win32 documentation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/host/run_options.hpp"
#include "winsvc/http/upload_folder.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/engine.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

/// Sets the folder for uploads, in the data folder, which has restricted access, and removes files of earlier runs. No
/// effect for a service that accepts no uploads or has no data folder.
void prepare_upload_folder(service_definition& definition);

/// Creates the engine and loads its certificates. Logs a warning for each static folder that does not exist.
[[nodiscard]] result<std::unique_ptr<server::engine>> make_engine(service_definition& definition);

/// Binds the listener to the address of the definition. Returns false if a stop was requested before it succeeded. If
/// the reason of a failure is temporary, the bind is tried again for `options.bind_timeout`. `on_attempt` is called
/// before each pause between two attempts.
[[nodiscard]] result<bool> bind_listener(server::engine& engine, service_definition& definition,
                                         const run_options& options, const stop_token& stop,
                                         const std::function<void()>& on_attempt);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void prepare_upload_folder(service_definition& definition) {
  if (!definition.router.accepts_uploads()) return;
  const std::string folder = definition.resolve_data_folder();
  if (folder.empty()) return;
  definition.router.upload_folder = os::path_join(folder, "uploads");
  http::remove_stale_uploads(definition.router.upload_folder);
}

WINSVC_INLINE result<std::unique_ptr<server::engine>> make_engine(service_definition& definition) {
  auto engine = std::make_unique<server::engine>(definition.router, definition.limits, definition.log);
  if (definition.tls) {
    auto identity = server::tls_identity::load(*definition.tls);
    if (!identity) return failure{identity.error()};
    engine->tls(*identity);
  }
  for (const auto& folder : definition.router.static_folders) {
    if (!os::real_folder(folder.folder))
      definition.log.warn("files '" + folder.prefix + "' (" + folder.location.to_string() + "): the folder '" +
                          folder.folder + "' does not exist; its paths return 404 until it exists");
  }
  // Last: an add-on keeps the reference, so no failure may destroy the engine after this.
  for (const auto& notify : definition.on_engine_created) notify(*engine);
  return engine;
}

/// Returns the reason why a bind may succeed later; empty if it will not. An exclusive bind fails while an accepted
/// connection of an earlier listener is open.
WINSVC_INLINE std::string temporary_bind_reason(std::uint32_t code, const service_definition& definition,
                                                const run_options& options) {
  if (options.bind_timeout.count() == 0) return {};
  if (code == base::win32_error::address_not_available) return "the network may not be up yet";
  if (code != base::win32_error::address_in_use && code != base::win32_error::access_to_address) return {};
  const auto listener = options.find_listener({definition.host, definition.port});
  if (!listener || *listener) return {};
  return "no program listens on the port; connections of the previous run may still be open";
}

WINSVC_INLINE result<bool> bind_listener(server::engine& engine, service_definition& definition,
                                         const run_options& options, const stop_token& stop,
                                         const std::function<void()>& on_attempt) {
  const auto deadline = definition.time->now() + options.bind_timeout;
  for (bool first = true;; first = false) {
    const auto bound = engine.bind(definition.host, definition.port);
    if (bound) return true;
    const std::string reason = temporary_bind_reason(bound.error().code, definition, options);
    if (reason.empty() || definition.time->now() >= deadline) return failure{bound.error()};
    if (first) {
      definition.log.warn(bound.error().to_string() + "; " + reason + "; trying again for up to " +
                          base::duration_text(options.bind_timeout));
    }
    on_attempt();
    if (stop.wait_for(options.bind_retry_delay)) return false;
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
