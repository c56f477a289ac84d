// Must not compile: a WebSocket handler returns a value.
// expect: winsvc: a WebSocket handler must return void; it sends data with winsvc::websocket::send
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [](winsvc::websocket&, int) { return "hello"; }); }
WINSVC_MAIN(App)
