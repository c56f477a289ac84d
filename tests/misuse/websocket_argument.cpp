// Must not compile: a WebSocket handler takes a path parameter as a char.
// expect: winsvc: a WebSocket handler must take winsvc::websocket& first, then the path parameters (integers, double, std::string)
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [](winsvc::websocket&, char) {}); }
WINSVC_MAIN(App)
