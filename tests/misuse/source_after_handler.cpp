// Must not compile: a source follows the handler of a route.
// expect: winsvc: a route takes its pattern, then sources (query, header, cookie_value, form, file, client_address), then the handler
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/items", winsvc::query("a"), [](int a) { return std::to_string(a); }, winsvc::query("b"));
}
