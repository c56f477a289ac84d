// One request and its answer on their way through cpp-httplib: the stream it reads the canonical head and the body from
// and writes the answer to, and the few facts that the hooks around the handler share.
//
// The stream is where the wire's promises are kept: a body is framed by our own decoder and counted, it has a deadline
// as a whole, and `100 Continue` leaves only when a handler wants the body (RFC 9110 section 10.1.1). Head and body of
// an answer leave in one send; a streamed one leaves as it comes.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/route/table.hpp"
#include "winsvc/wire/chunked.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Bytes received and not yet used: the head is parsed in place here, the body follows it, and the next request that.
struct receive_buffer {
  std::string bytes;
  std::size_t consumed = 0;

  [[nodiscard]] std::string_view remaining() const noexcept { return std::string_view(bytes).substr(consumed); }
  void consume(std::size_t count) {
    consumed += count;
    if (consumed == bytes.size()) {
      bytes.clear();
      consumed = 0;
    }
  }
};

class exchange_stream final : public httplib::Stream {
 public:
  /// `buffer` begins with the body's first byte.
  /// What is answered is put behind `output`, and is there to be sent when the exchange is over; see `close`.
  exchange_stream(transport& transport, receive_buffer& buffer, std::string& out, const wire::head& head,
                  const wire::limits& bounds)
      : transport_(transport),
        buffer_(buffer),
        output_(out),
        framing_(head.framing),
        body_bytes_left_(head.framing == wire::framing::length ? head.content_length : 0),
        must_send_continue_(head.expect_continue),
        limits_(bounds),
        decoder_(bounds, bounds.body_bytes),
        request_started_(std::chrono::steady_clock::now()) {
    if (framing_ == wire::framing::length && body_bytes_left_ == 0) framing_ = wire::framing::none;
  }

  /// Has all of the body been read?
  [[nodiscard]] bool is_body_complete() const noexcept { return framing_ == wire::framing::none; }
  /// Could the rest of it be read without waiting for the client?
  [[nodiscard]] bool is_body_buffered() const noexcept {
    return is_body_complete() || (framing_ == wire::framing::length && body_bytes_left_ <= buffer_.remaining().size());
  }
  /// The most bytes of a body that comes in chunks, in place of the app's limit. Before it is read.
  void limit_body(std::uint64_t limit) { decoder_ = wire::chunked_decoder(limits_, limit); }
  /// The body is not wanted any more: reads fail from here on. What is unread ends the connection.
  void reject_body() noexcept { body_rejected_ = true; }
  /// The status for what was wrong with the body: 400, 408, 413; 0 for nothing; -1 when the client is gone.
  [[nodiscard]] int body_error_status() const noexcept { return body_error_; }
  /// What cpp-httplib is to read as the head.
  void set_normalized_head(std::string canonical) noexcept { normalized_head_ = std::move(canonical); }
  /// All of a body of known length, which is here.
  void move_body_to(std::string& target) {
    const auto count = static_cast<std::size_t>(body_bytes_left_);
    target.assign(buffer_.remaining().substr(0, count));
    buffer_.consume(count);
    body_bytes_left_ = 0;
    framing_ = wire::framing::none;
  }
  /// Reads the body, decoded from its chunks, and hands it to `take` piece by piece; false from it ends the reading.
  /// False: the body has not been read to its end, see body_error_status.
  template <class F>
  bool read_body(const F& take) {
    char piece[16 * 1024];
    std::string data;
    while (!is_body_complete()) {
      if (body_rejected_ || body_error_ != 0) return false;
      if (framing_ == wire::framing::chunked) {
        data.clear();
        if (!decode_chunks(data)) return false;
        if (!data.empty() && !take(data.data(), data.size())) return false;
      } else {
        const auto received = read_plain(piece, sizeof piece);
        if (received < 0 || !take(piece, static_cast<std::size_t>(received))) return false;
      }
    }
    return true;
  }
  [[nodiscard]] std::string& output() noexcept { return output_; }
  /// When the request came, for the deadline of its body.
  void set_request_start(std::chrono::steady_clock::time_point time) noexcept { request_started_ = time; }
  /// From here on every write leaves at once.
  void disable_buffering() noexcept { unbuffered_ = true; }
  [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_; }
  /// For whoever speaks another protocol from here on: what has come of it already is in the buffer.
  [[nodiscard]] transport& connection_transport() noexcept { return transport_; }
  [[nodiscard]] receive_buffer& buffer() noexcept { return buffer_; }
  [[nodiscard]] const wire::limits& limits() const noexcept { return limits_; }
  /// Waits beside the answer; see transport::watch.
  stream_event wait_stream_event(std::chrono::milliseconds limit) noexcept {
    constexpr std::chrono::milliseconds none{0}, maximum = std::chrono::hours(24 * 365);  // no sum with it overflows
    if (failed_) return stream_event::peer_closed;
    if (limit > none) transport_.begin_blocking();
    return transport_.wait_stream_event((std::max)(none, (std::min)(limit, maximum)));
  }

  /// From another thread, while a handler runs: sends this as the answer. What the handler answers then is dropped.
  /// False when the answer is on its way already.
  bool send_instead(const std::string& whole) noexcept {
    auto nothing = response_owner::none;
    if (!response_owner_.compare_exchange_strong(nothing, response_owner::timeout)) return false;
    static_cast<void>(transport_.send(whole.data(), whole.size(), std::chrono::milliseconds(0)));
    sent_ = whole.size();
    return true;
  }
  [[nodiscard]] bool was_sent_instead() const noexcept { return response_owner_.load() == response_owner::timeout; }

  /// Everything has been answered. False: nothing more can be sent, and what is left of the answer is dropped.
  bool close() noexcept {
    auto nothing = response_owner::none;
    if (!response_owner_.compare_exchange_strong(nothing, response_owner::handler) && nothing == response_owner::timeout) failed_ = true;
    if (failed_) output_.clear();
    return !failed_;
  }
  /// Sends what there is, and waits until it has left.
  bool flush() noexcept {
    if (!close() || output_.empty()) return !failed_;
    std::size_t sent = 0;
    auto result = transport_.send_some(output_.data(), output_.size(), sent);
    if (result == os::transfer::timed_out) {
      transport_.begin_blocking();
      result = transport_.send(output_.data() + sent, output_.size() - sent, limits_.write_timeout);
    }
    failed_ = result != os::transfer::done;
    if (!failed_) sent_ += output_.size();
    output_.clear();
    return !failed_;
  }

  // What cpp-httplib calls. Without `override`, because its versions differ in what they declare: this is the union.
  bool is_readable() const { return !body_rejected_ && (head_position_ < normalized_head_.size() || !is_body_complete()); }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return !failed_; }
  bool is_peer_alive() const { return !failed_; }
  time_t duration() const { return 0; }
  socket_t socket() const { return INVALID_SOCKET; }
  void get_remote_ip_and_port(std::string& ip, int& port) const { ip = transport_.peer().host, port = transport_.peer().port; }
  void get_local_ip_and_port(std::string& ip, int& port) const { ip = transport_.local().host, port = transport_.local().port; }

  ssize_t read(char* into, size_t capacity) {
    if (head_position_ < normalized_head_.size()) {
      const auto count = (std::min)(capacity, normalized_head_.size() - head_position_);
      std::memcpy(into, normalized_head_.data() + head_position_, count);
      head_position_ += count;
      return static_cast<ssize_t>(count);
    }
    if (body_rejected_ || body_error_ != 0) return -1;
    return framing_ == wire::framing::chunked || !decoded_.empty() ? read_chunked(into, capacity) : read_plain(into, capacity);
  }

  ssize_t write(const char* from, size_t count) {
    constexpr std::size_t most_kept = 16 * 1024 * 1024;
    if (failed_) return -1;
    output_.append(from, count);
    if ((unbuffered_ || output_.size() > most_kept) && !flush()) return -1;
    return static_cast<ssize_t>(count);
  }
  using httplib::Stream::write;

  // From 0.52 on the head is scanned in place, which halves the instructions of a small request.
  const char* buffered_data(size_t& size) const {
    size = normalized_head_.size() - head_position_;
    return size != 0 ? normalized_head_.data() + head_position_ : nullptr;  // a line reader takes anything else for a line begun
  }
  void consume_buffered(size_t size) { head_position_ += size; }

 private:
  ssize_t read_plain(char* into, size_t capacity) {
    if (body_bytes_left_ == 0) return 0;
    if (!fill()) return -1;
    const auto have = buffer_.remaining();
    const auto count =
        (std::min)({capacity, have.size(), static_cast<std::size_t>((std::min)(body_bytes_left_, std::uint64_t{1} << 30))});
    std::memcpy(into, have.data(), count);
    buffer_.consume(count);
    body_bytes_read_ += count;
    body_bytes_left_ -= count;
    if (body_bytes_left_ == 0) framing_ = wire::framing::none;
    return static_cast<ssize_t>(count);
  }

  /// Bytes of a chunked body, decoded, behind what `into` holds. False: see body_error_status.
  bool decode_chunks(std::string& target) {
    while (target.empty() && framing_ != wire::framing::none) {
      if (!fill()) return false;
      std::size_t consumed = 0;
      using wire::chunked_decoder;
      const auto step = decoder_.feed(buffer_.remaining(), consumed, target);
      buffer_.consume(consumed);
      body_bytes_read_ += consumed;
      if (step == chunked_decoder::step::bad) return fail(400) >= 0;
      if (step == chunked_decoder::step::too_large) return fail(413) >= 0;
      if (step == chunked_decoder::step::done) framing_ = wire::framing::none;
    }
    return true;
  }

  /// Hands decoded chunks on in chunks of our own spelling, so that no parser behind us meets the client's.
  ssize_t read_chunked(char* into, size_t capacity) {
    while (decoded_position_ == decoded_.size()) {
      if (framing_ == wire::framing::none) return 0;
      std::string data;
      if (!decode_chunks(data)) return -1;
      decoded_.clear();
      decoded_position_ = 0;
      if (!data.empty()) {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", data.size());
        decoded_ = size + data + "\r\n";
      }
      if (framing_ == wire::framing::none) decoded_ += "0\r\n\r\n";
    }
    const auto count = (std::min)(capacity, decoded_.size() - decoded_position_);
    std::memcpy(into, decoded_.data() + decoded_position_, count);
    decoded_position_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t fail(int status) noexcept {
    body_error_ = status;
    return -1;
  }

  /// At least one byte of the body in the buffer.
  bool fill() {
    if (!buffer_.remaining().empty()) return true;
    if (std::exchange(must_send_continue_, false)) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      transport_.send(go_on.data(), go_on.size(), limits_.write_timeout);
    }
    // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
    const auto deadline = request_started_ + limits_.body_deadline(body_bytes_read_);
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    char piece[16 * 1024];
    std::size_t received = 0;
    auto result = transport_.receive(piece, sizeof piece, received, std::chrono::milliseconds(0));
    if (result == os::transfer::timed_out && limit.count() > 0) {
      transport_.begin_blocking();
      result = transport_.receive(piece, sizeof piece, received, limit);
    }
    if (result == os::transfer::done) {
      buffer_.bytes.append(piece, received);
      return true;
    }
    body_error_ = result == os::transfer::timed_out ? 408 : -1;
    return false;
  }

  enum class response_owner { none, handler, timeout };

  transport& transport_;
  receive_buffer& buffer_;
  std::string& output_;
  wire::framing framing_;
  std::uint64_t body_bytes_left_;
  bool must_send_continue_;
  std::string normalized_head_;
  std::size_t head_position_ = 0;
  const wire::limits& limits_;
  wire::chunked_decoder decoder_;
  std::string decoded_;
  std::size_t decoded_position_ = 0;
  std::uint64_t body_bytes_read_ = 0;
  std::chrono::steady_clock::time_point request_started_;
  std::uint64_t sent_ = 0;
  int body_error_ = 0;
  bool body_rejected_ = false;
  bool unbuffered_ = false;
  bool failed_ = false;
  std::atomic<response_owner> response_owner_{response_owner::none};
};

/// What the hooks around one handler share.
struct exchange {
  exchange(const wire::head& h, exchange_stream& s, std::string request_id, const std::atomic<bool>& drains)
      : head(h), stream(s), draining(drains), id(std::move(request_id)) {}

  const wire::head& head;
  exchange_stream& stream;
  const std::atomic<bool>& draining;  ///< may become true while the handler runs
  route::match_result match;
  const route::table* routes = nullptr;  ///< that it was matched with
  std::string id;            ///< of the request, in the log and in a 500
  std::function<bool()> read_body;  ///< reads it now; empty when there is none
  bool body_too_large = false;
  std::uint64_t body_limit = ~std::uint64_t{0};  ///< of this request; the app's own holds beside it
  response* finished_response = nullptr;                      ///< what the handler has answered already, to be written
  const request* current_request = nullptr;                  ///< cpp-httplib's, while it is handled
  std::map<const void*, std::shared_ptr<void>> values;  ///< of winsvc::context, by type
  std::string path, method;  ///< of the request, while cpp-httplib routes it to POST /_ for its body
  bool close_after_response = false;      ///< the connection ends with this answer
  bool httplib_closes_connection = false;       ///< cpp-httplib wants it to
  bool is_own_response = false;         ///< the answer is the handler's or our own, not cpp-httplib's
  int status = 0;            ///< what was answered
  std::string_view pattern;  ///< of the route, for the access log
  std::string client;        ///< the address that asked, where a trusted proxy named it
  std::atomic<std::size_t>* websockets = nullptr;  ///< open in this engine; null where there can be none
  /// Serves the connection once a 101 has left: the protocol has been switched. Throws what its handler throws.
  std::function<void(logger&)> serve_upgraded;
};

/// The exchange that this thread is in. cpp-httplib's hooks are shared by all connections and have no other way to it.
exchange*& current_exchange() noexcept;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE exchange*& current_exchange() noexcept {
  static thread_local exchange* one = nullptr;
  return one;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
