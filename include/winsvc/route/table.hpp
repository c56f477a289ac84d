// The routes of an app as a tree of segments: which one serves a path, and if none does, what could be asked instead.
//
//   table routes;
//   routes.add(method::get, "/users/{id}", 0, source::here());
//   routes.add(method::get, "/users/me", 1, source::here());
//   routes.match(method::get, "/users/me")       // found, id 1: a literal beats a parameter beats a tail
//   routes.match(method::post, "/users/7")       // method_not_allowed, allowed.allow() == "GET, HEAD, OPTIONS"
//
// A match costs by the depth of the path, not by the number of routes, and one of a path without parameters allocates
// nothing. What is served does not depend on the order of registration: where two routes could claim one path with
// equal right, `add` throws. It holds ids, not handlers, and answers nothing itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/route/pattern.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// The answers: serve it, 404, 405 (or 204 to OPTIONS) with Allow, 400, and 503 while the service is paused (which the
/// table itself never says).
enum class match_outcome { matched, not_found, method_not_allowed, bad_path, paused };

struct match_result {
  match_outcome outcome = match_outcome::not_found;
  std::size_t route_id = 0;                ///< of the route, when found
  std::vector<std::string> values;   ///< of its parameters, decoded, in their order, when found
  method_set allowed;                ///< what this path can be asked for, when method_not_allowed
  std::optional<std::size_t> sibling_id;  ///< a route of this path for another method, when method_not_allowed
};

/// A registered route, as `app.exe routes` lists it.
struct route_entry {
  method method_id;
  pattern path;
  std::size_t id;
  source_location location;
  route_metadata metadata;

  /// `GET /users/{id} (main.cpp:12)`, for sentences.
  [[nodiscard]] std::string text() const {
    return std::string(name(method_id)) + ' ' + path.text + " (" + location.to_string() + ')';
  }
};

class table {
 public:
  table() : nodes_(1) {}

  /// Adds a route. Throws setup_error when the pattern is malformed, or when a route is there that serves the same
  /// method (or `any`) and claims some path with equal right: the same paths, or crossing ones. One pattern within the
  /// other is fine, the narrower wins; the same pattern once for a method and once for `any` too, the method wins.
  void add(method verb, std::string_view pattern_text, std::size_t id, source_location location);

  /// The route for a request. `raw_path` is as received: not decoded, without the query.
  ///
  /// Segment by segment from the left a literal is tried before a parameter before a tail; a branch without a route for
  /// the method is left again. HEAD is served by GET (RFC 9110 section 9.3.2). OPTIONS without a route of its own (or
  /// `any`) is method_not_allowed: the caller answers it from `allowed` (RFC 9110 section 9.3.7).
  ///
  /// The value of a tail is its decoded segments joined with '/'. An encoded slash in there would be lost among them,
  /// so a tail does not take such a path: when nothing else does either, it is bad_path.
  [[nodiscard]] match_result match(method verb, std::string_view raw_path) const;

  /// What a path can be asked for; empty where `match` would say not_found or bad_path.
  [[nodiscard]] method_set methods_at(std::string_view raw_path) const;
  /// What some path can be asked for: the answer to `OPTIONS *`.
  [[nodiscard]] method_set all_methods() const noexcept { return all_; }

  [[nodiscard]] bool has_routes() const noexcept { return !entries_.empty(); }
  /// In the order of registration.
  [[nodiscard]] const std::vector<route_entry>& entries() const noexcept { return entries_; }
  /// What is known of the route that was added as the index-th.
  [[nodiscard]] route_metadata& metadata(std::size_t index) noexcept { return entries_[index].metadata; }

  /// Names the routes from `first` up to `last`, which have one pattern. Throws setup_error when the name is empty or
  /// that of other routes (both places are named), or when they have one already.
  void name_routes(std::size_t first, std::size_t last, std::string name);
  /// The first route of this name; null when there is none.
  [[nodiscard]] const route_entry* find_by_name(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The routes that end at one place: an index into entries_ for each method, `any` among them.
  struct route_leaf {
    route_leaf() { by_method.fill(none); }
    [[nodiscard]] std::size_t route_for(method verb) const noexcept;
    std::array<std::size_t, method_count + 1> by_method;
    method_set methods;
  };
  struct node {
    std::vector<std::pair<std::string, std::size_t>> literals;  ///< sorted, for a binary search
    std::size_t parameter = none;
    route_leaf exact;  ///< the path ends with this segment
    route_leaf tail;  ///< a tail takes what follows
  };
  /// One walk: what is asked, and what was met.
  struct match_search {
    std::optional<method> verb;  ///< nothing: collect `allowed` only
    std::size_t found = none;
    std::size_t path_matched = none;  ///< the first route of another method
    std::vector<std::string_view> values;  ///< raw
    method_set allowed;
    bool slash_in_tail = false;
  };

  void check_conflicts(method verb, const pattern& path, source_location location) const;
  std::size_t child(std::size_t parent, const segment& segment);
  [[nodiscard]] std::size_t literal(const node& parent, std::string_view raw) const;
  [[nodiscard]] bool match_segment(const node& from, std::string_view rest, match_search& s) const;
  [[nodiscard]] bool match_next(std::size_t to, std::string_view rest, std::size_t slash, match_search& s) const;
  [[nodiscard]] static bool accept_leaf(const route_leaf& end, match_search& s) noexcept;

  std::vector<node> nodes_;  // [0] is the root, before the first segment
  std::vector<route_entry> entries_;
  std::map<std::string, std::size_t, std::less<>> names_;  // to the first entry that has it
  method_set all_;
};

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

WINSVC_INLINE void table::check_conflicts(method verb, const pattern& path, source_location location) const {
  for (const auto& old : entries_) {
    const bool equal = old.method_id == verb;
    if (!equal && old.method_id != method::any && verb != method::any) continue;
    const relation how = compare(path, old.path);
    if (how != relation::overlap && !(how == relation::same && equal)) continue;

    throw setup_error(route_entry{verb, path, 0, location, {}}.text() + " conflicts with " + old.text() +
                      ": both match " + common_path(path, old.path) +
                      (how == relation::same ? "; remove one" : "; make one of them narrower than the other"));
  }
}

WINSVC_INLINE void table::add(method verb, std::string_view pattern_text, std::size_t id, source_location location) {
  pattern path = parse_pattern(pattern_text);
  check_conflicts(verb, path, location);

  std::size_t position = 0;
  bool tail = false;
  for (const auto& segment : path.segments) {
    tail = segment.kind == segment::segment_kind::tail;
    if (!tail) position = child(position, segment);
  }
  route_leaf& end = tail ? nodes_[position].tail : nodes_[position].exact;
  end.by_method[static_cast<std::size_t>(verb)] = entries_.size();
  end.methods.add(verb);
  all_.add(verb);
  entries_.push_back({verb, std::move(path), id, location, {}});
}

WINSVC_INLINE void table::name_routes(std::size_t first, std::size_t last, std::string name) {
  const route_entry& one = entries_[first];
  if (name.empty()) throw setup_error(one.text() + ": its name is empty");
  if (!one.metadata.name.empty()) {
    throw setup_error(one.text() + ": it is named '" + one.metadata.name + "' already, and now '" + name + "'");
  }
  const auto [at, fresh] = names_.emplace(name, first);
  if (!fresh) {
    throw setup_error(one.text() + " and " + entries_[at->second].text() + " are both named '" + name +
                      "'; a name is one route's, so that url_for knows which");
  }
  for (std::size_t i = first; i < last; ++i) entries_[i].metadata.name = name;
}

WINSVC_INLINE const route_entry* table::find_by_name(std::string_view name) const noexcept {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &entries_[found->second];
}

WINSVC_INLINE std::vector<std::string_view> table::names() const {
  std::vector<std::string_view> items;
  for (const auto& [name, index] : names_) items.push_back(name);
  return items;
}

WINSVC_INLINE std::size_t table::child(std::size_t parent, const segment& segment) {
  const std::size_t fresh = nodes_.size();
  if (segment.kind == segment::segment_kind::parameter) {
    if (nodes_[parent].parameter != none) return nodes_[parent].parameter;
    nodes_[parent].parameter = fresh;
  } else {
    auto& literals = nodes_[parent].literals;
    const auto position = std::lower_bound(literals.begin(), literals.end(), segment.text,
                                     [](const auto& have, const std::string& want) { return have.first < want; });
    if (position != literals.end() && position->first == segment.text) return position->second;
    literals.emplace(position, segment.text, fresh);
  }
  nodes_.emplace_back();
  return fresh;
}

WINSVC_INLINE std::size_t table::literal(const node& parent, std::string_view raw) const {
  std::string decoded;  // escapes are rare: without one, the request's own bytes are compared
  if (raw.find('%') != std::string_view::npos) {
    if (!decode_segment(raw, decoded)) return none;
    raw = decoded;
  }
  const auto& literals = parent.literals;
  const auto position = std::lower_bound(literals.begin(), literals.end(), raw,
                                   [](const auto& have, std::string_view want) { return have.first < want; });
  return position != literals.end() && position->first == raw ? position->second : none;
}

WINSVC_INLINE std::size_t table::route_leaf::route_for(method verb) const noexcept {
  const auto own = by_method[static_cast<std::size_t>(verb)];
  if (own != none) return own;
  const auto get = by_method[static_cast<std::size_t>(method::get)];
  if (verb == method::head && get != none) return get;
  return by_method[static_cast<std::size_t>(method::any)];
}

WINSVC_INLINE bool table::accept_leaf(const route_leaf& end, match_search& s) noexcept {
  s.allowed.add(end.methods);
  if (s.verb) s.found = end.route_for(*s.verb);
  if (s.found != none) return true;
  for (const auto other : end.by_method) s.path_matched = (std::min)(s.path_matched, other);
  return false;
}

/// One segment further, to the node `to`: the path ends there, or is walked on behind its slash.
WINSVC_INLINE bool table::match_next(std::size_t to, std::string_view rest, std::size_t slash, match_search& s) const {
  if (slash == std::string_view::npos) return accept_leaf(nodes_[to].exact, s);
  return match_segment(nodes_[to], rest.substr(slash + 1), s);
}

/// `tail` is the raw path behind the slash that led to `from`. True when a route was found. Every node is reached by
/// one way only, so that backtracking visits none twice; the recursion is as deep as the deepest pattern, not as the
/// path.
WINSVC_INLINE bool table::match_segment(const node& from, std::string_view rest, match_search& s) const {
  const auto slash = rest.find('/');
  const std::string_view raw = rest.substr(0, slash);

  const std::size_t same = literal(from, raw);
  if (same != none && match_next(same, rest, slash, s)) return true;

  if (from.parameter != none && !raw.empty()) {
    s.values.push_back(raw);
    if (match_next(from.parameter, rest, slash, s)) return true;
    s.values.pop_back();
  }

  if (from.tail.methods.empty()) return false;
  if (rest.find("%2F") != std::string_view::npos || rest.find("%2f") != std::string_view::npos) {
    s.slash_in_tail = true;
    return false;
  }
  s.values.push_back(rest);
  if (accept_leaf(from.tail, s)) return true;
  s.values.pop_back();
  return false;
}

WINSVC_INLINE match_result table::match(method verb, std::string_view raw_path) const {
  match_result result;
  if (!path_is_valid(raw_path)) {
    result.outcome = match_outcome::bad_path;
    return result;
  }

  match_search s;
  s.verb = verb;
  if (match_segment(nodes_[0], raw_path.substr(1), s)) {
    result.outcome = match_outcome::matched;
    result.route_id = entries_[s.found].id;
    result.values.reserve(s.values.size());
    for (const auto raw : s.values) {
      // A tail is decoded in one go: it holds no encoded slash, so its slashes are the real ones. Valid, as checked.
      static_cast<void>(decode_segment(raw, result.values.emplace_back()));
    }
  } else if (!s.allowed.empty()) {
    result.outcome = match_outcome::method_not_allowed;
    result.allowed = s.allowed;
    result.sibling_id = entries_[s.path_matched].id;
  } else if (s.slash_in_tail) {
    result.outcome = match_outcome::bad_path;
  }
  return result;
}

WINSVC_INLINE method_set table::methods_at(std::string_view raw_path) const {
  match_search s;
  if (path_is_valid(raw_path)) static_cast<void>(match_segment(nodes_[0], raw_path.substr(1), s));
  return s.allowed;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
