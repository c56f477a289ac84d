// TLS: a service that speaks HTTPS, with its certificate beside the executable.
//
//   g++ -std=c++17 -O2 -DCPPHTTPLIB_OPENSSL_SUPPORT -Isingle_include -Ibuild/deps/include examples/tls.cpp -o tls -lssl -lcrypto
//   cl /std:c++17 /O2 /EHsc /bigobj /DCPPHTTPLIB_OPENSSL_SUPPORT /Isingle_include /Ibuild\deps\include /I C:\openssl\include examples\tls.cpp /link /LIBPATH:C:\openssl\lib libssl.lib libcrypto.lib    (not run here: there is no cl)
//
// A certificate for trying out (a real one comes from an authority; its key is for the service's account alone):
//
//   $ openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost
//   $ ./tls debug
//   $ curl --cacert cert.pem https://localhost:5015/
//   hello, quietly
//
// When the certificate is renewed, `tls reload` takes the new one for connections from then on; one that cannot be used
// is logged, and the old one stays. TLS 1.2 or newer; who speaks plain HTTP is told so.
#include <winsvc.hpp>

void App(winsvc::service& svc) {
  svc.name("tls").listen("127.0.0.1", 5015).tls("cert.pem", "key.pem");

  svc.get("/", [] { return "hello, quietly"; });
  svc.get("/login", [](winsvc::response& res) {
    // Browsers send it back over TLS alone.
    winsvc::set_cookie(res, winsvc::cookie("seen", "yes").secure());
    return "welcome";
  });
}
WINSVC_MAIN(App)
