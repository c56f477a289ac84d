// expect: winsvc: a handler must return void, text, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, std::optional<T> or std::pair<int, T>, where T is text, winsvc::json or winsvc::reply
#include <winsvc.hpp>

struct opaque {
  void* secret;
};

void App(winsvc::service& svc) {
  svc.get("/", [] { return opaque{nullptr}; });
}
