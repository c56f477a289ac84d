// Response writer: writes the head and the body of each response, with its framing fields: Content-Length,
// Transfer-Encoding and Connection. Only one response has other bytes, the constant that is sent if memory is exhausted
// (out_of_memory_response in http/request_processor.hpp).
//
//   const bool complete = write_response(exchange, res, headers);   // bytes go to exchange.stream
//   const std::string bytes = complete_response(res, time);         // a response that ends the connection
//
//   body                         HTTP/1.1                     HTTP/1.0
//   text, or none                Content-Length               Content-Length
//   provider of known length     Content-Length               Content-Length
//   stream with a length         Content-Length               Content-Length
//   stream without a length      Transfer-Encoding: chunked   the end of the connection
//
// A response to HEAD has the head of the response to GET. The writer expects a prepared response
// (http/response_content.hpp): no framing fields of the app, no body where the status forbids one.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/byte_block.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/content_sink.hpp"
#include "winsvc/http/event_subscription.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/file_body.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/wire/status.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// The connection field and the body rule of a response; request_processor::decide_connection_headers() decides them.
struct connection_headers {
  std::string_view connection;  ///< value of the Connection field; empty: no field
  bool send_body = true;        ///< false for a response to HEAD
};

/// Writes the response to the stream of the exchange, which buffers it; a streamed body is sent at once. Returns false
/// if the body was not written completely: then the connection must end. Exceptions of a content provider pass through.
[[nodiscard]] bool write_response(exchange& exchange, response& res, const connection_headers& connection);

/// The complete bytes of a response that ends the connection.
[[nodiscard]] std::string complete_response(const response& res, const clock& time, bool send_body = true);

/// The Date field with its line end. Each thread formats it once per second and reads the system clock at most every
/// 20 ms. `now`: a recent `time.now()`.
[[nodiscard]] std::string_view date_line(const clock& time, clock::time_point now);

/// True if the response has a body whose end only its provider knows.
[[nodiscard]] bool is_stream(const response& res) noexcept;

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE bool is_stream(const response& res) noexcept { return res.content_provider_ && res.content_length_ == 0; }

WINSVC_INLINE std::string_view date_line(const clock& time, clock::time_point now) {
  struct cached_date {  // trivially destructible: mingw may free a thread_local before it calls the destructor
    const clock* source;
    std::chrono::steady_clock::time_point checked_at;
    std::int64_t second;
    std::size_t length;
    char text[48];
  };
  static_assert(std::is_trivially_destructible_v<cached_date>);
  static thread_local cached_date last{nullptr, {}, -1, 0, {}};
  const auto text_of = [](const cached_date& date) { return std::string_view(date.text, date.length); };
  const bool is_recent = now >= last.checked_at && now - last.checked_at < std::chrono::milliseconds(20);
  if (last.source == &time && is_recent) return text_of(last);
  const auto wall = time.system_now();
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
  if (second != last.second) {
    const std::string text = "Date: " + http_date(wall) + "\r\n";
    last.length = text.copy(last.text, sizeof last.text);
    last.second = second;
  }
  last.source = &time;
  last.checked_at = now;
  return text_of(last);
}

/// True for fields that a response has once: the last value replaces the others.
WINSVC_INLINE bool is_single_field(std::string_view name) noexcept {
  for (const char* known : {"Content-Type", "Date", "ETag", "Last-Modified", "Location", "Server", "Content-Encoding",
                            "Content-Range", "Content-Location", "Content-Disposition", "Expires", "Retry-After", "Age",
                            "Accept-Ranges", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
                            "Access-Control-Max-Age", "X-Content-Type-Options", "X-Frame-Options",
                            "Strict-Transport-Security", "Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy",
                            "Cross-Origin-Resource-Policy", "X-Accel-Buffering"}) {
    if (base::equal_nocase(name, known)) return true;
  }
  return false;
}

/// Appends the fields of the app, which must not contain framing fields. Returns true in `type` and `date` if it has
/// written Content-Type and Date.
WINSVC_INLINE void append_fields(const response& res, base::byte_block& output, bool& type, bool& date) {
  const auto put = [&](const std::string& name, const std::string& value) {
    if (base::equal_nocase(name, "Content-Type")) {
      if (wire::is_bodyless_status(res.status) && res.status != 304) return;
      type = true;
    } else if (base::equal_nocase(name, "Date")) {
      date = true;
    }
    output.append(name);
    output.append_literal(": ");
    if (base::equal_nocase(name, "Location")) output.append(route::percent_encode_url(value));
    else output.append(value);
    output.append_literal("\r\n");
  };
  for (auto first = res.headers.begin(); first != res.headers.end();) {
    auto last = std::next(first);
    if (last == res.headers.end() || !base::equal_nocase(last->first, first->first)) {  // the usual case
      put(first->first, first->second);
      first = last;
      continue;
    }
    std::vector<const std::string*> values{&first->second};
    for (; last != res.headers.end() && base::equal_nocase(last->first, first->first); ++last)
      values.push_back(&last->second);
    if (api::has_reverse_order()) std::reverse(values.begin(), values.end());
    if (is_single_field(first->first)) values.erase(values.begin(), values.end() - 1);
    for (const auto* value : values) put(first->first, *value);
    first = last;
  }
}

/// Writes to the free space of a block without a check. Its position is a local variable, while the size of the block
/// would be read and written for each text.
class unchecked_writer {
 public:
  explicit unchecked_writer(base::byte_block& output) noexcept : output_(output), position_(output.end()) {}

  unchecked_writer& operator<<(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(position_, text.data(), text.size());
    position_ += text.size();
    return *this;
  }
  template <std::size_t N>
  unchecked_writer& operator<<(const char (&literal)[N]) noexcept {  // the compiler knows the size
    std::memcpy(position_, literal, N - 1);
    position_ += N - 1;
    return *this;
  }
  unchecked_writer& operator<<(std::uint64_t number) noexcept {
    constexpr std::size_t max_digits = 20;
    position_ = std::to_chars(position_, position_ + max_digits, number).ptr;
    return *this;
  }
  void finish() noexcept { output_.extend(static_cast<std::size_t>(position_ - output_.end())); }

 private:
  base::byte_block& output_;
  char* position_;
};

/// Appends the head and `body`. `length`: the Content-Length; nullopt: none. `own_date`: the line of date_line(), for a
/// response without a Date.
WINSVC_INLINE void append_head(const response& res, std::string_view connection, std::optional<std::uint64_t> length,
                               bool chunked, std::string_view own_date, base::byte_block& output,
                               std::string_view body = {}) {
  if (res.status == 200) {
    output.append_literal("HTTP/1.1 200 OK\r\n");
  } else {
    output.append_literal("HTTP/1.1 ");
    output.append_number(static_cast<std::uint64_t>(res.status));
    output.append_literal(" ");
    output.append(wire::reason_phrase(res.status));
    output.append_literal("\r\n");
  }
  bool type = false, date = false;
  append_fields(res, output, type, date);
  const bool bodyless = wire::is_bodyless_status(res.status);
  // One check of the space for all lines that follow, of which the literals and the length need less than 200 bytes.
  output.reserve_free(200 + res.result_type.size() + connection.size() + own_date.size() + body.size());
  unchecked_writer lines(output);
  if (!type && !res.result_type.empty() && (!bodyless || res.status == 304))
    lines << "Content-Type: " << res.result_type << "\r\n";
  else if (!type && !bodyless && (chunked || !length || *length != 0))
    lines << "Content-Type: text/plain\r\n";
  if (chunked) lines << "Transfer-Encoding: chunked\r\n";
  else if (length && !bodyless) lines << "Content-Length: " << *length << "\r\n";
  if (!connection.empty()) lines << "Connection: " << connection << "\r\n";
  if (!date) lines << own_date;
  lines << "\r\n" << body;
  lines.finish();
}

WINSVC_INLINE bool write_response(exchange& exchange, response& res, const connection_headers& connection) {
  exchange_stream& stream = exchange.stream;
  response_delivery& delivery = exchange.delivery;
  base::byte_block& output = stream.output();
  const auto date = date_line(stream.time(), exchange.handled_time);
  const bool no_body = wire::is_bodyless_status(res.status);
  if (!res.content_provider_ || no_body) {
    const std::uint64_t length = delivery.length_of_head ? *delivery.length_of_head : res.body.size();
    const bool send_body = connection.send_body && !no_body;
    constexpr std::size_t min_moved_bytes = 8 * 1024;  // to copy fewer bytes is faster than to send two parts
    const bool moves_body = send_body && res.body.size() >= min_moved_bytes;
    const std::string_view copied_body = send_body && !moves_body ? std::string_view(res.body) : std::string_view();
    append_head(res, connection.connection, length, false, date, output, copied_body);
    if (moves_body) delivery.text_to_send = std::move(res.body);
    return true;
  }

  if (!is_stream(res)) {
    const body_parts* const parts = delivery.parts ? &*delivery.parts : nullptr;  // null: the whole body
    std::uint64_t length = parts ? parts->end.size() : res.content_length_;
    if (parts) {
      for (const auto& part : parts->list) length += part.head.size() + part.length;
    }
    append_head(res, connection.connection, length, false, date, output);
    if (!connection.send_body) return true;
    const bool one_part = !parts || (parts->list.size() == 1 && parts->list[0].head.empty());
    const auto* const from = res.content_provider_.target<file_provider>();
    if (from && one_part) {  // no thread waits for the client
      if (!parts) delivery.file_to_send = {from->file, 0, res.content_length_};
      else delivery.file_to_send = {from->file, parts->list[0].offset, parts->list[0].length};
      return true;
    }
    stream.disable_buffering();
    bool ok = stream.flush();
    if (parts) {
      for (const auto& part : parts->list) {
        ok = ok && (part.head.empty() || stream.write(part.head.data(), part.head.size())) &&
             range_sink(exchange, part.offset, part.length).run(res);
      }
      ok = ok && (parts->end.empty() || stream.write(parts->end.data(), parts->end.size()));
    } else {
      ok = ok && range_sink(exchange, 0, res.content_length_).run(res);
    }
    return res.content_provider_success_ = ok;
  }

  const auto length = delivery.stream_length;
  const bool chunked = !length && exchange.head.minor_version != 0;
  append_head(res, connection.connection, length, chunked, date, output);
  if (!connection.send_body) return true;
  if (const auto* const from = find_event_provider(res)) {  // no thread waits for the events
    delivery.events_to_send = from->subscription;
    return true;
  }
  stream.disable_buffering();
  if (!stream.flush()) return false;
  return res.content_provider_success_ = stream_sink(exchange, chunked).run(res);
}

WINSVC_INLINE std::string complete_response(const response& res, const clock& time, bool send_body) {
  base::byte_block output;
  const bool sends_body = send_body && !wire::is_bodyless_status(res.status);
  append_head(res, "close", res.body.size(), false, date_line(time, time.now()), output,
              sends_body ? std::string_view(res.body) : std::string_view());
  return std::string(output.view());
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
