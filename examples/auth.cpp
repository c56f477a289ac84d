// Auth: a group behind a password, a cookie that cannot be forged, a limit on trying.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   x86_64-w64-mingw32-g++-posix -std=c++17 -O2 -static -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/auth.cpp winsvc-mingw.o -o auth.exe -lws2_32
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/auth.cpp winsvc.o -o auth
//
//   $ AUTH_PASSWORD=secret AUTH_KEY=sixteen-bytes-or-more ./auth debug
//   $ curl http://127.0.0.1:5013/account
//   {"title":"Unauthorized","status":401,"detail":"log in first"}
//   $ curl -c jar -u anna:secret -X POST http://127.0.0.1:5013/login
//   welcome, anna
//   $ curl -b jar http://127.0.0.1:5013/account
//   anna's account
//
// Basic authentication and cookies are readable on the wire: this listens on the loopback address, and belongs behind a
// proxy on this machine that has TLS. Its cookie is for https alone (and for 127.0.0.1, where curl and browsers make an
// exception), and the limit counts the proxy's clients, not the proxy.
#include <httplib.h>
#include <winsvc.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Whoever has the cookie that /login gave.
void need_login(const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
  const auto user = winsvc::unsign("user", winsvc::find_cookie(req, "user"), setting("AUTH_KEY"));
  if (!user) {
    // A 401 says what it wants (RFC 9110, section 15.5.2). With "Basic" a browser would ask for a password here.
    res.set_header("WWW-Authenticate", "Cookie realm=\"auth\"");
    winsvc::abort(401, "log in first");
  }
  winsvc::context(req).set(winsvc::authenticated_user{*user});
  next();
}

void App(winsvc::service& svc) {
  svc.name("auth").listen("127.0.0.1", 5013);
  svc.use(winsvc::trusted_proxies({"127.0.0.1", "::1"}));
  svc.use(winsvc::security_headers());

  svc.on_start("look at the settings", [] {
    if (setting("AUTH_PASSWORD").empty()) throw std::runtime_error("AUTH_PASSWORD is not set");
    if (setting("AUTH_KEY").size() < 16) throw std::runtime_error("AUTH_KEY has less than 16 bytes");
  });

  svc.group("/login", [](winsvc::route_group& login) {
    login.use(winsvc::rate_limit(0.2, 5));  // five tries, then one every five seconds
    login.use(winsvc::basic_auth("auth", [](std::string_view user, std::string_view password) {
      return user == "anna" && winsvc::equal_secret(password, setting("AUTH_PASSWORD"));
    }));
    login.post("/", [](const winsvc::request& req, winsvc::response& res) {
      const auto& user = winsvc::context(req).get<winsvc::authenticated_user>()->name;
      const auto signed_user = winsvc::sign("user", user, setting("AUTH_KEY"), 8h);
      winsvc::set_cookie(res, winsvc::cookie("user", signed_user).max_age(8h).secure());
      return "welcome, " + user + "\n";
    });
  });

  svc.group("/account", [](winsvc::route_group& account) {
    account.use(need_login);
    account.get("/", [](const winsvc::request& req) {
      return winsvc::context(req).get<winsvc::authenticated_user>()->name + "'s account\n";
    });
  });
}
WINSVC_MAIN(App)
