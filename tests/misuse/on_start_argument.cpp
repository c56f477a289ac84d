// Must not compile: an on_start hook takes an int, not a start_context.
// expect: winsvc: an on_start hook must be callable without arguments or with winsvc::start_context&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_start([](int) {});
}
