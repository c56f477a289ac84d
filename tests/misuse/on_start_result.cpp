// expect: winsvc: an on_start hook returns nothing, or a callable that undoes it at stop
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_start([] { return 42; });
}
