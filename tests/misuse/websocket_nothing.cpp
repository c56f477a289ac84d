// expect: winsvc: a websocket handler takes winsvc::websocket& first, then the path parameters
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [] {}); }
WINSVC_MAIN(App)
