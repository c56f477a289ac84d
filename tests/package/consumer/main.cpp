// A program of somebody else's: what each way of getting winsvc has to build.
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("consumer").version("4.5.6");
  svc.get("/hi", [] { return "hi"; });
}
WINSVC_MAIN(App)
