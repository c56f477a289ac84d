// TLS: a service with HTTPS. The certificate is in the folder of the executable.
//
//   g++ -std=c++17 -O2 -DCPPHTTPLIB_OPENSSL_SUPPORT -Isingle_include -Ibuild/deps/include examples/tls.cpp -o tls -lssl -lcrypto
//   cl /std:c++17 /O2 /EHsc /bigobj /DCPPHTTPLIB_OPENSSL_SUPPORT /Isingle_include /Ibuild\deps\include /I C:\openssl\include examples\tls.cpp /link /LIBPATH:C:\openssl\lib libssl.lib libcrypto.lib    (not run here: there is no cl)
//
// This command creates a certificate for tests. In production, use a certificate from a certificate authority, and let
// only the account of the service read its key.
//
//   $ openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost
//   $ ./tls debug
//   $ curl --cacert cert.pem https://localhost:5015/
//   hello, quietly
//
// After you renew the certificate, `tls reload` applies it to new connections. If it is invalid, the log has the
// reason, and the previous certificate stays in use. TLS 1.2 or newer is required. A request without TLS gets a 400 response
// that names the https:// address.
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("tls").listen("127.0.0.1", 5015).tls("cert.pem", "key.pem");

  svc.get("/", [] { return "hello, quietly"; });
  svc.get("/login", [](winsvc::response& res) {
    // Browsers return this cookie only over TLS.
    winsvc::set_cookie(res, winsvc::cookie("seen", "yes").secure());
    return "welcome";
  });
}
WINSVC_MAIN(App)
