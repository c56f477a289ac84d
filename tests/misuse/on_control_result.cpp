// expect: winsvc: an on_control hook returns nothing, or a Win32 code for who sent the control
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_control(200, [] { return std::string("done"); });
}
