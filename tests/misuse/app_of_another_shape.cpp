// Must not compile: the app function takes an int, not a service.
// expect: winsvc: App must be a function void(winsvc::service&), a global object that can be called with winsvc::service&, or a type with a constructor that takes winsvc::service&
#include <winsvc.hpp>

void App(int) {}
WINSVC_MAIN(App)
