// expect: winsvc: on_stop takes a callable without arguments
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_stop([](int) {});
}
