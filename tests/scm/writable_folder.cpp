// Folders that ordinary users can write to.
#include "winsvc/scm/writable_folder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::detail::scm::untrusted_trustee;
using names = std::vector<std::string>;

namespace {

names untrusted_writers(const std::string& sddl) {
  return winsvc::detail::scm::group_names(winsvc::detail::scm::untrusted_writers(sddl));
}
names untrusted_readers(const std::string& sddl) {
  return winsvc::detail::scm::group_names(winsvc::detail::scm::untrusted_readers(sddl));
}
/// The SIDs that may write, each with "owner" if it owns the object.
names writers(const std::string& sddl, const names& trusted = {}) {
  names out;
  for (const auto& trustee : winsvc::detail::scm::untrusted_writers(sddl, trusted))
    out.push_back(trustee.sid + (trustee.is_owner ? " owner" : ""));
  return out;
}

}  // namespace

TEST_CASE("the hint restricts a folder of the program, but not one of a user or of Windows") {
  using winsvc::detail::scm::restrict_folder_hint;
  CHECK(restrict_folder_hint("C:\\apps").find("icacls \"C:\\apps\" /inheritance:r") != std::string::npos);
  for (const char* folder : {"C:\\", "C:\\Windows", "C:\\Users\\ann\\Downloads", "D:\\users\\x", "\\\\server\\share"}) {
    CAPTURE(folder);
    CHECK(restrict_folder_hint(folder).find("icacls") == std::string::npos);
  }
}

TEST_CASE("untrusted writers of a folder are found in its entries, in each notation of the rights") {
  CHECK(untrusted_writers("D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)").empty());
  CHECK(untrusted_writers("D:(A;OICI;FA;;;WD)") == names{"everyone"});
  CHECK(untrusted_writers("D:(A;;FA;;;DU)(A;;FA;;;S-1-5-21-1-2-3-514)") == names{"domain users", "domain guests"});
  CHECK(untrusted_writers("D:(A;;FA;;;DU)(A;;FA;;;S-1-5-21-1-2-3-513)") == names{"domain users"});
  CHECK(untrusted_writers("D:(A;;FA;;;WD)(A;;FA;;;BU)(A;;FA;;;BU)") == names{"everyone", "users"});
  CHECK(untrusted_writers("D:(ZA;;FA;;;BU)") == names{"users"});
  CHECK(untrusted_writers("D:(D;OICIIO;FA;;;BU)(A;;FA;;;BU)") == names{"users"});  // denied in the subfolders only
  CHECK(untrusted_writers("D:NO_ACCESS_CONTROL") == names{"everyone"});
  CHECK(writers("D:NO_ACCESS_CONTROL") == names{"S-1-1-0"});
  CHECK(untrusted_writers("D:(A;;FA;;;S-1-5-80-1-513)").empty());       // not of a domain
  CHECK(untrusted_writers("D:(A;;FA;;;S-1-5-21-1-2-3-1001)").empty());  // one user
  CHECK(untrusted_writers("D:(A;;FW;;;NU)(A;;FW;;;AN)(A;;FW;;;AC)") ==
        names{"network users", "anonymous users", "packaged apps"});
  CHECK(untrusted_writers("D:(XA;;FA;;;BU;(@User.x==1))(OA;;FA;;;WD)") == names{"users", "everyone"});
  for (const char* right : {"0x2", "0x4", "0x40", "0x10000", "0x40000", "0x80000"}) {
    CAPTURE(right);
    CHECK(untrusted_writers("D:(A;;" + std::string(right) + ";;;BU)") == names{"users"});
  }
  CHECK(untrusted_writers("D:(A;;0x1200A9;;;BU)").empty());  // read and execute
  CHECK(untrusted_writers("D:(D;;FA;;;BU)(A;;FA;;;BU)").empty());
  CHECK(untrusted_writers("D:(D;;FX;;;BU)(A;;FA;;;BU)") == names{"users"});
  CHECK(untrusted_writers("D:(D;;QQ;;;BU)(A;;FA;;;BU)") == names{"users"});  // what a malformed entry denies is unknown
  CHECK(untrusted_writers("O:BA") == names{"everyone"});  // without a DACL, everyone has all rights
  CHECK(untrusted_writers("D:(A;OICI;0x1301bf;;;AU)(A;;FA;;;S-1-5-32-545)") == names{"authenticated users", "users"});
  CHECK(untrusted_writers("D:(A;;CCSW;;;BU)").empty());
  CHECK(untrusted_writers("D:(A;;FRFX;;;BU)").empty());
  CHECK(untrusted_writers("D:(A;;FRFW;;;BU)") == names{"users"});
  CHECK(untrusted_writers("D:(A;CIIO;DC;;;BU)") == names{"users"});
  CHECK(untrusted_writers("D:(A;OICI;0x100002;;;IU)(A;OICI;0x2;;;IU)") == names{"interactive users"});
  CHECK(untrusted_writers("D:(D;;FA;;;WD)").empty());  // denied
  CHECK(untrusted_writers("D:NO_ACCESS_CONTROL") == names{"everyone"});
  CHECK(untrusted_writers("O:BAG:BAD:P(A;;FA;;;SY)S:(AU;SA;FA;;;WD)").empty());  // an audit entry grants no right
  CHECK(untrusted_writers("").empty());
  CHECK(untrusted_writers("D:(A;;0xZZ;;;WD)") == names{"everyone"});
  CHECK(untrusted_writers("D:(A;;FA;;;WD").empty());
}

TEST_CASE("an entry after a condition with a quoted parenthesis is found") {
  CHECK(untrusted_writers("O:BAD:P(XA;;FX;;;WD;(@User.Title==\"(\"))(A;OICI;FA;;;BU)") ==
        std::vector<std::string>{"users"});
  CHECK(untrusted_writers("D:P(XA;;FX;;;BA;(@User.Title==\")\"))(A;OICI;FA;;;WD)S:(AU;;FA;;;WD)") ==
        std::vector<std::string>{"everyone"});
}

TEST_CASE("untrusted readers of a file are those who may read its data") {
  CHECK(untrusted_readers("D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;S-1-5-32-545)") == names{"users"});
  CHECK(untrusted_readers("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1301bf;;;S-1-5-80-1)").empty());
  CHECK(untrusted_readers("D:P(D;;FR;;;WD)(A;;FR;;;WD)").empty());
  CHECK(untrusted_readers("D:P(A;;WDWO;;;AU)") == names{"authenticated users"});  // they can grant it to themselves
  CHECK(untrusted_readers("D:P(A;;0x20;;;WD)").empty());                          // execute
}

TEST_CASE("a folder below the root of C: inherits Modify for Authenticated Users") {
  CHECK(untrusted_writers("O:BAG:SYD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)"
                          "(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)") == names{"authenticated users"});
}

TEST_CASE("the rights of C:\\Program Files let only administrators write") {
  const std::string installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";  // TrustedInstaller
  CHECK(writers("O:" + installer + "D:PAI(A;;FA;;;" + installer + ")(A;CIIO;GA;;;" + installer +
                ")(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)"
                "(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)").empty());
}

TEST_CASE("single accounts, groups with members and the owner are untrusted writers, too") {
  CHECK(writers("O:BAD:P(A;;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-21-1-2-3-1001)") == names{"S-1-5-21-1-2-3-1001"});
  CHECK(writers("O:SYD:P(A;;FA;;;PU)(A;;FW;;;S-1-5-21-1-2-3-1105)(A;;FR;;;S-1-5-21-1-2-3-1106)") ==
        names{"S-1-5-32-547", "S-1-5-21-1-2-3-1105"});
  CHECK(writers("O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;BA)") == names{"S-1-5-21-1-2-3-1001 owner"});
  CHECK(writers("O:S-1-5-21-1-2-3-1001G:BAD:P(A;;FA;;;S-1-5-21-1-2-3-1001)") == names{"S-1-5-21-1-2-3-1001 owner"});
  CHECK(writers("O:LAD:P(A;;FA;;;BA)") == names{"LA owner"});  // the administrator of this machine
  CHECK(writers("O:BAD:P(D;;FA;;;S-1-5-21-1-2-3-1001)(A;;FA;;;S-1-5-21-1-2-3-1001)").empty());
  // A denial does not take the owner's right to change the DACL.
  CHECK(writers("O:S-1-5-21-7D:P(D;;FA;;;S-1-5-21-7)") == names{"S-1-5-21-7 owner"});
  CHECK(writers("O:BUD:P(A;;FA;;;BU)") == names{"S-1-5-32-545 owner"});
}

TEST_CASE("an entry for OWNER RIGHTS replaces the right of the owner to change the DACL") {
  CHECK(writers("O:S-1-5-21-7D:P(A;;FR;;;OW)").empty());
  CHECK(writers("O:S-1-5-21-7D:P(A;;FA;;;S-1-3-4)") == names{"S-1-5-21-7 owner"});
  CHECK(writers("O:BAD:P(A;;FA;;;OW)").empty());
  CHECK(writers("O:S-1-5-21-7D:P(A;OICIIO;FR;;;OW)") == names{"S-1-5-21-7 owner"});  // only for the files in it
  CHECK(writers("D:P(A;;FA;;;OW)").empty());                                         // the owner is not known
}

TEST_CASE("the service and its account may write") {
  const std::string sddl = "O:BAD:P(A;;FA;;;BA)(A;OICI;0x1301bf;;;S-1-5-80-1-2)(A;OICI;0x1301bf;;;LS)";
  CHECK(writers(sddl) == names{"S-1-5-80-1-2", "S-1-5-19"});
  CHECK(writers(sddl, {"S-1-5-80-1-2", "S-1-5-19"}).empty());
  CHECK(writers(sddl, {"s-1-5-80-1-2"}) == names{"S-1-5-19"});
}

TEST_CASE("the remedy removes the entries of accounts and gives the object to administrators") {
  const std::vector<untrusted_trustee> trustees = {{"S-1-1-0", "everyone", false}, {"S-1-5-21-7", "", true}};
  CHECK(winsvc::detail::scm::remove_access_hint("C:\\a b", trustees) ==
        "to remove their access: icacls \"C:\\a b\" /setowner \"*S-1-5-32-544\", then icacls \"C:\\a b\" "
        "/inheritance:d /remove:g \"*S-1-5-21-7\"");
}

TEST_CASE("the remedies name the file, the command and the service") {
  using namespace winsvc::detail::scm;
  CHECK(inherit_rights_hint("C:\\a.exe") == "give it the rights of its folder: icacls \"C:\\a.exe\" /reset");
  CHECK(unchecked_link_text("C:\\a") ==
        "'C:\\a' is a link, so it is unknown whether other users can change its target");
  CHECK(program_link_hint() == "install the program from its real folder");
  CHECK(restrict_file_hint("C:\\a.ini", "hello") ==
        "restrict it: icacls \"C:\\a.ini\" /inheritance:r /grant:r \"*S-1-5-18:F\" \"*S-1-5-32-544:F\" "
        "\"NT SERVICE\\hello:R\"");
}
