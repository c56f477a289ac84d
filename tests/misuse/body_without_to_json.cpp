// Must not compile: the type in body<T> has from_json, but not to_json.
// expect: winsvc: the type in body<T> has from_json, but not to_json
#include <nlohmann/json.hpp>
#include <winsvc.hpp>

struct todo {
  int id = 0;
};
void from_json(const winsvc::json& value, todo& result) { value.at("id").get_to(result.id); }

void App(winsvc::service& svc) {
  svc.post("/todos", [](winsvc::body<todo> item) { return std::to_string(item->id); });
}
