#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("greeter");
  svc.get("/", [] { return "hello"; });
}
WINSVC_MAIN(App)
