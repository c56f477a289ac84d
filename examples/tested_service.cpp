// Tests of a service: doctest, a client without a socket, and a simulated service control manager (SCM). Starts, stops,
// pauses and shutdowns run in milliseconds, also on Linux.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc-mingw.o -o tested_service.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc.o -o tested_service
//   g++ -std=c++17 -O1 -DTESTS -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc.o -o tested_service_test
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O1 -DTESTS -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/tested_service.cpp winsvc-mingw.o -o tested_service_test.exe -lws2_32
//
//   $ ./tested_service_test
//   [doctest] test cases: 6 | 6 passed | 0 failed | 0 skipped
//
// In your project, put the app and its tests into two files that include a header with the declaration of App.
#ifdef TESTS
#include <winsvc/testing.hpp>  // must precede winsvc.hpp
#endif
#include <winsvc.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// -- the service: a thermostat with a device that can be missing --

std::atomic<bool> device_connected{true};
std::atomic<int> target_degrees{20};
std::atomic<bool> heating{false};

void App(winsvc::service& svc) {
  svc.name("thermostat").listen("127.0.0.1", 5011).preshutdown(10s);

  svc.on_start("find the device", [](winsvc::start_context& start) {
    if (!device_connected) throw std::runtime_error("no thermostat is connected to the bus");
    start.progress("device found");
    heating = true;
    return [] { heating = false; };  // cleanup function: runs at stop, after the last request
  });
  svc.on_pause([] { heating = false; });
  svc.on_continue([] { heating = true; });
  svc.on_control(200, [] { target_degrees = 20; });  // verb: thermostat control 200

  svc.get("/target", [] { return std::to_string(target_degrees) + "\n"; });
  svc.put("/target/{degrees}", [](int degrees) {
    if (degrees < 5 || degrees > 30) winsvc::abort(422, "the temperature must be 5 to 30 degrees");
    target_degrees = degrees;
    return std::pair(204, std::string());
  });
}

#ifndef TESTS

WINSVC_MAIN(App)

#else

// -- the tests --

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

using winsvc::testing::scm_state;
using winsvc::testing::client;
using winsvc::testing::simulated_scm;

TEST_CASE("the target temperature can be read and set from 5 to 30 degrees") {
  client c(App);

  CHECK(c.put("/target/23", "").status == 204);
  CHECK(c.get("/target").body == "23\n");
  CHECK(c.put("/target/99", "").status == 422);
  CHECK(c.put("/target/warm", "").status == 404);
  CHECK(c.get("/target").body == "23\n");
}

TEST_CASE("the service heats while it runs and not after a stop") {
  simulated_scm scm;

  scm.start(App);
  CHECK(scm.state() == scm_state::running);
  CHECK(heating);
  CHECK(scm.stop() == 0);

  CHECK(scm.wait() == 0);
  CHECK(!heating);
  CHECK(scm.violations().empty());
}

TEST_CASE("a start without a device fails with an exit code that triggers recovery") {
  device_connected = false;
  simulated_scm scm;

  scm.start(App);

  CHECK(scm.wait() != 0);
  CHECK(scm.events().back().find("no thermostat is connected to the bus") != std::string::npos);
  CHECK(scm.violations().empty());
  device_connected = true;
}

TEST_CASE("a paused service does not heat and heats again after continue") {
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.pause() == 0);
  CHECK(scm.wait_for(scm_state::paused));
  CHECK(!heating);
  const auto reports_before = scm.history().size();
  CHECK(scm.resume() == 0);
  CHECK(scm.wait_for(scm_state::running, reports_before));
  CHECK(heating);

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
  CHECK(scm.violations().empty());
}

TEST_CASE("control 200 is handled and an unknown custom control is rejected") {
  target_degrees = 27;
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.custom(200) == 0);
  CHECK(target_degrees == 20);
  CHECK(scm.custom(201) == 120);

  CHECK(scm.stop() == 0);
  CHECK(scm.wait() == 0);
}

TEST_CASE("a shutdown of Windows stops the service") {
  simulated_scm scm;
  scm.start(App);

  CHECK(scm.shut_down() == 0);

  CHECK(scm.wait() == 0);
  CHECK(!heating);
  CHECK(scm.violations().empty());
}

#endif
