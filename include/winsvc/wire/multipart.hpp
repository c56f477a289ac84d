// Incremental decoder for forms with files (multipart/form-data, RFC 7578). It buffers at most the head of a part or a
// delimiter, regardless of the size of the parts.
//
//   multipart_decoder decoder(*multipart_boundary(content_type));
//   decoder.feed(bytes);
//   while (true) switch (decoder.next()) {
//     case multipart_decoder::step::part: ...decoder.part()...   // a part begins
//     case multipart_decoder::step::data: ...decoder.data()...   // the next bytes of its content
//     case multipart_decoder::step::more: ...                    // call feed() with more bytes
//     case multipart_decoder::step::done: ...  case multipart_decoder::step::bad: ...
//   }
//
// Each line must end with CR LF, and each part must have a name. Differences between clients are accepted: several ways
// to escape quotes in names, and names encoded as in RFC 5987.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/wire/grammar.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// The head of a part.
struct part_head {
  std::string name;          ///< of the form field
  std::string file_name;     ///< as sent by the client, not safe as a path: see safe_file_name
  std::string content_type;  ///< "" if the part has no Content-Type
  std::vector<std::pair<std::string, std::string>> fields{};  ///< all header fields of the part, in their order
  bool is_file = false;      ///< has a file name, which is empty if the user selected no file
};

/// Returns the boundary of a Content-Type; nullopt if the type is not multipart/form-data or the boundary is invalid
/// (RFC 2046 section 5.1.1: 1 to 70 characters).
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

/// Parses the lines of a part's head, without the empty line at the end; nullopt if it is malformed or has no name.
[[nodiscard]] std::optional<part_head> parse_part_head(std::string_view lines);

class multipart_decoder {
 public:
  enum class step { more, part, data, done, bad };

  static constexpr std::size_t max_head_bytes = 8 * 1024;  ///< maximum size of a part's head

  explicit multipart_decoder(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

  /// Appends bytes of the body. Call it only if next() has returned `more`.
  void feed(std::string_view bytes) {
    buffer_.erase(0, position_);
    position_ = 0;
    if (state_ != parser_state::end) buffer_ += bytes;  // bytes after the last delimiter are ignored
  }
  /// Decodes the next step from the buffered bytes.
  [[nodiscard]] step next();
  /// The head of the part that began last.
  [[nodiscard]] const part_head& part() const noexcept { return part_; }
  /// Content of the part. Valid after `data`, until the next call of a member function.
  [[nodiscard]] std::string_view data() const noexcept { return data_; }

 private:
  enum class parser_state { preamble, delimiter, head, content, end, failed };

  [[nodiscard]] std::string_view unparsed() const noexcept { return std::string_view(buffer_).substr(position_); }
  step fail() noexcept {
    state_ = parser_state::failed;
    return step::bad;
  }

  std::string delimiter_;
  std::string buffer_ = "\r\n";  // the first delimiter may be the body's first line
  std::size_t position_ = 0;
  parser_state state_ = parser_state::preamble;
  part_head part_;
  std::string_view data_;
};

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// Removes `; name=value` from the start of `text`; the value is a token or quoted. False if there is no parameter.
WINSVC_INLINE bool parse_parameter(std::string_view& text, std::string& name, std::string& value) {
  const auto skip_blanks = [&text] {
    while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  };
  skip_blanks();
  if (text.empty() || text[0] != ';') return false;
  text.remove_prefix(1);
  skip_blanks();
  const auto equals = text.find('=');
  if (equals == text.npos || !is_token(base::trim(text.substr(0, equals)))) return false;
  name = base::to_lower(base::trim(text.substr(0, equals)));
  text.remove_prefix(equals + 1);
  skip_blanks();  // RFC 6266 section 4.1 allows blanks around '='
  value.clear();
  if (text.empty() || text[0] != '"') {
    const auto end = text.find_first_of("; \t");
    value = text.substr(0, end);
    text.remove_prefix(value.size());
    return !value.empty();
  }
  for (std::size_t position = 1; position < text.size(); ++position) {
    if (text[position] == '"') {
      text.remove_prefix(position + 1);
      return true;
    }
    // Only \" and \\ are quoted pairs: old browsers send C:\folder\name without escapes.
    const char following = position + 1 < text.size() ? text[position + 1] : '\0';
    if (text[position] == '\\' && (following == '"' || following == '\\')) ++position;
    value += text[position];
  }
  return false;
}

/// Decodes %22, %0D and %0A, which browsers write in a quoted name (HTML: "multipart/form-data encoding algorithm").
WINSVC_INLINE std::string without_form_escapes(std::string_view text) {
  std::string out;
  for (std::size_t position = 0; position < text.size(); ++position) {
    const int byte = text[position] == '%' ? route::escaped_byte(text, position) : -1;
    if (byte == '"' || byte == '\r' || byte == '\n') {
      out += static_cast<char>(byte);
      position += 2;
    } else {
      out += text[position];
    }
  }
  return out;
}

WINSVC_INLINE std::optional<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view type = "multipart/form-data";
  const auto end = (std::min)(content_type.find(';'), content_type.size());
  if (!base::equal_nocase(base::trim(content_type.substr(0, end)), type)) return std::nullopt;
  std::string_view parameters = content_type.substr(end);
  std::string name, value;
  while (parse_parameter(parameters, name, value)) {
    if (name != "boundary") continue;
    constexpr character_set allowed("'()+_,-./:=? ");
    const bool valid = !value.empty() && value.size() <= 70 && value.back() != ' ' &&
                       std::all_of(value.begin(), value.end(), [&](char c) { return allowed.has(c); });
    return valid ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

/// Decodes the value of a parameter `name*` (RFC 8187): "UTF-8''%C3%BC". ISO-8859-1 becomes UTF-8. In another charset,
/// '_' replaces each byte that is not ASCII. nullopt for an invalid escape; empty if there is no charset.
WINSVC_INLINE std::optional<std::string> decode_extended_value(std::string_view text) {
  const auto first = text.find('\''), second = first == text.npos ? text.npos : text.find('\'', first + 1);
  if (second == text.npos) return std::string();
  const std::string_view charset = text.substr(0, first);
  std::string decoded, out;
  if (!route::decode_segment(text.substr(second + 1), decoded)) return std::nullopt;
  if (base::equal_nocase(charset, "UTF-8")) return decoded;
  for (const char c : decoded) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) out += c;
    else if (base::equal_nocase(charset, "ISO-8859-1"))
      out.append(1, static_cast<char>(0xC0 | (byte >> 6))).append(1, static_cast<char>(0x80 | (byte & 0x3F)));
    else out += '_';
  }
  return out;
}

WINSVC_INLINE std::optional<part_head> parse_part_head(std::string_view lines) {
  part_head head;
  bool has_name = false;
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) return std::nullopt;
    if (std::any_of(line.begin(), line.end(), is_control)) return std::nullopt;
    const std::string_view field = line.substr(0, colon), value = base::trim(line.substr(colon + 1));
    head.fields.emplace_back(field, value);
    if (base::equal_nocase(field, "Content-Type")) head.content_type = value;
    if (!base::equal_nocase(field, "Content-Disposition")) continue;

    const auto semicolon = (std::min)(value.find(';'), value.size());
    if (has_name || !base::equal_nocase(base::trim(value.substr(0, semicolon)), "form-data")) return std::nullopt;
    std::string_view parameters = value.substr(semicolon);
    std::string name, text, encoded;
    while (parse_parameter(parameters, name, text)) {
      if (name == "name") {
        head.name = without_form_escapes(text);
        has_name = true;
      }
      if (name == "filename") {
        head.file_name = without_form_escapes(text);
        head.is_file = true;
      }
      if (name == "filename*") encoded = text;  // RFC 7578 section 4.2 forbids it, but Python's requests sends it
    }
    const auto unparsed = base::trim(parameters);
    if (!unparsed.empty() && unparsed != ";") return std::nullopt;
    if (!encoded.empty()) {
      auto decoded = decode_extended_value(encoded);
      if (!decoded) return std::nullopt;
      if (!decoded->empty() || !head.is_file) head.file_name = *std::move(decoded);
      head.is_file = true;
    }
  }
  return has_name ? std::optional(std::move(head)) : std::nullopt;
}

WINSVC_INLINE multipart_decoder::step multipart_decoder::next() {
  for (;;) {
    const std::string_view bytes = unparsed();
    switch (state_) {
      case parser_state::preamble:
      case parser_state::content: {
        const auto found = bytes.find(delimiter_);
        const std::size_t content_size = found != bytes.npos                ? found
                                         : bytes.size() < delimiter_.size() ? 0
                                                                            : bytes.size() - delimiter_.size() + 1;
        const bool has_data = state_ == parser_state::content && content_size != 0;
        if (has_data) data_ = bytes.substr(0, content_size);
        position_ += content_size;
        if (found == bytes.npos) return has_data ? step::data : step::more;
        position_ += delimiter_.size();
        state_ = parser_state::delimiter;
        if (has_data) return step::data;
        break;
      }
      case parser_state::delimiter: {
        constexpr std::size_t max_padding = 64;  // blanks after a delimiter: RFC 2046 section 5.1.1, transport padding
        if (bytes.size() < 2) return step::more;
        if (bytes.substr(0, 2) == "--") {
          state_ = parser_state::end;
          break;
        }
        const auto end = (std::min)(bytes.find_first_not_of(" \t"), bytes.size());
        if (end > max_padding) return fail();
        if (bytes.size() - end < 2) return step::more;
        if (bytes.substr(end, 2) != "\r\n") return fail();
        position_ += end;  // keep the CR LF, so that a head without lines also ends with CR LF CR LF
        state_ = parser_state::head;
        break;
      }
      case parser_state::head: {
        const auto end = bytes.find("\r\n\r\n");
        // The end may begin in the last 3 bytes.
        const auto searched = bytes.size() - (std::min)(std::size_t{3}, bytes.size());
        if ((std::min)(end, searched) > max_head_bytes) return fail();
        if (end == bytes.npos) return step::more;
        auto head = parse_part_head(bytes.substr((std::min)(std::size_t{2}, end), end > 2 ? end - 2 : 0));
        if (!head) return fail();
        part_ = std::move(*head);
        position_ += end + 4;
        state_ = parser_state::content;
        return step::part;
      }
      case parser_state::end:
        position_ = buffer_.size();
        return step::done;
      case parser_state::failed: return step::bad;
    }
  }
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
