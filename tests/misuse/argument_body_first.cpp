// expect: winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T> or upload
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.put("/users/{id}", [](winsvc::body<int>, int id) { return std::to_string(id); });
}
