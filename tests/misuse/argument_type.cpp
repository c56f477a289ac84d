// expect: winsvc: a handler takes const request&, response&, path parameters (integers, double, std::string) and body<T> or upload, by value or const reference
#include <winsvc.hpp>

struct user {};

void App(winsvc::service& svc) {
  svc.get("/users/{id}", [](user) { return "user"; });
}
