// Authentication: a login with a password, a signed cookie, and a rate limit for login attempts.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
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
// Without TLS, passwords and cookies can be read on the network. This service listens on the loopback address, for use
// behind a proxy with TLS on the same machine. The cookie is sent only over HTTPS; curl and browsers make an exception
// for 127.0.0.1. The rate limit counts the clients of the proxy, not the proxy.
#include <httplib.h>
#include <winsvc.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Middleware: requires the cookie that /login has set.
void require_login(const winsvc::request& req, winsvc::response& res, const winsvc::next_handler& next) {
  const auto user = winsvc::unsign("user", winsvc::find_cookie(req, "user"), environment_value("AUTH_KEY"));
  if (!user) {
    // RFC 9110, section 15.5.2: a 401 response names a scheme. For "Basic", a browser would open a password dialog.
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

  svc.on_start("check the environment", [] {
    if (environment_value("AUTH_PASSWORD").empty()) throw std::runtime_error("AUTH_PASSWORD is not set");
    if (environment_value("AUTH_KEY").size() < 16) throw std::runtime_error("AUTH_KEY has less than 16 bytes");
  });

  svc.group("/login", [](winsvc::route_group& login) {
    login.use(winsvc::rate_limit(0.2, 5));  // five attempts, then one every five seconds
    login.use(winsvc::basic_auth("auth", [](std::string_view user, std::string_view password) {
      return user == "anna" && winsvc::equal_secret(password, environment_value("AUTH_PASSWORD"));
    }));
    login.post("/", [](const winsvc::request& req, winsvc::response& res) {
      const auto& user = winsvc::context(req).get<winsvc::authenticated_user>()->name;
      const auto signed_user = winsvc::sign("user", user, environment_value("AUTH_KEY"), 8h);
      winsvc::set_cookie(res, winsvc::cookie("user", signed_user).max_age(8h).secure());
      return "welcome, " + user + "\n";
    });
  });

  svc.group("/account", [](winsvc::route_group& account) {
    account.use(require_login);
    account.get("/", [](const winsvc::request& req) {
      return winsvc::context(req).get<winsvc::authenticated_user>()->name + "'s account\n";
    });
  });
}
WINSVC_MAIN(App)
