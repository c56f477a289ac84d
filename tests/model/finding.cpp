// What doctor finds, shown, and what it reads out of a folder's security.
#include "winsvc/model/finding.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::model;
using names = std::vector<std::string>;

TEST_CASE("findings are lines with their weight, what was seen, and what to do; and how many of which") {
  const std::vector<finding> all = {{weight::fine, "name", "'hello'", "", false},
                                    {weight::problem, "port", "it is taken", "choose another", false},
                                    {weight::warning, "drift", "startup: manual -> auto", "update", true}};
  CHECK(findings_text(all) ==
        "ok       name          'hello'\n"
        "problem  port          it is taken\n"
        "                       -> choose another\n"
        "warning  drift         startup: manual -> auto\n"
        "                       -> update\n"
        "\n1 problem, 1 warning\n");
  CHECK(findings_json({all[1]}) ==
        "{\"problems\":1,\"warnings\":0,\"findings\":[{\"weight\":\"problem\",\"about\":\"port\",\"seen\":\"it is "
        "taken\",\"remedy\":\"choose another\",\"fixable\":false}]}\n");
  CHECK(findings_text({}) == "\n0 problems, 0 warnings\n");
}

TEST_CASE("a folder of one's own can be closed; that of a person or of all is left") {
  using winsvc::model::how_to_close;
  CHECK(how_to_close("C:\\apps").find("icacls \"C:\\apps\" /inheritance:r") != std::string::npos);
  for (const char* folder : {"C:\\", "C:\\Windows", "C:\\Users\\ann\\Downloads", "D:\\users\\x", "\\\\server\\share"}) {
    CAPTURE(folder);
    CHECK(how_to_close(folder).find("icacls") == std::string::npos);
  }
}

TEST_CASE("who may change a folder is read from its entries, whatever way the rights are written") {
  CHECK(strangers_who_write("D:AI(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)").empty());
  CHECK(strangers_who_write("D:(A;OICI;FA;;;WD)") == names{"everyone"});
  CHECK(strangers_who_write("D:(A;;FA;;;DU)(A;;FA;;;S-1-5-21-1-2-3-514)") == names{"domain users", "domain guests"});
  CHECK(strangers_who_write("D:(A;;FA;;;S-1-5-21-1-2-3-1001)").empty());  // one person
  CHECK(strangers_who_write("D:(A;;FW;;;NU)(A;;FW;;;AN)(A;;FW;;;AC)") == names{"network users", "anonymous users", "packaged apps"});
  CHECK(strangers_who_write("D:(XA;;FA;;;BU;(@User.x==1))(OA;;FA;;;WD)") == names{"users", "everyone"});
  CHECK(strangers_who_write("D:(D;;FA;;;BU)(A;;FA;;;BU)").empty());
  CHECK(strangers_who_write("D:(D;;FX;;;BU)(A;;FA;;;BU)") == names{"users"});
  CHECK(strangers_who_write("O:BA") == names{"everyone"});  // no list is no limit
  CHECK(strangers_who_write("D:(A;OICI;0x1301bf;;;AU)(A;;FA;;;S-1-5-32-545)") == names{"authenticated users", "users"});
  CHECK(strangers_who_write("D:(A;;CCSW;;;BU)").empty());
  CHECK(strangers_who_write("D:(A;;FRFX;;;BU)").empty());
  CHECK(strangers_who_write("D:(A;;FRFW;;;BU)") == names{"users"});
  CHECK(strangers_who_write("D:(A;CIIO;DC;;;BU)") == names{"users"});
  CHECK(strangers_who_write("D:(A;OICI;0x100002;;;IU)(A;OICI;0x2;;;IU)") == names{"interactive users"});
  CHECK(strangers_who_write("D:(D;;FA;;;WD)").empty());  // denied
  CHECK(strangers_who_write("D:NO_ACCESS_CONTROL") == names{"everyone"});
  CHECK(strangers_who_write("O:BAG:BAD:P(A;;FA;;;SY)S:(AU;SA;FA;;;WD)").empty());  // what is audited is not allowed
  CHECK(strangers_who_write("").empty());
  CHECK(strangers_who_write("D:(A;;0xZZ;;;WD)") == names{"everyone"});
  CHECK(strangers_who_write("D:(A;;FA;;;WD").empty());
}
