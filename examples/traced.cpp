// Trace context: log lines with the trace of the caller (W3C header traceparent).
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/traced.cpp winsvc-mingw.o -o traced.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/traced.cpp winsvc.o -o traced
//
//   $ ./traced debug
//   $ curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' http://127.0.0.1:5021/
//   00-4bf92f3577b34da6a3ce929d0e0e4736-...-01         the header for a request to another service
#include <winsvc.hpp>
#include <winsvc/traceparent.hpp>  // adapters/winsvc/traceparent.hpp

void App(winsvc::service& svc) {
  svc.name("traced").listen("127.0.0.1", 5021);
  svc.get("/", [&svc](const winsvc::request& req) {
    const auto trace = winsvc::adapters::trace_context::of(req);
    svc.log().info(trace.log_prefix() + "greeting");
    return trace.child().header() + "\n";
  });
}
WINSVC_MAIN(App)
