// The second translation unit, with its own handlers and service.
#include <winsvc.hpp>

int from_second();
int from_second() {
  const auto other = [](winsvc::service& svc) { svc.get("/third/{id}", [](int id) { return std::to_string(id); }); };
  using app = void (*)(winsvc::service&);
  static const app instance = other;  // instantiates the templates of the handler here too
  return static_cast<int>(sizeof instance);
}
