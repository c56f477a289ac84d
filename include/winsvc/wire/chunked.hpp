// Strict, incremental decoder for chunked bodies (Transfer-Encoding: chunked, RFC 9112 section 7.1). It rejects input
// that two parsers could interpret differently.
//
//   chunked_decoder decoder(limits, limits.body_bytes);
//   std::size_t consumed = 0;
//   switch (decoder.feed(received, consumed, body)) {...}   // done: the next request starts after `consumed`
//
// A size consists of hex digits only; a line ends with CRLF only. Extensions and the trailer section are checked,
// counted and discarded: a trailer must not change a request that is already being handled (RFC 9112 section 7.1.2).
// The decoder does not copy or keep its input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

class chunked_decoder {
 public:
  /// more: needs more input; done: the last empty line was read; bad: 400; too_large: 413. The last three are final.
  enum class step { more, done, bad, too_large };

  /// `max_body_bytes`: maximum size of the decoded body.
  chunked_decoder(const limits& limits, std::uint64_t max_body_bytes) noexcept
      : limits_(limits), body_bytes_left_(max_body_bytes) {}

  /// Decodes `input`, appends the data to `output` and sets `consumed` to the number of bytes read, which are all bytes
  /// if the result is `more`. A chunk that exceeds the limit is rejected at its size line, before its data arrives.
  [[nodiscard]] step feed(std::string_view input, std::size_t& consumed, std::string& output);

 private:
  enum class state {
    size,           // the first hex digit of a size
    size_more,      // further hex digits, then CR, ';' or a blank
    // An extension (RFC 9112 section 7.1.1): *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
    blank,            // BWS before ';'
    extension_name,   // BWS after ';', then the first byte of a name
    extension_more,   // further bytes of a name
    after_name,       // BWS after a name: '=', ';' or CR follows
    extension_value,  // BWS after '=', then the first byte of a value
    value_token,      // further bytes of a token
    value_quoted,     // in a quoted string
    value_escape,     // after a backslash in a quoted string
    after_value,      // after a quoted string or BWS after a value: ';' or CR follows
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,        // the first byte of a trailer line, or the CR of the last empty line
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
  };

  [[nodiscard]] step consume_byte(char c) noexcept;
  [[nodiscard]] step size_digit(char c) noexcept;
  [[nodiscard]] step extension_byte(char c) noexcept;
  [[nodiscard]] step trailer_byte(bool allowed, state next) noexcept;
  [[nodiscard]] step set_state(state next) noexcept {
    state_ = next;
    return step::more;
  }
  [[nodiscard]] step expect(bool matches, state next) noexcept { return matches ? set_state(next) : step::bad; }

  limits limits_;
  std::uint64_t body_bytes_left_;        // until the limit of the body
  std::uint64_t chunk_bytes_left_ = 0;   // while the size is read: the size so far
  std::size_t digit_count_ = 0;
  std::size_t extension_bytes_ = 0;      // of all extensions so far
  std::size_t trailer_bytes_ = 0;        // of the trailer section so far
  bool blank_pending_ = false;           // the last byte of an extension was whitespace
  state state_ = state::size;
  step result_ = step::more;
};

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE chunked_decoder::step chunked_decoder::feed(std::string_view input, std::size_t& consumed,
                                                          std::string& output) {
  consumed = 0;
  while (result_ == step::more && consumed < input.size()) {
    if (state_ == state::data) {
      const std::uint64_t available = input.size() - consumed;
      const auto count = static_cast<std::size_t>((std::min)(chunk_bytes_left_, available));
      output.append(input.substr(consumed, count));
      consumed += count;
      chunk_bytes_left_ -= count;
      if (chunk_bytes_left_ == 0) state_ = state::data_cr;
    } else {
      result_ = consume_byte(input[consumed++]);
    }
  }
  return result_;
}

/// Handles a byte that is not chunk data.
WINSVC_INLINE chunked_decoder::step chunked_decoder::consume_byte(char c) noexcept {
  switch (state_) {
    case state::size: chunk_bytes_left_ = 0; digit_count_ = 0; return size_digit(c);
    case state::size_more:
      if (c == '\r') return set_state(state::size_lf);
      if (c == ';' || c == ' ' || c == '\t') return extension_byte(c);
      return size_digit(c);
    case state::blank:
    case state::extension_name:
    case state::extension_more:
    case state::after_name:
    case state::extension_value:
    case state::value_token:
    case state::value_quoted:
    case state::value_escape:
    case state::after_value: return extension_byte(c);
    case state::size_lf:
      if (c != '\n') return step::bad;
      if (chunk_bytes_left_ == 0) return set_state(state::trailer);
      if (chunk_bytes_left_ > body_bytes_left_) return step::too_large;
      body_bytes_left_ -= chunk_bytes_left_;
      return set_state(state::data);
    case state::data: break;  // handled in feed()
    case state::data_cr: return expect(c == '\r', state::data_lf);
    case state::data_lf: return expect(c == '\n', state::size);
    case state::trailer:
      if (c == '\r') return set_state(state::last_lf);
      return trailer_byte(is_token_char(c), state::trailer_name);  // a blank would start a folded line
    case state::trailer_name:
      if (c == ':') return trailer_byte(true, state::trailer_value);
      return trailer_byte(is_token_char(c), state::trailer_name);
    case state::trailer_value:
      if (c == '\r') return set_state(state::trailer_lf);
      return trailer_byte(!is_control(c), state::trailer_value);
    case state::trailer_lf: return expect(c == '\n', state::trailer);
    case state::last_lf: return c == '\n' ? step::done : step::bad;
  }
  return step::bad;
}

/// Rejects signs, "0x", blanks and excess digits: each has been used for request smuggling.
WINSVC_INLINE chunked_decoder::step chunked_decoder::size_digit(char c) noexcept {
  const int value = route::hex_value(c);
  if (value < 0 || ++digit_count_ > (std::min)(limits_.chunk_digits, std::size_t{15})) return step::bad;
  chunk_bytes_left_ = chunk_bytes_left_ * 16 + static_cast<std::uint64_t>(value);
  return set_state(state::size_more);
}

WINSVC_INLINE chunked_decoder::step chunked_decoder::extension_byte(char c) noexcept {
  const bool blank = c == ' ' || c == '\t';
  if (c == '\r') {  // the line may end after a complete extension, but not after a ';', a '=' or trailing whitespace
    const bool complete = state_ == state::size_more || state_ == state::extension_more ||
                          state_ == state::value_token || state_ == state::after_value;
    return expect(complete && !blank_pending_, state::size_lf);
  }
  if (is_control(c) || ++extension_bytes_ > limits_.chunk_extension_bytes) return step::bad;
  if (state_ != state::value_quoted && state_ != state::value_escape) blank_pending_ = blank;
  switch (state_) {
    case state::size_more:
    case state::blank:
      if (c == ';') return set_state(state::extension_name);
      return expect(blank, state::blank);
    case state::extension_name:
      if (blank) return step::more;
      return expect(is_token_char(c), state::extension_more);
    case state::extension_more:
    case state::after_name:
      if (c == ';') return set_state(state::extension_name);
      if (c == '=') return set_state(state::extension_value);
      if (blank) return set_state(state::after_name);
      return expect(state_ == state::extension_more && is_token_char(c), state::extension_more);
    case state::extension_value:
      if (blank) return step::more;
      if (c == '"') return set_state(state::value_quoted);
      return expect(is_token_char(c), state::value_token);
    case state::value_token:
      if (blank) return set_state(state::after_value);
      if (c == ';') return set_state(state::extension_name);
      return expect(is_token_char(c), state::value_token);
    case state::value_quoted:
      if (c == '\\') return set_state(state::value_escape);
      return c == '"' ? set_state(state::after_value) : step::more;
    case state::value_escape: return set_state(state::value_quoted);
    case state::after_value:
      if (blank) return step::more;
      return expect(c == ';', state::extension_name);
    default: return step::bad;
  }
}

WINSVC_INLINE chunked_decoder::step chunked_decoder::trailer_byte(bool allowed, state next) noexcept {
  return expect(allowed && ++trailer_bytes_ <= limits_.trailer_bytes, next);
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
