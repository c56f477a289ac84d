// expect: winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T> or upload
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", [](const winsvc::request& a, const winsvc::request& b) { return a.path + b.path; });
}
