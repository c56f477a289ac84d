// Must not compile: a handler takes an optional, but its route has no source.
// expect: winsvc: a parameter that is an optional, a list or a file needs a source in the registration, such as svc.get(
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/items", [](std::optional<int> limit) { return std::to_string(limit.value_or(0)); });
}
