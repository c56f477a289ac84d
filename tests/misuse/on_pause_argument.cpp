// Must not compile: an on_pause hook takes an int, not a stop_context.
// expect: winsvc: this hook must be callable without arguments or with winsvc::stop_context&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_pause([](int) {});
}
