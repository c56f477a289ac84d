// The paths a route serves, as one line of text, and how two of them relate.
//
//   parse_pattern("/users/{id}")            // one segment, not empty:           /users/7
//   parse_pattern("/files/{path...}")       // all the rest, also an empty one:  /files/  /files/a/b  (not /files)
//   compare(a, b), witness(a, b)            // relation::overlap, "/x/y"
//
//   pattern   = 1*( "/" segment )           only the last segment may be empty: "/users/" is another path than "/users"
//   segment   = literal / "{" name "}" / "{" name "...}"          "..." in the last segment alone
//   name      = ( letter / "_" ) *( letter / digit / "_" )        each name once
//   literal   = decoded UTF-8 text without "/" "{" "}" "?" "#", controls, and escapes: write "\u00FC", not "%C3%BC"
//
// It has no wildcards inside a segment, no optional parts and no regular expressions: with these three kinds, which of
// two patterns is meant for a path can be decided when they are registered.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/path.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// One piece between slashes.
struct segment {
  enum class segment_kind { literal, parameter, tail };
  segment_kind kind = segment_kind::literal;
  std::string text;  ///< of a literal: what a decoded segment must equal; else the name
};

/// A parsed pattern. A value: copy it, compare it, print its `text`.
struct pattern {
  std::string text;
  std::vector<segment> segments;   ///< at least one: "/" is one empty literal
  std::vector<std::string> names;  ///< of the parameters, in their order; the tail's is the last
};

/// Parses, or throws a setup_error that shows the pattern, the offset and what is wrong there.
[[nodiscard]] pattern parse_pattern(std::string_view text);

/// How the paths of one pattern lie to those of another: equal, within, around, crossing, apart.
enum class relation { same, more_specific, more_general, overlap, disjoint };

[[nodiscard]] relation compare(const pattern& a, const pattern& b) noexcept;

/// A path that both match, percent-encoded as a client would send it; empty when there is none.
[[nodiscard]] std::string common_path(const pattern& a, const pattern& b);

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

WINSVC_INLINE void throw_bad_pattern(std::string_view text, std::size_t position, std::string_view what) {
  std::string shown(text);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20) c = '?';  // a NUL would end the sentence here
  }
  throw setup_error("pattern '" + shown + "': " + std::string(what) + " (at offset " + std::to_string(position) + ")");
}

WINSVC_INLINE bool is_identifier(std::string_view s) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !s.empty() && letter(s[0]) &&
         std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || strings::is_digit(c); });
}

/// Characters that no segment may hold, wherever they stand.
WINSVC_INLINE void check_pattern_text(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t here = position;
    const char32_t c = strings::next_code_point(text, position);
    if (c == '?' || c == '#') throw_bad_pattern(text, here, "a pattern is a path alone, without '?' and '#'");
    if (c < 0x20 || c == 0x7F) throw_bad_pattern(text, here, "control character");
    if (c == '%' && escaped_byte(text, here) >= 0) {
      throw_bad_pattern(text, here, "escape; write the character itself, patterns are compared decoded");
    }
    // U+FFFD is three bytes when it is really written; one byte is the mark of what is not UTF-8.
    if (c == 0xFFFD && position - here == 1) {
      throw_bad_pattern(text, here, "not UTF-8; save the file as UTF-8 (and compile with /utf-8)");
    }
  }
}

/// The segment `piece`, which stands at `at` in `text`.
WINSVC_INLINE segment parse_segment(std::string_view text, std::size_t position, std::string_view chunk, bool last) {
  const auto open = chunk.find('{');
  const auto close = chunk.find('}');
  constexpr auto none = std::string_view::npos;
  if (open == none && close == none) {
    if (chunk.empty() && !last) throw_bad_pattern(text, position, "empty segment; only the last one may be");
    return {segment::segment_kind::literal, std::string(chunk)};
  }
  if (open == none) throw_bad_pattern(text, position + close, "'}' without '{'");
  if (close == none) throw_bad_pattern(text, position + open, "'{' without '}'");
  if (open != 0 || close + 1 != chunk.size()) {
    throw_bad_pattern(text, position, "a parameter is a whole segment, without text before or after its braces");
  }

  std::string_view name = chunk.substr(1, chunk.size() - 2);
  const bool tail = name.size() >= 3 && name.substr(name.size() - 3) == "...";
  if (tail) name.remove_suffix(3);
  if (name.empty()) throw_bad_pattern(text, position, "parameter without a name");
  if (!is_identifier(name)) throw_bad_pattern(text, position + 1, "a parameter's name is letters, digits and '_'");
  if (tail && !last) throw_bad_pattern(text, position, "'...' takes all the rest, so it must be the last segment");
  return {tail ? segment::segment_kind::tail : segment::segment_kind::parameter, std::string(name)};
}

WINSVC_INLINE pattern parse_pattern(std::string_view text) {
  if (text.empty() || text[0] != '/') throw_bad_pattern(text, 0, "a pattern begins with '/'");
  check_pattern_text(text);

  pattern parsed;
  parsed.text = text;
  for (std::size_t position = 1;;) {
    const auto slash = text.find('/', position);
    const bool last = slash == std::string_view::npos;
    segment next = parse_segment(text, position, text.substr(position, last ? slash : slash - position), last);
    if (next.kind != segment::segment_kind::literal) {
      if (std::find(parsed.names.begin(), parsed.names.end(), next.text) != parsed.names.end()) {
        throw_bad_pattern(text, position + 1, "the name '" + next.text + "' is there already");
      }
      parsed.names.push_back(next.text);
    }
    parsed.segments.push_back(std::move(next));
    if (last) return parsed;
    position = slash + 1;
  }
}

/// What two segments say together with what the ones before them said.
constexpr relation combine_relations(relation before, relation here) noexcept {
  if (before == relation::disjoint || here == relation::disjoint) return relation::disjoint;
  if (before == relation::same || before == here) return here;
  return here == relation::same ? before : relation::overlap;
}

WINSVC_INLINE relation compare(const segment& a, const segment& b) noexcept {
  using sort = segment::segment_kind;
  if (a.kind == b.kind) return a.kind != sort::literal || a.text == b.text ? relation::same : relation::disjoint;
  if (a.kind == sort::tail) return relation::more_general;
  if (b.kind == sort::tail) return relation::more_specific;
  const segment& literal = a.kind == sort::literal ? a : b;
  if (literal.text.empty()) return relation::disjoint;  // a parameter is never empty
  return a.kind == sort::literal ? relation::more_specific : relation::more_general;
}

WINSVC_INLINE relation compare(const pattern& a, const pattern& b) noexcept {
  relation sum = relation::same;
  for (std::size_t i = 0; i < a.segments.size() && i < b.segments.size(); ++i) {
    sum = combine_relations(sum, compare(a.segments[i], b.segments[i]));
    if (sum == relation::disjoint) return sum;
    const bool tail = a.segments[i].kind == segment::segment_kind::tail || b.segments[i].kind == segment::segment_kind::tail;
    if (tail) return sum;  // it covers whatever the other one still has
  }
  return a.segments.size() == b.segments.size() ? sum : relation::disjoint;
}

WINSVC_INLINE std::string common_path(const pattern& a, const pattern& b) {
  if (compare(a, b) == relation::disjoint) return {};
  using sort = segment::segment_kind;
  std::string path;
  for (std::size_t i = 0; i < (std::max)(a.segments.size(), b.segments.size()); ++i) {
    // The narrower of the two segments; beyond a tail, the other pattern's. A parameter is shown as its name.
    const segment* narrow = i < a.segments.size() ? &a.segments[i] : &b.segments[i];
    if (i < b.segments.size() && b.segments[i].kind < narrow->kind) narrow = &b.segments[i];
    path += '/' + percent_encode_segment(narrow->text);
    if (narrow->kind == sort::tail) break;
  }
  return path;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
