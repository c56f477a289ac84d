// Must not compile: the body of a handler has an error, which the compiler reports before our message.
// expect: no member named
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  auto token = svc.setting("token", "", "of the store", winsvc::secret);
  svc.get("/", [token] { return std::string(token.nothing() ? "none" : "some"); });
}
