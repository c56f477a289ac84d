// The SID of a service.
#include "winsvc/scm/service_sid.hpp"

#include <doctest/doctest.h>

using winsvc::detail::scm::service_sid;

TEST_CASE("the SID of a service is computed from its name, without regard to case") {
  const char* const expected = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
  CHECK(service_sid("TrustedInstaller") == expected);
  CHECK(service_sid("trustedinstaller") == expected);
  CHECK(service_sid("hello") != expected);
  CHECK_FALSE(service_sid("h\xC3\xA9llo"));
}
