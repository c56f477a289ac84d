// Must not compile: a handler takes a body and an upload.
// expect: winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, values of sources, body<T> or upload; only values may repeat
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.post("/users", [](winsvc::body<int>, winsvc::upload) { return "x"; });
}
