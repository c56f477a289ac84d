// Implementation of api/reply.hpp: applies a reply to cpp-httplib's response, and server-sent events.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/reply.hpp"
#include "winsvc/api/stream.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/content_sink.hpp"
#include "winsvc/http/exchange.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE reply reply::events(std::function<void(event_stream&)> write) {
  auto result = stream("text/event-stream", [write = std::move(write)](winsvc::stream& output) {
    event_stream events(output, output.last_event_id());
    write(events);
  });
  // A proxy that buffers the response, as nginx does by default, would delay the events.
  return std::move(result).header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");
}

WINSVC_INLINE void reply::apply(response& res) && {
  if ((send_file_ || stream_function_) && !res.link.exchange())
    throw setup_error("reply: apply a file or a stream only to the response of a request, not to a copy or to another "
                      "response");
  const bool is_https = detail::api::is_for_https(res);
  res.status = status_;
  bool has_type = false;  // the app has set Content-Type itself
  for (const auto& [name, value, https_value] : headers_) {
    detail::api::add_header(res, name, is_https && !https_value.empty() ? https_value : value);
    has_type = has_type || detail::base::equal_nocase(name, "Content-Type");
  }
  if (!has_type && (send_file_ || !content_type_.empty())) res.headers.erase("Content-Type");
  if (send_file_) return send_file_(res, file_, save_as_);
  if (!has_type && !content_type_.empty()) detail::api::replace_header(res, "Content-Type", content_type_);
  if (stream_function_) {
    const auto run = [write = std::move(stream_function_)](std::size_t, httplib::DataSink& sink) {
      winsvc::stream output(sink, detail::http::exchange_of(sink));
      write(output);
      sink.done();
      return true;
    };
    const std::string type = *detail::api::find_header(res, "Content-Type");
    res.headers.erase("Content-Type");  // the next call adds it
    res.set_chunked_content_provider(type, run);
  } else if (!content_type_.empty()) {
    res.body = std::move(body_);
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
