// State file: what state.json has before, during and after a run.
#include "winsvc/host/state_file.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "winsvc/testing.hpp"

namespace scm = winsvc::detail::scm;
namespace os = winsvc::detail::os;
using winsvc::detail::host::state_file;
using namespace std::chrono_literals;

namespace {

struct folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("winsvc-state-file-" + std::to_string(os::process_id()));
  folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~folder() {
    os::close_activity_file();
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] std::optional<scm::saved_state> saved() const {
    const auto content = os::read_file((path / "state.json").string());
    return content ? scm::parse_saved_state(*content) : std::nullopt;
  }
};

}  // namespace

TEST_CASE("the state has the address and the time to RUNNING, rounded up") {
  const folder f;
  winsvc::testing::manual_clock time;
  state_file state(time);
  state.set_folder(f.path.string());

  state.open();
  REQUIRE(f.saved());
  CHECK(f.saved()->running);
  CHECK(f.saved()->url.empty());

  time.advance(1500ms);
  state.write_running("http://127.0.0.1:8080");
  CHECK(f.saved()->url == "http://127.0.0.1:8080");
  CHECK(f.saved()->start_ms == 1500);
  CHECK(f.saved()->pid == os::process_id());

  state.write_end({}, "new disk");
  CHECK_FALSE(f.saved()->running);
  CHECK(f.saved()->stop_reason == "new disk");
}

TEST_CASE("the failure of the previous run is kept until a run ends without a failure") {
  const folder f;
  winsvc::testing::manual_clock time;
  const auto run = [&](const std::string& failure) {
    state_file state(time);
    state.set_folder(f.path.string());
    state.open();
    state.write_end(failure, {});
    os::close_activity_file();
  };

  run("the disk is full");
  {
    state_file state(time);
    state.set_folder(f.path.string());
    state.open();
    state.write_running("http://127.0.0.1:1");
    CHECK(f.saved()->previous_failure.find("the disk is full") != std::string::npos);
    CHECK(f.saved()->failure.empty());
  }
  run({});
  CHECK(f.saved()->previous_failure.empty());
}

TEST_CASE("without a folder nothing is written") {
  winsvc::testing::manual_clock time;
  state_file state(time);

  state.open();
  state.write_running("http://127.0.0.1:1");
  state.write_end("failed", {});

  CHECK_FALSE(std::filesystem::exists("state.json"));
}
