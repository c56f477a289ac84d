// expect: winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a constructor that takes winsvc::service&
#include <winsvc.hpp>

int App = 42;
WINSVC_MAIN(App)
