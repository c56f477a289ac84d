#!/usr/bin/env python3
"""winsvc as users get it: copied files, CMake, pkg-config, Meson, the folder examples/starter.

  tests/package/run.py [WAY...]

The ways are functions in the files ways_*.py. Most of them build tests/package/consumer in build/test/package/WAY and
run it, with clang++: the ways differ in how the header is found, not in how it is compiled. To compile all function
bodies takes 30 s, so the ways share them: those with the compiled form by shared_compiler.py, those with the separate
form by kit.winsvc_object.
tests/package/msi.py compiles a Windows program with CMake and mingw g++.
Ways whose name contains "missing" or "same" only configure.
"""

import concurrent.futures
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import ways_copied_and_cmake  # noqa: E402
import ways_meson  # noqa: E402
import ways_products  # noqa: E402
from kit import JOBS, Tally  # noqa: E402
from steps import SHARED_OBJECTS  # noqa: E402

WAYS = (*ways_products.WAYS, *ways_copied_and_cmake.WAYS, *ways_meson.WAYS)


def attempt(way):
    try:
        way()
        return ""
    except Exception as broken:
        return str(broken) or repr(broken)


def delete_unused_objects(since):
    for file in SHARED_OBJECTS.iterdir():
        if file.stat().st_mtime < since:
            file.unlink()


def main():
    tally, began = Tally(), time.time()
    SHARED_OBJECTS.mkdir(parents=True, exist_ok=True)
    wanted = [way for way in WAYS if len(sys.argv) == 1 or way.__name__ in sys.argv[1:]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for way, wrong in zip(wanted, pool.map(attempt, wanted)):
            tally.check(way.__name__.replace("_", " "), not wrong, wrong)
    if len(wanted) == len(WAYS):
        delete_unused_objects(began)
    tally.finish()


if __name__ == "__main__":
    main()
