// A service for tests/bench/crowds.py: an event channel, a route that takes a body, and the health routes.
//
//   crowd debug --port PORT
//
// All limits are the defaults, except for the number of connections.
#include <winsvc.hpp>

#include <string>

using namespace std::chrono_literals;

winsvc::event_channel ticks;

void App(winsvc::service& svc) {
  svc.name("crowd").listen("127.0.0.1", 5040);
  svc.limits().connections = 40'000;
  svc.get("/", [] { return "hello"; });
  svc.post("/size", [](const winsvc::request& req) { return std::to_string(req.body.size()); });
  svc.get("/ticks", [] { return winsvc::reply::events(ticks); });
  svc.worker("clock", [](winsvc::stop_token stop) {
    while (!stop.wait_for(1s)) ticks.send("tick");
  });
}
WINSVC_MAIN(App)
