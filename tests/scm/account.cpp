// Account of a service.
#include "winsvc/scm/account.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::scm;

TEST_CASE("an account is accepted by its short name, by its Windows names, or by a user name") {
  using k = account_kind;
  struct row { const char* text; k kind; const char* name; };
  const row rows[] = {
      {"virtual", k::virtual_account, "NT SERVICE\\hello"},
      {"Virtual", k::virtual_account, "NT SERVICE\\hello"},
      {"nt service\\HELLO", k::virtual_account, "NT SERVICE\\hello"},
      {"system", k::local_system, "LocalSystem"},
      {"localsystem", k::local_system, "LocalSystem"},
      {".\\LocalSystem", k::local_system, "LocalSystem"},
      {"NT AUTHORITY\\SYSTEM", k::local_system, "LocalSystem"},
      {"local-service", k::local_service, "NT AUTHORITY\\LocalService"},
      {"LocalService", k::local_service, "NT AUTHORITY\\LocalService"},
      {"NT AUTHORITY\\LOCAL SERVICE", k::local_service, "NT AUTHORITY\\LocalService"},
      {"network-service", k::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT Authority\\NetworkService", k::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT AUTHORITY\\Network Service", k::network_service, "NT AUTHORITY\\NetworkService"},
      {"CORP\\web$", k::managed, "CORP\\web$"},
      {"CORP\\anna", k::user, "CORP\\anna"},
      {" CORP\\anna ", k::user, "CORP\\anna"},
      {"anna@corp.example", k::user, "anna@corp.example"},
      {".\\anna", k::user, ".\\anna"},
      {"anna", k::user, ".\\anna"},
      {"anna b", k::user, ".\\anna b"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    const auto parsed = parse_account(r.text, "hello");
    REQUIRE(parsed);
    CHECK(parsed->kind == r.kind);
    CHECK(parsed->name == r.name);
    CHECK(parse_account(parsed->name, "hello")->name == r.name);  // the Windows name is the same account
    CHECK(parse_account(parsed->name, "hello")->kind == r.kind);
  }
}

TEST_CASE("an invalid account, or that of another service, is rejected with a remedy") {
  struct row { const char* text; const char* message; };
  const row rows[] = {
      {"", "it is empty"},
      {"  ", "it is empty"},
      {"\\anna", "it is not an account name"},
      {"CORP\\", "it is not an account name"},
      {"CORP\\eu\\anna", "it is not an account name"},
      {"CORP\\\\anna", "it is not an account name"},
      {"NT SERVICE\\other", "it is the virtual account of another service"},
      {"NT SERVICE\\hello$blue", "it is the virtual account of another service"},
      {"web$", "a managed account needs a domain"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    const auto parsed = parse_account(r.text, "hello");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == 1057);
    CHECK(parsed.error().message == r.message);
    CHECK_FALSE(parsed.error().hint.empty());
  }
}

TEST_CASE("virtual and managed accounts have a NULL password, built-in ones \"\", and users need one") {
  struct row {
    const char* text;
    std::optional<std::string> fixed;
    bool needs_password, needs_right, has_warning;
  };
  const row rows[] = {
      {"virtual", {}, false, false, false},      {"CORP\\web$", {}, false, true, false},
      {"system", "", false, false, true},        {"local-service", "", false, false, true},
      {"network-service", "", false, false, true}, {"CORP\\anna", "", true, true, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    const auto parsed = parse_account(r.text, "hello");
    REQUIRE(parsed);
    if (!r.needs_password) CHECK(parsed->fixed_password() == r.fixed);
    CHECK(parsed->needs_password() == r.needs_password);
    CHECK(parsed->needs_logon_right() == r.needs_right);
    CHECK(parsed->losing_rights_warning().empty() != r.has_warning);
  }
}

TEST_CASE("an account of this machine is looked up without a domain") {
  CHECK(lookup_name(".\\anna") == "anna");
  CHECK(lookup_name("CORP\\anna") == "CORP\\anna");
  CHECK(lookup_name("anna") == "anna");
  CHECK(lookup_name("") == "");
}

TEST_CASE("the text of a SID is distinguished from a name") {
  for (const char* sid : {"S-1-5-18", "s-1-5-21-1-2-4294967295-1001", "S-1-281474976710655-0", "S-1-1-0",
                          "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"})
    CHECK(is_sid(sid));
  for (const char* name : {"", "S-1-", "S-1-5", "S-1-5-", "S-1--5", "S-1-5-x", "S-2-5-18", "S-1-5-4294967296",
                           "S-1-5-18 ", "ops", "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", ".\\S-1-5-18"})
    CHECK_FALSE(is_sid(name));
}
