// expect: winsvc: a websocket handler returns nothing: it sends
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [](winsvc::websocket&, int) { return "hello"; }); }
WINSVC_MAIN(App)
