// expect: winsvc: a handler is called from many threads at once, so its call operator must be const (a lambda without `mutable`)
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/count", [n = 0]() mutable { return std::to_string(++n); });
}
