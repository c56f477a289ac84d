// Entries of security descriptors, compared in binary.
#include "winsvc/scm/security.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::scm;

namespace {

bool is_same(std::string_view a, std::string_view b, secured_object object = secured_object::file) {
  const auto left = parse_ace(a, object), right = parse_ace(b, object);
  REQUIRE(left);
  REQUIRE(right);
  CHECK((*left != *right) == !(*left == *right));
  return *left == *right;
}

}  // namespace

TEST_CASE("entries are equal if only the spelling of SID, flags or rights differs") {
  struct row { const char *a, *b; };
  const row rows[] = {
      {"(A;OICI;FA;;;BA)", "(A;CIOI;0x1f01ff;;;S-1-5-32-544)"},
      {"(A;;FR;;;BU)", "(A;;0x120089;;;s-1-5-32-545)"},
      {"(A;;0x1F01FF;;;SY)", "(A;;2032127;;;S-1-5-18)"},
      {"(A;;CCLC;;;RM)", "(A;;LCCC;;;S-1-5-32-580)"},
      {"(A;;GA;;;WD)", "(A;;FA;;;S-1-1-0)"},
      {"(A;;GRGX;;;WD)", "(A;;FRFX;;;WD)"},
      {"(A;;GRGW;;;HA)", "(A;;0x12019f;;;S-1-5-32-578)"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.a);
    CHECK(is_same(r.a, r.b));
  }
}

TEST_CASE("entries differ if kind, flags, rights, SID or condition differ") {
  const char* const entry = "(A;OICI;FR;;;BU)";
  for (const char* other : {"(D;OICI;FR;;;BU)", "(A;OI;FR;;;BU)", "(A;OICIID;FR;;;BU)", "(A;OICI;FW;;;BU)",
                            "(A;OICI;FR;;;AU)", "(A;OICI;FR;;;S-1-5-32-5450)", "(XA;OICI;FR;;;BU;(a==1))",
                            "(A;OICI;FR;guid;;BU)", "(A;OICI;FR;;;BU;(a==1))"}) {
    CAPTURE(other);
    CHECK_FALSE(is_same(entry, other));
  }
}

TEST_CASE("each flag has its bit in winnt.h") {
  struct { const char* name; std::uint32_t bit; } const flags[] = {{"OI", 1}, {"CI", 2}, {"NP", 4}, {"IO", 8},
                                                                   {"ID", 16}, {"CR", 32}, {"SA", 64}, {"FA", 128}};
  for (const auto& flag : flags) {
    CAPTURE(flag.name);
    CHECK(parse_ace("(AU;" + std::string(flag.name) + ";FR;;;WD)")->flags == flag.bit);
  }
}

TEST_CASE("generic rights are those that Windows sets for a file or a service") {
  CHECK(is_same("(A;;GA;;;BA)", "(A;;0xf01ff;;;BA)", secured_object::service));
  CHECK(is_same("(A;;GR;;;BA)", "(A;;CCLCSWLORC;;;BA)", secured_object::service));
  CHECK(is_same("(A;;GX;;;BA)", "(A;;RPWPDTCRRC;;;BA)", secured_object::service));
  CHECK(is_same("(A;;GW;;;BA)", "(A;;DCRC;;;BA)", secured_object::service));
  CHECK(is_same("(A;;GA;;;BA)", "(A;;0x1f01ff;;;BA)", secured_object::file));
  CHECK(map_generic_rights(0x80000000 | 0x2, secured_object::file) == (0x120089 | 0x2));
}

TEST_CASE("a malformed entry is not parsed") {
  for (const char* entry : {"", "(", ")", "()", "(A;;FA;;)", "(A;;FA;;;BA", "A;;FA;;;BA)", "(A;O;FA;;;BA)",
                            "(A;XX;FA;;;BA)", "(A;;F;;;BA)", "(A;;QQ;;;BA)", "(A;;0x;;;BA)", "(A;;0xZ;;;BA)",
                            "(A;;0x1ffffffff;;;BA)", "(A;;4294967296;;;BA)", "(A;;12a;;;BA)"}) {
    CAPTURE(entry);
    CHECK_FALSE(parse_ace(entry));
  }
  CHECK(parse_ace("(A;;4294967295;;;BA)")->mask != 0);
  CHECK(parse_ace("(A;;;;;BA)")->mask == 0);
}

TEST_CASE("an alias of a machine-independent SID and the SID are converted into each other, other aliases stay") {
  CHECK(full_sid("RD") == "S-1-5-32-555");
  CHECK(full_sid("LA") == "LA");  // S-1-5-21-...-500 of this machine
  CHECK(full_sid("S-1-5-18") == "S-1-5-18");
  CHECK(sid_alias("s-1-5-32-555") == "RD");
  CHECK(sid_alias("S-1-5-21-1-2-3-500") == "S-1-5-21-1-2-3-500");
}

TEST_CASE("an entry is found in a DACL in another order and another spelling, and is not added again") {
  const std::string service =
      "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCLCSWRPWPDTLOCRRC;;;DU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)";
  for (const char* sid : {"S-1-5-18", "SY", "s-1-5-18"}) {
    CHECK(has_ace(service, control_ace(sid), secured_object::service));
    CHECK(add_ace(service, control_ace(sid), secured_object::service) == service);
  }
  CHECK(has_ace(service, "(A;;GA;;;BA)", secured_object::service));  // all rights of a service
  CHECK_FALSE(has_ace(service, "(A;;GA;;;BA)", secured_object::file));
  CHECK_FALSE(has_ace(service, control_ace("S-1-5-21-1-2-3-513"), secured_object::service));  // DU of which domain?

  const std::string folder = "O:BAD:PAI(A;CIOI;FA;;;S-1-5-32-544)(A;CIOI;0x1200A9;;;S-1-5-80-1)";
  CHECK(add_ace(folder, read_ace("S-1-5-80-1")) == folder);
  CHECK(remove_aces_of(folder, "BA") == "O:BAD:PAI(A;CIOI;0x1200A9;;;S-1-5-80-1)");
}

TEST_CASE("entries are split at their parentheses, but not at those in quotes inside an entry") {
  using entries = std::vector<std::string_view>;
  CHECK(split_entries("PAI(A;;FA;;;SY)(A;;FA;;;BA)") == entries{"(A;;FA;;;SY)", "(A;;FA;;;BA)"});
  CHECK(split_entries(")(A;;FA;;;BA)") == entries{"(A;;FA;;;BA)"});
  CHECK(split_entries("\"(A;;FA;;;BA)") == entries{"(A;;FA;;;BA)"});
  CHECK(split_entries("(RA;;;;;WD;\"v)\")(A;;FA;;;BA)") == entries{"(RA;;;;;WD;\"v)\")", "(A;;FA;;;BA)"});
  CHECK(split_entries("(A;;FA").empty());
}

TEST_CASE("the SIDs of a descriptor replace the aliases in its text, entry by entry") {
  CHECK(with_sids("O:BAD:PAI(A;OICI;FA;;;LA)(A;;FR;;;DU)", {"S-1-5-21-1-2-3-500", "S-1-5-21-4-5-6-513"}) ==
        "O:BAD:PAI(A;OICI;FA;;;S-1-5-21-1-2-3-500)(A;;FR;;;S-1-5-21-4-5-6-513)");
  CHECK(with_sids("D:(OA;;CC;guid;;LA)(XA;;FX;;;WD;(a==(b)))S:(AU;FA;FA;;;WD)", {"", "S-1-1-0"}) ==
        "D:(OA;;CC;guid;;LA)(XA;;FX;;;S-1-1-0;(a==(b)))S:(AU;FA;FA;;;WD)");
  CHECK(with_sids("D:(A;;FA;;;BA)", {}) == "D:(A;;FA;;;BA)");
  CHECK(with_sids("D:(A;;FA", {"S-1-1-0"}) == "D:(A;;FA");
  CHECK(with_sids("D:(A)", {"S-1-1-0"}) == "D:(A)");
  CHECK(with_sids("", {"S-1-1-0"}).empty());
}
