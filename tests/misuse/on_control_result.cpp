// Must not compile: an on_control hook returns a string, not an error code.
// expect: winsvc: an on_control hook must return void or a Win32 error code, which the sender of the control receives
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_control(200, [] { return std::string("done"); });
}
