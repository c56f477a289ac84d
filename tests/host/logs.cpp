// `logs`: the end of a log across its files, and what is written meanwhile.
#include "support.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

using namespace support;
using winsvc::log_level;
using winsvc::host::file_log;
using winsvc::host::log_follower;
using winsvc::host::read_log;
using entries = std::vector<std::string>;

namespace {

std::chrono::minutes utc(winsvc::clock::wall_point) { return 0min; }
winsvc::log_entry entry(int number, log_level level = log_level::info) {
  return {winsvc::clock::wall_point(std::chrono::minutes(number)), level, "no" + std::to_string(number)};
}
std::string line(int number, log_level level = log_level::info) { return entry(number, level).line() + '\n'; }

/// Three entries a file.
struct kept {
  folder data;
  std::string path = data.path + "/hello";
  file_log log{path, {winsvc::log_format::text, 130, 5, false}, utc};
};

}  // namespace

TEST_CASE("the newest entries are read, however many files they are in") {
  kept k;
  for (int i = 10; i < 20; ++i) k.log.write(entry(i, i == 12 ? log_level::warn : log_level::info));
  REQUIRE(std::filesystem::exists(k.path + ".3.log"));

  CHECK(*read_log(k.path, {2, log_level::debug, {}}) == entries{line(18), line(19)});
  CHECK(*read_log(k.path, {5, log_level::debug, {}}) == entries{line(15), line(16), line(17), line(18), line(19)});
  CHECK(read_log(k.path, {100, log_level::debug, {}})->size() == 10);
  CHECK(*read_log(k.path, {100, log_level::warn, {}}) == entries{line(12, log_level::warn)});
  CHECK(read_log(k.path, {100, log_level::debug, winsvc::clock::wall_point(15min)})->size() == 5);
  CHECK(read_log(k.data.path + "/none", {})->empty());
}

TEST_CASE("what is written later is followed, also into the next file, and no line comes twice or not at all") {
  kept k;
  k.log.write(entry(10));
  log_follower follower(k.path, {20, log_level::debug, {}});
  std::string got;
  for (const auto& e : *read_log(k.path, {20, log_level::debug, {}}, follower.position())) got += e;
  const auto look = [&] { follower.look([&got](std::string_view more) { got += more; }); };

  std::string all = line(10);
  for (int i = 11; i < 40; ++i) {
    k.log.write(entry(i));
    all += line(i);
    if (i % 2 == 0) look();
  }
  look();
  CHECK(got == all);
}

TEST_CASE("a log that is not there yet is followed from its beginning; half a line waits for its other half") {
  folder data;
  const std::string path = data.path + "/hello";
  log_follower follower(path, {20, log_level::warn, {}});
  std::string got;
  const auto look = [&] { follower.look([&got](std::string_view more) { got += more; }); };
  look();
  auto file = winsvc::os::append_file::open(path + ".log");
  REQUIRE(file);
  const std::string whole = line(1, log_level::warn) + line(2) + line(3, log_level::error);
  file->write(whole.substr(0, 10));
  look();
  CHECK(got.empty());
  file->write(whole.substr(10));
  look();
  CHECK(got == line(1, log_level::warn) + line(3, log_level::error));
}
