// expect: winsvc: on_control takes a callable without arguments, or with the control's number
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_control(200, [](const std::string&) {});
}
