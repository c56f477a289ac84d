// Must not compile: a route has a source, but no handler.
// expect: winsvc: a handler must be a function or a lambda with explicit parameter types (no `auto`)
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.get("/items", winsvc::query("a")); }
