// Route table (route::table): finds the route of a request path in a tree of segments. If no route matches, it reports
// the allowed methods.
//
//   route::table routes;
//   routes.add(method::get, "/users/{id}", 0, source_location::current());
//   routes.add(method::get, "/users/me", 1, source_location::current());
//   routes.match(method::get, "/users/me")       // matched, id 1: a literal precedes a parameter
//   routes.match(method::post, "/users/7")       // method_not_allowed, allowed.allow() == "GET, HEAD, OPTIONS"
//
// The time of a match depends on the number of segments, not on the number of routes. A match of a path without
// parameters allocates nothing. The result does not depend on the order of registration: if two routes match one path
// with equal precedence, `add` throws. The table stores ids of routes, not handlers, and sends no responses.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/reserve_one.hpp"
#include "winsvc/base/source_location.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/route/pattern.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

/// The result of a match, and the response that follows from it.
///
/// | outcome            | response                                     |
/// |--------------------|----------------------------------------------|
/// | matched            | of the handler                               |
/// | not_found          | 404                                          |
/// | method_not_allowed | 405 with Allow; 204 with Allow for OPTIONS   |
/// | bad_path           | 400                                          |
/// | redirect           | 308 to the path with or without final slash; |
/// |                    | set by the router, never by the table        |
/// | paused             | 503; set by the caller, never by the table   |
enum class match_outcome { matched, not_found, method_not_allowed, bad_path, redirect, paused };

struct match_result {
  match_outcome outcome = match_outcome::not_found;
  std::size_t route_id = 0;               ///< id of the route, if matched
  std::vector<std::string> values;        ///< decoded values of its parameters in order, if matched
  method_set allowed;                     ///< methods of this path, if method_not_allowed
  std::optional<std::size_t> sibling_id;  ///< a route of this path, if method_not_allowed or paused
  std::string_view reason;                ///< for the response, if bad_path
  bool has_dot_segment = false;           ///< bad_path, because a tail would contain "." or ".."
};

/// A registered route. The verb `routes` lists these entries.
struct route_entry {
  method method_id;
  pattern path;
  std::size_t id;
  source_location location;
  route_metadata metadata;
  std::string other_name{};  ///< name of the method, if it is `other`

  [[nodiscard]] std::string_view method_name() const noexcept {
    return method_id == method::other ? std::string_view(other_name) : name(method_id);
  }
  /// `GET /users/{id} (main.cpp:12)`, for messages.
  [[nodiscard]] std::string text() const {
    return std::string(method_name()) + ' ' + path.text + " (" + location.to_string() + ')';
  }
};

/// The routes of an app. Not synchronized: registration ends before the first match.
class table {
 public:
  table() : nodes_(1) {}

  /// Adds a route. Throws setup_error if the pattern is malformed or conflicts with the pattern of a route for the same
  /// method (or `any`). Two patterns conflict if they match the same paths, or if they have common paths and neither is
  /// more specific. The more specific pattern takes precedence, and for one pattern the method precedes `any`.
  /// `other_name`: the name of the method, if it is `other`.
  void add(method method_id, std::string_view pattern_text, std::size_t id, source_location location,
           std::string_view other_name = {});

  /// Finds the route for a request. `raw_path` is the received path: not decoded, without the query.
  ///
  /// The search goes through the segments from left to right and tries a literal, then a parameter, then a tail. If a
  /// branch has no route for the method, the search backtracks. A GET route serves HEAD too (RFC 9110 section 9.3.2).
  /// OPTIONS without a route for it (or `any`) is method_not_allowed; the caller builds the response from `allowed`
  /// (RFC 9110 section 9.3.7).
  ///
  /// The value of a tail is its decoded segments joined with '/'. A tail does not match a path with an encoded slash,
  /// which would look like a separator, or with a segment "." or "..", which could lead a handler out of its folder. If
  /// no other route matches such a path, the outcome is bad_path. `other_name`: the name of a method that is `other`; a
  /// route of `any` serves it too.
  [[nodiscard]] match_result match(method method_id, std::string_view raw_path,
                                   std::string_view other_name = {}) const {
    match_result result;
    match(method_id, raw_path, other_name, result);
    return result;
  }
  /// The same, into an existing result, whose memory is used again.
  void match(method method_id, std::string_view raw_path, std::string_view other_name, match_result& result) const;

  /// The methods of a path. Empty if `match` would return not_found or bad_path.
  [[nodiscard]] method_set methods_at(std::string_view raw_path) const;
  /// The methods of all routes, for the response to `OPTIONS *`.
  [[nodiscard]] const method_set& all_methods() const noexcept { return all_methods_; }

  [[nodiscard]] bool has_routes() const noexcept { return !entries_.empty(); }
  /// The routes in the order of registration.
  [[nodiscard]] const std::vector<route_entry>& entries() const noexcept { return entries_; }
  /// The metadata of the route with this index in the order of registration.
  [[nodiscard]] route_metadata& metadata(std::size_t index) noexcept { return entries_[index].metadata; }

  /// Sets the name of the routes [first, last), which have the same pattern. Throws setup_error if the name is empty,
  /// if another route has it (the message has both locations), or if the routes already have a name.
  void name_routes(std::size_t first, std::size_t last, std::string name);
  /// The first route with this name, or null.
  [[nodiscard]] const route_entry* find_by_name(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The routes with one pattern: an index into entries_ for each method and for `any`.
  struct route_leaf {
    route_leaf() { by_method.fill(none); }
    [[nodiscard]] std::size_t route_for(method method_id, std::string_view other_name) const noexcept;
    std::array<std::size_t, method_count + 1> by_method;
    std::vector<std::pair<std::string, std::size_t>> others;  ///< by name, for methods that are `other`
    method_set methods;
  };
  struct node {
    std::vector<std::pair<std::string, std::size_t>> literals;  ///< in the order of literal_precedes()
    /// Element n: the number of literals with fewer than n characters.
    std::array<std::uint32_t, 17> literals_below = {};
    std::size_t parameter = none;
    route_leaf exact;  ///< the pattern ends with this segment
    route_leaf tail;   ///< a tail follows this segment
  };
  /// The state of one search.
  struct match_search {
    method_set& allowed;
    std::optional<method> method_id = {};  ///< nullopt: only collect `allowed`
    std::string_view other_name = {};
    bool has_escapes = false;  ///< the path has at least one
    std::size_t found = none;
    std::size_t path_matched = none;  ///< the first route that matches the path, but not the method
    std::vector<std::string_view> values = {};  ///< not decoded
    std::string_view bad_tail = {};  ///< the reason why a tail does not match
  };

  void check_conflicts(method method_id, std::string_view other_name, const pattern& path,
                       source_location location) const;
  std::size_t child(std::size_t parent, const segment& segment);
  /// Orders the literals for a binary search: by size, then by text. Most sizes differ, and comparing them is fast.
  [[nodiscard]] static bool literal_precedes(const std::pair<std::string, std::size_t>& entry,
                                             std::string_view text) noexcept {
    if (entry.first.size() != text.size()) return entry.first.size() < text.size();
    return !text.empty() && std::memcmp(entry.first.data(), text.data(), text.size()) < 0;
  }
  [[nodiscard]] static std::size_t literal(const node& parent, std::string_view raw, bool may_have_escapes);
  [[nodiscard]] bool match_segment(const node& from, std::string_view path, match_search& s) const;
  [[nodiscard]] bool match_next(std::size_t index, std::string_view path, std::size_t slash, match_search& s) const;
  [[nodiscard]] static bool accept_leaf(const route_leaf& leaf, match_search& s);

  std::vector<node> nodes_;  // [0] is the root, before the first segment
  std::vector<route_entry> entries_;
  std::map<std::string, std::size_t, std::less<>> names_;  // index of the first entry with the name
  method_set all_methods_;
};

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

WINSVC_INLINE void table::check_conflicts(method method_id, std::string_view other_name, const pattern& path,
                                          source_location location) const {
  for (const auto& other : entries_) {
    const bool same_method = other.method_id == method_id && other.other_name == other_name;
    if (!same_method && other.method_id != method::any && method_id != method::any) continue;
    const relation relation_to_other = compare(path, other.path);
    const bool same_paths = relation_to_other == relation::same;
    if (relation_to_other != relation::overlap && !(same_paths && same_method)) continue;

    throw setup_error(route_entry{method_id, path, 0, location, {}, std::string(other_name)}.text() +
                      " conflicts with " + other.text() +
                      ": both match " + common_path(path, other.path) +
                      (same_paths ? "; remove one" : "; make one pattern more specific than the other"));
  }
}

WINSVC_INLINE void table::add(method method_id, std::string_view pattern_text, std::size_t id,
                              source_location location, std::string_view other_name) {
  pattern path = parse_pattern(pattern_text);
  check_conflicts(method_id, other_name, path, location);

  std::size_t position = 0;
  bool tail = false;
  for (const auto& segment : path.segments) {
    tail = segment.kind == segment::segment_kind::tail;
    if (!tail) position = child(position, segment);
  }
  route_leaf& leaf = tail ? nodes_[position].tail : nodes_[position].exact;
  const std::size_t index = entries_.size();
  // Copies, and room for one more: the changes happen together or not at all.
  method_set methods = leaf.methods, all_methods = all_methods_;
  std::pair<std::string, std::size_t> other(other_name, index);
  if (method_id == method::other) {
    methods.add_other(other_name);
    all_methods.add_other(other_name);
    base::reserve_one(leaf.others);
  } else {
    methods.add(method_id);
    all_methods.add(method_id);
  }
  entries_.push_back({method_id, std::move(path), id, location, {}, other.first});
  if (method_id == method::other) leaf.others.push_back(std::move(other));
  else leaf.by_method[static_cast<std::size_t>(method_id)] = index;
  leaf.methods = std::move(methods);
  all_methods_ = std::move(all_methods);
}

WINSVC_INLINE void table::name_routes(std::size_t first, std::size_t last, std::string name) {
  const route_entry& route = entries_[first];
  if (name.empty()) throw setup_error(route.text() + ": the name is empty");
  if (!route.metadata.name.empty()) {
    throw setup_error(route.text() + ": the route already has the name '" + route.metadata.name +
                      "'; remove it or the name '" + name + "'");
  }
  std::vector<std::string> names(last - first, name);
  const auto [position, added] = names_.emplace(name, first);
  if (!added) {
    throw setup_error(route.text() + " and " + entries_[position->second].text() + " are both named '" + name +
                      "'; a name must be unique, because url_for finds a route by its name");
  }
  for (std::size_t i = first; i < last; ++i) entries_[i].metadata.name.swap(names[i - first]);
}

WINSVC_INLINE const route_entry* table::find_by_name(std::string_view name) const noexcept {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &entries_[found->second];
}

WINSVC_INLINE std::vector<std::string_view> table::names() const {
  std::vector<std::string_view> result;
  for (const auto& [name, index] : names_) result.push_back(name);
  return result;
}

WINSVC_INLINE std::size_t table::child(std::size_t parent, const segment& segment) {
  const std::size_t added = nodes_.size();
  base::reserve_one(nodes_);  // a node must exist before its parent refers to it
  if (segment.kind == segment::segment_kind::parameter) {
    if (nodes_[parent].parameter != none) return nodes_[parent].parameter;
    nodes_[parent].parameter = added;
  } else {
    auto& literals = nodes_[parent].literals;
    const auto position = std::lower_bound(literals.begin(), literals.end(), segment.text, literal_precedes);
    if (position != literals.end() && position->first == segment.text) return position->second;
    literals.emplace(position, segment.text, added);
    auto& below = nodes_[parent].literals_below;
    for (std::size_t size = segment.text.size() + 1; size < below.size(); ++size) ++below[size];
  }
  nodes_.emplace_back();
  return added;
}

WINSVC_INLINE std::size_t table::literal(const node& parent, std::string_view raw, bool may_have_escapes) {
  std::string decoded;  // only if there are escapes, which are rare; else the bytes of the request are compared
  if (may_have_escapes && raw.find('%') != std::string_view::npos) {
    if (!decode_segment(raw, decoded)) return none;
    raw = decoded;
  }
  // The literals of this size, or of this size and longer.
  const auto* first = parent.literals.data();
  const auto* last = first + parent.literals.size();
  const auto& below = parent.literals_below;
  if (raw.size() + 1 < below.size()) last = first + below[raw.size() + 1];
  first += below[(std::min)(raw.size(), below.size() - 1)];
  constexpr std::ptrdiff_t max_compared = 4;  // so few comparisons cost less than a binary search
  if (last - first > max_compared || raw.size() + 1 >= below.size())
    first = std::lower_bound(first, last, raw, literal_precedes);
  for (; first != last; ++first) {
    if (first->first.size() != raw.size()) break;
    const int order = raw.empty() ? 0 : std::memcmp(first->first.data(), raw.data(), raw.size());
    if (order == 0) return first->second;
    if (order > 0) break;
  }
  return none;
}

WINSVC_INLINE std::size_t table::route_leaf::route_for(method method_id, std::string_view other_name) const noexcept {
  if (method_id == method::other) {
    for (const auto& [name, index] : others) {
      if (name == other_name) return index;
    }
    return by_method[static_cast<std::size_t>(method::any)];
  }
  const auto exact = by_method[static_cast<std::size_t>(method_id)];
  if (exact != none) return exact;
  const auto get = by_method[static_cast<std::size_t>(method::get)];
  if (method_id == method::head && get != none) return get;
  return by_method[static_cast<std::size_t>(method::any)];
}

WINSVC_INLINE bool table::accept_leaf(const route_leaf& leaf, match_search& s) {
  if (s.method_id) s.found = leaf.route_for(*s.method_id, s.other_name);
  if (s.found != none) return true;
  s.allowed.add(leaf.methods);
  for (const auto& [name, index] : leaf.others) s.path_matched = (std::min)(s.path_matched, index);
  for (const auto other : leaf.by_method) s.path_matched = (std::min)(s.path_matched, other);
  return false;
}

inline constexpr std::string_view dot_segment_reason = "the path may not contain the segments '.' and '..'";

/// The reason why a raw path cannot be the value of a tail; empty if it can. A backslash is a separator on Windows.
WINSVC_INLINE std::string_view find_bad_tail(std::string_view raw) {
  if (raw.find("%2F") != std::string_view::npos || raw.find("%2f") != std::string_view::npos)
    return "this path may not contain an encoded slash (%2F): it would look like a separator";
  if (raw.find('.') == std::string_view::npos && raw.find('%') == std::string_view::npos) return {};
  std::string decoded;
  if (!decode_segment(raw, decoded)) return {};  // checked before
  for (std::size_t begin = 0; begin <= decoded.size();) {
    const auto end = (std::min)(decoded.find_first_of("/\\", begin), decoded.size());
    const std::string_view part = std::string_view(decoded).substr(begin, end - begin);
    if (part == "." || part == "..") return dot_segment_reason;
    begin = end + 1;
  }
  return {};
}

/// Continues the search at the child `index`: the path ends there, or the next segment follows the slash.
WINSVC_INLINE bool table::match_next(std::size_t index, std::string_view path, std::size_t slash,
                                     match_search& s) const {
  if (slash == std::string_view::npos) return accept_leaf(nodes_[index].exact, s);
  return match_segment(nodes_[index], path.substr(slash + 1), s);
}

/// Searches below the node `from`. `path` is the remaining raw path. Returns true if a route was found. A node has one
/// parent, so backtracking visits no node twice. The depth of the recursion is that of the deepest pattern, not of the
/// path.
WINSVC_INLINE bool table::match_segment(const node& from, std::string_view path, match_search& s) const {
  std::size_t end = 0;
  while (end < path.size() && path[end] != '/') ++end;
  const std::size_t slash = end == path.size() ? std::string_view::npos : end;
  const std::string_view raw(path.data(), end);

  const std::size_t same_text = literal(from, raw, s.has_escapes);
  if (same_text != none && match_next(same_text, path, slash, s)) return true;

  if (from.parameter != none && !raw.empty()) {
    s.values.push_back(raw);
    if (match_next(from.parameter, path, slash, s)) return true;
    s.values.pop_back();
  }

  if (from.tail.methods.empty()) return false;
  if (const auto reason = find_bad_tail(path); !reason.empty()) {
    s.bad_tail = reason;
    return false;
  }
  s.values.push_back(path);
  if (accept_leaf(from.tail, s)) return true;
  s.values.pop_back();
  return false;
}

WINSVC_INLINE void table::match(method method_id, std::string_view raw_path, std::string_view other_name,
                                match_result& result) const {
  result.outcome = match_outcome::not_found;
  result.values.clear();
  if (!result.allowed.empty()) result.allowed = {};
  result.sibling_id.reset();
  result.reason = {};
  result.has_dot_segment = false;
  match_search s{result.allowed};
  if (!path_is_valid(raw_path, s.has_escapes)) {
    result.outcome = match_outcome::bad_path;
    result.reason = "the path is not well formed: a '%' must be followed by two hex digits that are not 00";
    return;
  }

  s.method_id = method_id;
  s.other_name = other_name;
  if (match_segment(nodes_[0], raw_path.substr(1), s)) {
    result.outcome = match_outcome::matched;
    result.route_id = entries_[s.found].id;
    if (!result.allowed.empty()) result.allowed = {};  // of a branch without this method
    if (!s.values.empty()) result.values.reserve(s.values.size());
    for (const auto raw : s.values) {
      // A tail has no encoded slash, so it is decoded as a whole. The path was checked above: this cannot fail.
      static_cast<void>(decode_segment(raw, result.values.emplace_back()));
    }
  } else if (!s.allowed.empty()) {
    result.outcome = match_outcome::method_not_allowed;
    result.sibling_id = entries_[s.path_matched].id;
  } else if (!s.bad_tail.empty()) {
    result.outcome = match_outcome::bad_path;
    result.reason = s.bad_tail;
    result.has_dot_segment = s.bad_tail == dot_segment_reason;
  }
}

WINSVC_INLINE method_set table::methods_at(std::string_view raw_path) const {
  method_set methods;
  match_search s{methods};
  if (path_is_valid(raw_path, s.has_escapes)) static_cast<void>(match_segment(nodes_[0], raw_path.substr(1), s));
  return methods;
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
