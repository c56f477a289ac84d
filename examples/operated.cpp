// Operated: settings that whoever runs the service may change, and a page that shows how it fares.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/operated.cpp winsvc-mingw.o -o operated.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/operated.cpp winsvc.o -o operated
//
//   $ ./operated config --init                        writes operated.ini beside the program
//   $ OPERATED_GREETING=hi ./operated debug           and open http://127.0.0.1:5015/_service in a browser
//   $ curl http://127.0.0.1:5015/
//   hi world
//   $ ./operated status
//
// A reload (or a start) takes what the file says by then: all of it or, where something cannot be taken, none, and the log
// says which line is wrong.
#include <winsvc.hpp>

#include <string>

void App(winsvc::service& svc) {
  svc.name("operated").display_name("Operated").version("1.0").listen("127.0.0.1", 5015);
  const auto greeting = svc.setting("greeting", "hello", "what to say");
  const auto recipient = svc.setting("whom", "world", "and to whom",
                                winsvc::satisfies([](const std::string& s) { return !s.empty(); }, "have a letter"));
  svc.setting("token", "", "of another service that it would ask", winsvc::secret);
  svc.get("/", [greeting, recipient] { return *greeting + ' ' + *recipient + '\n'; });
  svc.dashboard("/_service");  // for who is on the machine; winsvc::basic_auth as its second argument lets others in
}
WINSVC_MAIN(App)
