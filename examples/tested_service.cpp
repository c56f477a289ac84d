// A service with its own tests: doctest, a client without a socket, and a service control manager that is simulated, so
// that starts, stops, pauses and shutdowns are tested in milliseconds, on Linux too.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc-mingw.o -o tested_service.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc.o -o tested_service
//   g++ -std=c++17 -O1 -DTESTS -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc.o -o tested_service_test
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O1 -DTESTS -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc-mingw.o -o tested_service_test.exe -lws2_32
//
//   $ ./tested_service_test
//   [doctest] test cases: 6 | 6 passed | 0 failed | 0 skipped
//
// In a project of your own the app is a file, its tests are another, and both include a header that declares App.
#ifdef TESTS
#include <winsvc/testing.hpp>  // before winsvc.hpp, of which it shows more
#endif
#include <winsvc.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// -- the service: a thermostat, whose device may be missing --

std::atomic<bool> device_is_there{true};
std::atomic<int> wanted{20};
std::atomic<bool> heating{false};

void App(winsvc::service& svc) {
  svc.name("thermostat").listen("127.0.0.1", 5011).preshutdown(10s);

  svc.on_start("find the device", [](winsvc::start_context& start) {
    if (!device_is_there) throw std::runtime_error("there is no thermostat on the bus");
    start.progress("device found");
    heating = true;
    return [] { heating = false; };  // at stop, after the last request
  });
  svc.on_pause([] { heating = false; });
  svc.on_continue([] { heating = true; });
  svc.on_control(200, [] { wanted = 20; });  // thermostat control 200: back to where it began

  svc.get("/wanted", [] { return std::to_string(wanted) + "\n"; });
  svc.put("/wanted/{degrees}", [](int degrees) {
    if (degrees < 5 || degrees > 30) winsvc::abort(422, "5 to 30 degrees");
    wanted = degrees;
    return std::pair(204, std::string());
  });
}

#ifndef TESTS

WINSVC_MAIN(App)

#else

// -- its tests --

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

using winsvc::model::state;
using winsvc::testing::client;
using winsvc::testing::simulated_scm;

TEST_CASE("the wanted temperature is set and read, between 5 and 30 degrees") {
  client c(App);

  CHECK(c.put("/wanted/23", "").status == 204);
  CHECK(c.get("/wanted").body == "23\n");
  CHECK(c.put("/wanted/99", "").status == 422);
  CHECK(c.put("/wanted/warm", "").status == 404);
  CHECK(c.get("/wanted").body == "23\n");
}

TEST_CASE("it heats while it runs, and not after") {
  simulated_scm scm;

  scm.start(App);
  CHECK(scm.state() == state::running);
  CHECK(heating);
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(!heating);
  CHECK(scm.verdicts().empty());
}

TEST_CASE("without a device the start fails, with a code that makes recovery act") {
  device_is_there = false;
  simulated_scm scm;

  scm.start(App);

  CHECK(scm.wait() != 0);
  CHECK(scm.events().back().find("there is no thermostat on the bus") != std::string::npos);
  CHECK(scm.verdicts().empty());
  device_is_there = true;
}

TEST_CASE("paused it does not heat, and heats again when it is continued") {
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.pause() == 0);
  CHECK(scm.wait_for(state::paused));
  CHECK(!heating);
  const auto so_far = scm.history().size();
  CHECK(scm.resume() == 0);
  CHECK(scm.wait_for(state::running, so_far));
  CHECK(heating);

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.verdicts().empty());
}

TEST_CASE("its own control is answered, others of that kind are not known") {
  wanted = 27;
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.custom(200) == 0);
  CHECK(wanted == 20);
  CHECK(scm.custom(201) == 120);

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("when the machine shuts down it stops by itself") {
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.shut_down() == 0);

  CHECK(scm.wait() == 0);
  CHECK(!heating);
  CHECK(scm.verdicts().empty());
}

#endif
