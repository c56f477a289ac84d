// Query, form and header as values: what converts, what is missing, what the client is told.
#include <winsvc/testing.hpp>

#include <doctest/doctest.h>

#include <string>

using winsvc::query;
using winsvc::request;
using winsvc::service;
using winsvc::testing::client;

namespace {

void app(service& svc) {
  svc.get("/page", [](const request& req) { return std::to_string(query(req, "page", 1)); });
  svc.get("/need", [](const request& req) { return query<std::string>(req, "q"); });
  svc.get("/flag", [](const request& req) { return query(req, "on", false) ? "yes" : "no"; });
  svc.get("/text", [](const request& req) { return query(req, "t", "otherwise"); });
  svc.get("/number", [](const request& req) { return std::to_string(query<double>(req, "x") * 2); });
  svc.get("/size", [](const request& req) { return std::to_string(query<unsigned>(req, "n")); });
  svc.get("/tags", [](const request& req) {
    std::string all;
    for (const int tag : winsvc::query_all<int>(req, "tag")) all += std::to_string(tag) + ";";
    return all;
  });
  svc.get("/header", [](const request& req) { return std::to_string(winsvc::find_header<int>(req, "X-Count").value_or(-1)); });
  svc.post("/form", [](const request& req) {
    return winsvc::form<std::string>(req, "name") + std::to_string(winsvc::find_form<int>(req, "age").value_or(0));
  });
}

}  // namespace

TEST_CASE("a query parameter is a value, or its default") {
  client c(app);

  CHECK(c.get("/page").body == "1");
  CHECK(c.get("/page?page=7").body == "7");
  CHECK(c.get("/page?page=-7").body == "-7");
  CHECK(c.get("/need?q=a%20b").body == "a b");
  CHECK(c.get("/text").body == "otherwise");
  CHECK(c.get("/text?t=").body.empty());
  CHECK(c.get("/number?x=1.5").body == "3.000000");
  CHECK(c.get("/tags?tag=1&tag=2").body == "1;2;");
  CHECK(c.get("/tags").body.empty());
  for (const char* yes : {"true", "1", "YES", "on"}) CHECK(c.get(std::string("/flag?on=") + yes).body == "yes");
  for (const char* no : {"false", "0", "no", "Off"}) CHECK(c.get(std::string("/flag?on=") + no).body == "no");
}

TEST_CASE("a value that is missing or does not convert is a 400 that names it") {
  client c(app);
  struct { const char* target; const char* said;
  } const cases[] = {
      {"/need", "the query parameter 'q' is missing"},
      {"/page?page=x", "the query parameter 'page' is not a whole number, or is too large: 'x'"},
      {"/page?page=99999999999", "is not a whole number, or is too large"},
      {"/page?page=", "is not a whole number"},
      {"/size?n=-1", "the query parameter 'n' is not a whole number from 0 on"},
      {"/flag?on=maybe", "the query parameter 'on' is not true or false: 'maybe'"},
      {"/number?x=inf", "the query parameter 'x' is not a number: 'inf'"},
      {"/tags?tag=1&tag=b", "the query parameter 'tag' is not a whole number"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.target);
    const auto r = c.get(one.target);
    CHECK(r.status == 400);
    CHECK(r.body.find(one.said) != std::string::npos);
  }
  CHECK(c.log().empty());
}

TEST_CASE("fields of forms and headers are values too") {
  client c(app);

  CHECK(c.post("/form", "name=anna&age=7", "application/x-www-form-urlencoded").body == "anna7");
  CHECK(c.post("/form",
               "--B\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nanna\r\n--B--\r\n",
               "multipart/form-data; boundary=B")
            .body == "anna0");
  CHECK(c.post("/form", "age=7", "application/x-www-form-urlencoded").status == 400);
  CHECK(c.post("/form", "name=a&age=x", "application/x-www-form-urlencoded").body.find("the form field 'age'") !=
        std::string::npos);
  CHECK(c.get("/header").body == "-1");
  CHECK(c.get("/header", {{"x-count", "5"}}).body == "5");
  CHECK(c.get("/header", {{"x-count", "five"}}).status == 400);
}
