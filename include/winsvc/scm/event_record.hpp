// Records of the Windows event log: parses the buffer of ReadEventLogW and describes the events of the service control
// manager (SCM) for one service.
//
//   for (const auto& record : parse_event_records(buffer))
//     if (const auto description = describe_scm_event(record, "Hello service")) print(*description);
//
// The messages of the SCM are in a message file, in the language of the system; the descriptions here are in English.
// Source: EVENTLOGRECORD in the Win32 documentation; the events of the source "Service Control Manager" by their IDs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

/// One entry of an event log.
struct event_record {
  clock::system_time time;
  std::uint32_t id = 0;  ///< without facility and severity
  std::string source;
  std::vector<std::string> insertion_strings;  ///< texts that are inserted into the message
};

/// Returns the complete records in the buffer, in their order. A truncated record ends the list.
[[nodiscard]] std::vector<event_record> parse_event_records(std::string_view buffer);

inline constexpr std::string_view scm_source = "Service Control Manager";
/// Describes a failure that the SCM recorded for the service with this display name. Returns nullopt if the record is
/// for another service or source, or is not one of the known failures.
[[nodiscard]] std::optional<std::string> describe_scm_event(const event_record& record, std::string_view display_name);

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SCM

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

WINSVC_INLINE std::vector<event_record> parse_event_records(std::string_view buffer) {
  std::vector<event_record> records;
  const auto number = [](std::string_view bytes, std::size_t position, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[position + i]);
    return value;
  };
  constexpr std::size_t header_size = 56;  // the names follow
  while (buffer.size() >= header_size) {
    const std::size_t length = number(buffer, 0, 4);
    if (length < header_size || length > buffer.size()) break;
    const auto bytes = buffer.substr(0, length);
    const auto text_at = [&](std::size_t& position) {
      std::u16string units;
      for (; position + 1 < bytes.size(); position += 2) {
        const auto unit = static_cast<char16_t>(number(bytes, position, 2));
        if (unit == 0) break;
        units += unit;
      }
      position += 2;
      return base::to_utf8(units);
    };
    event_record record;
    record.time = clock::system_time(std::chrono::seconds(number(bytes, 12, 4)));
    record.id = number(bytes, 20, 4) & 0xFFFF;
    std::size_t position = header_size;
    record.source = text_at(position);
    position = number(bytes, 36, 4);
    for (std::uint32_t remaining = number(bytes, 26, 2); remaining > 0 && position < bytes.size(); --remaining)
      record.insertion_strings.push_back(text_at(position));
    records.push_back(std::move(record));
    buffer.remove_prefix(length);
  }
  return records;
}

WINSVC_INLINE std::optional<std::string> describe_scm_event(const event_record& record, std::string_view display_name) {
  struct row {
    std::uint32_t id;
    std::size_t name;           // index of the insertion string that has the display name
    std::string_view sentence;  // {1}: first insertion string; {=1}: the same, an error code that is explained
  };
  constexpr row rows[] = {
      {7000, 0, "it failed to start: {=2}"},
      {7001, 0, "it depends on '{2}', which failed to start: {=3}"},
      {7009, 1, "it did not connect to the service control manager within {1} ms"},
      {7011, 1, "it did not respond to a control within {1} ms"},
      {7022, 0, "it hung during the start"},
      {7023, 0, "it ended with an error: {=2}"},
      {7024, 0, "it ended with a service-specific error: {=2}"},
      {7031, 0, "it ended unexpectedly, {2} time(s) so far; the recovery action follows after {3} ms"},
      {7034, 0, "it ended unexpectedly, {2} time(s) so far"},
      {7038, 0, "it could not log on as {2} with the configured password: {=3}"},
      {7041, 0, "it could not log on as {2}, which has no right to log on as a service"},
  };
  if (record.source != scm_source) return std::nullopt;
  for (const auto& r : rows) {
    if (r.id != record.id || r.name >= record.insertion_strings.size()) continue;
    if (!base::equal_nocase(record.insertion_strings[r.name], display_name)) return std::nullopt;
    std::string out;
    for (std::size_t position = 0; position < r.sentence.size(); ++position) {
      if (r.sentence[position] != '{') {
        out += r.sentence[position];
        continue;
      }
      const bool is_code = r.sentence[position + 1] == '=';
      position += is_code ? 2 : 1;
      const auto index = static_cast<std::size_t>(r.sentence[position] - '1');
      const bool exists = index < record.insertion_strings.size();
      std::string_view text = exists ? std::string_view(record.insertion_strings[index]) : std::string_view("?");
      ++position;  // the brace
      while (is_code && base::starts_with(text, "%%")) text.remove_prefix(2);
      out += text;
      std::uint64_t code = 0;
      if (!is_code || !base::parse_number(text, 0xFFFFFFFFu, code)) continue;
      if (const auto* known = base::explain(static_cast<std::uint32_t>(code)))
        out += ", " + std::string(known->message);
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SCM
