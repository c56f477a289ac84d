// Must not compile: the app type has no constructor that takes a service.
// expect: winsvc: App must be a function void(winsvc::service&), a global object that can be called with winsvc::service&, or a type with a constructor that takes winsvc::service&
#include <winsvc.hpp>

struct App {
  App() = default;
};
WINSVC_MAIN(App)
