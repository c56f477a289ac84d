// A translation unit that includes winsvc. Linked with a copy of itself, it proves that everything in the headers is inline.
#include <winsvc.hpp>

static void App(winsvc::service& svc) {
  svc.name("twice");
  svc.get("/first", [] { return "first"; });
  svc.get("/second/{id}", [](int id) { return std::to_string(id); });
}
WINSVC_MAIN(App)
