// Implementation of route/table.hpp: finds the route of a path.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/route/method.hpp"
#include "winsvc/route/path.hpp"
#include "winsvc/route/table.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

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
  constexpr std::ptrdiff_t max_compared = 4;  // fewer comparisons than those of a binary search and its end
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
