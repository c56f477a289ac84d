#!/usr/bin/env python3
"""tools/amalgamate held to its word: every rule of its audit has a tree that breaks it, and the single file its promises.

  python3 tests/tools/amalgamate_test.py
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

AMALGAMATE = pathlib.Path(__file__).resolve().parents[2] / "tools" / "amalgamate"

VERSION = """// The version.
#pragma once

#define WINSVC_VERSION_MAJOR 1
#define WINSVC_VERSION_MINOR 2
#define WINSVC_VERSION_PATCH 3
#define WINSVC_VERSION_STRING "1.2.3"
#define WINSVC_VERSION 10203
"""
KNOBS = """// The knobs.
#pragma once

#include <cassert>

#define WINSVC_HTTPLIB <httplib.h>
#define WINSVC_JSON 0
#define WINSVC_AUTOLINK 0
#define WINSVC_ASSERT(x) assert(x)
#define WINSVC_SEPARATE 0
#define WINSVC_IMPLEMENTATION 0
#define WINSVC_PART 0
#define WINSVC_TESTING 0
#define WINSVC_INLINE inline
#define WINSVC_BODIES_BASE 1
#define WINSVC_BODIES_HTTP 1
#define WINSVC_SEES_ALL 1
#define WINSVC_INTERNAL 1
"""
LINE = "// " + "-" * 117
TEXT = """// Text: strings, and more. Not read here.
#pragma once

#include <string>

#include "winsvc/config/knobs.hpp"

int text();  // keep me

""" + LINE + """

#if WINSVC_BODIES_BASE
WINSVC_INLINE int text() { return 1; }  // its body
#endif
"""
SPEC = """// What to install.
#pragma once

#include "winsvc/base/text.hpp"
#include "winsvc/config/knobs.hpp"

/* an "#include" in a comment, and a URL: */
constexpr const char* spec() { return "http://x/*"; }
"""
MAIN = """// WINSVC_MAIN.
#pragma once

#include "winsvc/model/spec.hpp"

#define WINSVC_MAIN(App) \\
  int main() { return App(); }
"""
SERVER = """// Serves.
#pragma once

#include "winsvc/base/text.hpp"

int serve();

""" + LINE + """

#if WINSVC_BODIES_HTTP
WINSVC_INLINE int serve() { return text(); }
#endif
"""
IMPLEMENTATION = """// The rest.
#pragma once

#include "winsvc/config/knobs.hpp"

#if WINSVC_SEES_ALL
#include "winsvc/http/server.hpp"
#endif
"""
UNDEF = """// The end.
#pragma once

#undef WINSVC_INLINE
#undef WINSVC_BODIES_BASE
#undef WINSVC_BODIES_HTTP
#undef WINSVC_SEES_ALL
#undef WINSVC_INTERNAL
"""
UMBRELLA = """// A toolkit, in one sentence.
//
//   #include <winsvc.hpp>
#pragma once

#include "winsvc/config/version.hpp"
#include "winsvc/config/knobs.hpp"
#include "winsvc/base/text.hpp"  // strings
#include "winsvc/model/spec.hpp"
#include "winsvc/api/main.hpp"

#include "winsvc/implementation.hpp"

#include "winsvc/config/undef.hpp"
"""
TESTING = """// For tests.
#pragma once

#include "winsvc.hpp"
#include "winsvc/testing/only_testing.hpp"

inline int testing() { return only_testing(); }
"""
ONLY_TESTING = """// Used by testing.hpp alone.
#pragma once

#include "winsvc/base/text.hpp"

inline int only_testing() { return text(); }
"""
GOOD = {
    "winsvc.hpp": UMBRELLA, "winsvc/config/version.hpp": VERSION, "winsvc/config/knobs.hpp": KNOBS,
    "winsvc/base/text.hpp": TEXT, "winsvc/model/spec.hpp": SPEC, "winsvc/api/main.hpp": MAIN,
    "winsvc/implementation.hpp": IMPLEMENTATION, "winsvc/http/server.hpp": SERVER,
    "winsvc/config/undef.hpp": UNDEF, "winsvc/testing.hpp": TESTING, "winsvc/testing/only_testing.hpp": ONLY_TESTING,
}


class Tree(unittest.TestCase):
    """A small house that is in order; each test breaks one thing in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.files = dict(GOOD)

    def run_it(self, *options):
        for name, text in self.files.items():
            path = self.root / "include" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (self.root / "LICENSE").write_text("MIT License\n\nas is\n")
        return subprocess.run([sys.executable, str(AMALGAMATE), "--root", str(self.root), *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)

    def change(self, name, old, new):
        self.assertIn(old, self.files[name])
        self.files[name] = self.files[name].replace(old, new, 1)

    def assert_breach(self, *words):
        result = self.run_it("--audit")
        self.assertEqual(result.returncode, 1, "the audit saw nothing")
        breaches = result.stderr.strip().split("\n")
        self.assertEqual(len(breaches), 1, result.stderr)   # the broken rule alone speaks
        for word in words:
            self.assertIn(word, breaches[0])


class Audit(Tree):
    def test_a_house_in_order_passes(self):
        result = self.run_it("--audit")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_lower_floor_does_not_see_a_higher_one(self):
        self.files["winsvc/wire/head.hpp"] = "// Heads.\n#pragma once\n\n#include \"winsvc/api/reply.hpp\"\n"
        self.files["winsvc/api/reply.hpp"] = "// Replies.\n#pragma once\n"
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/wire/head.hpp"\n#include "winsvc/api/main.hpp"')
        self.assert_breach("include/winsvc/wire/head.hpp:4", "above it")

    def test_a_file_does_not_see_other_folders_of_its_floor(self):
        self.files["winsvc/route/table.hpp"] = "// Routes.\n#pragma once\n\n#include \"winsvc/model/spec.hpp\"\n"
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/route/table.hpp"\n#include "winsvc/api/main.hpp"')
        self.assert_breach("include/winsvc/route/table.hpp:4", "on the same floor")

    def test_a_folder_without_a_floor_is_seen(self):
        self.files["winsvc/attic/box.hpp"] = "// A box.\n#pragma once\n"
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/attic/box.hpp"\n#include "winsvc/api/main.hpp"')
        self.assert_breach("winsvc/attic/box.hpp", "no floor")

    def test_a_cycle_is_shown_whole(self):
        self.files["winsvc/base/a.hpp"] = "// A.\n#pragma once\n\n#include \"winsvc/base/b.hpp\"\n"
        self.files["winsvc/base/b.hpp"] = "// B.\n#pragma once\n\n#include \"winsvc/base/a.hpp\"\n"
        self.change("winsvc/base/text.hpp", '#include "winsvc/config', '#include "winsvc/base/a.hpp"\n#include "winsvc/config')
        self.assert_breach("cycle", "winsvc/base/a.hpp -> winsvc/base/b.hpp -> winsvc/base/a.hpp")

    def test_an_orphan_is_seen(self):
        self.files["winsvc/base/alone.hpp"] = "// Alone.\n#pragma once\n"
        self.assert_breach("winsvc/base/alone.hpp", "nothing includes it")

    def test_an_include_of_nothing_is_seen(self):
        self.change("winsvc/base/text.hpp", "config/knobs.hpp", "config/knob.hpp")
        self.assert_breach("include/winsvc/base/text.hpp:6", "there is no include/winsvc/config/knob.hpp")

    def test_pragma_once_comes_first(self):
        self.change("winsvc/model/spec.hpp", "#pragma once\n", "")
        self.assert_breach("winsvc/model/spec.hpp", "#pragma once")

    def test_includes_are_rooted(self):
        self.change("winsvc/model/spec.hpp", '"winsvc/base/text.hpp"', '"winsvc/base/../base/text.hpp"')
        result = self.run_it("--audit")
        self.assertIn("is not rooted", result.stderr)

    def test_only_testing_includes_the_umbrella(self):
        self.files["winsvc/base/only.hpp"] = "// Only.\n#pragma once\n\n#include \"winsvc.hpp\"\n"
        self.change("winsvc/testing/only_testing.hpp", '"winsvc/base/text.hpp"', '"winsvc/base/only.hpp"')
        result = self.run_it("--audit")
        self.assertIn("is not rooted", result.stderr)
        self.assertIn("above it", result.stderr)

    def test_our_headers_are_included_in_quotes(self):
        self.change("winsvc/model/spec.hpp", '#include "winsvc/config/knobs.hpp"', "#include <winsvc/config/knobs.hpp>")
        self.assert_breach("winsvc/model/spec.hpp:5", "in quotes")

    def test_no_include_inside_if(self):
        self.change("winsvc/model/spec.hpp", '#include "winsvc/base/text.hpp"',
                    '#if WINSVC_JSON\n#include "winsvc/base/text.hpp"\n#endif')
        self.assert_breach("winsvc/model/spec.hpp:5", "inside #if")

    def test_no_include_after_code(self):
        self.change("winsvc/model/spec.hpp", '#include "winsvc/config/knobs.hpp"', 'class c;\n#include "winsvc/config/knobs.hpp"')
        self.assert_breach("winsvc/model/spec.hpp:6", "at the top")

    def test_a_commented_out_include_is_no_include(self):
        self.change("winsvc/model/spec.hpp", "/* an", '/*\n#include "nowhere.hpp"\n')
        self.assertEqual(self.run_it("--audit").returncode, 0)

    def test_windows_comes_through_its_door(self):
        self.change("winsvc/model/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <Windows.h>\n")
        self.assert_breach("winsvc/model/spec.hpp:4", "one door", "winsvc/os/win/door.hpp")

    def test_a_header_that_includes_rpcndr_is_refused(self):
        self.change("winsvc/model/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <AclAPI.h>\n")
        self.assert_breach("winsvc/model/spec.hpp:4", "<AclAPI.h> defines small")

    def test_httplib_comes_through_its_door(self):
        self.change("winsvc/model/spec.hpp", "#pragma once\n", "#pragma once\n\n#include WINSVC_HTTPLIB\n")
        self.assert_breach("winsvc/model/spec.hpp:4", "one door", "winsvc/api/httplib.hpp")

    def test_a_macro_that_stays_is_seen(self):
        self.change("winsvc/model/spec.hpp", "/* an", "#define WINSVC_FORGOTTEN 1\n/* an")
        self.assert_breach("winsvc/model/spec.hpp", "WINSVC_FORGOTTEN", "neither public")

    def test_a_macro_taken_back_at_once_is_no_breach(self):
        self.change("winsvc/model/spec.hpp", "/* an", "#define WINSVC_BRIEF 1\n#undef WINSVC_BRIEF\n/* an")
        self.assertEqual(self.run_it("--audit").returncode, 0)

    def test_a_foreign_macro_that_stays_is_seen(self):
        self.change("winsvc/model/spec.hpp", "/* an", "#define NOMINMAX\n/* an")
        self.assert_breach("winsvc/model/spec.hpp", "NOMINMAX", "not ours")

    def test_a_name_that_a_macro_replaces_is_refused(self):
        for name, header in (("small", "rpcndr.h"), ("slots", "qobjectdefs.h"), ("Success", "X.h"), ("linux", "gnu++17"),
                             ("I", "complex.h")):
            with self.subTest(name=name):
                self.files = dict(GOOD)
                self.change("winsvc/model/spec.hpp", "/* an", f"constexpr int {name} = 1;\n/* an")
                self.assert_breach("include/winsvc/model/spec.hpp:7", f"'{name}' is a macro of {header}", "rename it")

    def test_a_macro_with_parameters_replaces_only_calls(self):
        self.change("winsvc/model/spec.hpp", "/* an", "int use(int check, int major);\nint n = (min)(max, 1);\n/* an")
        self.assertEqual(self.run_it("--audit").returncode, 0)
        self.change("winsvc/model/spec.hpp", "/* an", "int check (int n);\n/* an")
        self.assert_breach("winsvc/model/spec.hpp:9", "'check' is a macro of AssertMacros.h")

    def test_min_and_max_are_in_parentheses(self):
        self.change("winsvc/model/spec.hpp", "/* an", "constexpr int one() { return std::min(1, 2); }\n/* an")
        self.assert_breach("winsvc/model/spec.hpp:7", "write (min)(...)")

    def test_a_name_in_a_comment_a_literal_or_a_pragma_is_not_replaced(self):
        self.change("winsvc/model/spec.hpp", "/* an", """// small
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
        result = self.run_it("--audit")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_the_value_of_a_macro_is_code(self):
        self.change("winsvc/api/main.hpp", "return App()", "return near(App())")
        self.assert_breach("winsvc/api/main.hpp:7", "'near' is a macro of minwindef.h")

    def test_a_header_is_ascii(self):
        self.change("winsvc/model/spec.hpp", "/* an", "// 20 \u00b0C\n/* an")
        self.assert_breach("winsvc/model/spec.hpp:7", "U+00B0 is not ASCII")

    def test_foreign_prints_a_define_for_each_macro(self):
        lines = self.run_it("--foreign").stdout.split("\n")
        for line in ("#ifdef FOREIGN_WINDOWS", "#undef small", "#define small char", "#define slots", "#define check(...) "
                     "a macro check of AssertMacros_h", "#define min(a, b) ((a) < (b) ? (a) : (b))"):
            self.assertIn(line, lines)
        self.assertEqual(sum(line.startswith("#if") for line in lines), lines.count("#endif"))

    def test_a_public_macro_is_not_taken_back(self):
        self.change("winsvc/config/undef.hpp", "#undef", "#undef WINSVC_JSON\n#undef")
        self.assert_breach("WINSVC_JSON", "public")

    def test_a_public_macro_does_not_mean_one_that_is_taken_back(self):
        self.change("winsvc/config/knobs.hpp", "AUTOLINK 0", "AUTOLINK WINSVC_INTERNAL")
        self.assert_breach("winsvc/config/knobs.hpp:8", "WINSVC_AUTOLINK", "its value is WINSVC_INTERNAL")

    def test_taking_back_what_is_not_there_is_seen(self):
        self.change("winsvc/config/undef.hpp", "#undef", "#undef WINSVC_GONE\n#undef")
        self.assert_breach("winsvc/config/undef.hpp:4", "WINSVC_GONE", "nowhere")

    def test_a_public_macro_exists(self):
        self.change("winsvc/config/knobs.hpp", "#define WINSVC_AUTOLINK 0\n", "")
        self.assert_breach("WINSVC_AUTOLINK", "nowhere")

    def test_a_header_begins_with_prose(self):
        self.change("winsvc/model/spec.hpp", "// What to install.\n", "")
        self.assert_breach("winsvc/model/spec.hpp:1", "prose")

    def test_floors_rise_in_the_umbrella(self):
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"\n', "")
        self.change("winsvc.hpp", '#include "winsvc/model', '#include "winsvc/api/main.hpp"\n#include "winsvc/model')
        self.assert_breach("floors rise")

    def test_the_umbrella_ends_with_undef(self):
        self.change("winsvc.hpp", '#include "winsvc/config/undef.hpp"\n', "")
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/config/undef.hpp"\n#include "winsvc/api/main.hpp"')
        result = self.run_it("--audit")
        self.assertIn("the last include is winsvc/config/undef.hpp", result.stderr)

    def test_the_umbrella_holds_no_code(self):
        self.change("winsvc.hpp", '#include "winsvc/api/main.hpp"', '#include "winsvc/api/main.hpp"\nint lost;')
        result = self.run_it("--audit")
        self.assertIn("would be lost", result.stderr)


    # --- the separate form

    def test_an_inline_function_is_refused(self):
        self.change("winsvc/http/server.hpp", "WINSVC_INLINE int", "inline int")
        self.assert_breach("winsvc/http/server.hpp:11", "write WINSVC_INLINE")

    def test_a_body_above_the_gate_is_refused(self):
        self.change("winsvc/http/server.hpp", "int serve();", "WINSVC_INLINE int other() { return 1; }\nint serve();")
        self.assert_breach("winsvc/http/server.hpp:6", "above `#if WINSVC_BODIES_HTTP`")

    def test_bodies_without_a_line_above_them_are_refused(self):
        self.change("winsvc/http/server.hpp", LINE, "")
        self.assert_breach("winsvc/http/server.hpp:10", "stands above the bodies")

    def test_a_file_of_an_app_sees_no_server(self):
        self.change("winsvc.hpp", '#include "winsvc/implementation.hpp"', '#include "winsvc/http/server.hpp"\n\n#include "winsvc/implementation.hpp"')
        self.assert_breach("winsvc/http/server.hpp:1", "an app's file sees it")

    def test_an_inline_operator_is_refused(self):
        self.change("winsvc/http/server.hpp", "int serve();", "inline bool operator==(int_, int_) { return true; }\nint serve();")
        self.assert_breach("winsvc/http/server.hpp:6", "write WINSVC_INLINE")

    def test_bodies_of_an_unknown_part_are_refused(self):
        self.change("winsvc/http/server.hpp", "#if WINSVC_BODIES_HTTP", "#if WINSVC_BODIES_HTP")
        self.assert_breach("winsvc/http/server.hpp:10", "WINSVC_BODIES_HTP is not in")

    def test_json_comes_through_its_door(self):
        self.change("winsvc/model/spec.hpp", "#pragma once\n", "#pragma once\n\n#include <nlohmann/json.hpp>\n")
        self.assert_breach("winsvc/model/spec.hpp:4", "one door", "winsvc/api/json.hpp")


class SingleFile(Tree):
    def generated(self, name="winsvc.hpp"):
        result = self.run_it()
        self.assertEqual(result.returncode, 0, result.stderr)
        return (self.root / "single_include" / name).read_text(encoding="utf-8")

    def test_it_begins_with_the_umbrellas_prose(self):
        self.assertTrue(self.generated().startswith("// A toolkit, in one sentence.\n//\n//   #include <winsvc.hpp>\n"))

    def test_every_part_is_there_once_after_what_it_needs(self):
        text = self.generated()
        at = [text.index(code) for code in ("#define WINSVC_JSON", "int text();", "char* spec()", "#define WINSVC_MAIN",
                                            "#if WINSVC_SEES_ALL", "int text() {", "int serve();",
                                            "int serve() {", "#undef WINSVC_INTERNAL")]
        self.assertEqual(at, sorted(at))
        self.assertEqual(text.count("int text() {"), 1)

    def test_comments_stay_and_project_includes_go(self):
        text = self.generated()
        self.assertIn("// keep me", text)
        self.assertIn("#include <string>", text)
        self.assertNotIn('#include "winsvc', text)
        self.assertEqual(text.count("#pragma once"), 1)

    def test_the_contents_name_the_line_of_every_part(self):
        text = self.generated()
        lines = text.split("\n")
        entries = [l.split(None, 3) for l in lines if l.startswith("//  ") and l.split()[1].isdigit()]
        self.assertEqual([e[2] for e in entries][:2], ["config/version.hpp", "config/knobs.hpp"])
        self.assertEqual(len(entries), 8)
        for entry in entries:
            self.assertEqual(lines[int(entry[1]) - 1], "// " + entry[2])
        self.assertIn("Text: strings, and more.", text)

    def test_the_licence_and_the_version_are_in_it(self):
        text = self.generated()
        self.assertIn("winsvc 1.2.3.", text)
        self.assertIn("// MIT License\n//\n// as is\n", text)

    def test_testing_includes_the_umbrella_and_holds_its_own_parts_alone(self):
        text = self.generated("winsvc/testing.hpp")
        self.assertIn('#include "winsvc.hpp"', text)
        self.assertIn("int only_testing()", text)
        self.assertNotIn("int text();", text)

    def test_the_separate_form_has_one_source_of_two_lines(self):
        self.assertEqual(self.generated("winsvc.cpp"), '#define WINSVC_IMPLEMENTATION\n#include "winsvc.hpp"\n')

    def test_bodies_of_what_an_app_sees_move_behind_it(self):
        text = self.generated()
        self.assertIn("// base/text.hpp:bodies\n", text)
        self.assertLess(text.index("read these"), text.index("How it works"))
        self.assertLess(text.index("#define WINSVC_MAIN"), text.index("// its body"))

    def test_a_second_run_gives_the_same_bytes(self):
        first = self.generated()
        self.assertEqual(first, self.generated())
        self.assertNotIn("\r", first)
        self.assertEqual(self.run_it("--check").returncode, 0)

    def test_check_shows_where_an_edited_file_differs(self):
        text = self.generated()
        path = self.root / "single_include" / "winsvc.hpp"
        path.write_text(text.replace("int text();", "int texts();"), encoding="utf-8")
        result = self.run_it("--check")
        self.assertEqual(result.returncode, 1)
        line = text[:text.index("int text();")].count("\n") + 1
        self.assertIn(f"single_include/winsvc.hpp:{line} ", result.stderr)
        self.assertIn("run tools/amalgamate", result.stderr)

    def test_check_finds_a_missing_and_a_foreign_file(self):
        self.assertIn("missing", self.run_it("--check").stderr)
        self.generated()
        (self.root / "single_include" / "other.hpp").write_text("")
        self.assertIn("other.hpp is not made by", self.run_it("--check").stderr)

    def test_list_is_the_order_of_the_single_file(self):
        self.assertEqual(self.run_it("--list").stdout.split(), [
            "winsvc/config/version.hpp", "winsvc/config/knobs.hpp", "winsvc/base/text.hpp", "winsvc/model/spec.hpp",
            "winsvc/api/main.hpp", "winsvc/http/server.hpp", "winsvc/implementation.hpp", "winsvc/config/undef.hpp",
            "winsvc.hpp"])

    def test_app_lists_headers_without_the_implementation(self):
        self.assertEqual(self.run_it("--app").stdout.split(), [
            "winsvc/config/version.hpp", "winsvc/config/knobs.hpp", "winsvc/base/text.hpp", "winsvc/model/spec.hpp",
            "winsvc/api/main.hpp", "winsvc/config/undef.hpp", "winsvc.hpp"])


if __name__ == "__main__":
    unittest.main()
