// Records of the Windows event log, and the descriptions of events of the service control manager.
#include "winsvc/scm/event_record.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::detail::scm;

namespace {

std::string number(std::uint32_t value, std::size_t size = 4) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}
std::string wide(std::string_view text) {
  std::string out;
  for (const char16_t unit : winsvc::detail::base::to_utf16(text)) out += number(unit, 2);
  return out + number(0, 2);
}
/// Returns a record in the layout of EVENTLOGRECORD.
std::string record(std::uint32_t id, const std::vector<std::string>& texts, std::string_view source = scm_source) {
  const std::string names = wide(source) + wide("machine");
  std::string strings;
  for (const auto& text : texts) strings += wide(text);
  const auto offset = static_cast<std::uint32_t>(56 + names.size());
  std::string data = names + strings;
  while ((56 + data.size() + 4) % 4 != 0) data += '\0';
  const auto length = static_cast<std::uint32_t>(56 + data.size() + 4);
  return number(length) + "LfLe" + number(1) + number(1'790'000'000) + number(1'790'000'000) +
         number(0xC0000000u | id) + number(1, 2) + number(static_cast<std::uint32_t>(texts.size()), 2) + number(7, 2) +
         number(7, 2) + number(7) +
         number(offset) + number(0) + number(0) + number(0) + number(0) + data + number(length);
}
std::string described(std::uint32_t id, const std::vector<std::string>& texts) {
  const auto records = parse_event_records(record(id, texts));
  REQUIRE(records.size() == 1);
  return describe_scm_event(records[0], "Hello service").value_or("(nothing)");
}

}  // namespace

TEST_CASE("records are parsed with their time, ID, source and insertion strings") {
  const std::string buffer = record(7036, {"Gr\xC3\xBC\xC3\x9F" "e", "running"}) + record(1, {}, "hello");
  const auto records = parse_event_records(buffer);

  REQUIRE(records.size() == 2);
  CHECK(records[0].id == 7036);
  CHECK(records[0].source == "Service Control Manager");
  CHECK(records[0].insertion_strings == std::vector<std::string>{"Gr\xC3\xBC\xC3\x9F" "e", "running"});
  CHECK(winsvc::iso_time(records[0].time).substr(0, 10) == "2026-09-21");
  CHECK(records[1].source == "hello");
  CHECK(records[1].insertion_strings.empty());
}

TEST_CASE("a truncated buffer yields only complete records, and nothing is read beyond its end") {
  const std::string complete = record(7034, {"Hello service", "2"});
  for (std::size_t size = 0; size < complete.size(); ++size) {
    const std::string truncated = complete.substr(0, size);
    CHECK(parse_event_records(truncated).empty());
  }
  std::string malformed = complete;
  malformed.replace(36, 4, number(0xFFFFFFF0u));  // offset of the insertion strings beyond the end
  REQUIRE(parse_event_records(malformed).size() == 1);
  CHECK(parse_event_records(malformed)[0].insertion_strings.empty());
  std::string unterminated(59, '\0');  // the name of the source ends with the record, within a character
  unterminated.replace(0, 4, number(59));
  unterminated[56] = 'a';
  unterminated[58] = 'b';
  REQUIRE(parse_event_records(unterminated).size() == 1);
  CHECK(parse_event_records(unterminated)[0].source == "a");
  unterminated.replace(0, 4, number(60));
  unterminated += '\0';  // the name ends with the record, after a character
  REQUIRE(parse_event_records(unterminated).size() == 1);
  CHECK(parse_event_records(unterminated)[0].source == "ab");
  const std::string header = number(56) + std::string(52, '\0');  // nothing follows the header
  REQUIRE(parse_event_records(header + header).size() == 2);
  CHECK(parse_event_records(header)[0].source.empty());
  malformed.replace(36, 4, number(static_cast<std::uint32_t>(complete.size())));  // just beyond the end
  CHECK(parse_event_records(malformed).at(0).insertion_strings.empty());
  malformed.replace(0, 4, number(8));  // length below that of the header
  CHECK(parse_event_records(malformed).empty());
}

TEST_CASE("events of the SCM for a service are described, with an explanation of the codes") {
  CHECK(described(7000, {"Hello service", "%%1053"}).find("it failed to start: 1053, ") == 0);
  CHECK(described(7009, {"30000", "Hello service"}) ==
        "it did not connect to the service control manager within 30000 ms");
  CHECK(described(7023, {"hello SERVICE", "%%10048"}) == "it ended with an error: 10048, the port is taken");
  CHECK(described(7024, {"Hello service", "%%4242"}) == "it ended with a service-specific error: 4242");
  CHECK(described(7031, {"Hello service", "2", "5000", "1", "Restart the service"}) ==
        "it ended unexpectedly, 2 time(s) so far; the recovery action follows after 5000 ms");
  CHECK(described(7001, {"Hello service", "Tcpip"}) == "it depends on 'Tcpip', which failed to start: ?");
  CHECK(described(7034, {"Other service", "2"}) == "(nothing)");
  CHECK(described(7034, {}) == "(nothing)");
  CHECK(described(7009, {"30000"}) == "(nothing)");
  CHECK(described(7034, {"Hello service", "%%5"}) == "it ended unexpectedly, %%5 time(s) so far");
  struct { std::uint32_t id; const char* text; } const others[] = {
      {7022, "it hung during the start"}, {7023, "it ended with an error: "},
      {7024, "it ended with a service-specific error: "}, {7034, "it ended unexpectedly, 5 time(s) so far"},
      {7038, "it could not log on as 5 with the configured password: 5, "},
      {7041, "it could not log on as 5, which has no right to log on as a service"}};
  for (const auto& other : others) CHECK(described(other.id, {"Hello service", "5", "5"}).find(other.text) == 0);
  CHECK(described(7011, {"30000", "Hello service"}) == "it did not respond to a control within 30000 ms");
  CHECK(described(7036, {"Hello service", "running"}) == "(nothing)");
  auto other = parse_event_records(record(7034, {"Hello service", "1"}, "another source"));
  CHECK_FALSE(describe_scm_event(other[0], "Hello service"));
}
