// Server-sent events: a page that shows the current temperature without polling.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/events.cpp winsvc-mingw.o -o events.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/events.cpp winsvc.o -o events
//
//   $ ./events debug
//   $ curl -N http://127.0.0.1:5012/events        or open http://127.0.0.1:5012/ in a browser
//   id: 1
//   event: reading
//   data: 20.5
//
// All pages receive the events of one channel; a page that waits holds no thread. A client that reconnects sends the ID
// of the last event that it received, and gets those that it has missed. When the service stops, all streams end at
// once.
#include <winsvc.hpp>

#include <string>

using namespace std::chrono_literals;

constexpr const char* page = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Thermometer</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/page.css">
<p><output id="degrees">&hellip;</output> &deg;C
<script src="/page.js"></script>
</html>)";

constexpr const char* style =
    "body { font: 4rem/1.5 system-ui; text-align: center; margin-top: 20vh; color-scheme: light dark }\n";

constexpr const char* script = R"(
const output = document.getElementById("degrees");
const events = new EventSource("/events");
events.addEventListener("reading", event => output.value = event.data);
events.onerror = () => output.value = "\u2026";
)";

constexpr std::size_t history = 60;  // events for clients that reconnect
winsvc::event_channel readings(history);

void App(winsvc::service& svc) {
  svc.name("thermometer").listen("127.0.0.1", 5012);
  svc.use(winsvc::security_headers());  // its policy forbids inline scripts, so the script has its own path

  svc.get("/", [] { return winsvc::reply::html(page); });
  svc.get("/page.js", [] { return winsvc::reply::with(script, "text/javascript"); });
  svc.get("/page.css", [] { return winsvc::reply::with(style, "text/css"); });
  svc.get("/events", [] { return winsvc::reply::events(readings); });

  svc.worker("sensor", [](winsvc::stop_token stop) {
    int tenths = 202;
    for (int id = 1; !stop.wait_for(500ms); ++id) {
      tenths = 200 + (tenths + 3) % 50;
      readings.send(std::to_string(tenths / 10) + "." + std::to_string(tenths % 10), "reading", std::to_string(id));
    }
  });
}
WINSVC_MAIN(App)
