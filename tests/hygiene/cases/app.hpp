// A minimal app, which most cases include at their end.
#pragma once

void App(winsvc::service& svc) {
  svc.name("hygiene").listen("127.0.0.1", 0);
  svc.get("/", [] { return "hello"; });
}
WINSVC_MAIN(App)
