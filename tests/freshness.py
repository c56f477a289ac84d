#!/usr/bin/env python3
"""Facts that live in two places agree: the single header and include/, the floors, the version, the lists.

  tests/freshness.py
"""

import re
import sys

from kit import ROOT, Tally, run


def main():
    tally = Tally()
    amalgamate = [sys.executable, ROOT / "tools" / "amalgamate"]

    code, output = run([*amalgamate, "--check"])
    tally.check("single_include/ is what include/ gives", code == 0, output)
    code, output = run([*amalgamate, "--audit"])
    tally.check("the headers keep their floors, forms and macros", code == 0, output)

    for script, what in (("amalgamate_test.py", "tools/amalgamate keeps its word"),
                         ("kit_test.py", "limits and shards of the tests work")):
        code, output = run([sys.executable, ROOT / "tests" / "tools" / script])
        ran = re.search(r"Ran (\d+) tests?", output)
        tally.check(f"{what} ({ran.group(1) if ran else 'no'} tests)", code == 0 and bool(ran), output)

    _, version = run([*amalgamate, "--version"])
    changes = ROOT / "CHANGELOG.md"
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", changes.read_text(encoding="utf-8") if changes.exists() else "", re.MULTILINE)
    tally.check("the newest heading of CHANGELOG.md is the version of config/version.hpp",
                newest is not None and newest.group(1) == version.strip(),
                f"header {version.strip()}, changelog {newest.group(1) if newest else 'none'}")
    tally.finish()


if __name__ == "__main__":
    main()
