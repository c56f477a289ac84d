// What is made of a text before the event log gets it.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

using winsvc::os::truncate_event_text;

TEST_CASE("a percent sign that would begin an insertion is parted from what follows, any other stays") {
  struct row { const char* text; const char* escaped; };
  const row rows[] = {
      {"", ""},
      {"ready", "ready"},
      {"100%", "100%"},
      {"100% done", "100% done"},
      {"50%, then 100%.", "50%, then 100%."},
      {"%1", "% 1"},
      {"fe80::1%12", "fe80::1% 12"},
      {"a%nb", "a% nb"},
      {"%TEMP%", "% TEMP%"},
      {"%%1", "% % 1"},
      {"%!s!", "% !s!"},
      {"/users/J%C3%BCrgen", "/users/J% C3% BCrgen"},
  };
  for (const auto& r : rows) CHECK(truncate_event_text(r.text) == r.escaped);
}

TEST_CASE("a text is cut to what ReportEvent takes, and no character in two") {
  CHECK(truncate_event_text(std::string(31'839, 'a')).size() == 31'839);
  CHECK(truncate_event_text(std::string(31'840, 'a')).size() == 31'839);
  CHECK(truncate_event_text(std::string(100'000, '%')).size() <= 31'839);
  std::string umlauts;
  while (umlauts.size() < 40'000) umlauts += "\xC3\xBC";
  const std::string cut = truncate_event_text(umlauts);
  CHECK(cut.size() == 31'838);
  CHECK(cut == umlauts.substr(0, 31'838));
}

TEST_CASE("a report to a source that nobody registered is dropped or taken, and nothing else happens") {
  winsvc::os::report_event("winsvc-test-source", winsvc::model::event_level::information, 1,
                           "100% ready");
}
