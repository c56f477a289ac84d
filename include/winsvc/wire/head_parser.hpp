// Head parser: strict parser of HTTP/1.1 request heads (RFC 9112). No other parser reads the head of a client.
//
//   std::size_t scanned = 0;
//   auto result = parse_head(buffer, limits, &scanned);    // call again with more bytes while result.kind is more
//   if (result.kind == head_parse_result::reject) respond_and_close(result.status, result.rejection_text());
//   if (result.kind == head_parse_result::complete) process(result.value);
//
// Malformed and ambiguous heads are rejected at the first byte that proves the error, with the status of the response;
// the caller then closes the connection. The result does not depend on how the bytes were split into packets. A typical
// browser head needs one allocation, for its fields.
//
// This file finds the lines and the end of the head; wire/head_lines.hpp has the rules for each line. The parser does
// not read bodies (wire/chunked.hpp) and does not decode the path (route/path.hpp). It does not check
// `limits::body_bytes` either: a 404 or 401 has precedence over the 413, so the caller checks the length later.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/head_lines.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// The result of parse_head, without the head.
struct head_parse_status {
  enum status_kind { more, complete, reject };
  status_kind kind = more;
  std::size_t consumed = 0;  ///< complete: bytes of the head, including empty lines before it
  int status = 0;            ///< reject: status code of the response
  std::string_view reason;   ///< reject: message for the log and the response
  std::string_view field;    ///< reject: name of the header, part of the buffer; empty: `reason` names it, or none

  /// The reason with the name of the header: "blank before the colon in the header 'X-A'". Characters that a name
  /// cannot have are replaced by '?'.
  [[nodiscard]] std::string rejection_text() const;
};

/// The result of parse_head with the head.
struct head_parse_result : head_parse_status {
  head value;  ///< complete; otherwise empty
};

/// Parses the buffer from its first byte. `scanned` is the number of bytes that were already checked, so that they are
/// not checked again: the caller sets it to 0 for a new head and keeps it while the buffer grows. `output` becomes the
/// head, or empty; the memory of its fields is used again.
[[nodiscard]] head_parse_status parse_head(std::string_view buffer, const limits& limits, std::size_t* scanned,
                                           head& output);
[[nodiscard]] head_parse_result parse_head(std::string_view buffer, const limits& limits,
                                           std::size_t* scanned = nullptr);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

WINSVC_INLINE std::string head_parse_status::rejection_text() const {
  std::string text(reason);
  if (field.empty()) return text;
  constexpr std::size_t max_name_bytes = 60;
  text += " in the header '";
  for (const char c : base::trim(field.substr(0, max_name_bytes))) text += is_token(std::string_view(&c, 1)) ? c : '?';
  return text + '\'';
}

/// Result of scan_head: the ends of the lines and of the head, and the first invalid byte.
struct head_scan {
  static constexpr std::size_t max_line_ends = 24;  // the lines of a browser's head
  std::size_t line_ends[max_line_ends];  ///< positions of the first CRs
  std::size_t line_count = 0;            ///< number of line_ends; 0 if an earlier scan has completed a line
  std::size_t line = 0;        ///< start of the first incomplete line
  std::size_t end = 0;         ///< position after the empty line; 0 if it was not received yet
  std::size_t limit = 0;       ///< position of the invalid byte, or the end of the bytes that need no second scan
  bool has_new_bytes = false;  ///< this scan completed at least one line
  head_error error;
};

/// Finds line ends and invalid bytes. `begin` is the start of the request line; the bytes before `from` (at least
/// `begin`) were scanned before.
WINSVC_INLINE head_scan scan_head(std::string_view bytes, std::size_t begin, std::size_t from) noexcept {
  head_scan s;
  const auto newline = from == 0 ? std::string_view::npos : bytes.rfind('\n', from - 1);
  s.line = newline == std::string_view::npos ? begin : (std::max)(begin, newline + 1);
  const bool is_in_first_line = s.line == begin;
  for (s.limit = find_control(bytes, from); s.limit < bytes.size(); s.limit = find_control(bytes, s.limit + 1)) {
    const char c = bytes[s.limit];
    if (c == '\r') {
      if (s.limit + 1 == bytes.size()) return s;  // the LF was not received yet
      if (bytes[s.limit + 1] != '\n') {
        s.error = {400, "bare CR"};
        return s;
      }
      const bool empty = s.limit == s.line;
      if (s.line_count < head_scan::max_line_ends && is_in_first_line) s.line_ends[s.line_count++] = s.limit;
      ++s.limit;
      s.line = s.limit + 1;
      s.has_new_bytes = true;
      if (empty) {
        s.end = s.line;
        return s;
      }
    } else if (c == '\n') {
      s.error = {400, "bare LF"};
      return s;
    } else if (is_control(c)) {
      s.error = {400, "control character"};
      return s;
    }
  }
  return s;
}

/// Makes the head empty. It keeps the memory of its fields.
WINSVC_INLINE void clear_head(head& value) {
  std::vector<field> fields = std::move(value.fields);
  fields.clear();
  value = {};
  value.fields = std::move(fields);
}

WINSVC_INLINE head_parse_status parse_head(std::string_view buffer, const limits& limits, std::size_t* scanned,
                                           head& output) {
  clear_head(output);
  const auto rejected = [&output](const head_error& error) {
    clear_head(output);
    return head_parse_status{head_parse_status::reject, 0, error.status, error.reason, error.field};
  };

  const std::string_view bytes(buffer.data(), (std::min)(buffer.size(), limits.head_bytes));
  // Skip empty lines before the request line (RFC 9112 section 2.2: "at least one"), because some clients send one
  // after a body. The maximum of 16 prevents an endless stream of them.
  std::size_t begin = 0;
  while (begin < 32 && bytes.substr(begin, 2) == "\r\n") begin += 2;

  const head_scan scan = scan_head(bytes, begin, (std::max)(begin, scanned != nullptr ? *scanned : 0));
  if (scanned != nullptr) *scanned = scan.limit;

  // Errors in complete lines are reported before an invalid byte that follows them.
  head_line_parser parser(limits, output);
  if (scan.has_new_bytes || scan.error || buffer.size() > bytes.size()) {
    std::size_t index = 0;
    for (std::size_t position = begin; position < scan.line; ++index) {
      const auto line_end = index < scan.line_count ? scan.line_ends[index] : bytes.find('\r', position);
      const std::string_view line(bytes.data() + position, line_end - position);
      const bool is_first = position == begin;
      position = line_end + 2;
      if (line.empty() && !is_first) break;
      if (!(is_first ? parser.request_line(line) : parser.field_line(line))) return rejected(parser.error());
    }
  }
  if (scan.end != 0) {
    if (!parser.check_complete()) return rejected(parser.error());
    return {head_parse_status::complete, scan.end, 0, {}, {}};
  }

  const auto partial = bytes.substr(scan.line, scan.limit - scan.line);
  if (!parser.check_partial_line(partial, scan.line == begin)) return rejected(parser.error());
  if (scan.error)
    return rejected({scan.error.status, scan.error.reason, scan.line == begin ? std::string_view() : name_in(partial)});
  if (buffer.size() > bytes.size()) return rejected({431, "head too large"});
  clear_head(output);
  return {};
}

WINSVC_INLINE head_parse_result parse_head(std::string_view buffer, const limits& limits, std::size_t* scanned) {
  head_parse_result result;
  static_cast<head_parse_status&>(result) = parse_head(buffer, limits, scanned, result.value);
  return result;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
