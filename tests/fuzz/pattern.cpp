// Fuzz test of route patterns. The input has a pattern in each line and a path in the last line. The relation of two
// patterns is symmetric, both match their common path, and the table finds the same routes as a linear search,
// regardless of the order of registration.
#include <algorithm>

#include "winsvc/route/table.hpp"

#include "require.hpp"

using namespace winsvc::detail::route;
using winsvc::setup_error;
using winsvc::source_location;

namespace {

/// Reference implementation: compares segment by segment, without a tree.
bool matches(const pattern& p, const std::vector<std::string>& path) {
  for (std::size_t i = 0; i < p.segments.size(); ++i) {
    const auto& s = p.segments[i];
    if (i >= path.size()) return false;
    if (s.kind == segment::segment_kind::tail) {
      return std::all_of(path.begin() + static_cast<std::ptrdiff_t>(i), path.end(), [](const std::string& text) {
        return text.find('/') == std::string::npos && text != "." && text != "..";
      });
    }
    if (s.kind == segment::segment_kind::literal ? s.text != path[i] : path[i].empty()) return false;
  }
  return p.segments.size() == path.size();
}

relation mirrored(relation r) {
  if (r == relation::more_specific) return relation::more_general;
  if (r == relation::more_general) return relation::more_specific;
  return r;
}

void check_pair(const pattern& a, const pattern& b) {
  const relation ab = compare(a, b);
  require(compare(b, a) == mirrored(ab), "the relation is symmetric");
  const std::string path = common_path(a, b);
  require(path.empty() == (ab == relation::disjoint), "a common path exists unless the patterns are disjoint");
  if (path.empty()) return;
  const auto segments = decode_path(path);
  require(segments && matches(a, *segments) && matches(b, *segments), "both patterns match the common path");
}

void check_path(const std::vector<pattern>& patterns, const table& t, std::string_view raw) {
  const auto result = t.match(method::get, raw);
  const auto segments = decode_path(raw);
  require(segments.has_value() == path_is_valid(raw), "a path is valid if it can be decoded");
  if (!segments) {
    require(result.outcome == match_outcome::bad_path, "a path that cannot be decoded is a bad path");
    return;
  }
  const bool exists = std::any_of(patterns.begin(), patterns.end(),
                                  [&](const auto& p) { return matches(p, *segments); });
  require((result.outcome == match_outcome::matched) == exists, "a route is found if a pattern matches");
  require(t.methods_at(raw).empty() == !exists, "methods exist if a pattern matches");
  if (!exists) return;

  const pattern& best = patterns[result.route_id];
  require(matches(best, *segments), "the pattern of the route matches");
  require(result.values.size() == best.names.size(), "a value for each name");
  for (const auto& p : patterns) {
    if (matches(p, *segments)) require(compare(best, p) != relation::more_general, "the pattern is the most specific");
  }
  require(t.match(method::put, raw).outcome == match_outcome::method_not_allowed, "another method is not allowed");
}

/// Builds a table of the patterns that do not conflict. The ids are positions in `added`.
table build_table(const std::vector<pattern>& patterns, std::vector<pattern>& added) {
  table t;
  for (const auto& p : patterns) {
    try {
      t.add(method::get, p.text, added.size(), source_location{});
      added.push_back(p);
    } catch (const setup_error&) {
      const bool has_conflict = std::any_of(added.begin(), added.end(), [&](const auto& other) {
        const auto result = compare(p, other);
        return result == relation::same || result == relation::overlap;
      });
      require(has_conflict, "a pattern is rejected only for a conflict");
    }
  }
  return t;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), (std::min)(size, std::size_t{512}));
  const auto lines = winsvc::detail::base::split(bytes, '\n');

  std::vector<pattern> patterns;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    try {
      patterns.push_back(parse_pattern(lines[i]));
    } catch (const setup_error&) {
    }
  }
  for (const auto& a : patterns) {
    for (const auto& b : patterns) check_pair(a, b);
  }

  std::vector<pattern> added, added_reversed;
  const table forward = build_table(patterns, added);
  const table reversed = build_table({added.rbegin(), added.rend()}, added_reversed);
  require(added.size() == added_reversed.size(), "conflicts do not depend on the order");
  std::string path(lines.back());
  check_path(added, forward, path);
  check_path(added_reversed, reversed, path);
  for (const auto& a : added) {
    for (const auto& b : added) {
      if (compare(a, b) != relation::disjoint) check_path(added, forward, common_path(a, b));
    }
  }

  // Each text without NUL is a segment after it is encoded.
  const auto decoded = decode_path('/' + percent_encode_segment(lines.back()));
  const bool has_nul = lines.back().find('\0') != std::string_view::npos;
  require(has_nul ? !decoded : decoded && decoded->size() == 1 && decoded->front() == lines.back(),
          "an encoded segment decodes to the same text");
  return 0;
}
