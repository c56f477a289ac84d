// Security descriptors in SDDL.
#include "winsvc/scm/security.hpp"

#include <doctest/doctest.h>

using namespace winsvc::detail::scm;

namespace {
const std::string sid = "S-1-5-80-1-2-3", entry = "(A;OICI;0x1200a9;;;S-1-5-80-1-2-3)";
}

TEST_CASE("an entry is added to the DACL once, before the inherited entries") {
  struct row { std::string before, after; };
  const row rows[] = {
      {"", "D:" + entry},
      {"D:", "D:" + entry},
      {"D:(A;;FA;;;SY)", "D:(A;;FA;;;SY)" + entry},
      {"D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)", "D:AI" + entry + "(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)"},
      {"D:PAI(A;;FA;;;SY)(A;ID;FA;;;BA)", "D:PAI(A;;FA;;;SY)" + entry + "(A;ID;FA;;;BA)"},
      {"O:BAG:SYD:(A;;FA;;;SY)S:(AU;FA;FA;;;WD)", "O:BAG:SYD:(A;;FA;;;SY)" + entry + "S:(AU;FA;FA;;;WD)"},
      {"O:BAG:DU", "O:BAG:DUD:" + entry},
      {"D:(A;OICIIO;GA;;;CO)", "D:(A;OICIIO;GA;;;CO)" + entry},  // IO is not ID
      {"D:(XA;;FX;;;S-1-1-0;(@User.Title==\"PM: D:x\"))", "D:(XA;;FX;;;S-1-1-0;(@User.Title==\"PM: D:x\"))" + entry},
      {"D:(XA;;FX;;;WD;(@User.x==\"a\"))S:(AU;FA;FA;;;WD)",
       "D:(XA;;FX;;;WD;(@User.x==\"a\"))" + entry + "S:(AU;FA;FA;;;WD)"},
      {"D:(RA;;;;;WD;\"v)D:\")", "D:(RA;;;;;WD;\"v)D:\")" + entry},
      {"O:\"D:(A;;FA;;;SY)", "O:\"D:(A;;FA;;;SY)" + entry},
      {"D:(A;;QQ;;;SY)(A;ID;FA;;;BA)", "D:(A;;QQ;;;SY)" + entry + "(A;ID;FA;;;BA)"},  // a right that is not known
      {"D:NO_ACCESS_CONTROL", "D:NO_ACCESS_CONTROL"},  // an entry would deny access to all others
  };
  for (const auto& r : rows) {
    CAPTURE(r.before);
    CHECK(add_ace(r.before, entry) == r.after);
    CHECK(add_ace(r.after, entry) == r.after);
  }
  CHECK_FALSE(has_ace("D:(A;;FA;;;SY)S:" + entry, entry));  // an entry in the SACL does not grant a right
  CHECK_FALSE(has_ace("O:BAG:SYD:(A;;FA;;;SY)S:(A;;FA;;;WD)", "(A;;FA;;;WD)"));
  CHECK(has_ace("O:BAD:" + entry, entry));
  CHECK(has_ace("D:(A;;QQ;;;BA)", "(A;;QQ;;;BA)"));
  CHECK_FALSE(has_ace("D:(A;;FA;;;BA)", "(A;;QQ;;;BA)"));
}

TEST_CASE("all entries of a SID are removed, and no others") {
  struct row { std::string before, after; };
  const row rows[] = {
      {"", ""},
      {"O:BA", "O:BA"},
      {"D:" + entry, "D:"},
      {"D:PAI" + entry + "(A;;FA;;;SY)" + entry, "D:PAI(A;;FA;;;SY)"},
      {"D:(A;;FA;;;S-1-5-80-1-2-33)(D;;FA;;;s-1-5-80-1-2-3)(A;;FA;;;BS-1-5-80-1-2-3)",
       "D:(A;;FA;;;S-1-5-80-1-2-33)(A;;FA;;;BS-1-5-80-1-2-3)"},
      {"D:" + entry + "S:(AU;;FA;;;" + sid + ")", "D:S:(AU;;FA;;;" + sid + ")"},
      {"D:(A;;FA", "D:(A;;FA"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.before);
    CHECK(remove_aces_of(r.before, sid) == r.after);
  }
  CHECK(remove_aces_of("D:(A;;FA;;;BU)(A;;FA;;;S-1-5-32-545)(A;;FA;;;BA)", "S-1-5-32-545") == "D:(A;;FA;;;BA)");
  for (const char* sddl : {"D:(A;;FA;;;SY)", "D:AI(A;OICIID;FA;;;SY)", "O:BAG:SYD:(A;;FA;;;SY)S:(AU;FA;FA;;;WD)"}) {
    CHECK(remove_aces_of(add_ace(sddl, entry), sid) == sddl);
  }
}

TEST_CASE("well-known SIDs have the letters that Windows writes, so that an entry is found again") {
  CHECK(control_ace("S-1-5-32-545") == "(A;;CCLCSWRPWPDTLOCRRC;;;BU)");
  CHECK(trustee("s-1-1-0") == "WD");
  CHECK(trustee("S-1-5-11") == "AU");
  CHECK(trustee("S-1-5-32-5450") == "S-1-5-32-5450");
  CHECK(trustee(sid) == sid);
}

TEST_CASE("the entries grant read, modify, and control without the right to change the service") {
  CHECK(read_ace(sid) == "(A;OICI;0x1200a9;;;S-1-5-80-1-2-3)");
  CHECK(modify_ace(sid) == "(A;OICI;0x1301bf;;;S-1-5-80-1-2-3)");
  const std::string control = control_ace(sid);
  for (const char* right : {"LC", "RP", "WP", "DT", "CR"}) CHECK(control.find(right) != std::string::npos);
  for (const char* change : {"DC", "WD", "WO", "SD"}) CHECK(control.find(change) == std::string::npos);
}

TEST_CASE("the data folder inherits nothing, and only the service gets the right to modify it") {
  const std::string sddl = data_folder_security(sid);
  CHECK(sddl == "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-80-1-2-3)(A;;0x1200a9;;;BU)"
                "(A;OINPIO;0x120089;;;BU)");
}

TEST_CASE("a restricted data folder keeps the entries of an administrator") {
  CHECK(data_folder_security("O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)", sid) ==
        "O:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FR;;;IU)" + modify_ace(sid));
  CHECK(data_folder_security(data_folder_security(sid), sid) == data_folder_security(sid));
  // A folder of another user gets a new owner and new entries.
  CHECK(data_folder_security("O:S-1-5-21-7D:P(A;OICI;FA;;;S-1-5-21-7)" + modify_ace(sid), sid) ==
        data_folder_security(sid));
  CHECK(data_folder_security("D:P(A;OICI;FA;;;BA)", sid) == data_folder_security(sid));
  for (const char* unrestricted : {"", "O:BAD:AI(A;OICIID;FA;;;SY)", "D:AI(A;OICIID;FA;;;SY)(A;OICIID;0x1301bf;;;BU)",
                           "D:NO_ACCESS_CONTROL"})
    CHECK(data_folder_security(unrestricted, sid) == data_folder_security(sid));
}

TEST_CASE("entries are added to a folder of the program, but not to a drive, a Windows folder or a shared folder") {
  struct row { const char* path; bool is_own; };
  const row rows[] = {
      {"C:\\apps", true},
      {"C:\\Program Files\\Hello", true},
      {"D:\\Windows Tools", true},
      {"C:\\apps\\Windows", true},
      {"/opt/hello", true},
      {"\\\\?\\C:\\apps", true},
      {"C:\\Users\\anna\\hello", true},
      {"C:\\", false},
      {"c:", false},
      {"/", false},
      {".", false},
      {"", false},
      {"C:\\Windows", false},
      {"c:\\windows\\System32", false},
      {"C:/Windows/", false},
      {"C:\\Program Files", false},
      {"C:\\Program Files (x86)\\", false},
      {"C:\\ProgramData", false},
      {"C:\\Users", false},
      {"\\\\server\\share\\hello", false},
      {"//server/share", false},
      {"\\\\?\\UNC\\server\\share", false},
      {"\\\\?\\C:\\", false},
      {"\\\\?\\C:\\Windows", false},
      {"\\\\?\\C", false},
      {"Windows\\x", false},
      {"Users", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.path);
    CHECK(shared_folder_reason(r.path).empty() == r.is_own);
  }
  CHECK(shared_folder_reason("\\\\?\\C:\\") == "it is the root of a drive");
}

TEST_CASE("a folder is restricted if administrators or the system own it and it inherits nothing") {
  for (const char* restricted : {"O:BAD:P(A;;FA;;;BA)", "O:SYD:PAI", "O:BAG:SYD:P(A;;FA;;;BA)", "O:S-1-5-32-544D:P"})
    CHECK(is_restricted(restricted));
  for (const char* unrestricted :
       {"", "D:P", "O:BA", "O:BAD:AI(A;;FA;;;BA)", "O:BUD:P(A;;FA;;;BA)", "O:S-1-5-21-7D:P", "O:BAXD:P"})
    CHECK_FALSE(is_restricted(unrestricted));
  CHECK(without_owner("O:BAG:SYD:P(A;;FA;;;BA)") == "D:P(A;;FA;;;BA)");
  CHECK(without_owner("D:(A;;FA;;;BA)") == "D:(A;;FA;;;BA)");
  CHECK(without_owner("O:BA").empty());
  for (const char* sddl : {"O:BA", "O:BAD:", "O:BAG:SY", "O:S-1-5-32-544G:SY"}) CHECK(owner_of(sddl) == "S-1-5-32-544");
  for (const char* sddl : {"", "O:", "O::x", "G:BA", "D:(A;;FA;;;BA)"}) CHECK(owner_of(sddl).empty());
}

TEST_CASE("the users of --allow-control are found in the rights of a service, without those of Windows") {
  const std::string base = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)";
  CHECK(control_sids(base).empty());
  CHECK(control_sids(base + control_ace("S-1-5-32-545") + control_ace("S-1-5-21-8") + "(D;;CCLCSWRPWPDTLOCRRC;;;WD)") ==
        std::vector<std::string>{"S-1-5-32-545", "S-1-5-21-8"});
  CHECK(control_sids("").empty());
}

TEST_CASE("the data folder of a service whose SID is not known yet has no entry for it") {
  const std::string closed = data_folder_security("");
  CHECK(closed == "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)");
  CHECK(is_restricted(closed));
  CHECK(data_folder_security(closed, sid) == closed + modify_ace(sid));
}
