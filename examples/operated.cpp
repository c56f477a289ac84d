// Settings and dashboard: values that an operator can change, and a page with the state of the service.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/operated.cpp winsvc-mingw.o -o operated.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/operated.cpp winsvc.o -o operated
//
//   $ ./operated config --init                        writes operated.ini next to the program
//   $ OPERATED_GREETING=hi ./operated debug           and open http://127.0.0.1:5015/_service in a browser
//   $ curl http://127.0.0.1:5015/
//   hi world
//   $ ./operated status
//
// A start and a reload read the file and apply all values. If a value is invalid, no value is applied, and the log
// contains the line of the invalid value.
#include <winsvc.hpp>

#include <string>

void App(winsvc::service& svc) {
  svc.name("operated").display_name("Operated").version("1.0").listen("127.0.0.1", 5015);
  const auto greeting = svc.setting("greeting", "hello", "text of the greeting");
  const auto not_empty = winsvc::satisfies([](const std::string& s) { return !s.empty(); }, "not be empty");
  const auto recipient = svc.setting("recipient", "world", "recipient of the greeting", not_empty);
  svc.setting("token", "", "password of another service, as an example of a secret", winsvc::secret);
  svc.get("/", [greeting, recipient] { return *greeting + ' ' + *recipient + '\n'; });
  svc.dashboard("/_service");  // local access only; pass winsvc::basic_auth for remote access
}
WINSVC_MAIN(App)
