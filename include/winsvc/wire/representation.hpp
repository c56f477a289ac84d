// Representation of a file in a response: media type by file name extension, Accept-Encoding, byte ranges.
//
//   media_type("index.html")                              // "text/html; charset=utf-8"
//   accepts_coding("gzip, br;q=0", "gzip")                // true
//   satisfiable_ranges<std::int64_t>({{5, -1}}, 10)       // {5, 9}
#pragma once

#include <cstddef>
#include <cstdint>
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

/// True if an Accept-Encoding field accepts `coding` (RFC 9110 section 12.5.3): it lists the coding or `*`, and the
/// weight is not 0.
[[nodiscard]] bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

/// First and last byte of each range, counted from 0; -1 if omitted (`bytes=5-`: 5, -1; `bytes=-5`: -1, 5).
template <class Number>
using byte_ranges = std::vector<std::pair<Number, Number>>;

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

WINSVC_INLINE bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  bool wildcard_accepted = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const auto element = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == accept_encoding.npos ? accept_encoding.size() : comma + 1);

    const auto semicolon = element.find(';');
    const auto name = base::trim(element.substr(0, semicolon));
    bool accepted = true;
    if (semicolon != element.npos) {
      const auto weight = base::trim(element.substr(semicolon + 1));
      accepted = weight.substr(0, 2) != "q=" || weight.find_first_of("123456789") != weight.npos;
    }
    if (base::equal_nocase(name, coding)) return accepted;
    if (name == "*") wildcard_accepted = accepted;
  }
  return wildcard_accepted;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
