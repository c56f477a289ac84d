// The WebSocket protocol as values: is a request a handshake, what do the bytes behind it say, how is a frame spelled.
//
//   const auto asked = wire::check_handshake(head, {"chat.v2"}, {});        // 101, or the status that refuses it
//   wire::frame_decoder frames(1024 * 1024);
//   switch (frames.feed(buffer, used)) { case frame_decoder::event::message: handle(frames.data()); ... }
//   send(wire::frame(wire::opcode::text, "hello"));
//
// Strict, as the gate is: frames of clients are masked, control frames are short and whole, text is refused at the
// first byte that is no UTF-8, a message is measured before room is made for it. What is wrong has the close code to
// answer with. No extensions: a browser that offers compression is told of none.
// Source: RFC 6455.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Why a connection is closed (RFC 6455 section 7.4.1); an app's own are 4000 to 4999.
namespace close_code {
inline constexpr int normal = 1000, going_away = 1001, protocol_error = 1002, invalid_text = 1007, policy = 1008,
                     too_big = 1009, internal_error = 1011;
inline constexpr int none = 1005;  ///< what a Close without a code stands for; never sent
}  // namespace close_code
/// May an endpoint send it?
[[nodiscard]] constexpr bool is_close_code(int code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

enum class opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// A whole frame as a server sends it: final, not masked.
[[nodiscard]] std::string frame(opcode what, std::string_view payload);
/// What a Close frame carries: a control frame has room for 123 bytes of reason, which is cut at a character.
[[nodiscard]] std::string close_payload(int code, std::string_view reason);

/// UTF-8 that comes in pieces: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629).
class utf8_validator {
 public:
  /// False from the first byte on that no text can have there.
  bool consume(std::string_view bytes) noexcept;
  /// Does it end with a whole character?
  [[nodiscard]] bool is_complete() const noexcept { return missing_ == 0; }

 private:
  int missing_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< of the next byte, where one is missing
};
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

/// From a client's bytes to its messages and control frames.
class frame_decoder {
 public:
  explicit frame_decoder(std::size_t most_bytes) noexcept : max_message_bytes_(most_bytes) {}

  enum class event { more, message, ping, pong, close, protocol_error };
  /// Takes bytes until something is complete, or all of them. After `close` and `fail` nothing is taken any more.
  event feed(std::string_view bytes, std::size_t& consumed);

  /// Of `message`: taken out, so that the next one begins empty.
  [[nodiscard]] std::string move_message() noexcept { return std::exchange(message_, {}); }
  [[nodiscard]] bool is_binary() const noexcept { return binary_; }
  /// Of `ping` and `pong`; of `close` the reason.
  [[nodiscard]] const std::string& payload() const noexcept { return control_; }
  /// Of `close`: the peer's code, or close_code::none. Of `fail`: the code to close with.
  [[nodiscard]] int code() const noexcept { return code_; }
  /// Of `fail`: why.
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  /// Has a frame or message begun that is not complete?
  [[nodiscard]] bool pending() const noexcept { return header_size_ != 0 || in_message_; }
  /// Bytes of the message so far.
  [[nodiscard]] std::size_t received() const noexcept { return message_.size(); }

 private:
  [[nodiscard]] bool read_header(std::string_view& bytes);
  [[nodiscard]] event begin_frame();
  [[nodiscard]] event end_frame();
  [[nodiscard]] event end_close();
  event fail(int code, std::string_view reason) noexcept;

  std::size_t max_message_bytes_;
  unsigned char header_[14] = {};
  std::size_t header_size_ = 0;
  bool in_frame_ = false;  ///< the header is complete
  opcode opcode_ = opcode::text;
  bool final_ = false;
  std::uint64_t payload_bytes_left_ = 0;  ///< of the frame's payload
  std::size_t masked_ = 0;  ///< bytes of it that were unmasked
  bool in_message_ = false, binary_ = false;
  utf8_validator text_;
  std::string message_, control_;
  bool is_closed_ = false;
  int code_ = 0;
  std::string_view reason_;
};

/// What a request for a WebSocket gets (RFC 6455 section 4.2).
struct handshake {
  int status = 101;           ///< or 400, 403, 426
  std::string_view reason;    ///< of a refusal
  std::string_view key;       ///< 101: Sec-WebSocket-Key
  std::string_view protocol;  ///< 101: the subprotocol chosen, or ""
};

/// `protocols`: what the server speaks, the best first; the first that the client offers too is chosen, and none is no
/// reason to refuse. `origins`: pages of which other sites may connect; see origin_is_allowed.
[[nodiscard]] handshake check_handshake(const head& value, const std::vector<std::string>& protocols,
                                        const std::vector<std::string>& origins);

/// A browser sends Origin, lets any page connect anywhere, and adds the user's cookies: without this check a page of
/// another site would talk to the service as the user (RFC 6455 section 10.2). The service's own pages may, which are
/// those whose Origin names the host that was asked; the scheme is not compared, because a proxy may have ended TLS.
/// `origins`: others that may, `https://host[:port]` each, or "*".
[[nodiscard]] bool origin_is_allowed(std::string_view origin, std::string_view host,
                                     const std::vector<std::string>& origins) noexcept;

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE bool is_utf8(std::string_view bytes) noexcept {
  utf8_validator validator;
  return validator.consume(bytes) && validator.is_complete();
}

WINSVC_INLINE std::string frame(opcode what, std::string_view payload) {
  const std::uint64_t size = payload.size();
  std::string out;
  out.reserve(payload.size() + 10);
  out += static_cast<char>(0x80 | static_cast<unsigned char>(what));
  const int more = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  out += static_cast<char>(more == 0 ? size : more == 2 ? 126 : 127);
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i) & 0xFF);
  out += payload;
  return out;
}

WINSVC_INLINE std::string close_payload(int code, std::string_view reason) {
  constexpr std::size_t limit = 123;
  if (reason.size() > limit) {
    auto end = limit;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
    reason = reason.substr(0, end);
  }
  std::string out;
  out += static_cast<char>(code >> 8 & 0xFF);
  out += static_cast<char>(code & 0xFF);
  if (is_utf8(reason)) out += reason;
  return out;
}

WINSVC_INLINE bool utf8_validator::consume(std::string_view bytes) noexcept {
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    if (missing_ > 0) {
      if (b < low_ || b > high_) return false;
      --missing_;
      low_ = 0x80, high_ = 0xBF;
    } else if (b >= 0x80) {  // RFC 3629, section 4: the table of the second byte
      if (b < 0xC2 || b > 0xF4) return false;
      missing_ = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
      low_ = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
      high_ = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    }
  }
  return true;
}

WINSVC_INLINE frame_decoder::event frame_decoder::fail(int code, std::string_view reason) noexcept {
  is_closed_ = true;
  code_ = code;
  reason_ = reason;
  return event::protocol_error;
}

/// Collects the header: 2 bytes, 0, 2 or 8 of the length, 4 of the mask. True: it is complete. Without the mask bit two
/// bytes are enough to judge it.
WINSVC_INLINE bool frame_decoder::read_header(std::string_view& bytes) {
  const auto size = [this]() -> std::size_t {
    if (header_size_ < 2 || (header_[1] & 0x80) == 0) return 2;
    const unsigned length = header_[1] & 0x7F;
    return length == 126 ? 8 : length == 127 ? 14 : 6;
  };
  while (header_size_ < size()) {
    if (bytes.empty()) return false;
    header_[header_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
  }
  return true;
}

WINSVC_INLINE frame_decoder::event frame_decoder::begin_frame() {
  using close_code::protocol_error;
  final_ = (header_[0] & 0x80) != 0;
  opcode_ = static_cast<opcode>(header_[0] & 0x0F);
  if ((header_[0] & 0x70) != 0) return fail(protocol_error, "reserved bits");
  if ((header_[1] & 0x80) == 0) return fail(protocol_error, "frame without a mask");

  const unsigned length = header_[1] & 0x7F;
  const int more = length == 126 ? 2 : length == 127 ? 8 : 0;
  payload_bytes_left_ = more == 0 ? length : 0;
  for (int i = 0; i < more; ++i) payload_bytes_left_ = payload_bytes_left_ << 8 | header_[2 + i];
  if ((more == 2 && payload_bytes_left_ < 126) || (more == 8 && (payload_bytes_left_ <= 0xFFFF || payload_bytes_left_ >> 63 != 0)))
    return fail(protocol_error, "length in the wrong form");
  masked_ = 0;
  in_frame_ = true;

  switch (opcode_) {
    case opcode::close:
    case opcode::ping:
    case opcode::pong:
      control_.clear();
      if (!final_) return fail(protocol_error, "fragmented control frame");
      if (payload_bytes_left_ > 125) return fail(protocol_error, "control frame too long");
      return event::more;
    case opcode::continuation:
      if (!in_message_) return fail(protocol_error, "continuation of nothing");
      break;
    case opcode::text:
    case opcode::binary:
      if (in_message_) return fail(protocol_error, "message within a message");
      in_message_ = true;
      binary_ = opcode_ == opcode::binary;
      text_ = {};
      break;
    default: return fail(protocol_error, "unknown opcode");
  }
  if (payload_bytes_left_ > max_message_bytes_ - message_.size()) return fail(close_code::too_big, "message too large");
  return event::more;
}

WINSVC_INLINE frame_decoder::event frame_decoder::end_frame() {
  in_frame_ = false;
  header_size_ = 0;
  switch (opcode_) {
    case opcode::ping: return event::ping;
    case opcode::pong: return event::pong;
    case opcode::close: return end_close();
    default: break;
  }
  if (!final_) return event::more;
  if (!binary_ && !text_.is_complete()) return fail(close_code::invalid_text, "text that is not UTF-8");
  in_message_ = false;
  return event::message;
}

WINSVC_INLINE frame_decoder::event frame_decoder::end_close() {
  is_closed_ = true;
  code_ = close_code::none;
  if (control_.empty()) return event::close;
  if (control_.size() == 1) return fail(close_code::protocol_error, "close code of one byte");
  code_ = static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]);
  control_.erase(0, 2);
  if (!is_close_code(code_)) return fail(close_code::protocol_error, "close code out of range");
  if (!is_utf8(control_)) return fail(close_code::invalid_text, "close reason that is not UTF-8");
  return event::close;
}

WINSVC_INLINE frame_decoder::event frame_decoder::feed(std::string_view bytes, std::size_t& consumed) {
  const std::size_t all = bytes.size();
  auto what = is_closed_ ? event::protocol_error : event::more;
  while (what == event::more) {
    if (!in_frame_) {
      if (!read_header(bytes)) break;
      what = begin_frame();
      if (what != event::more) break;
    }
    const auto count = static_cast<std::size_t>(payload_bytes_left_ < bytes.size() ? payload_bytes_left_ : bytes.size());
    auto& output = static_cast<unsigned char>(opcode_) >= 8 ? control_ : message_;
    const std::size_t begin = output.size();
    output.append(bytes.data(), count);
    bytes.remove_prefix(count);
    const unsigned char* const mask = header_ + header_size_ - 4;
    for (std::size_t i = begin; i < output.size(); ++i)
      output[i] = static_cast<char>(static_cast<unsigned char>(output[i]) ^ mask[masked_++ % 4]);
    payload_bytes_left_ -= count;

    if (&output == &message_ && !binary_ && !text_.consume(std::string_view(message_).substr(begin)))
      what = fail(close_code::invalid_text, "text that is not UTF-8");
    else if (payload_bytes_left_ == 0)
      what = end_frame();
    else
      break;
  }
  consumed = all - bytes.size();
  return what;
}

/// Calls `f` for each element of a list field, all fields of the name together (RFC 9110 section 5.6.1).
template <class F>
void for_each_listed(const head& value, std::string_view name, F f) {
  for (const auto& field : value.fields) {
    if (!strings::equal_nocase(field.name, name)) continue;
    for (const auto chunk : strings::split(field.value, ',')) {
      if (const auto one = strings::trim(chunk); !one.empty()) f(one);
    }
  }
}

// -- the handshake --
WINSVC_INLINE std::size_t count_fields(const head& value, std::string_view name) noexcept {
  std::size_t count = 0;
  for (const auto& field : value.fields) count += strings::equal_nocase(field.name, name) ? 1 : 0;
  return count;
}

WINSVC_INLINE handshake check_handshake(const head& value, const std::vector<std::string>& protocols,
                                 const std::vector<std::string>& origins) {
  const auto refused = [](int status, std::string_view reason) {
    handshake h;
    h.status = status;
    h.reason = reason;
    return h;
  };
  bool requested = false;
  for_each_listed(value, "Upgrade", [&](std::string_view one) {
    requested = requested || strings::equal_nocase(one, "websocket");
  });
  if (!value.upgrade || !requested || value.method_id != route::method::get)
    return refused(426, "this is a WebSocket: ask with GET and Upgrade: websocket");
  if (count_fields(value, "Sec-WebSocket-Version") != 1 || value.find("Sec-WebSocket-Version") != "13")
    return refused(426, "version 13 of the WebSocket protocol is spoken here");

  handshake h;
  h.key = value.find("Sec-WebSocket-Key").value_or("");
  const auto nonce = h.key.size() == 24 ? strings::from_base64(h.key) : std::nullopt;
  if (count_fields(value, "Sec-WebSocket-Key") != 1 || !nonce || nonce->size() != 16)
    return refused(400, "Sec-WebSocket-Key is not 16 bytes in base64");

  if (const auto origin = value.find("Origin");
      count_fields(value, "Origin") > 1 || (origin && !origin_is_allowed(*origin, value.host, origins)))
    return refused(403, "pages of this origin may not connect");

  for (const auto& known : protocols) {
    for_each_listed(value, "Sec-WebSocket-Protocol", [&](std::string_view one) {
      if (h.protocol.empty() && one == known) h.protocol = one;
    });
  }
  return h;
}

WINSVC_INLINE bool origin_is_allowed(std::string_view origin, std::string_view host,
                              const std::vector<std::string>& origins) noexcept {
  for (const auto& one : origins) {
    if (one == "*" || strings::equal_nocase(one, origin)) return true;
  }
  const auto scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;  // "null", the origin of a page that hides its own
  const auto scheme = origin.substr(0, scheme_end);
  origin.remove_prefix(scheme_end + 3);
  const std::string_view usual = strings::equal_nocase(scheme, "https") ? ":443" : ":80";
  const auto bare = [usual](std::string_view authority) {
    const bool ends = authority.size() > usual.size() && authority.substr(authority.size() - usual.size()) == usual;
    return ends ? authority.substr(0, authority.size() - usual.size()) : authority;
  };
  return !host.empty() && strings::equal_nocase(bare(origin), bare(host));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
