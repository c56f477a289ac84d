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
#include <utility>

#include "winsvc/base/duration.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/base/stop.hpp"
#include "winsvc/base/wait_deadline.hpp"
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

/// A failed bind: its error, and whether a later attempt may succeed.
struct bind_failure {
  error described;           ///< with the real reason, if the code of the system does not show it
  std::string retry_reason;  ///< why a later attempt may succeed; empty: it will not
};
/// An exclusive bind fails with 10048 or 10013 while an accepted connection of an earlier listener is open. So if no
/// program listens on the port, a later attempt may succeed.
[[nodiscard]] bind_failure describe_bind_failure(error failed, const service_definition& definition,
                                                 const run_options& options);

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
  auto engine =
      std::make_unique<server::engine>(definition.router, definition.limits, definition.log, *definition.time);
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

WINSVC_INLINE bind_failure describe_bind_failure(error failed, const service_definition& definition,
                                                 const run_options& options) {
  if (failed.code == base::win32_error::address_not_available)
    return {std::move(failed), "the network may not be up yet"};
  if (failed.code != base::win32_error::address_in_use && failed.code != base::win32_error::access_to_address)
    return {std::move(failed), {}};
  const auto listener = options.find_listener({definition.host, definition.port});
  if (!listener || *listener) return {std::move(failed), {}};
  const std::string reason = "no program listens on it; connections of the previous run may still be open";
  failed.message += "; " + reason;
  const std::string wait = "wait until they are closed, or increase bind_timeout";
  // 10013 keeps its hint: the port may be reserved.
  if (failed.code == base::win32_error::address_in_use) failed.hint = wait + ", or choose another port with --port";
  else failed.hint = wait + "; otherwise " + failed.hint;
  return {std::move(failed), reason};
}

/// The hint of an attempt, such as to stop a program, does not fit while more attempts follow.
WINSVC_INLINE error without_hint(error failed) {
  failed.hint.clear();
  return failed;
}

WINSVC_INLINE result<bool> bind_listener(server::engine& engine, service_definition& definition,
                                         const run_options& options, const stop_token& stop,
                                         const std::function<void()>& on_attempt) {
  const base::wait_deadline deadline(*definition.time, options.bind_timeout);
  for (bool first = true;; first = false) {
    const auto bound = engine.bind(definition.host, definition.port);
    if (bound) return true;
    bind_failure failed = describe_bind_failure(bound.error(), definition, options);
    if (failed.retry_reason.empty() || deadline.has_passed()) {
      if (!first) failed.described.message += "; tried for " + base::duration_text(options.bind_timeout);
      return failure{std::move(failed.described)};
    }
    if (first) {
      definition.log.warn(without_hint(bound.error()).to_string() + "; " + failed.retry_reason +
                          "; trying again for up to " + base::duration_text(options.bind_timeout));
    }
    on_attempt();
    if (stop.wait_for(options.bind_retry_delay)) return false;
  }
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
