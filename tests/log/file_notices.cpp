// Notices of a log file about itself.
#include "winsvc/log/file_notices.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using winsvc::detail::log::file_notices;

std::vector<std::string> texts_of(const file_notices& notices, const std::string& alternate = {}) {
  std::vector<std::string> texts;
  notices.for_each(alternate, &winsvc::iso_time,
                   [&](winsvc::log_level, const std::string& text, const std::string&) { texts.push_back(text); });
  return texts;
}

}  // namespace

TEST_CASE("a blocked rotation is reported after the second failure, once until a rotation succeeds") {
  file_notices notices;
  notices.blocked_rotations = 1;
  CHECK(texts_of(notices).empty());

  notices.blocked_rotations = 2;
  REQUIRE(texts_of(notices).size() == 1);
  CHECK(texts_of(notices)[0].find("the log file cannot be rotated: ") == 0);

  notices.mark_reported(false);
  notices.blocked_rotations = 3;
  CHECK(texts_of(notices).empty());
}

TEST_CASE("an alternate file is reported once, with the remedy") {
  file_notices notices;
  CHECK(texts_of(notices, "this process writes to b.log") ==
        std::vector<std::string>{"this process writes to b.log; stop one of them, or give each service another name"});

  notices.mark_reported(true);
  CHECK(texts_of(notices, "this process writes to b.log").empty());
}

TEST_CASE("deleted files and lost lines are reported again after new ones") {
  file_notices notices;
  for (int i = 0; i < 2; ++i) {
    CAPTURE(i);
    notices.deleted_files = 1;
    notices.lost.add(3);
    const auto texts = texts_of(notices);
    REQUIRE(texts.size() == 2);
    CHECK(texts[0] == "the disk is full; 1 old log file was deleted to write this line");
    CHECK(texts[1] == "3 lines were lost: they could not be written: out of memory");

    notices.mark_reported(false);
    CHECK(texts_of(notices).empty());
  }
}
