// expect: winsvc: a handler is a function or a lambda whose parameter types are written out (no `auto`)
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", 42);
}
