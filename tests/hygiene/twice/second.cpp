// The other: it has handlers and a service of its own.
#include <winsvc.hpp>

int from_second();
int from_second() {
  const auto other = [](winsvc::service& svc) { svc.get("/third/{id}", [](int id) { return std::to_string(id); }); };
  using app = void (*)(winsvc::service&);
  static const app kept = other;  // instantiates the handler here, too
  return static_cast<int>(sizeof kept);
}
