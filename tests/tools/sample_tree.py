"""A small source tree for the tests of tools/amalgamate.

TreeTest writes VALID_TREE, which violates no rule, to a temporary folder; tests change its files and run the tool.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

AMALGAMATE = pathlib.Path(__file__).resolve().parents[2] / "tools" / "amalgamate"
sys.path.insert(0, str(AMALGAMATE.parent))
from macro_audit import MACROS_OF_TYPES  # noqa: E402

VERSION = """// The version.
#pragma once

#define WINSVC_VERSION_MAJOR 1
#define WINSVC_VERSION_MINOR 2
#define WINSVC_VERSION_PATCH 3
#define WINSVC_VERSION_STRING "1.2.3"
#define WINSVC_VERSION 10203
"""
OPTIONS = """// The options.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <ctime>
#include <thread>

#define WINSVC_HTTPLIB <httplib.h>
#define WINSVC_APP_VERSION ""
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
""" + "".join(f"#define {name} 1\n" for name in MACROS_OF_TYPES)
BODIES_LINE = "// " + "-" * 117
TEXT = """// Text: strings, and more. Not read here.
#pragma once

#include <string>

#include "winsvc/config/options.hpp"

int text();  // keep me

""" + BODIES_LINE + """

#if WINSVC_BODIES_BASE
WINSVC_INLINE int text() { return 1; }  // its body
#endif
"""
SPEC = """// The install specification.
#pragma once

#include "winsvc/base/text.hpp"
#include "winsvc/config/options.hpp"

/* an "#include" in a comment, and a URL: */
constexpr const char* spec() { return "http://x/*"; }
"""
MAIN = """// WINSVC_MAIN.
#pragma once

#include "winsvc/settings/spec.hpp"

#define WINSVC_MAIN(App) \\
  int main() { return App(); }
"""
SERVER = """// Serves.
#pragma once

#include "winsvc/base/text.hpp"

int serve();

""" + BODIES_LINE + """

#if WINSVC_BODIES_HTTP
WINSVC_INLINE int serve() { return text(); }
#endif
"""
IMPLEMENTATION = """// The rest.
#pragma once

#include "winsvc/config/options.hpp"

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
#include "winsvc/config/options.hpp"
#include "winsvc/base/text.hpp"  // strings
#include "winsvc/settings/spec.hpp"
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
VALID_TREE = {
    "winsvc.hpp": UMBRELLA, "winsvc/config/version.hpp": VERSION, "winsvc/config/options.hpp": OPTIONS,
    "winsvc/base/text.hpp": TEXT, "winsvc/settings/spec.hpp": SPEC, "winsvc/api/main.hpp": MAIN,
    "winsvc/implementation.hpp": IMPLEMENTATION, "winsvc/http/server.hpp": SERVER,
    "winsvc/config/undef.hpp": UNDEF, "winsvc/testing.hpp": TESTING, "winsvc/testing/only_testing.hpp": ONLY_TESTING,
}


class TreeTest(unittest.TestCase):
    """A small source tree without violations; each test changes one file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.files = dict(VALID_TREE)

    def run_amalgamate(self, *options):
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

    def include_in_umbrella(self, name):
        following = '#include "winsvc/api/main.hpp"'
        self.change("winsvc.hpp", following, f'#include "{name}"\n{following}')

    def include_in_umbrella_after_api(self, name):
        last = '#include "winsvc/api/main.hpp"'
        self.change("winsvc.hpp", last, f'{last}\n#include "{name}"')

    def assert_violation(self, *texts):
        result = self.run_amalgamate("--audit")
        self.assertEqual(result.returncode, 1, "the audit found no violation")
        violations = result.stderr.strip().split("\n")
        self.assertEqual(len(violations), 1, result.stderr)   # no other rule reports one
        for text in texts:
            self.assertIn(text, violations[0])
