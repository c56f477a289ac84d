// Must not compile: an on_control hook takes a string, not the control code.
// expect: winsvc: an on_control hook must be callable without arguments or with the control code (std::uint32_t)
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.on_control(200, [](const std::string&) {});
}
