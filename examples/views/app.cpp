// Views: a service in files of their own. This one says what the service is, todos.cpp what it serves.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -Isingle_include -I<httplib> examples/views/app.cpp examples/views/todos.cpp -o views.exe -lws2_32
//   g++ -std=c++17 -O2 -Isingle_include -I<httplib> examples/views/app.cpp examples/views/todos.cpp -o views
//   cl /std:c++17 /EHsc /O2 /bigobj /I single_include /I <httplib> examples\views\app.cpp examples\views\todos.cpp /Fe:views.exe    (not run here: there is no cl)
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
