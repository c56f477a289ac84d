// Table of the events in the Windows event log.
#include "winsvc/scm/events.hpp"

#include <doctest/doctest.h>

#include <set>

using winsvc::detail::scm::service_event;
using winsvc::detail::scm::event_level;
using winsvc::detail::scm::event_table;
using winsvc::detail::scm::event_info;

TEST_CASE("every event has a unique ID from 1 to 1000, a unique name and a description") {
  std::set<std::uint32_t> ids;
  std::set<std::string_view> names;
  for (const auto& row : event_table) {
    const auto id = static_cast<std::uint32_t>(row.id);
    CHECK(id >= 1);
    CHECK(id <= 1000);
    CHECK(ids.insert(id).second);
    CHECK(names.insert(row.name).second);
    CHECK(!row.description.empty());
    CHECK(&event_info(row.id) == &row);
  }
}

TEST_CASE("the IDs that are in use do not change") {
  CHECK(static_cast<int>(service_event::started) == 1);
  CHECK(static_cast<int>(service_event::stopped) == 2);
  CHECK(static_cast<int>(service_event::failed) == 3);
  CHECK(static_cast<int>(service_event::degraded) == 4);
  CHECK(static_cast<int>(service_event::paused) == 5);
  CHECK(static_cast<int>(service_event::continued) == 6);
  CHECK(static_cast<int>(service_event::reloaded) == 7);
  CHECK(static_cast<int>(service_event::crashed) == 8);
  CHECK(static_cast<int>(service_event::stop_incomplete) == 9);
  CHECK(static_cast<int>(service_event::error_line) == 10);
  CHECK(static_cast<int>(service_event::warning_line) == 11);
  CHECK(static_cast<int>(service_event::line) == 12);
  CHECK(event_info(service_event::failed).level == event_level::error);
  CHECK(event_info(service_event::started).level == event_level::information);
  CHECK(event_info(service_event::degraded).level == event_level::warning);
  CHECK(static_cast<int>(event_level::error) == 1);  // EVENTLOG_*_TYPE
  CHECK(static_cast<int>(event_level::warning) == 2);
  CHECK(static_cast<int>(event_level::information) == 4);
}
