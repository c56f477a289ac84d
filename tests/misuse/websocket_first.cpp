// Must not compile: the first parameter of a WebSocket handler is not the websocket.
// expect: winsvc: a WebSocket handler must take winsvc::websocket& first, then the path parameters (integers, double, std::string)
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [](int) {}); }
WINSVC_MAIN(App)
