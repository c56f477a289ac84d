// WebSocket frames (RFC 6455 section 5): decoder for the frames of a client, encoder for those of the server.
//
//   wire::frame_decoder frames(1024 * 1024);
//   switch (frames.feed(buffer, used)) { case frame_decoder::event::message: handle(frames.move_message()); ... }
//   send(wire::frame(wire::opcode::text, "hello"));
//
// The decoder is strict: frames of clients must be masked, control frames must be short and not fragmented, text is
// rejected at the first byte that is not UTF-8, and the size of a message is checked before memory is allocated. Each
// error has a close code. Extensions such as compression are not supported. It does no I/O and does not check the
// handshake (wire/websocket_handshake.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Close codes (RFC 6455 section 7.4.1). 4000 to 4999 are for the app.
namespace close_code {
inline constexpr int normal = 1000, going_away = 1001, protocol_error = 1002, invalid_text = 1007, policy = 1008,
                     too_big = 1009, internal_error = 1011;
inline constexpr int none = 1005;  ///< reported for a Close frame without a code; never sent
}  // namespace close_code
/// True if an endpoint may send this code.
[[nodiscard]] constexpr bool is_close_code(int code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

enum class opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Encodes a frame of a server: final, not masked.
[[nodiscard]] std::string frame(opcode opcode, std::string_view payload);
/// Returns the payload of a Close frame. The reason is truncated at a character boundary to 123 bytes, the limit of a
/// control frame.
[[nodiscard]] std::string close_payload(int code, std::string_view reason);

/// Incremental UTF-8 check: rejects overlong forms, surrogates and code points above U+10FFFF (RFC 3629).
class utf8_validator {
 public:
  /// False at the first invalid byte.
  bool consume(std::string_view bytes) noexcept;
  /// True if the text does not end within a character.
  [[nodiscard]] bool is_complete() const noexcept { return missing_ == 0; }

 private:
  int missing_ = 0;                         ///< bytes of the character that are still missing
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< valid range of the next missing byte
};
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

/// Decodes the frames of a client to messages and control frames.
class frame_decoder {
 public:
  explicit frame_decoder(std::size_t max_message_bytes) noexcept : max_message_bytes_(max_message_bytes) {}

  enum class event { more, message, ping, pong, close, protocol_error };
  /// Reads bytes up to the end of the next message or control frame. After `close` and `protocol_error` it reads
  /// nothing.
  event feed(std::string_view bytes, std::size_t& consumed);

  /// After `message`: returns the message and empties the buffer for the next message.
  [[nodiscard]] std::string move_message() noexcept { return std::exchange(message_, {}); }
  [[nodiscard]] bool is_binary() const noexcept { return binary_; }
  /// After `ping` and `pong`: the payload. After `close`: the reason.
  [[nodiscard]] const std::string& payload() const noexcept { return control_; }
  /// After `close`: the peer's code, or close_code::none. After `protocol_error`: the close code to send.
  [[nodiscard]] int code() const noexcept { return code_; }
  /// After `protocol_error`: the reason.
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  /// True if a frame or message is incomplete.
  [[nodiscard]] bool pending() const noexcept { return header_size_ != 0 || in_message_; }
  /// Bytes received of the current message.
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
  std::uint64_t payload_bytes_left_ = 0;
  std::size_t unmasked_bytes_ = 0;  ///< of the payload
  bool in_message_ = false, binary_ = false;
  utf8_validator text_;
  std::string message_, control_;
  bool is_closed_ = false;
  int code_ = 0;
  std::string_view reason_;
};

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE bool is_utf8(std::string_view bytes) noexcept {
  utf8_validator validator;
  return validator.consume(bytes) && validator.is_complete();
}

WINSVC_INLINE std::string frame(opcode opcode, std::string_view payload) {
  const std::uint64_t size = payload.size();
  std::string out;
  out.reserve(payload.size() + 10);
  out += static_cast<char>(0x80 | static_cast<unsigned char>(opcode));
  const int length_bytes = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  out += static_cast<char>(length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127);
  for (int i = length_bytes - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i) & 0xFF);
  out += payload;
  return out;
}

WINSVC_INLINE std::string close_payload(int code, std::string_view reason) {
  constexpr std::size_t max_reason_bytes = 123;
  if (reason.size() > max_reason_bytes) {
    auto end = max_reason_bytes;
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
      low_ = 0x80;
      high_ = 0xBF;
    } else if (b >= 0x80) {  // RFC 3629 section 4: valid ranges of the second byte
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

/// Reads the header: 2 bytes, an extended length of 0, 2 or 8 bytes, and a mask of 4 bytes. Returns true when it is
/// complete. Without the mask bit, 2 bytes are sufficient, because the frame is then rejected.
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
  if ((header_[0] & 0x70) != 0) return fail(wire::close_code::protocol_error, "reserved bits");
  if ((header_[1] & 0x80) == 0) return fail(wire::close_code::protocol_error, "frame without a mask");

  const unsigned length = header_[1] & 0x7F;
  const int length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
  std::uint64_t size = length_bytes == 0 ? length : 0;
  for (int i = 0; i < length_bytes; ++i) size = size << 8 | header_[2 + i];
  if ((length_bytes == 2 && size < 126) || (length_bytes == 8 && (size <= 0xFFFF || size >> 63 != 0)))
    return fail(wire::close_code::protocol_error, "invalid or overlong payload length");
  payload_bytes_left_ = size;
  unmasked_bytes_ = 0;
  in_frame_ = true;

  switch (opcode_) {
    case opcode::close:
    case opcode::ping:
    case opcode::pong:
      control_.clear();
      if (!final_) return fail(wire::close_code::protocol_error, "fragmented control frame");
      if (payload_bytes_left_ > 125) return fail(wire::close_code::protocol_error, "control frame too long");
      return event::more;
    case opcode::continuation:
      if (!in_message_) return fail(wire::close_code::protocol_error, "continuation frame without a message");
      break;
    case opcode::text:
    case opcode::binary:
      if (in_message_)
        return fail(wire::close_code::protocol_error, "new message before the end of the previous message");
      in_message_ = true;
      binary_ = opcode_ == opcode::binary;
      text_ = {};
      break;
    default: return fail(wire::close_code::protocol_error, "unknown opcode");
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
  const std::size_t size = bytes.size();
  auto result = is_closed_ ? event::protocol_error : event::more;
  while (result == event::more) {
    if (!in_frame_) {
      if (!read_header(bytes)) break;
      result = begin_frame();
      if (result != event::more) break;
    }
    const bool has_all = payload_bytes_left_ <= bytes.size();
    const auto count = has_all ? static_cast<std::size_t>(payload_bytes_left_) : bytes.size();
    auto& output = static_cast<unsigned char>(opcode_) >= 8 ? control_ : message_;
    const std::size_t begin = output.size();
    output.append(bytes.data(), count);
    bytes.remove_prefix(count);
    const unsigned char* const mask = header_ + header_size_ - 4;
    for (std::size_t i = begin; i < output.size(); ++i)
      output[i] = static_cast<char>(static_cast<unsigned char>(output[i]) ^ mask[unmasked_bytes_++ % 4]);
    payload_bytes_left_ -= count;

    if (&output == &message_ && !binary_ && !text_.consume(std::string_view(message_).substr(begin)))
      result = fail(close_code::invalid_text, "text that is not UTF-8");
    else if (payload_bytes_left_ == 0)
      result = end_frame();
    else
      break;
  }
  consumed = size - bytes.size();
  return result;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
