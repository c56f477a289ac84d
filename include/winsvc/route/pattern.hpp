// Route pattern: parses the path of a route, such as `/users/{id}`, and compares two patterns.
//
//   parse_pattern("/users/{id}")            // one segment, not empty:              /users/7
//   parse_pattern("/files/{path...}")       // the rest of the path, may be empty:  /files/  /files/a/b  (not /files)
//   compare(a, b), common_path(a, b)        // relation::overlap, "/x/y"
//
//   pattern   = 1*( "/" segment )           only the last segment may be empty: "/users/" and "/users" are different
//   segment   = literal / "{" name "}" / "{" name "...}"          "..." only in the last segment
//   name      = ( letter / "_" ) *( letter / digit / "_" )        unique within the pattern
//   literal   = decoded UTF-8 text without "/" "{" "}" "?" "#", controls, and escapes: write "\u00FC", not "%C3%BC"
//
// The value of a parameter is decoded: `%2F` becomes a slash in it, so it can be "../../etc/passwd". It is not safe as
// a part of a file path. A tail has neither an encoded slash nor dot segments.
//
// A pattern in the spelling of another framework ("/*", ":id", "<int:id>", "{id:int}") is an error that shows the right
// spelling (route/foreign_pattern.hpp). There are no wildcards within a segment, no optional parts and no regular
// expressions. With these three kinds of segments, registration can decide which of two patterns a path belongs to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/foreign_pattern.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The part of a pattern between two slashes.
struct segment {
  enum class segment_kind { literal, parameter, tail };
  segment_kind kind = segment_kind::literal;
  std::string text;  ///< of a literal: the decoded segment; else the name of the parameter
};

/// A parsed pattern. A value: copy it, compare it, print its `text`.
struct pattern {
  std::string text;
  std::vector<segment> segments;   ///< at least one segment: "/" is one empty literal
  std::vector<std::string> names;  ///< names of the parameters in order; the name of the tail is the last
};

/// Parses a pattern. Throws setup_error with the pattern, the offset and the reason.
[[nodiscard]] pattern parse_pattern(std::string_view text);

/// The relation of the set of paths that pattern a matches to that of pattern b: equal, a subset, a superset, neither
/// but with common paths, or without common paths.
enum class relation { same, more_specific, more_general, overlap, disjoint };

[[nodiscard]] relation compare(const pattern& a, const pattern& b) noexcept;

/// True if the first segments of a received path match all segments of a pattern without a tail. The rest can be
/// anything, also a path that no route accepts: with an encoded slash, a dot segment or an invalid escape.
[[nodiscard]] bool has_prefix(std::string_view raw_path, const pattern& prefix);
/// True if prefix a decides about a path that has both prefixes: at the first difference it has a literal and not a
/// parameter, or it is longer.
[[nodiscard]] bool prefix_precedes(const pattern& a, const pattern& b) noexcept;

/// A path that both patterns match, percent-encoded as a client sends it. Empty if the patterns are disjoint.
[[nodiscard]] std::string common_path(const pattern& a, const pattern& b);

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

WINSVC_INLINE void throw_bad_pattern(std::string_view text, std::size_t position, std::string_view reason) {
  std::string printable(text);
  for (char& c : printable) {
    if (static_cast<unsigned char>(c) < 0x20) c = '?';  // a NUL would end the message
  }
  throw setup_error("pattern '" + printable + "': " + std::string(reason) + " (at offset " + std::to_string(position) +
                    ")");
}

/// Throws for characters that a pattern must not contain at any position.
WINSVC_INLINE void check_pattern_text(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    const char32_t c = base::next_code_point(text, position);
    if (c == '?' || c == '#') throw_bad_pattern(text, begin, "a pattern is only a path, without '?' and '#'");
    if (c < 0x20 || c == 0x7F) throw_bad_pattern(text, begin, "control character");
    if (c == '%' && escaped_byte(text, begin) >= 0) {
      throw_bad_pattern(text, begin, "percent-encoded character; write the character itself");
    }
    // A real U+FFFD has three bytes; U+FFFD for one byte means that the byte is not UTF-8.
    if (c == 0xFFFD && position - begin == 1) {
      throw_bad_pattern(text, begin, "not UTF-8; save the source file as UTF-8 and, with MSVC, compile with /utf-8");
    }
  }
}

/// Parses the segment `raw`, which begins at `position` in `text`.
WINSVC_INLINE segment parse_segment(std::string_view text, std::size_t position, std::string_view raw, bool last) {
  const auto open = raw.find('{');
  const auto close = raw.find('}');
  constexpr auto none = std::string_view::npos;
  if (open == none && close == none) {
    if (raw.empty() && !last) throw_bad_pattern(text, position, "empty segment; only the last segment may be empty");
    if (raw == "." || raw == "..")
      throw_bad_pattern(text, position, "clients remove '.' and '..', so no request has them; remove the segment");
    return {segment::segment_kind::literal, std::string(raw)};
  }
  if (open == none) throw_bad_pattern(text, position + close, "'}' without '{'");
  if (close == none) throw_bad_pattern(text, position + open, "'{' without '}'");
  if (open != 0 || close + 1 != raw.size()) {
    throw_bad_pattern(text, position, "a parameter must be a whole segment, without text before '{' or after '}'");
  }

  std::string_view name = raw.substr(1, raw.size() - 2);
  const bool tail = name.size() >= 3 && name.substr(name.size() - 3) == "...";
  if (tail) name.remove_suffix(3);
  if (name.empty()) {
    throw_bad_pattern(text, position, "write a name, for example '{value}', in place of a parameter without a name");
  }
  if (!is_identifier(name)) {
    throw_bad_pattern(text, position + 1,
                      "a parameter name begins with a letter or '_' and has only letters, digits and '_'");
  }
  if (tail && !last) {
    throw_bad_pattern(text, position, "'...' matches the rest of the path, so it must be the last segment");
  }
  return {tail ? segment::segment_kind::tail : segment::segment_kind::parameter, std::string(name)};
}

WINSVC_INLINE pattern parse_pattern(std::string_view text) {
  if (text.empty() || text[0] != '/') throw_bad_pattern(text, 0, "a pattern must begin with '/'");
  if (const std::string spelling = foreign_spelling(text); !spelling.empty())
    throw setup_error("pattern '" + std::string(text) + "': " + spelling);
  check_pattern_text(text);

  pattern parsed;
  parsed.text = text;
  for (std::size_t position = 1;;) {
    const auto slash = text.find('/', position);
    const bool last = slash == std::string_view::npos;
    segment next = parse_segment(text, position, text.substr(position, last ? slash : slash - position), last);
    if (next.kind != segment::segment_kind::literal) {
      if (std::find(parsed.names.begin(), parsed.names.end(), next.text) != parsed.names.end()) {
        throw_bad_pattern(text, position + 1, "duplicate parameter name '" + next.text + "'");
      }
      parsed.names.push_back(next.text);
    }
    parsed.segments.push_back(std::move(next));
    if (last) return parsed;
    position = slash + 1;
  }
}

/// Combines the relation of the previous segments with the relation of the next two segments.
constexpr relation combine_relations(relation previous, relation next) noexcept {
  if (previous == relation::disjoint || next == relation::disjoint) return relation::disjoint;
  if (previous == relation::same || previous == next) return next;
  return next == relation::same ? previous : relation::overlap;
}

WINSVC_INLINE relation compare(const segment& a, const segment& b) noexcept {
  using kind = segment::segment_kind;
  if (a.kind == b.kind) return a.kind != kind::literal || a.text == b.text ? relation::same : relation::disjoint;
  if (a.kind == kind::tail) return relation::more_general;
  if (b.kind == kind::tail) return relation::more_specific;
  const segment& literal = a.kind == kind::literal ? a : b;
  if (literal.text.empty()) return relation::disjoint;  // a parameter is never empty
  return a.kind == kind::literal ? relation::more_specific : relation::more_general;
}

WINSVC_INLINE relation compare(const pattern& a, const pattern& b) noexcept {
  relation combined = relation::same;
  for (std::size_t i = 0; i < a.segments.size() && i < b.segments.size(); ++i) {
    combined = combine_relations(combined, compare(a.segments[i], b.segments[i]));
    if (combined == relation::disjoint) return combined;
    constexpr auto tail = segment::segment_kind::tail;
    if (a.segments[i].kind == tail || b.segments[i].kind == tail) return combined;  // a tail matches any rest
  }
  return a.segments.size() == b.segments.size() ? combined : relation::disjoint;
}

WINSVC_INLINE bool has_prefix(std::string_view raw_path, const pattern& prefix) {
  using kind = segment::segment_kind;
  for (const segment& expected : prefix.segments) {
    if (raw_path.empty() || raw_path[0] != '/' || expected.kind == kind::tail) return false;
    const auto end = (std::min)(raw_path.find('/', 1), raw_path.size());
    const std::string_view raw = raw_path.substr(1, end - 1);
    std::string decoded;
    const bool matches = expected.kind == kind::parameter
                             ? !raw.empty()
                             : raw == expected.text || (decode_segment(raw, decoded) && decoded == expected.text);
    if (!matches) return false;
    raw_path.remove_prefix(end);
  }
  return true;
}

WINSVC_INLINE bool prefix_precedes(const pattern& a, const pattern& b) noexcept {
  for (std::size_t i = 0; i < a.segments.size() && i < b.segments.size(); ++i) {
    if (a.segments[i].kind != b.segments[i].kind) return a.segments[i].kind < b.segments[i].kind;
  }
  return a.segments.size() > b.segments.size();
}

WINSVC_INLINE std::string common_path(const pattern& a, const pattern& b) {
  if (compare(a, b) == relation::disjoint) return {};
  using kind = segment::segment_kind;
  std::string path;
  for (std::size_t i = 0; i < (std::max)(a.segments.size(), b.segments.size()); ++i) {
    // The more specific of the two segments; after a tail, the segment of the other pattern. The value of a parameter
    // is its name.
    const segment* specific = i < a.segments.size() ? &a.segments[i] : &b.segments[i];
    if (i < b.segments.size() && b.segments[i].kind < specific->kind) specific = &b.segments[i];
    path += '/' + percent_encode_segment(specific->text);
    if (specific->kind == kind::tail) break;
  }
  return path;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
