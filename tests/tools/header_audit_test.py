#!/usr/bin/env python3
"""Tests of `tools/amalgamate --audit`: each rule reports a source tree that violates it.

  python3 tests/tools/header_audit_test.py
"""

import unittest

from sample_tree import BODIES_LINE, VALID_TREE, TreeTest


class Audit(TreeTest):
    def test_a_tree_without_violations_passes(self):
        result = self.run_amalgamate("--audit")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_an_include_of_a_higher_floor_is_reported(self):
        self.files["winsvc/wire/head.hpp"] = "// Heads.\n#pragma once\n\n#include \"winsvc/api/reply.hpp\"\n"
        self.files["winsvc/api/reply.hpp"] = "// Replies.\n#pragma once\n"
        self.include_in_umbrella("winsvc/wire/head.hpp")
        self.assert_violation("include/winsvc/wire/head.hpp:4", "on a higher floor")

    def test_an_include_of_another_folder_on_the_same_floor_is_reported(self):
        self.files["winsvc/route/table.hpp"] = "// Routes.\n#pragma once\n\n#include \"winsvc/settings/spec.hpp\"\n"
        self.include_in_umbrella("winsvc/route/table.hpp")
        self.assert_violation("include/winsvc/route/table.hpp:4", "on the same floor")

    def test_a_time_that_does_not_come_from_a_clock_is_reported(self):
        for read in ("std::chrono::steady_clock::now()", "winsvc::clock::system().now()", "std::time(nullptr)",
                     "::clock_gettime(id, &time)", "::GetTickCount64()", "std::this_thread::sleep_for(limit)"):
            with self.subTest(read):
                self.files = dict(VALID_TREE)
                self.change("winsvc/settings/spec.hpp", 'constexpr const char* spec()',
                            f"const auto start = {read};\nconstexpr const char* spec()")
                self.assert_violation("include/winsvc/settings/spec.hpp:8", "use a clock")

    def test_a_header_that_may_read_the_clock_may_not_read_it_more_often(self):
        read = "const auto start{} = clock::system().now();\n"
        for lines, expected in ((1, "in 1 lines, not in 2"), (2, None), (3, "use a clock")):
            with self.subTest(lines=lines):
                self.files = dict(VALID_TREE)
                self.files["winsvc/wire/cookie.hpp"] = ("// Cookies.\n#pragma once\n\n" +
                                                     "".join(read.format(i) for i in range(lines)))
                self.include_in_umbrella("winsvc/wire/cookie.hpp")
                if expected:
                    self.assert_violation("wire/cookie.hpp", expected)
                else:
                    self.assertEqual(self.run_amalgamate("--audit").returncode, 0)

    def test_an_atomic_without_a_comment_is_reported(self):
        self.change("winsvc/settings/spec.hpp", 'constexpr const char* spec()',
                    "struct flags {\n  // Relaxed: it orders no other data.\n  std::atomic<int> first{0};\n"
                    "  std::atomic<int> second{0};\n\n  std::atomic<bool> third{false};\n};\n"
                    "constexpr const char* spec()")
        self.assert_violation("include/winsvc/settings/spec.hpp:13", "an atomic without a reason")

    def test_an_add_on_that_includes_more_than_the_api_is_reported(self):
        self.files["winsvc/route/table.hpp"] = "// Routes.\n#pragma once\n"
        self.files["winsvc/addons/pages.hpp"] = "// Pages.\n#pragma once\n\n#include \"winsvc/route/table.hpp\"\n"
        self.include_in_umbrella_after_api("winsvc/addons/pages.hpp")
        self.assert_violation("include/winsvc/addons/pages.hpp:4", "an add-on includes winsvc/route/table.hpp")

    def test_an_exception_of_an_add_on_that_is_not_needed_is_reported(self):
        self.files["winsvc/addons/openapi.hpp"] = "// Documents.\n#pragma once\n"
        self.include_in_umbrella_after_api("winsvc/addons/openapi.hpp")
        self.assert_violation("ADDON_EXCEPTIONS", "addons/openapi.hpp does not include route/table.hpp")

    def test_a_name_of_another_folder_without_its_include_is_reported(self):
        self.change("winsvc/settings/spec.hpp", 'constexpr const char* spec()',
                    "constexpr int (*copy)() = &base::text;\nconstexpr const char* spec()")
        self.change("winsvc/settings/spec.hpp", '#include "winsvc/base/text.hpp"\n', "")
        self.assert_violation("include/winsvc/settings/spec.hpp:7", "base::text without an include of winsvc/base/text.hpp")

    def test_a_standard_name_without_the_header_that_declares_it_is_reported(self):
        self.change("winsvc/base/text.hpp", "int text();  // keep me", "int text(std::string, std::vector<int>);")
        self.assert_violation("include/winsvc/base/text.hpp:8", "std::vector without an include of <vector>")

    def test_a_standard_name_that_the_audit_does_not_know_is_reported(self):
        self.change("winsvc/base/text.hpp", "int text();  // keep me", "int text(std::stack<int>);")
        self.assert_violation("include/winsvc/base/text.hpp:8", "std::stack is unknown")

    def test_a_header_of_another_system_does_not_give_the_include_of_a_standard_header(self):
        self.files["winsvc/os/posix/thread.hpp"] = "// A thread.\n#pragma once\n\n#include <vector>\n"
        self.change("winsvc/http/server.hpp", "\n\nint serve();",
                    '\n#include "winsvc/os/posix/thread.hpp"\n\nint serve(std::vector<int>);')
        self.assert_violation("include/winsvc/http/server.hpp:7", "std::vector without an include of <vector>")

    def test_a_folder_without_a_floor_is_reported(self):
        self.files["winsvc/attic/box.hpp"] = "// A box.\n#pragma once\n"
        self.include_in_umbrella("winsvc/attic/box.hpp")
        self.assert_violation("winsvc/attic/box.hpp", "no floor")

    def test_an_include_cycle_is_reported_with_all_its_files(self):
        self.files["winsvc/base/a.hpp"] = "// A.\n#pragma once\n\n#include \"winsvc/base/b.hpp\"\n"
        self.files["winsvc/base/b.hpp"] = "// B.\n#pragma once\n\n#include \"winsvc/base/a.hpp\"\n"
        self.change("winsvc/base/text.hpp", '#include "winsvc/config',
                    '#include "winsvc/base/a.hpp"\n#include "winsvc/config')
        self.assert_violation("cycle", "winsvc/base/a.hpp -> winsvc/base/b.hpp -> winsvc/base/a.hpp")

    def test_an_unreachable_header_is_reported(self):
        self.files["winsvc/base/alone.hpp"] = "// Alone.\n#pragma once\n"
        self.assert_violation("winsvc/base/alone.hpp", "no include leads to it")

    def test_an_include_of_a_missing_file_is_reported(self):
        self.change("winsvc/base/text.hpp", "config/options.hpp", "config/option.hpp")
        self.assert_violation("include/winsvc/base/text.hpp:6", "include/winsvc/config/option.hpp does not exist")

    def test_a_missing_pragma_once_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "#pragma once\n", "")
        self.assert_violation("winsvc/settings/spec.hpp", "#pragma once")

    def test_a_relative_include_is_reported(self):
        self.change("winsvc/settings/spec.hpp", '"winsvc/base/text.hpp"', '"winsvc/base/../base/text.hpp"')
        result = self.run_amalgamate("--audit")
        self.assertIn("is not a full path", result.stderr)

    def test_only_test_headers_may_include_the_umbrella_header(self):
        self.files["winsvc/base/only.hpp"] = "// Only.\n#pragma once\n\n#include \"winsvc.hpp\"\n"
        self.change("winsvc/testing/only_testing.hpp", '"winsvc/base/text.hpp"', '"winsvc/base/only.hpp"')
        result = self.run_amalgamate("--audit")
        self.assertIn("is not a full path", result.stderr)
        self.assertIn("on a higher floor", result.stderr)

    def test_a_project_include_in_angle_brackets_is_reported(self):
        self.change("winsvc/settings/spec.hpp", '#include "winsvc/config/options.hpp"',
                    "#include <winsvc/config/options.hpp>")
        self.assert_violation("winsvc/settings/spec.hpp:5", "in quotes")

    def test_an_include_inside_if_is_reported(self):
        self.change("winsvc/settings/spec.hpp", '#include "winsvc/base/text.hpp"',
                    '#if WINSVC_JSON\n#include "winsvc/base/text.hpp"\n#endif')
        self.assert_violation("winsvc/settings/spec.hpp:5", "inside #if")

    def test_an_include_after_code_is_reported(self):
        self.change("winsvc/settings/spec.hpp", '#include "winsvc/config/options.hpp"',
                    'class c;\n#include "winsvc/config/options.hpp"')
        self.assert_violation("winsvc/settings/spec.hpp:6", "to the top")

    def test_an_include_in_a_comment_is_ignored(self):
        self.change("winsvc/settings/spec.hpp", "/* an", '/*\n#include "nowhere.hpp"\n')
        self.assertEqual(self.run_amalgamate("--audit").returncode, 0)

    def test_only_its_wrapper_header_may_include_windows_h(self):
        self.change("winsvc/settings/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <Windows.h>\n")
        self.assert_violation("winsvc/settings/spec.hpp:4", "only in its wrapper header winsvc/os/win/windows_headers.hpp")

    def test_an_include_of_a_header_that_includes_rpcndr_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <AclAPI.h>\n")
        self.assert_violation("winsvc/settings/spec.hpp:4", "<AclAPI.h> defines small")

    def test_only_its_wrapper_header_may_include_httplib(self):
        self.change("winsvc/settings/spec.hpp", "#pragma once\n", "#pragma once\n\n#include WINSVC_HTTPLIB\n")
        self.assert_violation("winsvc/settings/spec.hpp:4", "only in its wrapper header winsvc/api/httplib.hpp")

    def test_an_internal_macro_that_stays_defined_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "#define WINSVC_FORGOTTEN 1\n/* an")
        self.assert_violation("winsvc/settings/spec.hpp", "WINSVC_FORGOTTEN", "neither public")

    def test_a_macro_undefined_in_the_same_file_is_allowed(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "#define WINSVC_BRIEF 1\n#undef WINSVC_BRIEF\n/* an")
        self.assertEqual(self.run_amalgamate("--audit").returncode, 0)

    def test_a_foreign_macro_that_stays_defined_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "#define NOMINMAX\n/* an")
        self.assert_violation("winsvc/settings/spec.hpp", "NOMINMAX", "stays defined")

    def test_a_name_that_a_foreign_macro_replaces_is_reported(self):
        for name, header in (("small", "rpcndr.h"), ("slots", "qobjectdefs.h"), ("Success", "X.h"),
                             ("linux", "gnu++17"), ("I", "complex.h")):
            with self.subTest(name=name):
                self.files = dict(VALID_TREE)
                self.change("winsvc/settings/spec.hpp", "/* an", f"constexpr int {name} = 1;\n/* an")
                self.assert_violation("include/winsvc/settings/spec.hpp:7", f"'{name}' is a macro of {header}: rename it")

    def test_a_foreign_macro_with_parameters_replaces_only_calls(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "int use(int check, int major);\nint n = (min)(max, 1);\n/* an")
        self.assertEqual(self.run_amalgamate("--audit").returncode, 0)
        self.change("winsvc/settings/spec.hpp", "/* an", "int check (int n);\n/* an")
        self.assert_violation("winsvc/settings/spec.hpp:9", "'check' is a macro of AssertMacros.h")

    def test_min_and_max_without_parentheses_are_reported(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "constexpr int one() { return std::min(1, 2); }\n/* an")
        self.assert_violation("winsvc/settings/spec.hpp:7", "write (min)(...)")

    def test_foreign_macro_names_in_comments_literals_and_pragmas_are_allowed(self):
        self.change("winsvc/settings/spec.hpp", "/* an", """// small
constexpr const char* script() {
  return R"js(const small = "a";
    slots(small, 'b')
  )js";
}
constexpr int thousand = 1'000, c = ' ';  /* small
  slots */
constexpr const char* other() { return "small \\" slots"; }
#pragma push_macro("Success")
#undef Success
/* an""")
        result = self.run_amalgamate("--audit")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_foreign_macro_name_in_a_macro_definition_is_reported(self):
        self.change("winsvc/api/main.hpp", "return App()", "return near(App())")
        self.assert_violation("winsvc/api/main.hpp:7", "'near' is a macro of minwindef.h")

    def test_a_character_outside_ascii_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "/* an", "// 20 \u00b0C\n/* an")
        self.assert_violation("winsvc/settings/spec.hpp:7", "U+00B0 is not ASCII")

    def test_foreign_prints_a_define_for_each_macro(self):
        lines = self.run_amalgamate("--foreign").stdout.split("\n")
        for line in ("#ifdef FOREIGN_WINDOWS", "#undef small", "#define small char", "#define slots",
                     "#define check(...) a macro check of AssertMacros_h", "#define min(a, b) ((a) < (b) ? (a) : (b))"):
            self.assertIn(line, lines)
        self.assertEqual(sum(line.startswith("#if") for line in lines), lines.count("#endif"))

    def test_an_undef_of_a_public_macro_is_reported(self):
        self.change("winsvc/config/undef.hpp", "#undef", "#undef WINSVC_JSON\n#undef")
        self.assert_violation("WINSVC_JSON", "public")

    def test_a_public_macro_whose_value_is_undefined_at_the_end_is_reported(self):
        self.change("winsvc/config/options.hpp", "AUTOLINK 0", "AUTOLINK WINSVC_INTERNAL")
        self.assert_violation("winsvc/config/options.hpp:14", "WINSVC_AUTOLINK", "its value is WINSVC_INTERNAL")

    def test_an_undef_of_an_unknown_macro_is_reported(self):
        self.change("winsvc/config/undef.hpp", "#undef", "#undef WINSVC_GONE\n#undef")
        self.assert_violation("winsvc/config/undef.hpp:4", "no header defines WINSVC_GONE")

    def test_a_public_macro_without_a_definition_is_reported(self):
        self.change("winsvc/config/options.hpp", "#define WINSVC_AUTOLINK 0\n", "")
        self.assert_violation("no header defines WINSVC_AUTOLINK")

    def test_a_header_without_a_leading_comment_is_reported(self):
        self.change("winsvc/settings/spec.hpp", "// The install specification.\n", "")
        self.assert_violation("winsvc/settings/spec.hpp:1", "must begin with a comment")

    def test_umbrella_includes_that_are_not_sorted_by_floor_are_reported(self):
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"\n', "")
        self.change("winsvc.hpp", '#include "winsvc/settings', '#include "winsvc/api/main.hpp"\n#include "winsvc/settings')
        self.assert_violation("sort the includes by floor")

    def test_an_umbrella_header_that_does_not_end_with_undef_is_reported(self):
        self.change("winsvc.hpp", '#include "winsvc/config/undef.hpp"\n', "")
        self.include_in_umbrella("winsvc/config/undef.hpp")
        result = self.run_amalgamate("--audit")
        self.assertIn("the last include must be winsvc/config/undef.hpp", result.stderr)

    def test_code_in_the_umbrella_header_is_reported(self):
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/api/main.hpp"\nint lost;')
        result = self.run_amalgamate("--audit")
        self.assertIn("would be lost", result.stderr)

    # --- the separate form

    def test_an_inline_function_is_reported(self):
        self.change("winsvc/http/server.hpp", "WINSVC_INLINE int", "inline int")
        self.assert_violation("winsvc/http/server.hpp:11", "write WINSVC_INLINE")

    def test_a_function_body_above_the_bodies_block_is_reported(self):
        self.change("winsvc/http/server.hpp", "int serve();", "WINSVC_INLINE int other() { return 1; }\nint serve();")
        self.assert_violation("winsvc/http/server.hpp:6", "above `#if WINSVC_BODIES_HTTP`")

    def test_function_bodies_without_a_line_above_them_are_reported(self):
        self.change("winsvc/http/server.hpp", BODIES_LINE, "")
        self.assert_violation("winsvc/http/server.hpp:10", "above the function bodies")

    def test_a_header_of_the_implementation_in_the_app_part_is_reported(self):
        self.change("winsvc.hpp", '#include "winsvc/implementation.hpp"',
                    '#include "winsvc/http/server.hpp"\n\n#include "winsvc/implementation.hpp"')
        self.assert_violation("winsvc/http/server.hpp:1", "apps include it")

    def test_an_inline_operator_is_reported(self):
        self.change("winsvc/http/server.hpp", "int serve();",
                    "inline bool operator==(int_, int_) { return true; }\nint serve();")
        self.assert_violation("winsvc/http/server.hpp:6", "write WINSVC_INLINE")

    def test_function_bodies_of_an_unknown_part_are_reported(self):
        self.change("winsvc/http/server.hpp", "#if WINSVC_BODIES_HTTP", "#if WINSVC_BODIES_HTP")
        self.assert_violation("winsvc/http/server.hpp:10", "defines WINSVC_BODIES_HTP")

    def test_only_its_wrapper_header_may_include_nlohmann_json(self):
        self.change("winsvc/settings/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <nlohmann/json.hpp>\n")
        self.assert_violation("winsvc/settings/spec.hpp:4", "only in its wrapper header winsvc/api/json.hpp")


if __name__ == "__main__":
    unittest.main()
