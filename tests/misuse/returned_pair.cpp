// expect: winsvc: a handler returns nothing, text, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, std::optional of one of these, or std::pair<int, one of these>
#include <winsvc.hpp>

struct opaque {
  void* secret;
};

void App(winsvc::service& svc) {
  svc.get("/", [] { return std::pair<int, opaque>(201, {nullptr}); });
}
