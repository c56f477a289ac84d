// Must not compile: body<T> of a type without WINSVC_TYPE is used without the JSON library of nlohmann.
// expect: winsvc: body<T> requires <nlohmann/json.hpp>: add its folder to the include path, or describe T with WINSVC_TYPE and provide a winsvc::json_library
// with: -DWINSVC_JSON=0
#include <winsvc.hpp>

struct todo {
  int id = 0;
};

void App(winsvc::service& svc) {
  svc.post("/todos", [](winsvc::body<todo> item) { return std::to_string(item->id); });
}
