// Compile test: a program that uses COM includes the full <windows.h> first, whose rpcndr.h defines `small` as char.
#include <winsock2.h>
#include <windows.h>

#include <ole2.h>

#ifndef small
  #error "the SDK no longer defines small: this case tests nothing"
#endif

#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.get("/", [] { return "hello"; });
}
WINSVC_MAIN(App)
