// Fuzz test of log lines and queries: a line that was written is read with its time and level, no text of an entry adds
// a line that looks like an entry, and any text is accepted.
#include "winsvc/base/log.hpp"
#include "winsvc/log/log_query.hpp"

#include "require.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc;
using detail::log::parse_log_line;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_log_line(text));
  static_cast<void>(parse_time(text));
  if (size < 9) return 0;

  std::int64_t milliseconds = 0;
  for (int i = 0; i < 5; ++i) milliseconds = milliseconds << 8 | data[i];
  const log_entry entry{clock::system_time(std::chrono::milliseconds(milliseconds)),
                        static_cast<log_level>(data[5] % 4), std::string(text.substr(8)), {}};
  const std::chrono::minutes offset(static_cast<int>(data[6]) * 6 - 720);
  for (const std::string& written : {entry.line(offset), entry.json_line(offset)}) {
    const auto header = parse_log_line(std::string_view(written).substr(0, written.find('\n')));
    require(header.has_value(), "a line that was written is read");
    require(header->time == entry.time && header->level == entry.level, "with its time and level");
    detail::log::log_query query;
    query.min_level = entry.level;
    query.since = entry.time;
    require(detail::log::matches(query, *header), "an entry matches its own level and time");
    query.since = entry.time + std::chrono::milliseconds(1);
    require(!detail::log::matches(query, *header), "an entry does not match a later time");
    for (auto line_end = written.find('\n'); line_end != written.npos; line_end = written.find('\n', line_end + 1))
      require(!parse_log_line(std::string_view(written).substr(line_end + 1)), "a text adds no entry");
  }
  return 0;
}
