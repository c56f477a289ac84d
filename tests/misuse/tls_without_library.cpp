// Must not compile: the app uses TLS without a TLS library.
// expect: winsvc: tls() requires cpp-httplib with a TLS library: compile with -DCPPHTTPLIB_OPENSSL_SUPPORT and link with -lssl -lcrypto
#include <winsvc.hpp>

void App(winsvc::service& svc) { svc.tls("cert.pem", "key.pem"); }
WINSVC_MAIN(App)
