// expect: winsvc: on_start takes a callable without arguments, or with winsvc::start_context&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_start([](int) {});
}
