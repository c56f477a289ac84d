// Must not compile: a handler returns a pair with a type that has no JSON form.
// expect: winsvc: a handler must return void, text, winsvc::html, a number, a type with WINSVC_TYPE or with nlohmann's to_json, a vector, map or optional of such types, winsvc::json (with <nlohmann/json.hpp> before <winsvc.hpp>), winsvc::reply, std::optional<T> or std::pair<int, T>, where T is one of these types
#include <winsvc.hpp>

struct opaque {
  void* secret;
};

void App(winsvc::service& svc) {
  svc.get("/", [] { return std::pair<int, opaque>(201, {nullptr}); });
}
