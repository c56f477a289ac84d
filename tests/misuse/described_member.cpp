// Must not compile: a member in WINSVC_TYPE has a type without WINSVC_TYPE.
// expect: winsvc: a member in WINSVC_TYPE must be bool, an integer, double, float, std::string, a std::chrono duration, a type with WINSVC_TYPE, WINSVC_ENUM or winsvc::text_traits, or std::optional, std::vector or std::map<std::string, T> of one of them
#include <winsvc.hpp>

struct owner {
  int id;
};
struct item {
  owner keeper;
};
WINSVC_TYPE(item, keeper)

void App(winsvc::service& svc) {
  svc.post("/items", [](winsvc::body<item>) { return ""; });
}
