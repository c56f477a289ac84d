// A form with files (multipart/form-data, RFC 7578), taken apart while it arrives: what is kept is a part's head or the
// length of a delimiter, however large the parts are and however malformed the rest is.
//
//   multipart_decoder decoder(*multipart_boundary(content_type));
//   decoder.feed(bytes);
//   while (true) switch (decoder.next()) {
//     case multipart_decoder::step::part: ...decoder.part()...  // a part begins
//     case multipart_decoder::step::data: ...decoder.data()...  // a piece of its content
//     case multipart_decoder::step::more: ...                    // feed it
//     case multipart_decoder::step::done: ...  case multipart_decoder::step::bad: ...
//   }
//
// Strict where it costs nothing (every line ends with CR LF, every part has a name), lenient where clients differ: how
// quotes in names are written, and names that RFC 5987 encodes.
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
namespace wire {

/// What stands at the head of a part.
struct part_head {
  std::string name;          ///< of the form's field
  std::string file_name;     ///< as the client says it: see safe_file_name
  std::string content_type;  ///< "" where it says none
  std::vector<std::pair<std::string, std::string>> fields{};  ///< all header fields of the part, in their order
  bool is_file = false;      ///< it has a file name, though that may be empty: a file field that was not filled in
};

/// The boundary that this Content-Type names; nothing when it is no multipart/form-data, or its boundary is none
/// (RFC 2046 section 5.1.1: 1 to 70 characters).
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

/// A part's head, its lines without the empty one at the end. Nothing when it is malformed or has no name.
[[nodiscard]] std::optional<part_head> parse_part_head(std::string_view lines);

class multipart_decoder {
 public:
  enum class step { more, part, data, done, bad };

  static constexpr std::size_t max_head_bytes = 8 * 1024;  ///< bytes of a part's head: as of a request's field

  explicit multipart_decoder(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

  /// More of the body. Call it after `more` alone.
  void feed(std::string_view bytes) {
    buffer_.erase(0, position_);
    position_ = 0;
    if (state_ != parser_state::end) buffer_ += bytes;  // what stands behind the last delimiter means nothing
  }
  [[nodiscard]] step next();
  /// The head of the part that began last.
  [[nodiscard]] const part_head& part() const noexcept { return part_; }
  /// After `data`, until the next call of anything here.
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

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Takes `; name=value` off the front of `unparsed`, the value a token or quoted. False where there is none.
WINSVC_INLINE bool parse_parameter(std::string_view& rest, std::string& name, std::string& value) {
  const auto skip = [&rest] {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  };
  skip();
  if (rest.empty() || rest[0] != ';') return false;
  rest.remove_prefix(1);
  skip();
  const auto equals = rest.find('=');
  if (equals == rest.npos || !is_token(rest.substr(0, equals))) return false;
  name = strings::to_lower(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  value.clear();
  if (rest.empty() || rest[0] != '"') {
    const auto end = rest.find_first_of("; \t");
    value = rest.substr(0, end);
    rest.remove_prefix(value.size());
    return !value.empty();
  }
  for (std::size_t position = 1; position < rest.size(); ++position) {
    if (rest[position] == '"') {
      rest.remove_prefix(position + 1);
      return true;
    }
    // A quoted pair, but only of what would need one: old browsers send C:\folder\name as it stands.
    if (rest[position] == '\\' && position + 1 < rest.size() && (rest[position + 1] == '"' || rest[position + 1] == '\\')) ++position;
    value += rest[position];
  }
  return false;
}

/// How browsers write what a quoted name cannot hold (the HTML standard's "multipart/form-data encoding algorithm").
WINSVC_INLINE std::string without_form_escapes(std::string_view from) {
  std::string out;
  for (std::size_t position = 0; position < from.size(); ++position) {
    const int byte = from[position] == '%' ? route::escaped_byte(from, position) : -1;
    if (byte == '"' || byte == '\r' || byte == '\n') {
      out += static_cast<char>(byte);
      position += 2;
    } else {
      out += from[position];
    }
  }
  return out;
}

WINSVC_INLINE std::optional<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view type = "multipart/form-data";
  const auto end = (std::min)(content_type.find(';'), content_type.size());
  if (!strings::equal_nocase(strings::trim(content_type.substr(0, end)), type)) return std::nullopt;
  std::string_view rest = content_type.substr(end);
  std::string name, value;
  while (parse_parameter(rest, name, value)) {
    if (name == "boundary" && !value.empty() && value.size() <= 70 && value.find_first_of("\r\n") == value.npos)
      return value;
  }
  return std::nullopt;
}

WINSVC_INLINE std::optional<part_head> parse_part_head(std::string_view lines) {
  part_head head;
  bool named = false;
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) return std::nullopt;
    if (std::any_of(line.begin(), line.end(), is_control)) return std::nullopt;
    const std::string_view field = line.substr(0, colon), value = strings::trim(line.substr(colon + 1));
    head.fields.emplace_back(field, value);
    if (strings::equal_nocase(field, "Content-Type")) head.content_type = value;
    if (!strings::equal_nocase(field, "Content-Disposition")) continue;

    const auto semicolon = (std::min)(value.find(';'), value.size());
    if (named || !strings::equal_nocase(strings::trim(value.substr(0, semicolon)), "form-data")) return std::nullopt;
    std::string_view rest = value.substr(semicolon);
    std::string name, message, encoded;
    while (parse_parameter(rest, name, message)) {
      if (name == "name") head.name = without_form_escapes(message), named = true;
      if (name == "filename") head.file_name = without_form_escapes(message), head.is_file = true;
      if (name == "filename*") encoded = message;  // RFC 7578 section 4.2 forbids it, Python's requests sends it
    }
    if (!strings::trim(rest).empty() && strings::trim(rest) != ";") return std::nullopt;
    if (strings::starts_with_nocase(encoded, "utf-8''")) {
      std::string decoded;
      if (!route::decode_segment(std::string_view(encoded).substr(7), decoded)) return std::nullopt;
      head.file_name = decoded, head.is_file = true;
    }
  }
  return named ? std::optional(std::move(head)) : std::nullopt;
}

WINSVC_INLINE multipart_decoder::step multipart_decoder::next() {
  for (;;) {
    const std::string_view here = unparsed();
    switch (state_) {
      case parser_state::preamble:
      case parser_state::content: {
        const auto found = here.find(delimiter_);
        const std::size_t whole = found != here.npos                ? found
                                  : here.size() < delimiter_.size() ? 0
                                                                    : here.size() - delimiter_.size() + 1;
        const bool expected = state_ == parser_state::content && whole != 0;
        if (expected) data_ = here.substr(0, whole);
        position_ += whole;
        if (found == here.npos) return expected ? step::data : step::more;
        position_ += delimiter_.size();
        state_ = parser_state::delimiter;
        if (expected) return step::data;
        break;
      }
      case parser_state::delimiter: {
        constexpr std::size_t most_padding = 64;  // "transport padding" (RFC 2046 section 5.1.1), which nobody sends
        if (here.size() < 2) return step::more;
        if (here.substr(0, 2) == "--") {
          state_ = parser_state::end;
          break;
        }
        const auto end = (std::min)(here.find_first_not_of(" \t"), here.size());
        if (end > most_padding) return fail();
        if (here.size() - end < 2) return step::more;
        if (here.substr(end, 2) != "\r\n") return fail();
        position_ += end;  // its CR LF stays, so that a head without lines ends as every other does
        state_ = parser_state::head;
        break;
      }
      case parser_state::head: {
        const auto end = here.find("\r\n\r\n");
        const auto looked_at = here.size() - (std::min)(std::size_t{3}, here.size());  // it may begin in the last 3
        if ((std::min)(end, looked_at) > max_head_bytes) return fail();
        if (end == here.npos) return step::more;
        auto head = parse_part_head(here.substr((std::min)(std::size_t{2}, end), end > 2 ? end - 2 : 0));
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

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
