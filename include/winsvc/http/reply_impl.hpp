// Implementation of api/reply.hpp: applies a reply to cpp-httplib's response, and starts server-sent events.
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
#include "winsvc/http/event_subscription.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/wire/head.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::http {

/// Sets a streamed body. The response has a Content-Type; the function of cpp-httplib adds it again.
WINSVC_INLINE void set_stream(response& res, httplib::ContentProviderWithoutLength provider) {
  const std::string type = *api::find_header(res, "Content-Type");
  res.headers.erase("Content-Type");
  res.set_chunked_content_provider(type, std::move(provider));
}

WINSVC_INLINE void subscribe(response& res, channel& source) {
  if (source.has_closed()) {
    res.status = 204;  // an EventSource does not reconnect then
    res.headers.erase("Content-Type");
    return;
  }
  const auto last_event_id = wire::normalized_value(res.link.exchange()->head, "Last-Event-ID");
  set_stream(res, [](std::size_t, httplib::DataSink&) { return false; });
  res.content_provider_ = event_provider{source.subscribe(last_event_id.value_or(std::string()))};
}

}  // namespace detail::http

WINSVC_INLINE reply reply::events(std::function<void(event_stream&)> write) {
  auto result = stream("text/event-stream", [write = std::move(write)](winsvc::stream& output) {
    event_stream events(output, output.last_event_id());
    write(events);
  });
  return std::move(result).header("Cache-Control", "no-store");
}

WINSVC_INLINE reply reply::events(event_channel& channel) {
  reply result;
  result.content_type_ = "text/event-stream";
  result.channel_ = channel.channel_;
  result.subscribe_ = detail::http::subscribe;
  return std::move(result).header("Cache-Control", "no-store");
}

WINSVC_INLINE void reply::apply(response& res) && {
  if ((send_file_ || stream_function_ || subscribe_) && !res.link.exchange())
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
  if (subscribe_) return subscribe_(res, *channel_);
  if (stream_function_) {
    const auto run = [write = std::move(stream_function_)](std::size_t, httplib::DataSink& sink) {
      winsvc::stream output(sink, detail::http::exchange_of(sink));
      write(output);
      sink.done();
      return true;
    };
    detail::http::set_stream(res, run);
  } else if (!content_type_.empty()) {
    res.body = std::move(body_);
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
