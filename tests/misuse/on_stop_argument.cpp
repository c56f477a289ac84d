// expect: winsvc: an on_stop hook must be callable without arguments or with winsvc::stop_context&
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_stop([](int) {});
}
