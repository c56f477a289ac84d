// The table of events: IDs that the message file has, each once, each said.
#include "winsvc/model/events.hpp"

#include <doctest/doctest.h>

#include <set>

using winsvc::model::event;
using winsvc::model::event_level;
using winsvc::model::event_table;
using winsvc::model::row;

TEST_CASE("every event has an ID of its own from 1 to 1000, a name and a sentence") {
  std::set<std::uint32_t> ids;
  std::set<std::string_view> names;
  for (const auto& r : event_table) {
    const auto id = static_cast<std::uint32_t>(r.id);
    CHECK(id >= 1);
    CHECK(id <= 1000);
    CHECK(ids.insert(id).second);
    CHECK(names.insert(r.name).second);
    CHECK(!r.when.empty());
    CHECK(&row(r.id) == &r);
  }
}

TEST_CASE("an ID keeps its meaning: these are in use") {
  CHECK(static_cast<int>(event::started) == 1);
  CHECK(static_cast<int>(event::stopped) == 2);
  CHECK(static_cast<int>(event::failed) == 3);
  CHECK(static_cast<int>(event::degraded) == 4);
  CHECK(static_cast<int>(event::paused) == 5);
  CHECK(static_cast<int>(event::continued) == 6);
  CHECK(static_cast<int>(event::reloaded) == 7);
  CHECK(static_cast<int>(event::crashed) == 8);
  CHECK(static_cast<int>(event::cut) == 9);
  CHECK(static_cast<int>(event::error_line) == 10);
  CHECK(static_cast<int>(event::warning_line) == 11);
  CHECK(static_cast<int>(event::line) == 12);
  CHECK(row(event::failed).level == event_level::error);
  CHECK(row(event::started).level == event_level::information);
  CHECK(row(event::degraded).level == event_level::warning);
}
