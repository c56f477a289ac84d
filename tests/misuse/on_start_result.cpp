// Must not compile: an on_start hook returns an int, not a cleanup function.
// expect: winsvc: an on_start hook must return void or a cleanup function, which is callable without arguments or with winsvc::stop_context&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_start([] { return 42; });
}
