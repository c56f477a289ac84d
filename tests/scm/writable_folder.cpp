// Folders that ordinary users can write to.
#include "winsvc/scm/writable_folder.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using winsvc::detail::scm::untrusted_writers;
using names = std::vector<std::string>;

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
  CHECK(untrusted_writers("D:(A;;FA;;;S-1-5-21-1-2-3-1001)").empty());  // one user
  CHECK(untrusted_writers("D:(A;;FW;;;NU)(A;;FW;;;AN)(A;;FW;;;AC)") ==
        names{"network users", "anonymous users", "packaged apps"});
  CHECK(untrusted_writers("D:(XA;;FA;;;BU;(@User.x==1))(OA;;FA;;;WD)") == names{"users", "everyone"});
  CHECK(untrusted_writers("D:(D;;FA;;;BU)(A;;FA;;;BU)").empty());
  CHECK(untrusted_writers("D:(D;;FX;;;BU)(A;;FA;;;BU)") == names{"users"});
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
  using winsvc::detail::scm::untrusted_readers;
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
  CHECK(untrusted_writers("O:S-1-5-80-1D:PAI(A;;FA;;;S-1-5-80-1)(A;CIIO;GA;;;S-1-5-80-1)(A;;0x1301bf;;;SY)"
                          "(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)"
                          "(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)").empty());
}
