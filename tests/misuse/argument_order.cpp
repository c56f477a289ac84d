// Must not compile: a handler takes a path parameter before the request.
// expect: winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, values of sources, body<T> or upload; only values may repeat
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/users/{id}", [](int id, const winsvc::request&) { return std::to_string(id); });
}
