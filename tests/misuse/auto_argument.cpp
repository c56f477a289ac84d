// Must not compile: a parameter of a handler has the type auto.
// expect: winsvc: a handler must be a function or a lambda with explicit parameter types (no `auto`); if its body has an error, correct that first
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/users/{id}", [](auto id) { return id; });
}
