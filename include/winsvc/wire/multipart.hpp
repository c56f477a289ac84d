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

  static constexpr std::size_t most_head = 8 * 1024;  ///< bytes of a part's head: as of a request's field

  explicit multipart_decoder(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

  /// More of the body. Call it after `more` alone.
  void feed(std::string_view bytes) {
    buffer_.erase(0, at_);
    at_ = 0;
    if (where_ != place::end) buffer_ += bytes;  // what stands behind the last delimiter means nothing
  }
  [[nodiscard]] step next();
  /// The head of the part that began last.
  [[nodiscard]] const part_head& part() const noexcept { return part_; }
  /// After `data`, until the next call of anything here.
  [[nodiscard]] std::string_view data() const noexcept { return data_; }

 private:
  enum class place { preamble, delimiter, head, content, end, lost };

  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(buffer_).substr(at_); }
  step lose() noexcept {
    where_ = place::lost;
    return step::bad;
  }

  std::string delimiter_;
  std::string buffer_ = "\r\n";  // the first delimiter may be the body's first line
  std::size_t at_ = 0;
  place where_ = place::preamble;
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

/// Takes `; name=value` off the front of `rest`, the value a token or quoted. False where there is none.
WINSVC_INLINE bool take_parameter(std::string_view& rest, std::string& name, std::string& value) {
  const auto skip = [&rest] {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  };
  skip();
  if (rest.empty() || rest[0] != ';') return false;
  rest.remove_prefix(1);
  skip();
  const auto equals = rest.find('=');
  if (equals == rest.npos || !is_token(rest.substr(0, equals))) return false;
  name = text::lowered(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  value.clear();
  if (rest.empty() || rest[0] != '"') {
    const auto end = rest.find_first_of("; \t");
    value = rest.substr(0, end);
    rest.remove_prefix(value.size());
    return !value.empty();
  }
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '"') {
      rest.remove_prefix(at + 1);
      return true;
    }
    // A quoted pair, but only of what would need one: old browsers send C:\folder\name as it stands.
    if (rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\')) ++at;
    value += rest[at];
  }
  return false;
}

/// How browsers write what a quoted name cannot hold (the HTML standard's "multipart/form-data encoding algorithm").
WINSVC_INLINE std::string without_form_escapes(std::string_view from) {
  std::string out;
  for (std::size_t at = 0; at < from.size(); ++at) {
    const int byte = from[at] == '%' ? route::escaped_byte(from, at) : -1;
    if (byte == '"' || byte == '\r' || byte == '\n') {
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += from[at];
    }
  }
  return out;
}

WINSVC_INLINE std::optional<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view type = "multipart/form-data";
  const auto end = (std::min)(content_type.find(';'), content_type.size());
  if (!text::equal_nocase(text::trimmed(content_type.substr(0, end)), type)) return std::nullopt;
  std::string_view rest = content_type.substr(end);
  std::string name, value;
  while (take_parameter(rest, name, value)) {
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
    const std::string_view field = line.substr(0, colon), value = text::trimmed(line.substr(colon + 1));
    head.fields.emplace_back(field, value);
    if (text::equal_nocase(field, "Content-Type")) head.content_type = value;
    if (!text::equal_nocase(field, "Content-Disposition")) continue;

    const auto semicolon = (std::min)(value.find(';'), value.size());
    if (named || !text::equal_nocase(text::trimmed(value.substr(0, semicolon)), "form-data")) return std::nullopt;
    std::string_view rest = value.substr(semicolon);
    std::string name, said, encoded;
    while (take_parameter(rest, name, said)) {
      if (name == "name") head.name = without_form_escapes(said), named = true;
      if (name == "filename") head.file_name = without_form_escapes(said), head.is_file = true;
      if (name == "filename*") encoded = said;  // RFC 7578 section 4.2 forbids it, Python's requests sends it
    }
    if (!text::trimmed(rest).empty() && text::trimmed(rest) != ";") return std::nullopt;
    if (text::starts_with_nocase(encoded, "utf-8''")) {
      std::string decoded;
      if (!route::decode_segment(std::string_view(encoded).substr(7), decoded)) return std::nullopt;
      head.file_name = decoded, head.is_file = true;
    }
  }
  return named ? std::optional(std::move(head)) : std::nullopt;
}

WINSVC_INLINE multipart_decoder::step multipart_decoder::next() {
  for (;;) {
    const std::string_view here = rest();
    switch (where_) {
      case place::preamble:
      case place::content: {
        const auto found = here.find(delimiter_);
        const std::size_t whole = found != here.npos                ? found
                                  : here.size() < delimiter_.size() ? 0
                                                                    : here.size() - delimiter_.size() + 1;
        const bool wanted = where_ == place::content && whole != 0;
        if (wanted) data_ = here.substr(0, whole);
        at_ += whole;
        if (found == here.npos) return wanted ? step::data : step::more;
        at_ += delimiter_.size();
        where_ = place::delimiter;
        if (wanted) return step::data;
        break;
      }
      case place::delimiter: {
        constexpr std::size_t most_padding = 64;  // "transport padding" (RFC 2046 section 5.1.1), which nobody sends
        if (here.size() < 2) return step::more;
        if (here.substr(0, 2) == "--") {
          where_ = place::end;
          break;
        }
        const auto end = (std::min)(here.find_first_not_of(" \t"), here.size());
        if (end > most_padding) return lose();
        if (here.size() - end < 2) return step::more;
        if (here.substr(end, 2) != "\r\n") return lose();
        at_ += end;  // its CR LF stays, so that a head without lines ends as every other does
        where_ = place::head;
        break;
      }
      case place::head: {
        const auto end = here.find("\r\n\r\n");
        const auto looked_at = here.size() - (std::min)(std::size_t{3}, here.size());  // it may begin in the last 3
        if ((std::min)(end, looked_at) > most_head) return lose();
        if (end == here.npos) return step::more;
        auto head = parse_part_head(here.substr((std::min)(std::size_t{2}, end), end > 2 ? end - 2 : 0));
        if (!head) return lose();
        part_ = std::move(*head);
        at_ += end + 4;
        where_ = place::content;
        return step::part;
      }
      case place::end:
        at_ = buffer_.size();
        return step::done;
      case place::lost: return step::bad;
    }
  }
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
