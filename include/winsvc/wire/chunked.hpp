// Decodes a chunked body (RFC 9112 section 7.1) as it arrives, strictly: what two parsers could read in two ways ends
// it.
//
//   chunked_decoder decoder(bounds, bounds.body_bytes);
//   std::size_t consumed = 0;
//   switch (decoder.feed(received, consumed, body)) {...}   // more; done: behind `consumed` is the next request
//
// Sizes are hex digits and nothing else, line ends are CRLF and nothing else. Extensions and the trailer section are
// checked, counted and dropped: nothing in a trailer may change a request that is already being handled (RFC 9112
// section 7.1.2). It keeps no copy of what it was given.
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
namespace wire {

class chunked_decoder {
 public:
  /// more: feed on; done: the last empty line was read; bad: 400; too_large: 413. The last three are final.
  enum class step { more, done, bad, too_large };

  /// `body_bytes`: the most that the whole decoded body may be.
  chunked_decoder(const limits& bounds, std::uint64_t body_bytes) noexcept : limits_(bounds), chunk_bytes_left_(body_bytes) {}

  /// Decodes from the front of `in` onto the end of `out`, and sets `consumed` to the bytes it took: all of them while
  /// it says more. A size that would exceed the limit is refused when it is announced, before its data arrives.
  [[nodiscard]] step feed(std::string_view in, std::size_t& consumed, std::string& out);

 private:
  enum class state {
    size,           // the first hex digit of a size
    size_more,      // the others, then CR, ';' or a blank
    blank,          // bad whitespace before ';', to be accepted (RFC 9112 section 7.1.1)
    extension,      // up to CR
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,        // the first byte of a trailer line, or the CR of the last empty one
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
  [[nodiscard]] step expect(bool is, state next) noexcept { return is ? set_state(next) : step::bad; }

  limits limits_;
  std::uint64_t chunk_bytes_left_;          // of the whole body
  std::uint64_t chunk_ = 0;     // its size while that is read; then what is still to come of it
  std::size_t digits_ = 0;
  std::size_t extensions_ = 0;  // bytes of all extensions so far
  std::size_t trailers_ = 0;    // bytes of the trailer section so far
  state state_ = state::size;
  step result_ = step::more;
};

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE chunked_decoder::step chunked_decoder::feed(std::string_view in, std::size_t& consumed, std::string& out) {
  consumed = 0;
  while (result_ == step::more && consumed < in.size()) {
    if (state_ == state::data) {
      const auto here = static_cast<std::size_t>((std::min)(chunk_, std::uint64_t{in.size() - consumed}));
      out.append(in.substr(consumed, here));
      consumed += here;
      chunk_ -= here;
      if (chunk_ == 0) state_ = state::data_cr;
    } else {
      result_ = consume_byte(in[consumed++]);
    }
  }
  return result_;
}

/// One byte that is not data.
WINSVC_INLINE chunked_decoder::step chunked_decoder::consume_byte(char c) noexcept {
  switch (state_) {
    case state::size: chunk_ = 0; digits_ = 0; return size_digit(c);
    case state::size_more:
      if (c == '\r') return set_state(state::size_lf);
      if (c == ';' || c == ' ' || c == '\t') return extension_byte(c);
      return size_digit(c);
    case state::blank:
    case state::extension: return extension_byte(c);
    case state::size_lf:
      if (c != '\n') return step::bad;
      if (chunk_ == 0) return set_state(state::trailer);
      if (chunk_ > chunk_bytes_left_) return step::too_large;
      chunk_bytes_left_ -= chunk_;
      return set_state(state::data);
    case state::data: break;  // feed takes it whole
    case state::data_cr: return expect(c == '\r', state::data_lf);
    case state::data_lf: return expect(c == '\n', state::size);
    case state::trailer:
      if (c == '\r') return set_state(state::last_lf);
      return trailer_byte(is_token_char(c), state::trailer_name);  // a blank here would be a folded line
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

/// No sign, no "0x", no blank, no more digits than fit: each of them has been a way to smuggle a request.
WINSVC_INLINE chunked_decoder::step chunked_decoder::size_digit(char c) noexcept {
  const int value = route::hex_value(c);
  if (value < 0 || ++digits_ > (std::min)(limits_.chunk_digits, std::size_t{15})) return step::bad;
  chunk_ = chunk_ * 16 + static_cast<std::uint64_t>(value);
  return set_state(state::size_more);
}

WINSVC_INLINE chunked_decoder::step chunked_decoder::extension_byte(char c) noexcept {
  if (state_ == state::extension && c == '\r') return set_state(state::size_lf);
  if (is_control(c) || ++extensions_ > limits_.chunk_extension_bytes) return step::bad;
  if (state_ == state::extension || c == ';') return set_state(state::extension);
  return expect(c == ' ' || c == '\t', state::blank);
}

WINSVC_INLINE chunked_decoder::step chunked_decoder::trailer_byte(bool allowed, state next) noexcept {
  return expect(allowed && ++trailers_ <= limits_.trailer_bytes, next);
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
