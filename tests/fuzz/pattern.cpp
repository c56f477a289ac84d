// Lines of text: patterns, and a path in the last one. Whatever they are: patterns relate both ways alike, a witness is
// matched by both, and the table finds what a search through all patterns finds, whatever came first.
#include <algorithm>

#include "winsvc/route/table.hpp"

#include "require.hpp"

using namespace winsvc::route;
using winsvc::setup_error;
using winsvc::source_location;

namespace {

/// The definition, segment by segment, without a tree.
bool matches(const pattern& p, const std::vector<std::string>& path) {
  for (std::size_t i = 0; i < p.segments.size(); ++i) {
    const auto& s = p.segments[i];
    if (i >= path.size()) return false;
    if (s.kind == segment::segment_kind::tail) {
      return std::all_of(path.begin() + static_cast<std::ptrdiff_t>(i), path.end(),
                         [](const std::string& chunk) { return chunk.find('/') == std::string::npos; });
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
  const relation is = compare(a, b);
  require(compare(b, a) == mirrored(is), "patterns relate both ways alike");
  const std::string path = common_path(a, b);
  require(path.empty() == (is == relation::disjoint), "a witness unless they are apart");
  if (path.empty()) return;
  const auto segments = decode_path(path);
  require(segments && matches(a, *segments) && matches(b, *segments), "a witness is matched by both");
}

void check_path(const std::vector<pattern>& patterns, const table& t, std::string_view raw) {
  const auto result = t.match(method::get, raw);
  const auto segments = decode_path(raw);
  require(segments.has_value() == path_is_valid(raw), "valid when it can be decoded");
  if (!segments) {
    require(result.outcome == match_outcome::bad_path, "what cannot be decoded is a bad path");
    return;
  }
  const bool any = std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return matches(p, *segments); });
  require((result.outcome == match_outcome::matched) == any, "found when some pattern matches");
  require(t.methods_at(raw).empty() == !any, "allowed where found");
  if (!any) return;

  const pattern& best = patterns[result.route_id];
  require(matches(best, *segments), "the pattern found does match");
  require(result.values.size() == best.names.size(), "a value for each name");
  for (const auto& p : patterns) {
    if (matches(p, *segments)) require(compare(best, p) != relation::more_general, "the narrowest was found");
  }
  require(t.match(method::put, raw).outcome == match_outcome::method_not_allowed, "allowed with another method");
}

/// The table of those that do not conflict; ids are places in `kept`.
table built(const std::vector<pattern>& from, std::vector<pattern>& kept) {
  table t;
  for (const auto& p : from) {
    try {
      t.add(method::get, p.text, kept.size(), source_location{});
      kept.push_back(p);
    } catch (const setup_error&) {
      const bool conflict = std::any_of(kept.begin(), kept.end(), [&](const auto& k) {
        const auto is = compare(p, k);
        return is == relation::same || is == relation::overlap;
      });
      require(conflict, "refused for a conflict alone");
    }
  }
  return t;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), (std::min)(size, std::size_t{512}));
  const auto lines = winsvc::strings::split(bytes, '\n');

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

  std::vector<pattern> kept, turned;
  const table t = built(patterns, kept);
  const table u = built({kept.rbegin(), kept.rend()}, turned);
  require(kept.size() == turned.size(), "conflicts do not depend on the order");
  std::string path(lines.back());
  check_path(kept, t, path);
  check_path(turned, u, path);
  for (const auto& a : kept) {
    for (const auto& b : kept) {
      if (compare(a, b) != relation::disjoint) check_path(kept, t, common_path(a, b));
    }
  }

  // Any text is a segment once it is encoded.
  const auto whole = decode_path('/' + percent_encode_segment(lines.back()));
  const bool nul = lines.back().find('\0') != std::string_view::npos;
  require(nul ? !whole : whole && whole->size() == 1 && whole->front() == lines.back(), "encoded and back");
  return 0;
}
