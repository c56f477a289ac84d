// Fuzz test of the head parser: the result does not depend on how the bytes are split, and the normalized head of an
// accepted head has the same meaning.
#include "winsvc/wire/head_parser.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "require.hpp"

using namespace winsvc::detail::wire;

namespace {

/// The head with its normalized fields, as text.
std::string normalized_text(const head& h) {
  std::string out = std::string(h.method) + ' ' + std::string(h.path);
  if (!h.query.empty()) out += '?' + std::string(h.query);
  out += h.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  for_each_normalized_field(h, [&](std::string_view name, std::string_view value) {
    require(normalized_value(h, name) == value, "normalized_value returns the value of the field");
    out += std::string(name) + ": " + std::string(value) + "\r\n";
  });
  return out + "\r\n";
}

bool within(std::string_view part, std::string_view text) {
  return part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size();
}

/// Returns the names and values of the forwarded fields; the values of one name are joined.
std::vector<std::pair<std::string, std::string>> forwarded_fields(const head& h) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& f : h.fields) {
    if (!is_forwarded_field(h, f) || winsvc::detail::base::equal_nocase(f.name, "Upgrade")) continue;
    const auto existing = std::find_if(out.begin(), out.end(), [&f](const auto& other) {
      return winsvc::detail::base::equal_nocase(other.first, f.name);
    });
    const char* const separator = winsvc::detail::base::equal_nocase(f.name, "Cookie") ? "; " : ", ";
    if (existing == out.end()) out.emplace_back(f.name, f.value);
    else if (existing->second.empty()) existing->second = f.value;
    else if (!f.value.empty()) existing->second += separator + std::string(f.value);
  }
  return out;
}

void check_normalized(const head& h) {
  limits limits;  // a normalized head may be longer: one blank in each field
  limits.head_bytes = limits.field_bytes = 1 << 20;

  const std::string normalized = normalized_text(h);
  const auto second = parse_head(normalized, limits);
  require(second.kind == head_parse_result::complete, "a normalized head is valid");
  require(second.consumed == normalized.size(), "a normalized head is one head");

  const head& g = second.value;
  require(g.method == h.method && g.method_id == h.method_id, "same method");
  require(g.path == h.path && g.query == h.query && g.minor_version == h.minor_version, "same target and version");
  require(g.content_length == h.content_length, "same length");
  require(g.framing == h.framing || (implies_no_body(h) && g.framing == framing::length && g.content_length == 0),
          "same framing");
  require(g.keep_alive == h.keep_alive && g.upgrade == h.upgrade, "same keep-alive and upgrade");
  require(g.fields.size() <= limits.fields, "not more fields than cpp-httplib accepts");
  require(normalized_text(g) == normalized, "a normalized head does not change when it is normalized");

  auto before = forwarded_fields(h);
  const auto after = forwarded_fields(g);
  if (!h.find("Host") && !h.host.empty()) before.insert(before.begin(), {"Host", std::string(h.host)});
  for (auto& [name, value] : before) {  // the host of an absolute-form target replaces the Host field
    if (winsvc::detail::base::equal_nocase(name, "Host") && !h.host.empty()) value = h.host;
  }
  require(before.size() == after.size(), "same fields");
  for (std::size_t i = 0; i < before.size(); ++i) {
    require(before[i].first == after[i].first, "same name");
    require(after[i].second == before[i].second, "same value");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), (std::min)(size, std::size_t{2048}));
  limits limits;  // small, so that a short input can exceed them
  limits.head_bytes = 1024;
  limits.target_bytes = 100;
  limits.field_bytes = 200;
  limits.fields = 12;

  const auto unsplit = parse_head(bytes, limits);
  head_parse_result split;
  std::size_t scanned = 0;
  for (std::size_t n = 0; n <= bytes.size() && split.kind == head_parse_result::more; ++n) {
    split = parse_head(bytes.substr(0, n), limits, &scanned);
  }
  require(unsplit.kind == split.kind && unsplit.status == split.status && unsplit.reason == split.reason &&
              unsplit.consumed == split.consumed,
          "the result does not depend on how the bytes are split");

  if (unsplit.kind == head_parse_result::more)
    require(bytes.size() <= limits.head_bytes, "an endless head is rejected");
  if (unsplit.kind == head_parse_result::reject)
    require(unsplit.status >= 400 && unsplit.status <= 505, "a rejection has an error status");
  if (unsplit.kind != head_parse_result::complete) return 0;

  const head& h = unsplit.value;
  require(unsplit.consumed <= bytes.size() && unsplit.consumed <= limits.head_bytes, "consumed only available bytes");
  require(within(h.target, bytes) && within(h.method, bytes), "views into the buffer");
  require(h.minor_version == 0 || !h.host.empty(), "a host in HTTP/1.1");
  require(h.path == "*" ? h.method_id == winsvc::detail::route::method::options : h.path[0] == '/', "a path");
  check_normalized(h);
  return 0;
}
