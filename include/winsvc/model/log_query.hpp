// Which entries of a log somebody wants to see, and how they are found among its lines, text or JSON.
//
//   log_filter wanted({20, log_level::warn, {}});
//   for (line : lines) if (wanted.takes(line)) show(line);
//
// An entry begins at a line with a time; lines without one belong to it, and are shown or not as it is.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/log.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct log_query {
  std::size_t last = 20;  ///< entries, the newest ones
  log_level least = log_level::debug;
  std::optional<clock::wall_point> since;
};

/// How an entry begins.
struct log_head {
  clock::wall_point when;
  log_level level = log_level::info;
};
/// Of a line in either format; nothing of one that continues an entry.
[[nodiscard]] std::optional<log_head> parse_log_head(std::string_view line) noexcept;

/// Line by line, in their order.
class log_filter {
 public:
  explicit log_filter(const log_query& what) : what_(what) {}
  [[nodiscard]] bool takes(std::string_view line) noexcept {
    if (const auto head = parse_log_head(line))
      taking_ = head->level >= what_.least && (!what_.since || head->when >= *what_.since);
    return taking_;
  }

 private:
  log_query what_;
  bool taking_ = false;  // whose beginning is in another file is not shown
};

/// The entries in `content` that are wanted, oldest first, each with its line ends; at most the newest `most`.
[[nodiscard]] std::vector<std::string> wanted_entries(std::string_view content, const log_query& what, std::size_t most);
/// When the first entry was written.
[[nodiscard]] std::optional<clock::wall_point> first_entry(std::string_view content) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<log_head> parse_log_head(std::string_view line) noexcept {
  constexpr std::string_view json = "{\"time\":\"", json_level = "\",\"level\":\"";
  const bool is_json = text::starts_with(line, json);
  if (is_json) line.remove_prefix(json.size());
  const auto when = parse_time(line);
  if (!when) return std::nullopt;
  const auto end = line.find_first_of(" \"");
  if (end == line.npos) return std::nullopt;
  line.remove_prefix(end);
  if (is_json && !text::starts_with(line, json_level)) return std::nullopt;
  line.remove_prefix(is_json ? json_level.size() : 1);
  const auto level = parse_log_level(line.substr(0, line.find_first_of(" \"")));
  if (!level) return std::nullopt;
  return log_head{*when, *level};
}

/// The first line of `rest`, with its end where it has one; `rest` moves past it.
[[nodiscard]] inline std::string_view take_line(std::string_view& rest) noexcept {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end == rest.npos ? end : end + 1);
  rest.remove_prefix(line.size());
  return line;
}

inline std::vector<std::string> wanted_entries(std::string_view content, const log_query& what, std::size_t most) {
  std::vector<std::string> out;
  log_filter wanted(what);
  while (!content.empty()) {
    const auto line = take_line(content);
    if (!wanted.takes(line)) continue;
    if (out.empty() || parse_log_head(line)) out.emplace_back();
    out.back() += line;
  }
  if (out.size() > most) out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(most));
  return out;
}

inline std::optional<clock::wall_point> first_entry(std::string_view content) noexcept {
  while (!content.empty()) {
    if (const auto head = parse_log_head(take_line(content))) return head->when;
  }
  return std::nullopt;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
