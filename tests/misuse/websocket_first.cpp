// expect: winsvc: a websocket handler takes winsvc::websocket& and the path parameters (integers, double, std::string)
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.websocket("/{a}", [](int) {}); }
WINSVC_MAIN(App)
