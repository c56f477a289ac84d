// Which form of a file a client gets: its media type, by the ending of its name; compressed, if it accepts that; the
// parts of it that it asked for.
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
namespace wire {

/// "text/html; charset=utf-8" for "index.html"; "application/octet-stream" for an ending that is not known.
[[nodiscard]] std::string_view media_type(std::string_view file_name);

/// Does this Accept-Encoding take the coding? (RFC 9110, section 12.5.3) What it does not name and has no `*` for it
/// does not, and neither does one with a weight of 0.
[[nodiscard]] bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

/// First and last byte each, counted from 0; -1 for what was not said (`bytes=5-`: 5, -1; `bytes=-5`: -1, 5).
template <class Number>
using byte_ranges = std::vector<std::pair<Number, Number>>;

/// Those that lie in a file of this size, cut to it, with both ends (RFC 9110, section 14.1.2): none where no byte of
/// them does, and the answer is 416.
template <class Number>
[[nodiscard]] byte_ranges<Number> satisfiable_ranges(const byte_ranges<Number>& ranges, Number size);

// ---------------------------------------------------------------------------------------------------------------------

template <class Number>
byte_ranges<Number> satisfiable_ranges(const byte_ranges<Number>& ranges, Number size) {
  byte_ranges<Number> out;
  for (auto [first, last] : ranges) {
    if (first < 0) {  // so many from the end
      if (last <= 0) continue;
      first = last < size ? size - last : 0;
      last = size - 1;
    }
    if (last < 0 || last >= size) last = size - 1;
    if (first <= last) out.emplace_back(first, last);
  }
  return out;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

WINSVC_INLINE std::string_view media_type(std::string_view file_name) {
  struct row {
    std::string_view ending, type;
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
    const std::string ending = strings::to_lower(file_name.substr(dot + 1));
    for (const auto& r : rows) {
      if (r.ending == ending) return r.type;
    }
  }
  return "application/octet-stream";
}

WINSVC_INLINE bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const auto element = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == accept_encoding.npos ? accept_encoding.size() : comma + 1);

    const auto semicolon = element.find(';');
    const auto name = strings::trim(element.substr(0, semicolon));
    bool taken = true;
    if (semicolon != element.npos) {
      const auto weight = strings::trim(element.substr(semicolon + 1));
      taken = weight.substr(0, 2) != "q=" || weight.find_first_of("123456789") != weight.npos;
    }
    if (strings::equal_nocase(name, coding)) return taken;
    if (name == "*") any = taken;
  }
  return any;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
