// Representation of content in a response: media type by file name extension, byte ranges, types worth compressing.
//
//   media_type("index.html")                              // "text/html; charset=utf-8"
//   parse_byte_ranges("bytes=0-4,-1")                     // {0, 4}, {-1, 1}
//   satisfiable_ranges<std::int64_t>({{5, -1}}, 10)       // {5, 9}
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Returns the media type of a file; "application/octet-stream" if the extension is unknown.
[[nodiscard]] std::string_view media_type(std::string_view file_name);

/// True for media types whose content becomes clearly smaller when it is compressed: text, JSON, XML and similar types.
/// False for text/event-stream, whose events must not be delayed.
[[nodiscard]] bool is_compressible_type(std::string_view content_type);

/// First and last byte of each range, counted from 0; -1 if omitted (`bytes=5-`: 5, -1; `bytes=-5`: -1, 5).
template <class Number>
using byte_ranges = std::vector<std::pair<Number, Number>>;

/// True if a Range field counts bytes. The name of a range unit is case-insensitive (RFC 9110 section 14.1).
[[nodiscard]] bool counts_bytes(std::string_view range_field) noexcept;
/// Parses a Range field (RFC 9110 section 14.1.2); nullopt if it is not a valid list of byte ranges.
[[nodiscard]] std::optional<byte_ranges<std::int64_t>> parse_byte_ranges(std::string_view range_field);

/// Returns the ranges that overlap a file of this size, limited to the file, with both ends (RFC 9110 section 14.1.2).
/// If the result is empty, the response is 416.
template <class Number>
[[nodiscard]] byte_ranges<Number> satisfiable_ranges(const byte_ranges<Number>& ranges, Number size);

// ---------------------------------------------------------------------------------------------------------------------

template <class Number>
byte_ranges<Number> satisfiable_ranges(const byte_ranges<Number>& ranges, Number size) {
  byte_ranges<Number> out;
  for (auto [first, last] : ranges) {
    if (first < 0) {  // the last `last` bytes
      if (last <= 0) continue;
      first = last < size ? size - last : 0;
      last = size - 1;
    }
    if (last < 0 || last >= size) last = size - 1;
    if (first <= last) out.emplace_back(first, last);
  }
  return out;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::string_view media_type(std::string_view file_name) {
  struct row {
    std::string_view extension, type;
  };
  constexpr row rows[] = {
      {"html", "text/html; charset=utf-8"},        {"htm", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},          {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},   {"json", "application/json"},
      {"map", "application/json"},                 {"webmanifest", "application/manifest+json"},
      {"txt", "text/plain; charset=utf-8"},        {"log", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},      {"csv", "text/csv; charset=utf-8"},
      {"xml", "application/xml"},                  {"svg", "image/svg+xml"},
      {"png", "image/png"},                        {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},                      {"gif", "image/gif"},
      {"webp", "image/webp"},                      {"avif", "image/avif"},
      {"bmp", "image/bmp"},                        {"ico", "image/vnd.microsoft.icon"},
      {"woff", "font/woff"},                       {"woff2", "font/woff2"},
      {"ttf", "font/ttf"},                         {"otf", "font/otf"},
      {"mp3", "audio/mpeg"},                       {"ogg", "audio/ogg"},
      {"wav", "audio/wav"},                        {"mp4", "video/mp4"},
      {"webm", "video/webm"},                      {"pdf", "application/pdf"},
      {"zip", "application/zip"},                  {"gz", "application/gzip"},
      {"tar", "application/x-tar"},                {"wasm", "application/wasm"},
      {"rtf", "application/rtf"},                  {"epub", "application/epub+zip"},
  };
  const auto dot = file_name.rfind('.');
  if (dot != file_name.npos) {
    const std::string extension = base::to_lower(file_name.substr(dot + 1));
    for (const auto& r : rows) {
      if (r.extension == extension) return r.type;
    }
  }
  return "application/octet-stream";
}

WINSVC_INLINE bool is_compressible_type(std::string_view content_type) {
  const std::string type = base::to_lower(base::trim(content_type.substr(0, content_type.find(';'))));
  if (base::starts_with(type, "text/")) return type != "text/event-stream";
  const auto suffix = type.rfind('+');
  if (suffix != type.npos && (type.substr(suffix) == "+json" || type.substr(suffix) == "+xml")) return true;
  for (const char* known : {"application/json", "application/javascript", "application/xml", "application/x-ndjson",
                            "application/rtf", "application/wasm", "image/bmp", "image/vnd.microsoft.icon"}) {
    if (type == known) return true;
  }
  return false;
}

WINSVC_INLINE bool counts_bytes(std::string_view range_field) noexcept {
  return base::equal_nocase(range_field.substr(0, 6), "bytes=");
}

WINSVC_INLINE std::optional<byte_ranges<std::int64_t>> parse_byte_ranges(std::string_view range_field) {
  if (!counts_bytes(range_field)) return std::nullopt;
  byte_ranges<std::int64_t> ranges;
  for (const auto part : base::split(range_field.substr(6), ',')) {
    const auto text = base::trim(part);
    if (text.empty()) continue;  // an empty element of a list (RFC 9110 section 5.6.1.2)
    const auto dash = text.find('-');
    if (dash == text.npos) return std::nullopt;
    const auto number = [](std::string_view digits, std::int64_t& value) {
      std::uint64_t parsed = 0;
      if (digits.empty()) return true;  // the value stays -1
      if (!std::all_of(digits.begin(), digits.end(), base::is_digit)) return false;
      if (!base::parse_number(digits, INT64_MAX, parsed)) parsed = INT64_MAX;  // after the end of any content
      value = static_cast<std::int64_t>(parsed);
      return true;
    };
    std::int64_t first = -1, last = -1;
    if (!number(text.substr(0, dash), first) || !number(text.substr(dash + 1), last)) return std::nullopt;
    if ((first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first)) return std::nullopt;
    ranges.emplace_back(first, last);
  }
  return ranges.empty() ? std::nullopt : std::optional(std::move(ranges));
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
