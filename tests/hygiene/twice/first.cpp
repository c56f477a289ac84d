// One of two translation units that include winsvc: together they prove that everything in it is inline.
#include <winsvc.hpp>

int from_second();

void App(winsvc::service& svc) {
  svc.name("twice");
  svc.get("/first", [] { return "first"; });
  svc.get("/second", [] { return std::to_string(from_second()); });
}
WINSVC_MAIN(App)
