// Several source files: app.cpp has the app with the name and the address, todos.cpp has the routes.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/views/app.cpp examples/views/todos.cpp winsvc-mingw.o -o views.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/views/app.cpp examples/views/todos.cpp winsvc.o -o views
//   cl /std:c++17 /EHsc /O2 /DWINSVC_SEPARATE=1 /I single_include /I build\deps\include examples\views\app.cpp examples\views\todos.cpp winsvc.obj /Fe:views.exe    (not run here: there is no cl)
//
//   It requires <nlohmann/json.hpp>, which is in the same folder as httplib.h here.
//
//   $ ./views debug &
//   $ curl --json '{"task":"learn"}' http://127.0.0.1:5007/todos
//   {"id":1,"task":"learn"}
//   $ curl http://127.0.0.1:5007/
//   1 to do
//
//   As a service it logs to %ProgramData%\views\logs\views.log, with `debug` to the terminal.
#include "views.hpp"

void App(winsvc::service& svc) {
  svc.name("views").display_name("To-do list").listen("127.0.0.1", 5007);
  add_todo_routes(svc);
}
WINSVC_MAIN(App)
