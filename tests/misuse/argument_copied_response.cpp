// Must not compile: a handler takes the response by value.
// expect: winsvc: unsupported parameter type of a handler; supported are const request&, response&, values of the path or of a source (bool, integers, double, std::string, durations, enumerations with WINSVC_ENUM ...), body<T> or upload, all by value or const reference, and objects of the app as T&
#include <httplib.h>
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", [](winsvc::response res) { res.status = 201; });
}
