// Must not compile: a route has two sources, but its handler takes one value.
// expect: winsvc: the handler needs one argument for each source (query, header, form ...), after the path parameters and in the order of the sources
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/items", winsvc::query("a"), winsvc::query("b"), [](int a) { return std::to_string(a); });
}
