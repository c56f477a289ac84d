// The first of two translation units that include winsvc. They link only if all functions are inline.
#include <winsvc.hpp>

int from_second();

void App(winsvc::service& svc) {
  svc.name("twice");
  svc.get("/first", [] { return "first"; });
  svc.get("/second", [] { return std::to_string(from_second()); });
}
WINSVC_MAIN(App)
