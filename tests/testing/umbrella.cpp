// Tests of the two headers that a user includes. Only this test is also built against single_include/.
#include <winsvc.hpp>
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace {

void app(winsvc::service& svc) {
  svc.name("umbrella");
  svc.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
}

struct stateful {
  int visits = 0;
  explicit stateful(winsvc::service& svc) {
    svc.get("/visits", [this] { return std::to_string(++visits); });
  }
};

}  // namespace

TEST_CASE("a function is an app, and the client receives its responses without a socket") {
  winsvc::testing::client client(app);

  CHECK(client.get("/users/7").status == 200);
  CHECK(client.get("/users/7").body == "user 7");
  CHECK(client.get("/users/bob").status == 404);
}

TEST_CASE("a type is an app, and its object has the state") {
  winsvc::testing::client client(std::in_place_type<stateful>);

  CHECK(client.get("/visits").body == "1");
  CHECK(client.get("/visits").body == "2");
}

TEST_CASE("the version is a number for the preprocessor and a text with the same value") {
#if WINSVC_VERSION < 100
  FAIL("WINSVC_VERSION is less than 0.1.0");
#endif
  CHECK(std::string(WINSVC_VERSION_STRING) == std::to_string(WINSVC_VERSION_MAJOR) + "." +
                                                  std::to_string(WINSVC_VERSION_MINOR) + "." +
                                                  std::to_string(WINSVC_VERSION_PATCH));
  CHECK(WINSVC_VERSION == WINSVC_VERSION_MAJOR * 10000 + WINSVC_VERSION_MINOR * 100 + WINSVC_VERSION_PATCH);
}

TEST_CASE("the options WINSVC_JSON and WINSVC_AUTOLINK are 0 or 1") {
  CHECK((WINSVC_JSON == 0 || WINSVC_JSON == 1));
  CHECK((WINSVC_AUTOLINK == 0 || WINSVC_AUTOLINK == 1));
}
