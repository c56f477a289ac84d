// Views: a service in files of their own. This one says what the service is, todos.cpp what it serves.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/views/app.cpp examples/views/todos.cpp winsvc-mingw.o -o views.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/views/app.cpp examples/views/todos.cpp winsvc.o -o views
//   cl /std:c++17 /EHsc /O2 /DWINSVC_SEPARATE=1 /I single_include /I build\deps\include examples\views\app.cpp examples\views\todos.cpp winsvc.obj /Fe:views.exe    (not run here: there is no cl)
//
//   It needs <nlohmann/json.hpp>; here it is beside httplib.h.
//
//   $ ./views debug &
//   $ curl --json '{"task":"learn"}' http://127.0.0.1:5007/todos
//   {"id":1,"task":"learn"}
//   $ curl http://127.0.0.1:5007/
//   1 to do
//
//   As a service it logs to %ProgramData%\views\logs\views.log, in debug to the terminal.
#include "views.hpp"

void App(winsvc::service& svc) {
  svc.name("views").display_name("To-do list").listen("127.0.0.1", 5007);
  todos(svc);
}
WINSVC_MAIN(App)
