// Fuzz test of the parser for event log records: a buffer of Windows is not trusted, a truncated buffer has a prefix of
// the records, and no text of a record is longer than the buffer.
#include "winsvc/scm/event_record.hpp"

#include "require.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc::detail::scm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view buffer(reinterpret_cast<const char*>(data), size);
  const auto records = parse_event_records(buffer);
  for (const auto& record : records) {
    require(record.source.size() <= 2 * size, "a source is a part of the buffer");  // UTF-8 has up to 3 bytes for 2
    for (const auto& text : record.insertion_strings) require(text.size() <= 2 * size, "so is an insertion string");
    const std::string name = record.insertion_strings.empty() ? std::string() : record.insertion_strings[0];
    static_cast<void>(describe_scm_event(record, name));
  }
  const auto part = parse_event_records(buffer.substr(0, size - size / 3));
  require(part.size() <= records.size(), "a truncated buffer has no more records");
  for (std::size_t i = 0; i < part.size(); ++i)
    require(part[i].id == records[i].id && part[i].source == records[i].source, "and they are the first ones");
  return 0;
}
