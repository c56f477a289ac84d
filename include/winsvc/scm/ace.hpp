// Entries (ACEs) of a security descriptor as values: kind, flags, access mask and SID, to compare them in binary.
//
//   parse_ace("(A;OICI;FR;;;BU)") == parse_ace("(A;CIOI;0x120089;;;S-1-5-32-545)")   // true
//
// Windows does not return the text of an entry that was written, but an equal one: another order of the flags, other
// names of the rights, a two-letter alias for the SID. If entries were compared as text, each install would add them
// again.
// Source: "ACE Strings", "SID Strings", "File Access Rights Constants" and "Service Security and Access Rights" in the
// Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// Kind of the secured object. It decides which rights Windows sets for a generic right.
enum class secured_object { file, service };

namespace ace_flags {
inline constexpr std::uint32_t object_inherit = 1, container_inherit = 2, no_propagate = 4, inherit_only = 8,
                               inherited = 16;
}  // namespace ace_flags

/// One entry. Entries of other kinds than plain "allow" and "deny" also have their object types and their condition.
struct ace {
  std::string kind;  ///< "A" allows, "D" denies, "XA" allows under a condition
  std::uint32_t flags = 0;
  std::uint32_t mask = 0;  ///< rights; a generic right is replaced by the rights that Windows sets for it
  std::string sid;         ///< S-1-...; two letters for a SID that depends on the machine or its domain
  std::string rest;        ///< object types and condition, as text

  friend bool operator==(const ace& a, const ace& b) {
    return a.kind == b.kind && a.flags == b.flags && a.mask == b.mask && base::equal_nocase(a.sid, b.sid) &&
           a.rest == b.rest;
  }
  friend bool operator!=(const ace& a, const ace& b) { return !(a == b); }
};

/// Returns the SID of a two-letter alias; the text itself if it is a SID, or an alias of a SID that depends on the
/// machine or its domain, such as LA and DU.
[[nodiscard]] std::string_view full_sid(std::string_view alias) noexcept;
/// Returns the alias of a SID, or the SID itself.
[[nodiscard]] std::string_view sid_alias(std::string_view sid) noexcept;
/// Returns the access mask of the rights of an entry: `0x1200a9`, decimal, or two-letter names such as `FRFX`.
[[nodiscard]] std::optional<std::uint32_t> parse_rights(std::string_view text) noexcept;
/// Replaces the generic rights of a mask by the rights that Windows sets for them.
[[nodiscard]] std::uint32_t map_generic_rights(std::uint32_t mask, secured_object object) noexcept;
/// Parses one entry with its parentheses; nullopt if it is malformed.
[[nodiscard]] std::optional<ace> parse_ace(std::string_view entry, secured_object object = secured_object::file);

/// Returns the entries of a DACL or SACL as they are in its text, with their parentheses.
[[nodiscard]] std::vector<std::string_view> split_entries(std::string_view acl);
/// Returns a DACL text with these SIDs in its entries, in their order, in place of the aliases that Windows writes. An
/// alias such as LA (the administrator of this machine) does not show which SID it stands for. An empty text keeps the
/// SID of an entry.
[[nodiscard]] std::string with_sids(std::string_view sddl, const std::vector<std::string>& sids);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

struct known_sid {
  std::string_view alias, sid;
};
inline constexpr known_sid known_sids[] = {
    {"AA", "S-1-5-32-579"},   {"AC", "S-1-15-2-1"},    {"AN", "S-1-5-7"},       {"AO", "S-1-5-32-548"},
    {"AS", "S-1-18-1"},       {"AU", "S-1-5-11"},      {"BA", "S-1-5-32-544"},  {"BG", "S-1-5-32-546"},
    {"BO", "S-1-5-32-551"},   {"BU", "S-1-5-32-545"},  {"CD", "S-1-5-32-574"},  {"CG", "S-1-3-1"},
    {"CO", "S-1-3-0"},        {"CY", "S-1-5-32-569"},  {"ED", "S-1-5-9"},       {"ER", "S-1-5-32-573"},
    {"ES", "S-1-5-32-576"},   {"HA", "S-1-5-32-578"},  {"HI", "S-1-16-12288"},  {"IS", "S-1-5-32-568"},
    {"IU", "S-1-5-4"},        {"LS", "S-1-5-19"},      {"LU", "S-1-5-32-559"},  {"LW", "S-1-16-4096"},
    {"ME", "S-1-16-8192"},    {"MP", "S-1-16-8448"},   {"MS", "S-1-5-32-577"},  {"MU", "S-1-5-32-558"},
    {"NO", "S-1-5-32-556"},   {"NS", "S-1-5-20"},      {"NU", "S-1-5-2"},       {"OW", "S-1-3-4"},
    {"PO", "S-1-5-32-550"},   {"PS", "S-1-5-10"},      {"PU", "S-1-5-32-547"},  {"RA", "S-1-5-32-575"},
    {"RC", "S-1-5-12"},       {"RD", "S-1-5-32-555"},  {"RE", "S-1-5-32-552"},  {"RM", "S-1-5-32-580"},
    {"RU", "S-1-5-32-554"},   {"SI", "S-1-16-16384"},  {"SO", "S-1-5-32-549"},  {"SS", "S-1-18-2"},
    {"SU", "S-1-5-6"},        {"SY", "S-1-5-18"},      {"UD", "S-1-5-84-0-0-0-0-0"}, {"WD", "S-1-1-0"},
    {"WR", "S-1-5-33"}};

struct known_right {
  std::string_view name;
  std::uint32_t mask;
};
inline constexpr known_right known_rights[] = {
    {"GA", 0x10000000}, {"GX", 0x20000000}, {"GW", 0x40000000}, {"GR", 0x80000000}, {"RC", 0x20000}, {"SD", 0x10000},
    {"WD", 0x40000},    {"WO", 0x80000},    {"CC", 0x1},        {"DC", 0x2},        {"LC", 0x4},     {"SW", 0x8},
    {"RP", 0x10},       {"WP", 0x20},       {"DT", 0x40},       {"LO", 0x80},       {"CR", 0x100},   {"FA", 0x1f01ff},
    {"FR", 0x120089},   {"FW", 0x120116},   {"FX", 0x1200a0},   {"KA", 0xf003f},    {"KR", 0x20019}, {"KW", 0x20006},
    {"KX", 0x20019}};

WINSVC_INLINE std::string_view full_sid(std::string_view alias) noexcept {
  for (const auto& known : known_sids) {
    if (known.alias == alias) return known.sid;
  }
  return alias;
}

WINSVC_INLINE std::string_view sid_alias(std::string_view sid) noexcept {
  for (const auto& known : known_sids) {
    if (base::equal_nocase(known.sid, sid)) return known.alias;
  }
  return sid;
}

WINSVC_INLINE std::optional<std::uint32_t> parse_rights(std::string_view text) noexcept {
  std::uint32_t mask = 0;
  if (!text.empty() && base::is_digit(text[0])) {
    const bool is_hex = base::starts_with_nocase(text, "0x");
    const std::uint32_t radix = is_hex ? 16 : 10;
    if (is_hex) text.remove_prefix(2);
    if (text.empty()) return std::nullopt;
    for (const char c : text) {
      const char low = base::to_lower(c);
      const int digit = base::is_digit(low) ? low - '0' : is_hex && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
      if (digit < 0 || mask > (0xFFFFFFFF - static_cast<std::uint32_t>(digit)) / radix) return std::nullopt;
      mask = mask * radix + static_cast<std::uint32_t>(digit);
    }
    return mask;
  }
  for (; text.size() >= 2; text.remove_prefix(2)) {
    bool is_known = false;
    for (const auto& right : known_rights) {
      if (right.name != text.substr(0, 2)) continue;
      mask |= right.mask;
      is_known = true;
    }
    if (!is_known) return std::nullopt;
  }
  return text.empty() ? std::optional(mask) : std::nullopt;
}

WINSVC_INLINE std::uint32_t map_generic_rights(std::uint32_t mask, secured_object object) noexcept {
  struct generic_right {
    std::uint32_t bit, file, service;
  };
  constexpr generic_right rights[] = {{0x80000000, 0x120089, 0x2008d},
                                      {0x40000000, 0x120116, 0x20002},
                                      {0x20000000, 0x1200a0, 0x20170},
                                      {0x10000000, 0x1f01ff, 0xf01ff}};
  for (const auto& right : rights) {
    if ((mask & right.bit) == 0) continue;
    mask = (mask & ~right.bit) | (object == secured_object::file ? right.file : right.service);
  }
  return mask;
}

WINSVC_INLINE std::optional<ace> parse_ace(std::string_view entry, secured_object object) {
  if (entry.size() < 2 || entry.front() != '(' || entry.back() != ')') return std::nullopt;
  entry = entry.substr(1, entry.size() - 2);
  std::string_view parts[5];  // kind, flags, rights, and the two object types
  for (auto& part : parts) {
    const auto end = entry.find(';');
    if (end == entry.npos) return std::nullopt;
    part = entry.substr(0, end);
    entry.remove_prefix(end + 1);
  }
  const auto sid_end = entry.find(';');
  ace result;
  result.kind = std::string(parts[0]);
  result.sid = std::string(full_sid(entry.substr(0, sid_end)));
  if (sid_end != entry.npos) result.rest = std::string(entry.substr(sid_end));
  if (!parts[3].empty() || !parts[4].empty())
    result.rest = std::string(parts[3]) + ';' + std::string(parts[4]) + result.rest;
  struct flag {
    std::string_view name;
    std::uint32_t bit;
  };
  constexpr flag flags[] = {{"OI", ace_flags::object_inherit}, {"CI", ace_flags::container_inherit},
                            {"NP", ace_flags::no_propagate},   {"IO", ace_flags::inherit_only},
                            {"ID", ace_flags::inherited},      {"CR", 32},
                            {"SA", 64},                        {"FA", 128}};
  for (std::string_view text = parts[1]; !text.empty(); text.remove_prefix(2)) {
    std::uint32_t bit = 0;
    for (const auto& known : flags) {
      if (known.name == text.substr(0, 2)) bit = known.bit;
    }
    if (bit == 0) return std::nullopt;
    result.flags |= bit;
  }
  const auto mask = parse_rights(parts[2]);
  if (!mask) return std::nullopt;
  result.mask = map_generic_rights(*mask, object);
  return result;
}

WINSVC_INLINE std::vector<std::string_view> split_entries(std::string_view acl) {
  std::vector<std::string_view> entries;
  int depth = 0;
  bool is_quoted = false;  // a text in a condition may contain parentheses
  std::size_t begin = 0;
  for (std::size_t i = 0; i < acl.size(); ++i) {
    is_quoted ^= acl[i] == '"' && depth > 0;
    if (is_quoted) continue;
    if (acl[i] == '(' && depth++ == 0) begin = i;
    if (acl[i] == ')' && depth > 0 && --depth == 0) entries.push_back(acl.substr(begin, i + 1 - begin));
  }
  return entries;
}

WINSVC_INLINE std::string with_sids(std::string_view sddl, const std::vector<std::string>& sids) {
  std::string out;
  std::size_t copied = 0, index = 0;
  for (const auto entry : split_entries(sddl)) {
    if (index == sids.size()) break;
    const std::string& sid = sids[index++];
    std::size_t begin = 0;
    for (int separators = 0; separators < 5 && begin < entry.size(); ++begin) separators += entry[begin] == ';';
    if (sid.empty() || begin == entry.size()) continue;
    const auto end = entry.find_first_of(";)", begin);
    const auto position = static_cast<std::size_t>(entry.data() - sddl.data());
    out += sddl.substr(copied, position + begin - copied);
    out += sid;
    copied = position + end;
  }
  return out + std::string(sddl.substr(copied));
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
