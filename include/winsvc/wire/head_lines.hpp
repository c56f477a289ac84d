// Head lines: the rules for each line of a request head (RFC 9112): the request line, the fields that decide about
// framing and connection, and what must be true of all lines together.
//
//   head_line_parser parser(limits, head);
//   const bool is_valid = parser.request_line("GET /users/7 HTTP/1.1") && parser.field_line("Host: example.org") &&
//                         parser.check_complete();
//   if (!is_valid) reject(parser.error().status, parser.error().reason);
//
// wire/head_parser.hpp finds the lines in the received bytes and calls these functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/head.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// The reason why a head is rejected; status 0 means no error.
struct head_error {
  int status = 0;
  std::string_view reason;
  std::string_view field = {};  ///< name of the header; empty: `reason` names it, or none
  explicit operator bool() const noexcept { return status != 0; }
};

/// Parses the lines of one head in their order. Each function returns false if it finds an error; see error().
class head_line_parser {
 public:
  head_line_parser(const limits& limits, head& output) noexcept : limits_(limits), head_(output) {}

  /// Finds an error that further bytes of an incomplete line cannot correct. The functions for complete lines find the
  /// same errors first, so that the result does not depend on how the bytes were split into packets.
  [[nodiscard]] bool check_partial_line(std::string_view line, bool is_first) noexcept;
  [[nodiscard]] bool request_line(std::string_view line);
  [[nodiscard]] bool field_line(std::string_view line);
  [[nodiscard]] bool check_complete();
  [[nodiscard]] const head_error& error() const noexcept { return error_; }

 private:
  /// The parts of a request line, as far as it was received.
  struct request_line_parts {
    std::string_view method, target, version;
    bool is_complete = false;      ///< the line has two blanks
    bool is_valid_target = false;  ///< each character may be in a target
    std::size_t query_mark = std::string_view::npos;  ///< position of the first '?' in a valid target
  };
  [[nodiscard]] bool split_request_line(std::string_view line, request_line_parts& parts) noexcept;
  [[nodiscard]] bool check_partial_field_line(std::string_view line) noexcept;
  [[nodiscard]] bool target(const request_line_parts& line);
  [[nodiscard]] bool invalid_target(std::string_view text) noexcept;
  [[nodiscard]] bool malformed_field_line(std::string_view line) noexcept;
  [[nodiscard]] bool parse_known_field(std::string_view name, std::string_view value);
  void record_field_name(std::string_view name) noexcept;
  void connection_options(std::string_view value) noexcept;
  [[nodiscard]] bool content_length(std::string_view value);
  [[nodiscard]] bool transfer_encoding(std::string_view value);
  bool fail(int status, std::string_view reason, std::string_view field = {}) noexcept {
    error_ = {status, reason, field};
    return false;
  }

  const limits& limits_;
  head& head_;
  head_error error_;
  std::string_view authority_;  // of an absolute-form target
  std::uint64_t names_ = 0;     // Bloom filter of the field names: one bit per name
  bool has_host_ = false, has_content_length_ = false, has_expect_ = false;
  bool has_transfer_encoding_ = false, is_chunked_ = false, has_unknown_coding_ = false;
  bool has_upgrade_field_ = false;
  bool has_close_ = false, has_keep_alive_ = false, has_upgrade_ = false;  // options of Connection
};

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// The name of a field line, which may be incomplete or malformed.
WINSVC_INLINE std::string_view name_in(std::string_view line) noexcept { return line.substr(0, line.find(':')); }

WINSVC_INLINE bool head_line_parser::check_partial_line(std::string_view line, bool is_first) noexcept {
  request_line_parts parts;
  return is_first ? split_request_line(line, parts) : check_partial_field_line(line);
}

WINSVC_INLINE bool head_line_parser::check_partial_field_line(std::string_view line) noexcept {
  if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) return fail(400, "folded or indented field line");
  return line.size() <= limits_.field_bytes || fail(431, "line too long", name_in(line));
}

WINSVC_INLINE bool head_line_parser::split_request_line(std::string_view line, request_line_parts& parts) noexcept {
  // RFC 3986 section 2 allows ASCII only. Some ASCII characters that it does not allow ("{", "|", ...) are accepted,
  // because browsers send them.
  static constexpr character_set path_characters("!\"$%&'()*+,-./:;<=>@[\\]^_`{|}~"),
      target_characters("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
  constexpr auto npos = std::string_view::npos;
  std::size_t method_end = token_characters.find_end(line);
  if (method_end == line.size() || line[method_end] != ' ') method_end = line.find(' ', method_end);
  // A method that is longer than any other is 501 (RFC 9112 section 3); a line without a blank is malformed.
  if ((std::min)(method_end, line.size()) > limits_.target_bytes) return fail(400, "malformed request line");
  if (method_end == npos) return true;
  if (method_end > limits_.method_bytes) return fail(501, "method too long");
  const std::size_t target_begin = method_end + 1;
  std::size_t target_end = path_characters.find_end(line, target_begin);
  if (target_end < line.size() && line[target_end] == '?') {
    parts.query_mark = target_end - target_begin;
    target_end = target_characters.find_end(line, target_end);
  }
  parts.is_valid_target = target_end < line.size() && line[target_end] == ' ';
  if (!parts.is_valid_target) target_end = line.find(' ', target_end);
  parts.method = {line.data(), method_end};
  parts.target = {line.data() + target_begin, (std::min)(target_end, line.size()) - target_begin};
  if (parts.target.size() > limits_.target_bytes) return fail(414, "target too long");
  if (target_end == npos) return true;
  parts.version = line.substr(target_end + 1);
  parts.is_complete = true;
  return parts.version.size() <= std::string_view("HTTP/1.1").size() || fail(400, "malformed request line");
}

WINSVC_INLINE bool head_line_parser::request_line(std::string_view line) {
  request_line_parts parts;
  if (!split_request_line(line, parts)) return false;
  if (!parts.is_complete) return fail(400, "malformed request line");
  // References: a copy would load 16 bytes that were just stored as two times 8, which a processor delays.
  const std::string_view &method = parts.method, &version = parts.version;
  const auto known_method = route::parse_method(method);
  if ((!known_method && !is_token(method)) || parts.target.empty()) return fail(400, "malformed request line");
  if (!base::is_literal(version, "HTTP/1.1")) {
    if (version.find(' ') != version.npos) return fail(400, "malformed request line");
    const bool is_well_formed = version.size() == 8 && base::starts_with(version, "HTTP/") &&
                                base::is_digit(version[5]) && version[6] == '.' && base::is_digit(version[7]);
    if (!is_well_formed) return fail(400, "malformed HTTP version");
    if (version[5] != '1') return fail(505, "HTTP version not supported");
    if (version[7] == '0') head_.minor_version = 0;  // HTTP/1.2 is processed as HTTP/1.1 (RFC 9110 section 2.5)
  }
  if (!known_method && !route::is_servable_method(method)) return fail(501, "method not implemented");
  head_.method_id = known_method.value_or(route::method::other);
  head_.method = method;
  constexpr std::size_t usual_fields = 16;  // enough for a typical browser
  if (head_.fields.capacity() < usual_fields) head_.fields.reserve(usual_fields);
  return target(parts);
}

/// Finds the error of a target with an invalid character.
WINSVC_INLINE bool head_line_parser::invalid_target(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F) return fail(400, "invalid character in target");
    if (c == '#') break;
  }
  return fail(400, "fragment in target");
}

/// Accepts origin-form, absolute-form and asterisk-form (RFC 9112 section 3.2). The fourth form is for CONNECT only.
WINSVC_INLINE bool head_line_parser::target(const request_line_parts& line) {
  const std::string_view text(line.target.data(), line.target.size());
  head_.target = text;
  if (!line.is_valid_target) return invalid_target(text);
  const std::size_t mark = line.query_mark;
  if (text[0] == '/') {
    if (mark == std::string_view::npos) {
      head_.path = text;
    } else {
      head_.path = {text.data(), mark};
      head_.query = {text.data() + mark + 1, text.size() - mark - 1};
    }
    return true;
  }
  if (base::is_literal(text, "*")) {
    head_.path = text;
    return head_.method_id == route::method::options || fail(400, "target '*' requires OPTIONS");
  }

  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return fail(400, "target is neither a path nor a URL");
  const auto scheme = text.substr(0, scheme_end);
  if (!base::equal_nocase(scheme, "http") && !base::equal_nocase(scheme, "https"))
    return fail(400, "unsupported scheme");
  std::string_view remaining = text.substr(scheme_end + 3);
  authority_ = remaining.substr(0, remaining.find_first_of("/?"));
  if (!is_authority(authority_)) return fail(400, "invalid authority in target");
  remaining.remove_prefix(authority_.size());
  if (remaining.empty() && head_.method_id == route::method::options) {  // RFC 9112 section 3.2.4
    head_.path = "*";
    return true;
  }
  const auto query_begin = remaining.find('?');
  head_.path = remaining.substr(0, query_begin);
  if (head_.path.empty()) head_.path = "/";  // RFC 9112 section 3.2.1
  if (query_begin != std::string_view::npos) head_.query = remaining.substr(query_begin + 1);
  return true;
}

WINSVC_INLINE bool head_line_parser::field_line(std::string_view line) {
  if (!check_partial_field_line(line)) return false;
  if (head_.fields.size() == limits_.fields) return fail(431, "too many fields");
  const auto name_end = find_token_end(line);
  if (name_end == 0 || name_end == line.size() || line[name_end] != ':') return malformed_field_line(line);
  const char* const bytes = line.data();
  const std::string_view name(bytes, name_end);
  record_field_name(name);
  const std::string_view value = base::trim({bytes + name_end + 1, line.size() - name_end - 1});
  field& added = head_.fields.emplace_back();  // not copied, for the same reason as in request_line()
  added.name = name;
  added.value = value;
  return parse_known_field(name, value);
}

/// Finds the error of a line that does not begin with a token and a colon.
WINSVC_INLINE bool head_line_parser::malformed_field_line(std::string_view line) noexcept {
  if (line.find(':') == std::string_view::npos) return fail(400, "no colon", line);
  const auto name = name_in(line);
  // RFC 9112 section 5.1 forbids a blank before the colon: parsers that treat it differently see different requests.
  if (!name.empty() && (name.back() == ' ' || name.back() == '\t')) return fail(400, "blank before the colon", name);
  return fail(400, "invalid character in the name", name);
}

/// Compares a name with the others only if the bit of its length, first and last letter is set.
WINSVC_INLINE void head_line_parser::record_field_name(std::string_view name) noexcept {
  const auto letter = [](char c) { return static_cast<unsigned>(base::to_lower(c)); };
  const auto bit = std::uint64_t{1} << ((name.size() * 7 + letter(name.front()) * 5 + letter(name.back())) % 64);
  if ((names_ & bit) != 0 && head_.find(name)) head_.has_repeated_names = true;
  names_ |= bit;
}

WINSVC_INLINE bool head_line_parser::parse_known_field(std::string_view name, std::string_view value) {
  const auto is = [name](const auto& known) {
    return base::is_literal(name, known) || base::equal_nocase(name, known);
  };
  switch (name.size()) {  // one comparison at most
    case 4:
      if (!is("Host")) break;
      if (has_host_) return fail(400, "Host twice");
      has_host_ = true;
      head_.host = value;
      return is_authority(value) || fail(400, "invalid Host");
    case 6:  // must be ignored in HTTP/1.0 (RFC 9110 section 10.1.1)
      if (!is("Expect") || head_.minor_version == 0) break;
      if (!base::equal_nocase(value, "100-continue")) return fail(417, "unknown expectation in Expect");
      has_expect_ = true;
      break;
    case 7:
      if (is("Upgrade")) has_upgrade_field_ = true;
      break;
    case 10:
      if (is("Connection")) connection_options(value);
      break;
    case 14:
      if (is("Content-Length")) return content_length(value);
      break;
    case 17:
      if (is("Transfer-Encoding")) return transfer_encoding(value);
      break;
    default: break;
  }
  return true;
}

WINSVC_INLINE void head_line_parser::connection_options(std::string_view value) noexcept {
  for (auto remaining = value; !remaining.empty();) {
    const auto end = (std::min)(remaining.find(','), remaining.size());
    const auto option = base::trim(remaining.substr(0, end));
    remaining.remove_prefix((std::min)(end + 1, remaining.size()));
    if (base::equal_nocase(option, "close")) has_close_ = true;
    if (base::equal_nocase(option, "keep-alive")) has_keep_alive_ = true;
    if (base::equal_nocase(option, "upgrade")) has_upgrade_ = true;
  }
}

/// An invalid length is an unrecoverable error (RFC 9112 section 6.3). Two equal lengths are allowed there but rejected
/// here, because regular clients do not send them.
WINSVC_INLINE bool head_line_parser::content_length(std::string_view value) {
  if (has_content_length_) return fail(400, "Content-Length twice");
  has_content_length_ = true;
  constexpr std::size_t max_digits = 15;  // below 1 PB; exact even in a double
  if (value.size() > max_digits) return fail(400, "invalid Content-Length");
  if (!base::parse_number(value, UINT64_MAX, head_.content_length)) return fail(400, "invalid Content-Length");
  if (has_transfer_encoding_) return fail(400, "Content-Length with Transfer-Encoding");
  head_.framing = framing::length;
  return true;
}

/// Reads one field of the list of transfer codings; check_complete() decides. The list may have several fields.
WINSVC_INLINE bool head_line_parser::transfer_encoding(std::string_view value) {
  if (head_.minor_version == 0) return fail(400, "Transfer-Encoding in HTTP/1.0");
  has_transfer_encoding_ = true;
  if (has_content_length_) return fail(400, "Content-Length with Transfer-Encoding");
  for (bool is_last = false; !is_last;) {
    const auto end = value.find(',');
    const auto coding = base::trim(value.substr(0, end));
    const auto name = base::trim(coding.substr(0, coding.find(';')));
    // An empty element is allowed in a list (RFC 9110 section 5.6.1), but some parsers treat it differently.
    if (!is_token(name) || coding.find('"') != coding.npos) return fail(400, "invalid Transfer-Encoding");
    if (is_chunked_) return fail(400, "chunked is not the last transfer coding");
    if (base::equal_nocase(coding, "chunked")) is_chunked_ = true;
    else if (base::equal_nocase(name, "chunked")) return fail(400, "parameter of the coding chunked");
    else has_unknown_coding_ = true;
    is_last = end == value.npos;
    if (!is_last) value.remove_prefix(end + 1);
  }
  return true;
}

WINSVC_INLINE bool head_line_parser::check_complete() {
  if (!has_host_ && head_.minor_version == 1) return fail(400, "Host missing");
  if (has_transfer_encoding_) {
    // Without chunked as the last coding, the end of the body cannot be determined (RFC 9112 section 6.3).
    if (!is_chunked_) return fail(400, "the last transfer coding is not chunked");
    if (has_unknown_coding_) return fail(501, "transfer coding not implemented");  // RFC 9112 section 6.1
    head_.framing = framing::chunked;
  }
  if (!authority_.empty()) head_.host = authority_;  // it replaces Host (RFC 9112 section 3.2.2)

  head_.keep_alive = !has_close_ && (head_.minor_version == 1 || has_keep_alive_);
  const bool content = head_.framing == framing::chunked || head_.content_length > 0;
  head_.expect_continue = has_expect_ && content;
  // Accepted only without a body and without close. A server may ignore Upgrade, and must ignore it in HTTP/1.0
  // (RFC 9110 section 7.8).
  head_.upgrade = has_upgrade_field_ && has_upgrade_ && head_.minor_version == 1 && head_.keep_alive && !content;

  // The limits also apply to the normalized head: the number of its lines, and the bytes of a line of joined values.
  constexpr std::size_t max_added_lines = 3;
  if (!head_.has_repeated_names && head_.fields.size() + max_added_lines <= limits_.fields) return true;
  std::string_view long_name;
  for_each_name(head_, [&](std::string_view name, const std::vector<std::string_view>& values) {
    if (values.size() == 1) return;  // was checked in check_partial_field_line
    std::size_t bytes = name.size();
    for (const auto value : values) bytes += value.size() + 2;
    if (bytes > limits_.field_bytes) long_name = name;
  });
  if (!long_name.empty()) return fail(431, "lines of one name too long", long_name);
  const auto forwarded = std::count_if(head_.fields.begin(), head_.fields.end(), [&](const field& f) {
    return is_forwarded_field(head_, f);
  });
  const bool host_added = !has_host_ && !head_.host.empty();
  const int added = (head_.framing != framing::none || implies_no_body(head_) ? 1 : 0) +
                    (is_connection_field(head_) ? 1 : 0) + (host_added ? 1 : 0);
  return static_cast<std::size_t>(forwarded + added) <= limits_.fields || fail(431, "too many fields");
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
