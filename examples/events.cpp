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
// A client that reconnects sends the ID of the last event that it received, and the numbering continues from there.
// When the service stops, all streams end at once.
#include <winsvc.hpp>

#include <atomic>
#include <cstdlib>
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

std::atomic<int> tenths_of_degree{200};

void App(winsvc::service& svc) {
  svc.name("thermometer").listen("127.0.0.1", 5012);
  svc.use(winsvc::security_headers());  // its policy forbids inline scripts, so the script has its own path

  svc.get("/", [] { return winsvc::reply::html(page); });
  svc.get("/page.js", [] { return winsvc::reply::with(script, "text/javascript"); });
  svc.get("/page.css", [] { return winsvc::reply::with(style, "text/css"); });
  svc.get("/events", [] {
    return winsvc::reply::events([](winsvc::event_stream& out) {
      unsigned long long id = std::strtoull(out.last_event_id().c_str(), nullptr, 10) + 1;  // 1 on the first connection
      do {
        const int now = tenths_of_degree;
        out.send(std::to_string(now / 10) + "." + std::to_string(now % 10), "reading", std::to_string(id++));
      } while (out.wait_for(1s));
    });
  });

  svc.worker("sensor", [](winsvc::stop_token stop) {
    while (!stop.wait_for(500ms)) tenths_of_degree = 200 + (tenths_of_degree + 3) % 50;
  });
}
WINSVC_MAIN(App)
