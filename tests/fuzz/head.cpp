// Whatever the bytes: the verdict does not depend on how they were cut, and a head that passed the gate means the same
// after it was written anew.
#include "winsvc/wire/head_parser.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "require.hpp"

using namespace winsvc::wire;

namespace {

std::string percent_decoded(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const int byte = s[i] == '%' ? winsvc::route::escaped_byte(s, i) : -1;
    out += byte < 0 ? s[i] : static_cast<char>(static_cast<unsigned char>(byte));
    if (byte >= 0) i += 2;
  }
  return out;
}

bool within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

/// Names and values, those of one name put together.
std::vector<std::pair<std::string, std::string>> kept(const head& h) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& f : h.fields) {
    if (!is_forwarded_field(h, f) || winsvc::strings::equal_nocase(f.name, "Upgrade")) continue;
    const auto known = std::find_if(out.begin(), out.end(), [&f](const auto& one) {
      return winsvc::strings::equal_nocase(one.first, f.name);
    });
    if (known == out.end()) out.emplace_back(f.name, f.value);
    else if (known->second.empty()) known->second = f.value;
    else if (!f.value.empty()) known->second += (winsvc::strings::equal_nocase(f.name, "Cookie") ? "; " : ", ") + std::string(f.value);
  }
  return out;
}

void check_rewritten(const head& h, bool escaped) {
  limits wide;  // a rewritten head may be longer, by a blank in each field and by two for each '%'
  wide.head_bytes = wide.field_bytes = 1 << 20;

  const std::string again = write_normalized_head(h, escaped);
  const auto second = parse_head(again, wide);
  require(second.kind == head_parse_result::complete, "a canonical head is a valid head");
  require(second.consumed == again.size(), "a canonical head is one head");

  const head& g = second.value;
  require(g.method == h.method && g.method_id == h.method_id, "same method");
  require(g.path == h.path && g.query == h.query && g.minor_version == h.minor_version, "same target and version");
  require(g.content_length == h.content_length, "same length");
  require(g.framing == h.framing || (implies_no_body(h) && g.framing == framing::length && g.content_length == 0),
          "same framing");
  require(g.keep_alive == h.keep_alive && g.upgrade == h.upgrade, "same fate of the connection");
  require(g.fields.size() <= wide.fields, "no more fields than cpp-httplib takes");
  require(write_normalized_head(g, false) == again, "canonical is final");

  auto was = kept(h);
  const auto is = kept(g);
  if (!h.find("Host") && !h.host.empty()) was.insert(was.begin(), {"Host", std::string(h.host)});
  require(was.size() == is.size(), "same fields");
  for (std::size_t i = 0; i < was.size(); ++i) {
    const bool decoded = escaped && !winsvc::strings::equal_nocase(was[i].first, "Referer") &&
                         !winsvc::strings::equal_nocase(was[i].first, "Location");
    require(was[i].first == is[i].first, "same name");
    require((decoded ? percent_decoded(is[i].second) : is[i].second) == was[i].second, "same value");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), (std::min)(size, std::size_t{2048}));
  limits bounds;  // small, so that a short input can reach them
  bounds.head_bytes = 1024;
  bounds.target_bytes = 100;
  bounds.field_bytes = 200;
  bounds.fields = 12;

  const auto whole = parse_head(bytes, bounds);
  head_parse_result dripped;
  std::size_t scanned = 0;
  for (std::size_t n = 0; n <= bytes.size() && dripped.kind == head_parse_result::more; ++n) {
    dripped = parse_head(bytes.substr(0, n), bounds, &scanned);
  }
  require(whole.kind == dripped.kind && whole.status == dripped.status && whole.reason == dripped.reason &&
              whole.consumed == dripped.consumed,
          "the verdict does not depend on packet borders");

  if (whole.kind == head_parse_result::more) require(bytes.size() <= bounds.head_bytes, "a head without end is rejected");
  if (whole.kind == head_parse_result::reject) require(whole.status >= 400 && whole.status <= 505, "a status to answer");
  if (whole.kind != head_parse_result::complete) return 0;

  const head& h = whole.value;
  require(whole.consumed <= bytes.size() && whole.consumed <= bounds.head_bytes, "consumed what was there");
  require(within(h.target, bytes) && within(h.method, bytes), "views into the buffer");
  require(h.minor_version == 0 || !h.host.empty(), "a host in 1.1");
  require(h.path == "*" ? h.method_id == winsvc::route::method::options : h.path[0] == '/', "a path");
  check_rewritten(h, false);
  check_rewritten(h, true);
  return 0;
}
