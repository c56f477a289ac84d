// Hello, service.
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
  svc.get("/", [] { return "hello world"; });
  svc.get("/hello/{name}", [](std::string name) { return "hello " + name; });
}
WINSVC_MAIN(App)
