// Must not compile: a handler takes the body before a path parameter.
// expect: winsvc: the parameters of a handler must be in this order: const request&, response&, path parameters, values of sources, body<T> or upload; only values may repeat
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.put("/users/{id}", [](winsvc::body<int>, int id) { return std::to_string(id); });
}
