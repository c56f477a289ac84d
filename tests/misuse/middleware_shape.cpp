// Must not compile: a middleware takes an int, not a request.
// expect: winsvc: a middleware must be callable with const request&, response& and const next_handler&, or with const request& alone and then return std::optional<winsvc::reply>
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.use([](int) { return 1; });
}
