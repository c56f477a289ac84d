// Texts for the Windows event log: escaping and truncation.
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

using winsvc::detail::os::truncate_event_text;

TEST_CASE("a space is inserted after a percent sign that would start an insertion; other percent signs stay") {
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

TEST_CASE("a text is truncated to the limit of ReportEvent, but not inside a UTF-8 character") {
  CHECK(truncate_event_text(std::string(31'839, 'a')).size() == 31'839);
  CHECK(truncate_event_text(std::string(31'840, 'a')).size() == 31'839);
  CHECK(truncate_event_text(std::string(100'000, '%')).size() <= 31'839);
  std::string umlauts;
  while (umlauts.size() < 40'000) umlauts += "\xC3\xBC";
  const std::string truncated = truncate_event_text(umlauts);
  CHECK(truncated.size() == 31'838);
  CHECK(truncated == umlauts.substr(0, 31'838));
}

TEST_CASE("an event of a source that is not registered does not fail") {
  winsvc::detail::os::report_event("winsvc-test-source", winsvc::detail::scm::event_level::information, 1,
                                   "100% ready");
}
