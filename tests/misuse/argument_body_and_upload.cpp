// expect: winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T> or upload
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.post("/users", [](winsvc::body<int>, winsvc::upload) { return "x"; });
}
