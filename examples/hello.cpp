// Hello: the smallest Windows service with an HTTP server.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -Os -static -Isingle_include -Ibuild/deps/include examples/hello.cpp -o hello.exe -lws2_32
//   g++ -std=c++17 -O2 -Isingle_include -Ibuild/deps/include examples/hello.cpp -o hello
//   cl /std:c++17 /EHsc /O2 /bigobj /I single_include /I build\deps\include examples\hello.cpp    (not run here: there is no cl)
//
// Or in two steps; the first step compiles winsvc once for all examples (config/form.hpp):
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -Isingle_include -Ibuild/deps/include -c single_include/winsvc.cpp -o winsvc-mingw.o
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/hello.cpp winsvc-mingw.o -o hello2.exe -lws2_32
//   g++ -std=c++17 -O2 -Isingle_include -Ibuild/deps/include -c single_include/winsvc.cpp -o winsvc.o
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/hello.cpp winsvc.o -o hello2
//   cl /std:c++17 /EHsc /O2 /bigobj /c /I single_include /I build\deps\include single_include\winsvc.cpp    (not run here: there is no cl)
//
//   C:\Program Files\hello> hello install                from an elevated prompt
//   installed 'hello' (auto): "C:\Program Files\hello\hello.exe" run-service
//   C:\Program Files\hello> hello start
//   started 'hello': http://127.0.0.1:5001
//   C:\Program Files\hello> curl http://127.0.0.1:5001/hello/world
//   hello world
//   C:\Program Files\hello> hello stop
//   stopped 'hello'
//   C:\Program Files\hello> hello remove
//   removed 'hello'
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
  svc.get("/", [] { return "hello world"; });
  svc.get("/hello/{name}", [](std::string name) { return "hello " + name; });
}
WINSVC_MAIN(App)
