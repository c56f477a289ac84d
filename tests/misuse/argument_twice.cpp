// Must not compile: a handler takes the request twice.
// expect: winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, values of sources, body<T> or upload; only values may repeat
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", [](const winsvc::request& a, const winsvc::request& b) { return winsvc::request_path(a) + winsvc::request_path(b); });
}
