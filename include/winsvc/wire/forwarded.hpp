// Forwarding fields of proxies: Forwarded (RFC 7239), and X-Forwarded-For, -Proto, -Host and -Prefix.
//
//   const auto report = read_forwarding_fields("127.0.0.1", {forwarded, x_for, x_proto, x_host, x_prefix}, trusted);
//   report.client, report.scheme, report.host, report.prefix
//
// Any client can send these fields, so each list is read from the right, and an entry is believed only if a trusted
// proxy wrote it. If Forwarded and X-Forwarded-For name different clients, neither is believed: a proxy writes one of
// them and may pass on a forged other one.
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
#include "winsvc/wire/accept.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/wire/ip.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// One element of a Forwarded field. A parameter that it does not have is empty.
struct forwarded_element {
  std::string node;    ///< `for`: an address with an optional port, "unknown", or a name that begins with '_'
  std::string scheme;  ///< `proto`
  std::string host;
};
/// Parses a Forwarded field; nullopt if it does not match the grammar of RFC 7239 section 4.
[[nodiscard]] std::optional<std::vector<forwarded_element>> parse_forwarded(std::string_view field);

/// The values of the fields; empty: the request does not have the field.
struct forwarding_fields {
  std::string_view forwarded, x_for, x_proto, x_host, x_prefix;
};
/// The properties of the client's request that trusted proxies report.
struct forwarding_report {
  std::string client;  ///< address; that of the peer if no proxy is trusted
  std::string scheme;  ///< "http" or "https", also for ws and wss; empty: unknown
  std::string host;    ///< authority; empty: unknown
  std::string prefix;  ///< path that the proxy removes, without a final slash; empty: none
};
[[nodiscard]] forwarding_report read_forwarding_fields(std::string_view peer, const forwarding_fields& fields,
                                                       const std::vector<ip_range>& trusted);

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_WIRE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::wire {

/// The text of a token or a quoted string; nullopt if it is neither.
WINSVC_INLINE std::optional<std::string> unquoted(std::string_view text) {
  if (is_token(text)) return std::string(text);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\' && ++i + 1 == text.size()) return std::nullopt;
    out += text[i];
  }
  return out;
}

WINSVC_INLINE std::optional<std::vector<forwarded_element>> parse_forwarded(std::string_view field) {
  std::vector<forwarded_element> elements;
  while (!field.empty()) {
    std::string_view element = take_element(field, ',');
    if (element.empty()) continue;  // an empty element of a list
    forwarded_element parsed;
    std::vector<std::string> names;
    while (!element.empty()) {
      const auto pair = take_element(element, ';');
      if (pair.empty()) continue;
      const auto equals = pair.find('=');
      if (equals == pair.npos || !is_token(pair.substr(0, equals))) return std::nullopt;
      auto value = unquoted(pair.substr(equals + 1));
      std::string name = base::to_lower(pair.substr(0, equals));
      if (!value || std::find(names.begin(), names.end(), name) != names.end()) return std::nullopt;
      if (name == "for") parsed.node = std::move(*value);
      else if (name == "proto") parsed.scheme = std::move(*value);
      else if (name == "host") parsed.host = std::move(*value);
      names.push_back(std::move(name));
    }
    elements.push_back(std::move(parsed));
  }
  return elements;
}

/// The elements of a list, without empty ones.
WINSVC_INLINE std::vector<std::string_view> list_elements(std::string_view list) {
  std::vector<std::string_view> elements;
  for (const auto part : base::split(list, ',')) {
    if (const auto element = base::trim(part); !element.empty()) elements.push_back(element);
  }
  return elements;
}

/// The element that the proxy nearest to the client wrote, `hops` from the right. A shorter list was written by fewer
/// proxies: its first element.
WINSVC_INLINE std::string_view element_of_hop(std::string_view list, std::size_t hops) {
  const auto elements = list_elements(list);
  if (elements.empty()) return {};
  return elements[elements.size() - (std::clamp)(hops, std::size_t{1}, elements.size())];
}

WINSVC_INLINE std::string valid_scheme(std::string_view text) {
  std::string scheme = base::to_lower(text);
  if (scheme == "ws" || scheme == "wss") scheme.replace(0, 2, "http");  // a WebSocket begins with an HTTP request
  return scheme == "http" || scheme == "https" ? scheme : std::string();
}

/// A prefix becomes the start of a path in a URL, so it must not name a host or leave the path.
WINSVC_INLINE std::string valid_prefix(std::string_view text) {
  while (!text.empty() && text.back() == '/') text.remove_suffix(1);
  if (text.empty() || text[0] != '/' || text.size() > 1000) return {};
  for (const auto segment : base::split(text.substr(1), '/')) {
    if (segment.empty() || segment == "." || segment == "..") return {};
    for (const char c : segment) {
      constexpr character_set allowed("-._~!$&'()*+,;=:@%");
      if (!allowed.has(c)) return {};
    }
  }
  return std::string(text);
}

WINSVC_INLINE forwarding_report read_forwarding_fields(std::string_view peer, const forwarding_fields& fields,
                                                       const std::vector<ip_range>& trusted) {
  forwarding_report report;
  report.client = peer;
  if (!is_in_ranges(peer, trusted)) return report;
  const auto x_walk = walk_proxies(peer, list_elements(fields.x_for), trusted);
  report.client = x_walk.client;

  const auto elements = fields.forwarded.empty() ? std::nullopt : parse_forwarded(fields.forwarded);
  const bool is_malformed = !fields.forwarded.empty() && !elements;
  if (is_malformed && fields.x_for.empty()) return report;  // only the peer is known
  if (elements && !elements->empty()) {
    std::vector<std::string_view> nodes;
    for (const auto& element : *elements) nodes.push_back(element.node);
    const auto walk = walk_proxies(peer, nodes, trusted);
    if (!fields.x_for.empty() && walk.client != x_walk.client) {
      report.client = peer;
      return report;
    }
    report.client = walk.client;
    const auto& element = (*elements)[elements->size() - (std::clamp)(walk.hops, std::size_t{1}, elements->size())];
    report.scheme = valid_scheme(element.scheme);
    if (is_authority(element.host)) report.host = element.host;
  }
  if (report.scheme.empty()) report.scheme = valid_scheme(element_of_hop(fields.x_proto, x_walk.hops));
  const auto x_host = element_of_hop(fields.x_host, x_walk.hops);
  if (report.host.empty() && is_authority(x_host)) report.host = x_host;
  report.prefix = valid_prefix(element_of_hop(fields.x_prefix, x_walk.hops));
  return report;
}

}  // namespace detail::wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WIRE
