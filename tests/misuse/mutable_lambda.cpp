// Must not compile: a handler is a mutable lambda.
// expect: winsvc: the call operator of a handler must be const (a lambda without `mutable`), because several threads call it at the same time
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/count", [n = 0]() mutable { return std::to_string(++n); });
}
