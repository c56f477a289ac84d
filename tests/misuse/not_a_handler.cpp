// Must not compile: a handler is a number.
// expect: winsvc: a handler must be a function or a lambda with explicit parameter types (no `auto`)
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", 42);
}
