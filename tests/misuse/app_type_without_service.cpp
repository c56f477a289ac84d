// expect: winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a constructor that takes winsvc::service&
#include <winsvc.hpp>

struct App {
  App() = default;
};
WINSVC_MAIN(App)
