#!/usr/bin/env python3
"""The forms in which winsvc is compiled: one file, parts, cpp-httplib's split form, and what each costs an app's file.

  tests/forms/run.py [--update] [PART...]

mixed      files that are compiled in different ways do not link, and the linker's message contains the difference
api_alone  the headers that an app's file includes compile without httplib.h, json.hpp and windows.h
separate   Linux: one file has the bodies; hello and the two files of views link with it and run
split      the same file compiles and links with cpp-httplib's split form
parts      Windows: a library of the parts has all functions, and a program links only the features that it uses
sections   each part has few enough COFF sections for MSVC without /bigobj
bars       preprocessed lines, symbols and sizes are at most a tenth above tests/forms/bars.json; --update stores them

Compiling is most of the time, so each object is compiled once: the only file with all bodies sees cpp-httplib's split form,
and the parts are compiled for Windows with cpp-httplib's single header. All compile with -O0, except the bars.
"""

import json
import pathlib
import re
import shutil
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (GXX, ROOT, STANDARD, TEST_CLANG, Ninja, Tally, clang_for_mingw, fast_mingw_link,  # noqa: E402
                 httplib_folder, library_includes, run, wine_prefix, write)

HERE = ROOT / "tests" / "forms"
BARS = HERE / "bars.json"
SINGLE = ROOT / "single_include"
EXAMPLES = ROOT / "examples"
INCLUDE = f"-I{ROOT / 'include'}"
SEPARATE = "-DWINSVC_SEPARATE=1"
NO_JSON = "-DWINSVC_JSON=0"
LINUX = [TEST_CLANG, *STANDARD, "-O0"]
WINDOWS = [*clang_for_mingw(TEST_CLANG), *STANDARD, "-O0"]
MOST_SECTIONS = 65279                                       # of a COFF object without the extended header
NM = shutil.which("llvm-nm") or "nm"                        # GNU nm takes 13 s for a COFF object, llvm-nm 0.1 s
GROWTH = 1.1                                                # a bar is passed beyond the stored number times this


def said_about(output, out):
    """The first lines of ninja's output about one target."""
    found = re.search(r"FAILED: " + re.escape(str(out)) + r".*?(?=\nFAILED: |\nninja: |\Z)", output, re.DOTALL)
    return "\n".join(found.group().split("\n")[:24]) if found else "a file that it needs was not built:\n" + output[:2000]


def amalgamate(option):
    code, output = run([sys.executable, ROOT / "tools" / "amalgamate", option])
    if code != 0:
        raise RuntimeError(output)
    return output.split()


def symbols(*files, kinds):
    """The demangled names of the defined symbols of some kinds, without parameters and ABI tags."""
    names = set()
    for file in files:
        for line in run([NM, "--defined-only", "-C", file])[1].split("\n"):
            found = re.match(r"[0-9a-f]+ (\w) (.*)", line)
            if found and found.group(1) in kinds:
                names.add(found.group(2).replace("[abi:cxx11]", "").partition("(")[0])
    return names


# --- what is compiled -------------------------------------------------------------------------------------------------

BORDER = "// " + "-" * 76 + "\n"                            # before and after the implementation


def split_httplib(folder):
    """httplib.h and httplib.cc as cpp-httplib's split.py makes them."""
    whole = (httplib_folder() / "httplib.h").read_text(encoding="utf-8")
    interface, implementation, ending = whole.split(BORDER)
    write(folder / "httplib.h", interface + ending)
    implementation = re.sub(r"\binline ", "", implementation)
    return write(folder / "httplib.cc",
                 f'#include "httplib.h"\nnamespace httplib {{\n{implementation}}}  // namespace httplib\n')


class Files:
    """All objects and programs. A part of this stage builds those that it needs."""

    def __init__(self):
        ninja = self.ninja = Ninja("forms")
        folder = ninja.folder

        httplib_source = split_httplib(folder / "split")
        app = [*LINUX, SEPARATE, f"-I{SINGLE}", *library_includes()]
        self.hello_o = ninja.compile("hello.o", EXAMPLES / "hello.cpp", app)
        self.views_o = [ninja.compile(f"{name}.o", EXAMPLES / "views" / f"{name}.cpp", app) for name in ("app", "todos")]
        self.winsvc_o = ninja.compile("winsvc.o", SINGLE / "winsvc.cpp",
                                      [*LINUX, "-isystem", str(folder / "split"), *library_includes()], [httplib_source])
        self.httplib_o = ninja.compile("httplib.o", httplib_source, LINUX)
        bodies, link = [self.winsvc_o, self.httplib_o], ([TEST_CLANG, "-fuse-ld=lld"], ["-pthread"])
        self.hello = ninja.link("hello", [self.hello_o, *bodies], link)
        self.views = ninja.link("views", [*self.views_o, *bodies], link)

        number = int(re.search(r"^#define WINSVC_PARTS (\d+)", (ROOT / "include/winsvc/config/form.hpp").read_text(),
                               re.MULTILINE).group(1))
        sources = [write(folder / f"part_{part}.cpp",
                         f"#define WINSVC_IMPLEMENTATION\n#define WINSVC_PART {part}\n#include <winsvc.hpp>\n")
                   for part in range(1, number + 1)]
        self.linux_os_o = ninja.compile("part_2.o", sources[1], [*LINUX, f"-I{SINGLE}", *library_includes()])
        self.parts = []
        if WINDOWS[0] == TEST_CLANG:
            windows = [*WINDOWS, f"-I{SINGLE}", *library_includes()]
            self.parts = [ninja.compile(f"{source.stem}.obj", source, windows) for source in sources]
            self.hello_obj = ninja.compile("hello.obj", EXAMPLES / "hello.cpp", [*windows, SEPARATE])
            self.library = ninja.archive("libwinsvc.a", self.parts)
            before, after = fast_mingw_link()
            self.hello_exe = ninja.link("hello.exe", [self.hello_obj, self.library], (before, after))
            self.all_exe = ninja.link("all.exe", [self.hello_obj, *self.parts], (before, after))

    def build(self, tally, *targets):
        """True if all are there; each that is missing is a failure."""
        _, output = self.ninja.build(targets)
        return all([target.exists() or tally.check(target.name, False, said_about(output, target)) for target in targets])


def runs(tally, what, command, environment, *words):
    """`routes` and `version` of a program print these words."""
    for verb, *expected in (("routes", *words), ("version", "winsvc")):
        code, output = run([*command, verb], env=environment)
        missing = [word for word in expected if word not in output]
        tally.check(f"{what} runs {verb}", code == 0 and not missing, f"exit code {code}, missing: {missing}\n{output}")


# --- separate and split -----------------------------------------------------------------------------------------------

def separate(tally, files):
    if files.build(tally, files.hello, files.views):
        runs(tally, "hello", [files.hello], None, "/hello/{name}", "hello.cpp")
        runs(tally, "views, of two files", [files.views], None, "/todos/{id}", "todos.cpp")


def split(tally, files):
    if not files.build(tally, files.winsvc_o, files.httplib_o):
        return
    tally.check("winsvc.cpp compiles with cpp-httplib's split form", True)
    # A function that winsvc calls: with the single header, winsvc.o defines it.
    name = "httplib::detail::parse_query_text"
    defined = {found for found in symbols(files.winsvc_o, kinds="TW") if found == name}
    called = f" U {name}(" in run([NM, "-C", files.winsvc_o])[1]
    tally.check(f"and calls {name}, but does not define it", called and not defined, f"called: {called}, {defined}")
    if files.build(tally, files.hello):
        tally.check("hello links with httplib.cc", True)


# --- parts ------------------------------------------------------------------------------------------------------------

UNUSED_FEATURES = ("websocket_session", "upload_reader", "static_folder::", "dashboard_script", "openapi")


def parts(tally, files):
    if not files.parts:
        return tally.skip("parts", "no mingw headers for clang")
    if not files.build(tally, files.winsvc_o, files.linux_os_o, files.library, files.hello_exe):
        return None
    tally.check(f"{len(files.parts)} parts compile alone", True)
    one_file = {name for name in symbols(files.winsvc_o, kinds="T") if name.startswith("winsvc::")}
    missing = one_file - symbols(*files.parts, kinds="T") - symbols(files.linux_os_o, kinds="T")
    tally.check(f"each of the {len(one_file)} functions of the one file is in a part", one_file and not missing,
                "\n".join(sorted(missing)))
    if files.build(tally, files.all_exe):
        tally.check("the objects of all parts link together", True)
    linked = run(["nm", "-C", files.hello_exe])[1]
    for feature in UNUSED_FEATURES:
        lines = [line for line in linked.split("\n") if feature in line]
        tally.check(f"hello does not contain {feature}", "winsvc::" in linked and not lines, "\n".join(lines[:20]))
    with wine_prefix("forms") as environment:
        runs(tally, "hello.exe", ["wine", files.hello_exe], environment, "/hello/{name}", "hello.cpp")


# --- sections ---------------------------------------------------------------------------------------------------------

def section_count(file):
    """The number of sections of a COFF object, with the usual header or with the extended one of /bigobj.

    The objects have no debug information: with -g, mingw adds about ten sections to an object and none for each function.
    """
    with open(file, "rb") as opened:
        head = opened.read(56)
    first, second = struct.unpack_from("<HH", head, 0)
    return struct.unpack_from("<I", head, 44)[0] if (first, second) == (0, 0xFFFF) else second


def sections(tally, files):
    if not files.parts:
        return tally.skip("sections", "no mingw headers for clang")
    if files.build(tally, *files.parts):
        for part in files.parts:
            count = section_count(part)
            tally.check(f"{part.stem} has {count} sections", 0 < count <= MOST_SECTIONS, f"the limit is {MOST_SECTIONS}")
    return None


# --- mixed ------------------------------------------------------------------------------------------------------------

BODIES = "-DWINSVC_IMPLEMENTATION"
ZLIB = "-DCPPHTTPLIB_ZLIB_SUPPORT"
TLS = "-DCPPHTTPLIB_OPENSSL_SUPPORT"


def mixed(tally, files):
    version = "v" + "_".join(amalgamate("--version")[0].split(".")[:2])
    cases = (("separate, and header-only", [SEPARATE], [], f"winsvc::{version}_separate::equal_secret"),
             ("header-only, and separate", [], [BODIES], f"winsvc::{version}::error"),
             ("with and without zlib", [SEPARATE, ZLIB], [BODIES], f"{version}_separate_zlib::"),
             ("with and without TLS", [SEPARATE, TLS], [BODIES], f"{version}_separate_tls::"),
             ("both header-only", [], [], ""),
             ("both separate", [SEPARATE], [BODIES], ""))
    made = {}
    for _, caller, library, _ in cases:
        for name, options in (("caller", caller), ("library", library)):
            out = f"mixed/{name}{''.join(options)}.o"
            if out not in made:
                made[out] = files.ninja.compile(out, HERE / "mixed" / f"{name}.cpp", [*LINUX, INCLUDE, *options])
    if not files.build(tally, *made.values()):
        return
    for what, caller, library, expected in cases:
        objects = [made[f"mixed/caller{''.join(caller)}.o"], made[f"mixed/library{''.join(library)}.o"]]
        program = files.ninja.folder / "mixed" / "program"
        code, output = run([TEST_CLANG, *objects, "-o", program])
        if expected:
            tally.check(f"{what}: fails to link", code != 0 and expected in output, f"expected: {expected}\n{output}")
        else:
            tally.check(f"{what}: links and runs", code == 0 and run([program])[0] == 0, output)


# --- api_alone --------------------------------------------------------------------------------------------------------

FOREIGN = "\n".join(f"#ifdef {macro}\n#error {header} was included\n#endif" for macro, header in (
    ("CPPHTTPLIB_VERSION", "httplib.h"), ("NLOHMANN_JSON_VERSION_MAJOR", "json.hpp"), ("_WINDOWS_", "windows.h"),
    ("ERROR_SUCCESS", "winerror.h"), ("_WINSOCK2API_", "winsock2.h")))


def api_alone(tally, files):
    """For Linux each header of api/ and addons/. For Windows the umbrella, which includes all of them.

    The headers of the standard library are precompiled; tools/standard_audit.py checks that each header includes its own.
    """
    names = amalgamate("--app")
    texts = {name: (ROOT / "include" / name).read_text(encoding="utf-8") for name in names if "/os/" not in name}
    standard = sorted({found for text in texts.values() for found in re.findall(
        r"^\s*#\s*include (<[a-z_]+>)", text, re.MULTILINE)})
    header = write(files.ninja.folder / "standard.hpp", "".join(f"#include {name}\n" for name in standard))
    precompiled = files.ninja.compile("standard.pch", header, [*LINUX, "-x", "c++-header"])
    jobs = [(name, "Linux", [*LINUX, "-include-pch", str(precompiled)], [precompiled])
            for name in names if re.match(r"winsvc/(api|addons)/|winsvc\.hpp", name)]
    if WINDOWS[0] == TEST_CLANG:
        jobs.append(("winsvc.hpp", "Windows", WINDOWS, []))
    else:
        tally.skip("winsvc.hpp (Windows)", "no mingw headers for clang")
    made = []
    for name, system, command, needs in jobs:
        source = write(files.ninja.folder / "alone" / (name.replace("/", "_") + ".cpp"), f'#include "{name}"\n{FOREIGN}\n')
        made.append((f"{name} ({system})", files.ninja.syntax_only(
            f"alone/{system}/{name}.ok", source, [*command, SEPARATE, NO_JSON, INCLUDE], needs)))
    _, output = files.ninja.build([out for _, out in made])
    doors = [f"{name} includes winsvc/os/win/windows_headers.hpp" for name, text in texts.items() if "os/win/windows_headers.hpp" in text]
    for what, out in made:
        tally.check(what, out.exists(), "\n".join([said_about(output, out), *(doors if "Windows" in what else [])]))


# --- bars -------------------------------------------------------------------------------------------------------------

def measured(tally, files):
    """{what is measured: a number}, all without a clock."""
    include = [f"-I{SINGLE}", *library_includes()]
    numbers = {}
    apps = (("hello without JSON", "hello.cpp", [SEPARATE, NO_JSON]), ("hello", "hello.cpp", [SEPARATE]),
            ("views/todos", "views/todos.cpp", [SEPARATE]), ("hello, header-only", "hello.cpp", []))
    objects = {}
    for name, source, options in apps:
        command = [GXX, *STANDARD, *options, *include]
        code, output = run([*command, "-E", "-P", EXAMPLES / source])
        if code != 0:
            tally.check(f"{name} is preprocessed", False, output[:3000])
            continue
        numbers[f"{name}: preprocessed lines"] = output.count("\n")
        if SEPARATE in options:
            out = re.sub(r"\W+", "_", name) + "-O2.o"
            objects[name] = files.ninja.compile(f"bars/{out}", EXAMPLES / source, [*command, "-O2"])
    if files.build(tally, *objects.values()):
        for name, out in objects.items():
            numbers[f"{name}: symbols"] = len(run(["nm", out])[1].split("\n")) - 1
    if files.parts and files.build(tally, files.hello_exe):
        stripped = files.ninja.folder / "stripped.exe"
        shutil.copy(files.hello_exe, stripped)
        run(["x86_64-w64-mingw32-strip", stripped])
        numbers["hello.exe, -O0, static, stripped: bytes"] = stripped.stat().st_size
    return numbers


def bars(tally, files):
    numbers = measured(tally, files)
    stored = json.loads(BARS.read_text(encoding="utf-8")) if BARS.exists() else {}
    if "--update" in sys.argv:
        BARS.write_text(json.dumps({**stored, **numbers}, indent=2) + "\n", encoding="utf-8")
        return tally.check("the bars are updated", True)
    for name, number in numbers.items():
        bar = stored.get(name, 0)
        tally.check(f"{name}: {number}, stored {bar}", number <= bar * GROWTH,
                    f"{number} is more than {GROWTH} times {bar}. Find out which include or function it is, or store the new "
                    "number: tests/forms/run.py --update bars")
    return None


# ----------------------------------------------------------------------------------------------------------------------

PARTS = {"mixed": mixed, "api_alone": api_alone, "separate": separate, "split": split, "parts": parts,
         "sections": sections, "bars": bars}


def main():
    names = [argument for argument in sys.argv[1:] if argument != "--update"]
    if not set(names) <= set(PARTS):
        sys.exit(__doc__)
    tally, files = Tally(), Files()
    for name in names or PARTS:
        PARTS[name](tally, files)
    tally.finish()


if __name__ == "__main__":
    main()
