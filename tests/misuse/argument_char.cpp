// expect: winsvc: unsupported parameter type of a handler; supported are const request&, response&, path parameters (integers, double, std::string) and body<T> or upload; the last two kinds by value or const reference
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/grades/{letter}", [](char letter) { return std::string(1, letter); });
}
