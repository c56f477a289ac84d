// Exchange stream: the bytes of the body of one request, and those of its response.
//
//   exchange_stream stream(transport, buffer, output, head, limits, start);
//   stream.read_body([](const char* bytes, std::size_t count) { ...; return true; });
//   stream.write(bytes, count);                       // to `output`, or to the client after disable_buffering()
//
// The stream enforces the limits of a body: its framing is decoded here, one deadline applies to the whole body, and
// `100 Continue` is sent only when a handler reads the body (RFC 9110 section 10.1.1). Head and body of a response
// leave in one send; a streamed response leaves while it is written. The class does not parse heads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/byte_block.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/wire/chunked.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Received bytes that are not consumed yet: a head, which is parsed in place, its body, then the next request.
struct receive_buffer {
  base::byte_block bytes;
  std::size_t consumed = 0;

  [[nodiscard]] std::string_view remaining() const noexcept {
    return {bytes.view().data() + consumed, bytes.size() - consumed};
  }
  void consume(std::size_t count) {
    consumed += count;
    if (consumed == bytes.size()) clear();
  }
  void clear() noexcept {  // keeps the memory
    bytes.clear();
    consumed = 0;
  }
};

class exchange_stream {
 public:
  /// `buffer` begins with the first byte of the body. The response is appended to `output`; the caller sends it after
  /// close(). `request_started`: the time at which the deadline of the body begins.
  exchange_stream(transport& transport, receive_buffer& buffer, base::byte_block& output, const wire::head& head,
                  const wire::limits& limits, clock::time_point request_started, const clock& time)
      : time_(time),
        transport_(transport),
        buffer_(buffer),
        output_(output),
        framing_(head.framing),
        body_bytes_left_(head.framing == wire::framing::length ? head.content_length : 0),
        must_send_continue_(head.expect_continue),
        limits_(limits),
        request_started_(request_started) {
    if (framing_ == wire::framing::chunked) decoder_.emplace(limits, limits.body_bytes);
    if (framing_ == wire::framing::length && body_bytes_left_ == 0) framing_ = wire::framing::none;
  }

  /// True if the body has been read to its end, or if there is no body.
  [[nodiscard]] bool is_body_complete() const noexcept { return framing_ == wire::framing::none; }
  /// True if the rest of the body can be read without waiting for the client.
  [[nodiscard]] bool is_body_buffered() const noexcept {
    return is_body_complete() || (framing_ == wire::framing::length && body_bytes_left_ <= buffer_.remaining().size());
  }
  /// Sets the maximum size of a chunked body in bytes, in place of the app's limit. Call it before the body is read.
  void limit_body(std::uint64_t limit) {
    if (framing_ == wire::framing::chunked) decoder_.emplace(limits_, limit);
  }
  /// Makes all further reads of the body fail. If a part of the body is unread, the connection must end.
  void reject_body() noexcept { body_rejected_ = true; }
  /// Status of a body error: 400, 408 or 413; 0: no error; -1: the client closed the connection.
  [[nodiscard]] int body_error_status() const noexcept { return body_error_; }
  /// Moves the body to `target`. Requires a buffered body of known length.
  void move_body_to(std::string& target) {
    const auto count = static_cast<std::size_t>(body_bytes_left_);
    target.assign(buffer_.remaining().substr(0, count));
    buffer_.consume(count);
    body_bytes_left_ = 0;
    framing_ = wire::framing::none;
  }
  /// Reads the body, decoded from its chunks, and calls `take(bytes, count)` for each part; false from it stops.
  /// Returns false if the body was not read to its end; see body_error_status().
  template <class F>
  bool read_body(const F& take) {
    char chunk[16 * 1024];
    std::string data;
    while (!is_body_complete()) {
      if (body_rejected_ || body_error_ != 0) return false;
      if (framing_ == wire::framing::chunked) {
        data.clear();
        if (!decode_chunks(data)) return false;
        if (!data.empty() && !take(data.data(), data.size())) return false;
      } else {
        const std::size_t received = read_plain(chunk, sizeof chunk);
        if (received == 0 || !take(chunk, received)) return false;
      }
    }
    return true;
  }
  [[nodiscard]] base::byte_block& output() noexcept { return output_; }
  /// From here on, each write is sent at once.
  void disable_buffering() noexcept { unbuffered_ = true; }
  [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_; }
  /// The transport, for a handler of another protocol after a 101; buffer() has the bytes that were received already.
  [[nodiscard]] transport& connection_transport() noexcept { return transport_; }
  [[nodiscard]] receive_buffer& buffer() noexcept { return buffer_; }
  [[nodiscard]] const wire::limits& limits() const noexcept { return limits_; }
  [[nodiscard]] const clock& time() const noexcept { return time_; }
  /// Waits while a response is streamed; see transport::wait_stream_event.
  stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept {
    constexpr std::chrono::milliseconds none{0}, maximum = std::chrono::hours(24 * 365);  // no deadline overflows
    if (failed_) return stream_event::peer_closed;
    if (limit > none) transport_.begin_blocking();
    return transport_.wait_stream_event((std::max)(none, (std::min)(limit, maximum)));
  }

  /// Allows send_instead() from here on.
  void begin_time_limit() noexcept { response_owner_.store(response_owner::none); }
  /// Sends `bytes` as the response from another thread while the handler runs; the response of the handler is then
  /// dropped. Returns false if the handler's response came first. See response_owner.
  bool send_instead(const std::string& bytes) noexcept {
    auto owner = response_owner::none;
    if (!response_owner_.compare_exchange_strong(owner, response_owner::timeout)) return false;
    // The thread that calls it must not wait. A client that cannot receive at once is disconnected.
    if (transport_.send(bytes.data(), bytes.size(), std::chrono::milliseconds(0)) != os::transfer::done)
      transport_.abort_connection();
    sent_ = bytes.size();
    return true;
  }
  [[nodiscard]] bool was_sent_instead() const noexcept { return response_owner_.load() == response_owner::timeout; }

  /// Ends the response of the handler. Returns false if it cannot be sent: the connection failed, or another response
  /// was sent instead.
  bool close() noexcept {
    auto owner = response_owner_.load();
    if (owner == response_owner::none) response_owner_.compare_exchange_strong(owner, response_owner::handler);
    if (owner == response_owner::timeout) failed_ = true;
    if (failed_) output_.clear();
    return !failed_;
  }
  /// Ends the response and sends it completely. The client must read it at the minimum rate (limits::response_deadline)
  /// and make progress within the write timeout.
  bool flush() noexcept {
    if (!close() || output_.empty()) return !failed_;
    const auto deadline = time_.now() + limits_.response_deadline(output_.size());
    auto result = os::transfer::timed_out;
    for (std::size_t position = 0, sent = 0;; position += sent) {
      result = transport_.send_some(output_.data() + position, output_.size() - position, sent);
      if (result != os::transfer::timed_out) break;
      transport_.begin_blocking();
      const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - time_.now());
      const auto limit = (std::min)(remaining, limits_.write_timeout);
      if (limit.count() > 0 && transport_.wait_sendable(limit)) continue;
      transport_.abort_connection();  // a part of the bytes may have been sent
      break;
    }
    failed_ = result != os::transfer::done;
    if (!failed_) sent_ += output_.size();
    output_.clear();
    return !failed_;
  }

  /// Appends to the response, or sends after disable_buffering(). Returns false if the connection has failed.
  bool write(const char* bytes, std::size_t count) {
    constexpr std::size_t max_buffered_bytes = 16 * 1024 * 1024;
    if (failed_) return false;
    output_.append({bytes, count});
    return (!unbuffered_ && output_.size() <= max_buffered_bytes) || flush();
  }
  [[nodiscard]] bool has_failed() const noexcept { return failed_; }

 private:
  /// Reads bytes of a body of known length, at least one. Returns 0 on an error.
  std::size_t read_plain(char* buffer, std::size_t capacity) {
    if (!fill()) return 0;
    const auto have = buffer_.remaining();
    const auto max_count = static_cast<std::size_t>((std::min)(body_bytes_left_, std::uint64_t{1} << 30));
    const auto count = (std::min)({capacity, have.size(), max_count});
    std::memcpy(buffer, have.data(), count);
    buffer_.consume(count);
    body_bytes_read_ += count;
    body_bytes_left_ -= count;
    if (body_bytes_left_ == 0) framing_ = wire::framing::none;
    return count;
  }

  /// Appends decoded bytes of a chunked body to `target`, at least one or the end. Returns false on an error. The bytes
  /// before an error come first: their consumer may find an error that precedes it.
  bool decode_chunks(std::string& target) {
    if (chunk_error_ != 0) return fail(chunk_error_);
    while (target.empty() && framing_ != wire::framing::none) {
      if (!fill()) return false;
      std::size_t consumed = 0;
      using wire::chunked_decoder;
      const auto step = decoder_->feed(buffer_.remaining(), consumed, target);
      buffer_.consume(consumed);
      body_bytes_read_ += consumed;
      if (step == wire::chunked_decoder::step::bad || step == wire::chunked_decoder::step::too_large) {
        chunk_error_ = step == wire::chunked_decoder::step::bad ? 400 : 413;
        return !target.empty() || fail(chunk_error_);
      }
      if (step == wire::chunked_decoder::step::done) framing_ = wire::framing::none;
    }
    return true;
  }

  bool fail(int status) noexcept {
    body_error_ = status;
    return false;
  }

  /// Makes at least one byte of the body available in the buffer. Returns false on an error.
  bool fill() {
    if (!buffer_.remaining().empty()) return true;
    if (std::exchange(must_send_continue_, false)) {
      constexpr std::string_view interim_response = "HTTP/1.1 100 Continue\r\n\r\n";
      if (transport_.send(interim_response.data(), interim_response.size(), limits_.write_timeout) !=
          os::transfer::done) {
        transport_.abort_connection();  // the client would wait, or has received a part
        return fail(-1);
      }
    }
    // One deadline for the whole body: each received byte extends it by its share at body_bytes_per_second.
    const auto deadline = request_started_ + limits_.body_deadline(body_bytes_read_);
    const auto now = time_.now();
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
    char chunk[16 * 1024];
    std::size_t received = 0;
    auto result = transport_.receive(chunk, sizeof chunk, received, std::chrono::milliseconds(0));
    if (result == os::transfer::timed_out && limit.count() > 0) {
      transport_.begin_blocking();
      result = transport_.receive(chunk, sizeof chunk, received, limit);
    }
    if (result == os::transfer::done) {
      buffer_.bytes.append({chunk, received});
      return true;
    }
    body_error_ = result == os::transfer::timed_out ? 408 : -1;
    return false;
  }

  // Owner of the response: the handler, or the thread that ends the handler's time. Without a time limit, it is always
  // the handler. The first compare-exchange wins, so exactly one response is sent:
  //
  //   handler  begin_time_limit()                        -> none
  //   none     close(): the handler has finished         -> handler (final)
  //   none     send_instead(): its timeout has passed    -> timeout (final: the response of the handler is dropped)
  //   handler  send_instead() returns false              -> handler
  //
  // The atomic makes the decision only. The callback that calls send_instead() returns before the scoped_timeout of the
  // handler is destroyed (http/handler_timeouts.hpp), so the two threads do not write the response at the same time.
  enum class response_owner { none, handler, timeout };

  const clock& time_;
  transport& transport_;
  receive_buffer& buffer_;
  base::byte_block& output_;
  wire::framing framing_;
  std::uint64_t body_bytes_left_;
  bool must_send_continue_;
  const wire::limits& limits_;
  std::optional<wire::chunked_decoder> decoder_;  // of a chunked body
  int chunk_error_ = 0;                           // status of an error of decoder_
  std::uint64_t body_bytes_read_ = 0;
  clock::time_point request_started_;
  std::uint64_t sent_ = 0;
  int body_error_ = 0;
  bool body_rejected_ = false;
  bool unbuffered_ = false;
  bool failed_ = false;
  std::atomic<response_owner> response_owner_{response_owner::handler};
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
