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
#include "winsvc/http/exchange.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE reply reply::events(std::function<void(event_stream&)> write) {
  auto result = stream("text/event-stream", [write = std::move(write)](winsvc::stream& output) {
    const auto* req = detail::http::current_exchange()->current_request;
    event_stream events(output, req ? req->get_header_value("Last-Event-ID") : std::string());
    write(events);
  });
  // A proxy that buffers the response, as nginx does by default, would delay the events.
  return std::move(result).header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");
}

WINSVC_INLINE void reply::apply(response& res) && {
  if ((send_file_ || stream_function_) && !detail::http::current_exchange())
    throw setup_error("reply: apply a file or a stream only on the thread that handles a request, while it does");
  res.status = status_;
  for (const auto& [name, value] : headers_) detail::api::add_header(res, name, value);
  if (send_file_) return send_file_(*detail::http::current_exchange()->current_request, res, file_, save_as_);
  if (stream_function_) {
    const auto run = [write = std::move(stream_function_)](std::size_t, httplib::DataSink& sink) {
      winsvc::stream output(sink, *detail::http::current_exchange());
      write(output);
      sink.done();
      return true;
    };
    res.set_chunked_content_provider(content_type_, run);
  } else if (!content_type_.empty()) {
    set_content(res);
  }
}

/// Sets the content without httplib's set_content for the common case: it is slower, because it checks each character.
WINSVC_INLINE void reply::set_content(response& res) {
  const auto is_printable = [](char c) { return c >= ' ' && c < 127; };
  const bool printable = std::all_of(content_type_.begin(), content_type_.end(), is_printable);
  if (!printable || !res.headers.empty()) return res.set_content(std::move(body_), content_type_);
  res.body = std::move(body_);
  res.headers.emplace("Content-Type", std::move(content_type_));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
