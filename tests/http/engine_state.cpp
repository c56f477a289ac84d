// The line of a response in the access log, as text and as members of a JSON object.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using winsvc::detail::http::access_record;

TEST_CASE("a response has one line of text, and members of a JSON object") {
  access_record record{"GET", "/users/7?q=\"x\"", "/users/{id}", {"10.0.0.1", 0}, 200, 151, 88us};
  record.id = "r1";
  std::string text = "> ", fields = "\"t\":1,";

  record.append_text(text);
  record.append_json_fields(fields);

  CHECK(text == "> GET /users/7?q=\"x\"  200  151 B  88 us");
  CHECK(fields == R"("t":1,"id":"r1","peer":"10.0.0.1","method":"GET","target":"/users/7?q=\"x\"",)"
                  R"("route":"/users/{id}","status":200,"bytes":151,"us":88)");
}

TEST_CASE("a rejected request has neither an id nor a route in the access log") {
  const access_record record{"rejected:", "bad head", {}, {"10.0.0.1", 0}, 400, 0, 0us};
  std::string fields;

  record.append_json_fields(fields);

  CHECK(fields == R"("peer":"10.0.0.1","method":"rejected:","target":"bad head","status":400,"bytes":0,"us":0)");
}
