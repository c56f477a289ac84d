// Must not compile: the app is a number, which is neither callable nor a type.
// expect: winsvc: App must be a function void(winsvc::service&), a global object that can be called with winsvc::service&, or a type with a constructor that takes winsvc::service&
#include <winsvc.hpp>

int App = 42;
WINSVC_MAIN(App)
