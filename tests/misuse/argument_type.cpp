// Must not compile: a handler takes a path parameter as a type without a conversion from text.
// expect: winsvc: unsupported parameter type of a handler; supported are const request&, response&, values of the path or of a source (bool, integers, double, std::string, durations, enumerations with WINSVC_ENUM ...), body<T> or upload, all by value or const reference, and objects of the app as T&
#include <winsvc.hpp>

struct user {};

void App(winsvc::service& svc) {
  svc.get("/users/{id}", [](user) { return "user"; });
}
