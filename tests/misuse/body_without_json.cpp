// expect: winsvc: body<T> needs nlohmann's json: put <nlohmann/json.hpp> on the include path
// with: -DWINSVC_JSON=0
#include <winsvc.hpp>

struct todo {
  int id = 0;
};

void App(winsvc::service& svc) {
  svc.post("/todos", [](winsvc::body<todo> item) { return std::to_string(item->id); });
}
