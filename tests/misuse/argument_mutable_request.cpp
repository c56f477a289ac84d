// Must not compile: a handler takes the request by mutable reference.
// expect: winsvc: unsupported parameter type of a handler; supported are const request&, response&, values of the path or of a source (bool, integers, double, std::string, durations, enumerations with WINSVC_ENUM ...), body<T> or upload, all by value or const reference, and objects of the app as T&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", [](winsvc::request& req) { return winsvc::request_path(req); });
}
