// Greeter: the app, with its setting and its route.
#include "greeter.hpp"

#include <string>

void App(winsvc::service& svc) {
  svc.name("greeter").display_name("Greeter").description("Greets the clients of this machine");
  svc.listen("127.0.0.1", 5080);

  auto greeting = svc.setting("greeting", "hello", "the first word of the response");
  svc.get("/greet/{name}", [greeting](std::string name) {
    return *greeting + " " + name + "\n";
  });
}
