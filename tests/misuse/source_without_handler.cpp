// expect: winsvc: the handler is missing; it is the last argument, after the sources
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.get("/items", winsvc::query("a")); }
