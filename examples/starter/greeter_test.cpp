// Tests of greeter: a client without a socket, and a simulated service control manager.
#include <winsvc/testing.hpp>  // must precede winsvc.hpp

#include "greeter.hpp"

#include <cstdio>

int failures = 0;

void check(const char* claim, bool holds) {
  std::printf("%s  %s\n", holds ? "ok  " : "FAIL", claim);
  if (!holds) ++failures;
}

int main() {
  winsvc::testing::client client(App);
  check("the response has the greeting and the name", client.get("/greet/anna").body == "hello anna\n");
  check("another path is 404", client.get("/nobody").status == 404);

  winsvc::testing::simulated_scm scm;
  scm.start(App);
  check("the service reaches RUNNING", scm.state() == winsvc::testing::scm_state::running);
  scm.stop();
  check("the service stops with exit code 0", scm.wait() == 0);
  check("each reported status is legal", scm.violations().empty());
  return failures == 0 ? 0 : 1;
}
