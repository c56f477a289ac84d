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
  std::size_t used = 0;

  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(bytes).substr(used); }
  void consume(std::size_t count) {
    used += count;
    if (used == bytes.size()) {
      bytes.clear();
      used = 0;
    }
  }
};

class exchange_stream final : public httplib::Stream {
 public:
  /// `buffer` begins with the body's first byte.
  /// What is answered is put behind `out`, and is there to be sent when the exchange is over; see `close`.
  exchange_stream(transport& wire, receive_buffer& buffer, std::string& out, const wire::head& head,
                  const wire::limits& bounds)
      : wire_(wire),
        buffer_(buffer),
        out_(out),
        framing_(head.framing),
        left_(head.framing == wire::framing::length ? head.content_length : 0),
        wants_continue_(head.expect_continue),
        bounds_(bounds),
        decoder_(bounds, bounds.body_bytes),
        began_(std::chrono::steady_clock::now()) {
    if (framing_ == wire::framing::length && left_ == 0) framing_ = wire::framing::none;
  }

  /// Has all of the body been read?
  [[nodiscard]] bool body_done() const noexcept { return framing_ == wire::framing::none; }
  /// Could the rest of it be read without waiting for the client?
  [[nodiscard]] bool body_here() const noexcept {
    return body_done() || (framing_ == wire::framing::length && left_ <= buffer_.rest().size());
  }
  /// The most bytes of a body that comes in chunks, in place of the app's limit. Before it is read.
  void limit_body(std::uint64_t most) { decoder_ = wire::chunked_decoder(bounds_, most); }
  /// The body is not wanted any more: reads fail from here on. What is unread ends the connection.
  void refuse_body() noexcept { refused_ = true; }
  /// The status for what was wrong with the body: 400, 408, 413; 0 for nothing; -1 when the client is gone.
  [[nodiscard]] int body_fault() const noexcept { return fault_; }
  /// What cpp-httplib is to read as the head.
  void hand_over(std::string canonical) noexcept { canonical_ = std::move(canonical); }
  /// All of a body of known length, which is here.
  void take_body(std::string& into) {
    const auto count = static_cast<std::size_t>(left_);
    into.assign(buffer_.rest().substr(0, count));
    buffer_.consume(count);
    left_ = 0;
    framing_ = wire::framing::none;
  }
  /// Reads the body, decoded from its chunks, and hands it to `take` piece by piece; false from it ends the reading.
  /// False: the body has not been read to its end, see body_fault.
  template <class F>
  bool read_body(const F& take) {
    char piece[16 * 1024];
    std::string data;
    while (!body_done()) {
      if (refused_ || fault_ != 0) return false;
      if (framing_ == wire::framing::chunked) {
        data.clear();
        if (!decode_chunks(data)) return false;
        if (!data.empty() && !take(data.data(), data.size())) return false;
      } else {
        const auto got = read_plain(piece, sizeof piece);
        if (got < 0 || !take(piece, static_cast<std::size_t>(got))) return false;
      }
    }
    return true;
  }
  [[nodiscard]] std::string& out() noexcept { return out_; }
  /// When the request came, for the deadline of its body.
  void began(std::chrono::steady_clock::time_point when) noexcept { began_ = when; }
  /// From here on every write leaves at once.
  void unbuffered() noexcept { unbuffered_ = true; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  /// For whoever speaks another protocol from here on: what has come of it already is in the buffer.
  [[nodiscard]] transport& wire() noexcept { return wire_; }
  [[nodiscard]] receive_buffer& buffer() noexcept { return buffer_; }
  [[nodiscard]] const wire::limits& bounds() const noexcept { return bounds_; }
  /// Waits beside the answer; see transport::watch.
  watched watch(std::chrono::milliseconds limit) noexcept {
    constexpr std::chrono::milliseconds none{0}, most = std::chrono::hours(24 * 365);  // no sum with it overflows
    if (broken_) return watched::gone;
    if (limit > none) wire_.hold();
    return wire_.watch((std::max)(none, (std::min)(limit, most)));
  }

  /// From another thread, while a handler runs: sends this as the answer. What the handler answers then is dropped.
  /// False when the answer is on its way already.
  bool answer_in_place(const std::string& whole) noexcept {
    auto nobody = speaker::nobody;
    if (!speaks_.compare_exchange_strong(nobody, speaker::another)) return false;
    static_cast<void>(wire_.send(whole.data(), whole.size(), std::chrono::milliseconds(0)));
    sent_ = whole.size();
    return true;
  }
  [[nodiscard]] bool answered_in_place() const noexcept { return speaks_.load() == speaker::another; }

  /// Everything has been answered. False: nothing more can be sent, and what is left of the answer is dropped.
  bool close() noexcept {
    auto nobody = speaker::nobody;
    if (!speaks_.compare_exchange_strong(nobody, speaker::handler) && nobody == speaker::another) broken_ = true;
    if (broken_) out_.clear();
    return !broken_;
  }
  /// Sends what there is, and waits until it has left.
  bool flush() noexcept {
    if (!close() || out_.empty()) return !broken_;
    std::size_t sent = 0;
    auto what = wire_.send_some(out_.data(), out_.size(), sent);
    if (what == os::transfer::timed_out) {
      wire_.hold();
      what = wire_.send(out_.data() + sent, out_.size() - sent, bounds_.write_time);
    }
    broken_ = what != os::transfer::done;
    if (!broken_) sent_ += out_.size();
    out_.clear();
    return !broken_;
  }

  // What cpp-httplib calls. Without `override`, because its versions differ in what they declare: this is the union.
  bool is_readable() const { return !refused_ && (at_ < canonical_.size() || !body_done()); }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return !broken_; }
  bool is_peer_alive() const { return !broken_; }
  time_t duration() const { return 0; }
  socket_t socket() const { return INVALID_SOCKET; }
  void get_remote_ip_and_port(std::string& ip, int& port) const { ip = wire_.peer().host, port = wire_.peer().port; }
  void get_local_ip_and_port(std::string& ip, int& port) const { ip = wire_.local().host, port = wire_.local().port; }

  ssize_t read(char* into, size_t room) {
    if (at_ < canonical_.size()) {
      const auto count = (std::min)(room, canonical_.size() - at_);
      std::memcpy(into, canonical_.data() + at_, count);
      at_ += count;
      return static_cast<ssize_t>(count);
    }
    if (refused_ || fault_ != 0) return -1;
    return framing_ == wire::framing::chunked || !decoded_.empty() ? read_chunked(into, room) : read_plain(into, room);
  }

  ssize_t write(const char* from, size_t count) {
    constexpr std::size_t most_kept = 16 * 1024 * 1024;
    if (broken_) return -1;
    out_.append(from, count);
    if ((unbuffered_ || out_.size() > most_kept) && !flush()) return -1;
    return static_cast<ssize_t>(count);
  }
  using httplib::Stream::write;

  // From 0.52 on the head is scanned in place, which halves the instructions of a small request.
  const char* buffered_data(size_t& size) const {
    size = canonical_.size() - at_;
    return size != 0 ? canonical_.data() + at_ : nullptr;  // a line reader takes anything else for a line begun
  }
  void consume_buffered(size_t size) { at_ += size; }

 private:
  ssize_t read_plain(char* into, size_t room) {
    if (left_ == 0) return 0;
    if (!fill()) return -1;
    const auto have = buffer_.rest();
    const auto count =
        (std::min)({room, have.size(), static_cast<std::size_t>((std::min)(left_, std::uint64_t{1} << 30))});
    std::memcpy(into, have.data(), count);
    buffer_.consume(count);
    took_ += count;
    left_ -= count;
    if (left_ == 0) framing_ = wire::framing::none;
    return static_cast<ssize_t>(count);
  }

  /// Bytes of a chunked body, decoded, behind what `into` holds. False: see body_fault.
  bool decode_chunks(std::string& into) {
    while (into.empty() && framing_ != wire::framing::none) {
      if (!fill()) return false;
      std::size_t consumed = 0;
      using wire::chunked_decoder;
      const auto step = decoder_.feed(buffer_.rest(), consumed, into);
      buffer_.consume(consumed);
      took_ += consumed;
      if (step == chunked_decoder::step::bad) return fail(400) >= 0;
      if (step == chunked_decoder::step::too_large) return fail(413) >= 0;
      if (step == chunked_decoder::step::done) framing_ = wire::framing::none;
    }
    return true;
  }

  /// Hands decoded chunks on in chunks of our own spelling, so that no parser behind us meets the client's.
  ssize_t read_chunked(char* into, size_t room) {
    while (decoded_at_ == decoded_.size()) {
      if (framing_ == wire::framing::none) return 0;
      std::string data;
      if (!decode_chunks(data)) return -1;
      decoded_.clear();
      decoded_at_ = 0;
      if (!data.empty()) {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", data.size());
        decoded_ = size + data + "\r\n";
      }
      if (framing_ == wire::framing::none) decoded_ += "0\r\n\r\n";
    }
    const auto count = (std::min)(room, decoded_.size() - decoded_at_);
    std::memcpy(into, decoded_.data() + decoded_at_, count);
    decoded_at_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t fail(int status) noexcept {
    fault_ = status;
    return -1;
  }

  /// At least one byte of the body in the buffer.
  bool fill() {
    if (!buffer_.rest().empty()) return true;
    if (std::exchange(wants_continue_, false)) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      wire_.send(go_on.data(), go_on.size(), bounds_.write_time);
    }
    // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
    const auto until = began_ + bounds_.time_for_body(took_);
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    char piece[16 * 1024];
    std::size_t got = 0;
    auto what = wire_.receive(piece, sizeof piece, got, std::chrono::milliseconds(0));
    if (what == os::transfer::timed_out && limit.count() > 0) {
      wire_.hold();
      what = wire_.receive(piece, sizeof piece, got, limit);
    }
    if (what == os::transfer::done) {
      buffer_.bytes.append(piece, got);
      return true;
    }
    fault_ = what == os::transfer::timed_out ? 408 : -1;
    return false;
  }

  enum class speaker { nobody, handler, another };

  transport& wire_;
  receive_buffer& buffer_;
  std::string& out_;
  wire::framing framing_;
  std::uint64_t left_;
  bool wants_continue_;
  std::string canonical_;
  std::size_t at_ = 0;
  const wire::limits& bounds_;
  wire::chunked_decoder decoder_;
  std::string decoded_;
  std::size_t decoded_at_ = 0;
  std::uint64_t took_ = 0;
  std::chrono::steady_clock::time_point began_;
  std::uint64_t sent_ = 0;
  int fault_ = 0;
  bool refused_ = false;
  bool unbuffered_ = false;
  bool broken_ = false;
  std::atomic<speaker> speaks_{speaker::nobody};
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
  response* done = nullptr;                      ///< what the handler has answered already, to be written
  const request* req = nullptr;                  ///< cpp-httplib's, while it is handled
  std::map<const void*, std::shared_ptr<void>> values;  ///< of winsvc::context, by type
  std::string path, method;  ///< of the request, while cpp-httplib routes it to POST /_ for its body
  bool closing = false;      ///< the connection ends with this answer
  bool closed = false;       ///< cpp-httplib wants it to
  bool ours = false;         ///< the answer is the handler's or our own, not cpp-httplib's
  int status = 0;            ///< what was answered
  std::string_view pattern;  ///< of the route, for the access log
  std::string client;        ///< the address that asked, where a trusted proxy named it
  std::atomic<std::size_t>* websockets = nullptr;  ///< open in this engine; null where there can be none
  /// Serves the connection once a 101 has left: the protocol has been switched. Throws what its handler throws.
  std::function<void(logger&)> upgraded;
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
