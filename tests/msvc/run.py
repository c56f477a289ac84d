#!/usr/bin/env python3
"""Parses the single header with clang-cl and the headers of Microsoft: the Windows SDK, the C runtime and the STL.

  tests/msvc/run.py [PART...]

hello      examples/hello.cpp for each architecture, each standard, Debug and Release
examples   every example, for x86_64 and C++17
cases      tests/msvc/*.cpp; `// expect: text` must be the first error

It needs clang-cl 19 or newer (CLANG_CL names another program) and folders that are not part of the repository:

  WINSVC_SDK         shared/, ucrt/ and um/ of a Windows SDK
  WINSVC_STL         the include folder of Visual C++, or a checkout of github.com/microsoft/STL
  WINSVC_VCRUNTIME   for a checkout: vcruntime.h and the other headers of the compiler; ../shared/msvc-check/shim if
                     that folder exists

If one of them is missing, the stage is skipped. Each job has to succeed without a warning at /W4. Nothing is linked.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, JOBS, ROOT, Tally, httplib_folder, run  # noqa: E402

HERE = ROOT / "tests" / "msvc"
SHIM = ROOT.parent / "shared" / "msvc-check" / "shim"
VERSION = "1944"                                            # of Visual Studio 2022 17.14; the STL tests _MSC_VER
ARCHITECTURES = ("x86_64", "aarch64", "i686")
STANDARDS = ("c++17", "c++20", "c++latest")
CONFIGURATIONS = {"Debug": ["/Od", "/MDd"], "Release": ["/O2", "/MD", "/DNDEBUG"]}


class Missing(Exception):
    """A reason to skip the stage."""


def folder_of(variable, parts, default=""):
    """The folder that an environment variable names, if it has these parts."""
    value = os.environ.get(variable) or default
    if not value:
        raise Missing(f"{variable} is not set")
    folder = pathlib.Path(value).resolve()
    for part in parts:
        if not (folder / part).exists():
            raise Missing(f"{variable}: {folder / part} does not exist")
    return folder


def clang_cl():
    for name in [os.environ["CLANG_CL"]] if os.environ.get("CLANG_CL") else ["clang-cl-19", "clang-cl"]:
        if shutil.which(name):
            return name
    raise Missing("clang-cl is not installed (Debian: clang-tools-19)")


def overlay(sdk):
    """A file that makes the names in the SDK independent of case: its headers include each other in another case."""
    def contents(folder):
        return [{"name": path.name, "type": "directory", "contents": contents(path)} if path.is_dir()
                else {"name": path.name, "type": "file", "external-contents": str(path)}
                for path in sorted(folder.iterdir())]
    roots = [{"name": f"/winsdk/{part}", "type": "directory", "contents": contents(sdk / part)}
             for part in ("shared", "ucrt", "um")]
    path = BUILD / "test" / "msvc" / "overlay.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 0, "case-sensitive": "false", "roots": roots}), encoding="utf-8")
    return path


def system_folders():
    """The include folders of the compiler and the SDK, in their order, and the overlay."""
    sdk = folder_of("WINSVC_SDK", ("shared", "ucrt", "um"))
    stl = folder_of("WINSVC_STL", ())
    if (stl / "stl" / "inc").is_dir():
        folders = [folder_of("WINSVC_VCRUNTIME", ("vcruntime.h",), SHIM if SHIM.is_dir() else ""), stl / "stl" / "inc"]
    else:
        folders = [folder_of("WINSVC_STL", ("vector", "vcruntime.h"))]
    return [*folders, *(f"/winsdk/{part}" for part in ("ucrt", "shared", "um"))], overlay(sdk)


class Compiler:
    def __init__(self):
        self.program = clang_cl()
        folders, self.overlay = system_folders()
        folders += dict.fromkeys([httplib_folder(), (BUILD / "deps" / "include").resolve()])
        self.includes = [word for folder in folders for word in ("-imsvc", str(folder))]

    def parse(self, source, architecture="x86_64", standard="c++17", options=()):
        """Returns the output of clang-cl and its exit code; empty if it prints nothing and succeeds."""
        # The path is relative: clang-cl reads /path as an option.
        words = [self.program, f"--target={architecture}-pc-windows-msvc", "/c", "/Zs", f"/std:{standard}", "/EHsc",
                 "/W4", "/permissive-", "/Zc:__cplusplus", f"-fmsc-version={VERSION}",
                 "-Wno-unused-command-line-argument", "-Xclang", "-ivfsoverlay", "-Xclang", str(self.overlay),
                 *self.includes, "-I", "single_include", *options, source.relative_to(ROOT)]
        code, output = run(words, timeout=600, cwd=ROOT)
        return "" if code == 0 and not output.strip() else f"{output[:4000]}\nexit code {code}"


# --- the parts --------------------------------------------------------------------------------------------------------

def hello(compiler):
    """Yields (name, job) for each combination. A job returns a message, which is empty if it succeeds."""
    source = ROOT / "examples" / "hello.cpp"
    for architecture, standard, configuration in itertools.product(ARCHITECTURES, STANDARDS, CONFIGURATIONS):
        yield (f"hello ({architecture}, {standard}, {configuration})",
               lambda a=architecture, s=standard, c=configuration: compiler.parse(source, a, s, CONFIGURATIONS[c]))


def examples(compiler):
    for source in sorted((ROOT / "examples").rglob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        name = source.relative_to(ROOT / "examples").with_suffix("").as_posix()
        missing = next((library for library in ("-lssl", "-lspdlog") if library in text), "")
        if missing:
            yield name, lambda m=missing: Missing(f"its library for Windows is not here: {m}")
            continue
        for options in ([], ["/DTESTS"]) if "-DTESTS" in text else ([],):
            yield " ".join([name, *options]), lambda s=source, o=options: compiler.parse(s, options=o)


def cases(compiler):
    for source in sorted(HERE.glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        expected = re.search(r"^// expect: (.*)", text, re.MULTILINE)
        options = re.search(r"^// options: (.*)", text, re.MULTILINE)
        yield source.stem, lambda s=source, e=expected, o=options: case(
            compiler, s, e.group(1) if e else "", o.group(1).split() if o else [])


def case(compiler, source, expected, options):
    wrong = compiler.parse(source, options=options)
    if not expected:
        return wrong
    errors = re.findall(r"error: .*", wrong)
    return "" if errors and expected in errors[0] else f"wanted first: {expected}\n{wrong or 'it compiles'}"


# ----------------------------------------------------------------------------------------------------------------------

PARTS = {"cases": cases, "hello": hello, "examples": examples}


def main():
    tally = Tally()
    names = sys.argv[1:] or PARTS
    if any(name not in PARTS for name in names):
        sys.exit(__doc__)
    try:
        compiler = Compiler()
    except Missing as reason:
        tally.skip("the header with the headers of Microsoft", str(reason))
        tally.finish()
        return
    jobs = [job for name in names for job in PARTS[name](compiler)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for (name, _), wrong in zip(jobs, pool.map(lambda job: job[1](), jobs)):
            if isinstance(wrong, Missing):
                tally.skip(name, str(wrong))
            else:
                tally.check(name, not wrong, wrong)
    tally.finish()


if __name__ == "__main__":
    main()
