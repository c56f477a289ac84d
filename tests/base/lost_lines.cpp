// Lost lines: the count, the times and the text.
#include "winsvc/base/lost_lines.hpp"

#include <doctest/doctest.h>

#include <chrono>

using winsvc::iso_time;
using winsvc::detail::base::lost_lines;
using namespace std::chrono_literals;

namespace {

winsvc::clock::system_time second(int s) {
  return winsvc::clock::system_time(
      std::chrono::duration_cast<winsvc::clock::system_time::duration>(std::chrono::seconds(s)));
}

}  // namespace

TEST_CASE("a text has the number, the times that are known, and the reason") {
  lost_lines lost;
  CHECK(lost.empty());
  lost.add(1);
  CHECK(lost.text("why", &iso_time) == "1 line was lost: why");
  lost.add(second(5));
  CHECK(lost.text("why", &iso_time) == "2 lines were lost at 1970-01-01T00:00:05.000Z: why");
  lost.add(3, second(6), second(8));
  CHECK(lost.text("why", &iso_time) ==
        "5 lines were lost between 1970-01-01T00:00:05.000Z and 1970-01-01T00:00:08.000Z: why");
  CHECK(lost.json_field() == "\"lost\":5");
  CHECK_FALSE(lost.empty());
}

TEST_CASE("zero lines change nothing") {
  lost_lines lost;
  lost.add(0, second(1), second(2));
  CHECK(lost.empty());
  CHECK_FALSE(lost.first_time);
}

TEST_CASE("lines that were counted without a lock are reported once, and counted in the total") {
  winsvc::detail::base::lost_line_counter lost;
  lost.add(3);
  lost.add_unreported();
  lost.add_unreported();

  CHECK(lost.has_unreported());
  CHECK(lost.take_unreported() == 2);
  CHECK_FALSE(lost.has_unreported());
  CHECK(lost.total() == 5);
}

TEST_CASE("lines whose report was lost are reported again, and not counted again") {
  winsvc::detail::base::lost_line_counter lost;
  lost.add_unreported();

  lost.return_unreported(lost.take_unreported());

  CHECK(lost.take_unreported() == 1);
  CHECK(lost.total() == 1);
}
