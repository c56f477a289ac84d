// What stands in the Windows event log, read: the records as ReadEventLogW hands them out, and what the service control
// manager says of a service in them.
//
//   for (const auto& record : parse_event_records(buffer))
//     if (const auto said = describe_scm_event(record, "Hello service")) print(*said);
//
// The SCM's own words are in a message file, in the language of the machine; here they are said in ours.
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
namespace model {

struct event_record {
  clock::system_time time;
  std::uint32_t id = 0;  ///< without its facility and severity
  std::string source;
  std::vector<std::string> insertion_strings;  ///< what is inserted into the message
};

/// All that are whole, in their order.
[[nodiscard]] std::vector<event_record> parse_event_records(std::string_view buffer);

inline constexpr std::string_view scm_source = "Service Control Manager";
/// What the SCM says of the service that the Services window shows by this name; nothing where it is another's, or about
/// something else than a trouble.
[[nodiscard]] std::optional<std::string> describe_scm_event(const event_record& record, std::string_view display_name);

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MODEL

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

WINSVC_INLINE std::vector<event_record> parse_event_records(std::string_view buffer) {
  std::vector<event_record> all;
  const auto number = [](std::string_view bytes, std::size_t position, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[position + i]);
    return value;
  };
  constexpr std::size_t head = 56;  // the names follow
  while (buffer.size() >= head) {
    const std::size_t length = number(buffer, 0, 4);
    if (length < head || length > buffer.size()) break;
    const auto record = buffer.substr(0, length);
    const auto text_at = [&](std::size_t& position) {
      std::u16string units;
      for (; position + 1 < record.size(); position += 2) {
        const auto unit = static_cast<char16_t>(number(record, position, 2));
        if (unit == 0) break;
        units += unit;
      }
      position += 2;
      return strings::to_utf8(units);
    };
    event_record one;
    one.time = clock::system_time(std::chrono::seconds(number(record, 12, 4)));
    one.id = number(record, 20, 4) & 0xFFFF;
    std::size_t position = head;
    one.source = text_at(position);
    position = number(record, 36, 4);
    for (std::uint32_t remaining = number(record, 26, 2); remaining > 0 && position < record.size(); --remaining) one.insertion_strings.push_back(text_at(position));
    all.push_back(std::move(one));
    buffer.remove_prefix(length);
  }
  return all;
}

WINSVC_INLINE std::optional<std::string> describe_scm_event(const event_record& record, std::string_view display_name) {
  struct row {
    std::uint32_t id;
    std::size_t name;           // which text is the service's
    std::string_view sentence;  // {1} is the first text; {=1} is one that stands for a code
  };
  constexpr row rows[] = {
      {7000, 0, "it failed to start: {=2}"},
      {7001, 0, "it needs '{2}', which failed to start: {=3}"},
      {7009, 1, "it did not connect within {1} ms of its start"},
      {7011, 1, "it did not answer a control within {1} ms"},
      {7022, 0, "it hung on starting"},
      {7023, 0, "it ended with an error: {=2}"},
      {7024, 0, "it ended with an error of its own: {=2}"},
      {7031, 0, "it ended unexpectedly, {2} time(s) so far; what follows, follows after {3} ms"},
      {7034, 0, "it ended unexpectedly, {2} time(s) so far"},
      {7038, 0, "it could not log on as {2} with the password it has: {=3}"},
      {7041, 0, "it could not log on as {2}, which may not log on as a service"},
  };
  if (record.source != scm_source) return std::nullopt;
  for (const auto& r : rows) {
    if (r.id != record.id || r.name >= record.insertion_strings.size()) continue;
    if (!strings::equal_nocase(record.insertion_strings[r.name], display_name)) return std::nullopt;
    std::string out;
    for (std::size_t position = 0; position < r.sentence.size(); ++position) {
      if (r.sentence[position] != '{') {
        out += r.sentence[position];
        continue;
      }
      const bool stands_for_a_code = r.sentence[position + 1] == '=';
      position += stands_for_a_code ? 2 : 1;
      const auto which = static_cast<std::size_t>(r.sentence[position] - '1');
      std::string_view text = which < record.insertion_strings.size() ? std::string_view(record.insertion_strings[which]) : std::string_view("?");
      ++position;  // the brace
      while (stands_for_a_code && strings::starts_with(text, "%%")) text.remove_prefix(2);
      out += text;
      std::uint64_t code = 0;
      if (!stands_for_a_code || !strings::parse_number(text, 0xFFFFFFFFu, code)) continue;
      if (const auto* known = explain(static_cast<std::uint32_t>(code))) out += ", " + std::string(known->message);
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MODEL
