// Access log: one log entry for each response.
//
//   log_response(definition.log, record, access_log_form::with_client, log_format::json);
//
//   203.0.113.7 3f09ac-17 GET /users/7  200  151 B  88 us  /users/{id}
//
// It runs on the thread that has sent the response. A line of at most 1,000 bytes normally allocates no memory, because
// the queue of the log reuses the memory of written lines (log/async_sink.hpp).
#pragma once

#include <string>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

enum class access_log_form {
  brief,        ///< method, target, status, size, duration: for a developer at a terminal
  with_client,  ///< also the client, the request id and the pattern of the route
};

/// Writes the entry. `format` of the log file: with log_format::json, the entry has the values as JSON members too.
void log_response(logger& log, const http::access_record& record, access_log_form form, log_format format);

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void log_response(logger& log, const http::access_record& record, access_log_form form,
                                log_format format) {
  base::write_filled(log, log_level::info, [&](log_entry& entry) {
    const bool has_client = form == access_log_form::with_client;
    if (has_client) {
      entry.text.append(record.peer.host).append(" ");
      if (!record.id.empty()) entry.text.append(record.id).append(" ");
    }
    record.append_text(entry.text);
    if (has_client && !record.pattern.empty()) entry.text.append("  ").append(record.pattern);
    if (format == log_format::json) record.append_json_fields(entry.json_fields);
  });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
