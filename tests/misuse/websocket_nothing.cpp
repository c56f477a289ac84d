// Must not compile: a WebSocket handler takes no parameter.
// expect: winsvc: a WebSocket handler must take winsvc::websocket& first, then the path parameters (integers, double, std::string)
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [] {}); }
WINSVC_MAIN(App)
