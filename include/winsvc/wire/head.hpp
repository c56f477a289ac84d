// The gate: decides whether the bytes a client sent are one valid HTTP/1.1 request head, before cpp-httplib sees any.
//
//   std::size_t scanned = 0;
//   auto got = parse_head(buffer, bounds, &scanned);       // again with a longer buffer while got.step is more
//   if (got.step == head_result::reject) answer(got.status, got.reason), close();
//   if (got.step == head_result::complete) hand_over(canonical_head(got.value, escape_percent));
//
// What is malformed or can be read in two ways is rejected, at the first byte that proves it, with the status to
// answer; the connection is closed after that. What passes is written anew in one form, so that the parser behind,
// whichever its version, has nothing left to interpret. The verdict on some bytes is the same whether they came at
// once or singly.
//
// It does not read bodies (wire/chunked.hpp), does not decode the path (route/path.hpp), and does not hold a body's
// length against `limits::body_bytes`: a 404 or 401 comes before the 413, so that is the caller's next question.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/limits.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// A field line (RFC 9112 §5): the name as sent, the value without the blanks around it.
struct field {
  std::string_view name;
  std::string_view value;
};

/// Where the body ends (RFC 9112 §6.3): there is none, after so many bytes, or with the last chunk.
enum class framing { none, length, chunked };

/// A valid request head. Its views point into the buffer that was parsed.
struct head {
  std::string_view method;  ///< as sent
  std::string_view target;  ///< as sent (RFC 9112 §3.2)
  std::string_view path;    ///< raw, of origin-form or absolute-form; "*" for a server-wide OPTIONS
  std::string_view query;   ///< raw, without its '?'
  std::string_view host;    ///< with the port if one was sent; empty in HTTP/1.0 only
  int minor = 1;            ///< HTTP/1.minor: 0 or 1
  std::vector<field> fields;
  wire::framing framing = wire::framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        ///< the connection may serve another request (RFC 9112 §9.3)
  bool expect_continue = false;  ///< the body waits for our 100 (RFC 9110 §10.1.1)
  bool upgrade = false;          ///< a switch of protocol is asked for, and may be granted (RFC 9110 §7.8)
  route::method verb = route::method::get;

  /// The value of the first field of this name in any case; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// What the bytes so far are.
struct head_result {
  enum verdict { more, complete, reject };
  verdict step = more;
  std::size_t consumed = 0;  ///< complete: bytes of the head, empty lines before it included
  int status = 0;            ///< reject: what to answer
  std::string_view reason;   ///< reject: why, for the log and the answer
  head value;                ///< complete
};

/// Judges the buffer from its first byte. `scanned`, zero for a new head and kept by the caller while the buffer grows,
/// spares what was looked at before.
[[nodiscard]] head_result parse_head(std::string_view buffer, const limits& bounds, std::size_t* scanned = nullptr);

/// The head in the only form that cpp-httplib shall read: origin-form target, no hop-by-hop fields (RFC 9110 §7.6.1),
/// the framing and the fate of the connection stated once, by us. To hand a decoded chunked body over, set `framing`
/// and `content_length` of a copy before.
///
/// Lines of one name become one, in their order (RFC 9110 §5.3): "a" and "b" are "a, b", and "a; b" for Cookie. Before
/// 0.53 cpp-httplib keeps them in no order that it promises, and whoever wrote the last line matters in some:
/// X-Forwarded-For. A Range that is there twice is left out, as §14.2 allows.
///
/// `escape_percent`: for cpp-httplib before 0.44, which percent-decodes values (all but Location and Referer), so that
/// `%0d%0a` would become a line break. A '%' is written as "%25" and comes out as it went in.
[[nodiscard]] std::string canonical_head(const head& value, bool escape_percent);

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<std::string_view> head::find(std::string_view name) const noexcept {
  for (const auto& f : fields) {
    if (text::equal_nocase(f.name, name)) return f.value;
  }
  return std::nullopt;
}

/// Why a head is refused; status 0 is none.
struct fault {
  int status = 0;
  std::string_view reason;
  explicit operator bool() const noexcept { return status != 0; }
};

/// Takes the lines of one head in their order. Every function returns the first fault it finds.
class head_reader {
 public:
  head_reader(const limits& bounds, head& out) noexcept : bounds_(bounds), out_(out) {}

  /// What is wrong with a line already, however it goes on. Asked for each line that is not complete, and before
  /// anything else of each that is: this keeps the verdict independent of how the bytes were cut into packets.
  [[nodiscard]] fault begun(std::string_view line, bool first) const noexcept;
  [[nodiscard]] fault request_line(std::string_view line);
  [[nodiscard]] fault field_line(std::string_view line);
  [[nodiscard]] fault finish();

 private:
  [[nodiscard]] fault target(std::string_view text);
  [[nodiscard]] fault known_field(const field& f);
  [[nodiscard]] fault content_length(std::string_view value);
  [[nodiscard]] fault transfer_encoding(std::string_view value);

  const limits& bounds_;
  head& out_;
  std::string_view authority_;  // of an absolute-form target
  bool host_ = false, length_ = false, coding_ = false, expect_ = false, upgrade_ = false;
  bool says_close_ = false, says_keep_alive_ = false, says_upgrade_ = false;
};

inline fault head_reader::begun(std::string_view line, bool first) const noexcept {
  constexpr auto none = std::string_view::npos;
  if (!first) {
    if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) return {400, "folded or indented field line"};
    if (line.size() > bounds_.field_bytes) return {431, "field line too long"};
    return {};
  }
  const auto method_end = line.find(' ');
  if ((method_end == none ? line.size() : method_end) > bounds_.method_bytes) return {501, "method too long"};
  if (method_end == none) return {};
  const auto rest = line.substr(method_end + 1);
  const auto target_end = rest.find(' ');
  if ((target_end == none ? rest.size() : target_end) > bounds_.target_bytes) return {414, "target too long"};
  if (target_end == none) return {};
  constexpr std::string_view version = "HTTP/1.1";
  if (rest.size() - target_end - 1 > version.size()) return {400, "malformed request line"};
  return {};
}

inline fault head_reader::request_line(std::string_view line) {
  const auto split = text::split(line, ' ');
  if (split.size() != 3 || !is_token(split[0]) || split[1].empty()) return {400, "malformed request line"};

  const std::string_view version = split[2];
  const bool shaped = version.size() == 8 && text::starts_with(version, "HTTP/") && text::is_digit(version[5]) &&
                      version[6] == '.' && text::is_digit(version[7]);
  if (!shaped) return {400, "malformed HTTP version"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "HTTP version not supported"};
  out_.minor = version[7] - '0';

  const auto verb = route::parse_method(split[0]);
  if (!verb) return {501, "method not implemented"};
  out_.verb = *verb;
  out_.method = split[0];
  out_.fields.reserve(16);  // what a browser sends
  return target(split[1]);
}

/// The three forms of RFC 9112 §3.2 that an origin server can be sent; the fourth belongs to CONNECT.
inline fault head_reader::target(std::string_view text) {
  out_.target = text;
  // RFC 3986 §2 knows no bytes beyond ASCII. The few ASCII marks it lacks ("{", "|", …) come from browsers, and pass.
  for (const char c : text) {
    if (c <= 0x20 || c == 0x7F) return {400, "invalid character in target"};
    if (c == '#') return {400, "fragment in target"};
  }
  if (text == "*") {
    out_.path = text;
    return out_.verb == route::method::options ? fault{} : fault{400, "'*' is for OPTIONS"};
  }

  std::string_view rest = text;
  if (text[0] != '/') {
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return {400, "target is neither a path nor a URL"};
    const auto scheme = text.substr(0, scheme_end);
    if (!text::equal_nocase(scheme, "http") && !text::equal_nocase(scheme, "https")) return {400, "scheme not served"};
    rest.remove_prefix(scheme_end + 3);
    authority_ = rest.substr(0, rest.find_first_of("/?"));
    if (!is_authority(authority_)) return {400, "invalid authority in target"};
    rest.remove_prefix(authority_.size());
    if (rest.empty() && out_.verb == route::method::options) {  // RFC 9112 §3.2.4
      out_.path = "*";
      return {};
    }
  }
  const auto mark = rest.find('?');
  out_.path = rest.substr(0, mark);
  if (out_.path.empty()) out_.path = "/";  // RFC 9112 §3.2.1
  if (mark != std::string_view::npos) out_.query = rest.substr(mark + 1);
  return {};
}

inline fault head_reader::field_line(std::string_view line) {
  if (out_.fields.size() == bounds_.fields) return {431, "too many fields"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {400, "field line without a colon"};
  const field f{line.substr(0, colon), text::trimmed(line.substr(colon + 1))};
  // RFC 9112 §5.1 names the blank before the colon: two parsers that disagree on it see two requests.
  if (!f.name.empty() && (f.name.back() == ' ' || f.name.back() == '\t')) return {400, "blank before the colon"};
  if (!is_token(f.name)) return {400, "invalid field name"};
  out_.fields.push_back(f);
  return known_field(f);
}

inline fault head_reader::known_field(const field& f) {
  const auto is = [&](std::string_view name) { return text::equal_nocase(f.name, name); };
  if (is("Host")) {
    if (host_) return {400, "Host twice"};
    host_ = true;
    out_.host = f.value;
    return is_authority(f.value) ? fault{} : fault{400, "invalid Host"};
  }
  if (is("Content-Length")) return content_length(f.value);
  if (is("Transfer-Encoding")) return transfer_encoding(f.value);
  if (is("Connection")) {
    for (const auto piece : text::split(f.value, ',')) {
      const auto option = text::trimmed(piece);
      if (text::equal_nocase(option, "close")) says_close_ = true;
      if (text::equal_nocase(option, "keep-alive")) says_keep_alive_ = true;
      if (text::equal_nocase(option, "upgrade")) says_upgrade_ = true;
    }
    return {};
  }
  if (is("Upgrade")) upgrade_ = true;
  if (is("Expect") && out_.minor == 1) {  // in 1.0 it is to be ignored (RFC 9110 §10.1.1)
    if (!text::equal_nocase(f.value, "100-continue")) return {417, "unknown expectation"};
    expect_ = true;
  }
  return {};
}

/// RFC 9112 §6.3: a length that is no number is an unrecoverable error. Two equal ones might be folded into one; nobody
/// honest sends them, so they are refused with the others.
inline fault head_reader::content_length(std::string_view value) {
  if (length_) return {400, "Content-Length twice"};
  length_ = true;
  constexpr std::size_t most_digits = 15;  // a petabyte; stays exact wherever a length is counted in a double
  if (value.size() > most_digits) return {400, "invalid Content-Length"};
  if (!text::parse_number(value, UINT64_MAX, out_.content_length)) return {400, "invalid Content-Length"};
  if (coding_) return {400, "Content-Length with Transfer-Encoding"};
  out_.framing = framing::length;
  return {};
}

/// RFC 9112 §6.1: 400 for what cannot be framed, 501 for a coding that we do not know.
inline fault head_reader::transfer_encoding(std::string_view value) {
  if (out_.minor == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
  if (coding_) return {400, "Transfer-Encoding twice"};
  coding_ = true;
  if (!is_token(value)) return {400, "invalid Transfer-Encoding"};
  if (!text::equal_nocase(value, "chunked")) return {501, "transfer coding not implemented"};
  if (length_) return {400, "Content-Length with Transfer-Encoding"};
  out_.framing = framing::chunked;
  return {};
}

/// Fields that are about the connection or the framing: canonical_head states them itself.
[[nodiscard]] inline bool is_restated(std::string_view name) noexcept {
  constexpr std::string_view names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                                        "Content-Length", "Expect", "TE", "Trailer", "Upgrade"};
  return std::any_of(std::begin(names), std::end(names), [&](auto n) { return text::equal_nocase(n, name); });
}
/// Range means something to GET, in bytes and once alone, and is to be ignored otherwise (RFC 9110 §14.2); cpp-httplib
/// would answer 416.
[[nodiscard]] inline bool is_passed_on(const head& h, const field& f) noexcept {
  if (text::equal_nocase(f.name, "Upgrade")) return h.upgrade;
  if (text::equal_nocase(f.name, "Range")) {
    return (h.verb == route::method::get || h.verb == route::method::head) &&
           text::equal_nocase(f.value.substr(0, 6), "bytes=") &&
           std::none_of(h.fields.begin(), h.fields.end(), [&f](const field& other) {
             return &other != &f && text::equal_nocase(other.name, f.name);
           });
  }
  return !is_restated(f.name);
}
/// Calls `f(name, values)` for the fields that are passed on, in the order of each name's first line. At least one
/// value; of more, none is empty, as an empty member of a list is none (RFC 9110 §5.6.1).
template <class F>
void for_each_name(const head& h, F&& f) {
  std::vector<std::string_view> values;
  for (auto at = h.fields.begin(); at != h.fields.end(); ++at) {
    const auto has_name = [at](const field& other) { return text::equal_nocase(other.name, at->name); };
    if (!is_passed_on(h, *at) || std::any_of(h.fields.begin(), at, has_name)) continue;
    values.clear();
    for (auto line = at; line != h.fields.end(); ++line) {
      if (!line->value.empty() && has_name(*line)) values.push_back(line->value);
    }
    if (values.empty()) values.emplace_back();
    f(at->name, values);
  }
}
[[nodiscard]] inline std::string_view between_values(std::string_view name) noexcept {
  return text::equal_nocase(name, "Cookie") ? "; " : ", ";  // RFC 6265 §4.2.1
}
/// A body is expected, so its absence is to be stated: without a length, cpp-httplib waits 5 s for one.
[[nodiscard]] inline bool states_no_body(const head& h) noexcept {
  using route::method;
  return h.framing == framing::none &&
         (h.verb == method::post || h.verb == method::put || h.verb == method::patch || h.verb == method::del);
}
[[nodiscard]] inline bool states_connection(const head& h) noexcept {
  return !h.keep_alive || h.upgrade || h.minor == 0;
}

inline fault head_reader::finish() {
  if (!host_ && out_.minor == 1) return {400, "Host missing"};
  if (!authority_.empty()) {
    if (host_ && !same_authority(authority_, out_.host)) return {400, "Host and target disagree"};
    if (!host_) out_.host = authority_;
  }

  out_.keep_alive = !says_close_ && (out_.minor == 1 || says_keep_alive_);
  const bool content = out_.framing == framing::chunked || out_.content_length > 0;
  out_.expect_continue = expect_ && content;
  // Granted only where nothing else is going on: RFC 9110 §7.8 lets a server ignore any Upgrade, and 1.0 has none.
  out_.upgrade = upgrade_ && says_upgrade_ && out_.minor == 1 && out_.keep_alive && !content;

  // What canonical_head writes is counted by cpp-httplib again: the lines, and the bytes of each.
  bool short_enough = true;
  for_each_name(out_, [&](std::string_view name, const std::vector<std::string_view>& values) {
    if (values.size() == 1) return;  // was measured when it came
    std::size_t bytes = name.size();
    for (const auto value : values) bytes += value.size() + 2;
    if (bytes > bounds_.field_bytes) short_enough = false;
  });
  if (!short_enough) return {431, "fields of one name too long"};
  const auto kept = std::count_if(out_.fields.begin(), out_.fields.end(), [&](const field& f) {
    return is_passed_on(out_, f);
  });
  const bool host_added = !host_ && !out_.host.empty();
  const int added = (out_.framing != framing::none || states_no_body(out_) ? 1 : 0) +
                    (states_connection(out_) ? 1 : 0) + (host_added ? 1 : 0);
  const bool fit = static_cast<std::size_t>(kept + added) <= bounds_.fields;
  return fit ? fault{} : fault{431, "too many fields"};
}

/// The bytes of the lines, before their meaning: where lines and head end, which byte is wrong.
struct head_scan {
  std::size_t line = 0;  ///< where the first incomplete line begins
  std::size_t end = 0;   ///< behind the empty line, when it is there
  std::size_t stop = 0;  ///< where the look ended: at the wrong byte, or behind the last one that needs no second look
  bool grown = false;    ///< a line was completed beyond what had been scanned before
  fault wrong;
};

/// `begin` is where the request line begins, `from` what was scanned before (at least `begin`).
inline head_scan scan_head(std::string_view bytes, std::size_t begin, std::size_t from) noexcept {
  head_scan s;
  const auto newline = from == 0 ? std::string_view::npos : bytes.rfind('\n', from - 1);
  s.line = newline == std::string_view::npos ? begin : (std::max)(begin, newline + 1);
  for (s.stop = from; s.stop < bytes.size(); ++s.stop) {
    const char c = bytes[s.stop];
    if (c == '\r') {
      if (s.stop + 1 == bytes.size()) return s;  // its LF is still to come
      if (bytes[s.stop + 1] != '\n') {
        s.wrong = {400, "bare CR"};
        return s;
      }
      const bool empty = s.stop == s.line;
      ++s.stop;
      s.line = s.stop + 1;
      s.grown = true;
      if (empty) {
        s.end = s.line;
        return s;
      }
    } else if (c == '\n') {
      s.wrong = {400, "bare LF"};
      return s;
    } else if (is_control(c)) {
      s.wrong = {400, "control character"};
      return s;
    }
  }
  return s;
}

inline head_result parse_head(std::string_view buffer, const limits& bounds, std::size_t* scanned) {
  head_result result;
  const auto rejected = [&](fault why) {
    result.step = head_result::reject;
    result.status = why.status;
    result.reason = why.reason;
    result.value = {};
    return std::move(result);
  };

  const std::string_view bytes = buffer.substr(0, bounds.head_bytes);
  // RFC 9112 §2.2: skip "at least one" empty line before a request. Some clients send one after a body; sixteen is an
  // endless stream of them.
  std::size_t begin = 0;
  while (begin < 32 && bytes.substr(begin, 2) == "\r\n") begin += 2;

  const head_scan seen = scan_head(bytes, begin, (std::max)(begin, scanned != nullptr ? *scanned : 0));
  if (scanned != nullptr) *scanned = seen.stop;

  // The lines come before the wrong byte, because they are before it on the wire.
  head_reader reader(bounds, result.value);
  if (seen.grown || seen.wrong || buffer.size() > bytes.size()) {
    for (std::size_t at = begin; at < seen.line;) {
      const auto line_end = bytes.find('\r', at);
      const auto line = bytes.substr(at, line_end - at);
      const bool first = at == begin;
      at = line_end + 2;
      if (line.empty() && !first) break;
      if (const fault why = reader.begun(line, first)) return rejected(why);
      if (const fault why = first ? reader.request_line(line) : reader.field_line(line)) return rejected(why);
    }
  }
  if (seen.end != 0) {
    if (const fault why = reader.finish()) return rejected(why);
    result.step = head_result::complete;
    result.consumed = seen.end;
    return result;
  }

  const auto partial = bytes.substr(seen.line, seen.stop - seen.line);
  if (const fault why = reader.begun(partial, seen.line == begin)) return rejected(why);
  if (seen.wrong) return rejected(seen.wrong);
  if (buffer.size() > bytes.size()) return rejected({431, "head too large"});
  result.value = {};
  return result;
}

inline std::string canonical_head(const head& value, bool escape_percent) {
  std::string out;
  out.reserve(256);
  const auto put = [&out](std::initializer_list<std::string_view> pieces) {
    for (const auto piece : pieces) out += piece;
  };

  put({value.method, " ", value.path});
  if (!value.query.empty()) put({"?", value.query});
  put({value.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n"});

  const auto put_field = [&](std::string_view name, const std::vector<std::string_view>& values) {
    // cpp-httplib before 0.44 decodes the values of all fields but these two.
    const bool escaped =
        escape_percent && !text::equal_nocase(name, "Location") && !text::equal_nocase(name, "Referer");
    put({name, ": "});
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto content = values[i];
      for (auto mark = content.find('%'); escaped && mark != std::string_view::npos; mark = content.find('%')) {
        put({content.substr(0, mark), "%25"});
        content.remove_prefix(mark + 1);
      }
      put({content, i + 1 < values.size() ? between_values(name) : "\r\n"});
    }
  };
  if (!value.host.empty() && !value.find("Host")) put_field("Host", {value.host});  // an absolute-form target in 1.0
  for_each_name(value, put_field);

  if (value.framing == framing::chunked) {
    put({"Transfer-Encoding: chunked\r\n"});
  } else if (value.framing == framing::length || states_no_body(value)) {
    put({"Content-Length: ", std::to_string(value.content_length), "\r\n"});
  }
  if (states_connection(value)) {
    put({"Connection: ", !value.keep_alive ? "close" : value.upgrade ? "Upgrade" : "Keep-Alive", "\r\n"});
  }
  put({"\r\n"});
  return out;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
