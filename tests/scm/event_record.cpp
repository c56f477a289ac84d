// Records of the Windows event log, and what the service control manager says in them.
#include "winsvc/scm/event_record.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace winsvc::model;

namespace {

std::string number(std::uint32_t value, std::size_t size = 4) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}
std::string wide(std::string_view text) {
  std::string out;
  for (const char16_t unit : winsvc::strings::to_utf16(text)) out += number(unit, 2);
  return out + number(0, 2);
}
/// As Windows lays it out.
std::string record(std::uint32_t id, const std::vector<std::string>& texts, std::string_view source = scm_source) {
  std::string names = wide(source) + wide("machine");
  std::string strings;
  for (const auto& one : texts) strings += wide(one);
  const auto offset = static_cast<std::uint32_t>(56 + names.size());
  std::string rest = names + strings;
  while ((56 + rest.size() + 4) % 4 != 0) rest += '\0';
  const auto length = static_cast<std::uint32_t>(56 + rest.size() + 4);
  return number(length) + "LfLe" + number(1) + number(1'790'000'000) + number(1'790'000'000) + number(0xC0000000u | id) +
         number(1, 2) + number(static_cast<std::uint32_t>(texts.size()), 2) + number(0, 2) + number(0, 2) + number(0) +
         number(offset) + number(0) + number(0) + number(0) + number(0) + rest + number(length);
}
std::string said(std::uint32_t id, const std::vector<std::string>& texts) {
  const auto all = parse_event_records(record(id, texts));
  REQUIRE(all.size() == 1);
  return describe_scm_event(all[0], "Hello service").value_or("(nothing)");
}

}  // namespace

TEST_CASE("records are read whole, one after the other, with their time, ID, source and texts") {
  const auto all = parse_event_records(record(7036, {"Gr\xC3\xBC\xC3\x9F" "e", "running"}) + record(1, {}, "hello"));

  REQUIRE(all.size() == 2);
  CHECK(all[0].id == 7036);
  CHECK(all[0].source == "Service Control Manager");
  CHECK(all[0].insertion_strings == std::vector<std::string>{"Gr\xC3\xBC\xC3\x9F" "e", "running"});
  CHECK(winsvc::iso_time(all[0].time).substr(0, 10) == "2026-09-21");
  CHECK(all[1].source == "hello");
  CHECK(all[1].insertion_strings.empty());
}

TEST_CASE("a torn buffer ends where it is torn, and nothing is read behind it") {
  const std::string whole = record(7034, {"Hello service", "2"});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string partial = whole.substr(0, size);
    CHECK(parse_event_records(partial).empty());
  }
  std::string wrong = whole;
  wrong.replace(36, 4, number(0xFFFFFFF0u));  // texts behind the end
  REQUIRE(parse_event_records(wrong).size() == 1);
  CHECK(parse_event_records(wrong)[0].insertion_strings.empty());
  wrong.replace(0, 4, number(8));  // shorter than it can be
  CHECK(parse_event_records(wrong).empty());
}

TEST_CASE("what the SCM says of a service is said in our words, codes explained") {
  CHECK(said(7000, {"Hello service", "%%1053"}).find("it failed to start: 1053, ") == 0);
  CHECK(said(7009, {"30000", "Hello service"}) == "it did not connect within 30000 ms of its start");
  CHECK(said(7023, {"hello SERVICE", "%%10048"}) == "it ended with an error: 10048, the port is taken");
  CHECK(said(7024, {"Hello service", "%%4242"}) == "it ended with an error of its own: 4242");
  CHECK(said(7031, {"Hello service", "2", "5000", "1", "Restart the service"}) ==
        "it ended unexpectedly, 2 time(s) so far; what follows, follows after 5000 ms");
  CHECK(said(7001, {"Hello service", "Tcpip"}) == "it needs 'Tcpip', which failed to start: ?");
  CHECK(said(7034, {"Other service", "2"}) == "(nothing)");
  CHECK(said(7034, {}) == "(nothing)");
  CHECK(said(7036, {"Hello service", "running"}) == "(nothing)");
  auto other = parse_event_records(record(7034, {"Hello service", "1"}, "somebody"));
  CHECK_FALSE(describe_scm_event(other[0], "Hello service"));
}
