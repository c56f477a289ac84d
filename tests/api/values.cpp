// Tests of query parameters, form fields and headers as values: conversion, defaults, error responses.
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
  svc.get("/text", [](const request& req) { return query(req, "t", "default"); });
  svc.get("/number", [](const request& req) { return std::to_string(query<double>(req, "x") * 2); });
  svc.get("/size", [](const request& req) { return std::to_string(query<unsigned>(req, "n")); });
  svc.get("/tags", [](const request& req) {
    std::string text;
    for (const int tag : winsvc::query_all<int>(req, "tag")) text += std::to_string(tag) + ";";
    return text;
  });
  svc.get("/header", [](const request& req) {
    return std::to_string(winsvc::find_header<int>(req, "X-Count").value_or(-1));
  });
  svc.post("/both", [](const request& req) {
    const auto form = winsvc::find_form<std::string>(req, "a"), query = winsvc::find_query<std::string>(req, "a");
    return form.value_or("-") + query.value_or("-");
  });
  svc.post("/count", [](const request& req) { return std::to_string(req.params.size() + req.form.fields.size()); });
  svc.post("/form", [](const request& req) {
    return winsvc::form<std::string>(req, "name") + std::to_string(winsvc::find_form<int>(req, "age").value_or(0));
  });
}

}  // namespace

TEST_CASE("a query parameter has its value or the default") {
  client c(app);

  CHECK(c.get("/page").body == "1");
  CHECK(c.get("/page?page=7").body == "7");
  CHECK(c.get("/page?page=-7").body == "-7");
  CHECK(c.get("/need?q=a%20b").body == "a b");
  CHECK(c.get("/text").body == "default");
  CHECK(c.get("/text?t=").body.empty());
  CHECK(c.get("/number?x=1.5").body == "3.000000");
  CHECK(c.get("/tags?tag=1&tag=2").body == "1;2;");
  CHECK(c.get("/tags").body.empty());
  for (const char* yes : {"true", "1", "YES", "on"}) CHECK(c.get(std::string("/flag?on=") + yes).body == "yes");
  for (const char* no : {"false", "0", "no", "Off"}) CHECK(c.get(std::string("/flag?on=") + no).body == "no");
}

TEST_CASE("a missing or invalid value is a 400 that names it") {
  client c(app);
  struct { const char* target; const char* message; } const cases[] = {
      {"/need", "the query parameter 'q' is missing"},
      {"/page?page=x", "the query parameter 'page' is not a whole number, or is too large: 'x'"},
      {"/page?page=99999999999", "is not a whole number, or is too large"},
      {"/page?page=", "is not a whole number"},
      {"/size?n=-1", "the query parameter 'n' is not a whole number from 0 on"},
      {"/flag?on=maybe", "the query parameter 'on' is not true or false: 'maybe'"},
      {"/number?x=inf", "the query parameter 'x' is not a number: 'inf'"},
      {"/tags?tag=1&tag=b", "the query parameter 'tag' is not a whole number"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.target);
    const auto r = c.get(row.target);
    CHECK(r.status == 400);
    CHECK(r.body.find(row.message) != std::string::npos);
  }
  CHECK(c.log().empty());
}

TEST_CASE("form fields and headers are converted to values") {
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

TEST_CASE("form fields are read only from the body, query parameters only from the target") {
  client c(app);
  const std::string form = "application/x-www-form-urlencoded";

  CHECK(c.post("/both?a=1", "a=2", form).body == "21");
  CHECK(c.post("/both?a=1", "x=2", form).body == "-1");
  CHECK(c.post("/both", "a=2", form).body == "2-");
  CHECK(c.post("/both?a=1", "a=2", form + " ; charset=utf-8").body == "21");
  CHECK(c.post("/both?a=1", "a=2", form + "-not").body == "-1");
  CHECK(c.post("/both?a=1", "a=2", "text/plain").body == "-1");
  CHECK(c.get("/tags?tag=1&tag=1").body == "1;1;");
}

TEST_CASE("a form with more than 1,024 fields is rejected in both encodings") {
  client c(app);
  std::string fields = "f0=";
  std::string parts;
  const auto part = [](int i) {
    return "--B\r\nContent-Disposition: form-data; name=\"f" + std::to_string(i) + "\"\r\n\r\nx\r\n";
  };
  for (int i = 1; i < 1024; ++i) fields += "&f" + std::to_string(i);
  for (int i = 0; i < 1024; ++i) parts += part(i);

  CHECK(c.post("/count", fields, "application/x-www-form-urlencoded").body == "1024");
  CHECK(c.post("/count", parts + "--B--\r\n", "multipart/form-data; boundary=B").body == "1024");
  for (const auto& r : {c.post("/count", fields + "&one_more", "application/x-www-form-urlencoded"),
                        c.post("/count", parts + part(1024) + "--B--\r\n", "multipart/form-data; boundary=B")}) {
    CHECK(r.status == 413);
    CHECK(r.body.find("the form has more than 1024 fields") != std::string::npos);
  }
}
