// A program of a user. The test builds it with each way to get winsvc.
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("consumer").version("4.5.6");
  svc.get("/hi", [] { return "hi"; });
}
WINSVC_MAIN(App)
