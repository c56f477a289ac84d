// The smallest program, as every case ends with it.
#pragma once

void App(winsvc::service& svc) {
  svc.name("polite").listen("127.0.0.1", 0);
  svc.get("/", [] { return "hello"; });
}
WINSVC_MAIN(App)
