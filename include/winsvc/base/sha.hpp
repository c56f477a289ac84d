// SHA-1, SHA-256 and HMAC-SHA-256. cpp-httplib has no public function for them without a TLS library.
//
//   hmac_sha256(key, "text")          // 32 bytes
//
// SHA-256 and HMAC sign cookies. SHA-1 is used only in the WebSocket handshake; RFC 6455 section 4.2.2 requires it.
// Source: FIPS 180-4 and RFC 2104; tested with their vectors and those of RFC 4231.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// The SHA-1 digest, 20 bytes.
[[nodiscard]] std::string sha1(std::string_view bytes);
/// The SHA-256 digest, 32 bytes.
[[nodiscard]] std::string sha256(std::string_view bytes);
/// The HMAC-SHA-256, 32 bytes (RFC 2104).
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Pads a message to a multiple of 64 bytes; its length is at the end (FIPS 180-4 section 5.1.1).
WINSVC_INLINE std::string sha_padded(std::string_view bytes) {
  std::string text(bytes);
  text += static_cast<char>(0x80);
  while (text.size() % 64 != 56) text += '\0';
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(bits >> shift & 0xFFu);
  return text;
}

/// Runs `block` on the padded message and returns the state as bytes, most significant first.
template <std::size_t Words>
std::string sha_digest(std::string_view bytes, std::array<std::uint32_t, Words> state,
                       void (*block)(std::array<std::uint32_t, Words>&, const unsigned char*) noexcept) {
  const std::string text = sha_padded(bytes);
  for (std::size_t position = 0; position < text.size(); position += 64)
    block(state, reinterpret_cast<const unsigned char*>(text.data()) + position);
  std::string out;
  for (const std::uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 0xFFu);
  }
  return out;
}

WINSVC_INLINE void sha1_block(std::array<std::uint32_t, 5>& state, const unsigned char* block) noexcept {
  const auto left = [](std::uint32_t v, unsigned n) { return v << n | v >> (32 - n); };
  std::uint32_t w[80];
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = static_cast<std::uint32_t>(block[4 * i]) << 24 | static_cast<std::uint32_t>(block[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
  }
  for (std::size_t i = 16; i < 80; ++i) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);

  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    const std::uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                                : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                                : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                         : (b ^ c ^ d) + 0xCA62C1D6;
    const std::uint32_t next = left(a, 5) + mixed + e + w[i];
    e = d;
    d = c;
    c = left(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

WINSVC_INLINE void sha256_block(std::array<std::uint32_t, 8>& state, const unsigned char* block) noexcept {
  // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  static constexpr std::uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  const auto right = [](std::uint32_t v, unsigned n) { return v >> n | v << (32 - n); };
  std::uint32_t w[64];
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = static_cast<std::uint32_t>(block[4 * i]) << 24 | static_cast<std::uint32_t>(block[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
  }
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3;
    const std::uint32_t s1 = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t t1 = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const std::uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::uint32_t added[8] = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += added[i];
}

WINSVC_INLINE std::string sha1(std::string_view bytes) {
  return sha_digest<5>(bytes, {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}, &sha1_block);
}

WINSVC_INLINE std::string sha256(std::string_view bytes) {
  return sha_digest<8>(bytes,
                       {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
                       &sha256_block);
}

WINSVC_INLINE std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string padded = key.size() > 64 ? sha256(key) : std::string(key);
  padded.resize(64, '\0');
  std::string inner, outer;
  for (const char c : padded) {
    inner += static_cast<char>(c ^ 0x36);
    outer += static_cast<char>(c ^ 0x5c);
  }
  return sha256(outer + sha256(inner + std::string(bytes)));
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
