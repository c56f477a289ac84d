// Tests of the findings of doctor, and of the check of a folder's security descriptor.
#include "winsvc/diagnose/finding.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace winsvc::detail::diagnose;
using names = std::vector<std::string>;

TEST_CASE("findings are printed with severity, evidence and remedy, and then counted") {
  const std::vector<finding> findings = {{severity::ok, "name", "'hello'", "", false},
                                         {severity::problem, "port", "it is taken", "choose another", false},
                                         {severity::warning, "drift", "startup: manual -> auto", "update", true}};
  CHECK(findings_text(findings) ==
        "ok       name          'hello'\n"
        "problem  port          it is taken\n"
        "                       -> choose another\n"
        "warning  drift         startup: manual -> auto\n"
        "                       -> update\n"
        "\n1 problem, 1 warning\n");
  CHECK(findings_json({findings[1]}) ==
        "{\"problems\":1,\"warnings\":0,\"findings\":[{\"weight\":\"problem\",\"about\":\"port\",\"seen\":\"it is "
        "taken\",\"remedy\":\"choose another\",\"fixable\":false}]}\n");
  CHECK(findings_text({{severity::problem, "last run", "the first\nthe second", "", false}}) ==
        "problem  last run      the first\n"
        "                       the second\n"
        "\n1 problem, 0 warnings\n");
  CHECK(findings_text({}) == "\n0 problems, 0 warnings\n");
}
